//! The admin API: everything the team can see and do, for programs. The OpenAPI document is made from this code.
//!
//! A request passes the `gate` (rate, token, scope, parameters, size), its body is held to the `schema` that the document shows,
//! and its operation checks what the fields mean. Every error is a `problem`.

mod audit;
mod body;
mod bulk;
mod changes;
mod checking;
mod components;
mod conventions;
mod cursor;
mod deliveries;
mod document;
mod fields;
mod gate;
mod groups;
mod incident_views;
mod incidents;
mod insight;
mod integration_views;
mod integrations;
mod invitations;
mod maintenances;
mod me;
mod metrics;
mod notifications;
mod once;
mod operations;
mod page;
mod policies;
mod postmortems;
mod problem;
mod progress;
mod providers;
mod reply;
mod roles;
mod routes;
mod rules;
mod schema;
mod series;
mod series_effect;
mod sessions;
mod settings;
mod signals;
mod sorting;
mod sources;
mod subscribers;
mod templates;
#[cfg(test)]
mod tests;
mod tokens;
mod trail;
mod types;
mod users;
mod waiting;

use std::sync::Arc;

use domain::{Act, Change, Recorded, State, Timestamp};
use jobs::shared_limits::SharedLimits;
use poem::{EndpointExt, IntoEndpoint, IntoResponse, Route, http::StatusCode, middleware::CatchPanic};
use poem_openapi::OpenApiService;
use storage::{Connection, Db, Entry, SecretBox, StorageError, Topic, Wake, history, ledger};
use url::Url;

use crate::Letters;
pub(crate) use audit::{Format as AuditFormat, export as export_audit};
pub(crate) use bulk::MAX_AT_ONCE;
use gate::{Caller, Gate};
pub use operations::Operations;
pub(crate) use operations::{Actor, Refused};
pub(crate) use page::drafted as drafted_page;
use problem::Problem;
pub(crate) use progress::{Progress, Watcher};
pub use settings::{OidcSettings, Settings};

/// Where the operations are, below the base URL.
const BASE_PATH: &str = "/api/admin/v1";

/// What the admin API works with. Cheap to clone.
#[derive(Clone)]
pub struct Admin {
    /// The database.
    pub db: Db,
    /// Encrypts what is stored as a secret.
    pub secrets: SecretBox,
    /// Wakes whoever waits for what was changed here.
    pub wake: Wake,
    /// Where this instance is found from outside.
    pub base_url: Url,
    /// What time it is.
    pub clock: fn() -> Timestamp,
    /// Where processes count requests together.
    pub shared_limits: Option<SharedLimits>,
    /// How much one token may ask.
    pub token_requests_per_second: u16,
    /// Writes to people of the team.
    pub letters: Letters,
    /// What the instance runs with, to be shown.
    pub settings: Arc<Settings>,
}

/// The operations, in the order in which the document lists them.
type Apis = (
    components::ComponentsApi,
    groups::GroupsApi,
    (incidents::IncidentsApi, waiting::WaitingApi, postmortems::PostmortemsApi, templates::TemplatesApi),
    (maintenances::MaintenancesApi, series::SeriesApi),
    integrations::IntegrationsApi,
    (insight::InsightApi, checking::CheckingApi),
    providers::ProvidersApi,
    deliveries::DeliveriesApi,
    subscribers::SubscribersApi,
    notifications::NotificationsApi,
    metrics::MetricsApi,
    page::PageApi,
    tokens::TokensApi,
    me::MeApi,
    audit::AuditApi,
    TeamApis,
);

/// Those about people. A tuple holds no more than sixteen, so that some are in one of their own.
type TeamApis = (users::UsersApi, invitations::InvitationsApi, sessions::SessionsApi, roles::RolesApi, settings::SettingsApi);

/// Everything below `/api/admin`: `/v1/…`, `/openapi.json` and `/docs`. Middleware in front may put an [`std::net::IpAddr`] into the
/// request's data where it knows the client's address better than the connection does.
pub fn routes(admin: Admin) -> Route {
    let service = OpenApiService::new(apis(&admin), "Fanal admin API", env!("CARGO_PKG_VERSION"));
    let document = document::Document::new(&service.spec(), &admin.base_url);
    let gate = Gate::new(admin, service.into_endpoint(), document.query_names());
    let operations = gate.with(CatchPanic::new().with_handler(|_| Problem::internal().into_response()));
    let inner = document.routes().nest("/v1", operations);
    let all = inner.catch_all_error(|error: poem::Error| async move { Problem::respond(&error) });
    Route::new().nest("/", all)
}

