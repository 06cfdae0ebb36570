//! The log proves itself, and every way to falsify it is noticed.

use domain::{Span, Timestamp, TokenId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{Actor, Broken, By, Entry, Filter, Via, erase, list, note, prune, record, verify};
use crate::{
    Db, SecretBox,
    db::{execute, sql},
};

const NOW: Timestamp = Timestamp(1_780_000_000_000);

struct Fixture {
    db: Db,
    secrets: SecretBox,
    folder: std::path::PathBuf,
}

impl Fixture {
    async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("fanal-audit-{}", uuid::Uuid::new_v4()));
        let db = Db::open(&format!("sqlite://{}", folder.join("fanal.db").display())).await.unwrap();
        db.migrate().await.unwrap();
        Self { db, secrets: SecretBox::new(&SecretBox::generate_key()).unwrap(), folder }
    }

    /// With `n` acts, all in one transaction.
    async fn with(n: i64) -> Self {
        let fixture = Self::new().await;
        let mut tx = fixture.db.begin().await.unwrap();
        for i in 0..n {
            let by = ada();
            record(&mut tx, &fixture.secrets, &act(&by, i)).await.unwrap();
        }
        tx.commit().await.unwrap();
        fixture
    }

    async fn run(&self, statement: &'static str, id: i64) {
        let mut tx = self.db.begin().await.unwrap();
        execute!(tx, sqlx::query(statement).bind(id)).unwrap();
        tx.commit().await.unwrap();
    }

    async fn verify(&self) -> Result<i64, Broken> {
        verify(&self.db, &self.secrets, None).await.unwrap().map(|verified| verified.n)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn ada() -> By {
    By { actor: Actor::Token(TokenId(3)), name: "Ada's laptop".into(), via: Via::Token(TokenId(3)), address: Some([192, 0, 2, 7].into()) }
}

fn act(by: &By, i: i64) -> Entry<'_> {
    Entry {
        by,
        action: "component.update",
        resource: Some(format!("component:{i}")),
        before: json!({ "name": "a", "position": i }),
        after: json!({ "name": "b", "position": i }),
        at: NOW.plus(Span::secs(i)),
    }
}

#[tokio::test]
async fn what_is_recorded_reads_back_and_proves_itself() {
    let fixture = Fixture::with(3).await;
    assert_eq!(fixture.verify().await, Ok(3));
    let mut conn = fixture.db.read().await.unwrap();
    let rows = list(&mut conn, &Filter::default(), i64::MAX, 2).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [3, 2]);
    let row = &rows[0];
    assert_eq!((row.actor.as_str(), row.name.as_deref(), row.via.as_str()), ("token:3", Some("Ada's laptop"), "token:3"));
    assert_eq!((row.address.as_deref(), row.action.as_str()), (Some("192.0.2.7"), "component.update"));
    assert_eq!((&row.before, &row.after), (&Some(json!({ "name": "a" })), &Some(json!({ "name": "b" }))));
    let filter = Filter { resource: Some("component:1".into()), actor: Some("token:3".into()), ..Filter::default() };
    assert_eq!(list(&mut conn, &filter, i64::MAX, 9).await.unwrap().len(), 1);
    let filter = Filter { from: Some(NOW.plus(Span::secs(1))), to: Some(NOW.plus(Span::secs(2))), ..Filter::default() };
    assert_eq!(list(&mut conn, &filter, i64::MAX, 9).await.unwrap()[0].id, 2);
    drop(conn);
    let hash = rows[1].hash.as_str();
    assert!(verify(&fixture.db, &fixture.secrets, Some((2, hash))).await.unwrap().is_ok());
    assert_eq!(verify(&fixture.db, &fixture.secrets, Some((3, hash))).await.unwrap(), Err(Broken::Unexpected(3)));
    assert_eq!(verify(&fixture.db, &fixture.secrets, Some((4, hash))).await.unwrap(), Err(Broken::Missing(4)));
}

#[tokio::test]
async fn an_act_that_is_undone_leaves_no_row_and_no_gap() {
    let fixture = Fixture::with(2).await;
    let mut tx = fixture.db.begin().await.unwrap();
    record(&mut tx, &fixture.secrets, &act(&ada(), 9)).await.unwrap();
    drop(tx);
    assert_eq!(fixture.verify().await, Ok(2));
    assert_eq!(note(&fixture.db, &fixture.secrets, &act(&ada(), 9)).await.unwrap(), 3);
    assert_eq!(fixture.verify().await, Ok(3));
}

