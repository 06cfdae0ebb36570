//! People, invitations, sessions, roles and settings.

use domain::{Role, UserId};
use poem::http::Method;
use serde_json::{Value, json};
use storage::{
    factors::{self, Seed},
    sessions::{self, Means, Stage, Visit},
    tokens::Scope,
    users::{self, NewUser},
};

use super::{Answer, Fixture, NOW};

impl Fixture {
    async fn person(&self, role: Role) -> UserId {
        let mut tx = self.admin.db.begin().await.unwrap();
        let email = format!("{role}@example.com");
        let id = users::create(&mut tx, &NewUser { email: &email, name: "Ada", role, password: None }, NOW).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn session(&self, user: UserId) -> i64 {
        let mut tx = self.admin.db.begin().await.unwrap();
        let means = Means::Provider { methods: vec!["pwd".to_owned(), "otp".to_owned()] };
        let visit = Visit { address: "192.0.2.7", user_agent: "Browser" };
        let (id, _) = sessions::begin(&mut tx, user, Stage::Full, &means, visit, NOW).await.unwrap();
        tx.commit().await.unwrap();
        id.0
    }

    /// Sends a request with a token of these scopes.
    async fn as_one_who(&self, scopes: &[&str], method: Method, path: &str, body: Value) -> Answer {
        let scopes: Vec<Scope> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        let bearer = format!("Bearer {}", self.token_for(&scopes).await);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let text = (!body.is_null()).then(|| body.to_string());
        self.send(method, &format!("/v1{path}"), &headers, text.as_deref()).await
    }
}

/// Every scope but `*`: as much as an admin may do.
fn all_but_everything() -> Vec<&'static str> {
    Scope::EVERY.iter().filter(|scope| **scope != Scope::ALL).map(|scope| scope.as_str()).collect()
}

#[tokio::test]
async fn people_are_listed_changed_and_removed_and_the_last_owner_stays() {
    let fixture = Fixture::new().await;
    let owner = fixture.person(Role::Owner).await;
    let viewer = fixture.person(Role::Viewer).await;
    let listed = fixture.get("/users").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(fixture.get("/users?limit=1").await.expect(200)["next"], format!("1-{owner}"));
    assert_eq!(fixture.get("/users?role=viewer").await.expect(200)["items"], json!([listed["items"][1]]));
    assert_eq!(fixture.get("/users?email=VIEWER@example.com").await.expect(200)["items"][0]["id"], viewer.0);
    assert_eq!(fixture.get("/users?email=viewer").await.expect(200)["items"], json!([]));
    let path = format!("/users/{viewer}");
    let shown = fixture.get(&path).await;
    let etag = shown.header("etag").to_owned();
    let shown = shown.expect(200);
    assert_eq!((&shown["role"], &shown["disabled"], &shown["has_password"]), (&json!("viewer"), &json!(false), &json!(false)));
    let changed = fixture.patch(&path, json!({ "role": "editor", "name": " Eve ", "disabled": true })).await.expect(200);
    assert_eq!((&changed["role"], &changed["name"], &changed["disabled"]), (&json!("editor"), &json!("Eve"), &json!(true)));
    assert_eq!(changed["disabled_at"], "2026-05-28T20:26:40.000Z");
    let stale = [("if-match", etag.as_str())];
    fixture.call_with(Method::PATCH, &path, &stale, json!({ "disabled": false })).await.refused(412);
    fixture.call_with(Method::DELETE, &path, &stale, Value::Null).await.refused(412);
    assert_eq!(fixture.patch(&path, json!({ "disabled": false })).await.expect(200)["disabled_at"], Value::Null);
    assert_eq!(fixture.patch(&path, json!({ "role": "root", "email": "x" })).await.refused(422), ["email", "role"]);
    assert_eq!(fixture.patch(&path, json!({ "name": " " })).await.refused(422), ["name"]);
    let last = format!("/users/{owner}");
    fixture.patch(&last, json!({ "role": "admin" })).await.refused(409);
    fixture.patch(&last, json!({ "disabled": true })).await.refused(409);
    fixture.delete(&last).await.refused(409);
    assert_eq!(fixture.get(&last).await.expect(200)["role"], "owner");
    fixture.delete(&path).await.expect(204);
    for (method, more) in
        [(Method::GET, ""), (Method::DELETE, ""), (Method::GET, "/sessions"), (Method::DELETE, "/factors"), (Method::POST, "/link")]
    {
        fixture.call_with(method, &format!("{path}{more}"), &[], Value::Null).await.refused(404);
    }
}

