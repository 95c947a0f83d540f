//! The file and the environment, laid over one another: which raw value each key has. Unknown keys stop here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Key, issuer_keys, keys, provider_keys};
use super::problem::{Place, Problem, What, nearest};
use super::value::{Raw, Spot};
use super::{Environment, FileText};

/// What is set, by key.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// By full path.
    pub(super) plain: BTreeMap<String, Spot>,
    /// By slug, then by the key's last part.
    pub(super) providers: BTreeMap<String, BTreeMap<String, Spot>>,
    /// The same of issuers of identities.
    pub(super) sign_in: BTreeMap<String, BTreeMap<String, Spot>>,
}

/// A section with a table per slug.
#[derive(Clone, Copy)]
enum Slugs {
    Providers,
    SignIn,
}

impl Slugs {
    fn named(section: &str) -> Option<Slugs> {
        [Slugs::Providers, Slugs::SignIn].into_iter().find(|slugs| slugs.section() == section)
    }

    const fn section(self) -> &'static str {
        match self {
            Slugs::Providers => "providers",
            Slugs::SignIn => "sign_in",
        }
    }

    const fn of_what(self) -> &'static str {
        match self {
            Slugs::Providers => "provider",
            Slugs::SignIn => "issuer",
        }
    }

    fn known(self) -> Vec<&'static str> {
        match self {
            Slugs::Providers => provider_keys().iter().map(Key::name).collect(),
            Slugs::SignIn => issuer_keys().iter().map(Key::name).collect(),
        }
    }

    fn add_key(
        self,
        found: &mut BTreeMap<String, Spot>,
        slug: &str,
        key: &str,
        spot: Spot,
        problems: &mut Vec<Problem>,
    ) {
        let known = self.known();
        if known.contains(&key) {
            found.insert(key.to_owned(), spot);
            return;
        }
        let section = self.section();
        let nearest = nearest(key, known.iter().copied()).map(|key| format!("{section}.{slug}.{key}"));
        let allowed = format!("[{section}.<slug>] takes {}", known.join(", "));
        let what = What::Unknown { nearest, allowed };
        problems.push(Problem { place: spot.place, key: format!("{section}.{slug}.{key}"), what });
    }

    fn bad_slug(self, place: Place, path: &str) -> Problem {
        let why = format!(
            "is no {}'s slug; allowed: lower-case letters, digits, `.`, `_` and `-`, 64 at most",
            self.of_what()
        );
        Problem::rule(place, path, why)
    }
}

const PREFIX: &str = "TOLLWAY_";

/// Variables that stand for a key under a shorter name.
pub(crate) const SHORT_FORMS: [(&str, &str); 4] = [
    ("TOLLWAY_LISTEN", "server.listen"),
    ("TOLLWAY_DATA_DIR", "server.data_dir"),
    ("TOLLWAY_DATABASE_URL", "store.url"),
    ("TOLLWAY_REDIS_URL", "store.redis_url"),
];

/// Variables that are no keys, with what they are for.
pub(crate) const SPECIAL: [(&str, &str); 4] = [
    ("TOLLWAY_CONFIG", "the configuration file, as `--config`"),
    ("TOLLWAY_API_KEY", "the key that `tollway route` calls a server with; a server itself does not read it"),
    (
        "TOLLWAY_BOOTSTRAP_KEY",
        "the owner's first API key, 16 to 200 letters, digits, `-` and `_`; made once, and not printed",
    ),
    ("TOLLWAY_LOG", "log directives such as `info,tollway=debug`, instead of `log.level`"),
];

/// Names that belong to the project's own test runs.
const FOREIGN: [&str; 6] = [
    "TOLLWAY_BIN",
    "TOLLWAY_CRASH_AT",
    "TOLLWAY_E2E_",
    // Where people keep their keys: the greeting and the documentation name them so.
    "TOLLWAY_KEY",
    "TOLLWAY_MANAGEMENT_KEY",
    "TOLLWAY_TEST_",
];

