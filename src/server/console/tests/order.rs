//! In which order things stand, and taking it back.

use domain::Role;
use storage::{
    audit::{self, Filter},
    rows,
};

use super::{Browser, Fixture};

impl Fixture {
    /// What stands under which heading, in page order: `Shop: API, Web; : Mail`.
    async fn order(&self) -> String {
        let mut conn = self.console.db.read().await.unwrap();
        let (groups, all) = (rows::groups(&mut conn).await.unwrap(), rows::components(&mut conn).await.unwrap());
        let of = |id| all.iter().filter(|each| each.group == id).map(|each| each.name.clone()).collect::<Vec<_>>().join(", ");
        let headed = groups.iter().map(|group| format!("{}: {}", group.name, of(Some(group.id))));
        headed.chain([format!(": {}", of(None))]).collect::<Vec<_>>().join("; ")
    }

    /// How many acts the audit log holds.
    async fn n_acts(&self) -> i64 {
        audit::list(&mut self.console.db.read().await.unwrap(), &Filter::default(), i64::MAX, 1).await.unwrap()[0].id
    }
}

async fn arrange(browser: &Browser<'_>, component: &str, group: &str, (field, before): (&str, &str)) -> super::Answer {
    browser.post("/console/components/order", &[("component", component), ("group", group), (field, before)]).await
}

async fn stocked(fixture: &Fixture) -> Browser<'_> {
    fixture.user(Role::Editor).await;
    let editor = fixture.signed_in(Role::Editor).await;
    for name in ["Shop", "Office"] {
        editor.post("/console/components/groups", &[("name", name)]).await.expect(303);
    }
    for (name, group) in [("API", "1"), ("Web", "1"), ("Tills", "1"), ("Mail", "")] {
        editor.post("/console/components/new", &[("name", name), ("group", group)]).await.expect(303);
    }
    editor
}

#[tokio::test]
async fn components_go_up_and_down_and_into_groups_and_each_move_can_be_taken_back() {
    let fixture = Fixture::new().await;
    let editor = stocked(&fixture).await;
    assert_eq!(fixture.order().await, "Shop: API, Web, Tills; Office: ; : Mail");
    arrange(&editor, "3", "1", ("up", "2")).await.leads_to("/console/components?moved=3.1.&way=up");
    assert_eq!(fixture.order().await, "Shop: API, Tills, Web; Office: ; : Mail");
    let list = editor.get("/console/components?moved=3.1.&way=up").await.expect(200).body;
    assert!(list.contains("Moved <bdi>Tills</bdi>") && list.contains("name=\"up\" value=\"1\" autofocus"), "{list}");
    let last = editor.get("/console/components?moved=2.1.3&way=down").await.expect(200).body;
    assert!(last.contains("name=\"down\" value=\"\" disabled") && last.contains("name=\"up\" value=\"3\" autofocus"), "{last}");
    arrange(&editor, "3", "2", ("before", "")).await.leads_to("/console/components?moved=3.1.2#c-3");
    arrange(&editor, "4", "2", ("before", "3")).await.leads_to("/console/components?moved=4..#c-4");
    assert_eq!(fixture.order().await, "Shop: API, Web; Office: Mail, Tills; : ");
    // As the form beside „Moved“ does.
    arrange(&editor, "4", "", ("before", "")).await.expect(303);
    arrange(&editor, "3", "1", ("before", "2")).await.expect(303);
    assert_eq!(fixture.order().await, "Shop: API, Tills, Web; Office: ; : Mail");
    let before = fixture.n_acts().await;
    arrange(&editor, "3", "1", ("before", "2")).await.expect(303);
    assert_eq!(fixture.n_acts().await, before, "where it is already is no act");
    for (component, group, place) in [("99", "1", ""), ("x", "1", ""), ("3", "1", "x")] {
        let status = arrange(&editor, component, group, ("before", place)).await.status.as_u16();
        assert!([400, 404].contains(&status), "{component} {group} {place}: {status}");
    }
    for (group, place) in [("9", ""), ("1", "4"), ("1", "3")] {
        arrange(&editor, "3", group, ("before", place)).await.expect(409);
    }
    editor.get("/console/components?moved=nonsense&way=up&deleted=x").await.expect(200);
}

#[tokio::test]
async fn groups_are_put_in_order_renamed_deleted_and_brought_back_with_what_stood_in_them() {
    let fixture = Fixture::new().await;
    let editor = stocked(&fixture).await;
    editor.post("/console/components/groups/order", &[("group", "2"), ("before", "1")]).await.leads_to("/console/components#g-2");
    assert_eq!(fixture.order().await, "Office: ; Shop: API, Web, Tills; : Mail");
    editor.post("/console/components/groups/order", &[("group", "2"), ("before", "7")]).await.expect(409);
    editor.post("/console/components/groups/order", &[("group", "7")]).await.expect(404);
    let refused = editor.post("/console/components/groups/1", &[("name", " ")]).await.expect(422).body;
    assert!(refused.contains("id=\"group-1-error\"") && !refused.contains("id=\"name-error\""), "{refused}");
    editor.post("/console/components/groups/1", &[("name", "Market")]).await.expect(303);
    let said = editor.get("/console/components").await.expect(200).body;
    assert!(said.contains("the 3 components below it stay, in no group"), "{said}");

    let deleted = editor.post("/console/components/groups/1/delete", &[]).await.expect(303);
    assert_eq!(fixture.order().await, "Office: ; : API, Web, Tills, Mail");
    let list = editor.get(deleted.location()).await.expect(200).body;
    assert!(list.contains("Deleted the group <bdi>Market</bdi>"), "{list}");
    let entry = list.split_once("name=\"entry\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    // What was moved elsewhere since stays there.
    arrange(&editor, "2", "2", ("before", "")).await.expect(303);
    editor.post("/console/components/groups/restore", &[("entry", &entry)]).await.expect(303);
    assert_eq!(fixture.order().await, "Office: Web; Market: API, Tills; : Mail");
    editor.post("/console/components/groups/restore", &[("entry", &entry)]).await.expect(409);
    editor.post("/console/components/groups/restore", &[("entry", "1")]).await.expect(409);
    assert!(!editor.get(deleted.location()).await.expect(200).body.contains("Deleted the group"));
}
