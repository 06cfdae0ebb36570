//! Calls senders back that begin to send only once they have been called: such as the topics of Amazon SNS.
//!
//! What is to be called stands in the database before the sender's request is acknowledged, so a confirmation outlives the process that took
//! it in. It is called until the sender takes it, says no for good, or would not take it any more.

use std::{sync::Arc, time::Duration};

use domain::{Span, Timestamp};
use futures::{StreamExt, stream};
use metrics::counter;
use secrecy::ExposeSecret;
use storage::{
    Db, SecretBox, StorageError,
    confirmations::{self, Due, Outcome},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use url::Url;

use crate::{
    Clock,
    egress::{Egress, HeaderMap, MAX_RESPONSE_BYTES, Method, Request, Response},
    evaluator::Health,
    retry_after,
};

/// How often to look.
const TICK: Duration = Duration::from_secs(1);
/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Calls under way at once.
const MAX_CALLS: usize = 16;
/// How long to wait after each call; after the last of these, as long again and again.
const PAUSES: [Span; 6] = [Span::secs(2), Span::secs(15), Span::secs(60), Span::mins(5), Span::mins(15), Span::mins(60)];
/// A sender that says no is believed after so many calls: its own machines may not all know yet what it has just asked.
const CALLS_BEFORE_NO: i32 = 4;
/// Statuses of a refusal that is none: come again.
const COME_AGAIN: [u16; 3] = [408, 425, 429];

/// Calls what is due. Only the process that evaluates does so.
pub struct Confirmations {
    /// Where it stands what is to be called.
    pub db: Db,
    /// Opens what is to be called.
    pub secrets: SecretBox,
    /// The way out.
    pub egress: Egress,
    /// What time it is.
    pub clock: Clock,
    /// Whether this process evaluates.
    pub health: Arc<Health>,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Yes,
    No(String),
    /// Neither, and how long the sender asks to be left alone.
    Nothing(String, Option<Span>),
    /// What was to be called cannot be read.
    Lost,
}

impl Confirmations {
    /// Calls until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if self.health.leads()
                && let Err(failed) = self.look().await
            {
                warn!(error = ?failed, "Could not look after subscriptions to be confirmed; trying again");
            }
            tokio::select! { () = tokio::time::sleep(TICK) => {}, () = shutdown.cancelled() => {} }
        }
    }

    /// Calls once what is due.
    ///
    /// # Errors
    /// What the database said.
    pub async fn look(&self) -> Result<(), StorageError> {
        let limit = i64::try_from(MAX_CALLS).unwrap_or(i64::MAX);
        let due = confirmations::due(&mut self.db.read().await?, &self.secrets, self.clock.now(), limit).await?;
        let mut calls = stream::iter(due).map(|due| async move { (self.call(&due).await, due) }).buffer_unordered(MAX_CALLS);
        while let Some((said, due)) = calls.next().await {
            self.record(&due, said).await?;
        }
        Ok(())
    }

    async fn record(&self, due: &Due, said: Said) -> Result<(), StorageError> {
        let (now, integration) = (self.clock.now(), due.integration.as_str());
        let outcome = follows(said, due.attempts.saturating_add(1), now, due.ends_at);
        let result = match &outcome {
            Outcome::Confirmed => {
                info!(integration, "Confirmed the subscription");
                "confirmed"
            }
            Outcome::Again(next_at, why) => {
                warn!(integration, why, %next_at, "Could not confirm the subscription; trying again");
                "failed"
            }
            Outcome::GivenUp(why) => {
                warn!(integration, why, "Gave up confirming the subscription: ask the sender to send its request again");
                "given_up"
            }
        };
        counter!("fanal_confirmations_total", "result" => result).increment(1);
        let mut tx = self.db.begin().await?;
        confirmations::record(&mut tx, due, &outcome, now).await?;
        tx.commit().await
    }

    /// What is called lets whoever has it act, so nothing tells it.
    async fn call(&self, due: &Due) -> Said {
        let Some(url) = due.url.as_ref().and_then(|url| Url::parse(url.expose_secret()).ok()) else { return Said::Lost };
        let request = Request {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Vec::new(),
            timeout: TIMEOUT,
            max_response_bytes: MAX_RESPONSE_BYTES,
        };
        match self.egress.send(request).await {
            Ok(answer) => read(&answer, self.clock.now()),
            Err(error) => Said::Nothing(error.to_string(), None),
        }
    }
}

