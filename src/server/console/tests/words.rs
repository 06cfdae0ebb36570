//! Words that are ready, words of afterwards, and two people who write at once.

use domain::Role;

use super::{Answer, Browser, Fixture};

/// What stands in a hidden field of a page; its first, if there are several.
fn hidden(page: &Answer, name: &str) -> String {
    let (_, rest) = page.body.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name}: {}", page.body));
    let marks = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
    marks.iter().fold(rest.split('"').next().unwrap().to_owned(), |text, (name, mark)| text.replace(name, mark))
}

/// Sends a form over the version that `page` shows.
async fn over(browser: &Browser<'_>, page: &Answer, path: &str, fields: &[(&str, &str)]) -> Answer {
    let (etag, was) = (hidden(page, "etag"), hidden(page, "was"));
    browser.post(path, &[fields, &[("etag", &etag), ("was", &was)]].concat()).await
}

async fn with_api() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    fixture.signed_in(Role::Owner).await.post("/console/components/new", &[("name", "API")]).await.expect(303);
    fixture
}

const TEMPLATE: [(&str, &str); 6] = [
    ("name", "Outage"),
    ("title", "Problem with {{ components }}"),
    ("body", "**{{ status }}**{% if signal %} {{ signal.subject }}{% endif %}"),
    ("status", "identified"),
    ("on-1", "on"),
    ("as-1", "major_outage"),
];

#[tokio::test]
async fn an_incident_begins_with_the_words_of_a_template() {
    let fixture = with_api().await;
    let owner = fixture.signed_in(Role::Owner).await;
    assert!(owner.get("/console/incident-templates").await.expect(200).body.contains("No words are ready yet"));
    assert!(!owner.get("/console/incidents/new").await.expect(200).body.contains("Begin with"));
    let seen = owner.post("/console/incident-templates/preview", &TEMPLATE).await.expect(200).body;
    assert!(seen.contains("Problem with API") && seen.contains("<strong>major outage</strong> HighErrorRate"), "{seen}");
    let wrong =
        owner.post("/console/incident-templates/new", &[("name", "Odd"), ("title", "{{ signl }}"), ("body", "kept")]).await.expect(422);
    assert!(wrong.body.contains("id=\"title-error\"") && wrong.body.contains(">kept</textarea>"), "{}", wrong.body);
    owner.post("/console/incident-templates/new", &TEMPLATE).await.leads_to("/console/incident-templates");
    let twice = owner.post("/console/incident-templates/new", &TEMPLATE).await.expect(422);
    assert!(twice.body.contains("id=\"name-error\""), "{}", twice.body);
    assert!(owner.get("/console/incident-templates").await.expect(200).body.contains("?template=1"));

    // By its address, without anything else.
    let form = owner.get("/console/incidents/new?template=1").await.expect(200).body;
    assert!(form.contains("value=\"Problem with API\"") && form.contains(">**major outage**</textarea>"), "{form}");
    assert!(form.contains("<option value=\"identified\" selected>") && form.contains("name=\"on-1\" checked"), "{form}");
    // From a component: the one that names it, unless somebody says that there be none.
    assert!(owner.get("/console/incidents/new?component=1").await.expect(200).body.contains("**partial outage**"));
    assert!(!owner.get("/console/incidents/new?component=1&template=").await.expect(200).body.contains("**partial outage**"));
    owner.get("/console/incidents/new?template=99").await.expect(404);
    owner.get("/console/incidents/new?component=99").await.expect(404);
    // With what is ticked, by a button.
    let filled =
        owner.post("/console/incidents/new", &[("fill", "1"), ("template", "1"), ("on-1", "on"), ("as-1", "degraded_performance")]).await;
    assert!(filled.expect(200).body.contains("**degraded performance**"));
    let published =
        owner.post("/console/incidents/new", &[("title", "Problem with API"), ("body", "**major outage**"), ("template", "1")]).await;
    owner.get(published.expect(303).location()).await.expect(200);
    owner.post("/console/incident-templates/1/delete", &[]).await.leads_to("/console/incident-templates");
}

