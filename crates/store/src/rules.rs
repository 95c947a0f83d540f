//! Policies and presets: rules that an account has given a name. Each edit is a version of its own and nothing is overwritten;
//! deleting is a version too. What a rule says is not looked at here.

use types::{AccountId, Timestamp};

use crate::accounts::require_plain;
use crate::changes::{self, Counter};
use crate::db::{Tx, Value, decode_row};
use crate::{Store, StoreError};

/// Most rules of one kind that an account may have.
pub const RULES_MAX: usize = 1_000;
/// Largest body of a rule.
pub const RULE_BYTES_MAX: usize = 256 * 1024;
/// Longest name of a rule.
pub const SLUG_BYTES_MAX: usize = 64;

/// What kind of rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// Which models, in which manner: `policy/<name>`.
    Policy,
    /// What a request is filled up with: `@preset/<slug>`.
    Preset,
    /// What of the account's calls is watched.
    Guardrails,
    /// Which models the account's keys may call at all.
    Approval,
    /// Models under a name, for keys and groups.
    AccessList,
    /// Holders of keys with the same access lists.
    Group,
}

impl RuleKind {
    /// The word for one: `policy`.
    pub const fn noun(self) -> &'static str {
        match self {
            RuleKind::Policy => "policy",
            RuleKind::Preset => "preset",
            RuleKind::Guardrails => "guardrails",
            RuleKind::Approval => "approval",
            RuleKind::AccessList => "access list",
            RuleKind::Group => "group",
        }
    }

    /// The word for several, as it stands in paths: `policies`.
    pub const fn plural(self) -> &'static str {
        match self {
            RuleKind::Policy => "policies",
            RuleKind::Preset => "presets",
            RuleKind::Guardrails => "guardrails",
            RuleKind::Approval => "approved-models",
            RuleKind::AccessList => "access-lists",
            RuleKind::Group => "groups",
        }
    }

    /// All of them.
    pub const ALL: [RuleKind; 6] = [
        RuleKind::Policy,
        RuleKind::Preset,
        RuleKind::Guardrails,
        RuleKind::Approval,
        RuleKind::AccessList,
        RuleKind::Group,
    ];

    fn read(name: &str) -> Option<RuleKind> {
        RuleKind::ALL.into_iter().find(|kind| kind.noun() == name)
    }
}

/// Which rule.
#[derive(Clone, Copy, Debug)]
pub struct RuleName<'a> {
    /// Whose.
    pub account: &'a AccountId,
    /// Of which kind.
    pub kind: RuleKind,
    /// Its name; see [`check_slug`].
    pub slug: &'a str,
}

/// Who wrote, and when.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// A key's id, or `cli`.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
}

/// One version of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRow {
    /// Whose.
    pub account: AccountId,
    /// Of which kind.
    pub kind: RuleKind,
    /// Its name.
    pub slug: String,
    /// Counts up from 1, over deletions too.
    pub version: i64,
    /// JSON; empty where this version is a deletion.
    pub body: String,
    /// When this version was written.
    pub created: Timestamp,
    /// A key's id, or `cli`.
    pub created_by: String,
    /// This version took the rule away.
    pub deleted: bool,
    /// When the first version was written.
    pub first_created: Timestamp,
    /// Number of the change.
    pub changed_seq: i64,
}

decode_row!(RuleRow, |row| {
    let kind: String = row.try_get(1)?;
    Ok(RuleRow {
        account: AccountId::new(row.try_get::<String, _>(0)?),
        kind: RuleKind::read(&kind).ok_or_else(|| sqlx::Error::Decode("a rule of no known kind".into()))?,
        slug: row.try_get(2)?,
        version: row.try_get(3)?,
        body: row.try_get(4)?,
        created: Timestamp(row.try_get(5)?),
        created_by: row.try_get(6)?,
        deleted: row.try_get(7)?,
        changed_seq: row.try_get(8)?,
        first_created: Timestamp(row.try_get(9)?),
    })
});

macro_rules! select_rules {
    ($rest:literal) => {
        concat!(
            "SELECT r.account, r.kind, r.slug, r.version, r.body, r.created, r.created_by, r.deleted, r.changed_seq,
                (SELECT MIN(f.created) FROM named_rules f
                    WHERE f.account = r.account AND f.kind = r.kind AND f.slug = r.slug)
            FROM named_rules r WHERE ",
            $rest
        )
    };
}

macro_rules! latest_rules {
    ($rest:literal) => {
        concat!(
            "SELECT r.account, r.kind, r.slug, r.version, r.body, r.created, r.created_by, r.deleted, r.changed_seq,
                (SELECT MIN(f.created) FROM named_rules f
                    WHERE f.account = r.account AND f.kind = r.kind AND f.slug = r.slug)
            FROM named_rules r WHERE r.version = (SELECT MAX(v.version) FROM named_rules v
                WHERE v.account = r.account AND v.kind = r.kind AND v.slug = r.slug) AND ",
            $rest
        )
    };
}