#[tokio::test]
async fn the_log_says_what_became_of_somebody_and_never_their_name() {
    let fixture = Fixture::new().await;
    let viewer = fixture.person(Role::Viewer).await;
    let path = format!("/users/{viewer}");
    fixture.patch(&path, json!({ "role": "editor", "name": "Marker" })).await.expect(200);
    fixture.session(viewer).await;
    fixture.delete(&format!("{path}/sessions")).await.expect(204);
    fixture.delete(&format!("{path}/factors")).await.expect(204);
    fixture.post(&format!("{path}/link"), Value::Null).await.expect(200);
    fixture.delete(&path).await.expect(204);
    let rows = fixture.get("/audit").await.expect(200)["items"].clone();
    let said: Vec<(&str, &Value, &Value)> =
        rows.as_array().unwrap().iter().map(|row| (row["action"].as_str().unwrap(), &row["before"], &row["after"])).collect();
    let nothing = Value::Null;
    let expected = [
        ("user.delete", &json!({ "role": "editor" }), &nothing),
        ("user.link", &nothing, &nothing),
        ("user.factor.delete", &json!({}), &json!({})),
        ("user.session.delete", &json!({ "sessions": 1 }), &json!({ "sessions": 0 })),
        ("user.update", &json!({ "role": "viewer" }), &json!({ "renamed": true, "role": "editor" })),
    ];
    assert_eq!(said, expected);
    assert!(rows.as_array().unwrap().iter().all(|row| row["resource"] == format!("user:{viewer}")), "{rows}");
    assert!(!rows.to_string().contains("Marker") && !rows.to_string().contains("@example.com"), "{rows}");
}