fn read(answer: &Response, now: Timestamp) -> Said {
    let words = format!("the sender answered with status {}", answer.status);
    match answer.status {
        200..=299 => Said::Yes,
        status @ 400..=499 if !COME_AGAIN.contains(&status) => Said::No(words),
        _ => Said::Nothing(words, retry_after::read(&answer.headers, now)),
    }
}

/// What follows a call, which was the `n`th.
fn follows(said: Said, n: i32, now: Timestamp, ends_at: Timestamp) -> Outcome {
    let (why, wait) = match said {
        Said::Yes => return Outcome::Confirmed,
        Said::Lost => return Outcome::GivenUp("what was to be called cannot be decrypted with this key".to_owned()),
        Said::No(why) if n >= CALLS_BEFORE_NO => return Outcome::GivenUp(why),
        Said::No(why) => (why, None),
        Said::Nothing(why, wait) => (why, wait),
    };
    let pause = usize::try_from(n - 1).ok().and_then(|n| PAUSES.get(n)).unwrap_or(&PAUSES[PAUSES.len() - 1]);
    let next_at = now.plus((*pause).max(wait.unwrap_or(Span::ZERO)));
    if next_at >= ends_at {
        Outcome::GivenUp(format!("{why}; by the next try the request has run out"))
    } else {
        Outcome::Again(next_at, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);
    const ENDS_AT: Timestamp = Timestamp(1_000_000 + 2 * 86_400_000);

    fn nothing(wait: Option<Span>) -> Said {
        Said::Nothing("away".to_owned(), wait)
    }

    #[test]
    fn who_does_not_answer_is_called_less_and_less_often_until_the_request_has_run_out() {
        let pause = |n| match follows(nothing(None), n, NOW, ENDS_AT) {
            Outcome::Again(at, _) => at.since(NOW),
            other => panic!("{other:?}"),
        };
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 100].map(pause), [2, 15, 60, 300, 900, 3600, 3600, 3600].map(Span::secs));
        let last = |ends_at| follows(nothing(None), 1, NOW, ends_at);
        assert!(matches!(last(NOW.plus(Span(2_001))), Outcome::Again(..)));
        assert!(matches!(last(NOW.plus(Span(2_000))), Outcome::GivenUp(why) if why.contains("run out")));
    }

    #[test]
    fn who_asks_for_patience_gets_it_as_long_as_the_request_lasts() {
        let waits = |secs| follows(nothing(Some(Span::secs(secs))), 1, NOW, ENDS_AT);
        assert_eq!(waits(1), Outcome::Again(NOW.plus(Span::secs(2)), "away".to_owned()));
        assert_eq!(waits(90), Outcome::Again(NOW.plus(Span::secs(90)), "away".to_owned()));
        assert!(matches!(waits(i64::MAX / 1000), Outcome::GivenUp(_)));
    }

    #[test]
    fn a_no_is_believed_after_some_calls() {
        let no = |n| follows(Said::No("no".to_owned()), n, NOW, ENDS_AT);
        assert!((1..CALLS_BEFORE_NO).all(|n| matches!(no(n), Outcome::Again(..))));
        assert_eq!(no(CALLS_BEFORE_NO), Outcome::GivenUp("no".to_owned()));
        assert_eq!(follows(Said::Yes, 1, NOW, NOW), Outcome::Confirmed);
        assert!(matches!(follows(Said::Lost, 1, NOW, ENDS_AT), Outcome::GivenUp(_)));
    }

    #[test]
    fn an_answer_is_a_yes_a_no_or_neither() {
        let said = |status| read(&Response { status, headers: HeaderMap::new(), body: Vec::new() }, NOW);
        assert!([200, 204, 299].iter().all(|status| said(*status) == Said::Yes));
        assert!([400, 403, 404, 410, 499].iter().all(|status| matches!(said(*status), Said::No(_))));
        assert!([302, 408, 425, 429, 500, 503].iter().all(|status| matches!(said(*status), Said::Nothing(..))));
    }
}
