//! Who people are elsewhere, and who is on the way to an issuer of identities and back.
//!
//! - An identity is issuer and subject. It belongs to one person, and goes with them.
//! - A sign-in that is under way is taken by deleting it: of two who bring it, one gets it.

use ledger::Entry;
use types::{AccountId, KeyHash, Role, Timestamp};

use crate::db::{Tx, decode_row};
use crate::people::{User, make_user};
use crate::{Store, StoreError};

/// A person at an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its id here: `idn_…`.
    pub id: String,
    /// The issuer's URL, as its tokens have it.
    pub issuer: String,
    /// What the issuer calls the person, for ever.
    pub subject: String,
    /// Whose it is.
    pub user: String,
    /// The address that the issuer told last; empty: none.
    pub email: String,
    /// Since when.
    pub created: Timestamp,
    /// When they last came in with it.
    pub used: Timestamp,
}

decode_row!(Identity, |row| {
    Ok(Identity {
        id: row.try_get(0)?,
        issuer: row.try_get(1)?,
        subject: row.try_get(2)?,
        user: row.try_get(3)?,
        email: row.try_get(4)?,
        created: Timestamp(row.try_get(5)?),
        used: Timestamp(row.try_get(6)?),
    })
});

/// A sign-in that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Of what comes back with the browser's address.
    pub hash: KeyHash,
    /// Of the browser's cookie.
    pub browser: KeyHash,
    /// The issuer's name in the configuration.
    pub issuer: String,
    /// JSON: what is to be done at the end.
    pub body: String,
    /// When it was begun.
    pub created: Timestamp,
    /// Not taken from this instant on.
    pub expires: Timestamp,
}

