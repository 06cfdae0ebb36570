//! `/subscribers`: who wants to know.

use std::collections::HashMap;

use domain::{Channel, ComponentId, MAX_ADDRESS_CHARS, MAX_COMPONENTS, Outcome, SubscriberId};
use jobs::channels::webhook;
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::ToJSON,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use storage::{
    Connection, components,
    order::Order,
    subscribers::{self, NewSubscriber, Subscriber, SubscriberFilter},
};

use super::{
    Admin,
    body::Body,
    bulk::{MAX_AT_ONCE, Several, check_ids, refuse_missing},
    fields::{Fields, by_key},
    gate::Caller,
    problem::Problem,
    reply::{Created, Gone, IfMatch, List, Shown, View},
    sorting,
    types::{Name, Sort, Time},
};

pub(super) struct SubscribersApi(pub(super) Admin);

/// Somebody who wants to know.
#[derive(Object)]
#[oai(rename = "Subscriber")]
struct SubscriberView {
    id: i64,
    channel: Name<Channel>,
    /// A mail address or a URL.
    address: String,
    /// The keys of the components it wants to hear of; null for everything.
    #[oai(nullable)]
    components: Option<Vec<String>>,
    /// Whether a configuration file owns it.
    managed: bool,
    /// Null while the address was not confirmed; nothing is sent to it then.
    #[oai(nullable)]
    confirmed_at: Option<Time>,
    created_at: Time,
    /// Since when every try has failed.
    #[oai(nullable)]
    failing_since: Option<Time>,
    #[oai(nullable)]
    disabled_at: Option<Time>,
    #[oai(nullable)]
    disabled_reason: Option<String>,
}

impl View for SubscriberView {}

/// A subscriber to be added. It need not confirm: whoever adds it answers for the address.
#[derive(Object)]
struct AddSubscriber {
    channel: Name<Channel>,
    /// A mail address or a URL.
    address: String,
    /// What webhooks are signed with: `whsec_` and base64. One is made if it is left out.
    secret: Option<String>,
    /// The keys of the components it wants to hear of; null or left out for everything.
    #[oai(nullable)]
    components: Option<Vec<String>>,
}

/// A subscriber that was just added.
#[derive(Object)]
struct AddedSubscriber {
    id: i64,
    channel: Name<Channel>,
    address: String,
    #[oai(nullable)]
    components: Option<Vec<String>>,
    /// What its webhooks are signed with. It is shown once; null for mail.
    #[oai(nullable)]
    secret: Option<String>,
    created_at: Time,
}

/// How a test went.
#[derive(Object)]
struct TestSent {
    /// `delivered`; `transient`, where it may work later; `permanent`, or `gone`, where it never will.
    outcome: String,
    /// What the other side said, or what went wrong.
    detail: String,
}

#[OpenApi]
impl SubscribersApi {
    /// Lists subscribers.
    #[oai(path = "/subscribers", method = "get")]
    async fn list(
        &self,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        channel: Query<Option<Name<Channel>>>,
        /// Only those whose address holds this, in any case.
        address: Query<Option<String>>,
        /// By what they are ordered; by id if it is left out.
        sort: Query<Option<Sort<Subscriber>>>,
    ) -> Result<Json<List<SubscriberView>>, Problem> {
        let slice = sorting::slice(limit.0, cursor.0.as_deref(), sort.0, Order::oldest())?;
        let filter = SubscriberFilter { channel: channel.0.map(|channel| channel.0), address: address.0.filter(|part| !part.is_empty()) };
        let mut conn = self.0.db.read().await?;
        let keys = components::keys(&mut conn).await?;
        let rows = subscribers::list(&mut conn, &filter, &slice).await?;
        Ok(Json(sorting::list(&slice, rows, |row| view(row, &keys))))
    }

