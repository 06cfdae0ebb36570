use std::{
    cell::{Cell, RefCell},
    net::Ipv6Addr,
    time::Duration,
};

use jobs::{
    channels::email::{Email, EmailSettings},
    egress::{Egress, EgressPolicy},
};
use poem::{EndpointExt, http::StatusCode, test::TestClient};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{feed, page::Setup, timing::tells_nobody_by_time};

/// Whether an address is on the list shows neither in what is answered nor in how long that takes.
#[tokio::test]
async fn subscribing_tells_nobody_who_is_known() {
    let folder = std::env::temp_dir().join(format!("fanal-subscriptions-{}", std::process::id()));
    let db = Db::open(&format!("sqlite://{}", folder.join("fanal.db").display())).await.unwrap();
    db.migrate().await.unwrap();
    let (base_url, clock) = (Url::parse("https://status.example.com").unwrap(), Clock::default());
    let snapshot = feed::first(&db, &clock, &base_url).await.unwrap();
    let page = Page::new(snapshot, Setup::default(), CancellationToken::new());
    let settings = EmailSettings { smtp_url: "smtp://127.0.0.1:9".into(), from: "Acme <status@example.com>".to_owned(), dkim: None };
    let egress = Egress::new(EgressPolicy { allow_private: false, require_tls: false }).unwrap();
    let channels = Arc::new(Channels::new(egress, Some(Email::new(&settings).unwrap()), &base_url));
    // Everybody with an even number is on the list, confirmed.
    let mut tx = db.begin().await.unwrap();
    for n in (0..300).step_by(2) {
        let token = subscriptions::subscribe_by_mail(&mut tx, &address(n), clock.now()).await.unwrap().unwrap();
        subscriptions::confirm(&mut tx, &token, clock.now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let subscriptions = Subscriptions::new(db, channels, true, base_url, page, clock);
    let client = TestClient::new(add_to(Route::new()).data(subscriptions));
    let (known_ones, unknown_ones, bodies) = (Cell::new(0), Cell::new(1), RefCell::new(Vec::new()));
    tells_nobody_by_time("subscribing", async |known| {
        let next = if known { &known_ones } else { &unknown_ones };
        let n = next.replace(next.get() + 2);
        let from = IpAddr::V6(Ipv6Addr::from(rand::random::<u128>()));
        let began = Instant::now();
        let request = client.post("/subscribe").data(from).content_type("application/x-www-form-urlencoded");
        let mut answer = request.body(format!("address={}", address(n).replace('@', "%40"))).send().await.0;
        let took = began.elapsed().as_secs_f64();
        assert_eq!(answer.status(), StatusCode::OK);
        let body = answer.take_body().into_string().await.unwrap().replace(&address(n), "");
        bodies.borrow_mut().push(body);
        // The mail that is tried after the answer would else take its time from the next.
        tokio::time::sleep(Duration::from_millis(15)).await;
        took
    })
    .await;
    let bodies = bodies.into_inner();
    assert!(bodies.len() >= 80 && bodies.iter().all(|body| *body == bodies[0]), "one answer for all");
    let _ = std::fs::remove_dir_all(folder);
}

/// As long as all others.
fn address(n: usize) -> String {
    format!("reader{n:05}@example.com")
}
