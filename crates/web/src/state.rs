//! What the first page shows, as plain values.

/// One provider, switched on or off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderLine {
    /// The provider's id, such as `mistral`.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Whether calls can go to it.
    pub on: bool,
    /// How many models it offers.
    pub models: usize,
    /// The environment variables that switch it on, or why it is off. Names of variables and text between backticks
    /// are set as code.
    pub how: String,
    /// No model runs behind it: the sandbox.
    pub simulated: bool,
}

/// The state of the program at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The operator's name for this place.
    pub brand: String,
    /// The same as a word in ids: `<slug>/auto`.
    pub brand_slug: String,
    /// Of the program, without a leading `v`.
    pub version: String,
    /// Where the caller reaches us: scheme and host, without a slash at the end.
    pub base_url: String,
    /// Whole seconds since the start.
    pub uptime_s: u64,
    /// `metered` or `prepaid`.
    pub billing_mode: String,
    /// Which database keeps the books, such as `SQLite`; never its address.
    pub store: String,
    /// Models in the catalog.
    pub models: usize,
    /// Endpoints in the catalog.
    pub endpoints: usize,
    /// Providers in the catalog.
    pub providers: usize,
    /// Date of the catalog, `YYYY-MM-DD`.
    pub as_of: String,
    /// Providers that take calls, in the order to show them.
    pub providers_on: Vec<ProviderLine>,
    /// The others, in the order to show them.
    pub providers_off: Vec<ProviderLine>,
    /// Whether calls are served, as `/readyz` says.
    pub ready: bool,
    /// Why not, in one sentence.
    pub not_ready_reason: Option<String>,
}
