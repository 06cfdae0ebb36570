//! A back-test says how far it has come while it goes on, and ends when nobody reads it any more.

use std::time::{Duration, Instant};

use domain::{IntegrationId, NewDelivery, Role, Span, Timestamp};
use futures::{Stream, StreamExt, future::try_join_all};
use poem::http::{StatusCode, header};
use serde_json::json;
use storage::Inbox;

use super::{Browser, Fixture};

/// Enough to keep one busy for more than a second.
const N: i64 = 4_000;
const PATH: &str = "/console/integrations/1/back-test?days=1";

/// An Alertmanager that has sent something again and again.
async fn with_deliveries(fixture: &Fixture) -> Browser<'_> {
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post("/console/components/new", &[("name", "API")]).await.expect(303);
    owner.post("/console/integrations/new/alertmanager", &[("name", "Prod"), ("key", "prod")]).await.expect(200);
    let (inbox, task) = Inbox::open(fixture.console.db.clone(), fixture.console.wake.clone());
    let first = fixture.console.now().0 - Span::mins(10).0;
    try_join_all((0..N).map(|n| inbox.insert(delivery(n, Timestamp(first + n))))).await.unwrap();
    drop(inbox);
    task.await.unwrap();
    owner
}

fn delivery(n: i64, at: Timestamp) -> NewDelivery {
    let alert = |i: i64| {
        json!({
            "status": "firing", "labels": { "alertname": "Down", "instance": format!("host-{i}") }, "annotations": { "summary": "down" },
            "startsAt": at.to_string(), "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://p", "fingerprint": format!("{i}"),
        })
    };
    let body = json!({
        "version": "4", "groupKey": "{}", "truncatedAlerts": 0, "receiver": "fanal", "status": "firing", "groupLabels": {},
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://a", "alerts": (0..4).map(alert).collect::<Vec<_>>(),
    });
    NewDelivery {
        integration: IntegrationId(1),
        external_id: format!("delivery-{n}"),
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.to_string().into_bytes(),
        received_at: at,
    }
}

impl Browser<'_> {
    /// The pieces of a page, as they arrive.
    async fn pieces(&self, path: &str) -> (StatusCode, impl Stream<Item = String> + Unpin + use<>) {
        let cookie = format!("__Host-fanal={}", self.cookie().unwrap());
        let mut response = self.fixture.client.get(path).header(header::COOKIE, cookie).send().await.0;
        let pieces = response.take_body().into_bytes_stream();
        (response.status(), Box::pin(pieces.map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap())))
    }
}

fn is_progress(piece: &str) -> bool {
    piece.starts_with("<p class=\"going\">Looked at ")
}

#[tokio::test]
async fn how_far_it_has_come_arrives_before_the_end_and_who_leaves_ends_it() {
    let fixture = Fixture::new().await;
    let owner = with_deliveries(&fixture).await;
    let began = Instant::now();
    let (status, pieces) = owner.pieces(PATH).await;
    assert_eq!(status, 200);
    let all: Vec<String> = pieces.collect().await;
    let took = began.elapsed();
    assert!(all[0].contains(">Stop</a>") && all[0].contains("<h1>Back-test</h1>") && !all[0].contains("Looked at"), "{}", all[0]);
    assert!(all[1].starts_with("<p class=\"going\">Looked at 0 of about 4,000 deliveries."), "{}", all[1]);
    let n = all.iter().filter(|piece| is_progress(piece)).count();
    let [.., end, foot] = &all[..] else { panic!("{all:?}") };
    assert!(n >= 3 && all.len() == n + 3, "{n} of {} pieces in {took:?}", all.len());
    assert!(end.starts_with("<div class=\"gone\">") && end.contains("4000 deliveries with"), "{end}");
    assert!(foot.trim_end().ends_with("</html>"), "{foot}");

    let (_, mut pieces) = owner.pieces(PATH).await;
    while !pieces.next().await.unwrap().contains("Looked at") {}
    assert!(is_progress(&pieces.next().await.unwrap()), "it goes on");
    let other = owner.get(PATH).await.expect(429).body;
    assert!(other.contains("Another back-test is running"), "{other}");
    drop(pieces);
    let left = Instant::now();
    loop {
        let (status, again) = owner.pieces(PATH).await;
        drop(again);
        if status == 200 {
            break;
        }
        assert!(left.elapsed() < took / 2, "it went on for {:?} of {took:?}", left.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_route_is_back_tested_in_its_form_and_stopping_keeps_what_was_typed() {
    let fixture = Fixture::new().await;
    let owner = with_deliveries(&fixture).await;
    let route = "/console/integrations/1/routes/new";
    let typed = [("when", "signal.labels.alertname == \"Down\""), ("components", "api"), ("publish", "auto"), ("days", "1")];
    let tested = owner.post(route, &[&typed[..], &[("act", "back-test")]].concat()).await.expect(200);
    for part in ["name=\"act\" value=\"stop\"", "Looked at 0 of about 4,000", "<strong>1 incident</strong>", "</html>"] {
        assert!(tested.body.contains(part), "{part}: {}", tested.body);
    }
    assert_eq!(tested.header("x-accel-buffering"), "no");
    assert!(tested.header(header::CONTENT_SECURITY_POLICY).contains("style-src 'self'") && !tested.body.contains("style="));
    let stopped = owner.post(route, &[&typed[..], &[("act", "stop")]].concat()).await.expect(200).body;
    assert!(stopped.contains("signal.labels.alertname == &#34;Down&#34;") && !stopped.contains("Looked at"), "{stopped}");
    assert!(!owner.get("/console/integrations/1").await.expect(200).body.contains("/routes/0"), "nothing was saved");
    let wrong = owner.post(route, &[("when", "nothing"), ("publish", "auto"), ("act", "back-test")]).await.expect(422).body;
    assert!(wrong.contains("It could not be tried") && !wrong.contains("Looked at"), "{wrong}");
}

#[tokio::test]
async fn settings_are_back_tested_in_their_form_and_nothing_is_saved() {
    let fixture = Fixture::new().await;
    let owner = with_deliveries(&fixture).await;
    let path = "/console/integrations/1/settings";
    let form = owner.get(path).await.expect(200).body;
    assert!(form.contains("value=\"back-test\"") && !form.contains("value=\"stop\""), "{form}");
    let typed = [("name", "Another"), ("settings", "{ }"), ("days", "1")];
    let tested = owner.post(path, &[&typed[..], &[("act", "back-test")]].concat()).await.expect(200).body;
    for part in ["name=\"act\" value=\"stop\"", "Looked at 0 of about 4,000", "4000 deliveries with 16000 signals", "</html>"] {
        assert!(tested.contains(part), "{part}: {tested}");
    }
    let stopped = owner.post(path, &[&typed[..], &[("act", "stop")]].concat()).await.expect(200).body;
    assert!(stopped.contains("value=\"Another\"") && !stopped.contains("Looked at"), "{stopped}");
    let wrong = [("name", "Another"), ("settings", "nothing: 1"), ("act", "back-test")];
    let refused = owner.post(path, &wrong).await.expect(422).body;
    assert!(refused.contains("nothing: 1") && refused.contains("aria-invalid") && !refused.contains("Looked at"), "{refused}");
    assert!(!owner.get("/console/integrations").await.expect(200).body.contains("Another"), "nothing was saved");
    owner.post(path, &[("name", "Another"), ("settings", "{ }")]).await.leads_to("/console/integrations/1");
}
