//! What the demo's Alertmanager has said in the last days: deliveries like any others, taken in at the time at which they came.

use std::collections::VecDeque;

use anyhow::Context;
use domain::{DeliveryId, IntegrationId, Recorded, Span, State, Timestamp, plan_timers};
use integrations::{Credentials, Inbound, Settings};
use jobs::evaluator;
use secrecy::SecretString;
use storage::{
    Db, Entry, Inbox, StorageError, Wake,
    deliveries::{Delivery, DeliveryState},
    fates::{self, Fate},
    integrations as stored,
    order::{Order, Slice},
};

use super::{TOKEN, alerts, morning};

const PROVIDER: &str = "alertmanager";

/// Days ago, minutes after ten, for how many minutes, on what, how bad, and what it says.
type Alert = (i64, i64, i64, &'static str, &'static str, &'static str);

/// Oldest first. No route takes up what is said of ticketing.
const ALERTS: &[Alert] = &[
    (9, 245, 12, "api", "critical", "Partners get no answer"),
    (6, 20, 35, "booking", "warning", "Finding a crossing takes 6 s"),
    (5, 310, 9, "ticketing", "warning", "Scanners on board have no answer for 30 s"),
    (3, 95, 50, "api", "warning", "Partners wait 4 s for an answer"),
    (2, 480, 8, "api", "error", "One in ten requests of partners fails"),
    (1, 130, 5, "booking", "error", "One in twenty bookings fails"),
    (1, 400, 21, "ticketing", "warning", "Scanners on board have no answer for 30 s"),
];

/// Puts all of it into the inbox, as if it were coming in.
pub(super) async fn store(db: &Db, state: &State, now: Timestamp) -> anyhow::Result<()> {
    let integration =
        stored::list(&mut db.read().await?, &Slice::first(Order::oldest(), 1)).await?.pop().context("the demo has an integration")?.id;
    let (inbox, writer) = Inbox::open(db.clone(), Wake::new(db.clone()));
    for (days_ago, after, minutes, service, severity, summary) in ALERTS {
        let from = morning(state, now, *days_ago).plus(Span::mins(*after));
        let until = from.plus(Span::mins(*minutes));
        for (at, ended) in [(from, None), (until, Some(until))] {
            let body = alerts((service, severity, summary), from, ended).to_string();
            deliver(&inbox, integration, body.as_bytes(), at).await?;
        }
    }
    drop(inbox);
    writer.await?;
    Ok(())
}

async fn deliver(inbox: &Inbox, integration: IntegrationId, body: &[u8], received_at: Timestamp) -> anyhow::Result<()> {
    let headers =
        [("content-type", "application/json"), ("user-agent", "Alertmanager/0.28.1"), ("authorization", &format!("Bearer {TOKEN}"))];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let (secrets, settings) = ([SecretString::from(TOKEN)], Settings::from(serde_json::json!({})));
    let credentials = Credentials { secrets: &secrets, settings: &settings, document: None };
    let inbound = Inbound { headers: &headers, path_token: None, body, received_at };
    inbox.insert(integrations::accept(PROVIDER, integration, &credentials, &inbound)?).await?;
    Ok(())
}

/// What waits to be taken in, and what became of the rest.
pub(super) struct Heard {
    waiting: VecDeque<Delivery>,
    fates: Vec<Fate>,
}

impl Heard {
    pub(super) async fn load(entry: &mut Entry) -> Result<Self, StorageError> {
        let waiting = fates::pending(&mut entry.tx, DeliveryId(0), i64::MAX, i64::MAX).await?;
        Ok(Self { waiting: waiting.into(), fates: Vec::new() })
    }

    /// Takes in what came before `until`, as the evaluator does.
    pub(super) fn take_in(&mut self, entry: &mut Entry, state: &mut State, until: Timestamp) -> Vec<Recorded> {
        let mut recorded = Vec::new();
        while let Some(delivery) = self.waiting.pop_front_if(|delivery| delivery.received_at < until) {
            let (at, integration) = (delivery.received_at, delivery.integration);
            recorded.extend(plan_timers(state, at));
            let signals = evaluator::parse(PROVIDER, &serde_json::json!({}).into(), &delivery).unwrap_or_default();
            evaluator::fold(state, integration, delivery.id, &signals, at, &mut recorded);
            let fate = Fate {
                delivery: delivery.id,
                integration,
                state: DeliveryState::Processed,
                reason: None,
                signals,
                position: entry.position,
                evaluated_at: at,
            };
            self.fates.push(fate);
            entry.position += 1;
        }
        recorded.extend(plan_timers(state, until));
        recorded
    }

    pub(super) async fn settle(self, entry: &mut Entry) -> Result<(), StorageError> {
        fates::settle(&mut entry.tx, &self.fates).await
    }
}
