//! What people do: write incidents, plan maintenance, overrule signals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Planner, entries::Entry, incidents::Ending};
use crate::{
    Change, ComponentId, Incident, IncidentId, IncidentStatus, IncidentUpdate, MaintenanceId, MaintenanceStatus, NoticeKind, Override,
    RouteId, Span, Status, Timestamp, UpdateId, WaitingActId, Why,
};

/// The longest title of an incident or a maintenance, in characters.
pub const MAX_TITLE_CHARS: usize = 200;
/// The longest text of an update or a maintenance, in characters.
pub const MAX_BODY_CHARS: usize = 20_000;

/// What a person does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Overrules what signals say about a component, or ceases to.
    Override {
        /// Which.
        component: ComponentId,
        /// The word; `None` to go back to the signals. `by` is filled in.
        overridden: Option<Override>,
    },
    /// Opens an incident.
    OpenIncident(IncidentEdit),
    /// Adds an entry to an incident's timeline, or edits it where `body` is empty.
    UpdateIncident {
        /// Which.
        incident: IncidentId,
        /// What changes.
        edit: IncidentEdit,
    },
    /// Removes an incident with its timeline.
    DeleteIncident {
        /// Which.
        incident: IncidentId,
    },
    /// Says something about an incident after a while, unless it is taken back until then.
    Wait {
        /// Which; `None` for a new one.
        incident: Option<IncidentId>,
        /// What is said.
        edit: IncidentEdit,
        /// How long it waits, at most [`crate::MAX_WAIT`].
        wait: Span,
    },
    /// Takes back what waits, or puts by what was refused when its time came.
    TakeBack {
        /// Which.
        waiting: WaitingActId,
    },
    /// Lets what waits leave at once.
    LeaveNow {
        /// Which.
        waiting: WaitingActId,
    },
    /// Does not let an incident publish itself.
    Veto {
        /// Which.
        incident: IncidentId,
    },
    /// Lets readers see what was learned from an incident that is over.
    PublishPostmortem {
        /// Which.
        incident: IncidentId,
        /// The entry that says it so far, if one does: it is written anew, in its place.
        entry: Option<IncidentUpdate>,
        /// The text, Markdown.
        body: String,
        /// Whether subscribers are told.
        notify: bool,
    },
    /// Takes it from the timeline again.
    WithdrawPostmortem {
        /// Which.
        incident: IncidentId,
        /// The entry that says it.
        entry: UpdateId,
    },
    /// Announces a maintenance.
    ScheduleMaintenance(MaintenanceEdit),
    /// Changes a maintenance.
    UpdateMaintenance {
        /// Which.
        maintenance: MaintenanceId,
        /// What changes.
        edit: MaintenanceEdit,
    },
}

/// What is to be true of an incident; `None` leaves a field as it is (or at its default when it is opened).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IncidentEdit {
    /// The title; needed when it is opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<IncidentStatus>,
    /// The entry's text, Markdown. Without one, a plain sentence says where the incident stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Which components it affects, and how. Only for incidents that people opened: in others the signals say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<BTreeMap<ComponentId, Status>>,
    /// Whether readers see it. A published incident cannot be taken back, only deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<bool>,
}

/// What is to be true of a maintenance; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceEdit {
    /// The title; needed when it is announced.
    pub title: Option<String>,
    /// The text, Markdown.
    pub body: Option<String>,
    /// Where it stands: begin or end early, or call it off.
    pub status: Option<MaintenanceStatus>,
    /// When it begins; needed when it is announced.
    pub starts_at: Option<Timestamp>,
    /// When it ends; needed when it is announced.
    pub ends_at: Option<Timestamp>,
    /// What is under maintenance meanwhile.
    pub components: Option<Vec<ComponentId>>,
}

/// An act that does not fit the state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// What the act is about is not there, or is too old to be changed.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A field does not fit.
    #[error("{field}: {message}")]
    Invalid {
        /// Its name in the API.
        field: &'static str,
        /// What is wrong and what is allowed.
        message: String,
    },
}

/// A title, a text, and a route.
type EditWords = (Option<String>, Option<String>, Option<RouteId>);

pub(super) fn invalid(field: &'static str, message: impl Into<String>) -> ActError {
    ActError::Invalid { field, message: message.into() }
}

