//! Who gets in, and how often.

use std::collections::BTreeSet;

use domain::Span;
use poem::http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::tokens::{self, Scope};

use super::{Fixture, NOW};
use crate::admin::rules::RULES;

/// Every operation of the document, with a path that could be.
async fn operations(fixture: &Fixture) -> Vec<(Method, String, Value)> {
    let document = fixture.send(Method::GET, "/openapi.json", &[], None).await.expect(200);
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let path = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect::<Vec<_>>().join("/");
            found.push((method.to_ascii_uppercase().parse().unwrap(), path, operation.clone()));
        }
    }
    found
}

#[tokio::test]
async fn the_table_of_rules_and_the_document_name_the_same_operations() {
    let fixture = Fixture::new().await;
    let document = fixture.send(Method::GET, "/openapi.json", &[], None).await.expect(200);
    let documented: BTreeSet<(String, String)> = (document["paths"].as_object().unwrap().iter())
        .flat_map(|(path, operations)| operations.as_object().unwrap().keys().map(|method| (method.to_ascii_uppercase(), path.clone())))
        .collect();
    let ruled: BTreeSet<(String, String)> = RULES.iter().map(|rule| (rule.method.to_owned(), rule.path.to_owned())).collect();
    assert_eq!(documented, ruled);
}

#[tokio::test]
async fn cve_2026_35053_every_operation_wants_a_token_with_its_scope() {
    let fixture = Fixture::new().await;
    let operations = operations(&fixture).await;
    assert!(operations.len() > 50);
    for (method, path, operation) in operations {
        let path = format!("/v1{path}");
        let answer = fixture.send(method.clone(), &path, &[], None).await;
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{method} {path}");
        answer.refused(401);
        let Some(scope) = operation["x-scope"].as_str() else { continue };
        let others: Vec<Scope> = Scope::EVERY.iter().copied().filter(|other| *other != Scope::ALL && other.as_str() != scope).collect();
        let bearer = format!("Bearer {}", fixture.token_for(&others).await);
        let answer = fixture.send(method.clone(), &path, &[("authorization", &bearer)], None).await;
        assert!(answer.body["detail"].as_str().unwrap().contains(scope), "{method} {path}: {}", answer.body);
        answer.refused(403);
        let bearer = format!("Bearer {}", fixture.token_for(&[scope.parse().unwrap()]).await);
        let answer = fixture.send(method.clone(), &path, &[("authorization", &bearer)], None).await;
        assert!(!matches!(answer.status.as_u16(), 401 | 403 | 405 | 500), "{method} {path}: {} {}", answer.status, answer.body);
    }
}

/// For each operation there is: tokens that have run out, were revoked or may not come from here, a cookie in the place of a token, and a page
/// of another site that asks for leave.
#[tokio::test]
async fn no_operation_takes_a_token_that_does_not_count_any_more() {
    let fixture = Fixture::new().await;
    let mut tx = fixture.admin.db.begin().await.unwrap();
    let (_, over) = tokens::create(&mut tx, "over", &[Scope::ALL], Some(NOW), NOW).await.unwrap();
    let (revoked, gone) = tokens::create(&mut tx, "revoked", &[Scope::ALL], None, NOW).await.unwrap();
    assert!(tokens::revoke(&mut tx, revoked.id, NOW).await.unwrap());
    tx.commit().await.unwrap();
    let body = json!({ "name": "elsewhere", "scopes": ["*"], "networks": ["192.0.2.0/24"] });
    let elsewhere = fixture.post("/tokens", body).await.expect(201)["token"].as_str().unwrap().to_owned();
    let before = fixture.get("/audit").await.expect(200)["items"].as_array().unwrap().len();
    for (method, path, _) in operations(&fixture).await {
        let path = format!("/v1{path}");
        for (secret, status) in [(over.expose_secret(), 401), (gone.expose_secret(), 401), (elsewhere.as_str(), 403)] {
            // An address of its own for each: who tries too many has to wait.
            let address = std::net::Ipv6Addr::from(rand::random::<u128>());
            let request = fixture.client.request(method.clone(), format!("/api/admin{path}")).data(std::net::IpAddr::V6(address));
            let answer = request.header("authorization", format!("Bearer {secret}")).send().await.0;
            assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        }
        let cookie = format!("__Host-fanal={0}; fanal-session={0}; token={0}", fixture.token);
        fixture.send(method.clone(), &path, &[("cookie", &cookie)], None).await.refused(401);
        let asks = [("origin", "https://evil.example"), ("access-control-request-method", method.as_str())];
        let answer = fixture.send(Method::OPTIONS, &path, &asks, None).await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (405, ""), "{path}");
    }
    let after = fixture.get("/audit").await.expect(200);
    let acts = after["items"].as_array().unwrap().iter().filter(|row| row["actor"] != "anonymous");
    assert_eq!(acts.count(), before, "nothing was done");
}

