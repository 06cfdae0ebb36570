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

#[tokio::test]
async fn a_token_is_made_for_some_networks_and_gets_another_secret_while_the_one_before_counts() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    let new = |networks: &'static str| [("name", "CI"), ("scopes", "components:read"), ("days", "30"), ("networks", networks)];
    let refused = owner.post("/console/tokens/new", &new("192.0.2.7\r\nnowhere")).await.expect(422).body;
    assert!(refused.contains("id=\"networks-error\">Line 2: nowhere is neither an address nor a network"), "{refused}");
    assert!(refused.contains("192.0.2.7\nnowhere</textarea>") || refused.contains("192.0.2.7\r\nnowhere</textarea>"), "{refused}");
    let made = owner.post("/console/tokens/new", &new("192.0.2.7\r\n2001:db8::/32\r\n")).await.expect(200).body;
    let secret = |page: &str| page.split_once("id=\"token-text\">").unwrap().1.split('<').next().unwrap().to_owned();
    let page = owner.get("/console/tokens/1").await.expect(200).body;
    assert!(page.contains("<code>192.0.2.7/32</code>, <code>2001:db8::/32</code>"), "{page}");
    assert!(owner.get("/console/tokens").await.expect(200).body.contains("from 2 networks only"));

    let rotated = owner.post("/console/tokens/1/rotate", &[("grace", "1h")]).await.expect(200).body;
    assert!(secret(&rotated) != secret(&made) && rotated.contains("The one before counts until"), "{rotated}");
    let find = async |secret: String| {
        storage::tokens::authenticate(&fixture.console.db, &secret.into(), fixture.console.now()).await.unwrap().map(|token| token.id.0)
    };
    assert_eq!((find(secret(&made)).await, find(secret(&rotated)).await), (Some(1), Some(1)));
    let last = owner.post("/console/tokens/1/rotate", &[("grace", "0")]).await.expect(200).body;
    assert_eq!((find(secret(&rotated)).await, find(secret(&last)).await), (None, Some(1)));
    assert_eq!(fixture.last_act().await.0, "token.rotate");

    owner.post("/console/tokens/1/revoke", &[]).await.leads_to("/console/tokens");
    assert!(!owner.get("/console/tokens/1").await.expect(200).body.contains("Another secret"));
    owner.post("/console/tokens/1/rotate", &[("grace", "1h")]).await.expect(409);
    owner.get("/console/tokens/99").await.expect(404);
}

#[tokio::test]
async fn an_owner_sees_who_is_signed_in_and_ends_one_session_or_all_of_somebody() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let editor = fixture.user(Role::Editor).await;
    let owner = fixture.signed_in(Role::Owner).await;
    let stays = [fixture.signed_in(Role::Editor).await, fixture.signed_in(Role::Editor).await, fixture.signed_in(Role::Editor).await];
    let all = owner.get("/console/sessions").await.expect(200).body;
    assert_eq!((all.matches("editor@example.com, with a password").count(), all.matches("(you, here)").count()), (3, 1), "{all}");
    let theirs = owner.get(&format!("/console/sessions?user={editor}")).await.expect(200).body;
    assert!(!theirs.contains("owner@example.com, with") && theirs.contains("End all of them"), "{theirs}");

    let (_, newest) = theirs.split_once("action=\"/console/sessions/").unwrap();
    let path = format!("/console/sessions/{}", newest.split('"').next().unwrap());
    owner.post(&path, &[("only", &editor.to_string())]).await.leads_to(&format!("/console/sessions?user={editor}&ended=1"));
    assert_eq!(fixture.last_act().await.0, "session.delete");
    stays[2].get("/console/").await.leads_to("/console/log-in");
    stays[1].get("/console/").await.expect(200);
    owner.post(&path, &[]).await.expect(404);
    owner.post("/console/sessions/end-all", &[("user", &editor.to_string())]).await.leads_to("/console/sessions?ended=1");
    assert_eq!(fixture.last_act().await.0, "user.session.delete");
    stays[0].get("/console/").await.leads_to("/console/log-in");
    owner.post("/console/sessions/end-all", &[]).await.expect(400);
    // Their own are ended on their profile, where they see which one they are in.
    owner.post("/console/sessions/1/end", &[]).await.expect(409);
}

#[tokio::test]
async fn times_are_shown_and_read_in_the_zone_of_whoever_looks() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    assert!(owner.get("/console/profile").await.expect(200).body.contains(" UTC</time>"), "that of the page");
    let refused = owner.post("/console/profile/time-zone", &[("time_zone", "Mars/Base")]).await.expect(422).body;
    assert!(refused.contains("id=\"time_zone-error\"") && refused.contains("value=\"Mars/Base\""), "{refused}");
    owner.post("/console/profile/time-zone", &[("time_zone", "Asia/Kathmandu")]).await.leads_to("/console/profile#times");
    let window = [("title", "Move"), ("starts_at", "2030-01-10T05:45"), ("ends_at", "2030-01-10T06:45")];
    owner.post("/console/maintenances/new", &window).await.leads_to("/console/maintenances");
    let stored = storage::rows::page_settings(&mut fixture.console.db.read().await.unwrap()).await.unwrap().time_zone;
    assert_eq!(stored, "UTC", "the page keeps its own");
    let list = owner.get("/console/maintenances").await.expect(200).body;
    assert!(list.contains("10 Jan 2030, 05:45 +0545") && !list.contains(" UTC"), "{list}");
    let (_, line) = list.split_once("<ul class=\"lines\">").unwrap();
    let (_, path) = line.split_once("href=\"/console/maintenances/").unwrap();
    let shown = owner.get(&format!("/console/maintenances/{}", path.split('"').next().unwrap())).await.expect(200).body;
    assert!(shown.contains("value=\"2030-01-10T05:45\"") && shown.contains("From, in Asia/Kathmandu"), "{shown}");
    owner.post("/console/profile/time-zone", &[("time_zone", "")]).await.expect(303);
    let list = owner.get("/console/maintenances").await.expect(200).body;
    assert!(list.contains("10 Jan 2030, 00:00 UTC"), "{list}");
}
