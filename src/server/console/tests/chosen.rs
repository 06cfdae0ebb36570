//! Rows that are chosen, and what is done with all of them.

use domain::{Channel, NotificationId, Role, Span, SubscriberId};
use storage::{
    audit::{self, Filter},
    notifications::{self, Ended, Next},
    rows,
};

use super::{Answer, Browser, Fixture};
use crate::admin::MAX_AT_ONCE;

impl Fixture {
    /// The newest act in the audit log, with what it changed.
    pub(super) async fn last_act(&self) -> (String, String) {
        let entry = audit::list(&mut self.console.db.read().await.unwrap(), &Filter::default(), i64::MAX, 1).await.unwrap().remove(0);
        (entry.action, entry.after.map(|after| after.to_string()).unwrap_or_default())
    }
}

async fn owner(fixture: &Fixture) -> Browser<'_> {
    fixture.user(Role::Owner).await;
    fixture.signed_in(Role::Owner).await
}

/// What the page that asks before says it touches, and what it leaves out.
#[track_caller]
fn names(page: &str) -> (Vec<String>, Vec<String>) {
    let (fit, unfit) = page.split_once("<h2>Left out</h2>").unwrap_or((page, ""));
    let listed = |part: &str| {
        let items = part.split("<li><bdi>").skip(1);
        items.map(|item| item.split("</bdi>").next().unwrap().to_owned()).collect()
    };
    (listed(fit.split_once("<ul class=\"plain-list touched\">").map_or("", |(_, rest)| rest)), listed(unfit))
}

async fn confirm(browser: &Browser<'_>, path: &str, ids: &[&str], more: &[(&str, &str)]) -> Answer {
    let fields: Vec<(&str, &str)> = ids.iter().map(|id| ("id", *id)).chain(more.iter().copied()).collect();
    browser.post(path, &fields).await
}

