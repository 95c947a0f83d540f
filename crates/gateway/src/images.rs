//! `POST /v1/images/generations`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body;
use types::{GenerationId, Task};

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::task;

/// OpenAI's images from a text.
pub async fn generate<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    headers: HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    task::serve(worker, id, Task::Images, headers, body).await
}
