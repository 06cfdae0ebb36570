//! Which account whoever comes from an identity provider gets, and with which role.

use domain::{Role, Span};
use serde_json::{Value, json};
use storage::{entry_links::Purpose, identities};

use super::{
    super::{
        Browser, Fixture, PASSWORD,
        idp::{Idp, REDIRECT, now},
    },
    BEGIN, changed, with_provider,
};

#[tokio::test]
async fn whoever_is_in_a_group_that_has_a_role_comes_in_with_it_and_it_follows_the_groups() {
    let (idp, fixture) = with_provider().await;
    let eve = fixture.browser();
    assert!(eve.get("/console/log-in").await.expect(200).body.contains("Log in with Acme ID"));
    let question = eve.go("/console/log-in/oidc?next=%2Fconsole%2Fincidents").await;
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "fanal"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid email profile groups"),
        ("code_challenge_method", "S256"),
        ("prompt", ""),
    ] {
        assert_eq!(question.get(name), value, "{name}");
    }
    idp.grant("code", &question, &idp.claims(&question));
    let answer = eve.back("code", question.get("state")).await;
    answer.leads_to("/console/incidents");
    assert!(eve.cookies.borrow().keys().all(|name| name != "__Host-fanal-oidc"), "it is over");
    eve.get("/console/incidents").await.expect(200);
    let user = fixture.by_email("eve@example.com").await.unwrap();
    assert_eq!((user.role, user.name.as_str(), user.has_password, user.has_identity), (Role::Operator, "Eve", false, true));
    let log = fixture.log().await;
    assert_eq!(log[0], ("session.begun".to_owned(), json!({ "means": "provider", "methods": ["pwd", "otp"] })));
    assert_eq!((log[1].0.as_str(), &log[1].1["role"]), ("user.joined", &json!("operator")));

    // More power, by another session: the first one ends with the role it had.
    let elsewhere = fixture.browser();
    elsewhere.sign_in(&idp, json!({ "groups": ["sre", "platform"], "email": "new@example.com" })).await.leads_to("/console/");
    eve.get("/console/").await.leads_to("/console/log-in");
    let user = fixture.by_email("eve@example.com").await.unwrap();
    assert_eq!((user.role, fixture.by_email("new@example.com").await), (Role::Admin, None), "known by the subject alone");
    fixture.browser().sign_in(&idp, json!({ "groups": ["sre"] })).await.leads_to("/console/");
    assert_eq!(fixture.by_email("eve@example.com").await.unwrap().role, Role::Operator, "and less");
    elsewhere.get("/console/").await.leads_to("/console/log-in");

    // None at all: out, also where they are in.
    let inside = fixture.browser();
    inside.sign_in(&idp, json!({})).await.leads_to("/console/");
    let refused = fixture.browser().sign_in(&idp, json!({ "groups": ["strangers"] })).await.expect(403);
    assert!(refused.body.contains("You have no role here."), "{}", refused.body);
    inside.get("/console/").await.leads_to("/console/log-in");
}

/// Of every claim that matters, and of the signature, each way to be wrong.

