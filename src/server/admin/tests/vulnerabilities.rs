//! What was wrong with other status pages, each under its number.

use std::time::{Duration, Instant};

use poem::http::Method;
use serde_json::{Value, json};

use super::Fixture;

/// Cachet: text with line breaks, written into a file of settings, became settings.
#[tokio::test]
async fn cve_2021_39172_line_breaks_in_a_setting_are_refused_or_stay_what_they_are() {
    let fixture = Fixture::new().await;
    let files = |fixture: &Fixture| {
        let mut names: Vec<_> = std::fs::read_dir(&fixture.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files(&fixture);
    let id = fixture.post("/components", json!({ "name": "API" })).await.expect(201)["id"].clone();
    for evil in ["a\r\nAPP_KEY=x", "a\nMAIL_DRIVER=sendmail", "a\u{0}b", "\r", "a\u{2028}b"] {
        for field in ["name", "description", "time_zone", "support_url"] {
            let answer = fixture.patch("/page", json!({ field: evil })).await;
            match answer.status.as_u16() {
                200 => assert_eq!(answer.body[field].as_str().map(str::trim), Some(evil.trim()), "{field} {evil:?}"),
                status => assert_eq!(status, 422, "{field} {evil:?}: {}", answer.body),
            }
        }
        let answer = fixture.patch(&format!("/components/{id}"), json!({ "name": evil })).await;
        assert!(matches!(answer.status.as_u16(), 200 | 422), "{evil:?}: {}", answer.body);
        let address = fixture.post("/subscribers", json!({ "channel": "email", "address": format!("a{evil}b@example.com") })).await;
        address.refused(422);
    }
    assert_eq!(files(&fixture), before, "nothing was written beside the database");
}

/// Cachet: `${APP_KEY}` in a text was replaced by the key.
#[tokio::test]
async fn cve_2021_39174_what_looks_like_a_variable_is_text() {
    let fixture = Fixture::new().await;
    for text in ["${FANAL_SECRET_KEY}", "$(id)", "{{ env }}", "%PATH%", "#{7*7}", "<%= 7*7 %>"] {
        let shown = fixture.patch("/page", json!({ "name": text, "description": text })).await.expect(200);
        assert_eq!((&shown["name"], &shown["description"]), (&json!(text), &json!(text)));
        let incident = fixture.post("/incidents", json!({ "title": text, "body": text })).await.expect(201);
        assert_eq!((&incident["title"], &incident["updates"][0]["body"]), (&json!(text), &json!(text)));
    }
}

/// Cachet, twice: templates of incidents ran what they were given.
#[tokio::test]
async fn cve_2023_43661_a_template_reads_its_signal_and_nothing_else() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let nested = format!("{}x{}", "{% if true %}".repeat(200), "{% endif %}".repeat(200));
    let evil = [
        "{{ ['id'] | sort('system') }}",
        "{{ ['id'] | map('system') | join }}",
        "{% include '/etc/passwd' %}",
        "{% extends 'x' %}",
        "{{ self }}",
        "{{ _self.env.registerUndefinedFilterCallback('system') }}",
        "{{ ''.__class__.__mro__ }}",
        "{% for a in range(10000000) %}x{% endfor %}",
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ env }}",
        "{{ config }}",
        "{{ debug() }}",
        nested.as_str(),
    ];
    for template in evil {
        let began = Instant::now();
        for field in ["title", "body"] {
            let route = json!({ "components": ["api"], field: template });
            let answer = fixture.post("/integrations", json!({ "key": "x", "provider": "alertmanager", "routes": [route] })).await;
            if answer.status.as_u16() == 201 {
                let id = answer.body["id"].clone();
                fixture.delete(&format!("/integrations/{id}")).await.expect(204);
            } else {
                let fields = answer.refused(422);
                assert!(fields.iter().all(|refused| refused == &format!("routes[0].{field}")), "{template}: {fields:?}");
            }
        }
        // What is taken gives a text, or an error once it wants too much.
        let signal = domain::to_value(&json!({ "signal": {}, "components": "API", "status": "major outage" }));
        let text = domain::render_template(template, &signal).unwrap_or_default();
        assert!(!text.contains("uid=") && !text.contains("root:") && text.len() < 1 << 20, "{template}: {} bytes", text.len());
        // Far more than the 0.1 s it may take, since tests share the machine and nothing is optimised.
        assert!(began.elapsed() < Duration::from_secs(3), "{template} took {:?}", began.elapsed());
    }
}

