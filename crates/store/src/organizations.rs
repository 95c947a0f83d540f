//! Organizations and who belongs to them: members, invitations, service accounts, projects.
//!
//! - An account is an organization: what it owns names the account. One that ended is never found again; its books stay.
//! - An organization has an owner at any time: the last one can neither leave nor become less.
//! - What a member held ends with their membership; what a service account holds, with the service account.

use types::{AccountId, KeyHash, Role, Timestamp};

use crate::accounts::require_plain;
use crate::changes::{self, Counter};
use crate::db::{Tx, Value, decode_row};
use crate::rules::check_slug;
use crate::{Store, StoreError, erasure};

/// An organization as one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its account.
    pub account: AccountId,
    /// As it is called.
    pub name: String,
    /// Somebody's own.
    pub personal: bool,
    /// Since when.
    pub created: Timestamp,
    /// What whoever asked is in it.
    pub role: Role,
}

decode_row!(Organization, |row| {
    Ok(Organization {
        account: AccountId::new(row.try_get::<String, _>(0)?),
        name: row.try_get(1)?,
        personal: row.try_get(2)?,
        created: Timestamp(row.try_get(3)?),
        role: role_of(&row.try_get::<String, _>(4)?)?,
    })
});

struct Counted(Organization, i64);

decode_row!(Counted, |row| Ok(Counted(sqlx::FromRow::from_row(row)?, row.try_get(5)?)));

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Whose membership.
    pub user: String,
    /// Their address.
    pub email: String,
    /// As they are called.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub created: Timestamp,
    /// They may not sign in at present.
    pub is_disabled: bool,
}

decode_row!(Member, |row| {
    Ok(Member {
        user: row.try_get(0)?,
        email: row.try_get(1)?,
        name: row.try_get(2)?,
        role: role_of(&row.try_get::<String, _>(3)?)?,
        created: Timestamp(row.try_get(4)?),
        is_disabled: row.try_get::<Option<i64>, _>(5)?.is_some(),
    })
});

/// Somebody who is asked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// Its id: `inv_…`.
    pub id: String,
    /// Into which organization.
    pub account: AccountId,
    /// Whom, in lower case.
    pub email: String,
    /// As what.
    pub role: Role,
    /// By whom: a member, or a key.
    pub invited_by: String,
    /// When.
    pub created: Timestamp,
    /// Not taken from this instant on.
    pub expires: Timestamp,
}

decode_row!(Invited, |row| {
    Ok(Invited {
        id: row.try_get(0)?,
        account: AccountId::new(row.try_get::<String, _>(1)?),
        email: row.try_get(2)?,
        role: role_of(&row.try_get::<String, _>(3)?)?,
        invited_by: row.try_get(4)?,
        created: Timestamp(row.try_get(5)?),
        expires: Timestamp(row.try_get(6)?),
    })
});

/// A program that holds keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its id: `sa_…`.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// As it is called.
    pub name: String,
    /// The most that its management keys may do.
    pub role: Role,
    /// Since when.
    pub created: Timestamp,
}

decode_row!(ServiceAccount, |row| {
    Ok(ServiceAccount {
        id: row.try_get(0)?,
        account: AccountId::new(row.try_get::<String, _>(1)?),
        name: row.try_get(2)?,
        role: role_of(&row.try_get::<String, _>(3)?)?,
        created: Timestamp(row.try_get(4)?),
    })
});

/// What keys, budgets and use are grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its name in paths and on keys.
    pub slug: String,
    /// As it is called.
    pub name: String,
    /// Since when.
    pub created: Timestamp,
    /// Since when nothing new belongs to it.
    pub archived: Option<Timestamp>,
}

decode_row!(Project, |row| {
    Ok(Project {
        slug: row.try_get(0)?,
        name: row.try_get(1)?,
        created: Timestamp(row.try_get(2)?),
        archived: row.try_get::<Option<i64>, _>(3)?.map(Timestamp),
    })
});

fn role_of(name: &str) -> Result<Role, sqlx::Error> {
    Role::named(name).ok_or_else(|| sqlx::Error::Decode("a role that nobody knows".into()))
}

fn nobody(what: &str) -> StoreError {
    StoreError::NotFound(what.to_owned())
}

const LAST_OWNER: &str = "an organization needs an owner: make somebody else one first";