/// Nobody gives, takes or touches more than they hold: a token that could make an admin would be one.
#[tokio::test]
async fn a_token_makes_nobody_more_than_it_is_itself() {
    let fixture = Fixture::new().await;
    let (owner, admin, viewer) = (fixture.person(Role::Owner).await, fixture.person(Role::Admin).await, fixture.person(Role::Viewer).await);
    let little = ["users:write", "users:read"];
    let looks = ["users:write", "components:read", "groups:read", "incidents:read", "maintenances:read", "metrics:read", "page:read"];
    let much = all_but_everything();
    let invite = |role: &str| json!({ "email": format!("new-{role}@example.com"), "role": role });
    for (scopes, role, status) in [
        (&little[..], "viewer", 403),
        (&looks[..], "viewer", 201),
        (&looks[..], "editor", 403),
        (&looks[..], "operator", 403),
        (&looks[..], "admin", 403),
        (&looks[..], "owner", 403),
        (&much[..], "admin", 201),
        (&much[..], "owner", 403),
        (&["*"][..], "owner", 201),
    ] {
        let answer = fixture.as_one_who(scopes, Method::POST, "/invitations", invite(role)).await;
        assert_eq!(answer.status.as_u16(), status, "{scopes:?} {role}: {}", answer.body);
        let change = fixture.as_one_who(scopes, Method::PATCH, &format!("/users/{viewer}"), json!({ "role": role })).await;
        assert_eq!(change.status.as_u16(), if status == 201 { 200 } else { 403 }, "{scopes:?} {role}: {}", change.body);
        fixture.patch(&format!("/users/{viewer}"), json!({ "role": "viewer" })).await.expect(200);
    }
    for (scopes, above) in [(&looks[..], admin), (&much[..], owner)] {
        let session = fixture.session(above).await;
        for (method, path, body) in [
            (Method::PATCH, format!("/users/{above}"), json!({ "disabled": true })),
            (Method::PATCH, format!("/users/{above}"), json!({ "name": "x" })),
            (Method::DELETE, format!("/users/{above}"), Value::Null),
            (Method::DELETE, format!("/users/{above}/sessions"), Value::Null),
            (Method::DELETE, format!("/users/{above}/factors"), Value::Null),
            (Method::DELETE, format!("/users/{above}/identities"), Value::Null),
            (Method::POST, format!("/users/{above}/link"), Value::Null),
            (Method::DELETE, format!("/sessions/{session}"), Value::Null),
        ] {
            let answer = fixture.as_one_who(scopes, method, &path, body).await;
            assert_eq!(answer.status.as_u16(), 403, "{path}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn an_invitation_is_handed_over_once_and_can_be_taken_back() {
    let fixture = Fixture::new().await;
    fixture.person(Role::Viewer).await;
    let made = fixture.post("/invitations", json!({ "email": "Eve@Example.com", "role": "operator" })).await;
    let location = made.header("location").to_owned();
    let made = made.expect(201);
    assert_eq!(location, format!("/api/admin/v1/invitations/{}", made["id"]));
    assert!(made["link"].as_str().unwrap().starts_with("https://status.example.com/console/join/"));
    assert_eq!((&made["email"], &made["expires_at"]), (&json!("eve@example.com"), &json!("2026-05-31T20:26:40.000Z")));
    let listed = fixture.get("/invitations").await.expect(200);
    assert_eq!((&listed["items"][0]["invited_by"], &listed["items"][0]["role"]), (&json!("tests"), &json!("operator")));
    assert!(!listed.to_string().contains("console/join"), "{listed}");
    let again = fixture.post("/invitations", json!({ "email": "eve@example.com", "role": "viewer" })).await.expect(201);
    assert_eq!(fixture.get("/invitations").await.expect(200)["items"].as_array().unwrap().len(), 1, "the newer one counts");
    let path = format!("/invitations/{}", again["id"]);
    assert_eq!(fixture.get(&path).await.expect(200)["role"], "viewer");
    assert_eq!(fixture.post("/invitations", json!({ "email": "viewer@example.com", "role": "viewer" })).await.refused(409), ["email"]);
    assert_eq!(fixture.post("/invitations", json!({ "email": "nobody", "role": "viewer" })).await.refused(422), ["email"]);
    fixture.delete(&path).await.expect(204);
    fixture.delete(&path).await.refused(404);
    let rows = fixture.get("/audit").await.expect(200)["items"].to_string();
    assert!(rows.contains("invitation.create") && rows.contains("invitation.delete") && !rows.contains("eve@"), "{rows}");
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.person(Role::Operator).await, fixture.person(Role::Viewer).await);
    let (first, second, third) = (fixture.session(one).await, fixture.session(other).await, fixture.session(one).await);
    let ids = |list: &Value| list["items"].as_array().unwrap().iter().map(|session| session["id"].as_i64().unwrap()).collect::<Vec<_>>();
    let all = fixture.get("/sessions").await.expect(200);
    assert_eq!(ids(&all), [third, second, first]);
    assert_eq!((&all["items"][0]["means"], &all["items"][0]["methods"]), (&json!("provider"), &json!(["pwd", "otp"])));
    assert!(!all.to_string().contains("hash"));
    let page = fixture.get("/sessions?limit=2").await.expect(200);
    let rest = fixture.get(&format!("/sessions?limit=2&cursor={}", page["next"].as_str().unwrap())).await.expect(200);
    assert_eq!((ids(&page), ids(&rest)), (vec![third, second], vec![first]));
    assert_eq!(ids(&fixture.get(&format!("/sessions?user={one}")).await.expect(200)), [third, first]);
    assert_eq!(ids(&fixture.get(&format!("/users/{other}/sessions")).await.expect(200)), [second]);
    assert_eq!(fixture.get(&format!("/sessions/{first}")).await.expect(200)["email"], "operator@example.com");
    fixture.delete(&format!("/sessions/{first}")).await.expect(204);
    fixture.delete(&format!("/sessions/{first}")).await.refused(404);
    fixture.get("/sessions/9223372036854775807").await.refused(404);
    fixture.delete(&format!("/users/{one}/sessions")).await.expect(204);
    assert_eq!(ids(&fixture.get("/sessions").await.expect(200)), [second]);
    let rows = fixture.get("/audit?action=session.delete").await.expect(200);
    assert_eq!(
        (&rows["items"][0]["resource"], &rows["items"][0]["before"]),
        (&json!(format!("session:{first}")), &json!({ "user": one.0 }))
    );
}

#[tokio::test]
async fn a_lost_factor_is_taken_away_with_its_codes_and_sessions() {
    let fixture = Fixture::new().await;
    let user = fixture.person(Role::Operator).await;
    let mut tx = fixture.admin.db.begin().await.unwrap();
    let seed = factors::begin_totp(&mut tx, &fixture.admin.secrets, user, NOW).await.unwrap().unwrap();
    let secret = totp_rs::Secret::try_from_base32(secrecy::ExposeSecret::expose_secret(&seed)).unwrap();
    let code = totp_rs::Builder::new().with_secret(secret).build().unwrap().generate(u64::try_from(NOW.0 / 1000).unwrap());
    assert!(factors::take_totp(&mut tx, &fixture.admin.secrets, user, Seed::Waiting, &code.to_string(), NOW).await.unwrap());
    factors::new_recovery_codes(&mut tx, user).await.unwrap();
    tx.commit().await.unwrap();
    fixture.session(user).await;
    let path = format!("/users/{user}");
    assert_eq!(fixture.get(&path).await.expect(200)["has_factor"], true);
    fixture.delete(&format!("{path}/factors")).await.expect(204);
    assert_eq!(fixture.get(&path).await.expect(200)["has_factor"], false);
    assert_eq!(fixture.get("/sessions").await.expect(200)["items"], json!([]));
    let left = factors::recovery_codes_left(&mut fixture.admin.db.read().await.unwrap(), user).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn roles_and_settings_are_there_to_look_at() {
    let fixture = Fixture::new().await;
    let roles = fixture.get("/roles").await.expect(200);
    let names: Vec<&str> = roles["items"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["owner", "admin", "operator", "editor", "viewer"]);
    assert_eq!(roles["items"][1]["may_give"], json!(["admin", "operator", "editor", "viewer"]));
    assert!(roles["items"][2]["permissions"].as_array().unwrap().contains(&json!("incidents:write")));
    let settings = fixture.as_one_who(&["settings:read"], Method::GET, "/settings", Value::Null).await.expect(200);
    assert_eq!((&settings["oidc"], &settings["mail"]), (&Value::Null, &json!(false)));
    fixture.send(Method::GET, "/v1/settings", &[("authorization", "Bearer x")], None).await.refused(401);
}