#[tokio::test]
async fn a_postmortem_is_drafted_seen_before_and_published() {
    let fixture = with_api().await;
    let owner = fixture.signed_in(Role::Owner).await;
    let path = owner.publish("/console/incidents/new", &[("title", "Down"), ("on-1", "on"), ("as-1", "major_outage")]).await;
    let postmortem = format!("{path}/postmortem");
    owner.get(&postmortem).await.expect(409);
    assert_eq!(owner.publish(&format!("{path}/resolve"), &[]).await, path);
    assert!(owner.get(&path).await.expect(200).body.contains("Write the postmortem"));
    let form = owner.get(&postmortem).await.expect(200);
    assert!(form.body.contains("### What happened") && form.body.contains("Nobody is told"), "{}", form.body);
    let fields = [("title", "Down"), ("status", "postmortem"), ("silent", "1"), ("body", "*cable*<script>x</script>")];
    let seen = owner.post("/console/incidents/preview", &fields).await.expect(200).body;
    assert!(seen.contains("<em>cable</em>") && !seen.contains("<script") && seen.contains("Nobody is told, unless"), "{seen}");
    assert!(owner.post(&postmortem, &[("body", " ")]).await.expect(422).body.contains("id=\"body-error\""));
    over(&owner, &form, &postmortem, &[("body", "It was the *cable*.")]).await.leads_to(&postmortem);
    let drafted = owner.get(&postmortem).await.expect(200);
    assert!(drafted.body.contains("The draft was saved by <bdi>Ada</bdi>"), "{}", drafted.body);
    over(&owner, &drafted, &postmortem, &[("body", "It was the *cable*."), ("publish", "1"), ("notify", "1")]).await.leads_to(&path);
    let shown = owner.get(&path).await.expect(200).body;
    assert!(shown.contains("Readers see it.") && shown.contains("<em>cable</em>"), "{shown}");
    owner.post(&format!("{postmortem}/unpublish"), &[]).await.leads_to(&postmortem);
    assert!(owner.get(&postmortem).await.body.contains(">It was the *cable*.</textarea>"));
    owner.post(&format!("{postmortem}/delete"), &[]).await.leads_to(&path);
    owner.post(&format!("{postmortem}/delete"), &[]).await.expect(404);
}

/// Each form is opened twice; who saves second is shown what the first saved, keeps what they typed, and may save then.
#[tokio::test]
async fn who_saves_over_a_newer_version_is_shown_it_and_loses_nothing() {
    let fixture = with_api().await;
    let (one, two) = (fixture.signed_in(Role::Owner).await, fixture.signed_in(Role::Owner).await);
    let incident = one.publish("/console/incidents/new", &[("title", "Down")]).await;
    let updates = format!("{incident}/updates");
    one.post("/console/incident-templates/new", &TEMPLATE).await.expect(303);
    let resolved = one.publish("/console/incidents/new", &[("title", "Over")]).await;
    one.publish(&format!("{resolved}/resolve"), &[]).await;
    let postmortem = format!("{resolved}/postmortem");
    one.post("/console/maintenances/new", &[("title", "Disks"), ("starts_at", "2099-01-01T00:00"), ("ends_at", "2099-01-01T01:00")])
        .await
        .expect(303);
    let list = one.get("/console/maintenances").await.body;
    let maintenance = list.split("/console/maintenances/").find_map(|rest| rest.split('"').next()?.parse::<i64>().ok()).unwrap();
    let maintenance = format!("/console/maintenances/{maintenance}");
    let window = [("starts_at", "2099-01-01T00:00"), ("ends_at", "2099-01-01T01:00")];

    type Fields = Vec<(&'static str, &'static str)>;
    let cases: [(&str, &str, Fields, &str); 6] = [
        (&incident, &updates, vec![("status", "investigating")], "body"),
        (&incident, &incident, vec![], "title"),
        (&postmortem, &postmortem, vec![], "body"),
        (&maintenance, &maintenance, window.to_vec(), "title"),
        ("/console/incident-templates/1", "/console/incident-templates/1", TEMPLATE[..1].to_vec(), "title"),
        ("/console/components/1", "/console/components/1", vec![], "name"),
    ];
    for (page, action, rest, field) in cases {
        let (mine, theirs) = (one.get(page).await.expect(200), two.get(page).await.expect(200));
        over(&two, &theirs, action, &[&rest[..], &[(field, "Words of the other")]].concat()).await.expect(303);
        let refused = over(&one, &mine, action, &[&rest[..], &[(field, "Words of mine")]].concat()).await.expect(412);
        assert!(refused.body.contains("Somebody changed this while you were writing"), "{action}: {}", refused.body);
        assert!(refused.body.contains("Words of the other") && refused.body.contains("Words of mine"), "{action}: {}", refused.body);
        over(&one, &refused, action, &[&rest[..], &[(field, "Words of mine")]].concat()).await.expect(303);
    }
    assert!(one.get("/console/components/1").await.body.contains("Words of mine"));
    assert!(one.get(&incident).await.body.contains("Words of the other"), "nothing that was posted is lost");
}

