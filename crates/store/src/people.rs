//! People: who they are, what was mailed to them, and where they are signed in.
//!
//! - A person exists from the moment on when they proved that they read an address: before that there is a mailed token only.
//! - A token is taken by deleting it: of two who bring the same one, one gets it.

use ledger::Entry;
use types::{AccountId, KeyHash, Role, Timestamp};

use crate::accounts::{require_account, require_plain};
use crate::changes::{self, Counter};
use crate::db::{Tx, Value, decode_row};
use crate::{Store, StoreError, entries, organizations};

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id: `usr_…`.
    pub id: String,
    /// In lower case.
    pub email: String,
    /// As the person wants to be called.
    pub name: String,
    /// The hash of the password, a PHC string.
    pub password: Option<String>,
    /// The account that is theirs.
    pub account: AccountId,
    /// Runs this server.
    pub is_operator: bool,
    /// Since when.
    pub created: Timestamp,
    /// Since when they may not sign in.
    pub disabled: Option<Timestamp>,
}

decode_row!(User, |row| {
    Ok(User {
        id: row.try_get(0)?,
        email: row.try_get(1)?,
        name: row.try_get(2)?,
        password: row.try_get(3)?,
        account: AccountId::new(row.try_get::<String, _>(4)?),
        is_operator: row.try_get(5)?,
        created: Timestamp(row.try_get(6)?),
        disabled: row.try_get::<Option<i64>, _>(7)?.map(Timestamp),
    })
});

/// Something that was mailed and comes back once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailedToken {
    /// Of its text.
    pub hash: KeyHash,
    /// What for: `sign_up`.
    pub kind: &'static str,
    /// Where it went.
    pub email: String,
    /// JSON: what is to be done with it.
    pub body: String,
    /// When it was made.
    pub created: Timestamp,
    /// Not taken from this instant on.
    pub expires: Timestamp,
}

/// Somebody's place to work from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id: `ses_…`.
    pub id: String,
    /// Whose.
    pub user: String,
    /// When they signed in.
    pub created: Timestamp,
    /// When it was last of use, give or take a minute.
    pub seen: Timestamp,
    /// Over from this instant on.
    pub expires: Timestamp,
    /// From where.
    pub address: String,
    /// With what.
    pub agent: String,
    /// The organization that it works in; `None`: the person's own.
    pub account: Option<AccountId>,
}

/// Who is signed in, and where they work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Their session.
    pub session: Session,
    /// Who they are.
    pub user: User,
    /// The organization.
    pub account: AccountId,
    /// What they are in it.
    pub role: Role,
}

decode_row!(Session, |row| {
    Ok(Session {
        id: row.try_get(0)?,
        user: row.try_get(1)?,
        created: Timestamp(row.try_get(2)?),
        seen: Timestamp(row.try_get(3)?),
        expires: Timestamp(row.try_get(4)?),
        address: row.try_get(5)?,
        agent: row.try_get(6)?,
        account: row.try_get::<Option<String>, _>(7)?.map(AccountId::new),
    })
});

