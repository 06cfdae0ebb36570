//! What was wrong with other status pages, tried on the console: each under its number.

use domain::{Permission, Resource, Role};
use poem::http::Method;
use storage::{entry_links::Purpose, users};

use super::{Fixture, PASSWORD, factors};
use crate::console::table;

/// Uptime Kuma: what was open when somebody was shut out stayed open. Here nothing stays open: every answer ends, and a page that follows
/// what happens asks again each time.
#[tokio::test]
async fn ghsa_23q2_5gf8_gjpp_nothing_stays_open_for_who_is_shut_out() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let id = fixture.user(Role::Operator).await;
    let owner = fixture.signed_in(Role::Owner).await;
    for rule in table(fixture.console.clone()).rules().iter().filter(|rule| rule.method == Method::GET) {
        // An answer that never ended would keep this test.
        let answer = owner.get(&super::access::path_of(rule)).await;
        assert!(!answer.header("content-type").starts_with("text/event-stream"), "{}", rule.path);
    }
    let operator = fixture.signed_in(Role::Operator).await;
    let follows = async || operator.send(Method::GET, "/console/integrations/999999/arrivals", &[("hx-request", "true")], None).await;
    follows().await.expect(404);
    owner.post(&format!("/console/team/{id}/disable"), &[]).await.leads_to("/console/team");
    let answer = follows().await.expect(401);
    assert!(answer.header("hx-redirect").starts_with("/console/log-in"), "{answer:?}");
}

/// Kener: somebody who was shut out could still log in, since one of the ways in did not look.
#[tokio::test]
async fn kener_600_whoever_is_shut_out_is_out_at_once_by_every_way() {
    let fixture = Fixture::new().await;
    let id = fixture.user(Role::Editor).await;
    let inside = fixture.signed_in(Role::Editor).await;
    let (app, codes) = factors::enrol(&inside).await;
    fixture.console.clock.advance(domain::Span::secs(90));
    let halfway = factors::half(&fixture, Role::Editor).await;
    let link = format!("/console/password/{}", fixture.link(Purpose::Password { user: id }).await);
    let mut tx = fixture.console.db.begin().await.unwrap();
    assert_eq!(users::set_disabled(&mut tx, id, Some(fixture.console.now())).await.unwrap(), users::Changed::Yes);
    tx.commit().await.unwrap();
    inside.get("/console/").await.leads_to("/console/log-in");
    for code in [factors::code(&app, &halfway, 0), codes[0].clone()] {
        halfway.post("/console/log-in/code", &[("code", &code)]).await.leads_to("/console/log-in");
    }
    fixture.browser().log_in("editor@example.com", PASSWORD).await.expect(401);
    fixture.browser().get(&link).await.expect(404);
    fixture.browser().post(&link, &[("password", "cello marina emery paper")]).await.expect(404);
    let later = format!("/console/password/{}", fixture.link(Purpose::Password { user: id }).await);
    fixture.browser().post(&later, &[("password", "cello marina emery paper")]).await.expect(404);
}

/// Nezha: somebody of a low role sent what the server knows to an address of their own. Who may not name targets names none, whatever they
/// send.
#[tokio::test]
async fn cve_2026_46716_who_may_not_name_targets_names_none() {
    let fixture = Fixture::new().await;
    let settings = ("settings", "url: https://evil.example/");
    type Fields = [(&'static str, &'static str)];
    let acts: [(Resource, &str, &Fields); 5] = [
        (Resource::Integrations, "/console/integrations/new/http", &[("name", "Mine"), settings, ("secret_from", "none")]),
        (Resource::Integrations, "/console/integrations/1/settings", &[settings]),
        (Resource::Integrations, "/console/integrations/1/routes/new", &[("publish", "auto")]),
        (Resource::Subscribers, "/console/subscribers/new", &[("channel", "webhook"), ("address", "https://evil.example/")]),
        (Resource::Tokens, "/console/tokens/new", &[("name", "Mine"), ("scope", "*")]),
    ];
    for role in Role::ALL {
        fixture.user(*role).await;
        let browser = fixture.signed_in(*role).await;
        for (resource, path, fields) in acts {
            if !role.may(Permission::write(resource)) {
                browser.post(path, fields).await.expect(403);
            }
        }
    }
    let owner = fixture.signed_in(Role::Owner).await;
    let named = async |list: &str| {
        let body = owner.get(list).await.expect(200).body;
        body.contains("evil.example") || body.contains("Mine")
    };
    for list in ["/console/integrations", "/console/subscribers", "/console/tokens"] {
        assert!(!named(list).await, "{list}");
    }
    let (_, path, fields) = acts[0];
    owner.post(path, fields).await.expect(200);
    assert!(named("/console/integrations").await, "who may name them does it with the very same form");
}
