//! Maintenances that come back: changed and called off, one, from one on, and all, with what that does shown before.

use domain::{Maintenance, Role, SeriesId, Span};
use storage::rows::{self, Maintenances};

use super::{Browser, Fixture};

impl Fixture {
    /// The windows that are planned, by their beginning: title, time of the day, and id.
    async fn windows(&self) -> Vec<(String, String, i64)> {
        let mut all = rows::maintenances(&mut self.console.db.read().await.unwrap(), Maintenances::OpenOf(SeriesId(1))).await.unwrap();
        all.retain(Maintenance::is_scheduled);
        all.sort_by_key(|window| window.starts_at);
        all.into_iter().map(|window| (window.title, window.starts_at.to_string()[11..16].to_owned(), window.id.0)).collect()
    }

    /// The day that is so many days ahead, as a form has it.
    fn day(&self, ahead: i64) -> String {
        self.console.now().plus(Span::mins(ahead * 24 * 60)).to_string()[..10].to_owned()
    }
}

/// What the form of a page is filled with.
#[track_caller]
fn filled(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!(" name=\"{name}\" ")).unwrap_or_else(|| panic!("no field {name} in {page}"));
    let value = rest.split_once("value=\"").unwrap().1.split('"').next().unwrap();
    value.replace("&#34;", "\"").replace("&#38;", "&")
}

/// Every field of the form, as a browser sends it that changes some.
#[track_caller]
fn form(page: &str, changes: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let names = ["etag", "was", "title", "starts_at", "duration", "rule", "announce"];
    let typed = |name| changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| (*value).to_owned());
    let mut fields: Vec<_> = names.iter().map(|name| (*name, typed(*name).unwrap_or_else(|| filled(page, name)))).collect();
    if page.contains("name=\"from\"") {
        fields.push(("from", filled(page, "from")));
    }
    fields.extend(changes.iter().filter(|(name, _)| !names.contains(name)).map(|(name, value)| (*name, (*value).to_owned())));
    fields
}

async fn send(browser: &Browser<'_>, page: &str, path: &str, changes: &[(&'static str, &str)]) -> super::Answer {
    let fields = form(page, changes);
    browser.post(path, &fields.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>()).await
}

async fn planned(fixture: &Fixture) -> Browser<'_> {
    fixture.user(Role::Operator).await;
    let operator = fixture.signed_in(Role::Operator).await;
    let begins = format!("{}T02:00", fixture.day(2));
    let fields = [("title", "Upkeep"), ("starts_at", &begins), ("duration", "2h"), ("rule", "FREQ=DAILY;COUNT=5"), ("announce", "0s")];
    operator.post("/console/maintenance-series/new", &fields).await.leads_to("/console/maintenances");
    operator
}

#[tokio::test]
async fn a_whole_series_is_changed_after_one_has_seen_what_that_does() {
    let fixture = Fixture::new().await;
    let operator = planned(&fixture).await;
    let path = "/console/maintenance-series/1";
    assert!(operator.get("/console/maintenances").await.expect(200).body.contains(&format!("href=\"{path}\"")));
    let page = operator.get(path).await.expect(200).body;
    assert!(!page.contains("name=\"save\""), "one looks before one saves: {page}");
    let wanted = [("title", "Care"), ("starts_at", &format!("{}T04:00", fixture.day(2))), ("preview", "1")];
    let shown = send(&operator, &page, path, &wanted).await.expect(200).body;
    let moved = format!("{0} 02:00 moves to {0} 04:00", fixture.day(3));
    assert!(shown.contains(&moved) && shown.contains("name=\"save\"") && shown.contains("value=\"Care\""), "{shown}");
    assert_eq!(fixture.windows().await[0].0, "Upkeep", "looking changes nothing");
    send(&operator, &shown, path, &[("save", "1")]).await.leads_to("/console/maintenances");
    let said: Vec<_> = fixture.windows().await.into_iter().map(|(title, at, _)| (title, at)).collect();
    assert_eq!(said, vec![("Care".to_owned(), "04:00".to_owned()); 5]);

    let page = operator.get(path).await.expect(200).body;
    let refused = send(&operator, &page, path, &[("rule", "FREQ=MINUTELY"), ("title", "Mine"), ("preview", "1")]).await.expect(422).body;
    assert!(
        refused.contains("class=\"wrong\"") && refused.contains("value=\"FREQ=MINUTELY\"") && refused.contains("value=\"Mine\""),
        "{refused}"
    );
    // Somebody else was faster: nothing is saved, and what both wrote is there.
    send(&operator, &page, path, &[("duration", "1h"), ("save", "1")]).await.expect(303);
    let late = send(&operator, &page, path, &[("title", "Mine"), ("save", "1")]).await.expect(412).body;
    assert!(late.contains("value=\"Mine\"") && late.contains("value=\"1h\"") && late.contains("Each lasts"), "{late}");
    assert_eq!(fixture.windows().await[0].0, "Care");
    operator.get("/console/maintenance-series/99").await.expect(404);
}

