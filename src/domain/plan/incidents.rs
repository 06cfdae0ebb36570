//! Incidents that the evaluator opens, follows and resolves.

use std::collections::{BTreeMap, BTreeSet};

use super::{EVALUATOR, MAX_TITLE_CHARS, Planner};
use crate::{
    Cause, CauseKey, Change, ComponentId, Impact, Incident, IncidentId, IncidentStatus, IncidentUpdate, NoticeAbout, NoticeKind, Publish,
    Route, Signal, Status, StatusChange, UpdateId, Why, render_template,
};

impl Planner<'_> {
    /// Gives a cause that counts an incident: an open one about the same, one that has just ended, or a new one.
    pub(super) fn attach(&mut self, key: &CauseKey, signal: Option<&Signal>, why: &Why) {
        let Some(cause) = self.state.causes.get(key).filter(|cause| cause.counts()).cloned() else { return };
        let Some(route) = self.state.routes.get(&cause.route).filter(|route| route.publish != Publish::Shadow) else { return };
        let affected: Vec<ComponentId> = route.components.iter().copied().filter(|id| !self.is_excused(*id)).collect();
        if affected.is_empty() {
            return; // Nothing to tell: no components, or all of them under maintenance or a person's word.
        }
        let published = route.publish == Publish::Auto;
        let why = Why { route: Some(route.id), ..why.clone() };
        let open = cause.incident.filter(|id| self.state.incidents.get(id).is_some_and(|incident| !incident.status.is_over()));
        match open.or_else(|| self.find_open(&cause, published, &affected)) {
            Some(id) => self.join(&cause, id, &affected, &why),
            None if cause.incident.is_some() => {} // A person resolved it while it still fires: their word stands.
            None => match self.find_recent(&cause, published, &affected) {
                Some(id) => self.reopen(&cause, id, &affected, &why),
                None => self.open(&cause, &affected, published, signal, &why),
            },
        }
    }

    fn is_excused(&self, id: ComponentId) -> bool {
        self.state.under_maintenance(id)
            || self
                .state
                .components
                .get(&id)
                .is_none_or(|component| component.overridden.as_ref().is_some_and(|word| !word.status.is_fault()))
    }

    fn find_open(&self, cause: &Cause, published: bool, affected: &[ComponentId]) -> Option<IncidentId> {
        let about_the_same = |incident: &&Incident| {
            !incident.status.is_over()
                && incident.published == published
                && (incident.opened_by == Some(cause.route) || affected.iter().any(|id| incident.components.contains_key(id)))
        };
        self.state.incidents.values().rev().find(about_the_same).map(|incident| incident.id)
    }

    fn find_recent(&self, cause: &Cause, published: bool, affected: &[ComponentId]) -> Option<IncidentId> {
        let cool_off = self.state.routes.get(&cause.route)?.cool_off;
        let about_the_same = |incident: &&Incident| {
            incident.opened_by.is_some()
                && incident.published == published
                && incident.status == IncidentStatus::Resolved
                && incident.resolved_at.is_some_and(|at| self.now.since(at) <= cool_off)
                && (incident.opened_by == Some(cause.route) || affected.iter().any(|id| incident.components.contains_key(id)))
        };
        self.state.incidents.values().rev().find(about_the_same).map(|incident| incident.id)
    }

    fn open(&mut self, cause: &Cause, affected: &[ComponentId], published: bool, signal: Option<&Signal>, why: &Why) {
        let Some(route) = self.state.routes.get(&cause.route) else { return };
        let names = self.names(affected.iter().copied());
        let (title, body) = texts(route, cause, signal, &names);
        let incident = Incident {
            id: IncidentId(self.fresh_id()),
            title,
            status: IncidentStatus::Investigating,
            impact: Impact::from(cause.status),
            published,
            opened_by: Some(cause.route),
            components: affected.iter().map(|id| (*id, cause.status)).collect(),
            started_at: self.now,
            resolved_at: None,
            updated_at: self.now,
        };
        self.bind(cause, incident.id, why);
        self.timeline(incident, body, affected, NoticeKind::IncidentOpened, why);
    }

    fn reopen(&mut self, cause: &Cause, id: IncidentId, affected: &[ComponentId], why: &Why) {
        let Some(before) = self.state.incidents.get(&id).cloned() else { return };
        let incident = Incident {
            status: IncidentStatus::Investigating,
            resolved_at: None,
            updated_at: self.now,
            ..worsened(before, affected, cause.status)
        };
        let names = self.names(affected.iter().copied());
        self.bind(cause, id, why);
        let body = format!("The problem is back: {names}, {}.", cause.status.words());
        self.timeline(incident, body, affected, NoticeKind::IncidentReopened, why);
    }

    fn join(&mut self, cause: &Cause, id: IncidentId, affected: &[ComponentId], why: &Why) {
        let Some(before) = self.state.incidents.get(&id).cloned() else { return };
        if cause.incident != Some(id) {
            self.bind(cause, id, why);
        }
        if before.opened_by.is_none() {
            return; // A person's incident: what it says is theirs.
        }
        let worse: Vec<ComponentId> =
            affected.iter().copied().filter(|id| before.components.get(id).is_none_or(|worst| *worst < cause.status)).collect();
        if worse.is_empty() {
            return;
        }
        let incident = Incident { updated_at: self.now, ..worsened(before, &worse, cause.status) };
        let body = format!("{}: {}.", self.names(worse.iter().copied()), cause.status.words());
        self.timeline(incident, body, &worse, NoticeKind::IncidentUpdated, why);
    }

    fn bind(&mut self, cause: &Cause, incident: IncidentId, why: &Why) {
        self.emit(Change::CauseSet { cause: Cause { incident: Some(incident), ..cause.clone() }, moved: false }, why);
    }

    /// Writes an entry whose components change to what the causes say, and tells subscribers if readers may see it.
    fn timeline(&mut self, incident: Incident, body: String, affected: &[ComponentId], kind: NoticeKind, why: &Why) {
        let to = |id: &ComponentId| incident.components.get(id).copied().unwrap_or_default();
        let from = |id: &ComponentId| self.state.components.get(id).map_or(Status::Unknown, |component| component.status);
        let components = affected.iter().map(|id| StatusChange { component: *id, from: from(id), to: to(id) }).collect();
        self.write(incident, body, components, kind, EVALUATOR, why);
    }

    pub(super) fn write(&mut self, incident: Incident, body: String, components: Vec<StatusChange>, kind: NoticeKind, by: &str, why: &Why) {
        let update = IncidentUpdate {
            id: UpdateId(self.fresh_id()),
            incident: incident.id,
            status: incident.status,
            body,
            components,
            at: self.now,
            by: by.to_owned(),
        };
        let named: Vec<ComponentId> = incident.components.keys().copied().collect();
        let tell = self.is_visible(&incident);
        self.emit(Change::Incident { incident: incident.clone(), update: Some(update.clone()) }, why);
        if tell {
            self.notify(kind, NoticeAbout::Incident { incident, update }, named, why);
        }
    }

    /// The one rule for incidents: published, and about nothing or about something readers can see.
    fn is_visible(&self, incident: &Incident) -> bool {
        incident.published && (incident.components.is_empty() || incident.components.keys().any(|id| self.visible(*id).is_some()))
    }

    /// After statuses changed: says in open incidents what has recovered, and resolves those that nothing keeps open.
    pub(super) fn follow_incidents(&mut self, changes: &[StatusChange], ended: Option<IncidentId>, why: &Why) {
        let touched: BTreeSet<IncidentId> = (self.state.incidents.values())
            .filter(|incident| incident.opened_by.is_some() && !incident.status.is_over())
            .filter(|incident| {
                Some(incident.id) == ended || changes.iter().any(|change| incident.components.contains_key(&change.component))
            })
            .map(|incident| incident.id)
            .collect();
        for id in touched {
            if self.n_causes(id) == 0 {
                self.resolve_incident(id, why);
            } else {
                self.report_recovered(id, changes, why);
            }
        }
    }

    pub(super) fn resolve_idle_incidents(&mut self, why: &Why) {
        let idle: Vec<IncidentId> = (self.state.incidents.values())
            .filter(|incident| incident.opened_by.is_some() && !incident.status.is_over() && self.n_causes(incident.id) == 0)
            .map(|incident| incident.id)
            .collect();
        for id in idle {
            self.resolve_incident(id, why);
        }
    }

    fn n_causes(&self, id: IncidentId) -> usize {
        self.state.causes.values().filter(|cause| cause.counts() && cause.incident == Some(id)).count()
    }

    fn resolve_incident(&mut self, id: IncidentId, why: &Why) {
        let Some(before) = self.state.incidents.get(&id).cloned() else { return };
        let components = (before.components.iter())
            .filter_map(|(id, worst)| Some(StatusChange { component: *id, from: *worst, to: self.state.components.get(id)?.status }))
            .collect();
        let names = self.names(before.components.keys().copied());
        let incident = Incident { status: IncidentStatus::Resolved, resolved_at: Some(self.now), updated_at: self.now, ..before };
        let verb = if incident.components.len() == 1 { "has" } else { "have" };
        self.write(incident, format!("{names} {verb} recovered."), components, NoticeKind::IncidentResolved, EVALUATOR, why);
    }

    fn report_recovered(&mut self, id: IncidentId, changes: &[StatusChange], why: &Why) {
        let Some(before) = self.state.incidents.get(&id).cloned() else { return };
        let better: Vec<StatusChange> = (changes.iter())
            .filter(|change| change.to < change.from && before.components.contains_key(&change.component))
            .copied()
            .collect();
        if better.is_empty() {
            return;
        }
        let mut by_status: BTreeMap<Status, Vec<ComponentId>> = BTreeMap::new();
        for change in &better {
            by_status.entry(change.to).or_default().push(change.component);
        }
        let body = by_status.into_iter().map(|(to, ids)| format!("{}: {}.", self.names(ids), to.words())).collect::<Vec<_>>().join(" ");
        let incident = Incident { updated_at: self.now, ..before };
        self.write(incident, body, better, NoticeKind::IncidentUpdated, EVALUATOR, why);
    }
}

fn worsened(mut incident: Incident, affected: &[ComponentId], status: Status) -> Incident {
    for id in affected {
        let worst = incident.components.entry(*id).or_default();
        *worst = (*worst).max(status);
    }
    incident.impact = incident.impact.max(Impact::from(status));
    incident
}

/// An incident's title and first text: the route's templates, or sentences that give away nothing internal.
fn texts(route: &Route, cause: &Cause, signal: Option<&Signal>, names: &str) -> (String, String) {
    let empty = minijinja::Value::UNDEFINED;
    let context = minijinja::context! {
        signal => signal.map_or(empty, crate::to_value),
        components => names,
        status => cause.status.words(),
    };
    let render = |template: &Option<String>| {
        let text = render_template(template.as_deref()?, &context).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let title = render(&route.title).unwrap_or_else(|| format!("{names}: {}", cause.status.words()));
    let body = render(&route.body).unwrap_or_else(|| format!("We are investigating a problem with {names}."));
    (title.replace(['\r', '\n'], " ").chars().take(MAX_TITLE_CHARS).collect(), body)
}
