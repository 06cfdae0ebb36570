//! `/maintenances`: planned windows.

use std::collections::HashMap;

use domain::{
    Act, ActError, Change, ComponentId, MAX_COMPONENTS, Maintenance, MaintenanceEdit, MaintenanceId, MaintenanceStatus, Recorded,
};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use storage::{
    Connection, Entry, StorageError, components,
    rows::{self, MaintenanceFilter, Maintenances},
};

use super::{
    Admin,
    body::Body,
    fields::{Fields, by_key},
    gate::Caller,
    incident_views::{of_key, title_and_body},
    problem::Problem,
    reply::{Created, Gone, IfMatch, List, Paging, Shown, View},
    types::{Name, Time},
};

pub(super) struct MaintenancesApi(pub(super) Admin);

/// A planned window.
#[derive(Object)]
#[oai(rename = "Maintenance")]
struct MaintenanceView {
    id: i64,
    title: String,
    /// Markdown, as written.
    body: String,
    status: Name<MaintenanceStatus>,
    starts_at: Time,
    ends_at: Time,
    /// The keys of the components that are under maintenance meanwhile.
    components: Vec<String>,
    /// The id of the series that it belongs to; null if it stands alone.
    #[oai(nullable)]
    series: Option<i64>,
    /// When subscribers will be told that it is planned; null once they have been.
    #[oai(nullable)]
    announces_at: Option<Time>,
    created_at: Time,
    updated_at: Time,
}

impl View for MaintenanceView {}

/// A maintenance to be announced.
#[derive(Object)]
struct NewMaintenance {
    title: String,
    /// Markdown: what is done, and what readers will notice.
    body: Option<String>,
    /// `scheduled` if it is left out.
    status: Option<Name<MaintenanceStatus>>,
    starts_at: Time,
    ends_at: Time,
    /// The keys of components.
    components: Option<Vec<String>>,
}

/// What is to be changed; what is left out stays.
#[derive(Object)]
struct MaintenancePatch {
    title: Option<String>,
    /// Markdown: what is done, and what readers will notice.
    body: Option<String>,
    /// Begins or ends it early, or calls it off.
    status: Option<Name<MaintenanceStatus>>,
    starts_at: Option<Time>,
    ends_at: Option<Time>,
    /// The keys of components.
    components: Option<Vec<String>>,
}

#[OpenApi]
impl MaintenancesApi {
    /// Lists maintenances, newest first.
    #[oai(path = "/maintenances", method = "get")]
    async fn list(
        &self,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        status: Query<Option<Name<MaintenanceStatus>>>,
        /// The key of a component that they are about.
        component: Query<Option<String>>,
        /// What their titles hold, in any case.
        title: Query<Option<String>>,
    ) -> Result<Json<List<MaintenanceView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let mut conn = self.0.db.read().await?;
        let keys = components::keys(&mut conn).await?;
        let component = component.0.map(|key| of_key(&keys, &key)).transpose()?;
        let filter = MaintenanceFilter { status: status.0.map(|status| status.0), component, title: title.0 };
        let rows = rows::maintenances_that(&mut conn, &filter, paging.before(), paging.n_wanted()).await?;
        Ok(Json(paging.list(rows, |row| row.id.0, |row| view(row, &keys))))
    }

    /// Announces a maintenance.
    #[oai(path = "/maintenances", method = "post")]
    async fn create(&self, Data(caller): Data<&Caller>, body: Body<NewMaintenance>) -> Result<Created<MaintenanceView>, Problem> {
        let NewMaintenance { title, body, status, starts_at, ends_at, components } = body.0;
        let wanted = MaintenancePatch { title: Some(title), body, status, starts_at: Some(starts_at), ends_at: Some(ends_at), components };
        let mut entry = self.0.begin().await?;
        let edit = edit(&mut entry.tx, wanted).await?;
        let recorded = self.act(entry, caller, Act::ScheduleMaintenance(edit)).await?;
        let id = recorded.iter().find_map(|recorded| match &recorded.change {
            Change::Maintenance { maintenance } => Some(maintenance.id),
            _ => None,
        });
        let id = id.ok_or_else(Problem::internal)?;
        Ok(Created { location: self.0.location("maintenances", id), view: self.find(id).await? })
    }

    /// Shows a maintenance.
    #[oai(path = "/maintenances/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<MaintenanceView>, Problem> {
        Ok(Shown(self.find(MaintenanceId(id.0)).await?))
    }

    /// Changes a maintenance that is not over.
    #[oai(path = "/maintenances/:id", method = "patch")]
    async fn update(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<MaintenancePatch>,
    ) -> Result<Shown<MaintenanceView>, Problem> {
        let id = MaintenanceId(id.0);
        let mut entry = self.0.begin().await?;
        if_match.check(&load(&mut entry.tx, id).await?)?;
        let edit = edit(&mut entry.tx, body.0).await?;
        self.act(entry, caller, Act::UpdateMaintenance { maintenance: id, edit }).await?;
        Ok(Shown(self.find(id).await?))
    }

    /// Calls off a maintenance that has not begun. It stays listed, as cancelled.
    #[oai(path = "/maintenances/:id", method = "delete")]
    async fn cancel(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let id = MaintenanceId(id.0);
        let mut entry = self.0.begin().await?;
        let maintenance = load(&mut entry.tx, id).await?;
        if_match.check(&maintenance)?;
        if maintenance.status.0 == MaintenanceStatus::InProgress {
            return Err(Problem::conflict("a running maintenance cannot be called off, only completed: PATCH its status"));
        }
        let edit = MaintenanceEdit { status: Some(MaintenanceStatus::Cancelled), ..MaintenanceEdit::default() };
        self.act(entry, caller, Act::UpdateMaintenance { maintenance: id, edit }).await?;
        Ok(Gone)
    }
}

