//! What every page of the console has around it: its sections, who is signed in and for whom, and the calls of the API behind it.

use std::ops::Deref;

use types::Right;

use super::server;
use super::server_keys;
use super::signed::{Made, Organization, Signed};
use super::{
    account, approved, budgets, credits, guardrails, invoices, keys, members, policies, presets, privacy,
    projects, provider_keys, settings, webhooks,
};
use crate::assets::CONSOLE_CSS_URL;
use crate::shell::{CONSOLE, Shell};

/// A page in the side of the console.
struct Section {
    path: &'static str,
    name: &'static str,
    shown_to: ShownTo,
}

/// Who finds a page in the side.
enum ShownTo {
    /// Who has this right in the organization that they work in.
    With(Right),
    /// Who runs this server.
    Operator,
}

const fn section(path: &'static str, name: &'static str, right: Right) -> Section {
    Section { path, name, shown_to: ShownTo::With(right) }
}

const fn operator(path: &'static str, name: &'static str) -> Section {
    Section { path, name, shown_to: ShownTo::Operator }
}

/// The sections in their groups. A page stands here once it exists.
const GROUPS: [(&str, &[Section]); 6] = [
    (
        "Use",
        &[
            section(CONSOLE, "Overview", Right::Read),
            section("/console/logs", "Logs", Right::Read),
            section("/console/alerts", "Alerts", Right::Read),
            section(crate::chat::PATH, "Playground", Right::Read),
            section(crate::setup::PATH, "Setup", Right::Read),
        ],
    ),
    (
        "Build",
        &[
            section(keys::PATH, "Keys", Right::Read),
            section(presets::PATH, "Presets", Right::Read),
            section(policies::PATH, "Policies", Right::Read),
            section(guardrails::PATH, "Guardrails", Right::Read),
            section(provider_keys::PATH, "Provider keys", Right::Read),
        ],
    ),
    (
        "Organization",
        &[
            section(settings::PATH, "Organization", Right::Read),
            section(members::PATH, "Members", Right::Read),
            section(projects::PATH, "Projects", Right::Read),
            section(budgets::PATH, "Budgets", Right::Read),
            section(approved::PATH, "Approved models", Right::Read),
            section(privacy::PATH, "Privacy", Right::Read),
            section(webhooks::PATH, "Webhooks", Right::Read),
            section("/console/audit", "Audit log", Right::Govern),
        ],
    ),
    (
        "Money",
        &[section(credits::PATH, "Credits", Right::Read), section(invoices::PATH, "Invoices", Right::Pay)],
    ),
    ("You", &[section(account::PATH, "Account", Right::Read)]),
    (
        "Server",
        &[
            operator(server::PEOPLE, "People"),
            operator(server::MARGIN, "Margin"),
            operator(server::PROVIDERS, "Providers"),
            operator(server_keys::PATH, "Provider keys"),
            operator("/console/moderation", "Moderation"),
            operator(server::CATALOG, "Catalog"),
            operator(server::FEES, "Fees"),
            operator(server::NEWS, "Announcements"),
            operator(server::JOBS, "Jobs"),
            operator(server::STATE, "State"),
        ],
    ),
];

/// Whether the console has a page at this path: what is not there yet is not linked.
pub(crate) fn is_page(path: &str) -> bool {
    GROUPS.iter().any(|(_, sections)| sections.iter().any(|section| section.path == path))
}

/// A group of links.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) links: Vec<Link>,
}

/// A link of the side.
pub(crate) struct Link {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) is_here: bool,
}

/// A call of the API as something to paste.
pub(crate) struct Shown {
    /// `GET /v1/keys`.
    pub(crate) name: String,
    pub(crate) curl: String,
}

