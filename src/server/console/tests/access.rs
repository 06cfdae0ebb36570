//! Who may call what, for every route there is.

use domain::{Role, Span};
use poem::http::Method;
use storage::users;

use super::{Fixture, PASSWORD};
use crate::console::{
    gate::{Rule, Who},
    table,
};

pub(super) fn path_of(rule: &Rule) -> String {
    rule.path.split('/').map(|part| if part.starts_with(':') { "999999" } else { part }).collect::<Vec<_>>().join("/")
}

/// The routes are read from the table that registers them: a new one is tested as soon as it is there.
#[tokio::test]
async fn every_route_lets_in_exactly_the_roles_whose_permission_it_needs() {
    let fixture = Fixture::new().await;
    let rules = table(fixture.console.clone()).rules();
    assert!(rules.len() >= 30, "{rules:?}");
    for role in Role::ALL {
        fixture.user(*role).await;
    }
    let ends = ["/console/log-out"];
    for role in Role::ALL {
        let browser = fixture.signed_in(*role).await;
        for rule in rules.iter().filter(|rule| rule.needs.who != Who::Anybody && !ends.contains(&rule.path)) {
            let (path, what) = (path_of(rule), format!("{role} {} {}", rule.method, rule.path));
            let answer = if rule.method == Method::GET { browser.get(&path).await } else { browser.post(&path, &[]).await };
            match rule.needs.who {
                Who::Half => assert!(answer.location().starts_with("/console/log-in"), "{what}"),
                Who::May(permission) if !role.may(permission) => {
                    assert_eq!(answer.status, 403, "{what}");
                    assert!(answer.body.contains(&permission.to_string()), "{what}");
                }
                _ => assert!(answer.status != 403 && answer.status != 500 && !answer.location().starts_with("/console/log-in"), "{what}"),
            }
        }
    }
}

#[tokio::test]
async fn nobody_gets_in_without_signing_in_and_no_act_without_its_token_and_from_elsewhere() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let stranger = fixture.browser();
    let (owner, other) = (fixture.signed_in(Role::Owner).await, fixture.signed_in(Role::Owner).await);
    for rule in table(fixture.console.clone()).rules() {
        let (path, what) = (path_of(&rule), format!("{} {}", rule.method, rule.path));
        if rule.method == Method::GET {
            let answer = stranger.get(&path).await;
            assert_eq!(rule.needs.who == Who::Anybody, !answer.location().starts_with("/console/log-in"), "{what}");
            continue;
        }
        // What says that it comes from another site, or does not say where it comes from, is refused before anything else.
        for headers in [
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
            &[("sec-fetch-site", "same-site"), ("origin", "https://other.example.com")],
            &[("origin", "https://evil.example"), ("host", "evil.example")],
            &[("origin", "https://status.example.com.evil.example")],
            &[("origin", "http://status.example.com")],
            &[("origin", "null")],
            &[],
        ] {
            let body = format!("csrf={}", owner.csrf().await);
            assert_eq!(owner.send(rule.method.clone(), &path, headers, Some(body)).await.status, 403, "{what} {headers:?}");
        }
        if rule.needs.who != Who::Anybody {
            let answer = stranger.send(rule.method.clone(), &path, &[("sec-fetch-site", "same-origin")], Some(String::new())).await;
            assert!(answer.location().starts_with("/console/log-in"), "{what}");
        }
        if !matches!(rule.needs.who, Who::Anybody | Who::Half) {
            for csrf in ["", "csrf=", "csrf=wrong", &format!("csrf={}", other.csrf().await)] {
                let answer = owner.send(rule.method.clone(), &path, &[("sec-fetch-site", "same-origin")], Some(csrf.to_owned())).await;
                assert_eq!(answer.status, 403, "{what} {csrf}");
            }
        }
    }
}

/// For each route there is: a session that has run out, one that was ended, one of somebody who was shut out, and a cookie that somebody made up.
#[tokio::test]
async fn no_route_takes_a_session_that_does_not_count_any_more() {
    let fixture = Fixture::new().await;
    let owner = fixture.user(Role::Owner).await;
    let gone = fixture.user_at("gone@example.com", Role::Owner).await;
    let over = fixture.signed_in(Role::Owner).await.cookie().unwrap();
    fixture.console.clock.advance(Span::mins(60 * 11 + 50));
    let shut_out = fixture.signed_in_as("gone@example.com").await.cookie().unwrap();
    let browser = fixture.signed_in(Role::Owner).await;
    let ended = browser.cookie().unwrap();
    browser.post("/console/log-out", &[]).await.leads_to("/console/log-in");
    fixture.console.clock.advance(Span::mins(11));
    let mut tx = fixture.console.db.begin().await.unwrap();
    assert_eq!(users::set_disabled(&mut tx, gone, Some(fixture.console.now())).await.unwrap(), users::Changed::Yes);
    tx.commit().await.unwrap();
    for rule in table(fixture.console.clone()).rules().iter().filter(|rule| rule.needs.who != Who::Anybody) {
        let path = path_of(rule);
        for (what, cookie) in [("over", over.as_str()), ("made up", &"A".repeat(43)), ("shut out", &shut_out), ("ended", &ended)] {
            browser.set_cookie(cookie);
            let from_here = [("sec-fetch-site", "same-origin")];
            let answer = browser.send(rule.method.clone(), &path, &from_here, Some("csrf=x".to_owned())).await;
            assert!(answer.location().starts_with("/console/log-in"), "{what}: {} {path} {}", rule.method, answer.status);
        }
    }
    let left = users::find(&mut fixture.console.db.read().await.unwrap(), owner).await.unwrap();
    assert!(left.is_some_and(|user| user.disabled_at.is_none()));
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_it_safe() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    for (path, status) in [("/console/", 200), ("/console/nothing", 404), ("/console/log-out", 405), ("/console/setup/x", 404)] {
        let answer = owner.get(path).await.expect(status);
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'nonce-") && !policy.contains("unsafe"), "{path} {policy}");
        for part in ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "require-trusted-types-for 'script'"] {
            assert!(policy.contains(part), "{path} {policy}");
        }
        let (_, nonce) = policy.split_once("'nonce-").unwrap();
        let nonce = nonce.split('\'').next().unwrap();
        assert!(answer.body.contains(&format!("<script nonce=\"{nonce}\"")), "{path}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path} {name}");
        }
    }
    let nonce = async || owner.get("/console/").await.header("content-security-policy").to_owned();
    assert_ne!(nonce().await, nonce().await, "each answer has its own");
}