#[tokio::test]
async fn a_window_is_changed_with_all_that_follow_and_those_before_stay() {
    let fixture = Fixture::new().await;
    let operator = planned(&fixture).await;
    let third = fixture.windows().await[2].2;
    let window = operator.get(&format!("/console/maintenances/{third}")).await.expect(200).body;
    for part in ["One of a series", &format!("/console/maintenance-series/1?from={third}"), &format!("/1/end?from={third}")] {
        assert!(window.contains(part), "{part}: {window}");
    }
    let page = operator.get(&format!("/console/maintenance-series/1?from={third}")).await.expect(200).body;
    assert_eq!((filled(&page, "rule"), filled(&page, "starts_at")), ("FREQ=DAILY;COUNT=3".to_owned(), format!("{}T02:00", fixture.day(4))));
    let wanted = [("starts_at", &*format!("{}T05:00", fixture.day(4))), ("preview", "1")];
    let shown = send(&operator, &page, "/console/maintenance-series/1", &wanted).await.expect(200).body;
    assert!(shown.contains(&format!("{0} 02:00 moves to {0} 05:00", fixture.day(4))), "{shown}");
    assert!(shown.contains("stays as it is") && !shown.contains(&format!("{0} 02:00 moves", fixture.day(3))), "{shown}");
    send(&operator, &shown, "/console/maintenance-series/1", &[("save", "1")]).await.expect(303);
    let at: Vec<String> = fixture.windows().await.into_iter().map(|(_, at, _)| at).collect();
    assert_eq!(at, ["02:00", "02:00", "05:00", "05:00", "05:00"]);
}

#[tokio::test]
async fn one_window_is_called_off_or_it_and_all_that_follow_or_the_series() {
    let fixture = Fixture::new().await;
    let operator = planned(&fixture).await;
    let all = fixture.windows().await;
    operator.post(&format!("/console/maintenances/{}/cancel", all[1].2), &[]).await.expect(303);
    assert_eq!(fixture.windows().await.len(), 4);
    let ask = operator.get(&format!("/console/maintenance-series/1/end?from={}", all[3].2)).await.expect(200).body;
    assert!(ask.contains("2 windows that are planned are called off") && ask.contains(&fixture.day(5)), "{ask}");
    assert!(!ask.contains(&format!("<li>{}", fixture.day(2))), "{ask}");
    operator.get("/console/maintenance-series/1/end?from=999").await.expect(409);
    let from = [("from", all[3].2.to_string())];
    operator.post("/console/maintenance-series/1/end", &[("from", from[0].1.as_str())]).await.leads_to("/console/maintenances");
    let left: Vec<i64> = fixture.windows().await.into_iter().map(|(_, _, id)| id).collect();
    assert_eq!(left, [all[0].2, all[2].2]);
    let ask = operator.get("/console/maintenance-series/1/end").await.expect(200).body;
    assert!(ask.contains("End the series") && ask.contains("2 windows"), "{ask}");
    operator.post("/console/maintenance-series/1/end", &[]).await.expect(303);
    assert_eq!(fixture.windows().await, []);
    operator.get("/console/maintenance-series/1").await.expect(404);
}
