//! Sign-in with an identity provider: which of its answers count, and which do not whatever they are. Who comes in as whom is told in
//! `accounts`.

mod accounts;

use domain::Span;
use serde_json::{Value, json};
use storage::{
    audit,
    users::{self, User},
};

use super::{
    Answer, Browser, Fixture,
    idp::{CLIENT_SECRET, Idp, Key, Question, now, unsigned, with_secret},
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

/// Makes an ID token of claims.
type Forger<'a> = &'a dyn Fn(&Value) -> String;

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
