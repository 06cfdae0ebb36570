//! How integrations are shown: what may be known of their secrets, and what came in lately.

use ::integrations::heartbeat::SLUG;
use domain::{IntegrationId, Timestamp};
use poem_openapi::{Object, types::ToJSON};
use serde_json::Value;
use storage::{
    Connection,
    confirmations::{self, Confirmation, ConfirmationState},
    deliveries::{self, DeliveryState, Rejection},
    duplicates,
    integrations::{self, Integration, KnownSecret},
    polls,
};
use url::Url;

use super::{
    problem::Problem,
    reply::{View, etag_of},
    routes::{self, RouteBody},
    types::{Name, Silence, Time},
};

/// A configured provider.
#[derive(Object)]
#[oai(rename = "Integration")]
pub(super) struct IntegrationView {
    id: i64,
    /// Its name in the hook's address and in configuration files.
    key: String,
    /// The kind of sender, such as `alertmanager`.
    provider: String,
    name: String,
    enabled: bool,
    /// After how long without a delivery its silence is a signal; null for never.
    #[oai(nullable)]
    silent_after: Option<Silence>,
    /// What the provider asks for.
    settings: Value,
    /// Where the sender posts to.
    hook_url: String,
    /// What may be known of its secrets.
    secrets: Vec<SecretView>,
    /// Left out of a list that was asked for without them.
    #[oai(skip_serializing_if_is_none)]
    routes: Option<Vec<RouteBody>>,
    created_at: Time,
    /// The newest delivery; tests are none of its own.
    #[oai(nullable)]
    last_delivery: Option<LastDelivery>,
    /// Requests that were not let in, by reason.
    rejections: Vec<RejectionView>,
    /// Deliveries that came again: they were acknowledged and changed nothing. Null if none did.
    #[oai(nullable)]
    duplicates: Option<DuplicatesView>,
    /// How asking goes, for a provider that is asked and once it has been.
    #[oai(nullable)]
    poll: Option<PollView>,
    /// Calls that its sender waits for before it begins to send, as the topics of Amazon SNS do, and what came of them.
    confirmations: Vec<ConfirmationView>,
}

impl IntegrationView {
    /// As a list may show it.
    pub(super) fn without_routes(self) -> Self {
        Self { routes: None, ..self }
    }
}

impl View for IntegrationView {
    /// What comes in changes nothing about the integration itself.
    fn etag(&self) -> String {
        let mut json = self.to_json().unwrap_or_default();
        if let Some(fields) = json.as_object_mut() {
            fields.retain(|name, _| !matches!(name.as_str(), "last_delivery" | "rejections" | "duplicates" | "poll" | "confirmations"));
        }
        etag_of(&json)
    }
}

/// What may be known of a secret.
#[derive(Object)]
#[oai(rename = "Secret")]
pub(super) struct SecretView {
    id: i64,
    /// Its last four characters; empty for a short one.
    hint: String,
    created_at: Time,
}

impl View for SecretView {}

/// The newest delivery to an integration.
#[derive(Object)]
pub(super) struct LastDelivery {
    id: i64,
    received_at: Time,
    state: Name<DeliveryState>,
}

/// Requests that were not let in.
#[derive(Object)]
#[oai(rename = "Rejection")]
pub(super) struct RejectionView {
    /// A stable code, such as `bad_signature`.
    reason: String,
    /// How many.
    n: i64,
    first_at: Time,
    last_at: Time,
    /// What the last one lacked.
    detail: String,
}

/// Deliveries that came again.
#[derive(Object)]
#[oai(rename = "Duplicates")]
pub(super) struct DuplicatesView {
    /// How many.
    n: i64,
    first_at: Time,
    last_at: Time,
    /// The sender's own id of the last.
    external_id: String,
    /// The id of the delivery that the last one repeats, while it is kept.
    #[oai(nullable)]
    delivery: Option<i64>,
}

/// How asking a source goes.
#[derive(Object)]
#[oai(rename = "Poll")]
pub(super) struct PollView {
    /// When it is asked next.
    next_at: Time,
    /// When it could last be read.
    #[oai(nullable)]
    answered_at: Option<Time>,
    /// How often since it could not.
    pub(super) failures: i32,
    /// Whether it could not be read the last time, and what it said before still holds: from the first failure until it counts as lost.
    stale: bool,
    /// Why it could not, the last time.
    #[oai(nullable)]
    last_error: Option<String>,
    /// Whether it counts as unreadable, so that what it feeds is unknown.
    pub(super) lost: bool,
}

