//! `POST /v1/audio/speech` and `POST /v1/audio/transcriptions`.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Response, header};
use http_body::Body;
use types::{GenerationId, Task};
use wire::task::{Form, Upload};

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::{call, read_body, task};

/// Longest value of a form's field that is no file.
const FIELD_BYTES_MAX: usize = 64 * 1024;

/// OpenAI's speech from a text.
pub async fn speech<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    headers: HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    task::serve(worker, id, Task::Speech, headers, body).await
}

/// OpenAI's text from speech: a form with the field `file`, or OpenRouter's JSON with `input_audio`.
pub async fn transcriptions<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    headers: HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(content_type) else {
        return task::serve(worker, id, Task::Transcription, headers, body).await;
    };
    let admitted = call::admit(worker, &headers, None)?;
    let body = read_body(&headers, body, worker.gateway.settings.body_bytes_max).await?;
    let form = read_form(body, boundary).await?;
    let json = form.as_json();
    task::answer(worker, id, Task::Transcription, &headers, &json, form, admitted).await
}

async fn read_form(body: Bytes, boundary: String) -> Result<Form, GatewayError> {
    let broken = |error: multer::Error| {
        GatewayError::InvalidRequest(format!("the body is no `multipart/form-data`: {error}; send it again"))
    };
    let mut parts = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let mut form = Form::default();
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" {
            let file_name = part.file_name().unwrap_or("audio").to_owned();
            let content_type = part.content_type().map(ToString::to_string);
            let bytes = part.bytes().await.map_err(broken)?.to_vec();
            form.file = Some(Upload { name: file_name, content_type, bytes });
            continue;
        }
        let value = part.text().await.map_err(broken)?;
        if name.is_empty() || value.len() > FIELD_BYTES_MAX {
            return Err(GatewayError::InvalidRequest(format!(
                "the form's field `{}` has no name or more than {FIELD_BYTES_MAX} bytes; sound belongs into `file`",
                name.chars().take(50).collect::<String>()
            )));
        }
        form.fields.push((name, value));
    }
    Ok(form)
}
