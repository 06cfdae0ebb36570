//! `/deliveries`: every request that senders made, and what became of it.

use std::collections::{BTreeMap, HashMap};

use ::integrations::example;
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{DeliveryId, IntegrationId};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use storage::{
    Connection, Topic,
    deliveries::{self, Delivery, DeliveryFilter, DeliveryState, Summary},
    fates,
    history::{self, About},
    integrations,
    order::Order,
};

use super::{
    Admin,
    body::Body,
    bulk::check_ids,
    changes::{ChangeView, Names},
    fields::{Fields, by_key},
    gate::Caller,
    problem::Problem,
    reply::{Accepted, List, Paging, Shown, View},
    signals::{self, SignalView},
    sorting,
    types::{Name, Sort, Time},
};

/// The most deliveries that one request lets the evaluator look at again.
const MAX_REPLAYED: i64 = 10_000;

pub(super) struct DeliveriesApi(pub(super) Admin);

/// A request that a sender made, as it came, and what became of it.
#[derive(Object)]
#[oai(rename = "Delivery")]
struct DeliveryView {
    id: i64,
    /// The key of the integration.
    integration: String,
    /// The sender's own id of it; a random one where it has none.
    external_id: String,
    received_at: Time,
    state: Name<DeliveryState>,
    /// Why, where that needs saying.
    #[oai(nullable)]
    reason: Option<String>,
    #[oai(nullable)]
    evaluated_at: Option<Time>,
    /// Whether it is a test of the team's, which changes nothing and says nothing.
    test: bool,
    /// Names in lower case; several values of one name are joined by commas. Credentials are redacted.
    headers: BTreeMap<String, String>,
    /// The raw body.
    body: String,
    /// `utf-8`: the body is given as it is; `base64`: it is no text.
    body_encoding: String,
    /// What it says, in Fanal's terms.
    signals: Vec<SignalView>,
}

impl View for DeliveryView {}

/// A delivery in a list.
#[derive(Object)]
struct DeliverySummary {
    id: i64,
    /// The key of the integration.
    integration: String,
    /// The sender's own id of it; a random one where it has none.
    external_id: String,
    received_at: Time,
    state: Name<DeliveryState>,
    /// Why, where that needs saying.
    #[oai(nullable)]
    reason: Option<String>,
    #[oai(nullable)]
    evaluated_at: Option<Time>,
    /// Whether it is a test of the team's, which changes nothing.
    test: bool,
    body_bytes: i64,
}

/// Which deliveries to look at again: those that are named, or all of a kind.
#[derive(Object)]
struct ReplayMany {
    /// These and no others: each once, at most 200. Beside them only `dry_run` may be given.
    ids: Option<Vec<i64>>,
    /// The key of an integration; left out for all.
    integration: Option<String>,
    /// `quarantined` if it is left out.
    state: Option<Name<DeliveryState>>,
    /// Only those that arrived then or later.
    from: Option<Time>,
    /// Only those that arrived before.
    to: Option<Time>,
    /// Only those with a greater id: the `last` of the answer before, where that had more.
    after: Option<i64>,
    /// The most that are taken up; 10,000, which is also the most there can be, if it is left out.
    limit: Option<i64>,
    /// Only says how many there are.
    dry_run: Option<bool>,
}

/// How many deliveries are looked at again.
#[derive(Object)]
struct Replayed {
    /// With `dry_run`: how many would be.
    replayed: u64,
    /// Whether there may be more: one request takes the oldest, up to its limit.
    more: bool,
    /// The id of the last of them: the `after` of the next request.
    #[oai(nullable)]
    last: Option<i64>,
    dry_run: bool,
}

