//! What can be written after `tollway`. The help texts here are also `docs/cli.md`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ledger::Period;
use types::{Money, Role};

use super::Expiry;

pub(super) use super::catalog_args::{Catalog, Diff, ExportCatalog, ExportFormat, ImportCatalog};
pub(super) use super::export::Export;
pub(super) use super::ledger_args::{Ledger, Receipt, Reconcile, Rerate, Verify, VerifyReceipt};

/// One OpenAI-compatible API over every provider, with exact bills.
///
/// Without a command it serves: the gateway, the site and the console on `server.listen`, by default
/// http://127.0.0.1:8080.
#[derive(Debug, Parser)]
#[command(name = "tollway", version, term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// The configuration file; also TOLLWAY_CONFIG. Without either, tollway.toml where it exists.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do; serve when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server; the same as no command.
    Serve,
    /// Read configuration and catalog, and print what would run.
    Check,
    /// Ask a running server where a request would go, and why. Nothing is called and nothing is charged.
    Route(Route),
    /// Decide recorded requests once more under another policy or model, and say what that would have changed.
    Replay(Replay),
    /// Make, list and revoke keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Give credit, and see what is left.
    #[command(subcommand)]
    Credits(Credits),
    /// Bring provider keys along: add, list and remove them, seal them anew, fill the balance for their fees.
    #[command(subcommand)]
    Byok(Byok),
    /// Make, list and revoke voucher codes that are worth credit.
    #[command(subcommand)]
    Vouchers(Vouchers),
    /// People: invite, list, disable, make a token that claims the server.
    #[command(subcommand)]
    Users(Users),
    /// Make organizations, and see who belongs to them.
    #[command(subcommand)]
    Orgs(Orgs),
    /// Read and check the log of what administrators did.
    #[command(subcommand)]
    Audit(Audit),
    /// Write routing policies, asked for as the model `policy/NAME`, and read them.
    #[command(subcommand)]
    Policies(Rules),
    /// Write presets, named by requests as `@preset/NAME`, and read them.
    #[command(subcommand)]
    Presets(Rules),
    /// Check a catalog, compare two, write it in the formats of others, and read theirs.
    #[command(subcommand)]
    Catalog(Catalog),
    /// Check the books, put wrong prices right, and compare them with what providers say.
    #[command(subcommand)]
    Ledger(Ledger),
    /// Write an account's generations as CSV, lines of JSON or FOCUS.
    Export(Export),
    /// Check signed receipts.
    #[command(subcommand)]
    Receipt(Receipt),
    /// Write the generated documentation.
    #[command(hide = true)]
    Docs {
        /// The folder to write into.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Print the version.
    Version,
}

/// `tollway route`
#[derive(Debug, Args)]
pub struct Route {
    /// The prompt; `-` reads it from standard input.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub prompt: Option<String>,
    /// A request as for POST /v1/chat/completions, in JSON, instead of a prompt.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The model to ask for; without it the request's own, else the brand's auto.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The dial of virtual models, from 0 (quality) to 1 (cost).
    #[arg(long, value_name = "D", value_parser = dial)]
    pub dial: Option<f64>,
    /// What virtual models choose by; it goes before the dial.
    #[arg(long, value_name = "P", value_parser = ["latency", "cost", "quality", "balanced"])]
    pub preference: Option<String>,
    /// The server; without it the one of this configuration, at `server.listen`.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// An API key; without it TOLLWAY_API_KEY.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

/// `tollway replay`
#[derive(Debug, Args)]
pub struct Replay {
    /// A policy, as JSON.
    #[arg(long, value_name = "FILE", required_unless_present = "model", conflicts_with = "model")]
    pub policy: Option<PathBuf>,
    /// A model that all requests ask for, such as tollway/cheap.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The dial of virtual models, from 0 (quality) to 1 (cost); without it the policy's, else the model's own.
    #[arg(long, value_name = "D", value_parser = dial)]
    pub dial: Option<f64>,
    /// What chance is drawn from, a whole number; without it each record's own seed.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// From when on: an instant such as 2030-01-31T12:00:00Z, or a span back from now such as 7d, 12h or 45m.
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    pub since: Expiry,
}

fn period(text: &str) -> Result<Period, &'static str> {
    Period::from_name(text).ok_or("write day, week, month or total")
}

/// What somebody may do.
fn role(text: &str) -> Result<Role, &'static str> {
    Role::named(text).ok_or("write owner, admin, developer, billing or viewer")
}

/// A place of the dial.
fn dial(text: &str) -> Result<f64, &'static str> {
    let dial = text.parse().ok().filter(|dial| (0.0..=1.0).contains(dial));
    dial.ok_or("write a decimal from 0.0 (quality) to 1.0 (cost)")
}