/// A rule's name: 1 to 64 of a-z, 0-9, `-`, `_` and `.`, dots alone apart, which paths of URLs lose.
///
/// # Errors
/// `Invalid`, with what is allowed.
pub fn check_slug(slug: &str) -> Result<(), StoreError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    let fits = (1..=SLUG_BYTES_MAX).contains(&slug.len()) && slug.bytes().all(plain);
    if fits && slug.bytes().any(|b| b != b'.') {
        return Ok(());
    }
    Err(StoreError::Invalid(format!(
        "`{}` can't be a name: it takes 1 to {SLUG_BYTES_MAX} of a-z, 0-9, `-`, `_` and `.`, such as `support-bot`",
        slug.chars().take(SLUG_BYTES_MAX).collect::<String>()
    )))
}

impl Store {
    /// Writes the first version of a rule, or the next one of a rule that was deleted.
    ///
    /// # Errors
    /// `Conflict`: it exists; `Invalid`: its name, its size, or one too many; `NotFound`: no such account.
    pub async fn create_rule(
        &self,
        name: RuleName<'_>,
        body: &str,
        by: Written<'_>,
    ) -> Result<RuleRow, StoreError> {
        check_body(body)?;
        let (mut tx, seq, last) = self.begin_edit(name).await?;
        if let Some(last) = last.as_ref().filter(|last| !last.deleted) {
            let what = name.kind.noun();
            return Err(StoreError::Conflict(format!(
                "{what} `{}` exists already, at version {}",
                name.slug, last.version
            )));
        }
        require_room(&mut tx, name).await?;
        write(tx, name, Some(body), by, seq, last).await
    }

    /// Writes the next version of a rule, or its first. `expected`: only over that version.
    ///
    /// # Errors
    /// `Conflict`: the rule is at another version than expected; else as [`Store::create_rule`].
    pub async fn put_rule(
        &self,
        name: RuleName<'_>,
        body: &str,
        by: Written<'_>,
        expected: Option<i64>,
    ) -> Result<RuleRow, StoreError> {
        check_body(body)?;
        let (mut tx, seq, last) = self.begin_edit(name).await?;
        expect_version(name, expected, last.as_ref())?;
        if last.as_ref().is_none_or(|last| last.deleted) {
            require_room(&mut tx, name).await?;
        }
        write(tx, name, Some(body), by, seq, last).await
    }

    /// Deletes a rule: a version that says so. Its versions stay readable. `expected`: only that version.
    ///
    /// # Errors
    /// `NotFound`: there is none; `Conflict`: it is at another version than expected.
    pub async fn delete_rule(
        &self,
        name: RuleName<'_>,
        by: Written<'_>,
        expected: Option<i64>,
    ) -> Result<RuleRow, StoreError> {
        let (tx, seq, last) = self.begin_edit(name).await?;
        let last = last.filter(|last| !last.deleted).ok_or_else(|| not_found(name))?;
        expect_version(name, expected, Some(&last))?;
        write(tx, name, None, by, seq, Some(last)).await
    }

    /// The rules of an account as they stand, by name.
    pub async fn list_rules(&self, account: &AccountId, kind: RuleKind) -> Result<Vec<RuleRow>, StoreError> {
        let sql = latest_rules!("r.account = $1 AND r.kind = $2 AND r.deleted = $3 ORDER BY r.slug");
        self.db.fetch(sql, &[account.as_str().into(), kind.noun().into(), Value::Bool(false)]).await
    }

    /// A rule as it stands.
    ///
    /// # Errors
    /// `NotFound`: the account has none of that name, or it was deleted.
    pub async fn rule(&self, name: RuleName<'_>) -> Result<RuleRow, StoreError> {
        let sql = latest_rules!("r.account = $1 AND r.kind = $2 AND r.slug = $3");
        let rows: Vec<RuleRow> = self.db.fetch(sql, &values(name)).await?;
        rows.into_iter().next().filter(|row| !row.deleted).ok_or_else(|| not_found(name))
    }

    /// Every version of a rule, the newest first, deletions too.
    ///
    /// # Errors
    /// `NotFound`: there never was one of that name.
    pub async fn rule_versions(&self, name: RuleName<'_>) -> Result<Vec<RuleRow>, StoreError> {
        let sql = select_rules!(
            "r.account = $1 AND r.kind = $2 AND r.slug = $3 ORDER BY r.version DESC LIMIT 1000"
        );
        let rows: Vec<RuleRow> = self.db.fetch(sql, &values(name)).await?;
        if rows.is_empty() { Err(not_found(name)) } else { Ok(rows) }
    }