#[tokio::test]
async fn what_the_other_changed_elsewhere_in_the_form_is_taken_over() {
    let fixture = with_api().await;
    let (one, two) = (fixture.signed_in(Role::Owner).await, fixture.signed_in(Role::Owner).await);
    let path = "/console/components/1";
    let (mine, theirs) = (one.get(path).await.expect(200), two.get(path).await.expect(200));
    over(&two, &theirs, path, &[("name", "API"), ("description", "Theirs"), ("hidden", "on")]).await.expect(303);
    let refused = over(&one, &mine, path, &[("name", "Interface"), ("description", "")]).await.expect(412);
    assert!(refused.body.contains(">Theirs</textarea>") && refused.body.contains("name=\"hidden\" checked"), "{}", refused.body);
    assert!(refused.body.contains("value=\"Interface\""), "{}", refused.body);
    // What says nothing of where it was opened is not compared.
    one.post(path, &[("name", "Interface"), ("description", "Both")]).await.expect(303);
}

#[tokio::test]
async fn settings_of_an_integration_that_were_changed_meanwhile_are_shown() {
    let fixture = with_api().await;
    let (one, two) = (fixture.signed_in(Role::Owner).await, fixture.signed_in(Role::Owner).await);
    let made = one.post("/console/integrations/new/alertmanager", &[("name", "Prod"), ("key", "prod")]).await;
    assert!(made.status.is_success() || made.status.is_redirection(), "{made:?}");
    let path = "/console/integrations/1/settings";
    let (mine, theirs) = (one.get(path).await.expect(200), two.get(path).await.expect(200));
    over(&two, &theirs, path, &[("name", "Production"), ("settings", "{}")]).await.expect(303);
    let refused = over(&one, &mine, path, &[("name", "Live"), ("settings", "{}")]).await.expect(412);
    assert!(refused.body.contains("“<bdi>Production</bdi>”") && refused.body.contains("value=\"Live\""), "{}", refused.body);
    over(&one, &refused, path, &[("name", "Live"), ("settings", "{}")]).await.expect(303);
}

#[tokio::test]
async fn a_route_that_was_changed_meanwhile_is_shown_and_one_that_is_gone_loses_no_words() {
    let fixture = with_api().await;
    let (one, two) = (fixture.signed_in(Role::Owner).await, fixture.signed_in(Role::Owner).await);
    one.post("/console/integrations/new/alertmanager", &[("name", "Prod"), ("key", "prod")]).await.expect(200);
    let route = |when: &'static str, hold: &'static str| [("when", when), ("for", hold), ("components", "api"), ("publish", "draft")];
    let save = |fields: [(&'static str, &'static str); 4]| [&fields[..], &[("act", "save")]].concat();
    let new = "/console/integrations/1/routes/new";
    for when in ["true", "signal.severity == 'critical'"] {
        one.post(new, &save(route(when, "1m"))).await.expect(303);
    }
    let path = "/console/integrations/1/routes/1";
    let (mine, theirs) = (one.get(path).await.expect(200), two.get(path).await.expect(200));
    over(&two, &theirs, path, &save(route("signal.severity == 'critical'", "5m"))).await.expect(303);
    let refused = over(&one, &mine, path, &save(route("signal.severity == 'error'", "1m"))).await.expect(412);
    for part in [
        "Somebody changed this",
        "<b>For</b> was “<bdi>1m</bdi>”, and is now “<bdi>5m</bdi>”",
        "value=\"5m\"",
        "&#39;error&#39;</textarea>",
    ] {
        assert!(refused.body.contains(part), "{part}: {}", refused.body);
    }
    over(&one, &refused, path, &save(route("signal.severity == 'error'", "5m"))).await.expect(303);

    // The first is removed while somebody writes at the second: it is saved where it went.
    let (mine, theirs) = (one.get(path).await.expect(200), two.get("/console/integrations/1/routes/0").await.expect(200));
    over(&two, &theirs, "/console/integrations/1/routes/0", &[("act", "remove")]).await.expect(303);
    let refused = over(&one, &mine, path, &save(route("signal.severity == 'error'", "7m"))).await.expect(412);
    assert!(refused.body.contains("<b>The other routes</b> was “<bdi>true</bdi>”, and is now empty"), "{}", refused.body);
    let first = "/console/integrations/1/routes/0";
    assert!(refused.body.contains(&format!("action=\"{first}\"")) && refused.body.contains("value=\"7m\""), "{}", refused.body);
    over(&one, &refused, first, &save(route("signal.severity == 'error'", "7m"))).await.expect(303);

    // And itself: what was typed stands in a new one.
    let (mine, theirs) = (one.get(first).await.expect(200), two.get(first).await.expect(200));
    over(&two, &theirs, first, &[("act", "remove")]).await.expect(303);
    let refused = over(&one, &mine, first, &save(route("signal.severity == 'error'", "9m"))).await.expect(412);
    assert!(refused.body.contains(&format!("action=\"{new}\"")) && refused.body.contains("value=\"9m\""), "{}", refused.body);
    over(&one, &refused, new, &save(route("signal.severity == 'error'", "9m"))).await.expect(303);
}
