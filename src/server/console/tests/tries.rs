//! What strangers can find out and break by trying: nothing.

use std::time::Instant;

use domain::{Role, Span};

use super::{Fixture, PASSWORD};
use crate::timing::tells_nobody_by_time;

#[tokio::test]
async fn after_many_tries_the_next_waits_and_the_right_password_works_then() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    fixture.user(Role::Viewer).await;
    let stranger = fixture.browser();
    let mut waits = Vec::new();
    for n in 0..101 {
        let answer = stranger.log_in("owner@example.com", &format!("wrong wrong wrong {n}")).await;
        match answer.status.as_u16() {
            401 => {}
            429 => waits.push(answer.header("retry-after").parse::<i64>().unwrap()),
            other => panic!("{other}"),
        }
    }
    assert!(waits.len() >= 90, "{waits:?}");
    let answer = stranger.log_in("owner@example.com", PASSWORD).await;
    let wait: i64 = answer.header("retry-after").parse().unwrap();
    answer.expect(429);
    assert!((1..=900).contains(&wait), "never more than a quarter of an hour: {wait}");
    fixture.browser().log_in("viewer@example.com", PASSWORD).await.leads_to("/console/");
    fixture.console.clock.advance(Span::secs(wait + 1));
    fixture.browser().log_in("owner@example.com", PASSWORD).await.leads_to("/console/");
    fixture.browser().log_in("owner@example.com", PASSWORD).await.leads_to("/console/");
}

/// Somebody who goes on trying for ever holds up strangers, and not the owner in a browser that is known.
#[tokio::test]
async fn nobody_locks_an_owner_out_of_a_browser_that_is_known() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    owner.post("/console/log-out", &[]).await.leads_to("/console/log-in");
    let stranger = fixture.browser();
    for _ in 0..40 {
        stranger.log_in("owner@example.com", "wrong wrong wrong").await;
        fixture.console.clock.advance(Span::mins(5));
    }
    fixture.browser().log_in("owner@example.com", PASSWORD).await.expect(429);
    owner.log_in("owner@example.com", PASSWORD).await.leads_to("/console/");
    owner.post("/console/log-out", &[]).await.leads_to("/console/log-in");
    owner.forget_device();
    owner.log_in("owner@example.com", PASSWORD).await.expect(429);
}

#[tokio::test]
async fn one_address_that_tries_many_accounts_has_to_wait_too() {
    let fixture = Fixture::new().await;
    let stranger = fixture.browser();
    let mut last = 401;
    for n in 0..40 {
        last = stranger.log_in(&format!("user{n}@example.com"), "wrong wrong wrong").await.status.as_u16();
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn codes_cannot_be_tried_through() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(owner.post("/console/confirm", &[("password", "wrong wrong wrong")]).await.status.as_u16());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 5, "{statuses:?}");
    owner.post("/console/confirm", &[("password", PASSWORD)]).await.expect(429);
    owner.get("/console/").await.expect(200);
}

/// Known, unknown, shut out, without a password: one text, one status, one length.
#[tokio::test]
async fn what_is_said_tells_nobody_who_is_known() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let gone = fixture.user_at("gone@example.com", Role::Viewer).await;
    let mut tx = fixture.console.db.begin().await.unwrap();
    storage::users::set_disabled(&mut tx, gone, Some(fixture.console.now())).await.unwrap();
    let new = storage::users::NewUser { email: "none@example.com", name: "None", role: Role::Viewer, password: None };
    storage::users::create(&mut tx, &new, fixture.console.now()).await.unwrap();
    tx.commit().await.unwrap();
    let say = async |email: &str, n: usize| {
        let answer = fixture.browser().log_in(email, if n == 0 { "wrong wrong wrong" } else { "x" }).await;
        let headers: Vec<_> = answer.headers.keys().cloned().collect();
        let body: String = answer.body.replace(email, "");
        let nonce = answer.headers["content-security-policy"].to_str().unwrap().split('\'').nth(3).unwrap().replace("nonce-", "");
        (answer.status, headers, body.replace(&nonce, ""))
    };
    let wanted = say("owner@example.com", 0).await;
    assert_eq!(wanted.0, 401);
    for email in ["nobody@example.com", "gone@example.com", "none@example.com", "nob0dy@example.com"] {
        assert_eq!(say(email, 0).await, wanted, "{email}");
    }
}

#[tokio::test]
async fn the_time_it_takes_tells_nobody_who_is_known() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    tells_nobody_by_time("signing in", async |known| {
        fixture.console.clock.advance(Span::mins(16));
        let browser = fixture.browser();
        let email = if known { "owner@example.com" } else { "nobody@example.com" };
        let began = Instant::now();
        browser.log_in(email, "wrong wrong wrong").await.expect(401);
        began.elapsed().as_secs_f64()
    })
    .await;
}

/// The mail is sent after the answer, to whoever is known.
#[tokio::test]
async fn the_time_it_takes_to_ask_for_a_link_tells_nobody_who_is_known() {
    let fixture = Fixture::with_mail().await;
    fixture.user(Role::Owner).await;
    tells_nobody_by_time("asking for a link", async |known| {
        fixture.console.clock.advance(Span::mins(24 * 60 + 1));
        let browser = fixture.browser();
        let email = if known { "owner@example.com" } else { "nobody@example.com" };
        let began = Instant::now();
        let answer = browser.post("/console/forgot", &[("email", email)]).await.expect(200);
        let took = began.elapsed().as_secs_f64();
        assert!(answer.body.contains("a link"), "{}", answer.body);
        // What is done for somebody after the answer would else take its time from the next.
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
        took
    })
    .await;
}