    /// Rules that changed after `since` (0: all), each at its last version, with the number to ask after next time. No
    /// change is ever missed: see `changes.rs`.
    pub async fn rule_changes(&self, since: i64) -> Result<(Vec<RuleRow>, i64), StoreError> {
        let sql = latest_rules!("r.changed_seq > $1 ORDER BY r.changed_seq");
        let rows: Vec<RuleRow> = self.db.fetch(sql, &[since.into()]).await?;
        let latest = rows.last().map_or(since, |row| row.changed_seq);
        Ok((rows, latest))
    }

    /// From here to the commit no other rule is written, so what is read of the last version stays true.
    async fn begin_edit(&self, name: RuleName<'_>) -> Result<(Tx, i64, Option<RuleRow>), StoreError> {
        check_slug(name.slug)?;
        let mut tx = self.db.write().await?;
        let seq = changes::next(&mut tx, Counter::Rules).await?;
        let sql = latest_rules!("r.account = $1 AND r.kind = $2 AND r.slug = $3");
        let rows: Vec<RuleRow> = tx.fetch(sql, &values(name)).await?;
        Ok((tx, seq, rows.into_iter().next()))
    }
}

fn values<'a>(name: RuleName<'a>) -> [Value<'a>; 3] {
    [name.account.as_str().into(), name.kind.noun().into(), name.slug.into()]
}

fn not_found(name: RuleName<'_>) -> StoreError {
    StoreError::NotFound(format!("{} `{}`", name.kind.noun(), name.slug))
}

fn check_body(body: &str) -> Result<(), StoreError> {
    if body.len() > RULE_BYTES_MAX {
        return Err(StoreError::Invalid(format!(
            "it has {} bytes; at most {RULE_BYTES_MAX} are kept",
            body.len()
        )));
    }
    Ok(())
}

fn expect_version(
    name: RuleName<'_>,
    expected: Option<i64>,
    last: Option<&RuleRow>,
) -> Result<(), StoreError> {
    let current = last.filter(|last| !last.deleted).map(|last| last.version);
    if expected.is_none() || expected == current {
        return Ok(());
    }
    let stands = match current {
        Some(version) => format!("is at version {version}"),
        None => "does not exist".to_owned(),
    };
    Err(StoreError::Conflict(format!("{} `{}` {stands}", name.kind.noun(), name.slug)))
}

async fn require_room(tx: &mut Tx, name: RuleName<'_>) -> Result<(), StoreError> {
    let sql = "SELECT COUNT(*) FROM named_rules r WHERE r.account = $1 AND r.kind = $2 AND r.deleted = $3
        AND r.version = (SELECT MAX(v.version) FROM named_rules v
            WHERE v.account = r.account AND v.kind = r.kind AND v.slug = r.slug)";
    let values = [name.account.as_str().into(), name.kind.noun().into(), Value::Bool(false)];
    let rows: Vec<(i64,)> = tx.fetch(sql, &values).await?;
    let count = rows.first().map_or(0, |row| row.0);
    if usize::try_from(count).is_ok_and(|count| count < RULES_MAX) {
        return Ok(());
    }
    let many = name.kind.plural();
    Err(StoreError::Invalid(format!("the account has {count} {many}, the most that it may have; delete one")))
}

/// Writes the version after `last`; without a body a deletion.
async fn write(
    mut tx: Tx,
    name: RuleName<'_>,
    body: Option<&str>,
    by: Written<'_>,
    seq: i64,
    last: Option<RuleRow>,
) -> Result<RuleRow, StoreError> {
    require_plain("who wrote it", by.by)?;
    let row = RuleRow {
        account: name.account.clone(),
        kind: name.kind,
        slug: name.slug.to_owned(),
        version: last.as_ref().map_or(1, |last| last.version + 1),
        body: body.unwrap_or_default().to_owned(),
        created: by.at,
        created_by: by.by.to_owned(),
        deleted: body.is_none(),
        first_created: last.map_or(by.at, |last| last.first_created),
        changed_seq: seq,
    };
    tx.execute(
        "INSERT INTO named_rules (account, kind, slug, version, body, created, created_by, deleted, changed_seq)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            row.account.as_str().into(),
            row.kind.noun().into(),
            row.slug.as_str().into(),
            row.version.into(),
            row.body.as_str().into(),
            row.created.micros().into(),
            row.created_by.as_str().into(),
            Value::Bool(row.deleted),
            seq.into(),
        ],
    )
    .await?;
    tx.commit().await?;
    Ok(row)
}