#[tokio::test]
async fn an_account_is_linked_by_a_verified_address_and_to_one_person() {
    let (idp, fixture) = with_provider().await;
    let operator = fixture.user_at("eve@example.com", Role::Viewer).await;
    for unverified in [json!({ "email_verified": false }), json!({ "email_verified": null })] {
        let refused = fixture.browser().sign_in(&idp, unverified).await.expect(403);
        assert!(refused.body.contains("has not verified your mail address"), "{}", refused.body);
    }
    assert_eq!(fixture.log().await[0].1["reason"], "address_not_verified");
    fixture.browser().sign_in(&idp, json!({ "email": null })).await.expect(403);
    let theirs = fixture.signed_in_as("eve@example.com").await;
    fixture.browser().sign_in(&idp, json!({})).await.leads_to("/console/");
    theirs.get("/console/").await.leads_to("/console/log-in");
    let user = fixture.by_email("eve@example.com").await.unwrap();
    assert_eq!((user.id, user.role, user.has_password, user.has_identity), (operator, Role::Operator, true, true));
    assert!(fixture.log().await.iter().any(|(action, _)| action == "user.identity.create"));
    // The address is given to somebody else there.
    let refused = fixture.browser().sign_in(&idp, json!({ "sub": "s-2" })).await.expect(403);
    assert!(refused.body.contains("belongs to somebody else"), "{}", refused.body);
    // Until an owner unlinks the account.
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post(&format!("/console/team/{operator}/unlink"), &[]).await.leads_to("/console/team");
    assert!(!fixture.by_email("eve@example.com").await.unwrap().has_identity);
    fixture.browser().sign_in(&idp, json!({})).await.leads_to("/console/");
    // Shut out is shut out, for both ways in.
    owner.post(&format!("/console/team/{operator}/disable"), &[]).await.leads_to("/console/team");
    fixture.browser().sign_in(&idp, json!({})).await.expect(403);
    fixture.user_at("bob@example.com", Role::Viewer).await;
    let bob = fixture.by_email("bob@example.com").await.unwrap().id;
    owner.post(&format!("/console/team/{bob}/disable"), &[]).await.leads_to("/console/team");
    fixture.browser().sign_in(&idp, json!({ "sub": "s-3", "email": "bob@example.com" })).await.expect(403);
    let mut conn = fixture.console.db.read().await.unwrap();
    assert!(!identities::has_one_of(&mut conn, bob, &idp.base).await.unwrap());
}

/// Owners are made here, and what a group says changes nothing about them.

#[tokio::test]
async fn an_owner_stays_one_whatever_their_groups() {
    let (idp, fixture) = with_provider().await;
    let id = fixture.user(Role::Owner).await;
    for groups in [json!([]), json!(["sre"]), json!("platform")] {
        let claims = json!({ "email": "owner@example.com", "groups": groups });
        fixture.browser().sign_in(&idp, claims).await.leads_to("/console/");
        assert_eq!(fixture.by_email("owner@example.com").await.map(|user| (user.id, user.role)), Some((id, Role::Owner)));
    }
}

#[tokio::test]
async fn whoever_is_invited_comes_in_by_their_verified_address() {
    let idp = Idp::start().await;
    let settings = crate::console::oidc::Settings { roles: Default::default(), ..idp.settings() };
    let fixture = Fixture::with(&[], Some(settings)).await;
    let invite = async |email: &str, role| {
        let purpose = Purpose::Invitation { email: email.to_owned(), role, invited_by: "owner@example.com".to_owned() };
        fixture.link(purpose).await
    };
    let stranger = fixture.browser().sign_in(&idp, json!({ "groups": ["platform"] })).await.expect(403);
    assert!(stranger.body.contains("You have no role here."), "no group means anything");
    let link = invite("eve@example.com", Role::Editor).await;
    fixture.browser().sign_in(&idp, json!({ "email_verified": false })).await.expect(403);
    assert_eq!(fixture.by_email("eve@example.com").await, None);
    fixture.browser().sign_in(&idp, json!({})).await.leads_to("/console/");
    assert_eq!(fixture.by_email("eve@example.com").await.unwrap().role, Role::Editor);
    fixture.browser().get(&format!("/console/join/{link}")).await.expect(404);
    // Where groups have roles, they and not the invitation say which; only an owner's stays.
    let fixture = Fixture::with(&[], Some(idp.settings())).await;
    for (email, role, groups, becomes) in [
        ("a@example.com", Role::Admin, json!(["sre"]), Some(Role::Operator)),
        ("b@example.com", Role::Admin, json!([]), None),
        ("c@example.com", Role::Owner, json!([]), Some(Role::Owner)),
    ] {
        let purpose = Purpose::Invitation { email: email.to_owned(), role, invited_by: "owner@example.com".to_owned() };
        fixture.link(purpose).await;
        idp.says().user_info = json!({ "sub": email });
        fixture.browser().sign_in(&idp, json!({ "sub": email, "email": email, "groups": groups })).await;
        assert_eq!(fixture.by_email(email).await.map(|user| user.role), becomes, "{email}");
    }
}

