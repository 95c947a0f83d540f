//! `POST /v1/completions`: the older text form, served by chat models.

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

/// OpenAI's text completions.
pub async fn create<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    headers: HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    call::serve(worker, id, Dialect::Completions, headers, body, Path::default()).await
}
