//! Whose account somebody comes to whom a provider has proven: the one they are linked to, the one of their verified mail address, or a new
//! one if a group of theirs gives a role.

use domain::{Role, UserId};
use serde_json::{Value, json};
use storage::{
    Connection,
    entry_links::{self, Purpose},
    identities::{self, Identity},
    security::{self, Actor, Event},
    sessions,
    users::{self, NewUser, User},
};

use super::{proven::Proven, settings::RoleMap};
use crate::console::{Console, failure::Failure, session::Origin};

/// Why somebody whom the provider has proven does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// None of their groups gives a role, and nobody has invited them.
    NoRole,
    /// The provider names no mail address.
    NoAddress,
    /// Their address is somebody's here, and the provider has not made sure that it is theirs.
    Unverified,
    /// Their address is that of an account which somebody else of the same provider has.
    OtherPerson,
    /// They are shut out here.
    ShutOut,
}

impl Refusal {
    /// For the audit log.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NoRole => "no_role",
            Self::NoAddress => "no_address",
            Self::Unverified => "address_not_verified",
            Self::OtherPerson => "address_of_another",
            Self::ShutOut => "disabled",
        }
    }

    /// For the person, with what to do.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::NoRole => {
                "You have no role here. Ask whoever runs your provider to put you into one of the groups that have one, or an owner of this page to invite you."
            }
            Self::NoAddress => "The provider gave us no mail address of yours. Ask whoever runs it to let this page see your address.",
            Self::Unverified => {
                "The provider has not verified your mail address, so that we cannot tell whether the account of this address is yours. Verify it there, then try again."
            }
            Self::OtherPerson => {
                "The account of your mail address belongs to somebody else of the same provider. Ask an owner of this page to unlink or to remove it."
            }
            Self::ShutOut => "You are shut out here. Ask an owner of this page to let you in again.",
        }
    }
}

/// Somebody who wants in.
pub(super) struct Applicant<'a> {
    pub(super) console: &'a Console,
    pub(super) origin: &'a Origin,
    pub(super) identity: Identity<'a>,
    pub(super) proven: &'a Proven,
    pub(super) roles: &'a RoleMap,
}

/// Who it is that comes in, and what they are told.
pub(super) struct Admitted {
    pub(super) user: User,
    /// Whether their account was linked only now.
    pub(super) linked: bool,
}

impl Applicant<'_> {
    /// Finds or makes the account. What is changed on the way to a refusal counts as well.
    pub(super) async fn admit(&self, tx: &mut Connection) -> Result<Result<Admitted, Refusal>, Failure> {
        let now = self.console.now();
        if let Some(id) = identities::find(tx, self.identity).await? {
            let user = users::find(tx, id).await?.ok_or(Failure::NotFound("You are gone."))?;
            if user.disabled_at.is_some() {
                return Ok(Err(Refusal::ShutOut));
            }
            let Some(user) = self.take_role(tx, user).await? else { return Ok(Err(Refusal::NoRole)) };
            identities::used(tx, self.identity, now).await?;
            return Ok(Ok(Admitted { user, linked: false }));
        }
        let Some(email) = self.proven.email.as_deref() else { return Ok(Err(Refusal::NoAddress)) };
        match users::find_by_email(tx, email).await? {
            Some(user) => self.link(tx, user).await,
            None => self.join(tx, email).await,
        }
    }

    /// Gives them the role that their groups give; `None` if they give none. Owners are made here alone, and stay what they are.
    async fn take_role(&self, tx: &mut Connection, user: User) -> Result<Option<User>, Failure> {
        if user.role == Role::Owner || self.roles.is_empty() {
            return Ok(Some(user));
        }
        let Some(role) = self.roles.role_of(&self.proven.groups) else {
            sessions::end_all(tx, user.id, None).await?;
            return Ok(None);
        };
        if role != user.role {
            users::set_role(tx, user.id, role).await?;
            let change = (json!({ "role": user.role }), json!({ "role": role, "groups": true }));
            self.note(tx, "user.update", user.id, change).await?;
        }
        Ok(Some(User { role, ..user }))
    }

    /// Links the account of their mail address, if that is proven to be theirs.
    async fn link(&self, tx: &mut Connection, user: User) -> Result<Result<Admitted, Refusal>, Failure> {
        if !self.proven.email_verified {
            return Ok(Err(Refusal::Unverified));
        }
        if user.disabled_at.is_some() {
            return Ok(Err(Refusal::ShutOut));
        }
        if identities::has_one_of(tx, user.id, self.identity.issuer).await? {
            return Ok(Err(Refusal::OtherPerson));
        }
        let Some(user) = self.take_role(tx, user).await? else { return Ok(Err(Refusal::NoRole)) };
        identities::link(tx, user.id, self.identity, self.console.now()).await?;
        self.note(tx, "user.identity.create", user.id, (Value::Null, json!({ "issuer": self.identity.issuer }))).await?;
        Ok(Ok(Admitted { user, linked: true }))
    }

    /// Makes an account for somebody who is invited, or whose groups give a role.
    async fn join(&self, tx: &mut Connection, email: &str) -> Result<Result<Admitted, Refusal>, Failure> {
        let now = self.console.now();
        let invitation = entry_links::invitation_of(tx, email, now).await?;
        if invitation.is_some() && !self.proven.email_verified {
            return Ok(Err(Refusal::Unverified));
        }
        let invited = invitation.as_ref().and_then(|link| match &link.purpose {
            Purpose::Invitation { role, .. } => Some(*role),
            _ => None,
        });
        let by_group = self.roles.role_of(&self.proven.groups);
        let role = if invited == Some(Role::Owner) || self.roles.is_empty() { invited } else { by_group };
        let Some(role) = role else { return Ok(Err(Refusal::NoRole)) };
        let local = email.split('@').next().unwrap_or_default();
        let name = self.proven.name.as_deref().unwrap_or(local);
        let id = users::create(tx, &NewUser { email, name, role, password: None }, now).await?;
        identities::link(tx, id, self.identity, now).await?;
        if let Some(link) = invitation {
            entry_links::delete_invitation(tx, link.id).await?;
        }
        let after = json!({ "email": email, "role": role, "issuer": self.identity.issuer, "invited": invited.is_some() });
        self.note(tx, "user.joined", id, (Value::Null, after)).await?;
        let user = users::find(tx, id).await?.ok_or(Failure::NotFound("You are gone."))?;
        Ok(Ok(Admitted { user, linked: false }))
    }

    async fn note(&self, tx: &mut Connection, action: &'static str, user: UserId, (before, after): (Value, Value)) -> Result<(), Failure> {
        let actor = Actor::Visitor(self.proven.email.clone().unwrap_or_default());
        let event = Event { action, actor, address: Some(&self.origin.address), subject: format!("user:{user}"), before, after };
        Ok(security::record(tx, &self.console.secrets, self.console.now(), &event).await?)
    }
}