impl Store {
    /// Keeps a sign-in that begins, and forgets those that ended; of more than `rows_max` the oldest go.
    pub async fn begin_sign_in(&self, one: &SignIn, rows_max: i64) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        tx.execute("DELETE FROM sign_ins WHERE expires <= $1", &[one.created.micros().into()]).await?;
        let sql = "DELETE FROM sign_ins WHERE hash IN
            (SELECT hash FROM sign_ins ORDER BY created DESC, hash LIMIT 1000 OFFSET $1)";
        tx.execute(sql, &[rows_max.saturating_sub(1).max(0).into()]).await?;
        let sql = "INSERT INTO sign_ins (hash, browser, issuer, body, created, expires) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (hash) DO UPDATE SET browser = excluded.browser, issuer = excluded.issuer, body = excluded.body,
            created = excluded.created, expires = excluded.expires";
        let values = [
            one.hash.to_hex().into(),
            one.browser.to_hex().into(),
            one.issuer.as_str().into(),
            one.body.as_str().into(),
            one.created.micros().into(),
            one.expires.micros().into(),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// Takes a sign-in that is under way: what is to be done, and until when it was good. It is gone whatever the answer: whoever
    /// brings it with another browser or at another issuer has had their one try.
    pub async fn take_sign_in(
        &self,
        hash: &KeyHash,
        browser: &KeyHash,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Option<(String, Timestamp)>, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "DELETE FROM sign_ins WHERE hash = $1 RETURNING browser, issuer, body, expires";
        let taken: Vec<(String, String, String, i64)> = tx.fetch(sql, &[hash.to_hex().into()]).await?;
        tx.commit().await?;
        let fits = |(from, at, _, expires): &(String, String, String, i64)| {
            *from == browser.to_hex() && at == issuer && *expires > now.micros()
        };
        Ok(taken.into_iter().find(fits).map(|(.., body, expires)| (body, Timestamp(expires))))
    }

    /// The identity that an issuer calls so.
    pub async fn identity(&self, issuer: &str, subject: &str) -> Result<Option<Identity>, StoreError> {
        let sql = "SELECT id, issuer, subject, user_id, email, created, used FROM identities
            WHERE issuer = $1 AND subject = $2";
        Ok(self.db.fetch(sql, &[issuer.into(), subject.into()]).await?.into_iter().next())
    }

    /// A person's identities, the oldest first.
    pub async fn identities(&self, user: &str) -> Result<Vec<Identity>, StoreError> {
        let sql = "SELECT id, issuer, subject, user_id, email, created, used FROM identities
            WHERE user_id = $1 ORDER BY created, id";
        self.db.fetch(sql, &[user.into()]).await
    }

    /// Gives a person an identity. False: somebody has it, they or another.
    pub async fn link_identity(&self, identity: &Identity) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let made = insert(&mut tx, identity).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Notes that somebody came in with an identity, and what the issuer says is their address.
    pub async fn touch_identity(&self, id: &str, email: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE identities SET used = $2, email = $3 WHERE id = $1";
        tx.execute(sql, &[id.into(), now.micros().into(), email.into()]).await?;
        tx.commit().await
    }

    /// Takes an identity from a person. [`StoreError::NotFound`]: it is not theirs. False: without a password, and without another
    /// identity at one of `issuers`, they would never come in again.
    pub async fn unlink_identity(
        &self,
        user: &str,
        id: &str,
        issuers: &[String],
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        // Two that are taken away at once wait for each other here.
        tx.execute("UPDATE users SET name = name WHERE id = $1", &[user.into()]).await?;
        let sql = "DELETE FROM identities WHERE id = $1 AND user_id = $2";
        if tx.execute(sql, &[id.into(), user.into()]).await? == 0 {
            return Err(StoreError::NotFound("identity".to_owned()));
        }
        let sql = "SELECT i.issuer FROM identities i WHERE i.user_id = $1
            UNION ALL SELECT '' FROM users u WHERE u.id = $1 AND u.password IS NOT NULL";
        let left: Vec<(String,)> = tx.fetch(sql, &[user.into()]).await?;
        if !left.iter().any(|(way,)| way.is_empty() || issuers.contains(way)) {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// What the operator's newest invitation to an address says, and whether some organization asks it in.
    pub async fn invited(&self, email: &str, now: Timestamp) -> Result<(Option<String>, bool), StoreError> {
        let values = [email.into(), now.micros().into()];
        let sql = "SELECT body FROM mailed_tokens WHERE email = $1 AND kind = 'invitation' AND expires > $2
            ORDER BY created DESC LIMIT 1";
        let by_operator: Vec<(String,)> = self.db.fetch(sql, &values).await?;
        let sql = "SELECT COUNT(*) FROM invitations i JOIN accounts a ON a.id = i.account
            WHERE i.email = $1 AND i.expires > $2 AND a.ended IS NULL";
        let by_members: Vec<(i64,)> = self.db.fetch(sql, &values).await?;
        let by_members = by_members.first().is_some_and(|(count,)| *count > 0);
        Ok((by_operator.into_iter().next().map(|(body,)| body), by_members))
    }

    /// Makes a person who comes with an identity, as [`Store::insert_user`] does; the operator's invitation to their address is taken
    /// with it. [`StoreError::Conflict`]: somebody has the address or the identity.
    pub async fn insert_user_with(
        &self,
        user: &User,
        identity: &Identity,
        trial: Option<&Entry>,
        into: Option<(&AccountId, Role)>,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        make_user(&mut tx, user, trial, into).await?;
        if !insert(&mut tx, identity).await? {
            return Err(StoreError::Conflict("somebody has this identity already".to_owned()));
        }
        let sql = "DELETE FROM mailed_tokens WHERE email = $1 AND kind IN ('invitation', 'sign_up')";
        tx.execute(sql, &[user.email.as_str().into()]).await?;
        tx.commit().await
    }
}

async fn insert(tx: &mut Tx, identity: &Identity) -> Result<bool, StoreError> {
    let sql = "INSERT INTO identities (id, issuer, subject, user_id, email, created, used)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (issuer, subject) DO NOTHING";
    let values = [
        identity.id.as_str().into(),
        identity.issuer.as_str().into(),
        identity.subject.as_str().into(),
        identity.user.as_str().into(),
        identity.email.as_str().into(),
        identity.created.micros().into(),
        identity.used.micros().into(),
    ];
    Ok(tx.execute(sql, &values).await? == 1)
}
