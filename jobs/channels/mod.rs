//! Ways to reach a subscriber, one file each.

pub mod email;
mod links;
pub mod webhook;

use std::{future::Future, panic::AssertUnwindSafe, time::SystemTime};

use domain::{Channel, Claimed, Outcome, Recipient, Timestamp};
use futures::FutureExt;
use secrecy::SecretString;
use url::Url;

use crate::egress::Egress;
use email::{Email, SendError};
use links::Links;

/// Everything needed to reach subscribers.
#[derive(Debug)]
pub struct Channels {
    egress: Egress,
    email: Option<Email>,
    links: Links,
}

impl Channels {
    /// `base_url` is where readers find the page; `email` is `None` while mail is off.
    #[must_use]
    pub fn new(egress: Egress, email: Option<Email>, base_url: &Url) -> Self {
        Self { egress, email, links: Links::new(base_url) }
    }

    /// Tries to deliver one notification once. Never panics, and ends within a minute or so.
    ///
    /// `secrets` sign a webhook; mail needs none.
    pub async fn send(&self, claimed: &Claimed, secrets: &[SecretString]) -> Outcome {
        let now = now();
        let sent = async {
            match (claimed.recipient.channel, &self.email) {
                (Channel::Webhook, _) => webhook::send(&self.egress, &self.links, claimed, secrets, now).await,
                (Channel::Email, Some(email)) => email.send(claimed, &self.links, now).await,
                (Channel::Email, None) => mail_is_off(),
            }
        };
        without_panic(sent).await
    }

    /// Asks the owner of an address to confirm the subscription by opening `link`.
    ///
    /// # Errors
    /// Mail is off, the address is none, or the mail server does not take it.
    pub async fn send_confirmation(&self, page_name: &str, address: &str, link: &str) -> Result<(), SendError> {
        let email = self.email.as_ref().ok_or(SendError::Off)?;
        email.send_confirmation(page_name, address, link, now()).await
    }

    /// Writes to one of the team.
    ///
    /// # Errors
    /// As [`Channels::send_confirmation`].
    pub async fn send_letter(&self, address: &str, letter: Letter<'_>) -> Result<(), SendError> {
        let email = self.email.as_ref().ok_or(SendError::Off)?;
        email.send_letter(address, letter, now()).await
    }

    /// Sends somebody who is told of things a test, which says that it is one. It is tried once and kept nowhere.
    ///
    /// `secrets` sign a webhook; mail needs none.
    pub async fn send_test(&self, page_name: &str, recipient: &Recipient, secrets: &[SecretString]) -> Outcome {
        let now = now();
        let sent = async {
            match (recipient.channel, &self.email) {
                (Channel::Webhook, _) => webhook::send_test(&self.egress, &self.links, page_name, recipient, secrets, now).await,
                (Channel::Email, Some(email)) => {
                    let subject = format!("A test of the mail about {page_name}");
                    let link = self.links.page();
                    let letter = Letter { page_name, subject: &subject, text: TEST_TEXT, link: &link, foot: TEST_FOOT };
                    email
                        .send_letter(&recipient.address, letter, now)
                        .await
                        .map_or_else(SendError::into, |()| Outcome::Delivered { detail: "taken by the mail server".to_owned() })
                }
                (Channel::Email, None) => mail_is_off(),
            }
        };
        without_panic(sent).await
    }

    /// Whether mail can be sent at all.
    #[must_use]
    pub const fn sends_mail(&self) -> bool {
        self.email.is_some()
    }
}

/// A mail to one of the team, about their own account.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// The page it is about.
    pub page_name: &'a str,
    /// What it is about.
    pub subject: &'a str,
    /// What there is to say, one sentence or two.
    pub text: &'a str,
    /// Where it leads.
    pub link: &'a str,
    /// What to do if it was not the reader.
    pub foot: &'a str,
}

/// What a test by mail says.
const TEST_TEXT: &str = "This is a test: nothing has happened. Mail about the page below reaches you.";
const TEST_FOOT: &str = "Somebody who runs this page has sent it to see whether mail arrives.";

impl From<SendError> for Outcome {
    fn from(error: SendError) -> Self {
        let why = error.to_string();
        match error {
            SendError::Off | SendError::Transient(_) => Self::Transient { why, retry_after_secs: None },
            SendError::Address | SendError::Permanent(_) => Self::Permanent { why },
        }
    }
}

fn mail_is_off() -> Outcome {
    SendError::Off.into()
}

/// A fault of ours in one notification must cost this notification a try, and nothing else.
async fn without_panic(sent: impl Future<Output = Outcome>) -> Outcome {
    AssertUnwindSafe(sent).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("A channel panicked; the notification will be tried again");
        Outcome::Transient { why: "an internal error; see the log".to_owned(), retry_after_secs: None }
    })
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// A text of others made fit for a log line: no control characters, no runs of white space, at most `max_chars` long.
pub(crate) fn one_line(text: &str, max_chars: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    words.join(" ").chars().take(max_chars).collect()
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