#[tokio::test]
async fn subscribers_are_chosen_looked_at_and_deleted_at_once() {
    let fixture = Fixture::new().await;
    let owner = owner(&fixture).await;
    for n in 1..=3 {
        owner
            .post("/console/subscribers/new", &[("channel", "webhook"), ("address", &format!("https://h.example.com/{n}"))])
            .await
            .expect(200);
    }
    let list = owner.get("/console/subscribers?channel=webhook").await.expect(200).body;
    assert_eq!(list.matches("form=\"chosen\" name=\"id\"").count(), 3);
    assert!(list.contains("formaction=\"/console/subscribers/chosen/delete\"") && !list.contains("checked"), "{list}");
    assert!(list.contains("href=\"/console/subscribers?channel=webhook&#38;choose=all\""), "{list}");
    let all = owner.get("/console/subscribers?channel=webhook&choose=all").await.expect(200).body;
    assert_eq!(all.matches(" checked>").count(), 3, "without scripts too");

    let ask = "/console/subscribers/chosen/delete?back=%2Fconsole%2Fsubscribers%3Fchannel%3Dwebhook&id=1&id=3&id=77";
    let page = owner.get(ask).await.expect(200).body;
    let expected = ["https://h.example.com/1", "https://h.example.com/3"].map(str::to_owned).to_vec();
    assert_eq!(names(&page), (expected, vec!["Number 77".to_owned()]));
    assert!(page.contains("Delete 2 subscribers?") && page.contains(">Delete 2 subscribers</button>"), "{page}");
    assert!(page.contains("name=\"id\" value=\"3\"") && !page.contains("name=\"id\" value=\"77\""), "{page}");
    let back = [("back", "/console/subscribers?channel=webhook")];
    let done = "/console/subscribers?channel=webhook&did=delete&n=2";
    confirm(&owner, "/console/subscribers/chosen/delete", &["1", "3"], &back).await.leads_to(done);
    let list = owner.get(done).await.expect(200).body;
    assert!(list.contains("2 subscribers deleted.") && !list.contains("h.example.com/1") && list.contains("h.example.com/2"), "{list}");
    assert_eq!(fixture.last_act().await, ("subscriber.delete".to_owned(), r#"{"ids":[1,3]}"#.to_owned()));

    // Somebody else was faster: nothing is done, and what is left is shown.
    let late = confirm(&owner, "/console/subscribers/chosen/delete", &["2", "3"], &[]).await.expect(422).body;
    assert!(late.contains("The list has changed meanwhile"), "{late}");
    assert_eq!(names(&late), (vec!["https://h.example.com/2".to_owned()], vec!["Number 3".to_owned()]));
    let gone = owner.get("/console/subscribers/chosen/delete?id=3").await.expect(200).body;
    assert!(gone.contains("Nothing to be done") && !gone.contains("<form method=\"post\" action=\"/console/subscribers/chosen"), "{gone}");
}

#[tokio::test]
async fn deleting_needs_a_fresh_proof_and_leads_back_to_what_was_chosen() {
    let fixture = Fixture::new().await;
    let owner = owner(&fixture).await;
    fixture.console.clock.advance(Span::mins(11));
    let ids: Vec<String> = (1..=MAX_AT_ONCE).map(|id| format!("id={}", 1_000_000 + id)).collect();
    let path = format!("/console/subscribers/chosen/delete?{}", ids.join("&"));
    let to = owner.get(&path).await.expect(303).location().to_owned();
    let next = to.strip_prefix("/console/confirm?next=").unwrap();
    assert_eq!(next, url::form_urlencoded::byte_serialize(path.as_bytes()).collect::<String>(), "nothing that was chosen is lost");
}

#[tokio::test]
async fn no_more_are_chosen_than_one_request_takes_and_none_is_not_enough() {
    let fixture = Fixture::new().await;
    let owner = owner(&fixture).await;
    let ids = |n: usize| (1..=n).map(|id| format!("id={id}")).collect::<Vec<_>>().join("&");
    owner.get(&format!("/console/components/chosen/hide?{}", ids(MAX_AT_ONCE))).await.expect(200);
    let many = owner.get(&format!("/console/components/chosen/hide?{}", ids(MAX_AT_ONCE + 1))).await.expect(400).body;
    assert!(many.contains("At most 200 rows"), "{many}");
    assert!(owner.get("/console/components/chosen/hide").await.expect(400).body.contains("No row is chosen"));
    owner.get("/console/components/chosen/hide?id=x").await.expect(400);
}

#[tokio::test]
async fn switched_off_subscribers_are_switched_on_again_and_the_others_left_out() {
    let fixture = Fixture::new().await;
    let owner = owner(&fixture).await;
    let (db, secrets) = (&fixture.console.db, &fixture.console.secrets);
    let mut tx = db.begin().await.unwrap();
    for n in 1..=2 {
        let address = format!("https://h.example.com/{n}");
        let new = storage::subscribers::NewSubscriber { channel: Channel::Webhook, address: &address, secret: None, components: None };
        storage::subscribers::insert(&mut tx, secrets, &new, fixture.console.now()).await.unwrap();
    }
    notifications::disable(&mut tx, SubscriberId(2), "410", fixture.console.now()).await.unwrap();
    tx.commit().await.unwrap();
    let page = owner.get("/console/subscribers/chosen/enable?id=1&id=2").await.expect(200).body;
    assert_eq!(names(&page), (vec!["https://h.example.com/2".to_owned()], vec!["https://h.example.com/1".to_owned()]));
    confirm(&owner, "/console/subscribers/chosen/enable", &["2"], &[]).await.leads_to("/console/subscribers?did=enable&n=1");
    assert!(!owner.get("/console/subscribers").await.expect(200).body.contains("switched off"));
}

#[tokio::test]
async fn drafts_are_discarded_and_what_readers_see_is_not() {
    let fixture = Fixture::new().await;
    let owner = owner(&fixture).await;
    assert!(!owner.get("/console/incidents").await.expect(200).body.contains("id=\"chosen\""), "there is nothing to choose");
    for title in ["One", "Two"] {
        owner.post("/console/incidents/new", &[("title", title), ("draft", "1")]).await.expect(303);
    }
    owner.publish("/console/incidents/new", &[("title", "Three")]).await;
    let incidents = rows::incidents(&mut fixture.console.db.read().await.unwrap(), rows::Incidents::Open(9)).await.unwrap();
    let id = |title: &str| incidents.iter().find(|incident| incident.title == title).unwrap().id.to_string();
    let list = owner.get("/console/incidents").await.expect(200).body;
    assert_eq!(list.matches("form=\"chosen\" name=\"id\"").count(), 2, "only drafts can be chosen");
    let (one, two, three) = (id("One"), id("Two"), id("Three"));
    let page = owner.get(&format!("/console/incidents/chosen/discard?id={one}&id={three}&id={two}")).await.expect(200).body;
    assert_eq!(names(&page), (vec!["One".to_owned(), "Two".to_owned()], vec!["Three".to_owned()]));
    let path = "/console/incidents/chosen/discard";
    confirm(&owner, path, &[&one, &three], &[]).await.expect(422);
    confirm(&owner, path, &[&one, &two], &[]).await.leads_to("/console/incidents?did=discard&n=2");
    let list = owner.get("/console/incidents?did=discard&n=2").await.expect(200).body;
    assert!(list.contains("2 drafts discarded.") && list.contains("Three") && !list.contains("<bdi>One"), "{list}");
    assert_eq!(fixture.last_act().await.0, "incident.discard");
}

#[tokio::test]
async fn components_are_overruled_until_a_time_given_back_moved_and_hidden() {
    let fixture = Fixture::new().await;
    let owner = owner(&fixture).await;
    owner.post("/console/components/groups", &[("name", "Shop")]).await.expect(303);
    for name in ["API", "Web", "Mail"] {
        owner.post("/console/components/new", &[("name", name)]).await.expect(303);
    }
    let path = "/console/components/chosen/override";
    assert!(owner.get(&format!("{path}?id=1&id=2")).await.expect(200).body.contains("Override the status of 2 components?"));
    let refused = confirm(&owner, path, &["1", "2"], &[("status", "major_outage"), ("until", "2020-01-01T00:00")]).await.expect(422).body;
    assert!(refused.contains("id=\"until-error\"") && refused.contains("value=\"2020-01-01T00:00\""), "{refused}");
    assert!(refused.contains("value=\"major_outage\" selected"), "nothing that was typed is lost: {refused}");
    confirm(&owner, path, &["1", "2"], &[("status", "nonsense")]).await.expect(422);
    let word = [("status", "major_outage"), ("until", "2099-01-01T00:00")];
    confirm(&owner, path, &["1", "2"], &word).await.leads_to("/console/components?did=override&n=2");
    let page = owner.get("/console/components/chosen/give-back?id=1&id=2&id=3").await.expect(200).body;
    assert_eq!(names(&page).1, ["Mail"]);
    assert!(page.contains("major outage, as Ada says"), "{page}");
    confirm(&owner, "/console/components/chosen/give-back", &["1", "2"], &[]).await.expect(303);
    let all = rows::components(&mut fixture.console.db.read().await.unwrap()).await.unwrap();
    assert!(all.iter().all(|component| component.overridden.is_none()));

    let gone = confirm(&owner, "/console/components/chosen/move", &["3", "1"], &[("group", "nowhere")]).await.expect(422).body;
    assert!(gone.contains("id=\"group-error\""), "{gone}");
    confirm(&owner, "/console/components/chosen/move", &["2"], &[("group", "shop")]).await.expect(303);
    confirm(&owner, "/console/components/chosen/move", &["1", "3"], &[("group", "shop")]).await.expect(303);
    let order = |all: &[domain::Component]| all.iter().map(|component| component.name.clone()).collect::<Vec<_>>();
    let all = rows::components(&mut fixture.console.db.read().await.unwrap()).await.unwrap();
    assert_eq!(order(&all), ["Web", "API", "Mail"]);
    assert!(all.iter().all(|component| component.group.is_some()));
    confirm(&owner, "/console/components/chosen/hide", &["1", "2"], &[]).await.expect(303);
    let page = owner.get("/console/components/chosen/show?id=1&id=2&id=3").await.expect(200).body;
    assert_eq!(names(&page).1, ["Mail"]);
    confirm(&owner, "/console/components/chosen/show", &["1"], &[]).await.expect(303);
    let hidden: Vec<String> = rows::components(&mut fixture.console.db.read().await.unwrap())
        .await
        .unwrap()
        .into_iter()
        .filter(|component| component.hidden)
        .map(|component| component.name)
        .collect();
    assert_eq!(hidden, ["Web"]);
}

#[tokio::test]
async fn each_role_is_offered_what_it_may_do() {
    let fixture = Fixture::new().await;
    for (role, acts) in [(Role::Operator, 2), (Role::Editor, 3), (Role::Admin, 5), (Role::Viewer, 0)] {
        fixture.user(role).await;
        let browser = fixture.signed_in(role).await;
        if role == Role::Operator {
            let mut tx = fixture.console.db.begin().await.unwrap();
            let edit = storage::components::ComponentEdit {
                name: "API".to_owned(),
                description: String::new(),
                group: None,
                position: 0,
                hidden: false,
            };
            storage::components::insert(&mut tx, "api", &edit, fixture.console.now()).await.unwrap();
            tx.commit().await.unwrap();
        }
        let list = browser.get("/console/components").await.expect(200).body;
        assert_eq!((list.matches("formaction=").count(), list.matches("form=\"chosen\" ").count()), (acts, acts.min(1)), "{role}");
    }
    let operator = fixture.signed_in(Role::Operator).await;
    confirm(&operator, "/console/components/chosen/override", &["1"], &[("status", "unknown")]).await.expect(303);
    assert_eq!(fixture.last_act().await.0, "component.override.set");
}

#[tokio::test]
async fn dead_notifications_that_are_chosen_go_out_again_and_can_be_taken_back() {
    let fixture = Fixture::new().await;
    let owner = owner(&fixture).await;
    owner.post("/console/subscribers/new", &[("channel", "webhook"), ("address", "https://h.example.com/1")]).await.expect(200);
    for title in ["Down", "Slow"] {
        owner.publish("/console/incidents/new", &[("title", title)]).await;
    }
    let (console, id) = (&fixture.console, NotificationId(1));
    let claimed = notifications::claim(&console.db, &console.secrets, id, 1, console.now()).await.unwrap().unwrap().0;
    let ended = Ended {
        notification: id,
        subscriber: claimed.recipient.subscriber,
        attempt: 1,
        at: console.now(),
        took: Span(12),
        outcome: "permanent",
        detail: "410",
        next: Next::Dead,
    };
    notifications::record(&console.db, &ended).await.unwrap();
    let page = owner.get("/console/notifications/chosen/resend?id=1&id=2").await.expect(200).body;
    assert!(page.contains("Send 1 dead notification again?"), "{page}");
    assert_eq!(names(&page).1, ["https://h.example.com/1"], "the other is not dead");
    let sent = confirm(&owner, "/console/notifications/chosen/resend", &["1", "2"], &[]).await.expect(303);
    assert!(sent.location().starts_with("/console/notifications?sent=1&at="), "{}", sent.location());
    assert!(owner.get(sent.location()).await.expect(200).body.contains("1 goes out again in 10 seconds."));
}
