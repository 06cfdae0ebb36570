//! Getting in: the set-up, signing in, and how long it lasts.

use domain::{Role, Span};
use storage::{entry_links::Purpose, users};

use super::{Fixture, PASSWORD};

fn owner_fields(email: &str) -> [(&str, &str); 3] {
    [("name", "Grace Hopper"), ("email", email), ("password", PASSWORD)]
}

#[tokio::test]
async fn the_set_up_link_makes_the_first_owner_who_is_signed_in_then() {
    let fixture = Fixture::new().await;
    let path = format!("/console/setup/{}", fixture.link(Purpose::SetUp).await);
    let browser = fixture.browser();
    browser.get(&path).await.expect(200);
    let refused = browser.post(&path, &[("name", " "), ("email", "nobody"), ("password", "password12345")]).await.expect(422);
    for id in ["name-error", "email-error", "password-error"] {
        assert!(refused.body.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(
        refused.body.contains("value=\"nobody\"") && !refused.body.contains("password12345"),
        "what was typed is kept, but for the password"
    );
    browser.post(&path, &owner_fields("grace@example.com")).await.leads_to("/console/");
    assert!(browser.get("/console/").await.expect(200).body.contains("Grace Hopper"));
    browser.get(&path).await.expect(404);
    fixture.browser().post(&path, &owner_fields("eve@example.com")).await.expect(404);
}

/// What fails for the twentieth of a race fails for good: the set-up of an instance happens once.
#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_parallel_set_ups_one_makes_an_owner() {
    let fixture = Fixture::new().await;
    let mut links = Vec::new();
    for _ in 0..20 {
        links.push(fixture.link(Purpose::SetUp).await);
    }
    let tries = links.iter().enumerate().map(|(n, link)| {
        let fixture = &fixture;
        async move {
            let answer = fixture.browser().post(&format!("/console/setup/{link}"), &owner_fields(&format!("o{n}@example.com"))).await;
            answer.status.as_u16()
        }
    });
    let statuses = futures::future::join_all(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [303, 404].contains(status)), "{statuses:?}");
    let all = users::list(&mut fixture.console.db.read().await.unwrap(), 0, 100).await.unwrap();
    assert_eq!(all.len(), 1);
}

/// CVE-2021-39173: a name that counts as nothing made another status page believe that it was not set up.
#[tokio::test]
async fn cve_2021_39173_nothing_opens_the_set_up_again() {
    let fixture = Fixture::new().await;
    let owner = fixture.user(Role::Owner).await;
    let path = format!("/console/setup/{}", fixture.link(Purpose::SetUp).await);
    for name in ["", "0", "null", " ", "false"] {
        let mut tx = fixture.console.db.begin().await.unwrap();
        users::rename(&mut tx, owner, name).await.unwrap();
        let settings = domain::PageSettings { name: name.to_owned(), ..domain::PageSettings::default() };
        storage::page::set_settings(&mut tx, &settings, &Default::default()).await.unwrap();
        tx.commit().await.unwrap();
        fixture.browser().get(&path).await.expect(404);
        fixture.browser().post(&path, &owner_fields("eve@example.com")).await.expect(404);
    }
    let now = fixture.console.now();
    assert_eq!(
        super::super::set_up_link(&fixture.console.db, &fixture.console.secrets, &fixture.console.base_url, now).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_set_up_link_runs_out_after_fifteen_minutes() {
    let fixture = Fixture::new().await;
    let path = format!("/console/setup/{}", fixture.link(Purpose::SetUp).await);
    fixture.console.clock.advance(Span::mins(15));
    fixture.browser().get(&path).await.expect(404);
    fixture.browser().post(&path, &owner_fields("eve@example.com")).await.expect(404);
}

#[tokio::test]
async fn whoever_logs_out_is_out_and_the_cookie_is_worth_nothing() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Viewer).await;
    let browser = fixture.signed_in(Role::Viewer).await;
    let cookie = browser.cookie().unwrap();
    browser.post("/console/log-out", &[]).await.leads_to("/console/log-in");
    assert_eq!(browser.cookie(), None);
    browser.set_cookie(&cookie);
    browser.get("/console/").await.leads_to("/console/log-in");
}

#[tokio::test]
async fn a_session_that_was_slipped_in_is_not_the_one_that_is_signed_in() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Viewer).await;
    let browser = fixture.browser();
    browser.set_cookie("chosen-by-somebody-else");
    browser.log_in("viewer@example.com", PASSWORD).await.leads_to("/console/");
    assert_ne!(browser.cookie().unwrap(), "chosen-by-somebody-else");
    let first = browser.cookie().unwrap();
    browser.log_in("viewer@example.com", PASSWORD).await.leads_to("/console/");
    assert_ne!(browser.cookie().unwrap(), first);
    browser.set_cookie(&first);
    browser.get("/console/").await.leads_to("/console/log-in");
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let fixture = Fixture::new().await;
    for role in [Role::Admin, Role::Operator] {
        fixture.user(role).await;
    }
    let (admin, operator) = (fixture.signed_in(Role::Admin).await, fixture.signed_in(Role::Operator).await);
    for _ in 0..4 {
        fixture.console.clock.advance(Span::mins(25));
        admin.get("/console/").await.expect(200);
    }
    fixture.console.clock.advance(Span::mins(31));
    admin.get("/console/").await.leads_to("/console/log-in");
    operator.get("/console/").await.expect(200);
    fixture.console.clock.advance(Span::mins(12 * 60));
    operator.get("/console/").await.leads_to("/console/log-in");
}

/// Pages ask again and again what has arrived. Nobody need sit in front of them.
#[tokio::test]
async fn a_page_that_is_left_open_keeps_nobody_signed_in() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Admin).await;
    let admin = fixture.signed_in(Role::Admin).await;
    for path in ["/console/deliveries/waiting", "/console/integrations/1/arrivals"] {
        fixture.console.clock.advance(Span::mins(14));
        assert_ne!(admin.get(path).await.status, 303);
    }
    fixture.console.clock.advance(Span::mins(3));
    admin.get("/console/").await.leads_to("/console/log-in");
}

#[tokio::test]
async fn signing_in_leads_only_to_pages_of_the_console() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Viewer).await;
    for (next, wanted) in [
        ("/console/profile", "/console/profile"),
        ("/console/incidents?state=open", "/console/incidents?state=open"),
        ("https://evil.example/", "/console/"),
        ("//evil.example/console/", "/console/"),
        ("/\\evil.example", "/console/"),
        ("/console/..//evil.example", "/console/"),
        ("/console/\r\nset-cookie: a=b", "/console/"),
        ("javascript:alert(1)", "/console/"),
        ("/hooks/x", "/console/"),
    ] {
        let fields = [("email", "viewer@example.com"), ("password", PASSWORD), ("next", next)];
        fixture.browser().post("/console/log-in", &fields).await.leads_to(wanted);
    }
    fixture.browser().get("/console/").await.leads_to("/console/log-in");
}
