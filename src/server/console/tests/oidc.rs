//! Sign-in with an identity provider: who gets in as what, and who does not whatever they send.

use domain::{Role, Span};
use serde_json::{Value, json};
use storage::{
    audit,
    entry_links::Purpose,
    identities,
    users::{self, User},
};

use super::{
    Answer, Browser, Fixture, PASSWORD,
    idp::{CLIENT_SECRET, Idp, Key, Question, REDIRECT, now, unsigned, with_secret},
};

const BEGIN: &str = "/console/log-in/oidc";

impl Browser<'_> {
    /// Goes to the provider.
    async fn go(&self, path: &str) -> Question {
        let answer = self.get(path).await.expect(303);
        assert!(answer.location().starts_with("http://127.0.0.1:"), "{answer:?}");
        Question::of(answer.location())
    }

    /// Comes back from there.
    async fn back(&self, code: &str, state: &str) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs([("code", code), ("state", state)]).finish();
        self.get(&format!("/console/log-in/oidc/callback?{query}")).await
    }

    /// All of it; `change` says how the claims differ from usual ones.
    async fn sign_in(&self, idp: &Idp, change: Value) -> Answer {
        let question = self.go(BEGIN).await;
        idp.grant("code", &question, &changed(idp.claims(&question), change));
        self.back("code", question.get("state")).await
    }
}

