//! How the sources of a component add up, and what it depends on, from its page.

use domain::Role;

use super::{Answer, Browser, Fixture};

const PATH: &str = "/console/components/1/sources";

/// Two components, and two integrations that speak of the first.
async fn ready(owner: &Browser<'_>) {
    for name in ["Checkout", "Payments"] {
        owner.post("/console/components/new", &[("name", name)]).await.expect(303);
    }
    for (id, key) in ["one", "two"].into_iter().enumerate() {
        owner.post("/console/integrations/new/alertmanager", &[("name", key), ("key", key)]).await.expect(200);
        let route = [("act", "save"), ("components", "checkout"), ("publish", "auto")];
        owner.post(&format!("/console/integrations/{}/routes/new", id + 1), &route).await.expect(303);
    }
}

/// What stood in the form that is shown, as it is sent back.
fn was(page: &Answer) -> String {
    let text = page.body.split_once("name=\"was\" value=\"").unwrap().1.split_once('"').unwrap().0;
    text.replace("&#34;", "\"").replace("&#38;", "&")
}

#[tokio::test]
async fn how_sources_add_up_and_what_it_depends_on_is_changed_in_a_form() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    fixture.user(Role::Viewer).await;
    let owner = fixture.signed_in(Role::Owner).await;
    ready(&owner).await;
    assert!(owner.get("/console/components/1").await.expect(200).body.contains(&format!("href=\"{PATH}\"")));
    let form = owner.get(PATH).await.expect(200).body;
    assert!(form.contains("id=\"weight-one\"") && form.contains("<option value=\"payments\">Payments</option>"), "{form}");
    assert!(!form.contains("<option value=\"checkout\""), "nothing depends on itself: {form}");

    let weighted = [
        ("combine", "weighted"),
        ("weight-one", "3"),
        ("needs-major_outage", "4"),
        ("on-2", "payments"),
        ("effect-2", "silence"),
        ("settle-2", "10m"),
    ];
    owner.post(PATH, &weighted).await.leads_to("/console/components/1");
    let page = owner.get("/console/components/1").await.expect(200).body;
    assert!(page.contains("By a quorum or by weights.") && page.contains("Depends on <bdi>Payments</bdi>"), "{page}");
    let form = owner.get(PATH).await.expect(200).body;
    for part in [
        "value=\"weighted\" checked",
        "placeholder=\"1\" value=\"3\"",
        "value=\"4\"",
        "id=\"on-0\" name=\"on-0\" list=\"others\" value=\"payments\"",
        "value=\"10m\"",
    ] {
        assert!(form.contains(part), "{part}: {form}");
    }

    let wrong = [("combine", "quorum"), ("quorum", "many"), ("on-0", "payments")];
    let refused = owner.post(PATH, &wrong).await.expect(422).body;
    assert!(refused.contains("id=\"quorum-error\">Must be a whole number") && refused.contains("value=\"many\""), "{refused}");
    let wrong = [("combine", "worst"), ("on-1", "nowhere"), ("effect-1", "cap")];
    let refused = owner.post(PATH, &wrong).await.expect(422).body;
    assert!(refused.contains("id=\"on-1-error\"") && refused.contains("value=\"nowhere\""), "{refused}");
    owner.post("/console/components/2/sources", &[("combine", "worst"), ("on-0", "checkout")]).await.expect(422);

    owner.post(PATH, &[("combine", "worst")]).await.expect(303);
    assert!(!owner.get("/console/components/1").await.expect(200).body.contains("Depends on"));
    fixture.signed_in(Role::Viewer).await.get(PATH).await.expect(403);
}

#[tokio::test]
async fn what_somebody_else_saved_meanwhile_is_shown_and_not_overwritten() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    ready(&owner).await;
    let opened = was(&owner.get(PATH).await.expect(200));
    owner.post(PATH, &[("combine", "quorum"), ("quorum", "2"), ("was", &opened)]).await.expect(303);
    let late = owner.post(PATH, &[("combine", "worst"), ("on-0", "payments"), ("was", &opened)]).await.expect(412);
    assert!(late.body.contains("is now “<bdi>2 must agree</bdi>”"), "{}", late.body);
    assert!(
        late.body.contains("value=\"quorum\" checked") && late.body.contains("value=\"payments\""),
        "what was typed is kept: {}",
        late.body
    );
    let again = [("combine", "quorum"), ("quorum", "2"), ("on-0", "payments"), ("was", &was(&late))];
    owner.post(PATH, &again).await.expect(303);
}