impl MaintenancesApi {
    async fn find(&self, id: MaintenanceId) -> Result<MaintenanceView, Problem> {
        load(&mut self.0.db.read().await?, id).await
    }

    async fn act(&self, entry: Entry, caller: &Caller, act: Act) -> Result<Vec<Recorded>, Problem> {
        let recorded = self.0.act(entry, caller, act).await.map_err(|error| match error {
            // It is there, as was seen before, so it is over.
            StorageError::Act(ActError::NotFound(_)) => Problem::conflict("this maintenance is over and cannot be changed any more"),
            error => error.into(),
        })?;
        Ok(recorded)
    }
}

async fn edit(conn: &mut Connection, wanted: MaintenancePatch) -> Result<MaintenanceEdit, Problem> {
    let ids = by_key(&components::keys(conn).await?);
    let mut fields = Fields::default();
    title_and_body(&mut fields, wanted.title.as_deref(), wanted.body.as_deref());
    let components = wanted.components.map(|keys| {
        fields.at_most("components", &keys, MAX_COMPONENTS);
        fields.references("components", "component", &ids, &keys)
    });
    fields.done()?;
    Ok(MaintenanceEdit {
        title: wanted.title,
        body: wanted.body,
        status: wanted.status.map(|status| status.0),
        starts_at: wanted.starts_at.map(|at| at.0),
        ends_at: wanted.ends_at.map(|at| at.0),
        components,
    })
}

async fn load(conn: &mut Connection, id: MaintenanceId) -> Result<MaintenanceView, Problem> {
    let found = rows::maintenances(conn, Maintenances::One(id)).await?.pop();
    let maintenance = found.ok_or_else(|| Problem::not_found("maintenance"))?;
    Ok(view(maintenance, &components::keys(conn).await?))
}

fn view(maintenance: Maintenance, keys: &HashMap<ComponentId, String>) -> MaintenanceView {
    MaintenanceView {
        id: maintenance.id.0,
        title: maintenance.title,
        body: maintenance.body,
        status: Name(maintenance.status),
        starts_at: Time(maintenance.starts_at),
        ends_at: Time(maintenance.ends_at),
        components: maintenance.components.iter().filter_map(|id| keys.get(id).cloned()).collect(),
        series: maintenance.occurrence.map(|occurrence| occurrence.series.0),
        announces_at: maintenance.announce_at.map(Time),
        created_at: Time(maintenance.created_at),
        updated_at: Time(maintenance.updated_at),
    }
}
