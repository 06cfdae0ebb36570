//! Every provider that is asked, and every check: any answer in any encoding, as it is judged when it comes and read again when it was stored.
#![no_main]

use domain::{IntegrationId, Timestamp};
use fuzz::{Case, Kind, check_signals, plant, within_limits};
use integrations::{
    check::{self, Measured},
    parse,
    poll::{Answer, Ask, Joined, answered},
};
use libfuzzer_sys::{Corpus, fuzz_target};

const AT: Timestamp = Timestamp(1_772_366_400_000);

fuzz_target!(
    init: plant(Case::seeds(Kind::Poll)),
    |data: &[u8]| -> Corpus {
        let Some(case) = Case::read(Kind::Poll, data) else { return Corpus::Reject };
        within_limits(|| {
            if let Ok(signals) = parse(case.provider.slug, &case.inbound(), case.settings) {
                check_signals(&signals);
            }
            match &case.provider.poll {
                Some(Ask::Check(done)) => {
                    let Ok(measured) = serde_json::from_slice::<Measured>(case.body) else { return };
                    let before = case.inbound().header("fanal-verdicts").unwrap_or_default();
                    let _ = check::judged(done, IntegrationId(1), case.settings, &measured, before, AT);
                }
                asked => {
                    if let Some(Ask::Source(poll)) = asked
                        && let Some(pages) = &poll.pages
                        && let Ok(mut joined) = Joined::begin(pages, case.body)
                    {
                        let _ = joined.add(case.body);
                        let _ = joined.into_body();
                    }
                    let answer = Answer { status: 200, headers: &case.headers, body: case.body, n_pages: 1, at: AT };
                    let _ = answered(case.provider, IntegrationId(1), case.settings, answer);
                }
            }
        });
        Corpus::Keep
    }
);