/// Step-up for people without a password: the provider must have asked them anew.

#[tokio::test]
async fn whoever_has_no_password_proves_themselves_again_at_the_provider() {
    let (idp, fixture) = with_provider().await;
    let admin = fixture.browser();
    let dangerous = "/console/tokens/new";
    let confirm = "/console/confirm?next=%2Fconsole%2Ftokens%2Fnew";
    // A sign-in that rests on an old one is no fresh proof; nor is one that does not say.
    for old in [json!({ "auth_time": now() - 3600, "groups": ["platform"] }), json!({ "auth_time": null, "groups": ["platform"] })] {
        let browser = fixture.browser();
        browser.sign_in(&idp, old).await.leads_to("/console/");
        browser.get(dangerous).await.leads_to(confirm);
    }
    admin.sign_in(&idp, json!({ "groups": ["platform"] })).await.leads_to("/console/");
    admin.get(dangerous).await.expect(200);
    fixture.console.clock.advance(Span::mins(11));
    admin.get(dangerous).await.leads_to(confirm);
    let page = admin.get(confirm).await.expect(200).body;
    assert!(page.contains("Log in with Acme ID again") && !page.contains("current-password"), "{page}");
    let (before, later) = (admin.cookie().unwrap(), now() + 11 * 60);
    let again = async |browser: &Browser<'_>, change: Value| {
        let question = browser.go("/console/confirm/oidc?next=%2Fconsole%2Ftokens%2Fnew").await;
        assert_eq!((question.get("prompt"), question.get("max_age")), ("login", "0"));
        let current = json!({ "iat": later, "exp": later + 300, "auth_time": later });
        idp.grant("code", &question, &changed(changed(idp.claims(&question), current), change));
        (browser.back("code", question.get("state")).await, question)
    };
    for wrong in [json!({ "auth_time": later - 120 }), json!({ "auth_time": null }), json!({ "sub": "s-2" }), json!({ "nonce": "x" })] {
        again(&admin, wrong).await.0.expect(403);
        admin.get(dangerous).await.leads_to(confirm);
        assert_eq!(fixture.log().await[0].0, "session.proof_refused");
    }
    again(&admin, json!({})).await.0.leads_to(dangerous);
    assert_ne!(admin.cookie().unwrap(), before);
    admin.get(dangerous).await.expect(200);
    admin.set_cookie(&before);
    admin.get(dangerous).await.leads_to("/console/log-in?next=%2Fconsole%2Ftokens%2Fnew");
    // A proof that one session asked for is worth nothing in another.
    let (one, other) = (fixture.browser(), fixture.browser());
    for browser in [&one, &other] {
        let question = browser.go(BEGIN).await;
        let current = json!({ "iat": later, "exp": later + 300, "auth_time": now() - 3600, "groups": ["platform"] });
        idp.grant("code", &question, &changed(idp.claims(&question), current));
        browser.back("code", question.get("state")).await.leads_to("/console/");
    }
    let question = one.go("/console/confirm/oidc").await;
    let flow = one.cookies.borrow()["__Host-fanal-oidc"].clone();
    other.cookies.borrow_mut().insert("__Host-fanal-oidc".to_owned(), flow);
    let current = json!({ "iat": later, "exp": later + 300, "auth_time": later });
    idp.grant("code", &question, &changed(idp.claims(&question), current));
    other.back("code", question.get("state")).await.expect(400);
    other.get(dangerous).await.leads_to(confirm);
}

