//! What is decided is stored whole: it reads back as it was, and readers see what the one predicate lets through.

mod confirmations;
mod duplicates;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ALERT_MEMORY, Act, Combine, ComponentId, ComponentSpec, DeliveryId, Dependency, Desired, Effect, Flapping, GroupSpec, IncidentEdit,
    IncidentId, IncidentStatus, IntegrationId, IntegrationSpec, MaintenanceEdit, NewDelivery, NoticeKind, PageData, PageSettings, Policy,
    PostmortemDraft, Publish, Recorded, RouteSpec, Severity, Signal, SignalState, Span, State, Status, Timestamp, plan_signal, plan_timers,
};

use serde_json::Value;

use crate::{
    Db, Inbox, SecretBox, Wake, audit, changes,
    deliveries::{self, DeliveryFilter, DeliveryState},
    fates::{self, Fate},
    history, ledger,
    order::{Order, Slice},
    owner, page, postmortems,
    publications::{self, Found, Verdict},
    rows,
    state::{self, Causes},
};

const NOW: Timestamp = Timestamp(1_780_000_000_000);

/// A database of its own, with a visible and a hidden component and one route to both.
struct Fixture {
    db: Db,
    secrets: SecretBox,
    desired: Desired,
    folder: std::path::PathBuf,
}