/// Cachet's third version: the same again, in templates of incidents.
#[tokio::test]
async fn ghsa_q3xh_8qcr_jgw3_a_template_of_an_incident_runs_nothing() {
    let fixture = Fixture::new().await;
    let nested = format!("{}x{}", "{% if true %}".repeat(78), "{% endif %}".repeat(78));
    let evil = [
        "{{7*7}}",
        "{{ ['id'] | sort('system') }}",
        "{% include '/etc/passwd' %}",
        "{{ self }}",
        "{{ self.__init__.__globals__ }}",
        "{% for a in range(10000000) %}x{% endfor %}",
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
        "{% set ns = namespace(t='x') %}{% for i in range(9000) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{{ ns.t }}",
        nested.as_str(),
    ];
    for (i, template) in evil.iter().enumerate() {
        let began = Instant::now();
        let body = json!({ "key": format!("t{i}"), "name": "x", "title": "Trouble", "body": template });
        let answer = fixture.post("/incident-templates", body).await;
        if answer.status.as_u16() != 201 {
            assert_eq!(answer.refused(422), ["body"], "{template}");
            continue;
        }
        let filled = fixture.post(&format!("/incident-templates/{}/render", answer.body["id"]), json!({})).await;
        match filled.status.as_u16() {
            200 => {
                let text = filled.body["body"].as_str().unwrap();
                assert!(
                    text.len() <= domain::MAX_RENDERED_BYTES && !text.contains("uid=") && !text.contains("root:"),
                    "{template}: {text}"
                );
            }
            _ => assert!(filled.refused(409).is_empty(), "{template}"),
        }
        // Two requests with their transactions; what the template itself may take is held to 0.1 s where it is filled in.
        assert!(began.elapsed() < Duration::from_secs(3), "{template} took {:?}", began.elapsed());
    }
    // Text that people write is not a template.
    let incident = fixture.post("/incidents", json!({ "title": "{{7*7}}", "body": "{{7*7}}" })).await.expect(201);
    assert_eq!((&incident["title"], &incident["updates"][0]["body"]), (&json!("{{7*7}}"), &json!("{{7*7}}")));
}

