//! The team: who invites, changes and removes whom, and what becomes of their sessions.

use domain::Role;
use storage::{
    entry_links::Purpose,
    users::{self, User},
};

use super::{Answer, Fixture, PASSWORD};

const OTHER_PASSWORD: &str = "cello marina emery paper";

async fn all(fixture: &Fixture) -> Vec<User> {
    users::list(&mut fixture.console.db.read().await.unwrap(), 0, 100).await.unwrap()
}

fn link(answer: &Answer) -> String {
    let (_, rest) = answer.body.split_once("<code class=\"key\">https://status.example.com").unwrap();
    rest.split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_invitation_gives_what_it_says_and_nothing_that_its_form_adds() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post("/console/team/invitations", &[("email", "owner@example.com"), ("role", "viewer")]).await.expect(422);
    owner.post("/console/team/invitations", &[("email", "nobody"), ("role", "viewer")]).await.expect(422);
    let shown = owner.post("/console/team/invitations", &[("email", "Eve@Example.com"), ("role", "viewer")]).await.expect(200);
    let path = link(&shown);
    assert!(!owner.get("/console/team").await.body.contains(&path), "it is shown once");
    let eve = fixture.browser();
    assert!(eve.get(&path).await.expect(200).body.contains("eve@example.com as viewer"));
    let greedy = [
        ("name", "Eve"),
        ("password", OTHER_PASSWORD),
        ("email", "root@example.com"),
        ("role", "owner"),
        ("account_id", "1"),
        ("is_admin", "true"),
        ("invited_by", "x"),
    ];
    eve.post(&path, &greedy).await.leads_to("/console/");
    let everybody = all(&fixture).await;
    let made = everybody.iter().find(|user| user.email == "eve@example.com").unwrap();
    assert_eq!((everybody.len(), made.role, made.name.as_str()), (2, Role::Viewer, "Eve"));
    fixture.browser().post(&path, &greedy).await.expect(404);
    eve.post("/console/profile/name", &[("name", "Evelyn"), ("role", "owner"), ("email", "x@example.com")])
        .await
        .leads_to("/console/profile");
    let made = all(&fixture).await.into_iter().find(|user| user.email == "eve@example.com").unwrap();
    assert_eq!((made.role, made.name.as_str()), (Role::Viewer, "Evelyn"));
}

#[tokio::test]
async fn an_admin_makes_no_owner_and_does_nothing_to_one() {
    let fixture = Fixture::new().await;
    let owner = fixture.user(Role::Owner).await;
    let viewer = fixture.user(Role::Viewer).await;
    fixture.user(Role::Admin).await;
    let admin = fixture.signed_in(Role::Admin).await;
    admin.post("/console/team/invitations", &[("email", "x@example.com"), ("role", "owner")]).await.expect(403);
    admin.post(&format!("/console/team/{viewer}/role"), &[("role", "owner")]).await.expect(403);
    for act in ["disable", "delete", "link", "unlink", "reset-factors", "end-sessions", "enable"] {
        admin.post(&format!("/console/team/{owner}/{act}"), &[]).await.expect(403);
    }
    admin.post(&format!("/console/team/{owner}/role"), &[("role", "viewer")]).await.expect(403);
    admin.post(&format!("/console/team/{viewer}/role"), &[("role", "editor")]).await.leads_to("/console/team");
    admin.post(&format!("/console/team/{viewer}/role"), &[("role", "root")]).await.expect(400);
    let roles: Vec<Role> = all(&fixture).await.into_iter().map(|user| user.role).collect();
    assert_eq!(roles, [Role::Owner, Role::Editor, Role::Admin]);
}

#[tokio::test]
async fn there_is_always_an_owner_who_can_sign_in() {
    let fixture = Fixture::new().await;
    let (first, second) = (fixture.user_at("owner@example.com", Role::Owner).await, fixture.user_at("b@example.com", Role::Owner).await);
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post(&format!("/console/team/{first}/delete"), &[]).await.expect(409);
    owner.post(&format!("/console/team/{second}/disable"), &[]).await.leads_to("/console/team");
    let mut tx = fixture.console.db.begin().await.unwrap();
    assert_eq!(users::set_role(&mut tx, first, Role::Admin).await.unwrap(), users::Changed::LastOwner);
    assert_eq!(users::set_disabled(&mut tx, first, Some(fixture.console.now())).await.unwrap(), users::Changed::LastOwner);
    assert_eq!(users::delete(&mut tx, first).await.unwrap(), users::Changed::LastOwner);
    assert_eq!(users::delete(&mut tx, second).await.unwrap(), users::Changed::Yes);
}

