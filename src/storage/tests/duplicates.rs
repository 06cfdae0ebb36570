//! What comes again is told from what is new, and counted.

use futures::future::try_join_all;

use super::*;
use crate::{
    Arrival,
    duplicates::{self, Duplicates},
};

fn delivery(integration: i64, external_id: &str) -> NewDelivery {
    NewDelivery {
        integration: IntegrationId(integration),
        external_id: external_id.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        received_at: NOW,
    }
}

#[tokio::test]
async fn of_several_that_are_the_same_one_is_new_whether_they_share_a_commit_or_not() {
    let fixture = Fixture::new().await;
    let mut desired = fixture.desired.clone();
    desired.integrations.push(IntegrationSpec { key: "other".to_owned(), ..desired.integrations[0].clone() });
    fixture.configure(&desired).await;
    let (inbox, _) = Inbox::open(fixture.db.clone(), Wake::new(fixture.db.clone()));
    let sent = [(1, "a"), (1, "b"), (1, "a"), (2, "a"), (1, "a")];
    let arrivals = try_join_all(sent.map(|(integration, id)| inbox.insert(delivery(integration, id)))).await.unwrap();
    let n_new =
        |integration, id| sent.iter().zip(&arrivals).filter(|(one, how)| **one == (integration, id) && **how == Arrival::New).count();
    assert_eq!([n_new(1, "a"), n_new(1, "b"), n_new(2, "a")], [1; 3], "{arrivals:?}");
    assert_eq!(arrivals.iter().filter(|how| **how == Arrival::Again).count(), 2);
    for (integration, id) in [(1, "b"), (2, "a")] {
        assert_eq!(inbox.insert(delivery(integration, id)).await.unwrap(), Arrival::Again);
    }
    assert_eq!(inbox.insert(delivery(2, "b")).await.unwrap(), Arrival::New);
}

#[tokio::test]
async fn what_came_again_is_counted_with_the_delivery_that_it_repeats() {
    let fixture = Fixture::new().await;
    let (inbox, _) = Inbox::open(fixture.db.clone(), Wake::new(fixture.db.clone()));
    inbox.insert(delivery(1, "kept")).await.unwrap();
    let count = async |integration, n, at, id: &str| {
        let mut tx = fixture.db.begin().await.unwrap();
        duplicates::count(&mut tx, IntegrationId(integration), n, at, id).await.unwrap();
        tx.commit().await.unwrap();
    };
    let find = async |integration| duplicates::find(&mut fixture.db.read().await.unwrap(), IntegrationId(integration)).await.unwrap();
    assert_eq!(find(1).await, None);
    count(1, 2, NOW, "gone").await;
    count(9, 1, NOW, "of an integration that is gone").await;
    let first = Duplicates { n: 2, first_at: NOW, last_at: NOW, external_id: "gone".to_owned(), delivery: None };
    assert_eq!((find(1).await, find(9).await), (Some(first.clone()), None));
    let later = NOW.plus(Span::mins(1));
    count(1, 1, later, "kept").await;
    let kept = Some(DeliveryId(1));
    assert_eq!(find(1).await, Some(Duplicates { n: 3, last_at: later, external_id: "kept".to_owned(), delivery: kept, ..first }));
}
