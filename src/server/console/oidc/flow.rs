//! A sign-in that has begun and waits for the provider's answer. It lies in the browser, sealed, so that the answer counts in no other
//! browser, and nothing is stored for whoever merely begins.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{SessionId, Span, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use storage::SecretBox;
use subtle::ConstantTimeEq;

/// How long signing in at the provider may take.
pub(in crate::console) const PATIENCE: Span = Span::mins(10);
/// What it is sealed for.
const PLACE: &str = "sign-in with a provider";

/// What a sign-in needs when the answer comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flow {
    /// Comes back in the answer, which therefore is one to this question.
    pub(super) state: String,
    /// Comes back in the ID token, which therefore was made for this question.
    pub(super) nonce: String,
    /// What only this browser's sign-in knows, so that nobody else can use its code (PKCE).
    pub(super) verifier: String,
    /// Where to go then.
    pub(super) next: String,
    /// The session that is to be proved again; none if somebody signs in.
    pub(super) session: Option<SessionId>,
    pub(super) began_at: Timestamp,
}

impl Flow {
    pub(super) fn seal(&self, secrets: &SecretBox) -> SecretString {
        let text = serde_json::to_string(self).unwrap_or_default();
        SecretString::from(URL_SAFE_NO_PAD.encode(secrets.seal(PLACE, &SecretString::from(text))))
    }

    /// The flow of a cookie, if it is one of ours and not too old.
    pub(super) fn open(secrets: &SecretBox, cookie: &SecretString, now: Timestamp) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(cookie.expose_secret()).ok()?;
        let text = secrets.open(PLACE, &sealed).ok()?;
        let flow: Self = serde_json::from_str(text.expose_secret()).ok()?;
        (now >= flow.began_at && now <= flow.ends_at()).then_some(flow)
    }

    pub(super) fn ends_at(&self) -> Timestamp {
        self.began_at.plus(PATIENCE)
    }

    pub(super) fn is_answered_by(&self, state: &str) -> bool {
        self.state.as_bytes().ct_eq(state.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_opened_for_ten_minutes_and_only_where_it_was_sealed() {
        let (ours, theirs) = (SecretBox::new(&SecretBox::generate_key()).unwrap(), SecretBox::new(&SecretBox::generate_key()).unwrap());
        let text = |text: &str| text.to_owned();
        let began_at = Timestamp(1_780_000_000_000);
        let flow = Flow {
            state: text("s"),
            nonce: text("n"),
            verifier: text("v"),
            next: text("/console/"),
            session: Some(SessionId(7)),
            began_at,
        };
        let cookie = flow.seal(&ours);
        assert_eq!(Flow::open(&ours, &cookie, began_at).as_ref(), Some(&flow));
        assert_eq!(Flow::open(&ours, &cookie, began_at.plus(PATIENCE)).as_ref(), Some(&flow));
        assert_eq!(Flow::open(&ours, &cookie, began_at.plus(Span(PATIENCE.0 + 1))), None);
        assert_eq!(Flow::open(&theirs, &cookie, began_at), None);
        let mut changed = cookie.expose_secret().to_owned();
        changed.replace_range(60..61, if &changed[60..61] == "A" { "B" } else { "A" });
        assert_eq!(Flow::open(&ours, &SecretString::from(changed), began_at), None);
        let elsewhere =
            URL_SAFE_NO_PAD.encode(ours.seal("passkey challenge:get", &SecretString::from(serde_json::to_string(&flow).unwrap())));
        assert_eq!(Flow::open(&ours, &SecretString::from(elsewhere), began_at), None);
        assert!(flow.is_answered_by("s") && !flow.is_answered_by("") && !flow.is_answered_by("ss"));
    }
}