impl Store {
    /// The person with this address, in lower case.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let sql = "SELECT id, email, name, password, account, is_operator, created, disabled FROM users WHERE email = $1";
        Ok(self.db.fetch(sql, &[email.into()]).await?.into_iter().next())
    }

    /// The person with this id.
    pub async fn user(&self, id: &str) -> Result<Option<User>, StoreError> {
        let sql = "SELECT id, email, name, password, account, is_operator, created, disabled FROM users WHERE id = $1";
        Ok(self.db.fetch(sql, &[id.into()]).await?.into_iter().next())
    }

    /// The people of an account, or all, by their coming.
    pub async fn users(&self, account: Option<&AccountId>) -> Result<Vec<User>, StoreError> {
        let sql = "SELECT id, email, name, password, account, is_operator, created, disabled FROM users
            WHERE $1 = '' OR account = $1 ORDER BY created, id";
        self.db.fetch(sql, &[account.map_or("", AccountId::as_str).into()]).await
    }

    /// Makes a person, and their own organization where there is none, which begins with `trial`; and makes them a member of
    /// `into`, where their sessions begin then. [`StoreError::Conflict`]: somebody has the address.
    pub async fn insert_user(
        &self,
        user: &User,
        trial: Option<&Entry>,
        into: Option<(&AccountId, Role)>,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        make_user(&mut tx, user, trial, into).await?;
        tx.commit().await
    }

    /// Gives a person another password, and ends all their sessions but one.
    pub async fn set_password(
        &self,
        user: &str,
        password: &str,
        but: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE users SET password = $2 WHERE id = $1";
        if tx.execute(sql, &[user.into(), password.into()]).await? == 0 {
            return Err(StoreError::NotFound("user".to_owned()));
        }
        end_sessions(&mut tx, user, but).await?;
        tx.commit().await
    }

    /// Gives a person another name.
    pub async fn set_name(&self, user: &str, name: &str) -> Result<(), StoreError> {
        require_plain("the name", name)?;
        let mut tx = self.db.write().await?;
        if tx.execute("UPDATE users SET name = $2 WHERE id = $1", &[user.into(), name.into()]).await? == 0 {
            return Err(StoreError::NotFound("user".to_owned()));
        }
        tx.commit().await
    }

    /// Lets a person come in, or no longer: the latter ends all their sessions, and keys that they hold are refused meanwhile. False:
    /// nobody has the id.
    pub async fn disable_user(&self, user: &str, since: Option<Timestamp>) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE users SET disabled = $2 WHERE id = $1";
        let found = tx.execute(sql, &[user.into(), Value::OptInt(since.map(Timestamp::micros))]).await? > 0;
        if since.is_some() {
            end_sessions(&mut tx, user, None).await?;
        }
        let seq = changes::next(&mut tx, Counter::Keys).await?;
        let sql = "UPDATE api_keys SET changed_seq = $2 WHERE holder = $1 AND revoked IS NULL";
        tx.execute(sql, &[user.into(), seq.into()]).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Keeps a token that is about to be mailed, in place of an older one of its kind and address; and forgets what expired.
    pub async fn insert_token(&self, token: &MailedToken) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "DELETE FROM mailed_tokens WHERE (email = $1 AND kind = $2) OR expires <= $3";
        let (email, kind) = (token.email.as_str(), token.kind);
        tx.execute(sql, &[email.into(), kind.into(), token.created.micros().into()]).await?;
        let sql = "INSERT INTO mailed_tokens (hash, kind, email, body, created, expires) VALUES ($1, $2, $3, $4, $5, $6)";
        let values = [
            token.hash.to_hex().into(),
            kind.into(),
            email.into(),
            token.body.as_str().into(),
            token.created.micros().into(),
            token.expires.micros().into(),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// Takes a token: its address and what is to be done. `None`: nobody knows it, it was taken before, or it has expired.
    pub async fn take_token(
        &self,
        hash: &KeyHash,
        kind: &str,
        now: Timestamp,
    ) -> Result<Option<(String, String)>, StoreError> {
        let mut tx = self.db.write().await?;
        let sql =
            "DELETE FROM mailed_tokens WHERE hash = $1 AND kind = $2 AND expires > $3 RETURNING email, body";
        let values = [hash.to_hex().into(), kind.into(), now.micros().into()];
        let taken: Vec<(String, String)> = tx.fetch(sql, &values).await?;
        tx.commit().await?;
        Ok(taken.into_iter().next())
    }

    /// Keeps a session, and forgets those of its person that are over.
    pub async fn insert_session(&self, session: &Session, hash: &KeyHash) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let (user, created) = (session.user.as_str(), session.created.micros());
        tx.execute(
            "DELETE FROM sessions WHERE user_id = $1 AND expires <= $2",
            &[user.into(), created.into()],
        )
        .await?;
        let sql = "INSERT INTO sessions (id, hash, user_id, created, seen, expires, address, agent, account)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, (SELECT home FROM users WHERE id = $3))";
        let values = [
            session.id.as_str().into(),
            hash.to_hex().into(),
            user.into(),
            created.into(),
            session.seen.micros().into(),
            session.expires.micros().into(),
            session.address.as_str().into(),
            session.agent.as_str().into(),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// The session with this hash, its person and the organization they work in, where none of it is over: not expired, seen
    /// since `idle_since`, not disabled. An organization that was `asked` for goes before the session's own; `Ok(Err(..))`:
    /// the person is no member of it.
    pub async fn session(
        &self,
        hash: &KeyHash,
        now: Timestamp,
        idle_since: Timestamp,
        asked: Option<&AccountId>,
    ) -> Result<Option<Result<Presence, Session>>, StoreError> {
        let sql = "SELECT id, user_id, created, seen, expires, address, agent, account FROM sessions
            WHERE hash = $1 AND expires > $2 AND seen > $3";
        let values = [hash.to_hex().into(), now.micros().into(), idle_since.micros().into()];
        let found: Vec<Session> = self.db.fetch(sql, &values).await?;
        let Some(session) = found.into_iter().next() else { return Ok(None) };
        let Some(user) = self.user(&session.user).await?.filter(|user| user.disabled.is_none()) else {
            return Ok(None);
        };
        let account = asked.or(session.account.as_ref()).unwrap_or(&user.account).clone();
        Ok(Some(match self.role(&account, &user.id).await? {
            Some(role) => Ok(Presence { session, user, account, role }),
            None => Err(session),
        }))
    }

    /// Forgets sessions, tokens, invitations and begun sign-ins that ended.
    pub async fn expire_people(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        for sql in [
            "DELETE FROM sessions WHERE expires <= $1",
            "DELETE FROM mailed_tokens WHERE expires <= $1",
            "DELETE FROM invitations WHERE expires <= $1",
            "DELETE FROM sign_ins WHERE expires <= $1",
        ] {
            tx.execute(sql, &[now.micros().into()]).await?;
        }
        tx.commit().await
    }

    /// Notes that a session is of use.
    pub async fn touch_session(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        tx.execute("UPDATE sessions SET seen = $2 WHERE id = $1", &[id.into(), now.micros().into()]).await?;
        tx.commit().await
    }

    /// A person's sessions, the newest first.
    pub async fn sessions(&self, user: &str, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let sql = "SELECT id, user_id, created, seen, expires, address, agent, account FROM sessions
            WHERE user_id = $1 AND expires > $2 ORDER BY created DESC, id";
        self.db.fetch(sql, &[user.into(), now.micros().into()]).await
    }

    /// Ends one of a person's sessions; `None`: all of them. How many.
    pub async fn end_sessions(&self, user: &str, session: Option<&str>) -> Result<u64, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "DELETE FROM sessions WHERE user_id = $1 AND ($2 = '' OR id = $2)";
        let ended = tx.execute(sql, &[user.into(), session.unwrap_or_default().into()]).await?;
        tx.commit().await?;
        Ok(ended)
    }
}