impl Store {
    /// The organizations of a person, the own one first.
    pub async fn organizations(&self, user: &str) -> Result<Vec<Organization>, StoreError> {
        let sql = "SELECT a.id, a.name, a.personal, a.created, m.role FROM members m JOIN accounts a ON a.id = m.account
            WHERE m.user_id = $1 AND a.ended IS NULL ORDER BY a.personal DESC, a.created, a.id";
        self.db.fetch(sql, &[user.into()]).await
    }

    /// An organization, as a member of this role sees it; `None`: it isn't there, or has ended.
    pub async fn organization(
        &self,
        account: &AccountId,
        role: Role,
    ) -> Result<Option<Organization>, StoreError> {
        let sql = "SELECT id, name, personal, created, CAST($2 AS TEXT) FROM accounts WHERE id = $1 AND ended IS NULL";
        let found = self.db.fetch(sql, &[account.as_str().into(), role.name().into()]).await?;
        Ok(found.into_iter().next())
    }

    /// Every organization that has not ended, with how many members it has; personal ones only when asked for.
    pub async fn all_organizations(
        &self,
        with_personal: bool,
    ) -> Result<Vec<(Organization, i64)>, StoreError> {
        let sql = "SELECT a.id, a.name, a.personal, a.created, 'viewer', COUNT(m.user_id) FROM accounts a
            LEFT JOIN members m ON m.account = a.id WHERE a.ended IS NULL AND (a.personal = $1 OR $2)
            GROUP BY a.id, a.name, a.personal, a.created ORDER BY a.created, a.id";
        let rows: Vec<Counted> =
            self.db.fetch(sql, &[Value::Bool(false), Value::Bool(with_personal)]).await?;
        Ok(rows.into_iter().map(|Counted(organization, members)| (organization, members)).collect())
    }

    /// Makes an organization with its first owner.
    pub async fn insert_organization(
        &self,
        account: &AccountId,
        name: &str,
        owner: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        require_plain("the organization's name", name)?;
        let mut tx = self.db.write().await?;
        let sql = "INSERT INTO accounts (id, name, created) VALUES ($1, $2, $3)";
        tx.execute(sql, &[account.as_str().into(), name.into(), now.micros().into()]).await?;
        join(&mut tx, account, owner, Role::Owner, now).await?;
        tx.commit().await
    }

    /// Gives an organization another name.
    pub async fn rename_organization(&self, account: &AccountId, name: &str) -> Result<(), StoreError> {
        require_plain("the organization's name", name)?;
        let mut tx = self.db.write().await?;
        let sql = "UPDATE accounts SET name = $2 WHERE id = $1 AND ended IS NULL";
        if tx.execute(sql, &[account.as_str().into(), name.into()]).await? == 0 {
            return Err(nobody("organization"));
        }
        tx.commit().await
    }

    /// Ends an organization: no key of it is taken any more, nobody belongs to it. Its books stay. A personal one ends with its
    /// person only.
    pub async fn end_organization(&self, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE accounts SET ended = $2 WHERE id = $1 AND ended IS NULL AND personal = $3 AND id <> 'acct_owner'";
        let values = [account.as_str().into(), now.micros().into(), Value::Bool(false)];
        if tx.execute(sql, &values).await? == 0 {
            return Err(StoreError::Invalid(
                "a person's own organization and the server's can't be ended".to_owned(),
            ));
        }
        erasure::erase(&mut tx, account, now).await?;
        tx.commit().await
    }