#[OpenApi]
impl DeliveriesApi {
    /// Lists deliveries, newest first, without headers, bodies and signals.
    #[oai(path = "/deliveries", method = "get")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter")]
    async fn list(
        &self,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        /// The key of an integration.
        integration: Query<Option<String>>,
        state: Query<Option<Name<DeliveryState>>>,
        /// Only those that arrived then or later.
        from: Query<Option<Time>>,
        /// Only those that arrived before.
        to: Query<Option<Time>>,
        /// By what they are ordered; the newest come first if it is left out.
        sort: Query<Option<Sort<Summary>>>,
    ) -> Result<Json<List<DeliverySummary>>, Problem> {
        let slice = sorting::slice(limit.0, cursor.0.as_deref(), sort.0, Order::newest())?;
        let (from, to) = (from.0.map(|time| time.0), to.0.map(|time| time.0));
        let mut fields = Fields::default();
        fields.window(from, to);
        fields.done()?;
        let mut conn = self.0.db.read().await?;
        let keys = integrations::keys(&mut conn).await?;
        let integration = match integration.0 {
            None => None,
            Some(key) => {
                let id = by_key(&keys).get(&key).copied();
                Some(id.ok_or_else(|| Problem::field("integration", "is not the key of an integration"))?)
            }
        };
        let filter = DeliveryFilter { integration, state: state.0.map(|state| state.0), from, to };
        let rows = deliveries::list(&mut conn, filter, &slice).await?;
        Ok(Json(sorting::list(&slice, rows, |row| summary(row, &keys))))
    }

    /// Shows a delivery with everything.
    #[oai(path = "/deliveries/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<DeliveryView>, Problem> {
        Ok(Shown(self.find(DeliveryId(id.0)).await?))
    }

    /// Lists what a delivery changed, newest first, each with the chain that led to it.
    #[oai(path = "/deliveries/:id/changes", method = "get")]
    async fn changes(
        &self,
        id: Path<i64>,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<List<ChangeView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        self.find(DeliveryId(id.0)).await?;
        let mut conn = self.0.db.read().await?;
        let names = Names::load(&mut conn).await?;
        let rows = history::list(&mut conn, About::Delivery(DeliveryId(id.0)), paging.before(), paging.n_wanted()).await?;
        Ok(Json(paging.list(rows, |row| row.id, |row| names.view(row))))
    }

    /// Lets a delivery be looked at again, as if it had just arrived.
    #[oai(path = "/deliveries/:id/replay", method = "post")]
    async fn replay(&self, Data(caller): Data<&Caller>, id: Path<i64>) -> Result<Accepted<DeliveryView>, Problem> {
        let id = DeliveryId(id.0);
        let mut tx = self.0.db.begin().await?;
        if !fates::replay(&mut tx, id).await? {
            drop(tx);
            self.find(id).await?;
            return Err(Problem::conflict("this delivery still waits to be looked at"));
        }
        self.0.commit(tx, caller).await?;
        self.0.wake.wake(Topic::Deliveries).await;
        Ok(Accepted(self.find(id).await?))
    }

    /// Lets deliveries be looked at again: those that are named, or all of a kind, oldest first.
    #[oai(path = "/deliveries/replay", method = "post")]
    async fn replay_many(&self, Data(caller): Data<&Caller>, body: Body<ReplayMany>) -> Result<Accepted<Replayed>, Problem> {
        if body.0.ids.is_some() {
            return self.replay_these(caller, body.0).await;
        }
        let (after, dry_run) = (DeliveryId(body.0.after.unwrap_or(i64::MIN)), body.0.dry_run == Some(true));
        let limit = body.0.limit.unwrap_or(MAX_REPLAYED);
        if !(1..=MAX_REPLAYED).contains(&limit) {
            return Err(Problem::field("limit", format!("must lie between 1 and {MAX_REPLAYED}")));
        }
        // Looked for on a connection that only reads, so that the evaluator need not wait for it.
        let mut conn = self.0.db.read().await?;
        let filter = filter(&mut conn, body.0).await?;
        let (last, n) = fates::replayable(&mut conn, filter, after, limit).await?;
        drop(conn);
        let mut replayed = u64::try_from(n).unwrap_or(0);
        if let Some(last) = last.filter(|_| !dry_run) {
            let mut tx = self.0.db.begin().await?;
            replayed = fates::replay_many(&mut tx, filter, after, last).await?;
            caller.trail.touched(replayed);
            self.0.commit(tx, caller).await?;
            self.0.wake.wake(Topic::Deliveries).await;
        } else {
            caller.trail.changes_nothing();
        }
        Ok(Accepted(Replayed { replayed, more: n >= limit, last: last.map(|id| id.0), dry_run }))
    }
}

