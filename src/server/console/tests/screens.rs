//! The screens that look at everything: audit, lists in pages, finding, metrics and the page itself.

use domain::{NotificationId, Role, Span};
use poem::http::Method;
use storage::{
    metrics,
    notifications::{self, Ended, Next},
};

use super::{Browser, Fixture};

/// The addresses of links that read so.
fn link<'a>(page: &'a str, words: &str) -> Option<&'a str> {
    let (before, _) = page.split_once(&format!(">{words}</a>"))?;
    let (_, tag) = before.rsplit_once("href=\"")?;
    tag.split('"').next()
}

/// An address as a browser reads it from an attribute.
fn unescaped(address: &str) -> String {
    address.replace("&#38;", "&").replace("&amp;", "&")
}

async fn follow(browser: &Browser<'_>, page: &str, words: &str) -> String {
    let address = link(page, words).unwrap_or_else(|| panic!("no link `{words}` in {page}"));
    browser.get(&unescaped(address)).await.expect(200).body
}

#[tokio::test]
async fn the_audit_log_is_narrowed_paged_read_exported_and_checked() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post("/console/components/new", &[("name", "API")]).await.expect(303);
    owner.post("/console/components/1", &[("name", "API 2"), ("description", "<b>new</b>")]).await.expect(303);
    let all = owner.get("/console/audit").await.expect(200).body;
    assert!(all.contains("component.create") && all.contains("session.") && all.contains("owner@example.com"), "{all}");
    let some = owner.get("/console/audit?action=component.update&resource=component:1&actor=user:1").await.expect(200).body;
    assert!(some.contains("<code>component.update</code>") && !some.contains("<code>component.create</code>"), "{some}");
    let (_, entry) = some.split_once("<td class=\"at\"><a href=\"/console/audit/").unwrap();
    let entry = owner.get(&format!("/console/audit/{}", entry.split('"').next().unwrap())).await.expect(200).body;
    assert!(entry.contains("API 2") && entry.contains("&#60;b&#62;new&#60;/b&#62;") && !entry.contains("<b>new"), "{entry}");
    assert!(owner.get("/console/audit?action=nothing.ever").await.expect(200).body.contains("Nothing fits"));
    let refused = owner.get("/console/audit?from=yesterday&actor=user:1").await.expect(422).body;
    assert!(refused.contains("id=\"from-error\"") && refused.contains("value=\"user:1\""), "{refused}");
    owner.get("/console/audit?to=2020-01-01T00:00").await.expect(200);
    owner.get("/console/audit/export?from=yesterday").await.expect(400);
    owner.get("/console/audit/999999").await.expect(404);

    let csv = owner.get("/console/audit/export?format=csv&action=component.update").await.expect(200);
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"audit.csv\"");
    assert_eq!((csv.body.lines().count(), csv.body.matches("component.update").count()), (2, 1), "{}", csv.body);
    let lines = owner.get("/console/audit/export?format=ndjson").await.expect(200).body;
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()) && lines.lines().count() == 3, "{lines}");

    let checked = owner.post("/console/audit/verify", &[]).await.expect(200).body;
    assert!(checked.contains("The log is what was written"), "{checked}");
    for n in 0..60 {
        owner.post("/console/components/1", &[("name", &format!("API {n}"))]).await.expect(303);
    }
    let first = owner.get("/console/audit?actor=user:1").await.expect(200).body;
    let second = follow(&owner, &first, "Next page").await;
    // The sign-in, the component and its first change, then 60 more; 50 to a page.
    assert!(first.contains("/console/audit/63\"") && !second.contains("/console/audit/63\""), "{second}");
    assert!(second.contains("/console/audit/1\"") && second.contains("value=\"user:1\""), "{second}");
    let rows = |page: &str| page.matches("href=\"/console/audit/").count();
    assert_eq!(rows(&follow(&owner, &second, "Back").await), rows(&first));
}

