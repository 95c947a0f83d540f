//! `POST /v1/rerank`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body;
use types::{GenerationId, Task};

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::task;

/// Cohere's rerank, for any model that ranks.
pub async fn create<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    headers: HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    task::serve(worker, id, Task::Rerank, headers, body).await
}
