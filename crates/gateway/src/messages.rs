//! `POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's dialect, for any model.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body;
use types::GenerationId;
use wire::hub::Dialect;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::call::{self, Path};
use crate::count;
use crate::error::GatewayError;

/// Answers a conversation.
pub async fn create<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    headers: HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    call::serve(worker, id, Dialect::Messages, headers, body, Path::default()).await
}

/// Counts a conversation's tokens.
pub async fn count_tokens<B>(
    worker: &Arc<Worker>,
    headers: HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    count::serve(worker, Dialect::Messages, headers, body, Path::default()).await
}
