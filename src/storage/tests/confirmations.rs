//! What a sender waits for is called under one request at a time, and forgotten once nothing is to be called.

use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::confirmations::{self, Confirmation, ConfirmationState, Due, NewConfirmation, Outcome};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:alarms";

impl Fixture {
    async fn ask(&self, external_id: &str, url: &str) {
        let url = SecretString::from(url);
        let new =
            NewConfirmation { integration: IntegrationId(1), subject: TOPIC, external_id, url: &url, ends_at: NOW.plus(Span::mins(60)) };
        let mut tx = self.db.begin().await.unwrap();
        confirmations::request(&mut tx, &self.secrets, &new, NOW).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn due(&self, at: Timestamp) -> Option<Due> {
        confirmations::due(&mut self.db.read().await.unwrap(), &self.secrets, at, 10).await.unwrap().pop()
    }

    async fn record(&self, due: &Due, outcome: Outcome) -> bool {
        let mut tx = self.db.begin().await.unwrap();
        let counted = confirmations::record(&mut tx, due, &outcome, NOW.plus(Span::secs(1))).await.unwrap();
        tx.commit().await.unwrap();
        counted
    }

    async fn confirmation(&self) -> Confirmation {
        confirmations::list(&mut self.db.read().await.unwrap(), IntegrationId(1)).await.unwrap().pop().unwrap()
    }

    async fn keeps_what_is_called(&self) -> bool {
        let mut conn = self.db.read().await.unwrap();
        crate::db::sql!(conn, c => sqlx::query_scalar("select url is not null from confirmation").fetch_one(&mut *c).await).unwrap()
    }
}

fn called(due: &Due) -> &str {
    due.url.as_ref().map_or("", |url| url.expose_secret())
}

#[tokio::test]
async fn a_call_is_due_until_the_sender_has_taken_it_and_counts_once() {
    let fixture = Fixture::new().await;
    fixture.ask("m1", "https://sns.example/?Token=1").await;
    let due = fixture.due(NOW).await.unwrap();
    assert_eq!((called(&due), due.attempts, due.integration.as_str()), ("https://sns.example/?Token=1", 0, "prod"));
    assert!(fixture.record(&due, Outcome::Again(NOW.plus(Span::secs(5)), "status 500".to_owned())).await);
    assert!(!fixture.record(&due, Outcome::Confirmed).await, "another process has tried the same");
    assert!(fixture.due(NOW.plus(Span::secs(4))).await.is_none());
    fixture.ask("m1", "https://sns.example/?Token=1").await;
    assert_eq!(fixture.confirmation().await.attempts, 1, "the same request asks for nothing new");
    let due = fixture.due(NOW.plus(Span::secs(5))).await.unwrap();
    assert!(fixture.record(&due, Outcome::Confirmed).await);
    let confirmed = fixture.confirmation().await;
    assert_eq!((confirmed.state, confirmed.attempts, confirmed.last_error), (ConfirmationState::Confirmed, 2, None));
    assert_eq!((confirmed.next_at, confirmed.settled_at), (None, Some(NOW.plus(Span::secs(1)))));
    assert!(!fixture.keeps_what_is_called().await);
    fixture.ask("m1", "https://sns.example/?Token=1").await;
    assert!(fixture.due(NOW).await.is_none(), "what was confirmed is not called again");
}

#[tokio::test]
async fn who_asks_anew_is_called_anew_and_what_goes_on_for_the_request_before_does_not_count() {
    let fixture = Fixture::new().await;
    fixture.ask("m1", "https://sns.example/?Token=1").await;
    let before = fixture.due(NOW).await.unwrap();
    fixture.ask("m2", "https://sns.example/?Token=2").await;
    assert!(!fixture.record(&before, Outcome::Confirmed).await);
    let due = fixture.due(NOW).await.unwrap();
    assert_eq!(called(&due), "https://sns.example/?Token=2");
    assert!(fixture.record(&due, Outcome::GivenUp("status 403".to_owned())).await);
    let given_up = fixture.confirmation().await;
    assert_eq!((given_up.state, given_up.last_error.as_deref()), (ConfirmationState::GivenUp, Some("status 403")));
    assert!(!fixture.keeps_what_is_called().await && fixture.due(NOW).await.is_none());
    fixture.ask("m2", "https://sns.example/?Token=2").await;
    let due = fixture.due(NOW).await.unwrap();
    assert_eq!((due.attempts, called(&due)), (0, "https://sns.example/?Token=2"), "sent again, it is tried again");
}

#[tokio::test]
async fn nobody_is_called_for_an_integration_that_is_off_or_gone() {
    let fixture = Fixture::new().await;
    fixture.ask("m1", "https://sns.example/?Token=1").await;
    let mut off = fixture.desired.clone();
    off.integrations[0].enabled = false;
    fixture.configure(&off).await;
    assert!(fixture.due(NOW).await.is_none());
    fixture.configure(&fixture.desired).await;
    assert!(fixture.due(NOW).await.is_some());
    off.integrations.clear();
    fixture.configure(&off).await;
    assert!(fixture.due(NOW).await.is_none());
    fixture.ask("m1", "https://sns.example/?Token=1").await;
    assert!(fixture.due(NOW).await.is_none());
}
