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
async fn every_operation_wants_a_token_with_its_scope() {
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
    fixture.send(Method::GET, &format!("/v1/me?token={secret}"), &[], None).await.refused(401);
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
    assert_eq!(fixture.get("/me").await.header("ratelimit-remaining"), "99");
    let mut last = 200;
    for _ in 0..150 {
        last = fixture.get("/me").await.status.as_u16();
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429);
}