async fn end_sessions(tx: &mut Tx, user: &str, but: Option<&str>) -> Result<(), StoreError> {
    let sql = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2";
    tx.execute(sql, &[user.into(), but.unwrap_or_default().into()]).await.map(drop)
}

/// See [`Store::insert_user`].
pub(crate) async fn make_user(
    tx: &mut Tx,
    user: &User,
    trial: Option<&Entry>,
    into: Option<(&AccountId, Role)>,
) -> Result<(), StoreError> {
    require_plain("the name", &user.name)?;
    require_plain("the address", &user.email)?;
    let sql = "INSERT INTO accounts (id, name, created, personal) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING";
    let (own, created) = (user.account.as_str(), user.created.micros());
    let values = [own.into(), user.name.as_str().into(), created.into(), Value::Bool(true)];
    let made = tx.execute(sql, &values).await?;
    let sql = "INSERT INTO users (id, email, name, password, account, is_operator, created, home)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (email) DO NOTHING";
    let values = [
        user.id.as_str().into(),
        user.email.as_str().into(),
        user.name.as_str().into(),
        Value::OptText(user.password.as_deref()),
        own.into(),
        Value::Bool(user.is_operator),
        created.into(),
        Value::OptText(into.map(|(account, _)| account.as_str())),
    ];
    if tx.execute(sql, &values).await? == 0 {
        return Err(StoreError::Conflict("somebody has this address already".to_owned()));
    }
    organizations::join(tx, &user.account, &user.id, Role::Owner, user.created).await?;
    if let Some((account, role)) = into {
        require_account(tx, account.as_str()).await?;
        organizations::join(tx, account, &user.id, role, user.created).await?;
    }
    if let Some(entry) = trial.filter(|_| made == 1) {
        entries::book(tx, entry, Some("credit to begin with")).await?;
    }
    Ok(())
}
