//! Every provider that sends: any headers and any body, read as its parser reads them; nobody without the secret gets in.
#![no_main]

use domain::IntegrationId;
use fuzz::{Case, Kind, check_signals, plant, within_limits};
use integrations::{Credentials, accept, challenges, parse};
use libfuzzer_sys::{Corpus, fuzz_target};
use secrecy::SecretString;

fuzz_target!(
    init: plant(Case::seeds(Kind::Webhook)),
    |data: &[u8]| -> Corpus {
        let Some(case) = Case::read(Kind::Webhook, data) else { return Corpus::Reject };
        within_limits(|| {
            let inbound = case.inbound();
            if let Ok(signals) = parse(case.provider.slug, &inbound, case.settings) {
                check_signals(&signals);
            }
            let _ = (case.provider.delivery_id)(&inbound, case.settings);
            let secrets = [SecretString::from("c2VjcmV0cyBvZiB0aGUgZnV6emVyIG9ubHkuLi4uLi4=")];
            let credentials = Credentials { secrets: &secrets, settings: case.settings, document: Some(case.body) };
            assert!(accept(case.provider.slug, IntegrationId(1), &credentials, &inbound).is_err(), "let in without the secret");
            let _ = challenges(case.provider.slug, case.settings);
            let _ = case.provider.quirks.document.map(|document| document(&inbound, case.settings));
            let _ = case.provider.quirks.confirm.map(|confirm| confirm(&inbound, case.settings));
        });
        Corpus::Keep
    }
);
