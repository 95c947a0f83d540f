//! What a caller's model name means.
//!
//! `author/slug` and every alias of the catalog; with `:variant`; pinned by `@<provider>[/<variant>]`; or virtual, under the
//! brand's slug (and those of the systems whose clients we serve): `auto`, `fast`, `cheap`, `free`.

use catalog::Snapshot;

/// A name that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What is asked for.
    pub what: What,
    /// Only endpoints of this provider, and of this variant if named.
    pub pin: Option<Pin>,
    /// The `:variant`.
    pub variant: Option<Variant>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// One model: its index in the snapshot.
    Model(usize),
    /// A virtual model.
    Virtual(Virtual),
}

/// The virtual models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Virtual {
    /// The best balance of quality and cost for the prompt.
    Auto,
    /// The quickest.
    Fast,
    /// The cheapest.
    Cheap,
    /// The cheapest that costs nothing.
    Free,
}

impl Virtual {
    /// All, in the order of listings, with their name after the brand's slug and what they do.
    pub const ALL: [(&'static str, Virtual, &'static str); 4] = [
        (
            "auto",
            Virtual::Auto,
            "Picks a model for each prompt by the kind of work, expected quality and cost; a dial says which counts more.",
        ),
        (
            "fast",
            Virtual::Fast,
            "Picks what begins soonest among the models that are good enough for the prompt.",
        ),
        (
            "cheap",
            Virtual::Cheap,
            "Picks what costs little among the models that are good enough for the prompt.",
        ),
        ("free", Virtual::Free, "Picks an endpoint that costs nothing."),
    ];
}

/// `@<provider>[/<variant>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The provider's slug.
    pub provider: String,
    /// The endpoint's variant: a region or tier.
    pub variant: Option<String>,
}

/// What stands after the colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Only endpoints that cost nothing.
    Free,
    /// The cheapest first.
    Floor,
    /// The fastest writer first.
    Nitro,
    /// The best at calling tools first.
    Exacto,
    /// The longest context first.
    Extended,
    /// With reasoning, at models that reason.
    Thinking,
    /// With a search of the web.
    Online,
}

/// Why a name can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nobody knows it.
    #[error("no model is called `{name}`")]
    Unknown {
        /// The name, cut to a sane length.
        name: String,
        /// Up to three ids that look like it.
        suggestions: Vec<String>,
    },
    /// A preset or a policy, where only a model can stand.
    #[error("`{name}` can't stand here: {why}")]
    NoModel {
        /// The name, cut to a sane length.
        name: String,
        /// Where it can.
        why: &'static str,
    },
}

/// How names under the brand are recognized.
#[derive(Clone, Debug)]
pub struct Names {
    /// The brand's slug: `tollway`.
    pub brand: String,
    /// Whether `openrouter/auto` and `gammainfra/auto` mean the brand's.
    pub accept_peer_slugs: bool,
}

impl Names {
    /// Finds what `name` means.
    pub fn resolve(&self, snapshot: &Snapshot, name: &str) -> Result<Target, NameError> {
        let name = name.trim();
        // The common case first: the name as it is.
        if let Some(model) = snapshot.resolve(name) {
            return Ok(Target { what: What::Model(model), pin: None, variant: None });
        }
        if let Some(what) = self.virtual_model(name) {
            return Ok(Target { what: What::Virtual(what), pin: None, variant: None });
        }
        let shown = || name.chars().take(80).collect::<String>();
        if name.starts_with("@preset/") || name.contains("@preset/") {
            let why = "a preset is named by `model` or by `preset`, and not among other models";
            return Err(NameError::NoModel { name: shown(), why });
        }
        if name.starts_with("policy/") {
            let why = "a policy is named by `model` alone, and not among other models";
            return Err(NameError::NoModel { name: shown(), why });
        }
        let (base, pin) = match name.split_once('@') {
            Some((base, pin)) => (base, Some(pin_of(pin))),
            None => (name, None),
        };
        let (base, variant) = match base.rsplit_once(':') {
            Some((base, variant)) => (base, Some(variant)),
            None => (base, None),
        };
        let variant =
            variant.map(|text| variant_of(text).ok_or_else(|| self.unknown(snapshot, name))).transpose()?;
        let what = match snapshot.resolve(base) {
            Some(model) => What::Model(model),
            None => What::Virtual(self.virtual_model(base).ok_or_else(|| self.unknown(snapshot, name))?),
        };
        Ok(Target { what, pin, variant })
    }

    fn virtual_model(&self, name: &str) -> Option<Virtual> {
        let (slug, rest) = name.split_once('/')?;
        let ours = slug.eq_ignore_ascii_case(&self.brand);
        let peer = self.accept_peer_slugs && ["openrouter", "gammainfra"].contains(&slug);
        let found = Virtual::ALL.iter().find(|(name, _, _)| *name == rest);
        found.filter(|_| ours || peer).map(|(_, what, _)| *what)
    }

    fn unknown(&self, snapshot: &Snapshot, name: &str) -> NameError {
        let suggestions = snapshot.suggest(name).into_iter().map(str::to_owned).collect();
        NameError::Unknown { name: name.chars().take(80).collect(), suggestions }
    }
}

fn pin_of(text: &str) -> Pin {
    let (provider, variant) = match text.split_once('/') {
        Some((provider, variant)) => (provider, Some(variant.to_ascii_lowercase())),
        None => (text, None),
    };
    Pin { provider: provider.to_ascii_lowercase(), variant }
}

fn variant_of(text: &str) -> Option<Variant> {
    Some(match text {
        "free" => Variant::Free,
        "floor" => Variant::Floor,
        "nitro" => Variant::Nitro,
        "exacto" => Variant::Exacto,
        "extended" => Variant::Extended,
        "thinking" => Variant::Thinking,
        "online" => Variant::Online,
        _ => return None,
    })
}