#[tokio::test]
async fn a_list_of_incidents_is_narrowed_by_what_stands_in_the_address_and_paged() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Operator).await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    for name in ["API", "Web"] {
        owner.post("/console/components/new", &[("name", name)]).await.expect(303);
    }
    for n in 0..52 {
        owner.publish("/console/incidents/new", &[("title", &format!("Trouble {n}"))]).await;
    }
    owner
        .post("/console/incidents/new", &[("title", "Not yet 100%"), ("draft", "1"), ("on-2", "on"), ("as-2", "major_outage")])
        .await
        .expect(303);
    let titles = |page: &str| page.matches("<bdi>Trouble ").count();
    let first = owner.get("/console/incidents?state=open").await.expect(200).body;
    assert_eq!((titles(&first), link(&first, "Back")), (50, None));
    let second = follow(&owner, &first, "Next page").await;
    assert_eq!((titles(&second), link(&second, "Next page")), (2, None));
    assert_eq!(titles(&follow(&owner, &second, "Back").await), 50);
    for (query, found) in
        [("state=draft", true), ("component=2", true), ("component=1", false), ("title=NOT+yet+100%25", true), ("title=100_", false)]
    {
        let page = owner.get(&format!("/console/incidents?{query}")).await.expect(200).body;
        assert_eq!(page.contains("<bdi>Not yet 100%</bdi>"), found, "{query}");
        assert!(!page.contains("<bdi>Trouble 7</bdi>"), "{query}");
    }
    let past = owner.get("/console/incidents?state=past").await.expect(200).body;
    assert!(past.contains("Nothing fits"), "{past}");
    owner.get("/console/incidents?cursor=nonsense").await.expect(400);
    owner.get("/console/maintenances?cursor=nonsense").await.expect(400);
}

#[tokio::test]
async fn everything_is_found_by_name_and_nobody_finds_what_they_may_not_see() {
    let fixture = Fixture::new().await;
    for role in [Role::Owner, Role::Viewer] {
        fixture.user(role).await;
    }
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post("/console/components/new", &[("name", "Payments <&> more")]).await.expect(303);
    owner.publish("/console/incidents/new", &[("title", "Payments are slow")]).await;
    let found = owner.get("/console/search?q=PAYM").await.expect(200).body;
    for part in ["href=\"/console/components/1\"", "Payments &#60;&#38;&#62; more", "Payments are slow", "id=\"q\""] {
        assert!(found.contains(part), "{part}: {found}");
    }
    let part = owner.get("/console/search?part=1&q=payments+slow").await.expect(200).body;
    assert!(part.contains("Payments are slow") && !part.contains("/console/components/1\"") && !part.contains("<html"), "{part}");
    assert!(owner.get("/console/search?q=example.com").await.expect(200).body.contains("/console/team#person-"));
    assert!(owner.get("/console/search?q=schedule").await.expect(200).body.contains("/console/maintenances/new"));
    assert!(owner.get("/console/search?q=%25").await.expect(200).body.contains("Nothing is called"), "a pattern is a text");
    let viewer = fixture.signed_in(Role::Viewer).await;
    let found = viewer.get("/console/search?q=payments").await.expect(200).body;
    assert!(found.contains("Payments are slow"), "{found}");
    for q in ["example.com", "invite", "token", "audit"] {
        let found = viewer.get(&format!("/console/search?part=1&q={q}")).await.expect(200).body;
        assert!(found.contains("Nothing is called"), "{q}: {found}");
    }
}

