//! Maintenances that come back.

use serde_json::{Value, json};

use super::Fixture;

fn weekly() -> Value {
    json!({
        "title": "Database upkeep", "starts_at": "2026-06-02T02:00", "duration": "2h", "rule": "FREQ=WEEKLY;BYDAY=TU",
        "components": ["api"],
    })
}

async fn windows(fixture: &Fixture) -> Vec<Value> {
    let listed = fixture.get("/maintenances?limit=200").await.expect(200);
    let mut all = listed["items"].as_array().unwrap().clone();
    all.retain(|window| window["status"] == "scheduled");
    all.sort_by_key(|window| window["starts_at"].as_str().unwrap().to_owned());
    all
}

#[tokio::test]
async fn a_series_says_what_it_will_do_before_it_is_made() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    fixture.patch("/page", json!({ "time_zone": "Europe/Paris" })).await.expect(200);
    let shown = fixture.post("/maintenance-series/preview", weekly()).await.expect(200);
    assert_eq!((&shown["rule_in_words"], &shown["time_zone"]), (&json!("every week on Tuesday"), &json!("Europe/Paris")));
    assert_eq!(shown["windows"].as_array().unwrap().len(), 10);
    assert_eq!(
        shown["windows"][0],
        json!({
            "starts_at": "2026-06-02T00:00:00.000Z", "ends_at": "2026-06-02T02:00:00.000Z", "local": "2026-06-02T02:00",
            "announces_at": "2026-06-01T00:00:00.000Z",
        })
    );
    assert_eq!((&shown["components"], &shown["subscribers"]), (&json!(["api"]), &json!(0)));
    assert_eq!(fixture.get("/maintenance-series").await.expect(200)["items"], json!([]), "nothing was stored");
}

#[tokio::test]
async fn a_series_is_made_changed_from_a_window_on_and_ended() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let made = fixture.post("/maintenance-series", weekly()).await.expect(201);
    assert_eq!((&made["key"], &made["announce"], &made["body"]), (&json!("database-upkeep"), &json!("1d"), &json!("")));
    let path = format!("/maintenance-series/{}", made["id"]);
    let all = windows(&fixture).await;
    assert_eq!((all.len(), &all[0]["series"], &all[0]["announces_at"]), (8, &made["id"], &json!("2026-06-01T02:00:00.000Z")));

    let (second, third) = (format!("/maintenances/{}", all[1]["id"]), &all[2]["id"]);
    fixture.delete(&second).await.expect(204);
    fixture.patch(&path, json!({ "title": "Care", "starts_at": "2026-06-16T04:30", "from": third })).await.expect(200);
    let all = windows(&fixture).await;
    let said: Vec<_> =
        all.iter().take(3).map(|window| (window["title"].as_str().unwrap(), window["starts_at"].as_str().unwrap())).collect();
    assert_eq!(
        said,
        [("Database upkeep", "2026-06-02T02:00:00.000Z"), ("Care", "2026-06-16T04:30:00.000Z"), ("Care", "2026-06-23T04:30:00.000Z"),]
    );
    assert_eq!(fixture.patch(&path, json!({ "from": 999_999 })).await.refused(422), ["from"]);
    fixture.delete(&path).await.expect(204);
    assert_eq!(windows(&fixture).await, Vec::<Value>::new());
    fixture.get(&path).await.refused(404);
}

/// What becomes of windows: what, from when, to when, and whether subscribers are told.
fn effects(shown: &Value) -> Vec<(String, String, String, bool)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let all = shown["changes"].as_array().unwrap().iter();
    all.map(|each| (text(&each["what"]), text(&each["was"]), text(&each["becomes"]), each["told"] == true)).collect()
}

fn effect(what: &str, was: &str, becomes: &str, told: bool) -> (String, String, String, bool) {
    (what.to_owned(), was.to_owned(), becomes.to_owned(), told)
}

