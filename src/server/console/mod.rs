//! The web console: people sign in, look, and act. Server-rendered; every route passes the one gate.
//!
//! An area of the console is a file with `pub(super) fn routes(table: Table) -> Table`, its line in `table`, and its place in the rail
//! (`frame::AREAS`). A handler takes `Person` and `Frame` as arguments; who may call it stands in the table, and nowhere else.

mod acts;
mod audit;
mod brand;
mod choice;
mod chosen;
mod code;
mod columns;
mod component_list;
mod components;
mod confirm;
mod deliveries;
mod email;
mod entry;
mod factor;
mod failure;
mod forgot;
mod form;
mod frame;
mod gate;
mod going;
mod groups;
mod incident_list;
mod incidents;
mod integrations;
mod kept;
mod login;
mod maintenances;
mod meanwhile;
mod metrics;
mod notifications;
mod now;
pub mod oidc;
mod order;
mod pager;
mod passkey;
mod profile;
mod replay;
mod search;
mod seen;
mod series;
mod session;
mod sessions;
mod setup;
mod sign_in;
mod sources;
mod subscribers;
mod system;
mod team;
mod templates;
#[cfg(test)]
mod tests;
mod tokens;
mod webauthn;
mod why;
mod words;
mod zone;

use std::sync::Arc;

use domain::{Act, Recorded, Role, Timestamp};
use jobs::Clock;
use poem::Route;
use secrecy::ExposeSecret;
use serde_json::Value;
use storage::{
    Connection, Db, SecretBox, StorageError, Topic, Wake, entry_links, history, ledger,
    security::{self, Actor, Event},
};
use url::Url;

use crate::{Letters, admin::Operations, page::Page};

use gate::Table;
use oidc::Oidc;
use session::{Origin, Person};

/// How long somebody can take back what goes out: until then nothing leaves.
const UNDO_SECS: i64 = 10;

/// What the console works with. Cheap to clone; every handler gets it as `Data<&Console>`.
#[derive(Clone)]
pub struct Console {
    /// The database.
    pub db: Db,
    /// Encrypts what is stored as a secret.
    pub secrets: SecretBox,
    /// Wakes whoever waits for what was changed here.
    pub wake: Wake,
    /// Where this instance is found from outside.
    pub base_url: Url,
    /// What time it is.
    pub clock: Clock,
    /// The page whose console this is.
    pub page: Arc<Page>,
    /// Writes to people of the team.
    pub letters: Letters,
    /// The identity provider that people sign in with, if there is one.
    pub oidc: Option<Arc<Oidc>>,
    /// The roles that need a second factor.
    pub factor_roles: Arc<[Role]>,
    /// What can be done through the admin API.
    pub operations: Operations,
    /// What runs beside the console.
    pub machinery: Machinery,
}

/// What else there is, for the console to tell how it is.
#[derive(Clone)]
pub struct Machinery {
    /// Where notifications and polls wait for their turn: `database` or `redis`.
    pub queue: &'static str,
}

impl Console {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Does what somebody wants done, with all that follows from it.
    async fn act(&self, person: &Person, act: Act) -> Result<Vec<Recorded>, StorageError> {
        let recorded =
            history::act_noted(ledger::begin(&self.db, None).await?, &self.secrets, (&person.by(), &person.name), act, self.now()).await?;
        self.wake_all().await;
        Ok(recorded)
    }

    /// Tells whoever waits for what people change.
    async fn wake_all(&self) {
        self.wake.wake(Topic::Changes).await;
        self.wake.wake(Topic::Notifications).await;
    }

    /// Records something that needs no other change.
    async fn record(&self, action: &'static str, actor: Actor, origin: &Origin, subject: String) -> Result<(), StorageError> {
        let mut tx = self.db.begin().await?;
        security::record(&mut tx, &self.secrets, self.now(), &event(action, actor, origin, subject)).await?;
        tx.commit().await
    }

    /// Whether people reach us over TLS.
    fn https(&self) -> bool {
        self.base_url.scheme() == "https"
    }
}

/// Something that happened without a before and an after.
fn event<'a>(action: &'static str, actor: Actor, origin: &'a Origin, subject: String) -> Event<'a> {
    Event { action, actor, address: Some(&origin.address), subject, before: Value::Null, after: Value::Null }
}

/// Adds everything below `/console` to `route`.
pub(crate) fn add_to(route: Route, console: Console) -> Route {
    table(console).add_to(route)
}

/// Every route of the console, with what it needs.
fn table(console: Console) -> Table {
    let table = Table::new(console);
    let areas = [
        setup::routes,
        entry::routes,
        forgot::routes,
        login::routes,
        code::routes,
        confirm::routes,
        kept::routes,
        oidc::routes,
        profile::routes,
        email::routes,
        factor::routes,
        passkey::routes,
        team::routes,
        sessions::routes,
        now::routes,
        incident_list::routes,
        incidents::routes,
        templates::routes,
        maintenances::routes,
        series::routes,
        component_list::routes,
        order::routes,
        groups::routes,
        components::routes,
        sources::routes,
        why::routes,
        integrations::routes,
        replay::routes,
        chosen::routes,
        deliveries::routes,
        metrics::routes,
        brand::routes,
        subscribers::routes,
        notifications::routes,
        tokens::routes,
        audit::routes,
        search::routes,
        system::routes,
    ];
    areas.into_iter().fold(table, |table, routes| routes(table))
}

/// Makes the link by which the first owner sets up, unless somebody has done so.
///
/// # Errors
/// What the database said.
pub async fn set_up_link(db: &Db, secrets: &SecretBox, base_url: &Url, now: Timestamp) -> Result<Option<String>, StorageError> {
    let mut tx = db.begin().await?;
    if storage::users::is_set_up(&mut tx).await? {
        return Ok(None);
    }
    let link = entry_link(&mut tx, &entry_links::Purpose::SetUp, base_url, now).await?;
    let event = Event {
        action: "set_up.link_made",
        actor: Actor::CommandLine,
        address: None,
        subject: "set_up".to_owned(),
        before: Value::Null,
        after: Value::Null,
    };
    security::record(&mut tx, secrets, now, &event).await?;
    tx.commit().await?;
    Ok(Some(link))
}

/// Makes a link that lets somebody in once.
///
/// # Errors
/// What the database said.
pub async fn entry_link(
    conn: &mut Connection,
    purpose: &entry_links::Purpose,
    base_url: &Url,
    now: Timestamp,
) -> Result<String, StorageError> {
    let secret = entry_links::create(conn, purpose, now).await?;
    let path = match purpose {
        entry_links::Purpose::SetUp => "setup",
        entry_links::Purpose::Invitation { .. } => "join",
        entry_links::Purpose::Password { .. } => "password",
        entry_links::Purpose::Email { .. } => "email",
    };
    Ok(format!("{}/console/{path}/{}", base_url.as_str().trim_end_matches('/'), secret.expose_secret()))
}
