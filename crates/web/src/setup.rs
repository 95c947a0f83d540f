//! `/setup` and `/setup/{client}`: how programs of others are pointed here. `docs/clients.md` is made from the same table.
//!
//! What stands here was done as it says: each client tells the version that was tried, the day, and how.

mod agents;
mod apps;
mod libraries;
mod markdown;

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

pub use markdown::markdown;

use crate::home::key_variable;
use crate::not_found;
use crate::prose::Prose;
use crate::shell::{self, Crumb, Shell};
use crate::visit::Visit;

/// Where it is.
pub(crate) const PATH: &str = "/setup";
/// Where the head's link to the API leads.
const SECTION: &str = "/#docs";

/// What a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Agent,
    Library,
    App,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Agent, Kind::Library, Kind::App];

    const fn title(self) -> &'static str {
        match self {
            Kind::Agent => "Coding agents",
            Kind::Library => "Libraries",
            Kind::App => "Applications",
        }
    }
}

/// One thing to do. In text and code, `{base}` stands for the reader's address, `{auto}` for the virtual model, `{slug}`, `{Brand}` and
/// `{VAR}` for the brand's word, its name and the variable with the key.
pub(crate) struct Step {
    /// With code between backticks.
    text: &'static str,
    /// Where the code goes: `Terminal`, or a file's name. Empty: there is no code.
    place: &'static str,
    code: &'static str,
}

/// How a client was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// By this command, whenever it runs.
    Always(&'static str),
    /// Once, by a person's steps, against the sandbox.
    Once,
    /// Not at all, and why.
    Not(&'static str),
}

/// A program of others.
pub(crate) struct Client {
    slug: &'static str,
    name: &'static str,
    kind: Kind,
    about: &'static str,
    steps: &'static [Step],
    works: &'static [&'static str],
    limits: &'static [&'static str],
    tried: Tried,
    /// What was tried, or looked up.
    version: &'static str,
    /// The day, `YYYY-MM-DD`.
    on: &'static str,
}

/// All of them, in the order of pages.
pub(crate) fn clients() -> impl Iterator<Item = &'static Client> {
    agents::CLIENTS.iter().chain(libraries::CLIENTS).chain(apps::CLIENTS)
}

/// What stands for the names in texts.
struct Names {
    base: String,
    slug: String,
    brand: String,
}

impl Names {
    fn fill(&self, text: &str) -> String {
        text.replace("{base}", &self.base)
            .replace("{auto}", &format!("{}/auto", self.slug))
            .replace("{slug}", &self.slug)
            .replace("{Brand}", &self.brand)
            .replace("{VAR}", &key_variable(&self.slug))
    }
}

impl Client {
    /// How it was tried, as a sentence.
    fn tried(&self) -> String {
        let Client { name, version, on, .. } = self;
        match self.tried {
            Tried::Always(command) => {
                format!("Run by `{command}` with {name} {version}. What stands here is of {on}.")
            }
            Tried::Once => format!("Tested by hand with {name} {version} on {on}, against the sandbox."),
            Tried::Not(why) => format!("Not tested: {why} What stands here was looked up on {on}."),
        }
    }
}

struct Card {
    path: String,
    name: &'static str,
    about: String,
    is_tried: bool,
    version: &'static str,
}

struct Group {
    title: &'static str,
    cards: Vec<Card>,
}

#[derive(Template)]
#[template(path = "setup.html")]
struct Setup {
    shell: Shell,
    base: String,
    variable: String,
    groups: Vec<Group>,
}

struct Done {
    text: Prose,
    place: String,
    code: String,
}

#[derive(Template)]
#[template(path = "setup_client.html")]
struct One {
    shell: Shell,
    crumbs: Vec<Crumb>,
    name: &'static str,
    about: Prose,
    variable: String,
    is_tried: bool,
    tried: Prose,
    steps: Vec<Done>,
    works: Vec<Prose>,
    limits: Vec<Prose>,
    others: Vec<(String, &'static str)>,
}

fn names(visit: &Visit) -> Names {
    let place = &visit.place;
    Names { base: place.base_url.clone(), slug: place.brand_slug.clone(), brand: place.brand.clone() }
}

fn path(client: &Client) -> String {
    format!("{PATH}/{}", client.slug)
}

/// The paths, for the sitemap.
pub(crate) fn paths() -> impl Iterator<Item = String> {
    std::iter::once(PATH.to_owned()).chain(clients().map(path))
}

pub(crate) async fn setup(visit: Visit) -> Response {
    let names = names(&visit);
    let card = |client: &'static Client| Card {
        path: path(client),
        name: client.name,
        about: names.fill(client.about).replace('`', ""),
        is_tried: !matches!(client.tried, Tried::Not(_)),
        version: client
            .version
            .strip_prefix('(')
            .and_then(|text| text.strip_suffix(')'))
            .unwrap_or(client.version),
    };
    let group = |kind: Kind| Group {
        title: kind.title(),
        cards: clients().filter(|client| client.kind == kind).map(card).collect(),
    };
    let about = format!("How to point Claude Code, Codex, LangChain and others at {}.", visit.place.brand);
    let page = Setup {
        shell: Shell::of(&visit.place, "Set up your programs", SECTION, PATH).about(about),
        variable: key_variable(&names.slug),
        groups: Kind::ALL.map(group).into(),
        base: names.base,
    };
    shell::page(StatusCode::OK, &page)
}

pub(crate) async fn client(visit: Visit, Path(slug): Path<String>) -> Response {
    let Some(client) = clients().find(|client| client.slug == slug) else {
        return not_found::page_of(&visit);
    };
    let names = names(&visit);
    let prose = |text: &&str| Prose::of(&names.fill(text));
    let step = |step: &Step| Done {
        text: prose(&step.text),
        place: names.fill(step.place),
        code: names.fill(step.code),
    };
    let title = format!("{} with {}", client.name, visit.place.brand);
    let about = names.fill(client.about).replace('`', "");
    let same = clients().filter(|other| other.kind == client.kind && other.slug != client.slug);
    let page = One {
        shell: Shell::of(&visit.place, &title, SECTION, &path(client)).about(about),
        crumbs: vec![Crumb::new(PATH, "Setup")],
        name: client.name,
        about: prose(&client.about),
        variable: key_variable(&names.slug),
        is_tried: !matches!(client.tried, Tried::Not(_)),
        tried: Prose::of(&client.tried()),
        steps: client.steps.iter().map(step).collect(),
        works: client.works.iter().map(prose).collect(),
        limits: client.limits.iter().map(prose).collect(),
        others: same.map(|other| (path(other), other.name)).collect(),
    };
    shell::page(StatusCode::OK, &page)
}

#[cfg(test)]
mod tests;