#[tokio::test]
async fn a_token_ends_when_it_is_revoked_or_runs_out_and_counts_only_in_its_header() {
    let fixture = Fixture::new().await;
    let made = fixture.post("/tokens", json!({ "name": "ci", "scopes": ["components:read"] })).await;
    let location = made.header("location").to_owned();
    let made = made.expect(201);
    let secret = made["token"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("fanal_") && secret.len() == 49, "{secret}");
    assert!(secret.ends_with(made["hint"].as_str().unwrap()));
    assert_eq!(location, format!("/api/admin/v1/tokens/{}", made["id"]));
    let bearer = format!("bearer {secret}");
    let me = fixture.send(Method::GET, "/v1/me", &[("authorization", &bearer)], None).await.expect(200);
    assert_eq!((&me["name"], &me["scopes"], &me["token"]), (&json!("ci"), &json!(["components:read"]), &Value::Null));
    fixture.send(Method::GET, &format!("/v1/me?token={secret}"), &[], None).await.refused(400);
    fixture.send(Method::GET, &format!("/v1/me?x={secret}"), &[("authorization", &bearer)], None).await.refused(400);
    fixture.send(Method::GET, "/v1/me", &[("authorization", "Basic Zm9vOmJhcg==")], None).await.refused(401);
    let path = format!("/tokens/{}", made["id"]);
    assert!(!fixture.get(&path).await.expect(200).to_string().contains(&secret));
    fixture.delete(&path).await.expect(204);
    fixture.delete(&path).await.refused(409);
    fixture.send(Method::GET, "/v1/me", &[("authorization", &bearer)], None).await.refused(401);
    let mut tx = fixture.admin.db.begin().await.unwrap();
    let (_, old) = tokens::create(&mut tx, "old", &[Scope::ALL], Some(NOW), NOW).await.unwrap();
    let (_, young) = tokens::create(&mut tx, "young", &[Scope::ALL], Some(NOW.plus(Span::secs(1))), NOW).await.unwrap();
    tx.commit().await.unwrap();
    for (secret, status) in [(old, 401), (young, 200)] {
        let bearer = format!("Bearer {}", secret.expose_secret());
        fixture.send(Method::GET, "/v1/me", &[("authorization", &bearer)], None).await.expect(status);
    }
}

#[tokio::test]
async fn a_token_gives_no_scope_that_it_lacks() {
    let fixture = Fixture::new().await;
    let bearer = format!("Bearer {}", fixture.token_for(&["tokens:write".parse().unwrap(), "page:read".parse().unwrap()]).await);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = json!({ "name": "x", "scopes": ["page:read", "*", "page:write"] }).to_string();
    let refused = fixture.send(Method::POST, "/v1/tokens", &headers, Some(&body)).await.refused(422);
    assert_eq!(refused, ["scopes[1]", "scopes[2]"]);
    let body = json!({ "name": "x", "scopes": ["page:read"] }).to_string();
    fixture.send(Method::POST, "/v1/tokens", &headers, Some(&body)).await.expect(201);
}

#[tokio::test]
async fn too_many_requests_and_too_many_wrong_tokens_have_to_wait() {
    let fixture = Fixture::new().await;
    for _ in 0..20 {
        fixture.send(Method::GET, "/v1/me", &[("authorization", "Bearer fanal_wrong")], None).await.refused(401);
    }
    let answer = fixture.get("/me").await;
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1, "nobody at this address may try tokens any more");
    answer.refused(429);
    let fixture = Fixture::new().await;
    let answer = fixture.get("/me").await;
    assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), ("\"token\";r=99;t=1", "\"token\";q=100;w=5"));
    for _ in 0..150 {
        let answer = fixture.get("/me").await;
        if answer.status.as_u16() == 429 {
            assert_eq!((answer.header("retry-after"), answer.header("ratelimit")), ("1", "\"token\";r=0;t=1"));
            return;
        }
    }
    panic!("nobody was told to wait");
}