/// `tollway keys`
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key and print it, once.
    Create(CreateKey),
    /// List keys, without their text.
    List,
    /// Revoke a key for good.
    Revoke {
        /// The key's id, label or name.
        selector: String,
    },
}

/// `tollway keys create`
#[derive(Debug, Args)]
pub struct CreateKey {
    /// What to call it, to find it again.
    #[arg(long)]
    pub name: String,
    /// The account that pays.
    #[arg(long, value_name = "ID", default_value = super::OWNER)]
    pub account: String,
    /// A key that manages keys and reads metrics, and can't call models.
    #[arg(long)]
    pub management: bool,
    /// What a management key may do: owner, admin, developer, billing or viewer.
    #[arg(long, value_name = "ROLE", default_value = "admin", value_parser = role, requires = "management")]
    pub role: Role,
    /// How much may be spent with it, such as 2.50; without it `limits.new_key_limit_usd` of the configuration.
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    pub spend_limit: Option<Money>,
    /// Over what span that counts: day, week, month or total.
    #[arg(long, value_name = "SPAN", value_parser = period)]
    pub limit_reset: Option<Period>,
    /// When it ends: an instant such as 2030-01-31T12:00:00Z, or a span from now such as 30d, 12h or 45m.
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<Expiry>,
    /// How many requests it may make per minute.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_per_minute: Option<u32>,
    /// How many requests it may make at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: Option<u32>,
}

/// `tollway credits`
#[derive(Debug, Subcommand)]
pub enum Credits {
    /// Give credit to an account. A running server sees it within a second.
    Grant(Grant),
    /// Show what was granted, used, and is left.
    Show {
        /// The account.
        #[arg(long, value_name = "ID", default_value = super::OWNER)]
        account: String,
    },
    /// List the latest payments.
    Orders {
        /// Of this account only.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
    },
    /// Pay credit of an order back through its processor: never more than is left of the order or the balance.
    Refund {
        /// The order, ord_...
        order: String,
        /// US dollars of credit, such as 25 or 2.50; without it all that is left.
        amount: Option<Money>,
    },
}

/// `tollway vouchers`
#[derive(Debug, Subcommand)]
pub enum Vouchers {
    /// Make vouchers and print their codes, once.
    Create(CreateVouchers),
    /// List vouchers, without their codes.
    List {
        /// Of this batch only.
        #[arg(long, value_name = "BATCH")]
        batch: Option<String>,
    },
    /// Revoke a voucher, or a whole batch, as far as they are not redeemed.
    Revoke {
        /// The voucher's id, or the batch.
        selector: String,
    },
}

/// `tollway users`
#[derive(Debug, Subcommand)]
pub enum Users {
    /// List everybody.
    List,
    /// Make a token with which somebody comes in.
    Invite {
        /// Whose: the address is theirs from then on.
        email: String,
        /// Into this organization as well; everybody has one of their own.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// As what: owner, admin, developer, billing or viewer.
        #[arg(long, value_name = "ROLE", default_value = "developer", value_parser = role, requires = "account")]
        role: Role,
    },
    /// Make a token whose holder runs this server; earlier ones end.
    OwnerToken,
    /// Sign somebody out, and let them in no more.
    Disable {
        /// Address or id.
        user: String,
    },
    /// Let somebody in again.
    Enable {
        /// Address or id.
        user: String,
    },
    /// Take the second factor off somebody who lost phone and recovery codes, and sign them out.
    EndSecondFactor {
        /// Address or id.
        user: String,
    },
    /// Write everything that is kept of somebody and their own organization, as JSON.
    Export {
        /// Address or id.
        user: String,
    },
    /// Erase somebody and their own organization for good; the books stay, without a name.
    Erase {
        /// Address or id.
        user: String,
        /// Credit that is left is given up.
        #[arg(long)]
        forfeit_balance: bool,
    },
}

/// `tollway orgs`
#[derive(Debug, Subcommand)]
pub enum Orgs {
    /// List organizations that are more than somebody's own; with --all those too.
    List {
        /// Those of single people too.
        #[arg(long)]
        all: bool,
    },
    /// Make an organization with its owner.
    Create {
        /// What to call it.
        name: String,
        /// Address or id of its owner.
        #[arg(long, value_name = "USER")]
        owner: String,
    },
    /// List the members of an organization.
    Members {
        /// Its id.
        organization: String,
    },
    /// End an organization for good, and erase what says whose it was; the books stay.
    End {
        /// Its id.
        organization: String,
        /// Credit that is left is given up.
        #[arg(long)]
        forfeit_balance: bool,
    },
    /// Write everything that is kept of an organization, as JSON.
    Export {
        /// Its id.
        organization: String,
    },
    /// Give a member of an organization a role.
    SetRole {
        /// Its id.
        organization: String,
        /// Address or id of the member.
        user: String,
        /// owner, admin, developer, billing or viewer.
        #[arg(value_parser = role)]
        role: Role,
    },
}

