//! What owners are told of, once each, and its way to their webhooks.

use types::{AccountId, Timestamp};

use crate::accounts::require_plain;
use crate::db::{Value, decode_row};
use crate::{Store, StoreError};

/// Something that an owner is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Names the occasion, so that it is told once: `budget:bud_7:20777:80`.
    pub id: String,
    /// Whom.
    pub account: AccountId,
    /// What kind: `budget.threshold`.
    pub kind: String,
    /// JSON.
    pub body: String,
    /// When it came up.
    pub created: Timestamp,
}

/// An address that alerts are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// Where to.
    pub url: String,
    /// Which kinds, in their names' beginnings; empty: all.
    pub kinds: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Switched off.
    pub disabled: bool,
}

decode_row!(Webhook, |row| {
    let kinds: String = row.try_get(3)?;
    Ok(Webhook {
        id: row.try_get(0)?,
        account: AccountId::new(row.try_get::<String, _>(1)?),
        url: row.try_get(2)?,
        kinds: kinds.split_whitespace().map(str::to_owned).collect(),
        created: Timestamp(row.try_get(4)?),
        disabled: row.try_get(5)?,
    })
});

/// An alert on its way to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The alert's id.
    pub alert: String,
    /// The webhook's id.
    pub webhook: String,
    /// Where to.
    pub url: String,
    /// The alert's kind.
    pub kind: String,
    /// The alert's JSON.
    pub body: String,
    /// When the alert came up.
    pub created: Timestamp,
    /// Tries before.
    pub attempts: i64,
}

decode_row!(Delivery, |row| {
    Ok(Delivery {
        alert: row.try_get(0)?,
        webhook: row.try_get(1)?,
        url: row.try_get(2)?,
        kind: row.try_get(3)?,
        body: row.try_get(4)?,
        created: Timestamp(row.try_get(5)?),
        attempts: row.try_get(6)?,
    })
});

impl Store {
    /// Writes an alert down, with a delivery to each webhook that wants its kind. False when it was written down before.
    pub async fn raise(&self, alert: &Alert) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "INSERT INTO alerts (id, account, kind, body, created) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (id) DO NOTHING";
        let values = [
            alert.id.as_str().into(),
            alert.account.as_str().into(),
            alert.kind.as_str().into(),
            alert.body.as_str().into(),
            alert.created.micros().into(),
        ];
        if tx.execute(sql, &values).await? == 0 {
            return Ok(false);
        }
        let hooks: Vec<Webhook> = tx
            .fetch(
                "SELECT id, account, url, kinds, created, disabled FROM webhooks WHERE account = $1 AND disabled = $2",
                &[alert.account.as_str().into(), Value::Bool(false)],
            )
            .await?;
        let wants = |hook: &&Webhook| {
            hook.kinds.is_empty() || hook.kinds.iter().any(|kind| alert.kind.starts_with(kind.as_str()))
        };
        for hook in hooks.iter().filter(wants) {
            let sql = "INSERT INTO deliveries (alert, webhook, attempts, due) VALUES ($1, $2, 0, $3)";
            let values = [alert.id.as_str().into(), hook.id.as_str().into(), alert.created.micros().into()];
            tx.execute(sql, &values).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The last alerts of an account, newest first: id, kind, JSON, when.
    pub async fn alerts(
        &self,
        account: &AccountId,
        limit: i64,
    ) -> Result<Vec<(String, String, String, i64)>, StoreError> {
        let sql = "SELECT id, kind, body, created FROM alerts WHERE account = $1 ORDER BY created DESC, id LIMIT $2";
        self.db.fetch(sql, &[account.as_str().into(), limit.into()]).await
    }

    /// Stores a webhook. [`StoreError::NotFound`]: no such account.
    pub async fn insert_webhook(&self, hook: &Webhook) -> Result<(), StoreError> {
        require_plain("the webhook's kinds", &format!("{} ", hook.kinds.join(" ")))?;
        let mut tx = self.db.write().await?;
        let sql = "INSERT INTO webhooks (id, account, url, kinds, created, disabled) VALUES ($1, $2, $3, $4, $5, $6)";
        let values = [
            hook.id.as_str().into(),
            hook.account.as_str().into(),
            hook.url.as_str().into(),
            hook.kinds.join(" ").into(),
            hook.created.micros().into(),
            Value::Bool(hook.disabled),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// The webhooks of an account.
    pub async fn webhooks(&self, account: &AccountId) -> Result<Vec<Webhook>, StoreError> {
        let sql = "SELECT id, account, url, kinds, created, disabled FROM webhooks
            WHERE account = $1 ORDER BY created, id";
        self.db.fetch(sql, &[account.as_str().into()]).await
    }

    /// Takes a webhook away, with what was under way to it; false when the account has none of that id.
    pub async fn delete_webhook(&self, account: &AccountId, id: &str) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "DELETE FROM deliveries WHERE webhook IN (SELECT id FROM webhooks WHERE id = $1 AND account = $2)";
        let values = [id.into(), account.as_str().into()];
        tx.execute(sql, &values).await?;
        let deleted = tx.execute("DELETE FROM webhooks WHERE id = $1 AND account = $2", &values).await? == 1;
        tx.commit().await?;
        Ok(deleted)
    }

    /// What is due to be delivered, oldest first.
    pub async fn deliveries_due(&self, now: Timestamp, limit: i64) -> Result<Vec<Delivery>, StoreError> {
        let sql = "SELECT d.alert, d.webhook, w.url, a.kind, a.body, a.created, d.attempts
            FROM deliveries d JOIN alerts a ON a.id = d.alert JOIN webhooks w ON w.id = d.webhook
            WHERE d.done IS NULL AND d.due <= $1 ORDER BY d.due, d.alert LIMIT $2";
        self.db.fetch(sql, &[now.micros().into(), limit.into()]).await
    }

    /// Notes how a delivery went: done at `done`, or due again at `due`. `status`: the HTTP status, 0 where none came.
    pub async fn delivered(
        &self,
        delivery: &Delivery,
        status: u16,
        done: Option<Timestamp>,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE deliveries SET attempts = attempts + 1, status = $3, done = $4, due = $5
            WHERE alert = $1 AND webhook = $2";
        let values = [
            delivery.alert.as_str().into(),
            delivery.webhook.as_str().into(),
            i64::from(status).into(),
            Value::OptInt(done.map(Timestamp::micros)),
            due.micros().into(),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }
}
