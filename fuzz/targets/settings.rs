//! The settings of every provider: any that are accepted can be used, for a request, for a proof and on any document.
#![no_main]

use domain::{IntegrationId, Timestamp};
use fuzz::{Case, check_signals, plant, within_limits};
use integrations::{Credentials, Inbound, Settings, accept, find, parse, poll::Ask};
use libfuzzer_sys::{Corpus, fuzz_target};
use secrecy::SecretString;
use serde_json::Value;

fuzz_target!(
    init: plant(Case::settings_seeds()),
    |data: &[u8]| -> Corpus {
        // The provider's slug, its settings, and perhaps what it reads with them, each on a line.
        let Ok(text) = str::from_utf8(data) else { return Corpus::Reject };
        let Some((slug, rest)) = text.split_once('\n') else { return Corpus::Reject };
        let Some(provider) = find(slug) else { return Corpus::Reject };
        let (settings, body) = rest.split_once('\n').unwrap_or((rest, rest));
        let Ok(json) = serde_json::from_str::<Value>(settings) else { return Corpus::Reject };
        within_limits(|| {
            let accepted = (provider.check_settings)(&json).is_ok();
            let settings = Settings::new(json);
            let secrets = [SecretString::from("c2VjcmV0cyBvZiB0aGUgZnV6emVyIG9ubHkuLi4uLi4=")];
            let inbound = Inbound { headers: &[], path_token: Some("token"), body: body.as_bytes(), received_at: Timestamp(1_772_366_400_000) };
            let _ = (provider.check_secret)(&secrets[0], &settings);
            let credentials = Credentials { secrets: &secrets, settings: &settings, document: None };
            assert!(accept(slug, IntegrationId(1), &credentials, &inbound).is_err(), "let in without the secret");
            if let Ok(signals) = parse(slug, &inbound, &settings) {
                check_signals(&signals);
            }
            if let Some(ask) = provider.poll.as_ref().filter(|_| accepted) {
                let _ = ask.interval(&settings);
                match ask {
                    Ask::Source(poll) => drop((poll.request)(&settings, &secrets)),
                    Ask::Check(check) => drop((check.probe)(&settings, &secrets)),
                }
            }
        });
        Corpus::Keep
    }
);