    /// Adds a subscriber.
    #[oai(path = "/subscribers", method = "post")]
    async fn create(&self, Data(caller): Data<&Caller>, body: Body<AddSubscriber>) -> Result<Created<AddedSubscriber>, Problem> {
        let new = body.0;
        let mut tx = self.0.db.begin().await?;
        let ids = by_key(&components::keys(&mut tx).await?);
        let mut fields = Fields::default();
        let (address, secret) = reached_by(&mut fields, new.channel.0, &new.address, new.secret);
        let scope = new.components.as_ref().map(|keys| {
            fields.at_most("components", keys, MAX_COMPONENTS);
            fields.references("components", "component", &ids, keys)
        });
        fields.done()?;
        let row = NewSubscriber { channel: new.channel.0, address: &address, secret: secret.as_ref(), components: scope.as_deref() };
        let now = self.0.now();
        let id = subscribers::insert(&mut tx, &self.0.secrets, &row, now).await?;
        caller.trail.made(id);
        self.0.commit(tx, caller).await?;
        let view = AddedSubscriber {
            id: id.0,
            channel: new.channel,
            address,
            components: new.components,
            secret: secret.map(|secret| secret.expose_secret().to_owned()),
            created_at: Time(now),
        };
        Ok(Created { location: self.0.location("subscribers", id), view })
    }

    /// Sends a subscriber a test, which says that it is one, and says how that went. It is tried once, and counts neither for nor against it. One that
    /// has not confirmed gets none.
    #[oai(path = "/subscribers/:id/test", method = "post")]
    async fn test(&self, Data(caller): Data<&Caller>, id: Path<i64>) -> Result<Json<TestSent>, Problem> {
        let (mut tx, id) = (self.0.db.begin().await?, SubscriberId(id.0));
        let known = subscribers::find(&mut tx, id).await?.ok_or_else(|| Problem::not_found("subscriber"))?;
        if known.confirmed_at.is_none() {
            return Err(Problem::conflict("this subscriber has not confirmed, so nothing is sent to it"));
        }
        let reached = subscribers::recipient(&mut tx, &self.0.secrets, id).await?;
        let (recipient, secrets) = reached.ok_or_else(|| Problem::not_found("subscriber"))?;
        self.0.commit(tx, caller).await?;
        let letters = &self.0.letters;
        let (outcome, detail) = match letters.channels.send_test(&letters.page.name(), &recipient, &secrets).await {
            Outcome::Delivered { detail } => ("delivered", detail),
            Outcome::Transient { why, .. } => ("transient", why),
            Outcome::Permanent { why } => ("permanent", why),
            Outcome::Gone { why } => ("gone", why),
        };
        Ok(Json(TestSent { outcome: outcome.to_owned(), detail }))
    }

    /// Removes up to 200 subscribers in one transaction, with everything that is owed to them.
    #[oai(path = "/subscribers/delete", method = "post")]
    async fn delete_many(&self, Data(caller): Data<&Caller>, body: Body<Several>) -> Result<Gone, Problem> {
        let (mut tx, is_dry, ids) = (self.0.db.begin().await?, body.0.is_dry(), body.0.ids);
        let before = these(&mut tx, &ids).await?;
        if is_dry {
            caller.trail.changes_nothing();
            return Ok(Gone);
        }
        // No more than says who they were: the log keeps only so much of one act.
        let brief = |was: &SubscriberView| json!({ "id": was.id, "channel": was.channel.to_json(), "address": was.address });
        caller.trail.was(before.iter().map(brief).collect());
        let ids: Vec<SubscriberId> = ids.into_iter().map(SubscriberId).collect();
        subscribers::delete_these(&mut tx, &ids).await?;
        self.0.commit(tx, caller).await?;
        Ok(Gone)
    }