#[tokio::test]
async fn a_token_that_gets_another_secret_is_known_by_both_for_a_while() {
    let fixture = Fixture::new().await;
    let made = fixture.post("/tokens", json!({ "name": "ci", "scopes": ["page:read"] })).await.expect(201);
    let path = format!("/tokens/{}", made["id"]);
    let rotated = fixture.post(&format!("{path}/rotate"), json!({ "grace": "1h" })).await.expect(200);
    assert_eq!(rotated["previous_until"], "2026-05-28T21:26:40.000Z");
    let status = async |secret: &Value| {
        let bearer = format!("Bearer {}", secret.as_str().unwrap());
        fixture.send(Method::GET, "/v1/me", &[("authorization", &bearer)], None).await.status.as_u16()
    };
    assert_eq!((status(&made["token"]).await, status(&rotated["token"]).await), (200, 200));
    let later = NOW.plus(Span::mins(60));
    let secret = |value: &Value| secrecy::SecretString::from(value.as_str().unwrap());
    assert!(tokens::authenticate(&fixture.admin.db, &secret(&made["token"]), later).await.unwrap().is_none(), "its time is over");
    let again = fixture.post(&format!("{path}/rotate"), json!({ "grace": "0s" })).await.expect(200);
    let known = (status(&made["token"]).await, status(&rotated["token"]).await, status(&again["token"]).await);
    assert_eq!(known, (401, 401, 200));
    assert_eq!(fixture.post(&format!("{path}/rotate"), json!({ "grace": "8d" })).await.refused(422), ["grace"]);
    let shown = fixture.get(&path).await.expect(200);
    assert_eq!((&shown["hint"], &shown["rotated_at"]), (&again["hint"], &json!("2026-05-28T20:26:40.000Z")));
    fixture.delete(&path).await.expect(204);
    fixture.post(&format!("{path}/rotate"), json!({})).await.refused(409);
    assert_eq!(status(&again["token"]).await, 401);
}

/// Whoever gets a token's secret can do what the token can.
#[tokio::test]
async fn a_token_gives_nobody_the_secret_of_a_token_that_may_do_more() {
    let fixture = Fixture::new().await;
    let bearer = format!("Bearer {}", fixture.token_for(&["tokens:write".parse().unwrap(), "page:read".parse().unwrap()]).await);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    fixture.send(Method::POST, "/v1/tokens/1/rotate", &headers, Some("{}")).await.refused(403);
    fixture.send(Method::POST, "/v1/tokens/2/rotate", &headers, Some("{}")).await.expect(200);
}

#[tokio::test]
async fn a_token_counts_only_where_it_may_come_from() {
    let fixture = Fixture::new().await;
    let body = json!({ "name": "ci", "scopes": ["page:read"], "networks": ["192.0.2.0/24", "2001:db8::7"] });
    let made = fixture.post("/tokens", body).await.expect(201);
    assert_eq!(made["networks"], json!(["192.0.2.0/24", "2001:db8::7/128"]));
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let from = async |address: &str| {
        let address: std::net::IpAddr = address.parse().unwrap();
        let request = fixture.client.get("/api/admin/v1/me").header("authorization", bearer.as_str()).data(address);
        request.send().await.0.status().as_u16()
    };
    assert_eq!((from("192.0.2.9").await, from("::ffff:192.0.2.9").await, from("2001:db8::7").await), (200, 200, 200));
    assert_eq!((from("192.0.3.1").await, from("2001:db8::8").await), (403, 403));
    fixture.send(Method::GET, "/v1/me", &[("authorization", &bearer)], None).await.refused(403);
    for bad in [json!([]), json!(["nowhere"]), json!(["10.0.0.0/33"])] {
        fixture.post("/tokens", json!({ "name": "x", "scopes": ["page:read"], "networks": bad })).await.refused(422);
    }
}