/// The frame that `console/frame.html` draws; a page's template knows it as `shell`.
pub(crate) struct Frame {
    shell: Shell,
    pub(crate) console_css_url: &'static str,
    pub(crate) groups: Vec<Group>,
    /// Who is signed in.
    pub(crate) who: String,
    /// The one that they work in first.
    pub(crate) organizations: Vec<Organization>,
    pub(crate) calls: Vec<Shown>,
    /// What the form before this page did, as a sentence.
    pub(crate) notice: Option<String>,
    /// What could not be done, as a sentence.
    pub(crate) problem: Option<String>,
}

/// The frame is a [`Shell`] with more in it: `base.html` finds what it draws.
impl Deref for Frame {
    type Target = Shell;

    fn deref(&self) -> &Shell {
        &self.shell
    }
}

impl Frame {
    /// A page: its title without the brand, and the path of its section.
    pub(crate) fn of(signed: &Signed, title: &str, section: &str) -> Frame {
        let place = &signed.visit.place;
        let mut shell = Shell::of(place, title, CONSOLE, &signed.visit.path);
        shell.canonical = String::new();
        let user = &signed.me.user;
        Frame {
            shell,
            console_css_url: CONSOLE_CSS_URL.as_str(),
            groups: GROUPS
                .iter()
                .map(|group| links(group, signed, section))
                .filter(|group| !group.links.is_empty())
                .collect(),
            who: user.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| user.email.clone()),
            organizations: signed.me.organizations.clone(),
            calls: signed.calls.made().iter().map(|made| shown(made, &place.base_url)).collect(),
            notice: None,
            problem: None,
        }
    }

    /// With what was done, where the address says so in `done`: one of these words.
    pub(crate) fn told(mut self, signed: &Signed, done: &[(&str, &str)]) -> Frame {
        let asked = signed.visit.ask("done");
        let found = done.iter().find(|(word, _)| Some(*word) == asked);
        self.notice = found.map(|(_, sentence)| (*sentence).to_owned());
        self
    }

    /// With what could not be done.
    pub(crate) fn problem(mut self, problem: Option<String>) -> Frame {
        self.problem = problem;
        self
    }
}

fn links(group: &(&'static str, &'static [Section]), signed: &Signed, here: &str) -> Group {
    let is_shown = |section: &&Section| match section.shown_to {
        ShownTo::With(right) => signed.me.may(right),
        ShownTo::Operator => signed.me.user.is_operator,
    };
    let link =
        |section: &Section| Link { path: section.path, name: section.name, is_here: section.path == here };
    Group { name: group.0, links: group.1.iter().filter(is_shown).map(link).collect() }
}

/// A call as a command. Keys go by a variable, so that none stands in a page or a shell's history.
fn shown(made: &Made, base_url: &str) -> Shown {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let method = match made.method.as_str() {
        "GET" => String::new(),
        "POST" if made.body.is_some() => String::new(),
        other => format!("-X {other} "),
    };
    let mut curl = format!(
        "curl {method}{} \\\n  -H \"Authorization: Bearer $TOLLWAY_MANAGEMENT_KEY\"",
        quoted(&format!("{base_url}{}", made.path))
    );
    if let Some(body) = &made.body {
        curl.push_str(&format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d {}", quoted(body)));
    }
    let bare = made.path.split('?').next().unwrap_or_default();
    Shown { name: format!("{} {bare}", made.method), curl }
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::*;

    #[test]
    fn a_call_is_a_command_whatever_it_sends() {
        let made = Made {
            method: Method::PUT,
            path: String::from("/v1/presets/a?x=1"),
            body: Some(String::from(r#"{"name":"it's $(reboot)"}"#)),
        };
        let Shown { name, curl } = shown(&made, "http://a.example");
        assert_eq!(name, "PUT /v1/presets/a");
        assert!(curl.starts_with("curl -X PUT 'http://a.example/v1/presets/a?x=1' \\\n"), "{curl}");
        assert!(curl.ends_with(r#"-d '{"name":"it'\''s $(reboot)"}'"#), "{curl}");
        let read = Made { method: Method::GET, path: String::from("/v1/keys"), body: None };
        assert!(shown(&read, "http://a").curl.starts_with("curl 'http://a/v1/keys' \\\n"));
    }
}