/// `tollway audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List the latest acts, the newest first.
    List {
        /// Of this organization only.
        #[arg(long, value_name = "ID")]
        organization: Option<String>,
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
        count: u32,
        /// Those before this number.
        #[arg(long, value_name = "N")]
        before: Option<i64>,
    },
    /// Compute every hash of the log again: what was changed, taken out or put in shows.
    Verify {
        /// A number and its hash that were noted before, as NUMBER:HASH: the log must still have them.
        #[arg(long, value_name = "HEAD")]
        head: Option<String>,
    },
}

/// `tollway vouchers create`
#[derive(Debug, Args)]
pub struct CreateVouchers {
    /// What each is worth in US dollars, such as 5 or 2.50.
    #[arg(long, value_name = "USD")]
    pub amount: Money,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: u32,
    /// When they end: an instant such as 2030-01-31T12:00:00Z, or a span from now such as 30d, 12h or 45m.
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<Expiry>,
    /// How many of this batch one account may redeem.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub per_account: u32,
    /// What to call the batch; made up when left out.
    #[arg(long, value_name = "NAME")]
    pub batch: Option<String>,
}

/// `tollway credits grant`
#[derive(Debug, Args)]
pub struct Grant {
    /// US dollars, such as 25 or 2.50. A negative amount takes credit back.
    #[arg(allow_negative_numbers = true)]
    pub amount: Money,
    /// The account that gets it.
    #[arg(long, value_name = "ID", default_value = super::OWNER)]
    pub account: String,
    /// Why; kept in the books.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Makes the grant safe to repeat: it is booked once per id.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

/// `tollway byok`
#[derive(Debug, Subcommand)]
pub enum Byok {
    /// List the provider keys of an account, never their text.
    List {
        /// The account.
        #[arg(long, value_name = "ID", default_value = super::OWNER)]
        account: String,
    },
    /// Bring a provider key along: it is tested, sealed and never shown again. A running server uses it within a second.
    Add(AddByok),
    /// Take a provider key away.
    Remove {
        /// Its id, as `tollway byok list` shows it.
        id: String,
        /// The account.
        #[arg(long, value_name = "ID", default_value = super::OWNER)]
        account: String,
    },
    /// Seal all provider keys of all accounts anew, with the newest master key.
    Rotate {
        /// Make a new master key first, and add it to the file.
        #[arg(long)]
        new_key: bool,
    },
    /// Give an account money for the fees of calls with its own provider keys.
    Grant(Grant),
}

/// `tollway byok add`
#[derive(Debug, Args)]
pub struct AddByok {
    /// The provider, by slug: `mistral`.
    pub provider: String,
    /// The file that holds the key, or its JSON; `-` is standard input. It is no argument, which other processes could see.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// What to call it, to find it again.
    #[arg(long)]
    pub name: Option<String>,
    /// The only address that it is sent to, instead of the provider's own.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Use it behind the operator's own key instead of before it.
    #[arg(long)]
    pub fallback: bool,
    /// Order among the account's keys of the provider, the lowest first.
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub sort_order: i64,
    /// Keep it although the provider refuses it.
    #[arg(long)]
    pub force: bool,
    /// The account.
    #[arg(long, value_name = "ID", default_value = super::OWNER)]
    pub account: String,
}

/// `tollway policies` and `tollway presets`
#[derive(Debug, Subcommand)]
pub enum Rules {
    /// List those of an account.
    List {
        /// The account.
        #[arg(long, value_name = "ID", default_value = super::OWNER)]
        account: String,
    },
    /// Print one as it was written; it can be edited and set again.
    Show {
        /// Its name.
        name: String,
        /// The account.
        #[arg(long, value_name = "ID", default_value = super::OWNER)]
        account: String,
    },
    /// Write one, new or over the old one, which stays as a version. A running server sees it within a second.
    Set {
        /// Its name: 1 to 64 of a-z, 0-9, `-`, `_` and `.`.
        name: String,
        /// A JSON file; `-` is standard input.
        file: PathBuf,
        /// The account.
        #[arg(long, value_name = "ID", default_value = super::OWNER)]
        account: String,
    },
    /// Take one away. Its versions stay readable.
    Delete {
        /// Its name.
        name: String,
        /// The account.
        #[arg(long, value_name = "ID", default_value = super::OWNER)]
        account: String,
    },
    /// List the versions of one, the newest first.
    Versions {
        /// Its name.
        name: String,
        /// The account.
        #[arg(long, value_name = "ID", default_value = super::OWNER)]
        account: String,
    },
}