/// A call that a sender waits for before it begins to send.
#[derive(Object)]
#[oai(rename = "Confirmation")]
pub(super) struct ConfirmationView {
    /// What begins then: the ARN of a topic.
    subject: String,
    state: Name<ConfirmationState>,
    /// When the sender asked for it, the last time.
    requested_at: Time,
    /// How often it was called since.
    attempts: i32,
    /// When it is called next.
    #[oai(nullable)]
    next_at: Option<Time>,
    /// When the sender took it, or when it was given up.
    #[oai(nullable)]
    settled_at: Option<Time>,
    /// Why it failed, the last time.
    #[oai(nullable)]
    last_error: Option<String>,
}

/// What came in lately.
#[derive(Default)]
pub(super) struct Activity {
    pub(super) last_delivery: Option<LastDelivery>,
    pub(super) rejections: Vec<RejectionView>,
    pub(super) duplicates: Option<DuplicatesView>,
    pub(super) poll: Option<PollView>,
    pub(super) confirmations: Vec<ConfirmationView>,
}

pub(super) async fn activity(conn: &mut Connection, id: IntegrationId, provider: &str) -> Result<Activity, Problem> {
    let last = integrations::last_delivery(conn, id, ::integrations::example::PREFIX).await?;
    let rejection = |row: Rejection| RejectionView {
        reason: row.reason,
        n: row.n,
        first_at: Time(Timestamp(row.first_at)),
        last_at: Time(Timestamp(row.last_at)),
        detail: row.detail,
    };
    Ok(Activity {
        last_delivery: last.map(|(id, at, state)| LastDelivery { id: id.0, received_at: Time(at), state: Name(state) }),
        rejections: deliveries::rejections(conn, id).await?.into_iter().map(rejection).collect(),
        duplicates: duplicates::find(conn, id).await?.map(|row| DuplicatesView {
            n: row.n,
            first_at: Time(row.first_at),
            last_at: Time(row.last_at),
            external_id: row.external_id,
            delivery: row.delivery.map(|id| id.0),
        }),
        poll: polls::find(conn, id).await?.map(|memory| PollView {
            next_at: Time(Timestamp(memory.next_at)),
            answered_at: memory.answered_at.map(|at| Time(Timestamp(at))),
            failures: memory.failures,
            stale: memory.is_stale(),
            last_error: memory.last_error,
            lost: memory.lost,
        }),
        confirmations: confirmations_of(conn, id, provider).await?,
    })
}

async fn confirmations_of(conn: &mut Connection, id: IntegrationId, provider: &str) -> Result<Vec<ConfirmationView>, Problem> {
    if ::integrations::find(provider).is_none_or(|provider| provider.quirks.confirm.is_none()) {
        return Ok(Vec::new());
    }
    let confirmation = |row: Confirmation| ConfirmationView {
        subject: row.subject,
        state: Name(row.state),
        requested_at: Time(row.requested_at),
        attempts: row.attempts,
        next_at: row.next_at.map(Time),
        settled_at: row.settled_at.map(Time),
        last_error: row.last_error,
    };
    Ok(confirmations::list(conn, id).await?.into_iter().map(confirmation).collect())
}

pub(super) async fn load(conn: &mut Connection, id: IntegrationId, base_url: &Url) -> Result<IntegrationView, Problem> {
    let integration = integrations::find(conn, id).await?.ok_or_else(|| Problem::not_found("integration"))?;
    let activity = activity(conn, id, &integration.provider).await?;
    Ok(view(integration, activity, base_url))
}

pub(super) fn view(integration: Integration, activity: Activity, base_url: &Url) -> IntegrationView {
    IntegrationView {
        id: integration.id.0,
        hook_url: hook_url(&integration, base_url),
        key: integration.key,
        provider: integration.provider,
        name: integration.edit.name,
        enabled: integration.edit.enabled,
        silent_after: integration.edit.silent_after.map(Silence),
        settings: integration.edit.settings,
        secrets: integration.secrets.into_iter().map(secret_view).collect(),
        routes: Some(integration.routes.into_iter().map(routes::view).collect()),
        created_at: Time(integration.created_at),
        last_delivery: activity.last_delivery,
        rejections: activity.rejections,
        duplicates: activity.duplicates,
        poll: activity.poll,
        confirmations: activity.confirmations,
    }
}

/// Where it sends to. A heartbeat adds its secret, which is not shown.
fn hook_url(integration: &Integration, base_url: &Url) -> String {
    let base = base_url.as_str().trim_end_matches('/');
    if integration.provider == SLUG { format!("{base}/ping") } else { format!("{base}/hooks/{}", integration.key) }
}

pub(super) fn secret_view(secret: KnownSecret) -> SecretView {
    SecretView { id: secret.id, hint: secret.hint, created_at: Time(secret.created_at) }
}
