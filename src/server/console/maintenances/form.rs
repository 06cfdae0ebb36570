//! The form of a maintenance.

use std::collections::BTreeMap;

use askama::Template;
use domain::{Component, ComponentId, Maintenance, MaintenanceEdit, MaintenanceStatus, Permission, Resource, SeriesId, Status};
use poem::Response;
use storage::{Connection, rows, subscribers};

use super::{is_open, window};
use crate::console::{
    Console,
    failure::Failure,
    form::{Choices, Errors, Sent, choices},
    frame::{Frame, show},
    meanwhile::{Field, Meanwhile, Version},
    session::Person,
    words,
    zone::{from_field, to_field},
};

/// What is typed into the form.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    pub(super) title: String,
    pub(super) body: String,
    pub(super) starts_at: String,
    pub(super) ends_at: String,
    pub(super) components: Vec<ComponentId>,
}

impl Typed {
    pub(super) fn new(sent: &Sent) -> Self {
        Self {
            title: sent.text("title"),
            body: sent.text("body"),
            starts_at: sent.text("starts_at"),
            ends_at: sent.text("ends_at"),
            components: sent.affected().into_keys().collect(),
        }
    }

    pub(super) fn fields(&self, all: &[Component]) -> Vec<Field> {
        let about = all.iter().filter(|component| self.components.contains(&component.id));
        let about: Vec<&str> = about.map(|component| component.name.as_str()).collect();
        vec![
            Field::new("title", "What is done", self.title.clone()),
            Field::new("body", "What readers will notice", self.body.clone()),
            Field::new("starts_at", "From", self.starts_at.clone()),
            Field::new("ends_at", "To", self.ends_at.clone()),
            Field::new("components", "What is under maintenance", about.join(", ")),
        ]
    }

    /// Puts in what somebody else has changed meanwhile and whoever typed has not touched.
    fn merge(&mut self, opened: &Version, theirs: &Self, all: &[Component]) -> Meanwhile {
        let mine = self.fields(all);
        let typed = |name: &str| mine.iter().find(|field| field.name == name).map(|field| field.value.clone());
        let meanwhile = Meanwhile::new(opened, theirs.fields(all), typed);
        for (name, field) in
            [("title", &mut self.title), ("body", &mut self.body), ("starts_at", &mut self.starts_at), ("ends_at", &mut self.ends_at)]
        {
            meanwhile.fill(name, field);
        }
        if meanwhile.taken("components").is_some() {
            self.components.clone_from(&theirs.components);
        }
        meanwhile
    }

    /// Reads it, with what is wrong.
    pub(super) fn check(&self) -> Result<MaintenanceEdit, Errors> {
        let mut errors = Errors::default();
        let (starts_at, ends_at) = (from_field(&self.starts_at), from_field(&self.ends_at));
        for (field, at) in [("starts_at", starts_at), ("ends_at", ends_at)] {
            if at.is_none() {
                errors.add(field, "This is not a time like 2026-12-31T23:59.");
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let (title, body, components) = (Some(self.title.clone()), Some(self.body.clone()), Some(self.components.clone()));
        Ok(MaintenanceEdit { title, body, status: None, starts_at, ends_at, components })
    }
}

#[derive(Template)]
#[template(path = "console/maintenance.html")]
struct Form<'a> {
    frame: &'a Frame,
    /// A new one has none.
    maintenance: Option<&'a Maintenance>,
    status: &'static str,
    window: String,
    /// Whether it can be changed, by this person.
    may_change: bool,
    typed: &'a Typed,
    picker: Vec<Choices>,
    affected: Vec<String>,
    told: String,
    errors: &'a Errors,
    version: Version,
    meanwhile: Option<Meanwhile>,
}

impl Form<'_> {
    fn id(&self) -> i64 {
        self.maintenance.map_or(0, |maintenance| maintenance.id.0)
    }

    /// The series that it is one of, as long as it can be changed with it.
    fn series(&self) -> Option<SeriesId> {
        let of = self.maintenance.filter(|maintenance| self.may_change && maintenance.is_scheduled())?;
        of.occurrence.map(|occurrence| occurrence.series)
    }

    fn is_running(&self) -> bool {
        self.maintenance.is_some_and(|maintenance| maintenance.status == MaintenanceStatus::InProgress)
    }
}

/// A maintenance that there is, for its form.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) maintenance: &'a Maintenance,
    /// The mark of this version.
    pub(super) etag: &'a str,
    /// The version that the form was opened on.
    pub(super) opened: Option<&'a Version>,
    /// Whether this one is newer.
    pub(super) is_newer: bool,
}

pub(super) async fn form(
    console: &Console,
    person: &Person,
    frame: &Frame,
    stored: Option<Stored<'_>>,
    mut typed: Typed,
    errors: &Errors,
) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let (groups, all) = (rows::groups(&mut conn).await?, rows::components(&mut conn).await?);
    let maintenance = stored.map(|stored| stored.maintenance);
    let now = |stored: Stored<'_>| Version::new(stored.etag, &as_it_is(stored.maintenance).fields(&all));
    let version = stored.map(|stored| Version::again(stored.opened, stored.is_newer, now(stored))).unwrap_or_default();
    let outdated = stored.filter(|stored| stored.is_newer).and_then(|stored| Some((stored.opened?, as_it_is(stored.maintenance))));
    let meanwhile = outdated.map(|(opened, theirs)| typed.merge(opened, &theirs, &all));
    let status = errors.status(meanwhile.is_some());
    let chosen: BTreeMap<ComponentId, Status> = typed.components.iter().map(|id| (*id, Status::UnderMaintenance)).collect();
    let about: Vec<&Component> = all.iter().filter(|component| chosen.contains_key(&component.id)).collect();
    let shown = Form {
        frame,
        maintenance,
        status: maintenance.map_or("", |maintenance| words::maintenance_status(&maintenance.status)),
        window: maintenance.map(window).unwrap_or_default(),
        may_change: person.may(Permission::write(Resource::Maintenances)) && maintenance.is_none_or(is_open),
        typed: &typed,
        picker: choices(&groups, &all, &chosen),
        affected: about.iter().map(|component| component.name.clone()).collect(),
        told: words::told(n_told(&mut conn, &about).await?),
        errors,
        version,
        meanwhile,
    };
    Ok(show(status, &shown))
}

async fn n_told(conn: &mut Connection, about: &[&Component]) -> Result<i64, Failure> {
    let visible: Vec<ComponentId> = about.iter().filter(|component| component.is_visible()).map(|component| component.id).collect();
    Ok(match (about.is_empty(), visible.is_empty()) {
        (true, _) => subscribers::n_told(conn, None).await?,
        (false, true) => 0,
        (false, false) => subscribers::n_told(conn, Some(&visible)).await?,
    })
}

pub(super) fn as_it_is(maintenance: &Maintenance) -> Typed {
    Typed {
        title: maintenance.title.clone(),
        body: maintenance.body.clone(),
        starts_at: to_field(maintenance.starts_at),
        ends_at: to_field(maintenance.ends_at),
        components: maintenance.components.clone(),
    }
}
