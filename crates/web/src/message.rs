//! A page that says one thing: why something can't be shown or done, and what to do instead.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::Place;
use crate::prose::Prose;
use crate::shell::{self, Shell};

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    shell: Shell,
    code: u16,
    title: &'a str,
    text: Prose,
}

/// The page, outside of any section. It is of one moment and one reader: nobody keeps it.
pub(crate) fn message(place: &Place, status: StatusCode, title: &str, text: &str) -> Response {
    let shell = Shell::new(format!("{title} · {}", place.brand), place);
    shell::private(shell::page(
        status,
        &Message { shell, code: status.as_u16(), title, text: Prose::of(text) },
    ))
}
