//! `GET /v1/exports/generations?format=csv|jsonl|focus&from=&to=`: all generations of a span, the oldest first. Pages are read and sent
//! one after another, the next when the client has taken the last, so that an export of any length takes the memory of one.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, header};
use store::{Listed, LogCursor, StoreError};
use tokio::sync::mpsc;
use types::Timestamp;

use super::export::{self, Exporter, Format};
use super::{Scope, invalid};
use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::router;

/// Pages that wait for the client.
const PAGES_MAX: usize = 2;

/// A body that comes in pages.
#[derive(Debug)]
pub struct Pages(mpsc::Receiver<Bytes>);

impl Pages {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Pin::new(&mut self.0).poll_recv(cx)
    }
}

struct Export {
    gateway: Arc<Gateway>,
    scope: Scope,
    span: (Timestamp, Timestamp),
    exporter: Exporter,
}

impl Export {
    async fn page(&self, behind: Option<&LogCursor>) -> Result<Vec<Listed>, StoreError> {
        let key = self.scope.key.as_ref();
        self.gateway.store.log_onward(&self.scope.account, key, self.span, behind).await
    }

    /// Sends all pages; ends where nobody takes them any more.
    async fn run(self, mut page: Vec<Listed>, out: mpsc::Sender<Bytes>) {
        let mut text = self.exporter.head();
        loop {
            text.push_str(&self.exporter.rows(&page));
            let last = page.last().map(|one| LogCursor { created: one.record.created, id: one.record.id });
            let is_sent = text.is_empty() || out.send(Bytes::from(std::mem::take(&mut text))).await.is_ok();
            let Some(last) = last.filter(|_| is_sent) else { return };
            page = match self.page(Some(&last)).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "an export broke off");
                    let _ = out.send(Bytes::from(self.exporter.broken())).await;
                    return;
                }
            };
        }
    }
}

/// Begins an export.
pub(crate) async fn generations(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let scope = Scope::of(worker, parts)?;
    let desk = Desk::open(worker, parts);
    let query = router::query(parts);
    let given = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let format = Format::read(given("format").unwrap_or("csv"))
        .ok_or_else(|| invalid("`format` is csv, jsonl or focus"))?;
    let span = export::span(given("from"), given("to"), desk.now())?;
    let seller = &worker.gateway.payments.seller.name;
    let export =
        Export { gateway: Arc::clone(&worker.gateway), scope, span, exporter: Exporter::new(format, seller) };
    // The first page is read before anything is said, so that a store that is away is told as that.
    let (export, page) = desk
        .store(|_| async move {
            let page = export.page(None).await?;
            Ok((export, page))
        })
        .await?;
    let (out, pages) = mpsc::channel(PAGES_MAX);
    worker.gateway.control.spawn(export.run(page, out));
    let mut response = Response::new(ResponseBody::Pages(Box::new(Pages(pages))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    let name = format!("attachment; filename=\"generations.{}\"", format.extension());
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
