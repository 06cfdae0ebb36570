//! Makes history outside the evaluator: what people do, and what follows from a new configuration.

use std::collections::BTreeMap;

use domain::{
    Act, Channel, ComponentId, DeliveryId, Desired, IncidentId, Notice, NoticeAbout, NoticeId, NoticeKind, Recipient, Recorded, State,
    Timestamp, WaitState, Why, plan_act, plan_reconfigured,
};
use sqlx::QueryBuilder;

use crate::{
    Connection, Db, Entry, SecretBox, StorageError, audit, changes, configuration,
    db::sql,
    ledger, notifications, owner,
    rows::{self, Incidents, json},
    state, waiting,
};

/// Does what a person wants done, with everything that follows from it, in one transaction. Wake [`crate::Topic::Changes`] and
/// [`crate::Topic::Notifications`] afterwards.
///
/// # Errors
/// [`StorageError::Act`] if it does not fit the state, else what the database said; nothing was changed then.
pub async fn act(db: &Db, by: &str, act: Act, now: Timestamp) -> Result<Vec<Recorded>, StorageError> {
    let mut entry = ledger::begin(db, None).await?;
    let (state, recorded) = act_uncommitted(&mut entry, by, act, now).await?;
    entry.commit(&state).await?;
    Ok(recorded)
}

/// The same in a transaction that was begun before, to look at something first, and with a row in the audit log. `name` stands in the
/// history.
///
/// # Errors
/// As [`act`].
pub async fn act_noted(
    mut entry: Entry,
    secrets: &SecretBox,
    (by, name): (&audit::By, &str),
    act: Act,
    now: Timestamp,
) -> Result<Vec<Recorded>, StorageError> {
    let told = audit::Told::of(&act);
    let (state, recorded) = act_uncommitted(&mut entry, name, act, now).await?;
    let resource = told.resource(&recorded);
    let row = audit::Entry { by, action: told.action, resource, before: serde_json::Value::Null, after: told.after, at: now };
    audit::record(&mut entry.tx, secrets, &row).await?;
    entry.commit(&state).await?;
    Ok(recorded)
}

/// The same, for a caller that has something to add to the transaction before it commits it with the state.
///
/// # Errors
/// As [`act`].
pub async fn act_uncommitted(entry: &mut Entry, by: &str, act: Act, now: Timestamp) -> Result<(State, Vec<Recorded>), StorageError> {
    let mut state = state::load(entry).await?;
    recall(&mut entry.tx, &mut state, &act).await?;
    entry.visible = true;
    let recorded = plan_act(&mut state, by, act, now)?;
    changes::apply(entry, &mut state, &recorded).await?;
    Ok((state, recorded))
}

/// The same for several acts of one person, one after the other: all are done or none is.
///
/// # Errors
/// As [`act`], for the first that does not fit.
pub async fn acts_uncommitted(entry: &mut Entry, by: &str, acts: Vec<Act>, now: Timestamp) -> Result<State, StorageError> {
    let mut state = state::load(entry).await?;
    entry.visible = true;
    for act in acts {
        recall(&mut entry.tx, &mut state, &act).await?;
        let recorded = plan_act(&mut state, by, act, now)?;
        changes::apply(entry, &mut state, &recorded).await?;
    }
    Ok(state)
}

/// The evaluator forgets incidents that ended long ago, and what was refused; a person may still write about them, and put it by.
async fn recall(conn: &mut Connection, state: &mut State, act: &Act) -> Result<(), StorageError> {
    if let Act::TakeBack { waiting } = act
        && !state.waiting.contains_key(waiting)
    {
        let found = waiting::find(conn, *waiting).await?.filter(|act| act.state == WaitState::Refused);
        state.waiting.extend(found.map(|act| (act.id, act)));
    }
    let (Act::UpdateIncident { incident, .. }
    | Act::Wait { incident: Some(incident), .. }
    | Act::DeleteIncident { incident }
    | Act::Veto { incident }
    | Act::PublishPostmortem { incident, .. }
    | Act::WithdrawPostmortem { incident, .. }) = act
    else {
        return Ok(());
    };
    if !state.incidents.contains_key(incident) {
        let found = rows::incidents(conn, Incidents::One(*incident)).await?;
        state.incidents.extend(found.into_iter().map(|incident| (incident.id, incident)));
    }
    Ok(())
}

/// Works out what follows from components or routes that were changed in `entry`'s transaction, stores it, and commits all of it.
///
/// # Errors
/// What the database said; nothing was changed then.
pub async fn reconfigured(mut entry: Entry, by: &str, now: Timestamp) -> Result<Vec<Recorded>, StorageError> {
    let (state, recorded) = reconfigured_uncommitted(&mut entry, by, now).await?;
    entry.commit(&state).await?;
    Ok(recorded)
}