#[tokio::test]
async fn where_the_provider_is_the_only_way_in_only_owners_have_another() {
    let idp = Idp::start().await;
    let fixture = Fixture::with(&[], Some(crate::console::oidc::Settings { only: true, ..idp.settings() })).await;
    fixture.user(Role::Owner).await;
    fixture.user(Role::Admin).await;
    let page = fixture.browser().get("/console/log-in").await.expect(200).body;
    assert!(page.contains("<details><summary>Owners can log in without it"), "{page}");
    let (known, unknown) = (
        fixture.browser().log_in("admin@example.com", PASSWORD).await.expect(401),
        fixture.browser().log_in("nobody@example.com", PASSWORD).await.expect(401),
    );
    let wrong = "The mail address or the password is wrong.";
    assert!(known.body.contains(wrong) && unknown.body.contains(wrong), "it says nothing about who is known");
    fixture.signed_in(Role::Owner).await;
    let invited = |role| Purpose::Invitation { email: format!("new-{role}@example.com"), role, invited_by: "owner@example.com".to_owned() };
    let fields = [("name", "Eve"), ("password", "cello marina emery paper")];
    let path = format!("/console/join/{}", fixture.link(invited(Role::Viewer)).await);
    let page = fixture.browser().get(&path).await.expect(403).body;
    assert!(page.contains("Log in with Acme ID"), "{page}");
    fixture.browser().post(&path, &fields).await.expect(403);
    let path = format!("/console/join/{}", fixture.link(invited(Role::Owner)).await);
    fixture.browser().post(&path, &fields).await.leads_to("/console/");
    fixture.browser().sign_in(&idp, json!({ "email": "admin@example.com" })).await.leads_to("/console/");
}

/// How many factors a provider asks for is its own business.

#[tokio::test]
async fn whoever_comes_from_the_provider_needs_no_second_factor_here() {
    let idp = Idp::start().await;
    let fixture = Fixture::with(&[Role::Operator], Some(idp.settings())).await;
    let browser = fixture.browser();
    browser.sign_in(&idp, json!({})).await.leads_to("/console/");
    browser.get("/console/").await.expect(200);
    fixture.user(Role::Operator).await;
    fixture.signed_in(Role::Operator).await.get("/console/").await.leads_to("/console/profile/factor");
}

#[tokio::test]
async fn what_the_token_leaves_out_is_asked_for_and_only_of_the_same_person() {
    let (idp, fixture) = with_provider().await;
    let bare = json!({ "email": null, "email_verified": null, "groups": null, "name": null });
    idp.says().user_info = json!({ "sub": "s-2", "email": "eve@example.com", "email_verified": true, "groups": ["platform"] });
    fixture.browser().sign_in(&idp, bare.clone()).await.expect(403);
    assert_eq!(fixture.by_email("eve@example.com").await, None);
    idp.says().user_info =
        json!({ "sub": "s-1", "email": "eve@example.com", "email_verified": "true", "groups": ["sre"], "name": "Eve\n" });
    fixture.browser().sign_in(&idp, bare).await.leads_to("/console/");
    let user = fixture.by_email("eve@example.com").await.unwrap();
    assert_eq!((user.role, user.name.as_str()), (Role::Operator, "Eve"));
}

/// The mailbox of an address that was never verified opens nothing: its reader may be somebody else.

#[tokio::test]
async fn an_address_that_is_not_verified_makes_an_account_and_opens_none() {
    let (idp, fixture) = with_provider().await;
    fixture.browser().sign_in(&idp, json!({ "email_verified": null })).await.leads_to("/console/");
    let user = fixture.by_email("eve@example.com").await.unwrap();
    assert_eq!((user.role, user.has_password), (Role::Operator, false));
    fixture.browser().log_in("eve@example.com", PASSWORD).await.expect(401);
    fixture.browser().sign_in(&idp, json!({ "sub": "s-2", "email_verified": true })).await.expect(403);
}