#[tokio::test]
async fn each_of_a_thousand_rows_is_missed_when_it_is_changed() {
    const N: i64 = 1_000;
    let fixture = Fixture::with(N).await;
    let columns: [(&str, &str); 4] = [
        ("update audit set at = at + 1 where audit_id = $1", "update audit set at = at - 1 where audit_id = $1"),
        (
            "update audit set action = 'component.upDate' where audit_id = $1",
            "update audit set action = 'component.update' where audit_id = $1",
        ),
        ("update audit set address = null where audit_id = $1", "update audit set address = '192.0.2.7' where audit_id = $1"),
        ("update audit set audit_id = -1 where audit_id = $1", "update audit set audit_id = $1 where audit_id = -1"),
    ];
    for id in 1..=N {
        let (change, back) = columns[usize::try_from(id).unwrap() % columns.len()];
        fixture.run(change, id).await;
        let broken = fixture.verify().await.unwrap_err();
        assert!(matches!(broken, Broken::Changed(found) | Broken::Missing(found) if found == id), "{id}: {broken:?}");
        fixture.run(back, id).await;
    }
    assert_eq!(fixture.verify().await, Ok(N));
}

#[tokio::test]
async fn every_column_counts() {
    let fixture = Fixture::with(3).await;
    for change in [
        "update audit set at = 1 where audit_id = $1",
        "update audit set actor = 'token:4' where audit_id = $1",
        "update audit set actor_id = 9 where audit_id = $1",
        "update audit set name_mark = hash where audit_id = $1",
        "update audit set via = 'token:4' where audit_id = $1",
        "update audit set address = '192.0.2.8' where audit_id = $1",
        "update audit set action = 'x' where audit_id = $1",
        "update audit set resource = null where audit_id = $1",
        "update audit set resource = '' where audit_id = $1",
        "update audit set before = after, after = before where audit_id = $1",
        "update audit set hash = name_mark where audit_id = $1",
        "update audit_actor set name = 'Eve' where $1 > 0",
        "delete from audit where audit_id = $1",
        "delete from audit where audit_id >= $1",
        "delete from audit where audit_id <= $1",
        "delete from audit where $1 > 0",
        "update audit_head set last_id = 1, last_hash = (select hash from audit where audit_id = 1) where $1 > 0",
        "update audit_head set seal = null, last_id = 0 where $1 > 0",
        "delete from audit_head where $1 > 0",
    ] {
        let fixture = Fixture { db: fixture.copy().await, secrets: fixture.secrets.clone(), folder: fixture.folder.join("copies") };
        assert_eq!(fixture.verify().await, Ok(3));
        fixture.run(change, 2).await;
        assert!(fixture.verify().await.is_err(), "{change}");
    }
}

impl Fixture {
    /// The same database once more.
    async fn copy(&self) -> Db {
        let folder = self.folder.join("copies").join(uuid::Uuid::new_v4().to_string());
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("fanal.db");
        let mut conn = self.db.read().await.unwrap();
        let text = format!("vacuum into '{}'", path.display());
        sql!(conn, c => sqlx::query(sqlx::AssertSqlSafe(text)).execute(&mut *c).await.map(|_| ())).unwrap();
        Db::open(&format!("sqlite://{}", path.display())).await.unwrap()
    }
}

