//! Erasing people and what organizations left behind, and giving it out before.
//!
//! - What is the law's or the books' stays: entries, generations, orders, invoices. They name an account by an id that then leads to
//!   nobody; what callers put into records about their users is taken out of them.
//! - A record that was emptied keeps its digest, and says that it was emptied: the chain of the books holds.
//! - A person goes in one transaction, with everything that says who they are. Records are emptied after it, in steps: whoever is
//!   interrupted goes on with [`Store::empty_records`].

use types::{AccountId, Timestamp};

use crate::changes::{self, Counter};
use crate::db::{Tx, decode_row};
use crate::{Store, StoreError, organizations, ratings};

/// Records of one step.
const STEP_ROWS: i64 = 500;
/// For so long after the end of an account records of it can still come.
const LATE_US: i64 = 24 * 3_600 * 1_000_000;

/// What a person or an organization is given of itself: for each part its name and its rows, each with the names of its columns.
pub type Exported = Vec<(&'static str, Vec<Vec<(String, Option<String>)>>)>;

struct Plain(Vec<(String, Option<String>)>);

decode_row!(Plain, |row| {
    use sqlx::Column as _;
    let names = row.columns().iter().map(|column| column.name().to_owned());
    let cells = names.enumerate().map(|(at, name)| Ok((name, row.try_get::<Option<String>, _>(at)?)));
    cells.collect::<sqlx::Result<Vec<_>>>().map(Plain)
});

/// What an organization is given. Amounts are nano-dollars, instants microseconds since 1970. Every column is a text.
const OF_ACCOUNT: &[(&str, &str)] = &[
    ("organization", "SELECT id, name, CAST(created AS TEXT) AS created_us FROM accounts WHERE id = $1"),
    (
        "members",
        "SELECT m.user_id, u.email, u.name, m.role, CAST(m.created AS TEXT) AS since_us
            FROM members m JOIN users u ON u.id = m.user_id WHERE m.account = $1 ORDER BY m.created",
    ),
    (
        "invitations",
        "SELECT id, email, role, invited_by, CAST(created AS TEXT) AS created_us FROM invitations WHERE account = $1",
    ),
    (
        "service_accounts",
        "SELECT id, name, role, CAST(created AS TEXT) AS created_us FROM service_accounts WHERE account = $1",
    ),
    ("projects", "SELECT slug, name, CAST(created AS TEXT) AS created_us FROM projects WHERE account = $1"),
    (
        "keys",
        "SELECT id, label, name, project, holder, role, rules, CAST(spend_limit AS TEXT) AS spend_limit_nanos,
            CAST(created AS TEXT) AS created_us, CAST(revoked AS TEXT) AS revoked_us FROM api_keys WHERE account = $1",
    ),
    (
        "budgets",
        "SELECT id, name, subject, period, CAST(amount AS TEXT) AS amount_nanos FROM budgets WHERE account = $1",
    ),
    (
        "policies_and_presets",
        "SELECT kind, slug, CAST(version AS TEXT) AS version, body, CAST(created AS TEXT) AS created_us
            FROM named_rules WHERE account = $1 ORDER BY kind, slug, version",
    ),
    (
        "provider_keys",
        "SELECT id, provider, settings, CAST(created AS TEXT) AS created_us FROM byok_keys WHERE account = $1",
    ),
    ("webhooks", "SELECT id, url, kinds FROM webhooks WHERE account = $1"),
    ("alerts", "SELECT id, kind, body, CAST(created AS TEXT) AS created_us FROM alerts WHERE account = $1"),
    (
        "responses",
        "SELECT id, input, response, CAST(created AS TEXT) AS created_us FROM responses WHERE account = $1",
    ),
    (
        "feedback",
        "SELECT generation, body, CAST(created AS TEXT) AS created_us FROM feedback WHERE account = $1",
    ),
    ("billing", "SELECT body FROM billing_details WHERE account = $1"),
    (
        "orders",
        "SELECT id, processor, kind, status, currency, CAST(total AS TEXT) AS total_nanos,
            CAST(credited AS TEXT) AS credited_nanos, CAST(created AS TEXT) AS created_us
            FROM payment_orders WHERE account = $1 ORDER BY created",
    ),
    ("invoices", "SELECT id, body, CAST(issued AS TEXT) AS issued_us FROM invoices WHERE account = $1"),
    (
        "use_by_day",
        "SELECT CAST(day AS TEXT) AS day, api_key, model, provider, CAST(requests AS TEXT) AS requests,
            CAST(charged AS TEXT) AS charged_nanos FROM activity_days WHERE account = $1 ORDER BY day",
    ),
    (
        "acts",
        "SELECT CAST(seq AS TEXT) AS number, CAST(at AS TEXT) AS at_us, actor, action, object, address,
            CAST(status AS TEXT) AS status, detail FROM audit WHERE account = $1 ORDER BY seq",
    ),
];

/// What a person is given beside their own organization.
const OF_PERSON: &[(&str, &str)] = &[
    ("person", "SELECT id, email, name, CAST(created AS TEXT) AS created_us FROM users WHERE id = $1"),
    (
        "memberships",
        "SELECT account, role, CAST(created AS TEXT) AS since_us FROM members WHERE user_id = $1 ORDER BY created",
    ),
    (
        "sessions",
        "SELECT id, address, agent, CAST(created AS TEXT) AS created_us, CAST(seen AS TEXT) AS seen_us
            FROM sessions WHERE user_id = $1 ORDER BY created",
    ),
    (
        "identities",
        "SELECT id, issuer, subject, email, CAST(created AS TEXT) AS created_us, CAST(used AS TEXT) AS used_us
            FROM identities WHERE user_id = $1 ORDER BY created",
    ),
    (
        "ratings",
        "SELECT id, model, name, CAST(stars AS TEXT) AS stars, comment, CAST(created AS TEXT) AS created_us,
            CAST(edited AS TEXT) AS edited_us, CAST(hidden AS TEXT) AS hidden_us, hidden_why
            FROM ratings WHERE user_id = $1 ORDER BY created",
    ),
    (
        "reports_of_ratings",
        "SELECT rating, reason, CAST(created AS TEXT) AS created_us, CAST(resolved AS TEXT) AS resolved_us
            FROM rating_reports WHERE reporter = $1 ORDER BY created",
    ),
    (
        "own_acts",
        "SELECT CAST(seq AS TEXT) AS number, CAST(at AS TEXT) AS at_us, account, action, object, address,
            CAST(status AS TEXT) AS status FROM audit WHERE actor = $1 ORDER BY seq",
    ),
];

/// What goes whole with an organization.
const GOES: &[&str] = &[
    "DELETE FROM deliveries WHERE alert IN (SELECT id FROM alerts WHERE account = $1)",
    "DELETE FROM alerts WHERE account = $1",
    "DELETE FROM deliveries WHERE webhook IN (SELECT id FROM webhooks WHERE account = $1)",
    "DELETE FROM webhooks WHERE account = $1",
    "DELETE FROM responses WHERE account = $1",
    "DELETE FROM feedback WHERE account = $1",
    "DELETE FROM billing_details WHERE account = $1",
    "DELETE FROM named_rules WHERE account = $1",
    "DELETE FROM byok_accounts WHERE account = $1",
    "DELETE FROM projects WHERE account = $1",
    "DELETE FROM spend_days WHERE account = $1",
    // The parts stay, as the books do: they say nothing of anybody.
    "DELETE FROM facet_days WHERE account = $1 AND facet NOT IN ('all', 'key', 'model', 'provider')",
    "DELETE FROM facet_hours WHERE account = $1 AND facet NOT IN ('all', 'key', 'model', 'provider')",
    "DELETE FROM traffic_days WHERE account = $1",
    "DELETE FROM contents WHERE account = $1",
    "DELETE FROM account_privacy WHERE account = $1",
    "UPDATE accounts SET name = 'erased' WHERE id = $1",
    "UPDATE service_accounts SET name = 'erased' WHERE account = $1",
    "UPDATE auto_top_ups SET enabled = FALSE, customer = NULL, saved_by = NULL, method = NULL WHERE account = $1",
];

async fn rows(
    tx: &mut Tx,
    parts: &'static [(&'static str, &'static str)],
    id: &str,
    all: &mut Exported,
) -> Result<(), StoreError> {
    for (name, sql) in parts {
        let found: Vec<Plain> = tx.fetch(sql, &[id.into()]).await?;
        all.push((name, found.into_iter().map(|Plain(cells)| cells).collect()));
    }
    Ok(())
}

impl Store {
    /// Everything of an organization but its generations, which are exported by themselves.
    pub async fn export_organization(&self, account: &AccountId) -> Result<Exported, StoreError> {
        let (mut tx, mut all) = (self.db.read().await?, Exported::new());
        rows(&mut tx, OF_ACCOUNT, account.as_str(), &mut all).await?;
        Ok(all)
    }

    /// Everything of a person, with their own organization.
    pub async fn export_person(&self, user: &str, own: &AccountId) -> Result<Exported, StoreError> {
        let (mut tx, mut all) = (self.db.read().await?, Exported::new());
        rows(&mut tx, OF_PERSON, user, &mut all).await?;
        rows(&mut tx, OF_ACCOUNT, own.as_str(), &mut all).await?;
        Ok(all)
    }

    /// Erases a person, what they hold, and their own organization. [`StoreError::Invalid`]: somewhere they are the only owner
    /// of more than their own, or the only one who runs the server.
    pub async fn erase_person(&self, user: &str, now: Timestamp) -> Result<AccountId, StoreError> {
        let found = self.user(user).await?.ok_or_else(|| StoreError::NotFound("person".to_owned()))?;
        let mut tx = self.db.write().await?;
        let sql = "SELECT a.name FROM members m JOIN accounts a ON a.id = m.account
            WHERE m.user_id = $1 AND m.role = 'owner' AND a.id <> $2 AND a.ended IS NULL
            AND (SELECT COUNT(*) FROM members o WHERE o.account = a.id AND o.role = 'owner') = 1 ORDER BY a.name";
        let alone: Vec<(String,)> = tx.fetch(sql, &[user.into(), found.account.as_str().into()]).await?;
        if let Some((name,)) = alone.first() {
            return Err(StoreError::Invalid(format!(
                "they are the only owner of {name}: make somebody else one, or end it, first"
            )));
        }
        if found.is_operator || found.account.as_str() == types::OWNER_ACCOUNT {
            return Err(StoreError::Invalid(
                "who runs the server can't be erased: make somebody else its owner with `tollway users owner-token`, and let \
                 them take it from you, first"
                    .to_owned(),
            ));
        }
        let sql = "SELECT account FROM members WHERE user_id = $1 ORDER BY account";
        let memberships: Vec<(String,)> = tx.fetch(sql, &[user.into()]).await?;
        for (account,) in memberships {
            organizations::revoke_held(&mut tx, &AccountId::new(account), user, now).await?;
        }
        erase(&mut tx, &found.account, now).await?;
        redact(&mut tx, user, now).await?;
        ratings::erase(&mut tx, user).await?;
        for sql in [
            "DELETE FROM members WHERE user_id = $1",
            "DELETE FROM recovery_codes WHERE user_id = $1",
            "DELETE FROM second_factors WHERE user_id = $1",
            "DELETE FROM app_codes WHERE user_id = $1",
            "DELETE FROM identities WHERE user_id = $1",
            "DELETE FROM sessions WHERE user_id = $1",
            "DELETE FROM mailed_tokens WHERE email IN (SELECT email FROM users WHERE id = $1)",
            "DELETE FROM invitations WHERE email IN (SELECT email FROM users WHERE id = $1) OR invited_by = $1",
            "DELETE FROM users WHERE id = $1",
        ] {
            tx.execute(sql, &[user.into()]).await?;
        }
        tx.commit().await?;
        Ok(found.account)
    }
}

impl Store {
    /// Empties records of accounts that were erased of what callers wrote of their users, a step at a time; 0: all is done.
    pub async fn empty_records(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "SELECT id, emptied_to, erased FROM accounts WHERE erased IS NOT NULL AND emptied IS NULL ORDER BY id LIMIT 1";
        let waiting: Vec<(String, i64, i64)> = tx.fetch(sql, &[]).await?;
        let Some((account, from, erased)) = waiting.into_iter().next() else { return Ok(0) };
        let sql = "SELECT id, created, body FROM generations
            WHERE account = $1 AND created >= $2 AND erased = 0 ORDER BY created LIMIT $3";
        let values = [account.as_str().into(), from.into(), STEP_ROWS.into()];
        let page: Vec<(String, i64, String)> = tx.fetch(sql, &values).await?;
        let mut to = from;
        for (id, created, body) in &page {
            let sql = "UPDATE generations SET body = $2, erased = 1 WHERE id = $1";
            tx.execute(sql, &[id.as_str().into(), emptied(body)?.into()]).await?;
            let sql = "UPDATE generation_log SET session = '', trace = '', end_user = '', app = '', tags = ''
                WHERE account = $1 AND created = $2 AND id = $3";
            tx.execute(sql, &[account.as_str().into(), (*created).into(), id.as_str().into()]).await?;
            to = *created;
        }
        if page.is_empty() {
            // Calls that were under way when the account went are in the journal for a while.
            if now.micros() - erased < LATE_US {
                return Ok(0);
            }
            let sql = "UPDATE accounts SET emptied = $2 WHERE id = $1";
            tx.execute(sql, &[account.as_str().into(), now.micros().into()]).await?;
            tx.commit().await?;
            return Ok(1);
        }
        let sql = "UPDATE accounts SET emptied_to = $2 WHERE id = $1";
        tx.execute(sql, &[account.as_str().into(), to.into()]).await?;
        tx.commit().await?;
        Ok(u64::try_from(page.len()).unwrap_or(u64::MAX))
    }
}

/// A record without what its caller wrote.
fn emptied(body: &str) -> Result<String, StoreError> {
    let damaged = || StoreError::Corrupt("a record can't be read; restore a backup".to_owned());
    let mut record: serde_json::Value = serde_json::from_str(body).map_err(|_| damaged())?;
    let fields = record.as_object_mut().ok_or_else(damaged)?;
    for name in
        ["asked", "app", "session_id", "trace", "user", "dimensions", "counted", "policy", "preset", "facts"]
    {
        fields.remove(name);
    }
    Ok(record.to_string())
}

/// Takes out what acts of somebody, on them or in an organization say beyond who, what and when.
async fn redact(tx: &mut Tx, who: &str, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE audit SET redacted = $2, object = '', address = '', detail = '{}'
        WHERE (actor = $1 OR object = $1 OR account = $1) AND redacted IS NULL";
    tx.execute(sql, &[who.into(), now.micros().into()]).await.map(drop)
}

/// Ends an organization and takes out what says whose it was.
pub(crate) async fn erase(tx: &mut Tx, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
    let id = account.as_str();
    let sql = "UPDATE accounts SET ended = COALESCE(ended, $2), erased = COALESCE(erased, $2) WHERE id = $1";
    tx.execute(sql, &[id.into(), now.micros().into()]).await?;
    organizations::empty(tx, account, now).await?;
    for sql in GOES {
        tx.execute(sql, &[id.into()]).await?;
    }
    let seq = changes::next(tx, Counter::Budgets).await?;
    let sql = "UPDATE budgets SET deleted = TRUE, name = 'erased', subject = 'erased', changed_seq = $2 WHERE account = $1";
    tx.execute(sql, &[id.into(), seq.into()]).await?;
    let seq = changes::next(tx, Counter::Byok).await?;
    let sql = "UPDATE byok_keys SET deleted = TRUE, sealed = '', settings = '{}', changed_seq = $2 WHERE account = $1";
    tx.execute(sql, &[id.into(), seq.into()]).await?;
    let seq = changes::next(tx, Counter::Keys).await?;
    let sql =
        "UPDATE api_keys SET name = 'erased', label = 'erased', rules = '{}', project = NULL, holder = NULL,
        previous_hash = NULL, frozen = NULL, changed_seq = $2 WHERE account = $1";
    tx.execute(sql, &[id.into(), seq.into()]).await?;
    redact(tx, id, now).await
}
