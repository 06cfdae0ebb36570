//! What is published from the console can be taken back for ten seconds.

use domain::Role;

use super::{Browser, Fixture};

const NEW: &str = "/console/incidents/new";
const CARDS: [(&str, &str); 5] =
    [("title", "Cards fail"), ("body", "We **see** it"), ("status", "identified"), ("on-1", "on"), ("as-1", "major_outage")];

async fn with_shop(fixture: &Fixture) -> Browser<'_> {
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post("/console/components/new", &[("name", "Shop")]).await.expect(303);
    owner
}

async fn n_notices(fixture: &Fixture) -> i64 {
    storage::notifications::n_open(&mut fixture.console.db.read().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn what_is_published_waits_and_taken_back_it_stands_in_the_form_as_it_was_written() {
    let fixture = Fixture::new().await;
    let owner = with_shop(&fixture).await;
    owner.post("/console/subscribers/new", &[("channel", "webhook"), ("address", "https://hooks.example.com/x")]).await.expect(200);
    let waits = owner.post(NEW, &CARDS).await.expect(303).location().to_owned();
    let page = owner.get(&waits).await.expect(200);
    for part in ["It is published in 10 seconds.", ">Take back<", "Nothing has left yet", "<strong>see</strong>", "http-equiv=\"refresh\""]
    {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert!(owner.get("/console/").await.expect(200).body.contains("It leaves in 10 seconds."));
    assert!(!owner.get("/console/incidents").await.expect(200).body.contains("Cards fail"), "there is no such incident yet");
    assert_eq!(n_notices(&fixture).await, 0);
    let form = owner.post(&format!("{waits}/take-back"), &[]).await.expect(303).location().to_owned();
    let shown = owner.get(&form).await.expect(200).body;
    for part in ["Taken back: nothing has left.", "value=\"Cards fail\"", ">We **see** it</textarea>", "value=\"identified\" selected"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // Whoever comes late, or clicks twice, is led to the same form.
    owner.post(&format!("{waits}/take-back"), &[]).await.leads_to(&form);
    owner.get(&waits).await.leads_to(&form);
    let too_late = owner.post(&format!("{waits}/publish"), &[]).await.expect(409).body;
    assert!(too_late.contains("It was taken back."), "{too_late}");
    let incident = owner.publish(NEW, &CARDS).await;
    assert!(owner.get(&incident).await.expect(200).body.contains("Cards fail"));
    assert_eq!(n_notices(&fixture).await, 2, "the incident, and the status of the shop");
    owner.get("/console/incidents/waiting/999").await.expect(404);
}

#[tokio::test]
async fn an_update_is_taken_back_into_its_form_and_what_has_left_is_not() {
    let fixture = Fixture::new().await;
    let owner = with_shop(&fixture).await;
    let incident = owner.publish(NEW, &CARDS).await;
    let update = [("body", "It is mended"), ("status", "resolved"), ("on-1", "on"), ("as-1", "major_outage")];
    let waits = owner.post(&format!("{incident}/updates"), &update).await.expect(303).location().to_owned();
    let page = owner.get(&incident).await.expect(200).body;
    assert!(page.contains("wrote something that has not left yet: <bdi>an update: It is mended</bdi>"), "{page}");
    let form = owner.post(&format!("{waits}/take-back"), &[]).await.expect(303).location().to_owned();
    assert!(form.starts_with(&incident), "{form}");
    let shown = owner.get(&form).await.expect(200).body;
    for part in ["Taken back: nothing has left.", ">It is mended</textarea>", "value=\"resolved\" selected", "Identified · began"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for path in [format!("{incident}/updates"), format!("{incident}/resolve")] {
        let waits = owner.post(&path, &update).await.expect(303).location().to_owned();
        owner.post(&format!("{waits}/publish"), &[]).await.leads_to(&waits);
        owner.post(&format!("{waits}/publish"), &[]).await.leads_to(&waits);
        let refused = owner.post(&format!("{waits}/take-back"), &[]).await.expect(409).body;
        assert!(refused.contains("It has left already; post a correction.") && refused.contains("Post an update"), "{refused}");
        owner.get(&waits).await.leads_to(&incident);
    }
    assert!(owner.get("/console/audit").await.expect(200).body.contains("waiting-act.take-back"));
}

#[tokio::test]
async fn who_may_not_write_sees_what_waits_and_can_do_nothing_about_it() {
    let fixture = Fixture::new().await;
    let owner = with_shop(&fixture).await;
    fixture.user(Role::Viewer).await;
    let viewer = fixture.signed_in(Role::Viewer).await;
    let waits = owner.post(NEW, &CARDS).await.expect(303).location().to_owned();
    let page = viewer.get(&waits).await.expect(200).body;
    assert!(page.contains("It is published in") && !page.contains("Take back") && !page.contains("Publish now"), "{page}");
    for act in ["take-back", "publish"] {
        viewer.post(&format!("{waits}/{act}"), &[]).await.expect(403);
    }
    assert!(owner.get(&waits).await.expect(200).body.contains("Take back"), "it waits on");
}
