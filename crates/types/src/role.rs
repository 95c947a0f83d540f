//! What members of an organization may do in it.
//!
//! | right | owner | admin | developer | billing | viewer |
//! | --- | --- | --- | --- | --- | --- |
//! | read: keys, budgets, policies, projects, members, use | yes | yes | yes | yes | yes |
//! | build: own keys, policies, presets, replays | yes | yes | yes | no | no |
//! | pay: payments, vouchers, invoices, top-ups | yes | yes | no | yes | no |
//! | govern: everybody's keys, members, budgets, projects, provider keys, webhooks, the audit log, kept prompts | yes | yes | no | no | no |
//! | own: name and end the organization, make owners, what can't be taken back | yes | no | no | no | no |

use std::fmt;

/// A member's part in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// May do everything.
    Owner,
    /// Everything but ending the organization and making owners.
    Admin,
    /// Builds with it.
    Developer,
    /// Pays for it.
    Billing,
    /// Looks.
    Viewer,
}

/// What something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// To look.
    Read,
    /// To make and edit one's own keys, policies and presets.
    Build,
    /// To move its money.
    Pay,
    /// To rule over what belongs to all.
    Govern,
    /// To do what can't be taken back.
    Own,
}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Role; 5] = [Role::Owner, Role::Admin, Role::Developer, Role::Billing, Role::Viewer];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Developer => "developer",
            Role::Billing => "billing",
            Role::Viewer => "viewer",
        }
    }

    /// From its name.
    pub fn named(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether it has a right.
    pub const fn may(self, right: Right) -> bool {
        match right {
            Right::Read => true,
            Right::Build => matches!(self, Role::Owner | Role::Admin | Role::Developer),
            Right::Pay => matches!(self, Role::Owner | Role::Admin | Role::Billing),
            Right::Govern => matches!(self, Role::Owner | Role::Admin),
            Right::Own => matches!(self, Role::Owner),
        }
    }

    /// Whether it has every right of another.
    pub fn covers(self, other: Role) -> bool {
        Right::ALL.into_iter().all(|right| self.may(right) || !other.may(right))
    }
}

impl Right {
    /// Every right.
    pub const ALL: [Right; 5] = [Right::Read, Right::Build, Right::Pay, Right::Govern, Right::Own];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Build => "build",
            Right::Pay => "pay",
            Right::Govern => "govern",
            Right::Own => "own",
        }
    }

    /// The roles that have it, for people: `owner, admin`.
    pub fn holders(self) -> String {
        let names: Vec<&str> = Role::ALL.into_iter().filter(|role| role.may(self)).map(Role::name).collect();
        names.join(", ")
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_the_rights_of_the_table_above() {
        let rows = include_str!("role.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
        let mut checked = 0;
        for row in rows.filter(|row| row.contains(" yes |") || row.contains(" no |")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let right = cells[0].split(':').next().unwrap();
            let right = Right::ALL.into_iter().find(|known| known.name() == right).unwrap();
            for (role, cell) in Role::ALL.into_iter().zip(&cells[1..]) {
                assert_eq!(role.may(right), *cell == "yes", "{role} {right:?}");
                checked += 1;
            }
        }
        assert_eq!(checked, 25);
    }

    #[test]
    fn a_role_covers_those_whose_rights_it_has() {
        let covers = |a, b| Role::named(a).unwrap().covers(Role::named(b).unwrap());
        assert!(covers("owner", "admin") && covers("admin", "billing") && covers("developer", "viewer"));
        assert!(
            !covers("admin", "owner") && !covers("developer", "billing") && !covers("viewer", "developer")
        );
        assert!(
            Role::ALL.into_iter().all(|role| role.covers(role) && Role::named(role.name()) == Some(role))
        );
        assert_eq!(Right::Pay.holders(), "owner, admin, billing");
    }
}
