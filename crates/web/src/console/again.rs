//! A page with forms: shown when it is asked for, and again with what was typed and why that could not be done.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::form::Form;
use super::signed::{Refused, sentence};
use crate::prose::Prose;
use crate::shell;

/// How a page is shown; by default for the first time.
#[derive(Default)]
pub(crate) struct Again {
    status: StatusCode,
    typed: Option<Form>,
    /// Sentences.
    problem: Option<String>,
    warnings: Vec<String>,
}

impl Again {
    /// Because the API refused what a form asked for. What was typed is filled in again, where it is told.
    pub(crate) fn refused(typed: impl Into<Option<Form>>, refused: &Refused) -> Again {
        let problem = Some(refused.sentence());
        Again { status: refused.status, typed: typed.into(), problem, ..Again::default() }
    }

    /// The same in words that say more here than the API's.
    pub(crate) fn saying(typed: impl Into<Option<Form>>, refused: &Refused, why: &str) -> Again {
        Again { status: refused.status, ..Again::wrong(typed, why) }
    }

    /// Because of what was typed, of which the API never heard.
    pub(crate) fn wrong(typed: impl Into<Option<Form>>, why: &str) -> Again {
        let problem = Some(sentence(why));
        Again { status: StatusCode::BAD_REQUEST, typed: typed.into(), problem, ..Again::default() }
    }

    /// If nothing else is wrong, with something that the address asks for and does not get.
    pub(crate) fn or(self, problem: Option<String>) -> Again {
        Again { problem: self.problem.or(problem), ..self }
    }

    /// It was done, but with doubts.
    pub(crate) fn warned(warnings: Vec<String>) -> Again {
        Again { warnings, ..Again::default() }
    }

    /// With what was typed, though nothing is wrong.
    pub(crate) fn with(typed: Form) -> Again {
        Again { typed: Some(typed), ..Again::default() }
    }

    /// What was typed; else what the fields hold at first.
    pub(crate) fn form(&self, first: impl FnOnce() -> Form) -> Form {
        self.typed.clone().unwrap_or_else(first)
    }

    /// What was typed, if anything was.
    pub(crate) fn typed(&self) -> Option<&Form> {
        self.typed.as_ref()
    }

    /// Why it was not done.
    pub(crate) fn problem(&self) -> Option<Prose> {
        self.problem.as_deref().map(Prose::of)
    }

    /// What of it may not be meant so.
    pub(crate) fn warnings(&self) -> Vec<Prose> {
        self.warnings.iter().map(|warning| Prose::of(warning)).collect()
    }

    /// The page, which is of one reader and one moment.
    pub(crate) fn answer(&self, page: &impl Template) -> Response {
        shell::private(shell::page(self.status, page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_and_why_it_was_not_done_come_again() {
        let refused = Refused {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            kind: String::from("invalid_request"),
            message: String::from("`name` is too long, said <b>"),
        };
        let typed = || Form::of(&[("name", "x")]);
        let again = Again::refused(typed(), &refused);
        assert_eq!(again.form(Form::default).text("name"), Some("x"));
        let problem = again.problem().map(|problem| problem.to_string());
        assert_eq!(problem.as_deref(), Some("<code>name</code> is too long, said &#60;b&#62;."));
        let again = Again::saying(None, &refused, "it is long");
        assert_eq!((again.status, again.problem.as_deref()), (refused.status, Some("It is long.")));
        assert_eq!(again.form(|| typed().with("a", "b")).text("a"), Some("b"));
        assert_eq!(Again::wrong(None, "no").status, StatusCode::BAD_REQUEST);
        assert_eq!(Again::default().or(Some(String::from("no"))).status, StatusCode::OK);
    }
}
