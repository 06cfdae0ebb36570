//! Who may do what: the roles of people, and the one table that says what each of them permits.

use serde::{Deserialize, Serialize};

use crate::{UnknownName, status::named};

/// What a person is to this instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, also making other owners.
    Owner,
    /// Everything but what concerns owners.
    Admin,
    /// Runs incidents: publishes, schedules maintenance, overrides what components show, sends again.
    Operator,
    /// Writes what the page shows: components, groups, metrics, its name and texts. There is one page; with several, an editor will be one of
    /// named pages.
    Editor,
    /// Looks on.
    Viewer,
}

named!(Role { Owner = "owner", Admin = "admin", Operator = "operator", Editor = "editor", Viewer = "viewer" });

/// A kind of things that permissions are about: those of the API's scopes, and those that only people have to do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// What the page lists.
    Components,
    /// What people say of a component against the machines.
    Overrides,
    /// What came in, as it came.
    Deliveries,
    /// Headings.
    Groups,
    /// Incidents, drafts too.
    Incidents,
    /// Senders with their routes and secrets.
    Integrations,
    /// Planned windows.
    Maintenances,
    /// Series of numbers.
    Metrics,
    /// What was told to whom.
    Notifications,
    /// The page's name, brand and texts.
    Page,
    /// Whom to tell.
    Subscribers,
    /// API tokens.
    Tokens,
    /// People, their roles and their sessions.
    Users,
    /// Owners: making one, and changing or removing one.
    Owners,
    /// What was done by whom.
    Audit,
    /// How the instance behaves, and how it is.
    Settings,
}

named!(Resource {
    Components = "components",
    Overrides = "overrides",
    Deliveries = "deliveries",
    Groups = "groups",
    Incidents = "incidents",
    Integrations = "integrations",
    Maintenances = "maintenances",
    Metrics = "metrics",
    Notifications = "notifications",
    Page = "page",
    Subscribers = "subscribers",
    Tokens = "tokens",
    Users = "users",
    Owners = "owners",
    Audit = "audit",
    Settings = "settings",
});

/// What is done with things of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Look.
    Read,
    /// Make, change, remove, act.
    Write,
}

named!(Action { Read = "read", Write = "write" });

/// One thing that somebody may or may not do. Written as a scope is: `incidents:write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    /// With what.
    pub resource: Resource,
    /// What.
    pub action: Action,
}

impl Permission {
    /// To look at things of this kind.
    #[must_use]
    pub const fn read(resource: Resource) -> Self {
        Self { resource, action: Action::Read }
    }

    /// To change things of this kind.
    #[must_use]
    pub const fn write(resource: Resource) -> Self {
        Self { resource, action: Action::Write }
    }

    /// Every permission there is.
    pub fn all() -> impl Iterator<Item = Self> {
        Resource::ALL.iter().flat_map(|resource| [Self::read(*resource), Self::write(*resource)])
    }
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.resource, self.action)
    }
}

impl Role {
    /// The table. What does not stand here is forbidden.
    #[must_use]
    pub const fn may(self, permission: Permission) -> bool {
        use Resource::{
            Audit, Components, Deliveries, Groups, Incidents, Integrations, Maintenances, Metrics, Notifications, Overrides, Owners, Page,
            Settings, Subscribers, Tokens, Users,
        };
        match (self, permission.action, permission.resource) {
            (Self::Owner, _, _) => true,
            (Self::Admin, Action::Write, Owners) => false,
            (Self::Admin, _, _) => true,

            // What everybody sees.
            (_, Action::Read, Components | Overrides | Groups | Incidents | Maintenances | Metrics | Page) => true,
            // What senders wrote and what is wrong with them: for those who act on it. It may hold what is not for every eye.
            (Self::Operator, Action::Read, Deliveries | Integrations | Notifications | Subscribers | Settings) => true,
            (Self::Operator, Action::Write, Incidents | Maintenances | Overrides | Notifications) => true,
            (Self::Editor, Action::Write, Components | Groups | Metrics | Page) => true,
            (
                _,
                _,
                Components | Overrides | Deliveries | Groups | Incidents | Integrations | Maintenances | Metrics | Notifications | Page
                | Subscribers | Tokens | Users | Owners | Audit | Settings,
            ) => false,
        }
    }

    /// Whether somebody of this role may give `role` to others, and change or remove who has it.
    #[must_use]
    pub const fn may_give(self, role: Self) -> bool {
        match role {
            Self::Owner => self.may(Permission::write(Resource::Owners)),
            Self::Admin | Self::Operator | Self::Editor | Self::Viewer => self.may(Permission::write(Resource::Users)),
        }
    }

    /// Whether a stolen session of this role can do lasting harm: it ends after a short time of doing nothing.
    #[must_use]
    pub const fn is_privileged(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table, readable: an owner and an admin differ in one line, and nobody else comes near either.
    #[test]
    fn each_role_may_exactly_this() {
        let listed = |role: Role| Permission::all().filter(|permission| role.may(*permission)).map(|p| p.to_string()).collect::<Vec<_>>();
        let seen = ["components:read", "overrides:read", "groups:read", "incidents:read", "maintenances:read", "metrics:read", "page:read"];
        let with = |more: &[&str]| {
            let wanted: Vec<&str> = seen.iter().chain(more).copied().collect();
            Permission::all().map(|p| p.to_string()).filter(|name| wanted.contains(&name.as_str())).collect::<Vec<_>>()
        };
        assert_eq!(listed(Role::Owner).len(), Permission::all().count());
        let admin: Vec<String> = Permission::all().map(|p| p.to_string()).filter(|name| name != "owners:write").collect();
        assert_eq!(listed(Role::Admin), admin);
        let operator = [
            "deliveries:read",
            "integrations:read",
            "notifications:read",
            "subscribers:read",
            "settings:read",
            "incidents:write",
            "maintenances:write",
            "overrides:write",
            "notifications:write",
        ];
        assert_eq!(listed(Role::Operator), with(&operator));
        assert_eq!(listed(Role::Editor), with(&["components:write", "groups:write", "metrics:write", "page:write"]));
        assert_eq!(listed(Role::Viewer), with(&[]));
    }

    #[test]
    fn nobody_gives_more_than_they_have() {
        for role in Role::ALL {
            assert!(Role::Owner.may_give(*role));
            assert_eq!(Role::Admin.may_give(*role), *role != Role::Owner);
            for low in [Role::Operator, Role::Editor, Role::Viewer] {
                assert!(!low.may_give(*role));
            }
        }
    }
}
