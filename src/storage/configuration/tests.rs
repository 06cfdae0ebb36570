use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Channel, ComponentSpec, Desired, GroupSpec, Image, IncidentStatus, IntegrationSpec, MetricFeed, MetricSpec, PageSettings, Publish,
    RouteSpec, Secret, Severity, Span, Status, StatusMap, SubscriberSpec, TemplateSpec, Timestamp,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{apply, empty, load};
use crate::{
    Connection, Db, Schema, SecretBox, StorageError,
    db::{execute, sql},
    templates,
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A database of its own in a temporary folder, which goes with it.
struct Fixture {
    db: Db,
    secrets: SecretBox,
    folder: std::path::PathBuf,
}

impl Fixture {
    async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("fanal-configuration-{}", uuid::Uuid::new_v4()));
        let db = Db::open(&format!("sqlite://{}", folder.join("fanal.db").display())).await.unwrap();
        db.migrate().await.unwrap();
        Self { db, secrets: SecretBox::new(&SecretBox::generate_key()).unwrap(), folder }
    }

    fn secret(&self, value: &str) -> Secret {
        let value = SecretString::from(value);
        Secret { fingerprint: self.secrets.fingerprint(&value), value: Some(value) }
    }

    async fn apply(&self, desired: &Desired) -> Result<(), StorageError> {
        let mut tx = self.db.begin().await?;
        apply(&mut tx, &self.secrets, desired, NOW).await?;
        tx.commit().await
    }

    async fn load(&self) -> Desired {
        load(&mut self.db.read().await.unwrap()).await.unwrap()
    }

    async fn read(&self) -> Connection {
        self.db.read().await.unwrap()
    }

    async fn ids(&self, query: &'static str) -> BTreeMap<String, i64> {
        let mut conn = self.read().await;
        let rows: Vec<(String, i64)> = sql!(conn, c => sqlx::query_as(query).fetch_all(&mut *c).await).unwrap();
        rows.into_iter().collect()
    }

    fn desired(&self) -> Desired {
        let text = str::to_owned;
        let component = |key: &str, group: Option<&str>| ComponentSpec {
            combine: domain::Combine::Worst,
            depends_on: BTreeSet::new(),
            key: text(key),
            name: key.to_uppercase(),
            description: String::new(),
            group: group.map(text),
            hidden: false,
        };
        let route = RouteSpec {
            when: text("signal.labels.service == \"api\""),
            components: BTreeSet::from([text("api"), text("db")]),
            status: StatusMap { named: BTreeMap::from([(Severity::Critical, Status::MajorOutage)]), default: Some(Status::Unknown) },
            hold: Span::mins(5),
            publish: Publish::Auto,
            title: Some(text("{{ components }}")),
            ..RouteSpec::default()
        };
        let feed = MetricFeed { key: text("latency"), value: text("signal.value * 1000") };
        Desired {
            maintenance_series: vec![domain::SeriesSpec {
                key: text("upkeep"),
                title: text("Upkeep"),
                body: String::new(),
                schedule: domain::Schedule {
                    starts_at: "2026-12-01T02:00".parse().unwrap(),
                    duration: Span::mins(60),
                    rule: "FREQ=WEEKLY;BYDAY=TU".parse().unwrap(),
                    except: ["2026-12-22".parse().unwrap()].into(),
                },
                announce: Span::mins(60),
                components: BTreeSet::from([text("api")]),
            }],
            incident_templates: vec![
                TemplateSpec {
                    key: text("outage"),
                    name: text("Outage"),
                    title: text("Problem with {{ components }}"),
                    body: text("We are **on it**."),
                    status: IncidentStatus::Identified,
                    components: BTreeMap::from([(text("api"), Status::MajorOutage)]),
                },
                TemplateSpec {
                    key: text("bare"),
                    name: text("bare"),
                    title: text("Trouble"),
                    body: String::new(),
                    status: IncidentStatus::Investigating,
                    components: BTreeMap::new(),
                },
            ],
            page: PageSettings { name: text("Acme"), time_zone: text("Europe/Paris"), ..PageSettings::default() },
            images: BTreeMap::new(),
            groups: vec![
                GroupSpec { key: text("west"), name: text("West"), parent: Some(text("eu")) },
                GroupSpec { key: text("eu"), name: text("Europe"), parent: None },
            ],
            components: vec![component("db", Some("west")), component("api", Some("eu")), component("site", None)],
            integrations: vec![IntegrationSpec {
                key: text("prod"),
                provider: text("alertmanager"),
                name: text("Production"),
                settings: json!({}),
                secrets: vec![self.secret("first-secret-of-prod"), self.secret("second-secret-of-prod")],
                enabled: true,
                silent_after: None,
                routes: vec![route, RouteSpec { metric: Some(feed), ..RouteSpec::default() }],
            }],
            metrics: vec![MetricSpec { key: text("latency"), name: text("Latency"), unit: text("ms") }],
            subscribers: vec![
                SubscriberSpec {
                    channel: Channel::Webhook,
                    address: text("https://example.com/in"),
                    secret: Some(self.secret("whsec_c2VjcmV0")),
                    components: Some(BTreeSet::from([text("api")])),
                },
                SubscriberSpec { channel: Channel::Email, address: text("ops@example.com"), secret: None, components: None },
            ],
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn a_database_that_was_just_made_holds_what_is_said_of_an_empty_one() {
    let fixture = Fixture::new().await;
    assert_eq!(load(&mut fixture.db.read().await.unwrap()).await.unwrap(), empty());
}

#[tokio::test]
async fn who_opens_a_database_to_read_makes_nothing_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let url = |file: &str| format!("sqlite://{}", fixture.folder.join(file).display());
    assert!(Db::open_to_read(&url("none.db")).await.unwrap().is_none() && !fixture.folder.join("none.db").exists());
    let set = async |statement: &'static str| {
        let mut tx = fixture.db.begin().await.unwrap();
        execute!(tx, sqlx::query(statement)).unwrap();
        tx.commit().await.unwrap();
    };
    let schema = async || Db::open_to_read(&url("fanal.db")).await.unwrap().unwrap().schema().await.unwrap();
    assert_eq!(schema().await, Schema::Current);
    set("create table newest as select * from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)").await;
    set("delete from _sqlx_migrations where version = (select version from newest)").await;
    assert_eq!(schema().await, Schema::Older);
    set("insert into _sqlx_migrations select * from newest").await;
    set("insert into _sqlx_migrations select version + 1, description, installed_on, success, checksum, execution_time from newest").await;
    assert_eq!(schema().await, Schema::Unknown);
    set("drop table _sqlx_migrations").await;
    assert_eq!(schema().await, Schema::None);
    let reader = Db::open_to_read(&url("fanal.db")).await.unwrap().unwrap();
    let written = match reader.begin().await {
        Ok(mut tx) => execute!(tx, sqlx::query("delete from component")).is_ok(),
        Err(_) => false,
    };
    assert!(!written, "nothing can be written");
}