    /// Switches up to 200 subscribers on again in one transaction; those that are on stay so.
    #[oai(path = "/subscribers/enable", method = "post")]
    async fn enable_many(&self, Data(caller): Data<&Caller>, body: Body<Several>) -> Result<Json<List<SubscriberView>>, Problem> {
        let (mut tx, is_dry, ids) = (self.0.db.begin().await?, body.0.is_dry(), body.0.ids);
        these(&mut tx, &ids).await?;
        for id in &ids {
            subscribers::enable(&mut tx, SubscriberId(*id)).await?;
        }
        let items = these(&mut tx, &ids).await?;
        if is_dry {
            caller.trail.changes_nothing();
        } else {
            self.0.commit(tx, caller).await?;
        }
        Ok(Json(List { items, next: None }))
    }

    /// Shows a subscriber.
    #[oai(path = "/subscribers/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<SubscriberView>, Problem> {
        Ok(Shown(load(&mut self.0.db.read().await?, SubscriberId(id.0)).await?))
    }

    /// Removes a subscriber with everything that is owed to it.
    #[oai(path = "/subscribers/:id", method = "delete")]
    async fn delete(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut tx = self.0.db.begin().await?;
        if_match.check(&load(&mut tx, SubscriberId(id.0)).await?)?;
        subscribers::delete(&mut tx, SubscriberId(id.0)).await?;
        self.0.commit(tx, caller).await?;
        Ok(Gone)
    }

    /// Switches a subscriber on again that was switched off.
    #[oai(path = "/subscribers/:id/enable", method = "post")]
    async fn enable(&self, Data(caller): Data<&Caller>, id: Path<i64>) -> Result<Shown<SubscriberView>, Problem> {
        let id = SubscriberId(id.0);
        let mut tx = self.0.db.begin().await?;
        subscribers::enable(&mut tx, id).await?;
        let shown = load(&mut tx, id).await?;
        self.0.commit(tx, caller).await?;
        Ok(Shown(shown))
    }
}

/// The address on a channel, and what is signed with there.
fn reached_by(fields: &mut Fields, channel: Channel, address: &str, secret: Option<String>) -> (String, Option<SecretString>) {
    match channel {
        Channel::Email => {
            if secret.is_some() {
                fields.refuse("secret", "is only for webhooks");
            }
            (fields.email("address", address), None)
        }
        Channel::Webhook => {
            let secret = secret.map_or_else(webhook::new_secret, SecretString::from);
            if let Err(error) = webhook::check_secret(&secret) {
                fields.refuse("secret", error.to_string());
            }
            (fields.url("address", address, &["https", "http"], MAX_ADDRESS_CHARS), Some(secret))
        }
    }
}

/// Those that a request names, every one of them.
async fn these(conn: &mut Connection, ids: &[i64]) -> Result<Vec<SubscriberView>, Problem> {
    let mut fields = Fields::default();
    check_ids(&mut fields, ids);
    let (keys, mut found) = (components::keys(conn).await?, Vec::with_capacity(ids.len()));
    for (i, id) in ids.iter().enumerate().take(MAX_AT_ONCE) {
        match subscribers::find(conn, SubscriberId(*id)).await? {
            Some(subscriber) => found.push(view(subscriber, &keys)),
            None => refuse_missing(&mut fields, i, "subscriber", id),
        }
    }
    fields.done()?;
    Ok(found)
}

async fn load(conn: &mut Connection, id: SubscriberId) -> Result<SubscriberView, Problem> {
    let subscriber = subscribers::find(conn, id).await?.ok_or_else(|| Problem::not_found("subscriber"))?;
    Ok(view(subscriber, &components::keys(conn).await?))
}

fn view(row: Subscriber, keys: &HashMap<ComponentId, String>) -> SubscriberView {
    let scope = |ids: Vec<ComponentId>| ids.iter().filter_map(|id| keys.get(id).cloned()).collect();
    SubscriberView {
        id: row.id.0,
        channel: Name(row.channel),
        address: row.address,
        components: row.components.map(scope),
        managed: row.managed,
        confirmed_at: row.confirmed_at.map(Time),
        created_at: Time(row.created_at),
        failing_since: row.failing_since.map(Time),
        disabled_at: row.disabled_at.map(Time),
        disabled_reason: row.disabled_reason,
    }
}
