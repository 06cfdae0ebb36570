//! `demo`: an invented company with 90 days behind it, in a temporary folder.

mod heard;

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use domain::{
    Act, Change, Desired, IncidentEdit, IncidentStatus, MaintenanceEdit, Override, Recorded, Sample, Span, Status, Timestamp, Why, plan_act,
};
use jobs::Clock;
use storage::{Db, SecretBox, audit, changes, integrations, ledger, rows, state, users};

use self::heard::Heard;
use crate::{actor, commands, config::Config, serve};

const DAY_MS: i64 = 86_400_000;
/// The token that the printed `curl` line sends. It guards nothing but the demo.
const TOKEN: &str = "demo-token-that-guards-nothing";

const CONFIGURATION: &str = r#"
page: { name: Northwind Ferries, time_zone: Europe/Oslo, description: Bookings and boats along the coast }
components:
  - { key: booking, name: Booking, group: Passengers, description: Finding and paying for a crossing }
  - { key: timetable, name: Timetable, group: Passengers }
  - { key: tickets, name: Ticket scanning, group: Passengers }
  - { key: app, name: Mobile app, group: Passengers }
  - { key: api, name: Partner API, group: Partners }
  - { key: freight, name: Freight portal, group: Partners }
  - { key: tracking, name: Vessel tracking, group: Partners }
  - { key: webhooks, name: Webhooks, group: Partners }
metrics:
  - { key: latency, name: Booking response time, unit: ms }
  - { key: sold, name: Tickets sold per minute, unit: tickets }
integrations:
  - key: demo-alerts
    provider: alertmanager
    secrets: [{ value: TOKEN }]
    routes:
      - when: signal.labels.service == "booking"
        components: [booking]
        publish: auto
      - when: signal.labels.service == "api"
        components: [api, webhooks]
        publish: auto
"#;

/// Runs until stopped; the folder is removed then.
pub(crate) async fn run(mut config: Config) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("fanal-demo-{}-{:08x}", std::process::id(), rand::random::<u32>()));
    std::fs::create_dir(&folder).context("the temporary folder cannot be made")?;
    config.data_dir.clone_from(&folder);
    let ran = fill_and_serve(config).await;
    let _ = std::fs::remove_dir_all(&folder);
    ran
}

async fn fill_and_serve(config: Config) -> anyhow::Result<()> {
    let db = config.open().await?;
    if !is_empty(&db).await? {
        bail!("FANAL_DATABASE_URL: there is something in this database already, which the demo would replace; name an empty one, or none");
    }
    fill(&db, &config.secrets()?).await?;
    db.close().await;
    let base_url = config.base_url()?;
    serve::run_until(config, true, serve::stop_on_signal(), move || {
        eprintln!(
            "\nThe page of an invented company: {base_url}\n\nRaise an alert, and see the page change:\n\n{}\n",
            curl(base_url.as_str())
        );
    })
    .await
}

/// Whether nobody has configured anything or can sign in.
async fn is_empty(db: &Db) -> anyhow::Result<bool> {
    let mut conn = db.read().await?;
    Ok(rows::components(&mut conn).await?.is_empty()
        && integrations::outlines(&mut conn, 1).await?.is_empty()
        && !users::is_set_up(&mut conn).await?)
}

fn curl(base_url: &str) -> String {
    let body = alerts(("booking", "critical", "Half of all bookings fail"), Clock::default().now(), None);
    format!("curl -i {base_url}hooks/demo-alerts -H 'Authorization: Bearer {TOKEN}' -H 'Content-Type: application/json' -d '{body}'")
}