/// statping-ng: every token could do everything.
#[tokio::test]
async fn cve_2026_50884_a_token_does_what_its_scope_says_and_counts_in_its_header_only() {
    let fixture = Fixture::new().await;
    let token = fixture.token_for(&["components:read".parse().unwrap()]).await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    fixture.send(Method::GET, "/v1/components", &headers, None).await.expect(200);
    let more = json!({ "name": "more", "scopes": ["*"] }).to_string();
    for (method, path, body) in [
        (Method::POST, "/v1/tokens", more.as_str()),
        (Method::POST, "/v1/components", r#"{"name":"x"}"#),
        (Method::PATCH, "/v1/page", r#"{"name":"x"}"#),
        (Method::POST, "/v1/tokens/1/rotate", "{}"),
        (Method::GET, "/v1/audit", ""),
    ] {
        fixture.send(method, path, &headers, Some(body)).await.refused(403);
    }
    for name in ["token", "api_key", "access_token", "api"] {
        fixture.send(Method::GET, &format!("/v1/components?{name}={token}"), &[], None).await.refused(400);
    }
    let cookie = format!("token={token}; session={token}");
    fixture.send(Method::GET, "/v1/components", &[("cookie", &cookie)], None).await.refused(401);
}

/// `OneUptime`: a header that its own parts use among themselves opened everything to everybody.
#[tokio::test]
async fn cve_2026_30956_headers_of_other_programs_open_nothing() {
    let fixture = Fixture::new().await;
    let bearer = format!("Bearer {}", fixture.token_for(&["components:read".parse().unwrap()]).await);
    for header in [
        ("is-multi-tenant-query", "true"),
        ("x-internal", "true"),
        ("x-admin", "1"),
        ("x-user-id", "1"),
        ("x-forwarded-user", "root"),
        ("remote-user", "root"),
        ("x-original-url", "/api/admin/v1/tokens"),
        ("x-rewrite-url", "/api/admin/v1/tokens"),
        ("x-http-method-override", "DELETE"),
        ("x-method-override", "POST"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("x-api-key", "fanal_x"),
        ("x-cachet-token", "fanal_x"),
        ("forwarded", "for=127.0.0.1;host=localhost"),
        ("host", "localhost"),
    ] {
        fixture.send(Method::GET, "/v1/tokens", &[header], None).await.refused(401);
        fixture.send(Method::GET, "/v1/tokens", &[("authorization", &bearer), header], None).await.refused(403);
        let read = fixture.send(Method::GET, "/v1/components", &[("authorization", &bearer), header], None).await.expect(200);
        assert_eq!(read["items"], json!([]), "{header:?}");
    }
}

/// `OneUptime` and others: an id of something else was as good as one's own.
#[tokio::test]
async fn cve_2026_30959_the_id_of_something_else_is_not_found() {
    let fixture = Fixture::new().await;
    let mut incidents = Vec::new();
    for title in ["One", "Two"] {
        incidents.push(fixture.post("/incidents", json!({ "title": title, "body": "Text." })).await.expect(201));
    }
    let update = incidents[1]["updates"][0]["id"].clone();
    fixture.get(&format!("/incidents/{}/updates/{update}", incidents[1]["id"])).await.expect(200);
    fixture.get(&format!("/incidents/{}/updates/{update}", incidents[0]["id"])).await.refused(404);
    let mut integrations = Vec::new();
    for key in ["one", "two"] {
        let body = json!({ "key": key, "provider": "alertmanager", "secrets": [{ "value": "a-long-enough-secret" }] });
        integrations.push(fixture.post("/integrations", body).await.expect(201));
    }
    let secret = integrations[1]["secrets"][0]["id"].clone();
    fixture.delete(&format!("/integrations/{}/secrets/{secret}", integrations[0]["id"])).await.refused(404);
    for path in ["/notifications/99/resend", "/subscribers/99/enable", "/deliveries/99/replay", "/tokens/99/rotate"] {
        fixture.post(path, json!({})).await.refused(404);
    }
    // The key of another token's request gives nothing of its answer away.
    let body = json!({ "name": "ci", "scopes": ["page:read"] });
    let key = ("idempotency-key", "same");
    let mine = fixture.call_with(Method::POST, "/tokens", &[key], body.clone()).await.expect(201);
    let bearer = format!("Bearer {}", fixture.token_for(&[storage::tokens::Scope::ALL]).await);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), key];
    let theirs = fixture.send(Method::POST, "/v1/tokens", &headers, Some(&body.to_string())).await.expect(201);
    assert_ne!(mine["token"], theirs["token"]);
}

/// Paths that lead elsewhere lead nowhere (Uptime Kuma's CVE-2023-36822, `OneUptime` CVE-2026-30958).
#[tokio::test]
async fn cve_2023_36822_a_path_that_climbs_finds_nothing() {
    let fixture = Fixture::new().await;
    for part in
        ["..%2f..%2fetc%2fpasswd", "%2e%2e%5c%2e%2e", "..", "%00", "1%00", "1%2fchanges", "..%252f", "%c0%ae%c0%ae", "1;x", "-1", "1e3"]
    {
        for path in ["components", "incidents", "integrations", "deliveries", "providers", "tokens", "audit"] {
            let answer = fixture.get(&format!("/{path}/{part}")).await;
            assert!(matches!(answer.status.as_u16(), 400 | 404 | 405), "{path}/{part}: {} {}", answer.status, answer.body);
            assert!(!answer.body.to_string().contains("root:"));
        }
    }
}

/// What an object does not let people set is refused by its name, wherever it stands.
#[tokio::test]
async fn fields_that_nobody_may_set_are_refused() {
    let fixture = Fixture::new().await;
    let component = fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let id = &component["id"];
    for (path, body) in [(format!("/components/{id}"), json!({ "name": "API" })), ("/page".to_owned(), json!({ "name": "Acme" }))] {
        for (field, value) in forbidden() {
            let mut greedy = body.clone();
            greedy[field] = value;
            assert_eq!(fixture.patch(&path, greedy).await.refused(422), [field], "{path}");
        }
    }
    for (path, body) in [
        ("/components", json!({ "name": "B" })),
        ("/groups", json!({ "name": "B" })),
        ("/metrics", json!({ "name": "B" })),
        ("/incidents", json!({ "title": "B" })),
        ("/subscribers", json!({ "channel": "email", "address": "a@example.com" })),
        ("/tokens", json!({ "name": "B", "scopes": ["page:read"] })),
        ("/integrations", json!({ "key": "b", "provider": "alertmanager" })),
    ] {
        for (field, value) in forbidden() {
            let mut greedy = body.clone();
            greedy[field] = value;
            assert_eq!(fixture.post(path, greedy).await.refused(422), [field], "{path}");
        }
    }
    assert_eq!(fixture.get(&format!("/components/{id}")).await.expect(200), component);
    let changed = fixture.get("/audit").await.expect(200);
    assert_eq!(changed["items"].as_array().unwrap().len(), 1, "one component was made, and nothing else happened");
}

fn forbidden() -> [(&'static str, Value); 8] {
    [
        ("id", json!(7)),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("internal_status", json!("operational")),
        ("managed", json!(true)),
        ("hash", json!("0")),
        ("is_admin", json!(true)),
        ("__proto__", json!({ "is_admin": true })),
        ("token_id", json!(1)),
    ]
}