fn apis(admin: &Admin) -> Apis {
    (
        components::ComponentsApi(admin.clone()),
        groups::GroupsApi(admin.clone()),
        (
            incidents::IncidentsApi(admin.clone()),
            waiting::WaitingApi(admin.clone()),
            postmortems::PostmortemsApi(admin.clone()),
            templates::TemplatesApi(admin.clone()),
        ),
        (maintenances::MaintenancesApi(admin.clone()), series::SeriesApi(admin.clone())),
        integrations::IntegrationsApi(admin.clone()),
        (insight::InsightApi::new(admin.clone()), checking::CheckingApi(admin.clone())),
        providers::ProvidersApi,
        deliveries::DeliveriesApi(admin.clone()),
        subscribers::SubscribersApi(admin.clone()),
        notifications::NotificationsApi(admin.clone()),
        metrics::MetricsApi(admin.clone()),
        page::PageApi(admin.clone()),
        tokens::TokensApi(admin.clone()),
        me::MeApi,
        audit::AuditApi(admin.clone()),
        (
            users::UsersApi(admin.clone()),
            invitations::InvitationsApi(admin.clone()),
            sessions::SessionsApi(admin.clone()),
            roles::RolesApi,
            settings::SettingsApi(admin.clone()),
        ),
    )
}

impl Admin {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Begins to change components, routes or what else decides statuses.
    async fn begin(&self) -> Result<Entry, Problem> {
        Ok(ledger::begin(&self.db, None).await?)
    }

    /// Works out what follows from the change, and makes all of it lasting.
    async fn finish(&self, mut entry: Entry, caller: &Caller) -> Result<(), Problem> {
        let (state, _) = history::reconfigured_uncommitted(&mut entry, caller.name(), self.now()).await?;
        self.commit_entry(entry, &state, caller).await
    }

    /// Makes history lasting, with its row in the audit log.
    async fn commit_entry(&self, mut entry: Entry, state: &State, caller: &Caller) -> Result<(), Problem> {
        caller.trail.record(&mut entry.tx, &self.secrets, self.now()).await?;
        entry.commit(state).await?;
        self.wake_all().await;
        Ok(())
    }

    /// Does what a person wants done, with what follows from it, and makes all of it lasting.
    async fn act(&self, mut entry: Entry, caller: &Caller, act: Act) -> Result<Vec<Recorded>, StorageError> {
        let (state, recorded) = history::act_uncommitted(&mut entry, caller.name(), act, self.now()).await?;
        if let Some(id) = recorded.iter().find_map(made) {
            caller.trail.made(id);
        }
        caller.trail.record(&mut entry.tx, &self.secrets, self.now()).await?;
        entry.commit(&state).await?;
        self.wake_all().await;
        Ok(recorded)
    }

    /// Makes lasting what changes no status and no history.
    async fn commit(&self, mut tx: Connection, caller: &Caller) -> Result<(), Problem> {
        caller.trail.record(&mut tx, &self.secrets, self.now()).await?;
        Ok(tx.commit().await?)
    }

    async fn wake_all(&self) {
        self.wake.wake(Topic::Changes).await;
        self.wake.wake(Topic::Notifications).await;
    }

    /// Where something is found, for `Location`.
    fn location(&self, path: &str, id: impl std::fmt::Display) -> String {
        format!("{}{BASE_PATH}/{path}/{id}", self.base_path())
    }

    /// The path of the base URL, without a slash at its end.
    fn base_path(&self) -> &str {
        self.base_url.path().trim_end_matches('/')
    }
}

/// The id of the incident or maintenance that was made or changed.
fn made(recorded: &Recorded) -> Option<i64> {
    match &recorded.change {
        Change::Incident { incident, .. } => Some(incident.id.0),
        Change::Waiting { act } => Some(act.incident.0),
        Change::Maintenance { maintenance } => Some(maintenance.id.0),
        _ => None,
    }
}

/// Refuses to make more of something than there may be.
fn check_count(n: usize, max: usize, what: &str) -> Result<(), Problem> {
    if n < max { Ok(()) } else { Err(Problem::new(StatusCode::CONFLICT, format!("there are {n} {what} already, no more are allowed"))) }
}
