//! What is sold and how it is paid.

use types::{ExposeSecret, SecretString};

use super::Preset::{Unset, Value};
use super::{Key, Kind};
use crate::config::money::{amount, discount_steps, markups, top_up_steps};
use crate::config::settings::Config;

const AMOUNT: &str = "US dollars in decimal text, such as \"5\" or \"0.35\"";
const URL: &str = "an `http://` or `https://` URL without user and password";
const LINE: &str = "1 to 200 characters without control characters";
const SECRET: &str = "text without spaces and control characters";
const VARIABLE: &str = "the name of an environment variable";

pub(super) static KEYS: &[Key<Config>] = &[
    Key {
        path: "fees.top_up",
        preset: Value("[]"),
        example: r#"[{ percent = "3", until = "2026-12-31" }, { percent = "5" }]"#,
        doc: "The fee of topping up, in steps: each holds through its last day (UTC), the last has none. Empty: no fee.",
        kind: Kind::Tables {
            allowed: "a list of tables with `percent` and, in all but the last, `until` such as \"2026-12-31\"",
            set: |c, v| top_up_steps(v).map(|steps| c.fees.top_up = steps).is_some(),
        },
    },
    Key {
        path: "fees.fee_on",
        preset: Value("top"),
        example: "included",
        doc: "`top`: the credit is what was asked for, and the fee is paid on top. `included`: what was asked for is paid, and \
              the fee is taken out of it.",
        kind: Kind::Choice {
            allowed: &["top", "included"],
            set: |c, v| {
                c.fees.fee_on = if v == "included" { ledger::FeeOn::Included } else { ledger::FeeOn::Top };
            },
        },
    },
    Key {
        path: "fees.fee_min_usd",
        preset: Value("0"),
        example: "0.35",
        doc: "The least that a top-up fee is, where there is one.",
        kind: Kind::Text { allowed: AMOUNT, set: |c, v| amount(v).map(|m| c.fees.fee_min = m).is_some() },
    },
    Key {
        path: "fees.top_up_min_usd",
        preset: Value("5"),
        example: "10",
        doc: "The least that can be topped up.",
        kind: Kind::Text { allowed: AMOUNT, set: |c, v| amount(v).map(|m| c.fees.top_up_min = m).is_some() },
    },
    Key {
        path: "fees.top_up_max_usd",
        preset: Value("10000"),
        example: "500",
        doc: "The most that can be topped up at once.",
        kind: Kind::Text { allowed: AMOUNT, set: |c, v| amount(v).map(|m| c.fees.top_up_max = m).is_some() },
    },
    Key {
        path: "fees.refund_fees",
        preset: Value("false"),
        example: "true",
        doc: "Whether a refund gives its part of the fee back too. An order keeps the rule that held when it was made.",
        kind: Kind::Flag(|c, v| c.fees.refund_fees = v),
    },
    Key {
        path: "fees.byok_percent",
        preset: Value("5"),
        example: "2.5",
        doc: "The fee of calls that accounts' own provider keys pay for, in percent of what they would cost at list price; 0 is none.",
        kind: Kind::Text {
            allowed: "a percentage from 0 to 100 with up to two digits after the point",
            set: |c, v| v.parse().map(|rate| c.fees.byok = rate).is_ok(),
        },
    },
    Key {
        path: "fees.markup",
        preset: Value("{}"),
        example: r#"{ "openai/*" = "2.5" }"#,
        doc: "What is added to the providers' prices, in percent, by model. A `*` stands at the end only; the longest name that \
              fits decides. Empty: nothing is added.",
        kind: Kind::Texts {
            allowed: "a table of model names and percentages such as `\"openai/*\" = \"2.5\"`",
            set: |c, v| markups(v).map(|markup| c.fees.markup = markup).is_some(),
        },
    },
    Key {
        path: "fees.volume_discount",
        preset: Value("[]"),
        example: r#"[{ from_usd = "1000", percent = "2" }]"#,
        doc: "What is taken off once an account has used this much in a calendar month (UTC), of everything after it.",
        kind: Kind::Tables {
            allowed: "a list of tables with `from_usd` and `percent`, in the order of amounts",
            set: |c, v| discount_steps(v).map(|steps| c.fees.discount = steps).is_some(),
        },
    },
    Key {
        path: "credits.trial_usd",
        preset: Value("0"),
        example: "1",
        doc: "The credit that the account of somebody who signs up begins with.",
        kind: Kind::Text { allowed: AMOUNT, set: |c, v| amount(v).map(|m| c.fees.trial = m).is_some() },
    },
    Key {
        path: "payments.interval_ms",
        preset: Value("5000"),
        example: "1000",
        doc: "How often balances are looked through for automatic top-ups that are due.",
        kind: Kind::Number { min: 10, max: 60_000, set: |c, v| c.payments.interval_ms = v },
    },
    Key {
        path: "payments.stripe.secret_key",
        preset: Unset("`secret_key_env`, else nothing can be paid by Stripe"),
        example: "sk_test_example",
        doc: "Stripe's secret or restricted API key.",
        kind: Kind::Secret {
            allowed: SECRET,
            set: |c, v| graphic(v).map(|v| c.payments.stripe.secret_key = Some(v)).is_some(),
        },
    },
    Key {
        path: "payments.stripe.secret_key_env",
        preset: Unset("`secret_key`"),
        example: "STRIPE_SECRET_KEY",
        doc: "The variable that holds the key. It must be set.",
        kind: Kind::Text {
            allowed: VARIABLE,
            set: |c, v| variable(v).map(|v| c.payments.stripe.secret_key_env = Some(v)).is_some(),
        },
    },
    Key {
        path: "payments.stripe.webhook_secret",
        preset: Unset("`webhook_secret_env`, else the webhook's path does not exist"),
        example: "whsec_example",
        doc: "What Stripe signs webhooks with, `whsec_...`. Two while it is being changed.",
        kind: Kind::Secrets {
            allowed: "one or two texts of 8 characters or more, without spaces and control characters",
            set: |c, v| {
                let good = secrets(v);
                good.map(|secrets| c.payments.stripe.webhook_secrets = secrets).is_some()
            },
        },
    },
    Key {
        path: "payments.stripe.webhook_secret_env",
        preset: Unset("`webhook_secret`"),
        example: "STRIPE_WEBHOOK_SECRET",
        doc: "The variable that holds it, or two of them with a comma between. It must be set.",
        kind: Kind::Text {
            allowed: VARIABLE,
            set: |c, v| variable(v).map(|v| c.payments.stripe.webhook_secret_env = Some(v)).is_some(),
        },
    },
    Key {
        path: "payments.stripe.base_url",
        preset: Value("https://api.stripe.com"),
        example: "http://127.0.0.1:8420",
        doc: "Where Stripe's API is.",
        kind: Kind::Text {
            allowed: URL,
            set: |c, v| url(v).map(|v| c.payments.stripe.base_url = v).is_some(),
        },
    },
    Key {
        path: "payments.stripe.success_url",
        preset: Unset("`server.public_url` with `/console/credits?done=paid`"),
        example: "https://llm.example.com/paid",
        doc: "Where Stripe sends a customer who has paid.",
        kind: Kind::Text {
            allowed: URL,
            set: |c, v| url(v).map(|v| c.payments.stripe.success_url = Some(v)).is_some(),
        },
    },
    Key {
        path: "payments.stripe.cancel_url",
        preset: Unset("`server.public_url` with `/console/credits`"),
        example: "https://llm.example.com/not-paid",
        doc: "Where Stripe sends a customer who has not.",
        kind: Kind::Text {
            allowed: URL,
            set: |c, v| url(v).map(|v| c.payments.stripe.cancel_url = Some(v)).is_some(),
        },
    },
    Key {
        path: "seller.name",
        preset: Unset("`brand.name`"),
        example: "Acme GmbH",
        doc: "Who issues invoices.",
        kind: Kind::Text { allowed: LINE, set: |c, v| line(v).map(|v| c.seller.name = Some(v)).is_some() },
    },
    Key {
        path: "seller.address",
        preset: Value(""),
        example: "Main Street 1, 10115 Berlin",
        doc: "The lines of its address.",
        kind: Kind::List {
            allowed: "a list of up to 8 lines, each of 1 to 200 characters",
            set: |c, v| {
                let good = v.len() <= 8 && v.iter().all(|text| line(text).is_some());
                if good {
                    c.seller.address = v.to_vec();
                }
                good
            },
        },
    },
    Key {
        path: "seller.country",
        preset: Unset("none is shown"),
        example: "DE",
        doc: "Its country, by ISO 3166.",
        kind: Kind::Text {
            allowed: "two capital letters",
            set: |c, v| {
                let good = v.len() == 2 && v.bytes().all(|b| b.is_ascii_uppercase());
                if good {
                    c.seller.country = Some(v.to_owned());
                }
                good
            },
        },
    },
    Key {
        path: "seller.tax_id",
        preset: Unset("none is shown"),
        example: "DE123456789",
        doc: "Its tax or VAT id.",
        kind: Kind::Text { allowed: LINE, set: |c, v| line(v).map(|v| c.seller.tax_id = Some(v)).is_some() },
    },
    Key {
        path: "seller.email",
        preset: Unset("none is shown"),
        example: "billing@example.com",
        doc: "Where questions about an invoice go.",
        kind: Kind::Text { allowed: LINE, set: |c, v| line(v).map(|v| c.seller.email = Some(v)).is_some() },
    },
    Key {
        path: "seller.invoice_note",
        preset: Unset("none is shown"),
        example: "Reverse charge: VAT is owed by the recipient.",
        doc: "A sentence below every invoice, such as the one that a tax law asks for.",
        kind: Kind::Text {
            allowed: LINE,
            set: |c, v| line(v).map(|v| c.seller.invoice_note = Some(v)).is_some(),
        },
    },
];

pub(super) fn graphic(secret: SecretString) -> Option<SecretString> {
    let text = secret.expose_secret();
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())).then_some(secret)
}

/// One or two secrets that are worth the name.
pub(crate) fn secrets(all: Vec<SecretString>) -> Option<Vec<SecretString>> {
    const BYTES_MIN: usize = 8;
    let count = all.len();
    let good: Vec<SecretString> =
        all.into_iter().filter_map(graphic).filter(|s| s.expose_secret().len() >= BYTES_MIN).collect();
    (good.len() == count && (1..=2).contains(&count)).then_some(good)
}

fn variable(text: &str) -> Option<String> {
    let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    good.then(|| text.to_owned())
}

/// Without a slash at the end.
pub(in crate::config) fn url(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let plain = url.username().is_empty() && url.password().is_none() && url.has_host();
    let good = plain && matches!(url.scheme(), "http" | "https") && !text.contains(char::is_whitespace);
    good.then(|| text.trim_end_matches('/').to_owned())
}

fn line(text: &str) -> Option<String> {
    let good = !text.trim().is_empty() && text.chars().count() <= 200 && !text.contains(char::is_control);
    good.then(|| text.trim().to_owned())
}
