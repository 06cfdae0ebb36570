//! What the pages of integrations and deliveries say of how things go.

use domain::{DeliveryId, IntegrationId, NewDelivery, Role, Signal, SignalState, Span};
use secrecy::SecretString;
use serde_json::json;
use storage::{
    Inbox,
    confirmations::{self, NewConfirmation, Outcome},
    deliveries::DeliveryState,
    duplicates,
    fates::{self, Fate},
    integrations::{self, IntegrationEdit},
};

use super::Fixture;

impl Fixture {
    async fn integration(&self, key: &str, provider: &str) -> IntegrationId {
        let edit = IntegrationEdit { name: key.to_uppercase(), settings: json!({}), enabled: true, silent_after: None };
        let mut tx = self.console.db.begin().await.unwrap();
        let id = integrations::insert(&mut tx, key, provider, &edit, self.console.now()).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A delivery that said these things.
    async fn delivery(&self, integration: IntegrationId, id: i64, signals: Vec<Signal>) {
        let at = self.console.now();
        let (inbox, task) = Inbox::open(self.console.db.clone(), self.console.wake.clone());
        let new = NewDelivery { integration, external_id: id.to_string(), headers: Vec::new(), body: b"{}".to_vec(), received_at: at };
        inbox.insert(new).await.unwrap();
        drop(inbox);
        task.await.unwrap();
        let (delivery, state) = (DeliveryId(id), DeliveryState::Processed);
        let fate = Fate { delivery, integration, state, reason: None, signals, position: id, evaluated_at: at };
        let mut tx = self.console.db.begin().await.unwrap();
        fates::settle(&mut tx, &[fate]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_not_understood_is_shown_where_somebody_looks() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    let hook = fixture.integration("hook", "alertmanager").await;
    let mut signal = Signal::new("f", SignalState::Firing, "api", fixture.console.now());
    fixture.delivery(hook, 1, vec![signal.clone()]).await;
    let list = owner.get("/console/integrations").await.expect(200).body;
    assert!(list.contains("working") && !list.contains("not all understood"), "{list}");
    signal.warnings = vec!["`severity` is <loud>".to_owned(), "a label was cut".to_owned()];
    fixture.delivery(hook, 2, vec![signal]).await;
    let shown = "`severity` is &#60;loud&#62;";
    for (path, parts) in [
        ("/console/integrations", vec!["not all understood"]),
        (
            "/console/integrations/1",
            vec!["`severity` is &#60;loud&#62; (and 1 more)", "in 1 of the last 100", "a label was cut", "/console/deliveries/2\""],
        ),
        ("/console/deliveries/2", vec![shown, "a label was cut"]),
    ] {
        let page = owner.get(path).await.expect(200).body;
        assert!(parts.iter().all(|part| page.contains(part)), "{path}: {page}");
    }
    assert!(!owner.get("/console/deliveries/1").await.expect(200).body.contains("health warn"));
    let live: serde_json::Value = serde_json::from_str(&owner.get("/console/integrations/1/arrivals").await.expect(200).body).unwrap();
    assert_eq!((&live[0]["warned"], &live[1]["warned"]), (&json!("`severity` is <loud> (and 1 more)"), &json!("")));
}

#[tokio::test]
async fn what_came_again_is_shown_with_the_delivery_that_it_repeats() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    let hook = fixture.integration("hook", "alertmanager").await;
    fixture.delivery(hook, 1, Vec::new()).await;
    assert!(!owner.get("/console/integrations/1").await.expect(200).body.contains("Came again"));
    for (id, shown) in [("1", "<a href=\"/console/deliveries/1\">delivery 1</a>"), ("7<", "<code>7&#60;</code>")] {
        let mut tx = fixture.console.db.begin().await.unwrap();
        duplicates::count(&mut tx, hook, 2, fixture.console.now(), id).await.unwrap();
        tx.commit().await.unwrap();
        let page = owner.get("/console/integrations/1").await.expect(200).body;
        assert!(page.contains("Came again") && page.contains(shown), "{page}");
    }
}

#[tokio::test]
async fn it_is_shown_whether_a_subscription_was_confirmed() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Owner).await;
    let owner = fixture.signed_in(Role::Owner).await;
    let aws = fixture.integration("aws", "aws_sns").await;
    let now = fixture.console.now();
    let (url, subject) = (SecretString::from("https://sns.example/?Token=marker"), "arn:aws:sns:eu-west-1:123456789012:alarms");
    for (n, outcome, words) in [
        (1, Outcome::Again(now, "no answer in time".to_owned()), ["to be confirmed", "tried once: no answer in time"]),
        (2, Outcome::GivenUp("the sender answered with status 403".to_owned()), ["not confirmed", "status 403. Let the sender ask again."]),
        (3, Outcome::Confirmed, ["confirmed", subject]),
    ] {
        let new = NewConfirmation { integration: aws, subject, external_id: &n.to_string(), url: &url, ends_at: now.plus(Span::mins(60)) };
        let (db, secrets) = (&fixture.console.db, &fixture.console.secrets);
        let mut tx = db.begin().await.unwrap();
        confirmations::request(&mut tx, secrets, &new, now).await.unwrap();
        let due = confirmations::due(&mut tx, secrets, now, 1).await.unwrap().pop().unwrap();
        assert!(confirmations::record(&mut tx, &due, &outcome, now).await.unwrap());
        tx.commit().await.unwrap();
        let page = owner.get("/console/integrations/1").await.expect(200).body;
        assert!(words.iter().all(|word| page.contains(word)) && !page.contains("marker"), "{words:?}: {page}");
        let list = owner.get("/console/integrations").await.expect(200).body;
        assert_eq!(list.contains(words[0]), n < 3, "{list}");
    }
}
