//! Trying an integration before an outage does.

use domain::{IntegrationId, Role, Span};
use storage::polls::{self, Source};

use super::Fixture;

const PATH: &str = "/console/integrations/1/test";

#[tokio::test]
async fn a_test_is_changed_and_sent_and_says_what_would_happen() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    fixture.user(Role::Operator).await;
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post("/console/components/new", &[("name", "API")]).await.expect(303);
    owner.post("/console/integrations/new/alertmanager", &[("name", "Prod"), ("key", "prod")]).await.expect(200);
    assert!(owner.get("/console/integrations/1").await.expect(200).body.contains("href=\"/console/integrations/1/test\""));
    let form = owner.get(PATH).await.expect(200).body;
    assert!(form.contains("&#34;groupKey&#34;") && form.contains("content-type: application/json"), "{form}");

    let alert = r#"{"version":"4","groupKey":"k","status":"firing","receiver":"r","groupLabels":{},"commonLabels":{},"commonAnnotations":{},
        "externalURL":"http://a.example","truncatedAlerts":0,"alerts":[{"status":"firing","labels":{"alertname":"Down","severity":"critical"},
        "annotations":{},"startsAt":"2026-03-01T12:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"f"}]}"#;
    let sent = [("headers", "content-type: application/json"), ("body", alert)];
    let shown = owner.post(PATH, &sent).await.expect(200).body;
    for part in ["There are no routes yet", "href=\"/console/deliveries/1\"", "routes/new?delivery=1", "proves nothing about the secret"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(owner.get("/console/integrations/1/routes/new?delivery=1").await.expect(200).body.contains("Made from what arrived"));
    let route = [("act", "save"), ("components", "api"), ("publish", "auto")];
    owner.post("/console/integrations/1/routes/new", &route).await.leads_to("/console/integrations/1");
    let shown = owner.post(PATH, &sent).await.expect(200).body;
    assert!(shown.contains("api: major outage · an incident by itself; 0 subscribers would be told"), "{shown}");

    let refused = owner.post(PATH, &[("headers", "no colon"), ("body", "kept <as typed>")]).await.expect(422).body;
    assert!(
        refused.contains("id=\"headers-error\">Has a line without a colon") && refused.contains("kept &#60;as typed&#62;"),
        "{refused}"
    );
    assert!(owner.get("/console/deliveries/1").await.expect(200).body.contains("A test of the team’s"));
    assert!(owner.get("/console/deliveries").await.expect(200).body.contains("<span class=\"tag\">test</span>"));
    fixture.signed_in(Role::Operator).await.get(PATH).await.expect(403);
}

#[tokio::test]
async fn a_source_is_asked_from_its_page_and_not_tested() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    let fields = [("name", "Vendor"), ("settings", "url: https://status.example.com"), ("secret_from", "none")];
    owner.post("/console/integrations/new/statuspage", &fields).await.expect(200);
    owner.get(PATH).await.expect(404);
    let page = owner.get("/console/integrations/1").await.expect(200).body;
    assert!(page.contains("action=\"/console/integrations/1/ask\""), "{page}");
    owner.post("/console/integrations/1/ask", &[]).await.expect(409);
    let mut tx = fixture.console.db.begin().await.unwrap();
    let first_at = fixture.console.now().plus(Span::mins(60));
    polls::begin(&mut tx, &Source { integration: IntegrationId(1), source: "1".to_owned(), first_at }).await.unwrap();
    tx.commit().await.unwrap();
    let since = first_at.0 - Span::mins(60).0;
    let page = owner.get(&format!("/console/integrations/1?asked={since}")).await.expect(200).body;
    assert!(page.contains("answered the same as before"), "{page}");
}

#[tokio::test]
async fn when_a_sender_counts_as_silent_is_set_in_its_form() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post("/console/integrations/new/alertmanager", &[("name", "Prod"), ("key", "prod")]).await.expect(200);
    let path = "/console/integrations/1/settings";
    let refused = owner.post(path, &[("name", "Prod"), ("silent_after", "1s")]).await.expect(422).body;
    assert!(refused.contains("value=\"1s\"") && refused.contains("id=\"silent_after-error\">Must be"), "{refused}");
    owner.post(path, &[("name", "Prod"), ("silent_after", "2h")]).await.expect(303);
    assert!(owner.get(path).await.expect(200).body.contains("name=\"silent_after\" value=\"2h\""));
    owner.post(path, &[("name", "Prod"), ("silent_after", "")]).await.expect(303);
    assert!(owner.get(path).await.expect(200).body.contains("name=\"silent_after\" value=\"\""));
}

#[tokio::test]
async fn a_subscriber_is_sent_a_test_from_the_list() {
    let fixture = Fixture::with_mail().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post("/console/subscribers/new", &[("channel", "email"), ("address", "reader@example.com")]).await.expect(303);
    assert!(owner.get("/console/subscribers").await.expect(200).body.contains("action=\"/console/subscribers/1/test\""));
    let shown = owner.post("/console/subscribers/1/test", &[]).await.expect(200).body;
    assert!(shown.contains("It could not be sent now") && shown.contains("<bdi>reader@example.com</bdi>"), "{shown}");
}