#[tokio::test]
async fn what_is_applied_reads_back_and_applying_it_again_touches_nothing() {
    let fixture = Fixture::new().await;
    let desired = fixture.desired();
    fixture.apply(&desired).await.unwrap();
    assert_eq!(fixture.load().await, desired);
    let mut tx = fixture.db.begin().await.unwrap();
    let before = total_changes(&mut tx).await;
    apply(&mut tx, &fixture.secrets, &desired, NOW).await.unwrap();
    assert_eq!(total_changes(&mut tx).await, before);
}

async fn total_changes(conn: &mut Connection) -> i64 {
    sql!(conn, c => sqlx::query_scalar("select total_changes()").fetch_one(&mut *c).await).unwrap()
}

#[tokio::test]
async fn what_stays_keeps_its_id_and_its_status() {
    let fixture = Fixture::new().await;
    let mut desired = fixture.desired();
    fixture.apply(&desired).await.unwrap();
    let mut tx = fixture.db.begin().await.unwrap();
    execute!(tx, sqlx::query("update component set status = 'major_outage', status_since = 7 where key = 'api'")).unwrap();
    execute!(tx, sqlx::query("insert into component_day (component_id, day, unknown) select component_id, 1, 5 from component")).unwrap();
    tx.commit().await.unwrap();
    let components = fixture.ids("select key, component_id from component").await;
    let routes = fixture.ids("select condition, route_id from route").await;

    desired.components.reverse();
    desired.components.retain(|component| component.key != "db");
    desired.components[1].name = "Programming interface".to_owned();
    desired.groups.remove(0);
    desired.integrations[0].routes.reverse();
    desired.integrations[0].routes[1].components.remove("db");
    fixture.apply(&desired).await.unwrap();

    assert_eq!(fixture.load().await, desired);
    let after = fixture.ids("select key, component_id from component").await;
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|(key, id)| components[key] == *id));
    // An equal route is found again at its new place.
    assert_eq!(fixture.ids("select condition, route_id from route").await["true"], routes["true"]);
    let mut conn = fixture.read().await;
    let api: (String, i64) =
        sql!(conn, c => sqlx::query_as("select status, status_since from component where key = 'api'").fetch_one(&mut *c).await).unwrap();
    assert_eq!(api, ("major_outage".to_owned(), 7));
    let days: i64 = sql!(conn, c => sqlx::query_scalar("select count(*) from component_day").fetch_one(&mut *c).await).unwrap();
    assert_eq!(days, 2, "the history of the removed one is gone, that of the others is not");
}

#[tokio::test]
async fn a_template_goes_on_under_its_number_and_lets_go_of_what_is_gone() {
    let fixture = Fixture::new().await;
    let mut desired = fixture.desired();
    fixture.apply(&desired).await.unwrap();
    let ids = fixture.ids("select key, template_id from incident_template").await;
    desired.incident_templates[0].title = "Trouble with {{ components }}".to_owned();
    desired.incident_templates[0].components = BTreeMap::from([("db".to_owned(), Status::PartialOutage)]);
    desired.incident_templates.remove(1);
    fixture.apply(&desired).await.unwrap();
    assert_eq!(fixture.load().await, desired);
    assert_eq!(fixture.ids("select key, template_id from incident_template").await["outage"], ids["outage"]);
    let mut tx = fixture.db.begin().await.unwrap();
    execute!(tx, sqlx::query("delete from component where key = 'db'")).unwrap();
    let left = templates::all(&mut tx).await.unwrap();
    assert_eq!((left.len(), left[0].components.len()), (1, 0));
}