/// The session matrix: whatever makes a session wrong ends it at once. (GHSA-g9v2-wqcj-j99g, GHSA-23q2-5gf8-gjpp)
#[tokio::test]
async fn ghsa_g9v2_wqcj_j99g_whatever_changes_an_account_ends_its_other_sessions() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let id = fixture.user(Role::Operator).await;
    let owner = fixture.signed_in(Role::Owner).await;
    for (act, fields) in [("role", &[("role", "editor")][..]), ("end-sessions", &[]), ("reset-factors", &[]), ("disable", &[])] {
        let theirs = fixture.signed_in(Role::Operator).await;
        owner.post(&format!("/console/team/{id}/{act}"), fields).await.leads_to("/console/team");
        theirs.get("/console/").await.leads_to("/console/log-in");
        if act == "disable" {
            fixture.browser().log_in("operator@example.com", PASSWORD).await.expect(401);
            owner.post(&format!("/console/team/{id}/enable"), &[]).await.leads_to("/console/team");
        }
    }
    let (theirs, elsewhere) = (fixture.signed_in(Role::Operator).await, fixture.signed_in(Role::Operator).await);
    let before = theirs.cookie().unwrap();
    theirs.post("/console/profile/password", &[("current", "wrong"), ("password", OTHER_PASSWORD)]).await.expect(422);
    theirs.post("/console/profile/password", &[("current", PASSWORD), ("password", OTHER_PASSWORD)]).await.leads_to("/console/profile");
    theirs.get("/console/").await.expect(200);
    elsewhere.get("/console/").await.leads_to("/console/log-in");
    theirs.set_cookie(&before);
    theirs.get("/console/").await.leads_to("/console/log-in");
    fixture.browser().log_in("operator@example.com", PASSWORD).await.expect(401);
    owner.post(&format!("/console/team/{id}/delete"), &[]).await.leads_to("/console/team");
    fixture.browser().log_in("operator@example.com", OTHER_PASSWORD).await.expect(401);
}

#[tokio::test]
async fn somebody_ends_their_own_sessions_and_nobody_elses() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Viewer).await;
    fixture.user(Role::Editor).await;
    let (here, there) = (fixture.signed_in(Role::Viewer).await, fixture.signed_in(Role::Viewer).await);
    let editor = fixture.signed_in(Role::Editor).await;
    let page = here.get("/console/profile").await.body;
    let (_, rest) = page.split_once("/console/profile/sessions/").unwrap();
    let path = format!("/console/profile/sessions/{}", rest.split('"').next().unwrap());
    editor.post(&path, &[]).await.expect(404);
    there.get("/console/").await.expect(200);
    here.post(&path, &[]).await.leads_to("/console/profile");
    there.get("/console/").await.leads_to("/console/log-in");
    let there = fixture.signed_in(Role::Viewer).await;
    here.post("/console/profile/sessions/end-others", &[]).await.leads_to("/console/profile");
    there.get("/console/").await.leads_to("/console/log-in");
    here.get("/console/").await.expect(200);
    editor.get("/console/").await.expect(200);
}

#[tokio::test]
async fn a_link_for_a_new_password_works_once_ends_every_session_and_skips_no_second_factor() {
    let fixture = Fixture::new().await;
    let id = fixture.user(Role::Operator).await;
    let theirs = fixture.signed_in(Role::Operator).await;
    let path = format!("/console/password/{}", fixture.link(Purpose::Password { user: id }).await);
    let older = format!("/console/password/{}", fixture.link(Purpose::Password { user: id }).await);
    fixture.browser().get(&path).await.expect(404);
    let path = older;
    let browser = fixture.browser();
    browser.get(&path).await.expect(200);
    browser.post(&path, &[("password", "operator@example.com")]).await.expect(422);
    browser.post(&path, &[("password", OTHER_PASSWORD)]).await.leads_to("/console/log-in");
    browser.post(&path, &[("password", PASSWORD)]).await.expect(404);
    theirs.get("/console/").await.leads_to("/console/log-in");
    fixture.browser().log_in("operator@example.com", OTHER_PASSWORD).await.leads_to("/console/");
    // One kind of link is no other kind.
    let link = fixture.link(Purpose::Password { user: id }).await;
    for wrong in ["join", "setup"] {
        fixture.browser().get(&format!("/console/{wrong}/{link}")).await.expect(404);
    }
}

#[tokio::test]
async fn of_somebody_who_is_removed_a_pseudonym_stays_in_the_audit_log() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let viewer = fixture.user(Role::Viewer).await;
    fixture.signed_in(Role::Viewer).await;
    let log = async || {
        let mut conn = fixture.console.db.read().await.unwrap();
        storage::audit::list(&mut conn, &storage::audit::Filter::default(), i64::MAX, 100).await.unwrap()
    };
    let pseudonym = format!("user:{viewer}");
    let theirs = async || log().await.into_iter().find(|row| row.actor == pseudonym).unwrap();
    let before = theirs().await;
    assert!(before.name.as_deref().is_some_and(|name| name.contains('@')), "{before:?}");
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post(&format!("/console/team/{viewer}/delete"), &[]).await.leads_to("/console/team");
    assert_eq!(theirs().await.name, None);
    let rows = log().await;
    assert_eq!((rows[0].action.as_str(), rows[0].resource.as_deref()), ("user.delete", Some(pseudonym.as_str())));
    assert!(!format!("{rows:?}").contains(before.name.as_deref().unwrap()));
    assert!(storage::audit::verify(&fixture.console.db, &fixture.console.secrets, None).await.unwrap().is_ok());
}
