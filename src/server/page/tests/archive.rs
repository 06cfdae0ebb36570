//! What is too old for the snapshot, on a real database.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use domain::{
    Act, Change, ComponentId, IncidentEdit, IncidentId, IncidentStatus, MaintenanceEdit, MaintenanceStatus, Span, Status, Timestamp,
};
use poem::http::{Method, StatusCode};
use storage::{Db, components::ComponentEdit, history::act, ledger};
use tokio_util::sync::CancellationToken;

use super::{
    sample::{base_url, now},
    serving::ask,
};
use crate::page::{Page, Setup, Snapshot};

/// A database in a temporary folder that goes with it.
struct Place {
    db: Db,
    folder: PathBuf,
    shown: ComponentId,
    hidden: ComponentId,
}

impl Drop for Place {
    fn drop(&mut self) {
        // Left behind at worst in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Place {
    async fn new() -> Self {
        static N: AtomicU32 = AtomicU32::new(0);
        let folder = std::env::temp_dir().join(format!("fanal-archive-{}-{}", std::process::id(), N.fetch_add(1, Ordering::Relaxed)));
        let db = Db::open(&format!("sqlite://{}", folder.join("fanal.db").display())).await.unwrap();
        db.migrate().await.unwrap();
        let mut entry = ledger::begin(&db, None).await.unwrap();
        let edit =
            |name: &str, hidden| ComponentEdit { name: name.to_owned(), description: String::new(), group: None, position: 0, hidden };
        let shown = storage::components::insert(&mut entry.tx, "shown", &edit("Shown", false), days_ago(900)).await.unwrap();
        let hidden = storage::components::insert(&mut entry.tx, "hidden", &edit("Hidden", true), days_ago(900)).await.unwrap();
        storage::history::reconfigured(entry, "test", days_ago(900)).await.unwrap();
        Self { db, folder, shown, hidden }
    }

    /// An incident that took an hour.
    async fn incident(&self, title: &str, component: ComponentId, days: i64, published: bool) -> IncidentId {
        let edit = IncidentEdit {
            title: Some(title.to_owned()),
            body: Some(format!("About {title}")),
            components: Some(BTreeMap::from([(component, Status::MajorOutage)])),
            published: Some(published),
            ..IncidentEdit::default()
        };
        let recorded = act(&self.db, "test", Act::OpenIncident(edit), days_ago(days)).await.unwrap();
        let incident = recorded
            .iter()
            .find_map(|one| if let Change::Incident { incident, .. } = &one.change { Some(incident.id) } else { None })
            .unwrap();
        self.edit(incident, IncidentEdit { status: Some(IncidentStatus::Resolved), ..IncidentEdit::default() }, days).await;
        incident
    }

    async fn edit(&self, incident: IncidentId, edit: IncidentEdit, days: i64) {
        act(&self.db, "test", Act::UpdateIncident { incident, edit }, days_ago(days).plus(Span::mins(60))).await.unwrap();
    }

    async fn snapshot(&self) -> Snapshot {
        Snapshot::render(&storage::page::load(&self.db, now()).await.unwrap(), &base_url())
    }

    async fn page(&self) -> Arc<Page> {
        Page::new(self.snapshot().await, Setup { archive: Some(self.db.clone()), ..Setup::default() }, CancellationToken::new())
    }
}

fn days_ago(days: i64) -> Timestamp {
    Timestamp(now().0 - days * 86_400_000)
}

async fn get(page: &Arc<Page>, path: &str) -> (StatusCode, String) {
    let answer = ask(page, Method::GET, path, &[]).await;
    (answer.status(), answer.into_body().into_string().await.unwrap())
}

/// 120 incidents, one every five days, and a maintenance long ago.
async fn long_ago(place: &Place) -> Vec<IncidentId> {
    let window = MaintenanceEdit {
        title: Some("Old cable".to_owned()),
        starts_at: Some(days_ago(701)),
        ends_at: Some(days_ago(700)),
        components: Some(vec![place.shown]),
        ..MaintenanceEdit::default()
    };
    let recorded = act(&place.db, "test", Act::ScheduleMaintenance(window), days_ago(702)).await.unwrap();
    let maintenance =
        recorded.iter().find_map(|one| if let Change::Maintenance { maintenance } = &one.change { Some(maintenance.id) } else { None });
    let edit = MaintenanceEdit { status: Some(MaintenanceStatus::Completed), ..MaintenanceEdit::default() };
    act(&place.db, "test", Act::UpdateMaintenance { maintenance: maintenance.unwrap(), edit }, days_ago(700)).await.unwrap();
    let mut ids = Vec::new();
    for n in (1..=120).rev() {
        ids.push(place.incident(&format!("Trouble {n}."), place.shown, n * 5, true).await);
    }
    ids
}

#[tokio::test]
async fn every_incident_however_old_has_its_page_and_its_place_in_the_history() {
    let place = Place::new().await;
    let ids = long_ago(&place).await;
    let page = place.page().await;
    for (id, n) in ids.iter().zip((1..=120).rev()) {
        let (status, body) = get(&page, &format!("/incidents/{id}")).await;
        assert_eq!(status, StatusCode::OK, "{id}");
        assert!(body.contains(&format!("About Trouble {n}.")));
    }
    let mut titles = Vec::new();
    for (number, n_entries) in [(1, 50), (2, 50), (3, 21)] {
        let (status, body) = get(&page, &format!("/history?page={number}")).await;
        assert_eq!(status, StatusCode::OK);
        titles.extend(body.split("Trouble ").skip(1).filter_map(|rest| rest.split_once(".</a>").map(|(n, _)| n.to_owned())));
        assert_eq!(body.matches("<article").count(), n_entries, "page {number}");
        assert_eq!(body.contains("rel=\"prev\""), number > 1);
        assert_eq!(body.contains(&format!("/history?page={}\">Older", number + 1)), number < 3);
    }
    let expected: Vec<String> = (1..=120).map(|n: i32| n.to_string()).collect();
    assert_eq!(titles, expected, "every incident once, newest first");
    let (_, last) = get(&page, "/history?page=3").await;
    assert!(last.contains("Old cable") && last.contains("December 2024") && last.contains("Nothing from January to March 2025"), "{last}");
    for beyond in ["/history?page=4", "/history?page=99999999", "/incidents/99999", "/maintenances/99999"] {
        assert_eq!(get(&page, beyond).await.0, StatusCode::NOT_FOUND, "{beyond}");
    }
    for same in ["/history?page=0", "/history?page=x", "/history?a=b", "/history?page=18446744073709551616"] {
        assert_eq!(get(&page, same).await, get(&page, "/history").await, "{same}");
    }
    let (_, home) = get(&page, "/").await;
    for (n, within_the_bars) in [(4, true), (17, true), (18, false), (100, false)] {
        assert_eq!(home.contains(&format!("Trouble {n}.")), within_the_bars, "{n}");
    }
}

#[tokio::test]
async fn what_readers_may_not_see_has_no_old_page_either() {
    let place = Place::new().await;
    let mut secret = vec![
        place.incident("Secret component", place.hidden, 890, true).await,
        place.incident("Secret draft", place.shown, 880, false).await,
    ];
    long_ago(&place).await;
    secret.push(place.incident("Secret lately", place.hidden, 2, true).await);
    let page = place.page().await;
    for id in &secret {
        assert_eq!(get(&page, &format!("/incidents/{id}")).await.0, StatusCode::NOT_FOUND);
    }
    for path in ["/", "/history", "/history?page=2", "/history?page=3", "/history.atom", "/api/v2/incidents.json"] {
        assert!(!get(&page, path).await.1.contains("Secret"), "{path}");
    }
}

#[tokio::test]
async fn an_old_page_follows_the_versions_and_outlives_the_database() {
    let place = Place::new().await;
    let id = long_ago(&place).await[0];
    let page = place.page().await;
    let path = format!("/incidents/{id}");
    assert!(get(&page, &path).await.1.contains("About Trouble 120."));
    let edit =
        IncidentEdit { status: Some(IncidentStatus::Postmortem), body: Some("It was the cable.".to_owned()), ..IncidentEdit::default() };
    place.edit(id, edit, 0).await;
    assert!(!get(&page, &path).await.1.contains("It was the cable."), "kept while the version is the same");
    page.publish(place.snapshot().await);
    assert!(get(&page, &path).await.1.contains("It was the cable."));
    let other = format!("/incidents/{}", id.0 + 4);
    place.db.close().await;
    let away = ask(&page, Method::GET, &other, &[]).await;
    assert_eq!(away.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(away.headers().get("retry-after").unwrap(), "10");
    assert!(away.into_body().into_string().await.unwrap().contains("We cannot look that far back right now"));
    page.mark_stale(now());
    let kept = ask(&page, Method::GET, &path, &[]).await;
    assert_eq!((kept.status(), kept.headers().get("x-fanal-stale").unwrap().to_str().unwrap()), (StatusCode::OK, "true"));
    assert_eq!(get(&page, "/history?page=2").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&page, "/history").await.0, StatusCode::OK, "the newest page is at hand");
}