fn changed(mut claims: Value, change: Value) -> Value {
    for (name, value) in change.as_object().cloned().unwrap_or_default() {
        claims[name] = value;
    }
    // Null stands for what is not said.
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

async fn with_provider() -> (Idp, Fixture) {
    let idp = Idp::start().await;
    let fixture = Fixture::with(&[], Some(idp.settings())).await;
    (idp, fixture)
}

impl Fixture {
    async fn by_email(&self, email: &str) -> Option<User> {
        users::find_by_email(&mut self.console.db.read().await.unwrap(), email).await.unwrap()
    }

    /// What the audit log says, newest first: actions, and what there is after them.
    async fn log(&self) -> Vec<(String, Value)> {
        let mut conn = self.console.db.read().await.unwrap();
        let rows = audit::list(&mut conn, &audit::Filter::default(), i64::MAX, 200).await.unwrap();
        rows.into_iter().map(|row| (row.action, row.after.unwrap_or_default())).collect()
    }
}

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

/// Makes an ID token of claims.
type Forger<'a> = &'a dyn Fn(&Value) -> String;

/// Of every claim that matters, and of the signature, each way to be wrong.
#[tokio::test]
async fn nobody_comes_in_with_a_token_that_does_not_count() {
    let (idp, fixture) = with_provider().await;
    let wrong = [
        (json!({ "nonce": "another" }), "nonce mismatch"),
        (json!({ "nonce": null }), "missing nonce"),
        (json!({ "aud": "another" }), "Invalid audiences"),
        (json!({ "aud": ["fanal", "another"] }), "not a trusted audience"),
        (json!({ "aud": [] }), "Invalid audiences"),
        (json!({ "azp": "another" }), "made for somebody else"),
        (json!({ "iss": "http://127.0.0.1:1" }), "Invalid issuer"),
        (json!({ "iss": format!("{}/", idp.base) }), "Invalid issuer"),
        (json!({ "exp": now() - 1 }), "Expired"),
        (json!({ "exp": "9999999999" }), "takes no code"),
        (json!({ "exp": null }), "takes no code"),
        (json!({ "iat": now() - 120 }), "not made for this sign-in"),
        (json!({ "iat": now() + 120 }), "not made for this sign-in"),
        (json!({ "sub": "" }), "names nobody"),
        (json!({ "sub": "a\u{0}b" }), "names nobody"),
        (json!({ "sub": "x".repeat(256) }), "names nobody"),
        (json!({ "sub": null }), "takes no code"),
        (json!({ "at_hash": "of-another-token" }), "access token"),
    ];
    for (change, why) in &wrong {
        let browser = fixture.browser();
        browser.sign_in(&idp, change.clone()).await.expect(403);
        assert_eq!(browser.cookie(), None, "{change}");
        let (action, after) = fixture.log().await.swap_remove(0);
        assert!(action == "session.refused" && after["reason"].as_str().unwrap().contains(why), "{change}: {after}");
    }
    let browser = fixture.browser();
    let other = Key::new();
    let tokens: [(&str, Forger<'_>); 9] = [
        ("No signature found", &|claims| format!("{}.", unsigned(&json!({ "alg": "none" }), claims))),
        ("takes no code", &|claims| format!("{}.", unsigned(&json!({ "alg": "None", "kid": "one" }), claims))),
        ("Disallowed signature algorithm", &|claims| with_secret(CLIENT_SECRET.as_bytes(), claims)),
        ("Disallowed signature algorithm", &|claims| with_secret(idp.key.public(), claims)),
        ("Signature verification failed", &|claims| other.sign("one", claims)),
        ("does not name", &|claims| other.sign("another", claims)),
        ("Signature verification failed", &|claims| format!("{}.", unsigned(&json!({ "alg": "ES256", "kid": "one" }), claims))),
        // The head names what must be understood, and is not.
        ("critical", &|claims| {
            let (head, rest) = (json!({ "alg": "ES256", "kid": "one", "crit": ["b64"], "b64": false }), idp.key.sign("one", claims));
            format!("{}.{}", unsigned(&head, claims), rest.rsplit('.').next().unwrap())
        }),
        // Claims changed behind the signature.
        ("Signature verification failed", &|claims| {
            let (signed, greedy) = (idp.key.sign("one", claims), changed(claims.clone(), json!({ "groups": ["platform"] })));
            format!("{}.{}", unsigned(&json!({ "alg": "ES256", "typ": "JWT", "kid": "one" }), &greedy), signed.rsplit('.').next().unwrap())
        }),
    ];
    for (why, token) in tokens {
        let question = browser.go(BEGIN).await;
        idp.grant_token("code", &question, Some(&token(&idp.claims(&question))));
        let answer = browser.back("code", question.get("state")).await.expect(403);
        assert!(browser.cookie().is_none() && answer.body.contains("could not be believed"), "{why}");
        let (_, after) = fixture.log().await.swap_remove(0);
        assert!(after["reason"].as_str().unwrap().contains(why), "{why}: {after}");
    }
    let question = browser.go(BEGIN).await;
    idp.grant_token("code", &question, None);
    browser.back("code", question.get("state")).await.expect(403);
    assert_eq!(fixture.by_email("eve@example.com").await, None);
    browser.sign_in(&idp, json!({})).await.leads_to("/console/");
}

/// The answer counts in the browser that asked, once, and for ten minutes.
#[tokio::test]
async fn an_answer_counts_only_where_it_was_asked_for_and_once() {
    let (idp, fixture) = with_provider().await;
    let (victim, attacker) = (fixture.browser(), fixture.browser());
    let (asked, theirs) = (victim.go(BEGIN).await, attacker.go(BEGIN).await);
    assert!(asked.get("state") != theirs.get("state") && asked.get("nonce") != theirs.get("nonce"));
    // A browser that has asked nothing, and one that has asked something else: an attacker's answer signs nobody in as the attacker.
    idp.grant("of-the-attacker", &theirs, &idp.claims(&theirs));
    fixture.browser().back("of-the-attacker", theirs.get("state")).await.expect(400);
    victim.back("of-the-attacker", theirs.get("state")).await.expect(400);
    assert_eq!(victim.cookie(), None);
    // The attacker's code slipped into the victim's own sign-in is for another verifier.
    let asked = victim.go(BEGIN).await;
    victim.back("of-the-attacker", asked.get("state")).await.expect(403);
    assert_eq!(victim.cookie(), None);
    // An answer without what it needs.
    for query in ["", "?code=code", "?state=", "?error=access_denied", "?code=a&code=b&state=s"] {
        let asked = victim.go(BEGIN).await;
        victim.get(&format!("/console/log-in/oidc/callback{query}")).await.expect(400);
        victim.get(&format!("/console/log-in/oidc/callback?state={}", asked.get("state"))).await.expect(400);
    }
    let asked = victim.go(BEGIN).await;
    let more = "error=access_denied&error_description=%3Cb%3E";
    let denied = victim.get(&format!("/console/log-in/oidc/callback?state={}&{more}", asked.get("state"))).await.expect(403);
    assert!(!denied.body.contains("<b>"), "nothing that comes with the answer is repeated");
    assert_eq!(fixture.log().await[0].1["reason"], "provider: access_denied");

    // Once: the cookie is kept by whoever wants to try it again, with a new code for the same question.
    let asked = victim.go(BEGIN).await;
    let kept = victim.cookies.borrow()["__Host-fanal-oidc"].clone();
    idp.grant("code", &asked, &idp.claims(&asked));
    victim.back("code", asked.get("state")).await.leads_to("/console/");
    let again = fixture.browser();
    for code in ["code", "another"] {
        idp.grant("another", &asked, &idp.claims(&asked));
        again.cookies.borrow_mut().insert("__Host-fanal-oidc".to_owned(), kept.clone());
        again.back(code, asked.get("state")).await.expect(400);
        assert_eq!(again.cookie(), None, "{code}");
    }
    // And not late.
    let asked = again.go(BEGIN).await;
    idp.grant("code", &asked, &idp.claims(&asked));
    fixture.console.clock.advance(Span::mins(11));
    again.back("code", asked.get("state")).await.expect(400);
    assert_eq!(again.cookie(), None);
}

/// The log is for those who read it.
#[tokio::test]
async fn answers_to_nothing_fill_no_log() {
    let (_idp, fixture) = with_provider().await;
    let stranger = fixture.browser();
    for _ in 0..60 {
        stranger.back("code", "state").await.expect(400);
    }
    let rows = fixture.log().await;
    assert!((30..=35).contains(&rows.len()), "{}", rows.len());
    assert!(rows.iter().all(|(action, after)| action == "session.refused" && after["reason"] == "not_asked"), "{rows:?}");
}

/// RFC 9207: whoever has two providers mixed up learns it from the answer.
#[tokio::test]
async fn an_answer_of_another_provider_is_none() {
    let (idp, fixture) = with_provider().await;
    let browser = fixture.browser();
    let back = async |iss: Option<&str>| {
        let question = browser.go(BEGIN).await;
        idp.grant("code", &question, &idp.claims(&question));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([("code", "code"), ("state", question.get("state"))]).extend_pairs(iss.map(|iss| ("iss", iss)));
        browser.get(&format!("/console/log-in/oidc/callback?{}", query.finish())).await.status.as_u16()
    };
    assert_eq!(back(Some("https://evil.example")).await, 400);
    assert_eq!(back(Some("")).await, 400);
    assert_eq!(back(Some(&idp.base)).await, 303);
    let strict = Idp::start().await;
    strict.says().metadata = json!({ "authorization_response_iss_parameter_supported": true });
    let fixture = Fixture::with(&[], Some(strict.settings())).await;
    let browser = fixture.browser();
    let question = browser.go(BEGIN).await;
    strict.grant("code", &question, &strict.claims(&question));
    browser.back("code", question.get("state")).await.expect(400);
}

#[tokio::test]
async fn signing_in_with_a_provider_leads_only_to_pages_of_the_console() {
    let (idp, fixture) = with_provider().await;
    for next in
        ["https://evil.example/", "//evil.example", "/console/../..//evil.example", "/\\evil.example", "/console//evil.example", "/"]
    {
        let browser = fixture.browser();
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        let question = browser.go(&format!("{BEGIN}?{query}")).await;
        idp.grant("code", &question, &idp.claims(&question));
        browser.back("code", question.get("state")).await.leads_to("/console/");
        browser.get(&format!("{BEGIN}?{query}")).await.leads_to("/console/");
    }
}

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
async fn new_keys_are_asked_for_once_a_minute_at_most() {
    let (idp, fixture) = with_provider().await;
    let browser = fixture.browser();
    browser.sign_in(&idp, json!({})).await.leads_to("/console/");
    assert_eq!(idp.n_requests(), (1, 1));
    let (new, never) = (idp.add_key("two"), Key::new());
    for (n, key, kid, status) in [(2, &new, "two", 303), (2, &never, "three", 403), (2, &never, "four", 403), (2, &new, "two", 303)] {
        let browser = fixture.browser();
        let question = browser.go(BEGIN).await;
        idp.grant_token("code", &question, Some(&key.sign(kid, &idp.claims(&question))));
        browser.back("code", question.get("state")).await.expect(status);
        assert_eq!(idp.n_requests(), (1, n), "{kid}");
    }
}

/// What a provider says of itself is checked, and what it names is a place that anybody may send us to.
#[tokio::test]
async fn a_provider_that_is_not_what_it_should_be_is_not_used() {
    let elsewhere = Idp::start().await;
    let port = elsewhere.base.rsplit(':').next().unwrap();
    for (metadata, padding) in [
        (json!({ "issuer": "http://127.0.0.1:1" }), 0),
        (json!({ "token_endpoint": null }), 0),
        (json!({ "authorization_endpoint": "javascript:alert(1)" }), 0),
        // Another place inside, by its name or its number.
        (json!({ "jwks_uri": format!("http://localhost:{port}/jwks") }), 0),
        (json!({ "jwks_uri": format!("http://127.0.0.2:{port}/jwks") }), 0),
        (json!({ "jwks_uri": "http://169.254.169.254/latest/meta-data/" }), 0),
        (json!({ "jwks_uri": "file:///etc/passwd" }), 0),
        (json!({}), 300_000),
    ] {
        let idp = Idp::start().await;
        idp.says().metadata = metadata.clone();
        idp.says().padding = padding;
        let fixture = Fixture::with(&[], Some(idp.settings())).await;
        let browser = fixture.browser();
        for _ in 0..3 {
            let answer = browser.get(BEGIN).await.expect(503);
            assert!(answer.body.contains("The identity provider does not answer."), "{metadata}");
        }
        assert_eq!(idp.says().n_discoveries, 1, "a provider that fails is left alone for a while");
    }
    assert_eq!(elsewhere.says().n_key_requests, 0);
    // Nor is a code taken there.
    let idp = Idp::start().await;
    idp.says().metadata = json!({ "token_endpoint": format!("http://localhost:{port}/token") });
    let fixture = Fixture::with(&[], Some(idp.settings())).await;
    fixture.browser().sign_in(&idp, json!({})).await.expect(403);
    let without = Fixture::new().await;
    for path in [BEGIN, "/console/log-in/oidc/callback"] {
        without.browser().get(path).await.expect(404);
    }
    assert!(!without.browser().get("/console/log-in").await.body.contains("log-in/oidc"));
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