#[tokio::test]
async fn after_ten_minutes_somebody_proves_again_who_they_are_and_their_old_cookie_is_worth_nothing() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    let before = owner.cookie().unwrap();
    owner.get("/console/profile/factor").await.expect(200);
    fixture.console.clock.advance(Span::mins(11));
    owner.get("/console/profile/factor").await.leads_to("/console/confirm?next=%2Fconsole%2Fprofile%2Ffactor");
    owner.post("/console/team/999/delete", &[]).await.leads_to("/console/confirm?next=%2Fconsole%2Fconfirm%2Fkept&again=1");
    assert!(owner.get("/console/confirm?again=1").await.expect(200).body.contains("Nothing was done yet"));
    owner.post("/console/confirm", &[("password", "something else entirely")]).await.expect(401);
    owner.post("/console/confirm", &[("password", PASSWORD), ("next", "/console/")]).await.leads_to("/console/");
    assert_ne!(owner.cookie().unwrap(), before);
    owner.get("/console/").await.expect(200);
    owner.set_cookie(&before);
    owner.get("/console/").await.leads_to("/console/log-in");
}

#[tokio::test]
async fn a_form_that_came_too_long_after_the_last_proof_is_sent_after_the_next_with_one_click_and_once() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    fixture.console.clock.advance(Span::mins(11));
    let fields = [("name", "Build server"), ("scopes", "components:read"), ("scopes", "incidents:read"), ("days", "30")];
    let to = owner.post("/console/tokens/new", &fields).await.expect(303).location().to_owned();
    assert!(to.starts_with("/console/confirm?next=%2Fconsole%2Fconfirm%2Fkept"), "{to}");
    assert!(owner.get(&to).await.expect(200).body.contains("What you sent is kept for ten minutes"));
    // Nobody sends it without the proof, and to try does not lose it.
    owner.post("/console/confirm/kept", &[]).await.expect(303);
    owner.post("/console/confirm", &[("password", PASSWORD), ("next", "/console/confirm/kept")]).await.leads_to("/console/confirm/kept");
    let shown = owner.get("/console/confirm/kept").await.expect(200).body;
    for part in ["<b>Nothing was done yet</b>", "/console/tokens/new", "Build server", "components:read", "incidents:read"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("<dt>Csrf</dt>"));
    // A page of another site, or without the token, neither sends nor loses it.
    let foreign = owner.send(Method::POST, "/console/confirm/kept", &[("sec-fetch-site", "cross-site")], Some(String::new())).await;
    foreign.expect(403);
    owner
        .send(Method::POST, "/console/confirm/kept", &[("sec-fetch-site", "same-origin")], Some("csrf=wrong".to_owned()))
        .await
        .expect(403);
    let made = owner.post("/console/confirm/kept", &[]).await.expect(200).body;
    assert!(made.contains("fanal_"), "{made}");
    let again = owner.post("/console/confirm/kept", &[]).await.expect(409).body;
    assert!(again.contains("Nothing waits to be sent any more"), "{again}");
    let tokens = owner.get("/console/tokens").await.expect(200).body;
    assert_eq!(tokens.matches(">Build server<").count(), 1, "{tokens}");
    owner.get("/console/confirm/kept").await.leads_to("/console/");
}

#[tokio::test]
async fn a_form_that_waits_is_dropped_when_it_is_not_wanted_and_a_weaker_role_does_not_send_it() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let admin_id = fixture.user(Role::Admin).await;
    let admin = fixture.signed_in(Role::Admin).await;
    let keep = async || {
        fixture.console.clock.advance(Span::mins(11));
        admin.post("/console/tokens/new", &[("name", "CI"), ("scopes", "components:read"), ("days", "30")]).await.expect(303);
        admin
            .post("/console/confirm", &[("password", PASSWORD), ("next", "/console/confirm/kept")])
            .await
            .leads_to("/console/confirm/kept");
    };
    keep().await;
    admin.post("/console/confirm/kept", &[("drop", "1")]).await.leads_to("/console/");
    admin.post("/console/confirm/kept", &[]).await.expect(409);
    keep().await;
    let mut tx = fixture.console.db.begin().await.unwrap();
    users::set_role(&mut tx, admin_id, Role::Viewer).await.unwrap();
    tx.commit().await.unwrap();
    // Another role ends the stay, and what waited for it is gone.
    admin.post("/console/confirm/kept", &[]).await.leads_to("/console/log-in");
    let viewer = fixture.signed_in(Role::Admin).await;
    viewer.post("/console/confirm/kept", &[]).await.expect(409);
    let owner = fixture.signed_in(Role::Owner).await;
    assert!(owner.get("/console/tokens").await.expect(200).body.contains("No program may use the API yet"));
}