impl Layers {
    /// Adds a file's values.
    pub(super) fn add_file(&mut self, file: &FileText, problems: &mut Vec<Problem>) {
        let name: Arc<str> = file.path.display().to_string().into();
        let lines = Lines::new(&file.text);
        let place = |span: Range<usize>| Place::File { name: Arc::clone(&name), line: lines.of(span.start) };
        let root = match DeTable::parse(&file.text) {
            Ok(root) => root,
            Err(error) => {
                // Only the message: the library's full text quotes the line, which may hold a secret.
                let why = format!("not valid TOML: {}", error.message());
                problems.push(Problem::rule(place(error.span().unwrap_or_default()), "", why));
                return;
            }
        };
        for (section, value) in root.get_ref() {
            let (name, at) = (section.get_ref().as_ref(), place(section.span()));
            match value.get_ref() {
                DeValue::Table(table) => match Slugs::named(name) {
                    Some(slugs) => self.add_slugs(slugs, table, &place, problems),
                    None => self.add_section(name, table, &place, problems),
                },
                _ if sections().contains(name) => {
                    let why = format!("is a section; write `[{name}]` and its keys below");
                    problems.push(Problem::rule(at, name, why));
                }
                _ => problems.push(unknown(at, name.to_owned())),
            }
        }
    }

    /// A section's keys, and those of sections within it such as `[payments.stripe]`.
    fn add_section(
        &mut self,
        name: &str,
        table: &DeTable<'_>,
        place: &dyn Fn(Range<usize>) -> Place,
        problems: &mut Vec<Problem>,
    ) {
        for (key, value) in table {
            let path = format!("{name}.{}", key.get_ref());
            if let DeValue::Table(inner) = value.get_ref()
                && keys()
                    .any(|known| known.path.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.')))
            {
                self.add_section(&path, inner, place, problems);
                continue;
            }
            let spot = spot_of_key(key.span(), value, place);
            if keys().any(|known| known.path == path) {
                self.plain.insert(path, spot);
            } else {
                problems.push(unknown(spot.place, path));
            }
        }
    }

    fn of(&mut self, slugs: Slugs) -> &mut BTreeMap<String, BTreeMap<String, Spot>> {
        match slugs {
            Slugs::Providers => &mut self.providers,
            Slugs::SignIn => &mut self.sign_in,
        }
    }

    fn add_slugs(
        &mut self,
        slugs: Slugs,
        table: &DeTable<'_>,
        place: &dyn Fn(Range<usize>) -> Place,
        problems: &mut Vec<Problem>,
    ) {
        for (slug, value) in table {
            let (slug, at) = (slug.get_ref().as_ref(), place(slug.span()));
            let path = format!("{}.{slug}", slugs.section());
            if !is_slug(slug) {
                problems.push(slugs.bad_slug(at, &path));
                continue;
            }
            let DeValue::Table(table) = value.get_ref() else {
                let why = format!("is a section; write `[{path}]` and its keys below");
                problems.push(Problem::rule(at, &path, why));
                continue;
            };
            let found = self.of(slugs).entry(slug.to_owned()).or_default();
            for (key, value) in table {
                let spot = spot_of_key(key.span(), value, place);
                slugs.add_key(found, slug, key.get_ref(), spot, problems);
            }
        }
    }

    /// Lays the environment over what the file said.
    pub(super) fn add_env(&mut self, env: &Environment, known_slugs: &[&str], problems: &mut Vec<Problem>) {
        let of_catalog = known_slugs.iter().map(|slug| (*slug).to_owned());
        let providers: BTreeSet<String> = self.providers.keys().cloned().chain(of_catalog).collect();
        let issuers: BTreeSet<String> = self.sign_in.keys().cloned().collect();
        let mut short_forms = BTreeMap::new();
        for (name, value) in env.iter() {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let known = SPECIAL.iter().any(|(special, _)| *special == name);
            if known || FOREIGN.iter().any(|foreign| name.starts_with(foreign)) {
                continue;
            }
            let spot = Spot { place: Place::Env(name.to_owned()), raw: Raw::Loose(value.to_owned()) };
            let set = !value.is_empty();
            if let Some((_, path)) = SHORT_FORMS.iter().find(|(short, _)| *short == name) {
                if set {
                    short_forms.insert(*path, spot);
                }
                continue;
            }
            let lower = rest.to_ascii_lowercase();
            let parts: Vec<&str> = lower.split("__").collect();
            match parts.as_slice() {
                [section, slug, key] if !slug.is_empty() && Slugs::named(section).is_some() => {
                    let Some(slugs) = Slugs::named(section) else { continue };
                    let written = match slugs {
                        Slugs::Providers => &providers,
                        Slugs::SignIn => &issuers,
                    };
                    self.add_variable(slugs, (&resolve_slug(slug, written), key), spot, problems);
                }
                [section, key] if keys().any(|known| known.path == format!("{section}.{key}")) => {
                    if set {
                        self.plain.insert(format!("{section}.{key}"), spot);
                    }
                }
                [section, inner, key] if keys().any(|k| k.path == format!("{section}.{inner}.{key}")) => {
                    if set {
                        self.plain.insert(format!("{section}.{inner}.{key}"), spot);
                    }
                }
                [_, _] => problems.push(unknown(spot.place, lower.replace("__", "."))),
                _ => problems.push(unknown_variable(name)),
            }
        }
        self.add_short_forms(short_forms, env, problems);
    }

    /// A key of a slug, as a variable says it; one that is set and empty counts as not set.
    fn add_variable(
        &mut self,
        slugs: Slugs,
        (slug, key): (&str, &str),
        spot: Spot,
        problems: &mut Vec<Problem>,
    ) {
        let set = !matches!(&spot.raw, Raw::Loose(text) if text.is_empty());
        if !is_slug(slug) {
            problems.push(slugs.bad_slug(spot.place, &format!("{}.{slug}", slugs.section())));
        } else if set || !slugs.known().contains(&key) {
            let found = self.of(slugs).entry(slug.to_owned()).or_default();
            slugs.add_key(found, slug, key, spot, problems);
        }
    }

    fn add_short_forms(
        &mut self,
        short_forms: BTreeMap<&str, Spot>,
        env: &Environment,
        problems: &mut Vec<Problem>,
    ) {
        for (path, spot) in short_forms {
            let long = variable(path);
            let (Raw::Loose(short), Place::Env(name)) = (&spot.raw, &spot.place) else { continue };
            if env.get(&long).is_some_and(|value| !value.is_empty() && value != short) {
                let why = format!("is set to different values by {name} and {long}; keep one of them");
                problems.push(Problem::rule(spot.place.clone(), path, why));
            }
            self.plain.insert(path.to_owned(), spot);
        }
    }
}

/// The variable of a key: `TOLLWAY_SERVER__LISTEN`.
pub(crate) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase())
}

