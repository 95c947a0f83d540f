//! `POST /v1/embeddings`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body;
use types::{GenerationId, Task};

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::task;

/// OpenAI's embeddings, for any model that makes vectors.
pub async fn create<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    headers: HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    task::serve(worker, id, Task::Embeddings, headers, body).await
}