#[tokio::test]
async fn nothing_is_left_of_what_the_file_does_not_name() {
    let fixture = Fixture::new().await;
    fixture.apply(&fixture.desired()).await.unwrap();
    let empty = Desired { page: fixture.desired().page, ..Desired::default() };
    fixture.apply(&empty).await.unwrap();
    assert_eq!(fixture.load().await, empty);
    let mut conn = fixture.read().await;
    let left: i64 = sql!(conn, c => sqlx::query_scalar(
        "select (select count(*) from route) + (select count(*) from route_component) + (select count(*) from integration_secret)
              + (select count(*) from subscriber)",
    )
    .fetch_one(&mut *c)
    .await)
    .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn who_subscribed_by_oneself_is_not_touched() {
    let fixture = Fixture::new().await;
    let mut tx = fixture.db.begin().await.unwrap();
    execute!(
        tx,
        sqlx::query("insert into subscriber (channel, address, manage_token, created_at) values ('email', 'reader@example.com', 't', 1)")
    )
    .unwrap();
    tx.commit().await.unwrap();
    let desired = fixture.desired();
    fixture.apply(&desired).await.unwrap();
    assert_eq!(fixture.load().await.subscribers, desired.subscribers);
    fixture.apply(&Desired { page: desired.page, ..Desired::default() }).await.unwrap();
    let left = fixture.ids("select address, created_at from subscriber").await;
    assert_eq!(left, BTreeMap::from([("reader@example.com".to_owned(), 1)]));
}

#[tokio::test]
async fn a_kept_secret_moves_with_what_it_belongs_to() {
    let fixture = Fixture::new().await;
    fixture.apply(&fixture.desired()).await.unwrap();
    let mut exported = fixture.load().await;
    assert!(exported.integrations[0].secrets.iter().all(|secret| secret.value.is_none()), "values do not leave the database");
    exported.integrations[0].key = "renamed".to_owned();
    exported.integrations[0].secrets.push(fixture.secret("third-secret-of-prod"));
    exported.integrations[0].secrets.remove(0);
    fixture.apply(&exported).await.unwrap();
    assert_eq!(fixture.load().await.integrations, exported.integrations);

    let hub = crate::hub::load(&mut fixture.read().await, &fixture.secrets).await.unwrap();
    let values: Vec<&str> = hub[0].secrets.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!((hub[0].key.as_str(), values), ("renamed", vec!["second-secret-of-prod", "third-secret-of-prod"]));
}

#[tokio::test]
async fn an_error_leaves_everything_as_it_was() {
    let fixture = Fixture::new().await;
    let before = fixture.desired();
    fixture.apply(&before).await.unwrap();
    let mut wrong = before.clone();
    wrong.components.remove(0);
    wrong.subscribers[0].secret = Some(Secret { fingerprint: "from elsewhere".to_owned(), value: None });
    let error = fixture.apply(&wrong).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no component `db`");
    wrong.integrations.clear();
    let error = fixture.apply(&wrong).await.unwrap_err();
    assert_eq!(error.to_string(), "no stored secret has the fingerprint `from elsewhere`; give the secret itself instead of `kept`");
    assert_eq!(fixture.load().await, before);
}

#[tokio::test]
async fn images_are_kept_for_as_long_as_the_page_shows_them() {
    let fixture = Fixture::new().await;
    let drawing = |inner: &str| Image::read(format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{inner}</svg>").as_bytes()).unwrap();
    let (logo, icon) = (drawing("<g/>"), drawing("<a/>"));
    let mut desired = Desired { page: fixture.desired().page, ..Desired::default() };
    desired.page.brand.logo = Some(logo.mark());
    desired.page.brand.icon = Some(icon.mark());
    desired.images = [&logo, &icon].map(|image| (image.digest().to_owned(), image.clone())).into();
    fixture.apply(&desired).await.unwrap();
    assert_eq!(fixture.load().await, desired);
    let data = crate::page::load(&fixture.db, NOW).await.unwrap();
    assert!(data.images.len() == 2 && data.images.contains(&logo));

    desired.page.brand.icon = Some(logo.mark());
    desired.images.remove(icon.digest());
    fixture.apply(&desired).await.unwrap();
    assert_eq!(fixture.load().await, desired);

    // What is stored need not be given again, and what is not stored must be.
    let mut tx = fixture.db.begin().await.unwrap();
    crate::page::set_settings(&mut tx, &desired.page, &BTreeMap::new()).await.unwrap();
    desired.page.brand.icon = Some(icon.mark());
    let refused = crate::page::set_settings(&mut tx, &desired.page, &BTreeMap::new()).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("there is no image `{}`", icon.digest()));
}