#[tokio::test]
async fn a_metric_is_made_drawn_changed_and_deleted_and_what_was_typed_is_kept() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Editor).await;
    fixture.user(Role::Viewer).await;
    let editor = fixture.signed_in(Role::Editor).await;
    assert!(editor.get("/console/metrics").await.expect(200).body.contains("No numbers are shown yet"));
    let long = "x".repeat(21);
    let refused = editor.post("/console/metrics/new", &[("name", "Wait <b>"), ("unit", &long)]).await.expect(422).body;
    assert!(refused.contains("id=\"unit-error\"") && refused.contains("Wait &#60;b&#62;"), "{refused}");
    let refused = editor.post("/console/metrics/new", &[("name", "Wait"), ("position", "first")]).await.body;
    assert!(refused.contains("value=\"first\"") && refused.contains("aria-invalid"), "{refused}");
    editor.post("/console/metrics/new", &[("name", "Wait"), ("unit", "ms")]).await.leads_to("/console/metrics/1");
    let etag = |page: &str| page.split_once("name=\"etag\" value=\"").unwrap().1.split_once('"').unwrap().0.replace("&#34;", "\"");
    let shown = editor.get("/console/metrics/1").await.expect(200).body;
    let seen = etag(&shown);
    editor.post("/console/metrics/1", &[("name", "Waiting"), ("unit", "ms"), ("etag", &seen)]).await.leads_to("/console/metrics/1");
    let late = editor.post("/console/metrics/1", &[("name", "Mine"), ("unit", "ms"), ("etag", &seen)]).await.expect(412).body;
    assert!(late.contains("value=\"Mine\"") && late.contains("role=\"alert\""), "{late}");
    assert!(editor.get("/console/metrics").await.expect(200).body.contains("Waiting"));

    let mut tx = fixture.console.db.begin().await.unwrap();
    let sample = domain::Sample { at: fixture.console.now(), value: 182.0 };
    metrics::insert_samples(&mut tx, domain::MetricId(1), &[sample]).await.unwrap();
    tx.commit().await.unwrap();
    let next = crate::feed::first(&fixture.console.db, &fixture.console.clock, &fixture.console.base_url).await.unwrap();
    fixture.console.page.publish(next);
    let drawn = editor.get("/console/metrics/1").await.expect(200).body;
    for part in ["<figcaption>", "182\u{a0}ms", "class=\"axis\"", "Numbers by hour", "<th scope=\"row\">"] {
        assert!(drawn.contains(part), "{part}: {drawn}");
    }
    let viewer = fixture.signed_in(Role::Viewer).await;
    assert!(!viewer.get("/console/metrics/1").await.expect(200).body.contains("Delete for good"));
    editor.post("/console/metrics/1/delete", &[]).await.leads_to("/console/metrics");
    editor.get("/console/metrics/1").await.expect(404);
}

#[tokio::test]
async fn the_page_is_looked_at_before_it_is_saved_and_nothing_typed_is_lost() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Editor).await;
    let editor = fixture.signed_in(Role::Editor).await;
    editor.get("/console/page").await.expect(200);
    let fields =
        [("name", "Acme <b>"), ("description", "How it goes"), ("time_zone", "Europe/Paris"), ("support_url", "mailto:help@example.com")];
    let seen = editor.post("/console/page/preview", &fields).await.expect(200).body;
    // Twice escaped: it is a page within an attribute.
    assert!(seen.contains("Acme &#38;#60;b&#38;#62;") && seen.contains("Europe/Paris, where it is"), "{seen}");
    let wrong = [fields[0], fields[1], ("time_zone", "Mars/Base"), ("support_url", "javascript:alert(1)")];
    assert!(editor.post("/console/page/preview", &wrong).await.expect(200).body.contains("There is no time zone"));
    let refused = editor.post("/console/page", &wrong).await.expect(422).body;
    for part in ["id=\"time_zone-error\"", "id=\"support_url-error\"", "value=\"Mars/Base\"", "value=\"How it goes\""] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    editor.post("/console/page", &fields).await.leads_to("/console/page?saved=1");
    assert!(editor.get("/console/page?saved=1").await.expect(200).body.contains("Acme &#60;b&#62;"));
}

