//! `POST /v1/chat/completions`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body;
use types::GenerationId;
use wire::hub::Dialect;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::call::{self, Path};
use crate::error::GatewayError;

/// OpenAI Chat Completions.
pub async fn completions<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    headers: HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    call::serve(worker, id, Dialect::Chat, headers, body, Path::default()).await
}