/// What Alertmanager posts of one alert: on which service, how bad, and what it says.
fn alerts((service, severity, summary): (&str, &str, &str), began: Timestamp, ended: Option<Timestamp>) -> serde_json::Value {
    let status = if ended.is_some() { "resolved" } else { "firing" };
    let ends_at = ended.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at| at.to_string());
    let name: String =
        service.chars().take(1).flat_map(char::to_uppercase).chain(service.chars().skip(1)).chain("Errors".chars()).collect();
    // Alertmanager hashes the labels, with the same result for the same alert.
    let fingerprint = service.bytes().fold(0xb00c_1a9e_5f00_d001_u64, |hash, byte| hash.rotate_left(5) ^ u64::from(byte));
    let labels = serde_json::json!({ "alertname": name, "service": service, "severity": severity });
    serde_json::json!({
        "version": "4", "groupKey": format!("{{}}:{{service=\"{service}\"}}"), "truncatedAlerts": 0, "status": status, "receiver": "fanal",
        "groupLabels": { "service": service }, "commonLabels": labels, "commonAnnotations": { "summary": summary },
        "externalURL": "http://alertmanager.example",
        "alerts": [{
            "status": status, "labels": labels,
            "annotations": { "summary": summary }, "startsAt": began.to_string(), "endsAt": ends_at,
            "generatorURL": "http://prometheus.example", "fingerprint": format!("{fingerprint:016x}")
        }]
    })
}

async fn fill(db: &Db, secrets: &SecretBox) -> anyhow::Result<()> {
    let desired = commands::parse(&CONFIGURATION.replace("TOKEN", TOKEN), secrets, &Desired::default())
        .map_err(|problems| anyhow::anyhow!(configuration::describe("demo", &problems)))?;
    let now = Clock::default().now();
    let founded = Timestamp(now.0 - 120 * DAY_MS);
    let by = audit::By::system();
    let act = audit::Entry { at: founded, ..actor::act(&by, "configuration.apply", None, serde_json::Value::Null) };
    storage::history::configure(db, secrets, &desired, "the demo", &act).await?;
    let as_configured = state::load(&mut ledger::begin(db, None).await?).await?;
    heard::store(db, &as_configured, now).await?;
    let mut entry = ledger::begin(db, None).await?;
    let mut state = state::load(&mut entry).await?;
    let mut heard = Heard::load(&mut entry).await?;
    let ids: BTreeMap<String, _> = state.components.values().map(|component| (component.key.clone(), component.id)).collect();
    let mut recorded = Vec::new();
    for (key, days_ago, minutes, status, title) in PAST {
        let from = morning(&state, now, *days_ago);
        let until = from.plus(Span::mins(*minutes));
        if let Some(title) = title {
            recorded.extend(past_incident(&mut state, title, (ids[*key], *status), (from, until))?);
            continue;
        }
        let word = Override { status: *status, until: None, by: String::new() };
        recorded.extend(plan_act(&mut state, "Ingrid", Act::Override { component: ids[*key], overridden: Some(word) }, from)?);
        recorded.extend(plan_act(&mut state, "Ingrid", Act::Override { component: ids[*key], overridden: None }, until)?);
    }
    let paid = morning(&state, now, 4);
    recorded.extend(heard.take_in(&mut entry, &mut state, paid));
    recorded.extend(incident(&mut state, &ids, paid)?);
    recorded.extend(heard.take_in(&mut entry, &mut state, now));
    let edit = MaintenanceEdit {
        title: Some("New database for the timetable".to_owned()),
        body: Some("Searching may be slow for a few minutes at a time.".to_owned()),
        starts_at: Some(now.plus(Span(2 * DAY_MS))),
        ends_at: Some(now.plus(Span(2 * DAY_MS + 2 * 3_600_000))),
        components: Some(vec![ids["timetable"]]),
        status: None,
    };
    recorded.extend(plan_act(&mut state, "Ingrid", Act::ScheduleMaintenance(edit), now)?);
    for metric in storage::page::all_metrics(&mut entry.tx).await? {
        recorded.extend(samples(&metric, now));
    }
    heard.settle(&mut entry).await?;
    changes::apply(&mut entry, &mut state, &recorded).await?;
    entry.commit(&state).await?;
    Ok(())
}

/// Ten o'clock, so many days ago: no trouble of the demo crosses a midnight, whenever it is started.
fn morning(state: &domain::State, now: Timestamp, days_ago: i64) -> Timestamp {
    let day = now.plus(Span(-days_ago * DAY_MS)).day_in(&state.zone);
    Timestamp::start_of_day(day, &state.zone).plus(Span::mins(600))
}