impl Planner<'_> {
    pub(super) fn act(&mut self, by: &str, act: Act) -> Result<(), ActError> {
        match act {
            Act::Override { component, overridden } => self.set_override(by, component, overridden),
            Act::OpenIncident(edit) => self.open_by_person(by, None, edit),
            Act::UpdateIncident { incident, edit } => self.update_by_person(by, incident, edit),
            Act::DeleteIncident { incident } => self.delete_incident(by, incident),
            Act::Wait { incident, edit, wait } => self.let_wait(by, incident, edit, wait),
            Act::TakeBack { waiting } => self.take_back(by, waiting),
            Act::LeaveNow { waiting } => self.leave_now(by, waiting),
            Act::Veto { incident } => self.veto(by, incident),
            Act::PublishPostmortem { incident, entry, body, notify } => self.publish_postmortem(by, incident, entry, &body, notify),
            Act::WithdrawPostmortem { incident, entry } => self.withdraw_postmortem(by, incident, entry),
            Act::ScheduleMaintenance(edit) => self.schedule(by, edit),
            Act::UpdateMaintenance { maintenance, edit } => self.update_maintenance(by, maintenance, edit),
        }
    }

    fn set_override(&mut self, by: &str, component: ComponentId, overridden: Option<Override>) -> Result<(), ActError> {
        if !self.state.components.contains_key(&component) {
            return Err(ActError::NotFound("component"));
        }
        if overridden.as_ref().is_some_and(|word| word.until.is_some_and(|until| until <= self.now)) {
            return Err(invalid("until", "must lie in the future"));
        }
        let overridden = overridden.map(|word| Override { by: by.to_owned(), ..word });
        if self.state.components.get(&component).is_some_and(|component| component.overridden == overridden) {
            return Ok(());
        }
        let text = match &overridden {
            Some(word) => format!("{by} set the status to {}", word.status.words()),
            None => format!("{by} gave the status back to the signals"),
        };
        let why = person(by, text);
        self.emit(Change::Override { component, overridden }, &why);
        self.reconcile_components(&[component], &why);
        Ok(())
    }

    /// The title and the text of an incident that a person opens, if it can be opened.
    pub(super) fn words_of_new(&self, edit: &IncidentEdit) -> Result<(String, Option<String>), ActError> {
        let title = title(edit.title.as_deref())?.ok_or_else(|| invalid("title", "is needed"))?;
        let body = body(edit.body.as_deref())?;
        self.check_components(edit.components.iter().flat_map(BTreeMap::keys))?;
        Ok((title, body))
    }

    /// `id` is the one that was kept for it, if it had to wait.
    pub(super) fn open_by_person(&mut self, by: &str, id: Option<IncidentId>, edit: IncidentEdit) -> Result<(), ActError> {
        let (title, body) = self.words_of_new(&edit)?;
        let components = edit.components.unwrap_or_default();
        let status = edit.status.unwrap_or(IncidentStatus::Investigating);
        let incident = Incident {
            id: id.unwrap_or_else(|| IncidentId(self.fresh_id())),
            title,
            status,
            impact: self.impact(&components),
            published: edit.published.unwrap_or(true),
            publishes_at: None,
            vetoed: false,
            opened_by: None,
            scoped: !components.is_empty(),
            components,
            started_at: self.now,
            resolved_at: status.is_over().then_some(self.now),
            updated_at: self.now,
            added_at: None,
        };
        let why = person(by, format!("{by} opened the incident \"{}\"", incident.title));
        self.write_and_follow(None, incident, body, NoticeKind::IncidentOpened, by, &why);
        Ok(())
    }

    /// The title and the text that a person gives an incident, and the route that it belongs to afterwards, if it can be changed so.
    pub(super) fn words_of_edit(&self, before: &Incident, edit: &IncidentEdit) -> Result<EditWords, ActError> {
        let (title, text) = (title(edit.title.as_deref())?, body(edit.body.as_deref())?);
        if edit.published == Some(false) && before.published {
            return Err(invalid("published", "a published incident cannot be taken back; delete it instead"));
        }
        // Reopened by a person although nothing fires: nothing but a person will end it, so it is a person's from now on.
        let is_over = edit.status.unwrap_or(before.status).is_over();
        let taken_over = before.status.is_over() && !is_over && self.causes_in(before.id).next().is_none();
        let opened_by = before.opened_by.filter(|_| !taken_over);
        if let Some(components) = &edit.components {
            self.check_components(components.keys())?;
            if opened_by.is_some() {
                return Err(invalid("components", "follow from signals in this incident; set the component's status instead"));
            }
        }
        Ok((title, text, opened_by))
    }

    pub(super) fn update_by_person(&mut self, by: &str, id: IncidentId, edit: IncidentEdit) -> Result<(), ActError> {
        let before = self.state.incidents.get(&id).cloned().ok_or(ActError::NotFound("incident"))?;
        let (new_title, text, opened_by) = self.words_of_edit(&before, &edit)?;
        let status = edit.status.unwrap_or(before.status);
        let scoped = edit.components.as_ref().map_or(before.scoped, |components| !components.is_empty());
        let components = edit.components.unwrap_or_else(|| before.components.clone());
        let published = edit.published.unwrap_or(before.published);
        let (publishes_at, vetoed) = Self::held_after(&before, published, status.is_over());
        let text = text.or_else(|| self.words_if_held(&before).filter(|_| published));
        let incident = Incident {
            title: new_title.unwrap_or_else(|| before.title.clone()),
            status,
            impact: before.impact.max(self.impact(&components)),
            published,
            publishes_at,
            vetoed,
            opened_by,
            scoped,
            components,
            added_at: before.added_at.filter(|_| status.is_over()),
            resolved_at: if status.is_over() { before.resolved_at.or(Some(self.now)) } else { None },
            updated_at: self.now,
            ..before.clone()
        };
        if incident == (Incident { updated_at: self.now, ..before.clone() }) && text.is_none() {
            return Ok(());
        }
        let kind = kind_of(&before, &incident);
        let mut why = person(by, format!("{by} updated the incident \"{}\"", incident.title));
        match (before.status.is_over(), status.is_over()) {
            (false, true) => {
                let n = self.mute(id, by, "resolved");
                if n > 0 {
                    why.text.push_str(&format!("; alerts that still fire, and are muted now: {n}"));
                }
            }
            (true, false) => self.unmute(id, by),
            _ => {}
        }
        let moved = kind != NoticeKind::IncidentUpdated || before.status != incident.status || before.components != incident.components;
        if text.is_none() && !moved {
            self.emit(Change::Incident { incident, update: None }, &why); // Only the wording: nobody is told.
            return Ok(());
        }
        self.write_and_follow(Some(&before), incident, text, kind, by, &why);
        Ok(())
    }

    /// Stores an incident with a new entry, and brings the components it speaks of up to date.
    pub(super) fn write_and_follow(
        &mut self,
        before: Option<&Incident>,
        incident: Incident,
        body: Option<String>,
        kind: NoticeKind,
        by: &str,
        why: &Why,
    ) {
        let mut ids: Vec<ComponentId> = incident.components.keys().copied().collect();
        ids.extend(before.into_iter().flat_map(|before| before.components.keys().copied()));
        ids.extend(self.components_in(incident.id));
        ids.sort();
        ids.dedup();
        let says_changes = kind == NoticeKind::IncidentUpdated && before.is_some_and(|before| before.status == incident.status);
        let (about, by, why_of_entry) = (ids.clone(), by.to_owned(), why.clone());
        self.entries.push(Entry { incident: incident.id, kind, by, body, says_changes, about, why: why_of_entry });
        self.emit(Change::Incident { incident, update: None }, why);
        self.attach_companions(&ids, None, why);
        let changes = self.set_statuses(&ids, why);
        // The new entry has told of what it speaks of; what depends on that has its own incidents.
        let ended = self.resolve_idle(self.at_stake(&ids, None), Ending::Resolved, why);
        self.follow_incidents(&changes, &ended, None, why);
    }

    fn delete_incident(&mut self, by: &str, id: IncidentId) -> Result<(), ActError> {
        let before = self.state.incidents.get(&id).cloned().ok_or(ActError::NotFound("incident"))?;
        let why = person(by, format!("{by} deleted the incident \"{}\"", before.title));
        let mut ids = self.components_in(id);
        ids.extend(before.components.keys().copied());
        self.mute(id, by, "deleted");
        self.drop_waiting(id, &why);
        self.emit(Change::IncidentDeleted { incident: id }, &why);
        let changes = self.set_statuses(&ids, &why);
        let told = self.resolve_idle(self.at_stake(&ids, None), Ending::Resolved, &why);
        self.follow_incidents(&changes, &told, None, &why);
        Ok(())
    }

    pub(super) fn check_components<'a>(&self, ids: impl Iterator<Item = &'a ComponentId>) -> Result<(), ActError> {
        for id in ids {
            if !self.state.components.contains_key(id) {
                return Err(invalid("components", format!("there is no component {id}")));
            }
        }
        Ok(())
    }
}