async fn filter(conn: &mut Connection, wanted: ReplayMany) -> Result<DeliveryFilter, Problem> {
    let ids = by_key(&integrations::keys(conn).await?);
    let mut fields = Fields::default();
    let integration = wanted.integration.and_then(|key| fields.reference("integration", "integration", &ids, &key));
    let state = wanted.state.map_or(DeliveryState::Quarantined, |state| state.0);
    if state == DeliveryState::Pending {
        fields.refuse("state", "`pending` deliveries are looked at anyway");
    }
    let (from, to) = (wanted.from.map(|time| time.0), wanted.to.map(|time| time.0));
    fields.window(from, to);
    fields.done()?;
    Ok(DeliveryFilter { integration, state: Some(state), from, to })
}

impl DeliveriesApi {
    /// Those that are named. What waits to be looked at anyway is left as it is.
    async fn replay_these(&self, caller: &Caller, wanted: ReplayMany) -> Result<Accepted<Replayed>, Problem> {
        let (ids, dry_run, mut fields) = (wanted.ids.unwrap_or_default(), wanted.dry_run == Some(true), Fields::default());
        check_ids(&mut fields, &ids);
        let besides = [
            ("integration", wanted.integration.is_some()),
            ("state", wanted.state.is_some()),
            ("from", wanted.from.is_some()),
            ("to", wanted.to.is_some()),
            ("after", wanted.after.is_some()),
            ("limit", wanted.limit.is_some()),
        ];
        for (name, _) in besides.into_iter().filter(|(_, is_given)| *is_given) {
            fields.refuse(name, "cannot be given beside `ids`");
        }
        fields.done()?;
        let mut tx = self.0.db.begin().await?;
        let ids: Vec<DeliveryId> = ids.into_iter().map(DeliveryId).collect();
        let replayed = fates::replay_these(&mut tx, &ids).await?;
        if dry_run {
            caller.trail.changes_nothing();
        } else {
            caller.trail.touched(replayed);
            self.0.commit(tx, caller).await?;
            self.0.wake.wake(Topic::Deliveries).await;
        }
        Ok(Accepted(Replayed { replayed, more: false, last: None, dry_run }))
    }

    async fn find(&self, id: DeliveryId) -> Result<DeliveryView, Problem> {
        let mut conn = self.0.db.read().await?;
        let delivery = deliveries::find(&mut conn, id).await?.ok_or_else(|| Problem::not_found("delivery"))?;
        Ok(view(delivery, &integrations::keys(&mut conn).await?))
    }
}

fn key_of(integration: IntegrationId, keys: &HashMap<IntegrationId, String>) -> String {
    keys.get(&integration).cloned().unwrap_or_default()
}

fn summary(row: Summary, keys: &HashMap<IntegrationId, String>) -> DeliverySummary {
    DeliverySummary {
        id: row.id.0,
        integration: key_of(row.integration, keys),
        test: example::is_own_id(&row.external_id),
        external_id: row.external_id,
        received_at: Time(row.received_at),
        state: Name(row.state),
        reason: row.reason,
        evaluated_at: row.evaluated_at.map(Time),
        body_bytes: row.body_bytes,
    }
}

fn view(delivery: Delivery, keys: &HashMap<IntegrationId, String>) -> DeliveryView {
    let test = example::is_test(&delivery.headers);
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in delivery.headers {
        let values = headers.entry(name).or_default();
        if !values.is_empty() {
            values.push_str(", ");
        }
        values.push_str(&value);
    }
    let (body, encoding) = match String::from_utf8(delivery.body) {
        Ok(text) => (text, "utf-8"),
        Err(error) => (STANDARD.encode(error.as_bytes()), "base64"),
    };
    DeliveryView {
        id: delivery.id.0,
        integration: key_of(delivery.integration, keys),
        external_id: delivery.external_id,
        received_at: Time(delivery.received_at),
        state: Name(delivery.state),
        reason: delivery.reason,
        evaluated_at: delivery.evaluated_at.map(Time),
        test,
        headers,
        body,
        body_encoding: encoding.to_owned(),
        signals: delivery.signals.iter().map(signals::view).collect(),
    }
}