#[tokio::test]
async fn the_rail_leads_where_somebody_may_go_and_the_first_four_are_at_hand() {
    let fixture = Fixture::new().await;
    for (role, more) in [(Role::Owner, 13), (Role::Operator, 9), (Role::Viewer, 4)] {
        fixture.user(role).await;
        let page = fixture.signed_in(role).await.get("/console/maintenances").await.expect(200).body;
        let rail = page.split_once("<nav class=\"rail\"").unwrap().1.split_once("</nav>").unwrap().0;
        let (at_hand, sheet) = rail.split_once("popover>").unwrap();
        assert_eq!((at_hand.matches("<a href").count(), sheet.matches("<a href").count()), (4, more), "{role}");
    }
    let viewer = fixture.signed_in(Role::Viewer).await;
    let refused = viewer.get("/console/team").await.expect(403).body;
    assert!(refused.contains("<nav class=\"rail\"") && !refused.contains("href=\"/console/team\""), "{refused}");
    let strange = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    let refused = viewer.send(Method::POST, "/console/profile/name", &strange, Some(String::new())).await.expect(403).body;
    assert!(!refused.contains("csrf"), "what comes from elsewhere is told nothing: {refused}");
    let owner = fixture.signed_in(Role::Owner).await;
    let here = |page: &str| {
        page.split_once("aria-current=\"page\"").unwrap().0.rsplit_once("href=\"").unwrap().1.split_once('"').unwrap().0.to_owned()
    };
    for (path, area) in
        [("/console/maintenance-series/new", "/console/maintenances"), ("/console/page", "/console/page"), ("/console/", "/console/")]
    {
        assert_eq!(here(&owner.get(path).await.expect(200).body), area);
    }
}

#[tokio::test]
async fn what_is_sent_again_can_be_taken_back_for_ten_seconds() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    let hook = [("channel", "webhook"), ("address", "https://hooks.example.com/x")];
    owner.post("/console/subscribers/new", &hook).await.expect(200);
    owner.publish("/console/incidents/new", &[("title", "Down")]).await;
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
    let sent = owner.post("/console/notifications/resend", &[("since", "0")]).await.expect(303);
    assert!(sent.location().starts_with("/console/notifications?sent=1&at="), "{}", sent.location());
    let list = owner.get(sent.location()).await.expect(200).body;
    assert!(list.contains("1 goes out again in 10 seconds.") && list.contains("Undo"), "{list}");
    let at = sent.location().rsplit_once('=').unwrap().1.to_owned();
    let dead = "/console/notifications?state=dead&taken_back=1";
    owner.post("/console/notifications/resend/undo", &[("at", &at)]).await.leads_to(dead);
    let list = owner.get(dead).await.expect(200).body;
    assert!(list.contains("1 stays dead") && list.contains("that was taken back"), "{list}");
    fixture.console.clock.advance(Span::mins(1));
    assert!(!owner.get(sent.location()).await.expect(200).body.contains("Undo"), "it is too late");
}

#[tokio::test]
async fn looking_again_goes_on_in_portions_and_tells_how_far_it_has_come() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    assert_eq!(owner.get("/console/deliveries/waiting").await.expect(200).body, r#"{"waiting":0}"#);
    assert!(owner.get("/console/deliveries/replay?state=ignored").await.expect(200).body.contains("There are none"));
    let next = [("state", "ignored"), ("after", "7"), ("done", "1000")];
    let progress = "/console/deliveries/replay/progress?state=ignored&after=7&done=1000";
    owner.post("/console/deliveries/replay", &next).await.leads_to(progress);
    let progress = owner.get(progress).await.expect(200).body;
    assert!(progress.contains("Of 1000 that were taken up") && progress.contains("All of them are taken up"), "{progress}");
    owner.post("/console/deliveries/replay", &[("state", "pending")]).await.expect(422);
    let asked = owner.get("/console/deliveries/replay?state=ignored&from=2026-03-01T12:00").await.expect(200).body;
    assert!(asked.contains("that arrived since 2026-03-01 12:00 UTC"), "{asked}");
    let of_a_time = [("state", "ignored"), ("from", "2026-03-01T12:00"), ("to", "2026-03-02T12:00")];
    let progress = "/console/deliveries/replay/progress?state=ignored&after=&done=0&from=2026-03-01T12%3A00&to=2026-03-02T12%3A00";
    let led = owner.post("/console/deliveries/replay", &of_a_time).await.expect(303).location().to_owned();
    assert_eq!(led.replace("after=&", ""), progress.replace("after=&", ""));
    let progress = owner.get(&led).await.expect(200).body;
    assert!(progress.contains("?from=2026-03-01T12%3A00&#38;to=2026-03-02T12%3A00"), "{progress}");
}

