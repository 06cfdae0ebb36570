//! Mail to people about their own account. It is sent in the background: how long it takes would tell who is known.

use std::{sync::Arc, time::Duration};

use jobs::channels::{Channels, Letter, email::SendError};
use tracing::warn;
use url::Url;

use crate::page::Page;

/// How long to wait before each try.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(10), Duration::from_secs(120)];

/// What stands below every letter about what happened to an account.
pub const IF_NOT_YOU: &str = "If it was not you, choose a new password now, end all other sessions, and tell an owner of this page.";

/// What is written.
pub(crate) struct Words {
    pub(crate) subject: &'static str,
    pub(crate) text: String,
    pub(crate) link: String,
    pub(crate) foot: &'static str,
}

/// Writes to people of the team. Cheap to clone.
#[derive(Clone)]
pub struct Letters {
    /// How to reach them.
    pub channels: Arc<Channels>,
    /// The page they work on, whose name stands above each letter.
    pub page: Arc<Page>,
    /// Where this instance is found from outside.
    pub base_url: Url,
}

impl Letters {
    /// Whether mail can be sent.
    pub(crate) fn are_sent(&self) -> bool {
        self.channels.sends_mail()
    }

    /// Writes to somebody, if mail can be sent.
    pub(crate) fn write(&self, email: &str, words: Words) {
        if !self.are_sent() {
            return;
        }
        let (channels, page_name, email) = (self.channels.clone(), self.page.name(), email.to_owned());
        tokio::spawn(async move {
            for pause in PAUSES {
                tokio::time::sleep(pause).await;
                let letter =
                    Letter { page_name: &page_name, subject: words.subject, text: &words.text, link: &words.link, foot: words.foot };
                match channels.send_letter(&email, letter).await {
                    Ok(()) => return,
                    Err(error @ SendError::Transient(_)) => warn!(%error, "Could not write to one of the team; trying again"),
                    Err(error) => return warn!(%error, "Could not write to one of the team"),
                }
            }
        });
    }

    /// Tells somebody what happened to their account.
    pub(crate) fn tell(&self, email: &str, subject: &'static str, text: String) {
        let link = self.link("profile");
        self.write(email, Words { subject, text, link, foot: IF_NOT_YOU });
    }

    /// The address of a page of the console.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}/console/{path}", self.base_url.as_str().trim_end_matches('/'))
    }
}