/// What a person's update amounts to for subscribers.
fn kind_of(before: &Incident, after: &Incident) -> NoticeKind {
    match (before.published, before.status.is_over(), after.status.is_over()) {
        (false, _, _) if after.published => NoticeKind::IncidentOpened,
        (_, false, true) => NoticeKind::IncidentResolved,
        (_, true, false) => NoticeKind::IncidentReopened,
        _ => NoticeKind::IncidentUpdated,
    }
}

pub(super) fn person(by: &str, text: String) -> Why {
    Why { text, actor: Some(by.to_owned()), ..Why::default() }
}

pub(super) fn title(text: Option<&str>) -> Result<Option<String>, ActError> {
    let Some(text) = text.map(str::trim) else { return Ok(None) };
    match text.chars().count() {
        0 => Err(invalid("title", "must not be empty")),
        n if n > MAX_TITLE_CHARS => Err(invalid("title", format!("has {n} characters, at most {MAX_TITLE_CHARS} are allowed"))),
        _ if text.chars().any(char::is_control) => Err(invalid("title", "must not contain control characters")),
        _ => Ok(Some(text.to_owned())),
    }
}

pub(super) fn body(text: Option<&str>) -> Result<Option<String>, ActError> {
    let Some(text) = text.map(str::trim) else { return Ok(None) };
    match text.chars().count() {
        0 => Ok(None),
        n if n > MAX_BODY_CHARS => Err(invalid("body", format!("has {n} characters, at most {MAX_BODY_CHARS} are allowed"))),
        _ if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) => {
            Err(invalid("body", "must not contain control characters other than line breaks and tabs"))
        }
        _ => Ok(Some(text.to_owned())),
    }
}
