//! What is run from the console: incidents, maintenance, components, and why they are what they are.

use domain::{Role, Span};

use super::Fixture;
use crate::console::zone::to_field;

/// The id at the end of where an answer leads.
fn id_in(location: &str) -> &str {
    location.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn an_incident_is_written_published_updated_resolved_and_what_was_typed_is_kept() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    assert!(owner.get("/console/").await.expect(200).body.contains("Nothing needs you"));
    owner.post("/console/components/new", &[("name", "Payments & more")]).await.leads_to("/console/components");
    let refused = owner.post("/console/incidents/new", &[("title", " "), ("body", "We are <b>on</b> it")]).await.expect(422);
    assert!(
        refused.body.contains("id=\"title-error\"") && refused.body.contains("We are &#60;b&#62;on&#60;/b&#62; it"),
        "{}",
        refused.body
    );
    let fields = [("title", "Cards fail"), ("body", "**Soon**<script>x</script>"), ("on-1", "on"), ("as-1", "major_outage")];
    let seen = owner.post("/console/incidents/preview", &fields).await.expect(200);
    assert!(
        seen.body.contains("<strong>Soon</strong>") && !seen.body.contains("<script") && seen.body.contains("Nobody is told"),
        "{}",
        seen.body
    );
    let drafted = owner.post("/console/incidents/new", &[&fields[..], &[("draft", "1")]].concat()).await.expect(303);
    let path = format!("/console/incidents/{}", id_in(drafted.location()));
    assert!(owner.get("/console/").await.body.contains("Needs a decision"));
    owner.post("/console/subscribers/new", &[("channel", "email"), ("address", "reader@example.com")]).await.expect(303);
    assert_eq!(owner.publish(&format!("{path}/publish"), &[]).await, path);
    let now = owner.get("/console/").await.body;
    assert!(now.contains("Published") && !now.contains("Needs a decision"), "{now}");
    assert!(owner.get("/console/components/1").await.expect(200).body.contains("Major outage for readers"));
    let empty = owner.post(&format!("{path}/updates"), &[("body", ""), ("on-1", "on"), ("as-1", "major_outage")]).await.expect(422);
    assert!(empty.body.contains("id=\"body-error\""), "{}", empty.body);
    let better = [("body", "Half of it works"), ("status", "identified"), ("on-1", "on"), ("as-1", "partial_outage")];
    assert_eq!(owner.publish(&format!("{path}/updates"), &better).await, path);
    assert!(owner.get(&path).await.expect(200).body.contains("Half of it works"));
    let why = owner.get("/console/components/1/why").await.expect(200).body;
    assert!(why.contains("major outage") && why.contains("Cards fail"), "{why}");
    owner.get("/console/components/1/why?at=nonsense").await.expect(422);
    let incident = id_in(&path);
    let narrowed = format!("/console/notifications?incident={incident}");
    assert!(why.contains(&format!("href=\"{narrowed}&amp;state=due\">2 due")), "{why}");
    assert!(owner.get(&path).await.body.contains(&format!("{narrowed}&amp;state=due")));
    let sent = owner.get(&narrowed).await.expect(200).body;
    assert!(
        sent.contains("Only what was sent about") && sent.contains("<bdi>Cards fail</bdi><br><span class=\"sub\">incident.updated"),
        "{sent}"
    );
    assert!(!owner.get("/console/notifications?incident=999").await.expect(200).body.contains("incident.updated"));
    let one = owner.get("/console/notifications/1").await.expect(200).body;
    assert!(one.contains(&format!("<a href=\"/console/incidents/{incident}\"><bdi>Cards fail</bdi></a>")), "{one}");
    assert_eq!(owner.publish(&format!("{path}/resolve"), &[]).await, path);
    let now = owner.get("/console/").await.body;
    assert!(now.contains("Nothing needs you") && now.contains("It was last otherwise with") && now.contains("Cards fail"), "{now}");
    assert!(owner.get("/console/incidents").await.expect(200).body.contains("Cards fail"));
    owner.post(&format!("{path}/delete"), &[]).await.leads_to("/console/incidents");
    owner.get(&path).await.expect(404);
}

#[tokio::test]
async fn components_are_overruled_and_deleted_and_maintenance_is_scheduled_and_called_off() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post("/console/components/groups", &[("name", "Shop")]).await.leads_to("/console/components#g-1");
    for name in ["API", "Web"] {
        owner.post("/console/components/new", &[("name", name), ("group", "1")]).await.leads_to("/console/components");
    }
    owner.post("/console/components/new", &[("name", ""), ("description", "kept")]).await.expect(422);
    let past = [("status", "major_outage"), ("until", "2020-01-01T00:00")];
    assert!(owner.post("/console/components/1/override", &past).await.expect(422).body.contains("until-error"));
    owner.post("/console/components/1/override", &[("status", "degraded_performance")]).await.leads_to("/console/components/1");
    assert!(owner.get("/console/components").await.body.contains("overridden"));
    owner.post("/console/components/1/override/end", &[]).await.leads_to("/console/components/1");

    let (from, to) = (fixture.console.now().plus(Span::mins(60)), fixture.console.now().plus(Span::mins(120)));
    let (from, to) = (to_field(from), to_field(to));
    let backwards = [("title", "New disks"), ("starts_at", to.as_str()), ("ends_at", from.as_str())];
    owner.post("/console/maintenances/new", &backwards).await.expect(422);
    let right = [("title", "New disks"), ("starts_at", from.as_str()), ("ends_at", to.as_str()), ("on-1", "on")];
    owner.post("/console/maintenances/new", &right).await.leads_to("/console/maintenances");
    let list = owner.get("/console/maintenances").await.expect(200).body;
    let (_, rest) = list.split_once("<a href=\"/console/maintenances/").unwrap();
    let (_, rest) = if rest.starts_with("new") { rest.split_once("<a href=\"/console/maintenances/").unwrap() } else { ("", rest) };
    let path = format!("/console/maintenances/{}", rest.split('"').next().unwrap());
    owner.post(&format!("{path}/cancel"), &[]).await.leads_to(&path);
    owner.post(&format!("{path}/cancel"), &[]).await.expect(409);
    owner.post("/console/components/1/delete", &[]).await.leads_to("/console/components");
    owner.get("/console/components/1").await.expect(404);
    owner.post("/console/components/groups/1/delete", &[]).await.expect(303);
    owner.get("/console/components").await.expect(200);
}