#[tokio::test]
async fn reordered_and_shortened_logs_are_noticed_even_if_the_head_is_changed_too() {
    let fixture = Fixture::with(5).await;
    let swap = |from: i64| {
        [
            format!("update audit set audit_id = -1 where audit_id = {from}"),
            format!("update audit set audit_id = {from} where audit_id = {from} + 1"),
            format!("update audit set audit_id = {from} + 1 where audit_id = -1"),
        ]
    };
    let mut tx = fixture.db.begin().await.unwrap();
    for statement in swap(2) {
        execute!(tx, sqlx::query(sqlx::AssertSqlSafe(statement))).unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(fixture.verify().await, Err(Broken::Changed(2)));
    let fixture = Fixture::with(5).await;
    fixture.run("delete from audit where audit_id > $1", 3).await;
    assert_eq!(fixture.verify().await, Err(Broken::Missing(4)));
    fixture.run("update audit_head set last_id = $1, last_hash = (select hash from audit where audit_id = $1)", 3).await;
    assert_eq!(fixture.verify().await, Err(Broken::Seal));
    // Acts go on, and what was found is never forgotten again.
    assert_eq!(note(&fixture.db, &fixture.secrets, &act(&ada(), 9)).await.unwrap(), 5);
    assert_eq!(fixture.verify().await, Err(Broken::WasBroken(4)));
}

#[tokio::test]
async fn an_erased_name_leaves_a_pseudonym_and_a_log_that_proves_itself() {
    let fixture = Fixture::with(2).await;
    let mut tx = fixture.db.begin().await.unwrap();
    erase(&mut tx, Actor::Token(TokenId(3))).await.unwrap();
    record(&mut tx, &fixture.secrets, &act(&ada(), 3)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(fixture.verify().await, Ok(3));
    let rows = list(&mut fixture.db.read().await.unwrap(), &Filter::default(), i64::MAX, 9).await.unwrap();
    let named: Vec<_> = rows.iter().map(|row| (row.actor.as_str(), row.name.as_deref())).collect();
    assert_eq!(named, [("token:3", Some("Ada's laptop")), ("token:3", None), ("token:3", None)]);
}

#[tokio::test]
async fn what_is_too_old_goes_and_the_rest_proves_itself() {
    let fixture = Fixture::with(10).await;
    let pruned = async |before: i64, only_sent, limit| {
        let mut tx = fixture.db.begin().await.unwrap();
        let n = prune(&mut tx, &fixture.secrets, NOW.plus(Span::secs(before)), only_sent, limit).await.unwrap();
        tx.commit().await.unwrap();
        n
    };
    assert_eq!(pruned(4, true, 100).await, 0, "nothing was handed on yet");
    assert_eq!(pruned(4, false, 3).await, 3);
    assert_eq!(pruned(4, false, 100).await, 1);
    assert_eq!(pruned(4, false, 100).await, 0);
    assert_eq!(fixture.verify().await, Ok(6));
    fixture.run("delete from audit where audit_id = $1", 5).await;
    assert_eq!(fixture.verify().await, Err(Broken::Missing(5)));
    let fixture = Fixture::with(3).await;
    let mut tx = fixture.db.begin().await.unwrap();
    assert_eq!(prune(&mut tx, &fixture.secrets, Timestamp(i64::MAX), false, 100).await.unwrap(), 2, "the newest stays");
    tx.commit().await.unwrap();
    assert_eq!(fixture.verify().await, Ok(1));
}

#[tokio::test]
async fn a_key_that_is_exchanged_still_proves_the_log() {
    let (old, new) = (SecretBox::generate_key(), SecretBox::generate_key());
    let mut fixture = Fixture::new().await;
    fixture.secrets = SecretBox::new(&old).unwrap();
    note(&fixture.db, &fixture.secrets, &act(&ada(), 1)).await.unwrap();
    fixture.secrets = SecretBox::new(&SecretString::from(format!("{},{}", new.expose_secret(), old.expose_secret()))).unwrap();
    assert_eq!(fixture.verify().await, Ok(1));
    let mut tx = fixture.db.begin().await.unwrap();
    super::keep::reseal(&mut tx, &fixture.secrets).await.unwrap();
    tx.commit().await.unwrap();
    fixture.secrets = SecretBox::new(&new).unwrap();
    assert_eq!(fixture.verify().await, Ok(1));
}

#[tokio::test]
async fn acts_at_once_are_recorded_one_after_the_other() {
    let fixture = Fixture::new().await;
    let acts = (0..40).map(|i| {
        let (db, secrets) = (fixture.db.clone(), fixture.secrets.clone());
        tokio::spawn(async move { note(&db, &secrets, &act(&ada(), i)).await.unwrap() })
    });
    let mut ids = Vec::new();
    for act in acts.collect::<Vec<_>>() {
        ids.push(act.await.unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=40).collect::<Vec<_>>());
    assert_eq!(fixture.verify().await, Ok(40));
    assert_eq!(verify(&Fixture::new().await.db, &fixture.secrets, None).await.unwrap(), Err(Broken::Empty));
}