#[tokio::test]
async fn what_a_change_of_a_series_would_do_is_said_and_not_done() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    // Now it is 28 May 2026, 20:26: of the first window subscribers are told at once.
    let mut body = weekly();
    (body["announce"], body["rule"]) = (json!("5d"), json!("FREQ=WEEKLY;BYDAY=TU;COUNT=4"));
    let made = fixture.post("/maintenance-series", body).await.expect(201);
    let path = format!("/maintenance-series/{}", made["id"]);
    let before = windows(&fixture).await;
    assert_eq!(before.len(), 4);
    let log = fixture.get("/audit?limit=1").await.expect(200);
    let look = async |patch: Value| fixture.post(&format!("{path}/preview"), patch).await.expect(200);

    assert_eq!(effects(&look(json!({})).await), [], "nothing changes");
    let renamed = look(json!({ "title": "Care", "from": before[2]["id"] })).await;
    let (third, fourth) = ("2026-06-16T02:00", "2026-06-23T02:00");
    let kept =
        [effect("kept", "2026-06-02T02:00", "2026-06-02T02:00", false), effect("kept", "2026-06-09T02:00", "2026-06-09T02:00", false)];
    let changed = [effect("changed", third, third, false), effect("changed", fourth, fourth, false)];
    assert_eq!(effects(&renamed), [&kept[..], &changed[..]].concat());
    let moved = look(json!({ "starts_at": "2026-06-02T04:00", "duration": "1h" })).await;
    assert_eq!(effects(&moved)[0], effect("moved", "2026-06-02T02:00", "2026-06-02T04:00", true));
    assert_eq!(effects(&moved)[1], effect("moved", "2026-06-09T02:00", "2026-06-09T04:00", false));
    let fewer = look(json!({ "rule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;COUNT=2" })).await;
    assert_eq!(effects(&fewer), [effect("called_off", "2026-06-09T02:00", "-", false), effect("called_off", fourth, "-", false)]);
    assert_eq!((&fewer["rule_in_words"], fewer["windows"].as_array().unwrap().len()), (&json!("every 2 weeks on Tuesday, 2 times"), 2));
    assert_eq!(fixture.post(&format!("{path}/preview"), json!({ "duration": "8d" })).await.refused(422), ["duration"]);
    fixture.post("/maintenance-series/99/preview", json!({})).await.refused(404);

    assert_eq!(windows(&fixture).await, before, "nothing was stored");
    assert_eq!(fixture.get(&path).await.expect(200)["title"], "Database upkeep");
    assert_eq!(fixture.get("/audit?limit=1").await.expect(200), log);
}

#[tokio::test]
async fn a_series_is_ended_from_a_window_on_and_with_its_first_altogether() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let made = fixture.post("/maintenance-series", weekly()).await.expect(201);
    let path = format!("/maintenance-series/{}", made["id"]);
    let all = windows(&fixture).await;
    assert_eq!(fixture.delete(&format!("{path}?from=999999")).await.refused(422), ["from"]);
    fixture.delete(&format!("{path}?from={}", all[2]["id"])).await.expect(204);
    assert_eq!(windows(&fixture).await, all[..2]);
    assert_eq!(fixture.get(&path).await.expect(200)["rule"], "FREQ=WEEKLY;BYDAY=TU;UNTIL=20260615");
    let entry = fixture.get("/audit?limit=1").await.expect(200)["items"][0].clone();
    assert_eq!((&entry["action"], &entry["after"]), (&json!("maintenance-series.delete"), &json!({ "from": all[2]["id"] })));
    // The first goes its own way once the second begins anew: it stands alone when the series ends with that.
    fixture.patch(&path, json!({ "duration": "1h", "from": all[1]["id"] })).await.expect(200);
    fixture.delete(&format!("{path}?from={}", all[1]["id"])).await.expect(204);
    let left = windows(&fixture).await;
    assert_eq!(
        (left.len(), &left[0]["id"], &left[0]["series"], &left[0]["starts_at"]),
        (1, &all[0]["id"], &Value::Null, &all[0]["starts_at"])
    );
    fixture.get(&path).await.refused(404);
    fixture.delete(&format!("/maintenances/{}", all[0]["id"])).await.expect(204);
    let made = fixture.post("/maintenance-series", weekly()).await.expect(201);
    let (path, all) = (format!("/maintenance-series/{}", made["id"]), windows(&fixture).await);
    fixture.delete(&format!("{path}?from={}", all[0]["id"])).await.expect(204);
    assert_eq!(windows(&fixture).await, Vec::<Value>::new());
    fixture.get(&path).await.refused(404);
}

#[tokio::test]
async fn a_series_that_makes_no_sense_is_refused() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let with = |field: &str, value: Value| {
        let mut body = weekly();
        body[field] = value;
        body
    };
    for (field, value) in [
        ("rule", json!("FREQ=MINUTELY")),
        ("rule", json!("FREQ=SECONDLY")),
        ("rule", json!("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30")),
        ("rule", json!("FREQ=WEEKLY;UNTIL=20260101")),
        ("rule", json!("FREQ=WEEKLY;COUNT=0")),
        ("duration", json!("8d")),
        ("duration", json!("0s")),
        ("announce", json!("31d")),
        ("components", json!(["nothing"])),
        ("title", json!("")),
    ] {
        let refused = fixture.post("/maintenance-series", with(field, value.clone())).await.refused(422);
        assert!(refused[0].starts_with(field), "{field} {value}: {refused:?}");
    }
    let past = with("starts_at", json!("2020-01-07T02:00"));
    assert_eq!(
        fixture
            .post("/maintenance-series", {
                let mut past = past;
                past["rule"] = json!("FREQ=WEEKLY;COUNT=3");
                past
            })
            .await
            .refused(422),
        ["rule"]
    );
    fixture.post("/maintenance-series", weekly()).await.expect(201);
    assert_eq!(fixture.post("/maintenance-series", weekly()).await.refused(409), ["key"]);
}