fn spot_of_key(
    key: Range<usize>,
    value: &Spanned<DeValue<'_>>,
    place: &dyn Fn(Range<usize>) -> Place,
) -> Spot {
    let mut spot = Spot::of(value, place);
    spot.place = place(key);
    spot
}

/// The slug that a variable means: a known one where `-` and `.` are written as `_`, else lower case with `-`.
fn resolve_slug(written: &str, known: &BTreeSet<String>) -> String {
    let flat = |slug: &str| slug.to_ascii_lowercase().replace(['-', '.'], "_");
    known.iter().find(|slug| flat(slug) == written).cloned().unwrap_or_else(|| written.replace('_', "-"))
}

fn is_slug(slug: &str) -> bool {
    const BYTES_MAX: usize = 64;
    let inner = slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    inner && slug.len() <= BYTES_MAX && slug.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn sections() -> BTreeSet<&'static str> {
    keys().filter_map(|key| key.path.split('.').next()).chain(["providers", "sign_in"]).collect()
}

fn unknown(place: Place, path: String) -> Problem {
    let section = path.split('.').next().unwrap_or_default();
    let in_section: Vec<&str> =
        keys().filter(|key| key.path.split('.').next() == Some(section)).map(Key::name).collect();
    let allowed = if in_section.is_empty() {
        let sections: Vec<&str> = sections().into_iter().collect();
        format!("the sections {}", sections.join(", "))
    } else {
        format!("[{section}] takes {}", in_section.join(", "))
    };
    let nearest = nearest(&path, keys().map(|key| key.path)).map(|near| match &place {
        Place::Env(_) => variable(near),
        Place::File { .. } | Place::Default => near.to_owned(),
    });
    Problem { place, key: path, what: What::Unknown { nearest, allowed } }
}

fn unknown_variable(name: &str) -> Problem {
    let long: Vec<String> = keys().map(|key| variable(key.path)).collect();
    let short = SHORT_FORMS.iter().map(|(name, _)| *name).chain(SPECIAL.iter().map(|(name, _)| *name));
    let nearest = nearest(name, long.iter().map(String::as_str).chain(short)).map(str::to_owned);
    let allowed = "TOLLWAY_<SECTION>__<KEY>, TOLLWAY_PROVIDERS__<SLUG>__<KEY>, TOLLWAY_SIGN_IN__<SLUG>__<KEY>, and the short forms that \
                   `docs/config.md` lists"
        .to_owned();
    let what = What::Unknown { nearest, allowed };
    Problem { place: Place::Env(name.to_owned()), key: name.to_owned(), what }
}

/// Finds the line of a byte.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn new(text: &str) -> Lines {
        let after_breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        Lines { starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    fn of(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte)
    }
}
