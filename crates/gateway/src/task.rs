//! What the calls beside conversations share: embeddings, rerank, images, speech, transcriptions.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body;
use types::{GenerationId, Task};
use wire::call::Call;
use wire::task::Form;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::call::{self, Admitted, Extra};
use crate::error::GatewayError;
use crate::guarding::Guard;
use crate::read_body;

/// Serves a request whose body is JSON.
pub(crate) async fn serve<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    task: Task,
    headers: HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let admitted = call::admit(worker, &headers, None)?;
    let body = read_body(&headers, body, worker.gateway.settings.body_bytes_max).await?;
    answer(worker, id, task, &headers, &body, Form::default(), admitted).await
}

/// Answers a body that is there whole.
pub(crate) async fn answer(
    worker: &Arc<Worker>,
    id: GenerationId,
    task: Task,
    headers: &HeaderMap,
    body: &[u8],
    form: Form,
    admitted: Admitted,
) -> Result<Response<ResponseBody>, GatewayError> {
    let call = scan(task, body, form.clone())?;
    if call.asked().names_a_preset() {
        return Err(GatewayError::InvalidRequest(String::from(
            "presets are for conversations; name a model here, and leave `preset` out",
        )));
    }
    let gateway = &worker.gateway;
    let Some(mut guard) = Guard::of(gateway, &admitted.key, call.asked())? else {
        return call::answer_call(worker, id, headers, &call, false, admitted, Extra::default()).await;
    };
    let masked = guard.request(gateway, call.body)?;
    let extra = Extra { guard: Some(guard), ..Extra::default() };
    // On the heap, so that no other call carries it.
    let Some(masked) = masked else {
        return Box::pin(call::answer_call(worker, id, headers, &call, false, admitted, extra)).await;
    };
    let call = scan(task, &masked, form)?;
    Box::pin(call::answer_call(worker, id, headers, &call, false, admitted, extra)).await
}

fn scan(task: Task, body: &[u8], form: Form) -> Result<Call<'_>, GatewayError> {
    Call::scan_task(task, body, form).map_err(|error| GatewayError::InvalidRequest(error.to_string()))
}