fn past_incident(
    state: &mut domain::State,
    title: &str,
    component: (domain::ComponentId, Status),
    (from, until): (Timestamp, Timestamp),
) -> anyhow::Result<Vec<Recorded>> {
    let open = IncidentEdit {
        title: Some(title.to_owned()),
        body: Some("We see the errors and are looking for the cause.".to_owned()),
        components: Some(BTreeMap::from([component])),
        ..IncidentEdit::default()
    };
    let mut recorded = plan_act(state, "Ingrid", Act::OpenIncident(open), from)?;
    let Some(incident) = state.incidents.keys().next_back().copied() else { return Ok(recorded) };
    let body = Some("The cause is found and mended.".to_owned());
    let edit = IncidentEdit { status: Some(IncidentStatus::Resolved), body, ..IncidentEdit::default() };
    recorded.extend(plan_act(state, "Ingrid", Act::UpdateIncident { incident, edit }, until)?);
    Ok(recorded)
}

/// A past trouble: component, days ago, minutes, status, and the title of its incident.
type Past = (&'static str, i64, i64, Status, Option<&'static str>);

/// Oldest first.
const PAST: &[Past] = &[
    ("freight", 84, 95, Status::DegradedPerformance, None),
    ("api", 71, 18, Status::MajorOutage, Some("Partner API out of reach")),
    ("app", 58, 240, Status::DegradedPerformance, None),
    ("tickets", 44, 32, Status::PartialOutage, Some("Ticket scanners lose their connection")),
    ("timetable", 31, 60, Status::UnderMaintenance, None),
    ("tracking", 23, 410, Status::DegradedPerformance, None),
    ("webhooks", 12, 26, Status::PartialOutage, None),
];

fn incident(state: &mut domain::State, ids: &BTreeMap<String, domain::ComponentId>, begun: Timestamp) -> anyhow::Result<Vec<Recorded>> {
    let at = |minutes: i64| begun.plus(Span::mins(minutes));
    let open = IncidentEdit {
        title: Some("Card payments fail".to_owned()),
        body: Some("Some card payments are refused. We are looking into it.".to_owned()),
        components: Some(BTreeMap::from([(ids["booking"], Status::PartialOutage)])),
        ..IncidentEdit::default()
    };
    let mut recorded = plan_act(state, "Ingrid", Act::OpenIncident(open), at(0))?;
    let Some(incident) = state.incidents.keys().next_back().copied() else { return Ok(recorded) };
    for (minutes, status, text) in [
        (14, IncidentStatus::Identified, "Our payment provider has trouble in one region. Paying by invoice works."),
        (52, IncidentStatus::Monitoring, "The provider has routed around it, and payments go through again."),
        (95, IncidentStatus::Resolved, "All payments have gone through for 40 minutes. Nobody was charged twice."),
    ] {
        let edit = IncidentEdit { status: Some(status), body: Some(text.to_owned()), ..IncidentEdit::default() };
        recorded.extend(plan_act(state, "Ingrid", Act::UpdateIncident { incident, edit }, at(minutes))?);
    }
    Ok(recorded)
}

/// A day of believable numbers: a daily wave with some noise, the same at every start.
fn samples(metric: &domain::Metric, now: Timestamp) -> Vec<Recorded> {
    let (base, swing) = if metric.unit == "ms" { (180.0, 40.0) } else { (22.0, 14.0) };
    (0..288_i64)
        .map(|n| {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let (wave, noise) = ((n as f64 / 288.0 * std::f64::consts::TAU).sin(), ((n * 7919) % 101) as f64 / 101.0);
            let sample = Sample { at: Timestamp(now.0 - (288 - n) * 300_000), value: (base + swing * wave + swing * 0.4 * noise).round() };
            Recorded { change: Change::Sample { metric: metric.id, sample }, why: Why::default(), at: now }
        })
        .collect()
}