#[tokio::test]
async fn lists_are_ordered_by_their_heads_and_the_order_is_kept() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    for n in 0..52 {
        let mut tx = fixture.console.db.begin().await.unwrap();
        let address = format!("{:02}@example.com", (n * 7) % 52);
        let new =
            storage::subscribers::NewSubscriber { channel: domain::Channel::Email, address: &address, secret: None, components: None };
        storage::subscribers::insert(&mut tx, &fixture.console.secrets, &new, fixture.console.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let usual = owner.get("/console/subscribers?channel=email").await.expect(200).body;
    assert!(
        usual.contains("<th aria-sort=\"ascending\"><a class=\"plain\" href=\"/console/subscribers?channel=email&#38;sort=-id\">Since"),
        "{usual}"
    );
    let down = owner.get("/console/subscribers?channel=email&sort=-address").await.expect(200).body;
    assert!(
        down.contains(
            "<th aria-sort=\"descending\"><a class=\"plain\" href=\"/console/subscribers?channel=email&#38;sort=address\">Address"
        )
    );
    assert!(down.contains("type=\"hidden\" name=\"sort\" value=\"-address\"") && !down.contains("<bdi>01@example.com"));
    assert!(down.find("51@example.com").unwrap() < down.find("02@example.com").unwrap());
    let second = follow(&owner, &down, "Next page").await;
    assert!(second.contains("01@example.com") && second.contains("00@example.com") && !second.contains("02@example.com"), "{second}");
    assert!(follow(&owner, &second, "Back").await.contains("51@example.com"));
    owner.get("/console/subscribers?sort=manage_token").await.expect(400);
    for path in ["integrations?sort=-name", "tokens?sort=last_used_at", "team?sort=role", "deliveries?sort=id", "notifications?sort=id"] {
        owner.get(&format!("/console/{path}")).await.expect(200);
    }
    owner.get("/console/team?sort=password").await.expect(400);

    for name in ["Beta", "alpha"] {
        owner.post("/console/components/new", &[("name", name)]).await.expect(303);
    }
    let place = |page: &str, name: &str| page.find(&format!("<bdi>{name}</bdi>")).unwrap();
    let (usual, named) =
        (owner.get("/console/components").await.expect(200).body, owner.get("/console/components?sort=name").await.expect(200).body);
    assert!(place(&usual, "Beta") < place(&usual, "alpha") && usual.contains("data-order"));
    assert!(place(&named, "alpha") < place(&named, "Beta") && !named.contains("data-order"), "there is nothing to drag then: {named}");
}

#[tokio::test]
async fn deliveries_are_narrowed_by_when_they_arrived_and_what_was_typed_is_kept() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    let page = owner.get("/console/deliveries?from=2026-01-01T00:00&to=2026-01-02T00:00").await.expect(200).body;
    assert!(page.contains("value=\"2026-01-01T00:00\"") && page.contains("value=\"2026-01-02T00:00\""), "{page}");
    let late = owner.get("/console/deliveries?from=2026-01-02T00:00&to=2026-01-01T00:00").await.expect(422).body;
    assert!(late.contains("id=\"to-error\"") && late.contains("value=\"2026-01-02T00:00\""), "{late}");
    let odd = owner.get("/console/deliveries?from=yesterday").await.expect(400).body;
    assert!(odd.contains("id=\"from-error\"") && odd.contains("value=\"yesterday\""), "{odd}");
}