/// The same, for a caller that has something to add to the transaction before it commits it with the state.
///
/// # Errors
/// What the database said.
pub async fn reconfigured_uncommitted(entry: &mut Entry, by: &str, now: Timestamp) -> Result<(State, Vec<Recorded>), StorageError> {
    let mut state = state::load(entry).await?;
    entry.visible = true;
    let recorded = plan_reconfigured(&mut state, by, now);
    changes::apply(entry, &mut state, &recorded).await?;
    Ok((state, recorded))
}

/// Makes the database equal to a configuration file, with everything that follows from it and the row in the audit log, in one
/// transaction. `by` stands in the history.
///
/// # Errors
/// What the database said; nothing was changed then.
pub async fn configure(db: &Db, secrets: &SecretBox, desired: &Desired, by: &str, act: &audit::Entry<'_>) -> Result<(), StorageError> {
    let mut entry = ledger::begin(db, None).await?;
    configuration::apply(&mut entry.tx, secrets, desired, act.at).await?;
    let (state, _) = reconfigured_uncommitted(&mut entry, by, act.at).await?;
    audit::record(&mut entry.tx, secrets, act).await?;
    entry.commit(&state).await
}

/// Switches a subscriber off, cancels what is still owed to it, and tells the owner about a webhook; returns false if it was off already.
///
/// # Errors
/// What the database said.
pub async fn disable(db: &Db, whom: &Recipient, reason: &str, address: Option<&str>, now: Timestamp) -> Result<bool, StorageError> {
    let mut tx = db.begin().await?;
    let disabled = notifications::disable(&mut tx, whom.subscriber, reason, now).await?;
    if let Some(address) = address.filter(|_| disabled && whom.channel == Channel::Webhook) {
        let about = NoticeAbout::Endpoint { address: whom.address.clone(), reason: reason.to_owned() };
        let id = NoticeId(ledger::take_id(&mut tx).await?);
        let notice = Notice { id, kind: NoticeKind::EndpointDisabled, at: now, about, components: BTreeMap::new() };
        changes::insert_notices(&mut tx, &[&notice]).await?;
        owner::owe_to(&mut tx, address, notice.id.0, now).await?;
    }
    tx.commit().await?;
    Ok(disabled)
}

/// What a transition is about.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// A component's status.
    Component(ComponentId),
    /// An incident, and what belongs to it.
    Incident(IncidentId),
    /// What a delivery led to.
    Delivery(DeliveryId),
}

/// A transition of the past, and why it happened.
#[derive(Clone, Debug)]
pub struct Transition {
    /// Its id.
    pub id: i64,
    /// When it was decided.
    pub at: Timestamp,
    /// What changed, e.g. `component_status`.
    pub kind: String,
    /// From what to what.
    pub data: serde_json::Value,
    /// Why.
    pub why: Why,
}

/// A component's transitions up to a moment, newest first.
///
/// # Errors
/// What the database said.
pub async fn until(conn: &mut Connection, component: ComponentId, at: Timestamp, limit: i64) -> Result<Vec<Transition>, StorageError> {
    let rows: Vec<(i64, i64, String, String, String)> = sql!(conn, c => sqlx::query_as(
        "select change_id, at, kind, data, why from change where component_id = $1 and at <= $2 order by change_id desc limit $3",
    )
    .bind(component.0)
    .bind(at.0)
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    rows.into_iter().map(transition).collect()
}

fn transition((id, at, kind, data, why): (i64, i64, String, String, String)) -> Result<Transition, StorageError> {
    let (data, why) = (json(&data, "change", "data")?, json(&why, "change", "why")?);
    Ok(Transition { id, at: Timestamp(at), kind, data, why })
}

/// Transitions below the id `before`, newest first.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, about: About, before: i64, limit: i64) -> Result<Vec<Transition>, StorageError> {
    let (column, id) = match about {
        About::Component(id) => ("component_id", id.0),
        About::Incident(id) => ("incident_id", id.0),
        About::Delivery(id) => ("delivery_id", id.0),
    };
    let rows: Vec<(i64, i64, String, String, String)> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new("select change_id, at, kind, data, why from change where ");
        query.push(column).push(" = ").push_bind(id).push(" and change_id < ").push_bind(before);
        query.push(" order by change_id desc limit ").push_bind(limit);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    rows.into_iter().map(transition).collect()
}