impl Fixture {
    async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("fanal-storage-{}", uuid::Uuid::new_v4()));
        let db = Db::open(&format!("sqlite://{}", folder.join("fanal.db").display())).await.unwrap();
        db.migrate().await.unwrap();
        let secrets = SecretBox::new(&SecretBox::generate_key()).unwrap();
        let fixture = Self { db, secrets, desired: desired(), folder };
        fixture.configure(&fixture.desired).await;
        fixture
    }

    async fn configure(&self, desired: &Desired) {
        let by = audit::By::system();
        let act = audit::Entry { by: &by, action: "configuration.apply", resource: None, before: Value::Null, after: Value::Null, at: NOW };
        history::configure(&self.db, &self.secrets, desired, "ada", &act).await.unwrap();
    }

    /// Decides something as the evaluator does, and returns the state in memory afterwards.
    async fn decide(&self, decide: impl FnOnce(&mut State) -> Vec<Recorded>) -> State {
        let mut entry = ledger::begin(&self.db, None).await.unwrap();
        let mut state = state::load(&mut entry).await.unwrap();
        let recorded = decide(&mut state);
        changes::apply(&mut entry, &mut state, &recorded).await.unwrap();
        entry.commit(&state).await.unwrap();
        state
    }

    async fn load(&self) -> State {
        state::load(&mut ledger::begin(&self.db, None).await.unwrap()).await.unwrap()
    }

    async fn act(&self, act: Act) {
        history::act(&self.db, "ada", act, NOW).await.unwrap();
    }

    async fn resolve(&self, incident: IncidentId) {
        let edit = IncidentEdit { status: Some(IncidentStatus::Resolved), ..IncidentEdit::default() };
        self.act(Act::UpdateIncident { incident, edit }).await;
    }

    async fn page(&self) -> PageData {
        page::load(&self.db, NOW).await.unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn desired() -> Desired {
    let text = str::to_owned;
    let component = |key: &str, group: &str, hidden| ComponentSpec {
        combine: domain::Combine::Worst,
        depends_on: Default::default(),
        key: text(key),
        name: key.to_uppercase(),
        description: String::new(),
        group: Some(text(group)),
        hidden,
    };
    let group = |key: &str, parent: Option<&str>| GroupSpec { key: text(key), name: key.to_uppercase(), parent: parent.map(text) };
    let route = RouteSpec {
        components: BTreeSet::from([text("api"), text("vault")]),
        expire_after: Span::mins(5),
        publish: Publish::Auto,
        ..RouteSpec::default()
    };
    Desired {
        page: PageSettings { name: text("Acme"), time_zone: text("UTC"), ..PageSettings::default() },
        groups: vec![group("world", None), group("eu", Some("world")), group("internal", None)],
        components: vec![component("api", "eu", false), component("vault", "internal", true)],
        integrations: vec![IntegrationSpec {
            key: text("prod"),
            provider: text("alertmanager"),
            name: text("Production"),
            settings: serde_json::json!({}),
            secrets: vec![],
            enabled: true,
            silent_after: None,
            routes: vec![route],
        }],
        ..Desired::default()
    }
}

fn says(state: &mut State, what: &str, claim: SignalState, at: Timestamp) -> Vec<Recorded> {
    let integration = *state.routes_of.keys().next().unwrap_or(&IntegrationId(1));
    let signal = Signal { severity: Severity::Critical, ..Signal::new(what, claim, what, at) };
    plan_timers(state, at).into_iter().chain(plan_signal(state, integration, DeliveryId(1), &signal, at)).collect()
}

fn assert_same(memory: &State, stored: &State) {
    assert_eq!(memory.alerts, stored.alerts);
    assert_eq!(memory.causes, stored.causes);
    assert_eq!(memory.incidents, stored.incidents);
    assert_eq!(memory.components, stored.components);
    assert_eq!((&memory.combine, &memory.dependencies, &memory.past), (&stored.combine, &stored.dependencies, &stored.past));
    assert_eq!(memory.maintenances, stored.maintenances);
    assert_eq!(memory.signals.keys().collect::<BTreeSet<_>>(), stored.signals.keys().collect::<BTreeSet<_>>());
}

#[tokio::test]
async fn what_is_decided_about_one_thing_in_one_batch_reads_back_as_its_end() {
    let fixture = Fixture::new().await;
    let at = |minutes: i64| NOW.plus(Span::mins(minutes));
    let memory = fixture
        .decide(|state| {
            let mut all = says(state, "expires, and fires again", SignalState::Firing, at(0));
            all.extend(says(state, "expires", SignalState::Firing, at(1)));
            all.extend(says(state, "expires, and fires again", SignalState::Firing, at(7)));
            all.extend(says(state, "resolves", SignalState::Firing, at(7)));
            all.extend(says(state, "resolves", SignalState::Resolved, at(8)));
            all
        })
        .await;
    let firing: Vec<_> = memory.alerts.iter().filter(|(_, alert)| alert.firing).map(|(key, _)| key.1.as_str()).collect();
    assert_eq!((firing, memory.alerts.len()), (vec!["expires, and fires again"], 3));
    assert_same(&memory, &fixture.load().await);
}

#[tokio::test]
async fn what_is_forgotten_leaves_no_row_behind() {
    let fixture = Fixture::new().await;
    fixture.decide(|state| says(state, "cpu", SignalState::Resolved, NOW)).await;
    fixture.decide(|state| says(state, "disk", SignalState::Resolved, NOW.plus(Span::mins(1)))).await;
    let memory = fixture.decide(|state| plan_timers(state, NOW.plus(ALERT_MEMORY))).await;
    assert_eq!(memory.alerts.iter().map(|(key, _)| key.1.as_str()).collect::<Vec<_>>(), ["disk"]);
    let again = fixture.decide(|state| says(state, "cpu", SignalState::Firing, NOW.plus(ALERT_MEMORY))).await;
    assert_eq!(again.alerts.len(), 2);
    assert_same(&again, &fixture.load().await);
}

#[tokio::test]
async fn what_a_person_resolves_stays_muted_across_a_restart() {
    let fixture = Fixture::new().await;
    let memory = fixture.decide(|state| says(state, "cpu", SignalState::Firing, NOW)).await;
    let incident = *memory.incidents.keys().next().unwrap();
    fixture.resolve(incident).await;
    let stored = fixture.load().await;
    assert!(stored.causes.values().all(|cause| cause.muted_up_to == Some(Status::MajorOutage)) && stored.causes.len() == 1);
    let mut conn = fixture.db.read().await.unwrap();
    let muted = state::causes(&mut conn, Causes::MutedWith(incident)).await.unwrap();
    assert_eq!(muted, stored.causes.into_values().collect::<Vec<_>>());
    assert!(state::causes(&mut conn, Causes::MutedWith(IncidentId(999))).await.unwrap().is_empty());
    assert_eq!(fixture.page().await.components[0].component.status, Status::Operational);
}

#[tokio::test]
async fn what_waits_to_be_published_and_what_flaps_reads_back() {
    let fixture = Fixture::new().await;
    let mut desired = fixture.desired.clone();
    desired.integrations[0].routes[0].policy =
        Policy { publish_after: Span::mins(5), flapping: Some(Flapping { changes: 3, ..Flapping::default() }), ..Policy::default() };
    fixture.configure(&desired).await;
    owner::set(&fixture.db, Some("owner@example.com")).await.unwrap();
    let memory = fixture.decide(|state| says(state, "cpu", SignalState::Firing, NOW)).await;
    let incident = *memory.incidents.keys().next().unwrap();
    let stored = fixture.load().await;
    assert_same(&memory, &stored);
    assert_eq!(stored.incidents[&incident].pending(), Some(NOW.plus(Span::mins(5))));
    assert_eq!((stored.swings.len(), &stored.swings), (1, &memory.swings));
    assert!(fixture.page().await.incidents.is_empty());
    // The owner is asked, and nobody else is told.
    let mut conn = fixture.db.read().await.unwrap();
    let Found::Pending(asked) = publications::find(&mut conn, incident, NOW.plus(Span::mins(5))).await.unwrap() else { panic!("pending") };
    assert_eq!(asked.kind, NoticeKind::PublicationPending);
    assert_eq!(publications::find(&mut conn, IncidentId(999), NOW).await.unwrap(), Found::Decided(None));
    let n: i64 = crate::db::sql!(conn, c => sqlx::query_scalar("select count(*) from notification").fetch_one(&mut *c).await).unwrap();
    assert_eq!(n, 1);
    drop(conn);
    // A verdict on another time is none.
    assert!(!publications::decide(&fixture.db, &fixture.secrets, (incident, NOW), Verdict::Publish, NOW).await.unwrap());
    assert!(publications::decide(&fixture.db, &fixture.secrets, (incident, NOW.plus(Span::mins(5))), Verdict::Veto, NOW).await.unwrap());
    assert!(fixture.load().await.incidents[&incident].vetoed);
    for (at, claim) in [(1, SignalState::Resolved), (2, SignalState::Firing)] {
        let memory = fixture.decide(|state| says(state, "cpu", claim, NOW.plus(Span::secs(at)))).await;
        assert_same(&memory, &fixture.load().await);
        assert_eq!(memory.swings, fixture.load().await.swings);
    }
    assert!(fixture.load().await.causes.values().any(domain::Cause::is_flapping));
    fixture.configure(&fixture.desired).await;
    assert!(fixture.load().await.swings.is_empty());
}

#[tokio::test]
async fn an_incident_that_a_person_reopens_when_nothing_fires_stays_theirs() {
    let fixture = Fixture::new().await;
    fixture.decide(|state| says(state, "cpu", SignalState::Firing, NOW)).await;
    let memory = fixture.decide(|state| says(state, "cpu", SignalState::Resolved, NOW)).await;
    let incident = *memory.incidents.keys().next().unwrap();
    let edit = IncidentEdit { status: Some(IncidentStatus::Monitoring), ..IncidentEdit::default() };
    fixture.act(Act::UpdateIncident { incident, edit }).await;
    assert_eq!(fixture.load().await.incidents[&incident].opened_by, None);
    fixture.configure(&fixture.desired).await;
    assert_eq!(fixture.load().await.incidents[&incident].status, IncidentStatus::Monitoring, "nothing but a person ends it");
}

#[tokio::test]
async fn readers_see_no_trace_of_what_is_hidden_or_gone() {
    let fixture = Fixture::new().await;
    let titled = |title: &str| IncidentEdit { title: Some(title.to_owned()), ..IncidentEdit::default() };
    fixture.act(Act::OpenIncident(titled("About nothing in particular"))).await;
    let api = fixture.page().await.components[0].component.id;
    let edit = IncidentEdit { components: Some([(api, Status::PartialOutage)].into()), ..titled("About the API") };
    fixture.act(Act::OpenIncident(edit)).await;
    let window = MaintenanceEdit {
        title: Some("Upgrade".to_owned()),
        starts_at: Some(NOW.plus(Span::mins(10))),
        ends_at: Some(NOW.plus(Span::mins(20))),
        components: Some(vec![api]),
        ..MaintenanceEdit::default()
    };
    fixture.act(Act::ScheduleMaintenance(window)).await;
    fixture.decide(|state| says(state, "cpu", SignalState::Firing, NOW)).await;
    let seen = |page: &PageData| {
        let titles: Vec<String> = page.incidents.iter().map(|shown| shown.incident.title.clone()).collect();
        let groups: Vec<String> = page.groups.iter().map(|group| group.key.clone()).collect();
        (titles, groups, page.maintenances.len(), page.components.len())
    };
    let text = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let page = fixture.page().await;
    assert_eq!(seen(&page), (text(&["About the API", "About nothing in particular"]), text(&["world", "eu"]), 1, 1));
    assert!(page.incidents.iter().all(|shown| shown.incident.opened_by.is_none()));

    let mut hidden = fixture.desired.clone();
    hidden.components[0].hidden = true;
    fixture.configure(&hidden).await;
    assert_eq!(seen(&fixture.page().await), (text(&["About nothing in particular"]), vec![], 0, 0));

    let mut gone = fixture.desired.clone();
    gone.components.remove(0);
    gone.integrations[0].routes.clear();
    fixture.configure(&gone).await;
    assert_eq!(seen(&fixture.page().await), (text(&["About nothing in particular"]), vec![], 0, 0));
}

/// Only of those providers, only once it is old, and never what something still hangs on.
#[tokio::test]
async fn what_changed_nothing_is_removed_before_the_rest() {
    let fixture = Fixture::new().await;
    let (inbox, _writer) = Inbox::open(fixture.db.clone(), Wake::new(fixture.db.clone()));
    let store = async |id: &str, at: i64| {
        let (external_id, received_at) = (id.to_owned(), Timestamp(NOW.0 + at));
        let delivery = NewDelivery { integration: IntegrationId(1), external_id, headers: Vec::new(), body: b"{}".to_vec(), received_at };
        inbox.insert(delivery).await.unwrap();
    };
    for (id, at) in [("idle", 0), ("of an alert", 1), ("pending", 2), ("young", 1000)] {
        store(id, at).await;
    }
    let ids = async || {
        let all = deliveries::list(&mut fixture.db.read().await.unwrap(), DeliveryFilter::default(), &Slice::first(Order::newest(), 10))
            .await
            .unwrap();
        all.into_iter().rev().map(|delivery| (delivery.external_id, delivery.id)).collect::<Vec<_>>()
    };
    let stored = ids().await;
    let mut tx = fixture.db.begin().await.unwrap();
    for (position, (_, id)) in (1..).zip(&stored).filter(|(_, (external_id, _))| external_id != "pending") {
        let (integration, state, evaluated_at) = (IntegrationId(1), DeliveryState::Processed, NOW);
        let fate = Fate { delivery: *id, integration, state, reason: None, signals: Vec::new(), position, evaluated_at };
        fates::settle(&mut tx, &[fate]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let of_an_alert = stored.iter().find(|(external_id, _)| external_id == "of an alert").unwrap().1;
    let signal = Signal::new("f", SignalState::Firing, "F", NOW);
    fixture.decide(|state| plan_signal(state, IntegrationId(1), of_an_alert, &signal, NOW)).await;
    let prune = async |providers: &[&str]| {
        let mut tx = fixture.db.begin().await.unwrap();
        let n = deliveries::prune_idle(&mut tx, providers, Timestamp(NOW.0 + 500), 10).await.unwrap();
        tx.commit().await.unwrap();
        n
    };
    assert_eq!([prune(&["http", "heartbeat"]).await, prune(&["http", "alertmanager"]).await], [0, 1]);
    let left: Vec<String> = ids().await.into_iter().map(|(external_id, _)| external_id).collect();
    assert_eq!(left, ["of an alert", "pending", "young"]);
}

/// `api` is what two sources agree on, and depends on `vendor` and on the hidden `vault`.
fn with_sources() -> Desired {
    let text = str::to_owned;
    let mut desired = desired();
    let on = |component: &str, effect| Dependency {
        component: text(component),
        effect,
        settle: Span::mins(if effect == Effect::Silence { 5 } else { 0 }),
    };
    desired.components.push(ComponentSpec { key: text("vendor"), name: text("Vendor"), hidden: false, ..desired.components[0].clone() });
    desired.components[0].combine = Combine::Weighted {
        weights: BTreeMap::from([(text("prod"), 2), (text("other"), 1)]),
        thresholds: BTreeMap::from([(Status::DegradedPerformance, 2)]),
    };
    desired.components[0].depends_on =
        BTreeSet::from([on("vendor", Effect::Silence), on("vendor", Effect::Cap), on("vault", Effect::Label)]);
    desired.components[1].combine = Combine::Quorum(2);
    let mut other = desired.integrations[0].clone();
    (other.key, other.routes[0].components) = (text("other"), BTreeSet::from([text("vendor")]));
    desired.integrations.push(other);
    desired
}

#[tokio::test]
async fn sources_and_dependencies_read_back_and_live_on_through_a_configuration() {
    let fixture = Fixture::new().await;
    let mut desired = with_sources();
    fixture.configure(&desired).await;
    let read = crate::configuration::load(&mut fixture.db.read().await.unwrap()).await.unwrap();
    assert_eq!(read.components, desired.components);
    let state = fixture.load().await;
    let ids: Vec<ComponentId> = state.components.keys().copied().collect();
    let (api, vendor) = (ids[0], ids[2]);
    let other = *state.routes_of.keys().max().unwrap();
    let vendor_says = |state: &mut State, claim, at| {
        let signal = Signal { severity: Severity::Critical, ..Signal::new("vendor", claim, "vendor", at) };
        plan_signal(state, other, DeliveryId(1), &signal, at)
    };
    fixture.decide(|state| vendor_says(state, SignalState::Firing, NOW)).await;
    let memory = fixture.decide(|state| vendor_says(state, SignalState::Resolved, NOW.plus(Span::mins(1)))).await;
    assert_eq!(memory.dependencies.quiet_until(api, vendor), Some(NOW.plus(Span::mins(6))));
    assert_same(&memory, &fixture.load().await);

    desired.components[0].depends_on.retain(|one| one.effect != Effect::Cap);
    desired.components[1].combine = Combine::Worst;
    fixture.configure(&desired).await;
    let state = fixture.load().await;
    assert_eq!(state.dependencies.quiet_until(api, vendor), Some(NOW.plus(Span::mins(6))), "what stays goes on");
    assert_eq!(state.dependencies.of(api).len(), 2);
    let memory = fixture.decide(|state| plan_timers(state, NOW.plus(Span::mins(6)))).await;
    assert_eq!(memory.dependencies.quiet().count(), 0);
    assert_same(&memory, &fixture.load().await);

    desired.components.retain(|component| component.key != "vendor");
    desired.components[0].depends_on.clear();
    desired.components[0].combine = Combine::Worst;
    desired.integrations.pop();
    fixture.configure(&desired).await;
    let read = crate::configuration::load(&mut fixture.db.read().await.unwrap()).await.unwrap();
    assert_eq!(read.components, desired.components);
}

#[tokio::test]
async fn readers_learn_what_trouble_comes_from_unless_it_is_hidden() {
    let fixture = Fixture::new().await;
    let desired = with_sources();
    fixture.configure(&desired).await;
    let override_to =
        |component, status| Act::Override { component, overridden: Some(domain::Override { status, until: None, by: String::new() }) };
    let ids: Vec<ComponentId> = fixture.load().await.components.keys().copied().collect();
    let of_api = async || fixture.page().await.components.into_iter().find(|shown| shown.component.key == "api").unwrap().caused_by;
    fixture.act(override_to(ids[0], Status::MajorOutage)).await;
    fixture.act(override_to(ids[1], Status::MajorOutage)).await;
    assert_eq!(of_api().await, []);
    fixture.act(override_to(ids[2], Status::DegradedPerformance)).await;
    assert_eq!(of_api().await, [ids[2]]);
    fixture.act(override_to(ids[0], Status::Operational)).await;
    assert_eq!(of_api().await, []);
}

#[tokio::test]
async fn facts_that_come_late_correct_days_and_add_an_incident_that_nobody_is_told_of() {
    let fixture = Fixture::new().await;
    let at = |minutes: i64| NOW.plus(Span::mins(minutes));
    fixture.decide(|state| says(state, "disk", SignalState::Firing, at(0))).await;
    fixture.decide(|state| says(state, "disk", SignalState::Resolved, at(5))).await;
    let replays = |state: &mut State, what: &str, from: i64, to: i64| {
        state.clock = at(60);
        let integration = *state.routes_of.keys().next().unwrap();
        let mut say = |claim, minutes| {
            let signal = Signal { severity: Severity::Critical, ..Signal::new(what, claim, what, at(minutes)) };
            plan_signal(state, integration, DeliveryId(1), &signal, at(minutes))
        };
        let fires = say(SignalState::Firing, from);
        fires.into_iter().chain(say(SignalState::Resolved, to)).collect::<Vec<_>>()
    };
    let memory = fixture.decide(|state| replays(state, "cpu", 5, 30)).await;
    assert_same(&memory, &fixture.load().await);
    let memory = fixture.decide(|state| replays(state, "memory", 28, 35)).await;
    assert_same(&memory, &fixture.load().await);
    let page = page::load(&fixture.db, at(60)).await.unwrap();
    let trouble: i64 = page.components[0].days.iter().map(|day| day.major_outage.0).sum();
    assert_eq!(trouble, Span::mins(35).0, "each minute once");
    let added: Vec<_> = page.incidents.iter().filter(|shown| shown.incident.added_at.is_some()).collect();
    assert_eq!(added.len(), 1, "both are about the same");
    let incident = &added[0].incident;
    assert_eq!((incident.started_at, incident.resolved_at, incident.added_at), (at(5), Some(at(35)), Some(at(60))));
    assert_eq!(added[0].updates.len(), 1);
    let mut tx = fixture.db.begin().await.unwrap();
    assert_eq!(crate::past::prune(&mut tx, at(1_000)).await.unwrap(), 6, "three of each component");
}

#[tokio::test]
async fn a_postmortem_is_stored_once_rewritten_in_its_place_and_taken_away() {
    let fixture = Fixture::new().await;
    fixture.act(Act::OpenIncident(IncidentEdit { title: Some("Down".to_owned()), ..IncidentEdit::default() })).await;
    let incident = *fixture.load().await.incidents.keys().next().unwrap();
    fixture.resolve(incident).await;
    let draft = |body: &str| PostmortemDraft { incident, body: body.to_owned(), by: "ada".to_owned(), updated_at: NOW };
    let mut tx = fixture.db.begin().await.unwrap();
    postmortems::save(&mut tx, &draft("one")).await.unwrap();
    postmortems::save(&mut tx, &draft("two")).await.unwrap();
    assert_eq!(postmortems::find(&mut tx, incident).await.unwrap(), Some(draft("two")));
    tx.commit().await.unwrap();
    assert!(!format!("{:?}", fixture.page().await).contains("two"), "a draft is no part of the page");
    let timeline = async || rows::incident_updates(&mut fixture.db.read().await.unwrap(), &[incident]).await.unwrap();
    let publish = |entry, body: &str| Act::PublishPostmortem { incident, entry, body: body.to_owned(), notify: false };
    fixture.act(publish(None, "It was the cable.")).await;
    let before = timeline().await;
    fixture.act(publish(Some(before[0].clone()), "It was the plug.")).await;
    let after = timeline().await;
    assert_eq!((after.len(), after[0].id, after[0].body.as_str(), after[0].edited_at), (3, before[0].id, "It was the plug.", Some(NOW)));
    assert_eq!(fixture.page().await.incidents[0].updates[0].body, "It was the plug.");
    fixture.act(Act::WithdrawPostmortem { incident, entry: after[0].id }).await;
    assert_eq!((timeline().await.len(), fixture.page().await.incidents[0].incident.status), (2, IncidentStatus::Resolved));
    fixture.act(Act::DeleteIncident { incident }).await;
    assert_eq!(postmortems::find(&mut fixture.db.read().await.unwrap(), incident).await.unwrap(), None, "the draft goes with its incident");
}