#[tokio::test]
async fn the_pages_looks_are_chosen_in_a_form_that_loses_no_file() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Editor).await;
    let editor = fixture.signed_in(Role::Editor).await;
    let drawing = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    let fields =
        [("name", "Acme"), ("time_zone", "UTC"), ("header_links", "Our docs https://example.com/docs\r\n"), ("logo_file.svg", drawing)];

    // What was chosen is shown, as readers will see it, before anything is saved.
    let shown =
        editor.post_with_files("/console/page", &[&fields[..], &[("preview", "1"), ("theme", "dark")]].concat()).await.expect(200).body;
    assert!(
        shown.contains("data-theme=&#34;dark&#34;") && shown.contains("img class=&#34;logo&#34; src=&#34;data:image/svg+xml;base64,"),
        "{shown}"
    );
    let kept = value_of(&shown, "logo");
    assert!(kept.starts_with("data:image/svg+xml;base64,"), "{shown}");
    assert!(!editor.get("/console/page").await.expect(200).body.contains("Our docs"));

    // A colour that nobody could read and an address that is none are refused beside their fields; the file stays.
    let again = [fields[0], fields[1], ("header_links", "Our docs"), ("accent", "#ffcc00"), ("logo", &kept), ("logo_file.", "")];
    let refused = editor.post_with_files("/console/page", &again).await.expect(422).body;
    assert!(refused.contains("id=\"accent-error\">Has a contrast of 1.4 to the light page"), "{refused}");
    assert!(refused.contains("id=\"header_links-error\">Line 1: its"), "{refused}");
    assert_eq!(value_of(&refused, "logo"), kept);
    let active = [fields[0], fields[1], ("icon_file.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>")];
    let refused = editor.post_with_files("/console/page", &active).await.expect(422).body;
    assert!(refused.contains("id=\"icon-error\">Contains the element script"), "{refused}");

    editor.post_with_files("/console/page", &fields).await.leads_to("/console/page?saved=1");
    let saved = editor.get("/console/page").await.expect(200).body;
    let path = value_of(&saved, "logo");
    assert!(path.starts_with("/assets/image.") && saved.contains("Our docs https://example.com/docs"), "{saved}");
    // Saved again without another file, it stays; taken away, it goes.
    editor.post_with_files("/console/page", &[fields[0], fields[1], ("logo", &path), ("logo_file.", "")]).await.expect(303);
    assert_eq!(value_of(&editor.get("/console/page").await.expect(200).body, "logo"), path);
    editor.post_with_files("/console/page", &[fields[0], fields[1], ("logo", &path), ("logo_remove", "1")]).await.expect(303);
    assert_eq!(value_of(&editor.get("/console/page").await.expect(200).body, "logo"), "");
}

#[tokio::test]
async fn what_somebody_else_made_of_the_page_meanwhile_is_told_and_nothing_typed_is_lost() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Editor).await;
    let editor = fixture.signed_in(Role::Editor).await;
    let opened = editor.get("/console/page").await.expect(200).body;
    let (etag, was) = (value_of(&opened, "etag"), value_of(&opened, "was"));
    editor.post("/console/page", &[("name", "Theirs"), ("time_zone", "UTC")]).await.expect(303);
    let mine = [("name", "Mine"), ("time_zone", "UTC"), ("footer", "Also mine"), ("etag", &etag), ("was", &was)];
    let refused = editor.post("/console/page", &mine).await.expect(412).body;
    assert!(refused.contains("Somebody changed this while you were writing") && refused.contains("<b>Name</b>"), "{refused}");
    assert_eq!((value_of(&refused, "name"), value_of(&refused, "footer")), ("Mine".to_owned(), "Also mine".to_owned()));
    let newer = value_of(&refused, "etag");
    editor.post("/console/page", &[mine[0], mine[1], mine[2], ("etag", &newer)]).await.leads_to("/console/page?saved=1");
}

/// What stands in a field.
fn value_of(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no field {name} in {page}"));
    rest.split('"')
        .next()
        .unwrap()
        .replace("&#34;", "\"")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#39;", "'")
        .replace("&#38;", "&")
}
