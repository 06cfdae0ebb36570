//! Silence: what Fanal itself stores when an integration has sent nothing for too long, and when it has sent something again.

use domain::{IntegrationId, NewDelivery, Signal, SignalState, Span, Timestamp};

use crate::{Inbound, ParseError};

/// What the ids of such deliveries begin with.
pub const PREFIX: &str = "silence:";
/// What the ids of all deliveries begin with that no sender made: nothing is heard of a sender by them.
pub const NOT_HEARD: [&str; 2] = [PREFIX, crate::example::PREFIX];
/// What the silence of an integration is called.
pub const FINGERPRINT: &str = "fanal:silent";

/// The header that says since when there is silence, in milliseconds since 1970.
const SINCE: &str = "fanal-silent-since";
/// The header that says how long it may last, in milliseconds.
const AFTER: &str = "fanal-silent-after";
/// The header that says that it is over.
const OVER: &str = "fanal-silence-over";

/// Says that nothing has come since then; of the same silence this can be stored once a minute, and says nothing new then.
#[must_use]
pub fn silent(integration: IntegrationId, since: Timestamp, after: Span, at: Timestamp) -> NewDelivery {
    let headers = vec![(SINCE.to_owned(), since.0.to_string()), (AFTER.to_owned(), after.0.to_string())];
    NewDelivery { integration, external_id: format!("{PREFIX}{}:{}", since.0, at.0 / 60_000), headers, body: Vec::new(), received_at: at }
}

/// Says that a silence is over.
#[must_use]
pub fn over(integration: IntegrationId, at: Timestamp) -> NewDelivery {
    let headers = vec![(OVER.to_owned(), String::new())];
    NewDelivery { integration, external_id: format!("{PREFIX}over:{}", at.0), headers, body: Vec::new(), received_at: at }
}

/// What such a delivery says; `None` if it is another.
pub(crate) fn read(inbound: &Inbound<'_>) -> Option<Result<Vec<Signal>, ParseError>> {
    if inbound.header(OVER).is_some() {
        return Some(Ok(vec![signal(SignalState::Resolved, "it has sent something again", inbound)]));
    }
    let since = inbound.header(SINCE)?;
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok());
    let (Some(since), Some(after)) = (number(Some(since)), number(inbound.header(AFTER))) else {
        return Some(Err(ParseError::field(SINCE, "is not a time in milliseconds")));
    };
    let summary = format!("nothing has come since {}, for longer than {}", Timestamp(since), Span(after));
    Some(Ok(vec![signal(SignalState::Firing, &summary, inbound)]))
}

/// Its severity is unknown: nobody knows how those are that it would have spoken of.
fn signal(state: SignalState, summary: &str, inbound: &Inbound<'_>) -> Signal {
    let mut signal = Signal::new(FINGERPRINT, state, "Silence", inbound.received_at);
    summary.clone_into(&mut signal.summary);
    signal.labels.insert("kind".to_owned(), "silent".to_owned());
    signal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_and_its_end_are_signals_of_any_provider() {
        let (since, at) = (Timestamp(1_772_366_400_000), Timestamp(1_772_370_000_000));
        let signals = |delivery: &NewDelivery| {
            let inbound = Inbound { headers: &delivery.headers, path_token: None, body: &delivery.body, received_at: at };
            crate::parse("alertmanager", &inbound, &crate::Settings::new(serde_json::json!({}))).unwrap()
        };
        let silent = silent(IntegrationId(1), since, Span::mins(50), at);
        let fires = signals(&silent);
        assert_eq!(
            (fires[0].fingerprint.as_str(), fires[0].state, fires[0].severity),
            (FINGERPRINT, SignalState::Firing, Default::default())
        );
        assert_eq!(fires[0].labels["kind"], "silent");
        assert_eq!(fires[0].summary, "nothing has come since 2026-03-01T12:00:00.000Z, for longer than 50m");
        assert_eq!(signals(&over(IntegrationId(1), at))[0].state, SignalState::Resolved);
        assert_eq!(silent.external_id, super::silent(IntegrationId(1), since, Span::mins(50), at.plus(Span::secs(59))).external_id);
    }
}
