//! What the forms of the console send, and what is said beside their fields.

use std::collections::BTreeMap;

use domain::{ActError, Component, ComponentId, Group, Status};
use poem::{FromRequest, Request, RequestBody, Result, http::StatusCode};
use storage::StorageError;

use super::{failure::Failure, meanwhile::Version};
use crate::admin::Refused;

/// A form as it was sent, with fields that nobody can know before: one for each component.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(BTreeMap<String, String>);

impl<'a> FromRequest<'a> for Sent {
    async fn from_request(_: &'a Request, body: &mut RequestBody) -> Result<Self> {
        // The gate has held it to its size.
        let bytes = body.take()?.into_vec().await?;
        Ok(Self(url::form_urlencoded::parse(&bytes).into_owned().collect()))
    }
}

impl From<Vec<(String, String)>> for Sent {
    fn from(fields: Vec<(String, String)>) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl Sent {
    /// The version that the form was opened on.
    pub(super) fn version(&self) -> Version {
        Version { etag: self.text("etag"), was: self.text("was") }
    }

    /// What stands in a field; empty if it was not sent. Browsers send line breaks of two characters; we keep one.
    pub(super) fn text(&self, name: &str) -> String {
        self.0.get(name).map(|text| text.trim().replace("\r\n", "\n")).unwrap_or_default()
    }

    /// Whether a box is ticked, or a button was pressed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// One of a list of names.
    pub(super) fn named<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name).parse().ok()
    }

    /// The components that are ticked, each with the status chosen beside it.
    pub(super) fn affected(&self) -> BTreeMap<ComponentId, Status> {
        let ticked = self.0.keys().filter_map(|name| name.strip_prefix("on-")?.parse().ok());
        ticked.map(|id: i64| (ComponentId(id), self.named(&format!("as-{id}")).unwrap_or(Status::PartialOutage))).collect()
    }
}

/// What is wrong, by field.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors(BTreeMap<&'static str, String>);

impl Errors {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.entry(field).or_insert_with(|| message.into());
    }

    /// What is wrong with a field.
    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    /// The status of a form that is shown with these, and with what changed meanwhile if that is so.
    pub(super) fn status(&self, is_outdated: bool) -> StatusCode {
        match (is_outdated, self.is_empty()) {
            (true, _) => StatusCode::PRECONDITION_FAILED,
            (false, true) => StatusCode::OK,
            (false, false) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    /// What an operation has against one of these fields.
    pub(super) fn of_refused(refused: Refused, fields: &[&'static str]) -> Result<Self, Failure> {
        let mut errors = Self::default();
        for field in fields {
            if let Some(message) = refused.field(field) {
                errors.add(field, sentence(message));
            }
        }
        if errors.is_empty() { Err(refused.into()) } else { Ok(errors) }
    }

    /// What the domain has against an act, where a field is to blame.
    pub(super) fn of_act(error: StorageError) -> Result<Self, Failure> {
        let mut errors = Self::default();
        match error {
            StorageError::Act(ActError::Invalid { field, message }) => errors.add(field, sentence(&message)),
            StorageError::Act(ActError::NotFound(_)) => {
                return Err(Failure::Conflict("It is gone, or over and cannot be changed any more. Load the list again.".to_owned()));
            }
            StorageError::Taken { field } => errors.add(field, "This is taken already."),
            error => return Err(error.into()),
        }
        Ok(errors)
    }
}

/// `must not be empty` as `Must not be empty.`
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}

/// A component that may be chosen.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) id: ComponentId,
    pub(super) name: String,
    pub(super) hidden: bool,
    /// How it is now, for the team.
    pub(super) now: Status,
    pub(super) on: bool,
    /// What is said of it, if it is chosen.
    pub(super) status: Status,
}

/// The components of a heading.
#[derive(Clone, Debug)]
pub(super) struct Choices {
    pub(super) heading: String,
    pub(super) choices: Vec<Choice>,
}

/// Every component by heading, in page order; those that are chosen carry what is said of them.
pub(super) fn choices(groups: &[Group], components: &[Component], chosen: &BTreeMap<ComponentId, Status>) -> Vec<Choices> {
    let choice = |component: &Component| {
        let now = component.status.max(component.internal_status);
        let usual = if now.is_fault() { now } else { Status::PartialOutage };
        let on = chosen.get(&component.id);
        let (id, name, hidden) = (component.id, component.name.clone(), component.hidden);
        Choice { id, name, hidden, now, on: on.is_some(), status: on.copied().unwrap_or(usual) }
    };
    let of = |group| components.iter().filter(|component| component.group == group).map(choice).collect::<Vec<_>>();
    let headed = groups.iter().map(|group| Choices { heading: group.name.clone(), choices: of(Some(group.id)) });
    let other = if groups.is_empty() { "Components" } else { "In no group" };
    let all = headed.chain([Choices { heading: other.to_owned(), choices: of(None) }]);
    all.filter(|heading| !heading.choices.is_empty()).collect()
}