    /// Whether an organization has not ended.
    pub async fn is_organization(&self, account: &AccountId) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM accounts WHERE id = $1 AND ended IS NULL";
        let found: Vec<(String,)> = self.db.fetch(sql, &[account.as_str().into()]).await?;
        Ok(!found.is_empty())
    }

    /// The members of an organization, by their coming.
    pub async fn members(&self, account: &AccountId) -> Result<Vec<Member>, StoreError> {
        let sql = "SELECT m.user_id, u.email, u.name, m.role, m.created, u.disabled FROM members m JOIN users u ON u.id = m.user_id
            WHERE m.account = $1 ORDER BY m.created, m.user_id";
        self.db.fetch(sql, &[account.as_str().into()]).await
    }

    /// What somebody is in an organization; `None`: nothing.
    pub async fn role(&self, account: &AccountId, user: &str) -> Result<Option<Role>, StoreError> {
        let sql = "SELECT m.role FROM members m JOIN accounts a ON a.id = m.account
            WHERE m.account = $1 AND m.user_id = $2 AND a.ended IS NULL";
        let found: Vec<(String,)> = self.db.fetch(sql, &[account.as_str().into(), user.into()]).await?;
        Ok(found.first().and_then(|(name,)| Role::named(name)))
    }

    /// Makes a member something else. What they hold can do no more than they can.
    pub async fn set_role(
        &self,
        account: &AccountId,
        user: &str,
        role: Role,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let before = owned(&mut tx, account).await?;
        let sql = "UPDATE members SET role = $3 WHERE account = $1 AND user_id = $2";
        let values = [account.as_str().into(), user.into(), role.name().into()];
        if tx.execute(sql, &values).await? == 0 {
            return Err(nobody("member"));
        }
        if role != Role::Owner && before == [user] {
            return Err(StoreError::Invalid(LAST_OWNER.to_owned()));
        }
        lessen(&mut tx, account, user, role, now).await?;
        tx.commit().await
    }

    /// Ends a membership, and the keys that go with it.
    pub async fn remove_member(
        &self,
        account: &AccountId,
        user: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        if owned(&mut tx, account).await? == [user] {
            return Err(StoreError::Invalid(LAST_OWNER.to_owned()));
        }
        let sql = "DELETE FROM members WHERE account = $1 AND user_id = $2";
        if tx.execute(sql, &[account.as_str().into(), user.into()]).await? == 0 {
            return Err(nobody("member"));
        }
        revoke_held(&mut tx, account, user, now).await?;
        leave(&mut tx, account, user).await?;
        tx.commit().await
    }

    /// Keeps an invitation, in place of an older one of the same address. [`StoreError::Conflict`]: they are a member.
    pub async fn insert_invitation(&self, invited: &Invited, hash: &KeyHash) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let (account, email) = (invited.account.as_str(), invited.email.as_str());
        let sql = "SELECT u.id FROM users u JOIN members m ON m.user_id = u.id WHERE m.account = $1 AND u.email = $2";
        let known: Vec<(String,)> = tx.fetch(sql, &[account.into(), email.into()]).await?;
        if !known.is_empty() {
            return Err(StoreError::Conflict("whoever has this address is a member already".to_owned()));
        }
        let sql = "DELETE FROM invitations WHERE (account = $1 AND email = $2) OR expires <= $3";
        tx.execute(sql, &[account.into(), email.into(), invited.created.micros().into()]).await?;
        let sql = "INSERT INTO invitations (id, hash, account, email, role, invited_by, created, expires)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let values = [
            invited.id.as_str().into(),
            hash.to_hex().into(),
            account.into(),
            email.into(),
            invited.role.name().into(),
            invited.invited_by.as_str().into(),
            invited.created.micros().into(),
            invited.expires.micros().into(),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// The invitations of an organization that can still be taken.
    pub async fn invitations(&self, account: &AccountId, now: Timestamp) -> Result<Vec<Invited>, StoreError> {
        let sql = "SELECT id, account, email, role, invited_by, created, expires FROM invitations
            WHERE account = $1 AND expires > $2 ORDER BY created, id";
        self.db.fetch(sql, &[account.as_str().into(), now.micros().into()]).await
    }

    /// Takes an invitation back.
    pub async fn delete_invitation(&self, account: &AccountId, id: &str) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "DELETE FROM invitations WHERE account = $1 AND id = $2";
        if tx.execute(sql, &[account.as_str().into(), id.into()]).await? == 0 {
            return Err(nobody("invitation"));
        }
        tx.commit().await
    }

    /// The invitation with this hash, where it can be taken; it stays.
    pub async fn invitation(&self, hash: &KeyHash, now: Timestamp) -> Result<Option<Invited>, StoreError> {
        let sql = "SELECT i.id, i.account, i.email, i.role, i.invited_by, i.created, i.expires
            FROM invitations i JOIN accounts a ON a.id = i.account
            WHERE i.hash = $1 AND i.expires > $2 AND a.ended IS NULL";
        Ok(self.db.fetch(sql, &[hash.to_hex().into(), now.micros().into()]).await?.into_iter().next())
    }

    /// Takes an invitation: somebody who is here becomes a member. False: somebody took it meanwhile.
    pub async fn take_invitation(
        &self,
        invited: &Invited,
        user: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        if tx.execute("DELETE FROM invitations WHERE id = $1", &[invited.id.as_str().into()]).await? == 0 {
            return Ok(false);
        }
        join(&mut tx, &invited.account, user, invited.role, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Where a person works from now on: this session, and those to come. `None`: in their own organization.
    pub async fn work_in(
        &self,
        user: &str,
        session: &str,
        account: Option<&AccountId>,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let account = account.map(AccountId::as_str);
        tx.execute("UPDATE users SET home = $2 WHERE id = $1", &[user.into(), Value::OptText(account)])
            .await?;
        let sql = "UPDATE sessions SET account = $2 WHERE id = $1";
        tx.execute(sql, &[session.into(), Value::OptText(account)]).await?;
        tx.commit().await
    }
}

/// Those who own an organization, with its row kept until the end of the transaction: of two who leave at once, one is last.
async fn owned(tx: &mut Tx, account: &AccountId) -> Result<Vec<String>, StoreError> {
    let touch = "UPDATE accounts SET name = name WHERE id = $1";
    tx.execute(touch, &[account.as_str().into()]).await?;
    let sql = "SELECT user_id FROM members WHERE account = $1 AND role = 'owner' ORDER BY user_id";
    let owners: Vec<(String,)> = tx.fetch(sql, &[account.as_str().into()]).await?;
    Ok(owners.into_iter().map(|(user,)| user).collect())
}

/// Makes somebody a member; who is one already stays what they are.
pub(crate) async fn join(
    tx: &mut Tx,
    account: &AccountId,
    user: &str,
    role: Role,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO members (account, user_id, role, created) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let values = [account.as_str().into(), user.into(), role.name().into(), now.micros().into()];
    tx.execute(sql, &values).await.map(drop)
}

/// Sessions and homes in an organization go back to the person's own.
async fn leave(tx: &mut Tx, account: &AccountId, user: &str) -> Result<(), StoreError> {
    let values = [account.as_str().into(), user.into()];
    let sql = "UPDATE sessions SET account = NULL WHERE account = $1 AND ($2 = '' OR user_id = $2)";
    tx.execute(sql, &values).await?;
    let sql = "UPDATE users SET home = NULL WHERE home = $1 AND ($2 = '' OR id = $2)";
    tx.execute(sql, &values).await.map(drop)
}

/// Revokes what somebody holds.
pub(crate) async fn revoke_held(
    tx: &mut Tx,
    account: &AccountId,
    holder: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let seq = changes::next(tx, Counter::Keys).await?;
    let sql = "UPDATE api_keys SET revoked = COALESCE(revoked, $3), changed_seq = $4 WHERE account = $1 AND holder = $2";
    let values = [account.as_str().into(), holder.into(), now.micros().into(), seq.into()];
    tx.execute(sql, &values).await.map(drop)
}

/// Takes from management keys what their holder may not do; nodes look at the other keys of the holder anew, too.
async fn lessen(
    tx: &mut Tx,
    account: &AccountId,
    holder: &str,
    role: Role,
    now: Timestamp,
) -> Result<(), StoreError> {
    let seq = changes::next(tx, Counter::Keys).await?;
    for above in Role::ALL.into_iter().filter(|above| !role.covers(*above)) {
        let sql = "UPDATE api_keys SET role = $3, updated = $4, changed_seq = $5
            WHERE account = $1 AND holder = $2 AND management = TRUE AND COALESCE(role, 'admin') = $6";
        let values = [
            account.as_str().into(),
            holder.into(),
            role.name().into(),
            now.micros().into(),
            seq.into(),
            above.name().into(),
        ];
        tx.execute(sql, &values).await?;
    }
    let sql = "UPDATE api_keys SET changed_seq = $3 WHERE account = $1 AND holder = $2 AND revoked IS NULL";
    tx.execute(sql, &[account.as_str().into(), holder.into(), seq.into()]).await.map(drop)
}

/// Everything of an organization that could still act.
pub(crate) async fn empty(tx: &mut Tx, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
    let own = [account.as_str().into()];
    let seq = changes::next(tx, Counter::Keys).await?;
    let sql = "UPDATE api_keys SET revoked = COALESCE(revoked, $2), changed_seq = $3 WHERE account = $1";
    tx.execute(sql, &[account.as_str().into(), now.micros().into(), seq.into()]).await?;
    tx.execute("DELETE FROM invitations WHERE account = $1", &own).await?;
    tx.execute("DELETE FROM members WHERE account = $1", &own).await?;
    tx.execute("UPDATE webhooks SET disabled = TRUE WHERE account = $1", &own).await?;
    leave(tx, account, "").await?;
    let sql = "UPDATE service_accounts SET ended = COALESCE(ended, $2) WHERE account = $1";
    tx.execute(sql, &[account.as_str().into(), now.micros().into()]).await.map(drop)
}

/// Makes a project where a key names one that isn't there.
pub(crate) async fn note_project(
    tx: &mut Tx,
    account: &AccountId,
    slug: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO projects (account, slug, name, created) VALUES ($1, $2, $2, $3) ON CONFLICT DO NOTHING";
    tx.execute(sql, &[account.as_str().into(), slug.into(), now.micros().into()]).await.map(drop)
}

impl Store {
    /// What a member or a service account may do; `None`: the organization has no such one.
    pub async fn holder(&self, account: &AccountId, id: &str) -> Result<Option<Role>, StoreError> {
        let sql = "SELECT role FROM members WHERE account = $1 AND user_id = $2
            UNION ALL SELECT role FROM service_accounts WHERE account = $1 AND id = $2 AND ended IS NULL";
        let found: Vec<(String,)> = self.db.fetch(sql, &[account.as_str().into(), id.into()]).await?;
        Ok(found.first().and_then(|(name,)| Role::named(name)))
    }

    /// The service accounts of an organization.
    pub async fn service_accounts(&self, account: &AccountId) -> Result<Vec<ServiceAccount>, StoreError> {
        let sql = "SELECT id, account, name, role, created FROM service_accounts
            WHERE account = $1 AND ended IS NULL ORDER BY created, id";
        self.db.fetch(sql, &[account.as_str().into()]).await
    }

    /// Makes a service account.
    pub async fn insert_service_account(&self, made: &ServiceAccount) -> Result<(), StoreError> {
        require_plain("the service account's name", &made.name)?;
        let mut tx = self.db.write().await?;
        let sql =
            "INSERT INTO service_accounts (id, account, name, role, created) VALUES ($1, $2, $3, $4, $5)";
        let values = [
            made.id.as_str().into(),
            made.account.as_str().into(),
            made.name.as_str().into(),
            made.role.name().into(),
            made.created.micros().into(),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// Gives a service account another name or role. What it holds can do no more than it can.
    pub async fn set_service_account(
        &self,
        account: &AccountId,
        id: &str,
        (name, role): (Option<&str>, Option<Role>),
        now: Timestamp,
    ) -> Result<ServiceAccount, StoreError> {
        if let Some(name) = name {
            require_plain("the service account's name", name)?;
        }
        let mut tx = self.db.write().await?;
        let sql = "UPDATE service_accounts SET name = COALESCE($3, name), role = COALESCE($4, role)
            WHERE account = $1 AND id = $2 AND ended IS NULL";
        let role_name = Value::OptText(role.map(Role::name));
        let values = [account.as_str().into(), id.into(), Value::OptText(name), role_name];
        if tx.execute(sql, &values).await? == 0 {
            return Err(nobody("service account"));
        }
        if let Some(role) = role {
            lessen(&mut tx, account, id, role, now).await?;
        }
        let sql =
            "SELECT id, account, name, role, created FROM service_accounts WHERE account = $1 AND id = $2";
        let found: Vec<ServiceAccount> = tx.fetch(sql, &[account.as_str().into(), id.into()]).await?;
        tx.commit().await?;
        found.into_iter().next().ok_or_else(|| nobody("service account"))
    }

    /// Ends a service account and its keys.
    pub async fn end_service_account(
        &self,
        account: &AccountId,
        id: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE service_accounts SET ended = $3 WHERE account = $1 AND id = $2 AND ended IS NULL";
        if tx.execute(sql, &[account.as_str().into(), id.into(), now.micros().into()]).await? == 0 {
            return Err(nobody("service account"));
        }
        revoke_held(&mut tx, account, id, now).await?;
        tx.commit().await
    }

    /// The projects of an organization.
    pub async fn projects(&self, account: &AccountId) -> Result<Vec<Project>, StoreError> {
        let sql = "SELECT slug, name, created, archived FROM projects WHERE account = $1 ORDER BY slug";
        self.db.fetch(sql, &[account.as_str().into()]).await
    }

    /// Makes a project, names it anew, archives it or takes it back.
    pub async fn put_project(&self, account: &AccountId, project: &Project) -> Result<(), StoreError> {
        check_slug(&project.slug)?;
        require_plain("the project's name", &project.name)?;
        let mut tx = self.db.write().await?;
        let sql = "INSERT INTO projects (account, slug, name, created, archived) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (account, slug) DO UPDATE SET name = excluded.name, archived = excluded.archived";
        let values = [
            account.as_str().into(),
            project.slug.as_str().into(),
            project.name.as_str().into(),
            project.created.micros().into(),
            Value::OptInt(project.archived.map(Timestamp::micros)),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }
}
