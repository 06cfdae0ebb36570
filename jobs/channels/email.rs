//! Mail, one recipient each, through an SMTP server.

mod dkim;
mod message;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use domain::{Claimed, NotificationId, Outcome, Timestamp};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::Address,
    message::{
        Mailbox, MultiPart,
        dkim::DkimConfig,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error as SmtpError, PoolConfig,
        client::{Certificate, Tls, TlsParameters, TlsParametersBuilder},
        response::Response,
    },
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use url::Url;

use crate::channels::{Letter, links::Links, one_line};
pub use dkim::Dkim;
use message::Content;

/// How many connections to the mail server stand at once.
const MAX_CONNECTIONS: u32 = 10;
/// How long the mail server may take for one command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take for one mail, connecting included.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What is kept of its answers.
const MAX_EXCERPT_CHARS: usize = 200;

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct EmailSettings {
    /// `smtp://` or `smtps://`, with user, password and port as needed. `smtp://…?tls=required` and `?tls=opportunistic` use STARTTLS.
    pub smtp_url: SecretString,
    /// The sender: `Acme status <status@example.com>` or the address alone.
    pub from: String,
    /// Signs, if the mail server does not.
    pub dkim: Option<Dkim>,
}

/// Why mail cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EmailSetupError {
    /// Not a URL of a mail server. The URL may hold a password and is not repeated.
    #[error("FANAL_SMTP_URL is not like smtp://host:port, smtps://user:password@host or smtp://…?tls=required: {0}")]
    SmtpUrl(String),
    /// Not a sender.
    #[error("FANAL_MAIL_FROM is not like `Acme status <status@example.com>`")]
    From,
    /// Not a signing key, or one for someone else's mail.
    #[error("the DKIM settings cannot be used: {0}")]
    Dkim(&'static str),
}

/// Why a mail outside the list of notifications was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No mail server is configured.
    #[error("mail is off: set FANAL_SMTP_URL")]
    Off,
    /// Not a mail address.
    #[error("not a mail address")]
    Address,
    /// It may work later.
    #[error("{0}")]
    Transient(String),
    /// It never will.
    #[error("{0}")]
    Permanent(String),
}

/// The way to the mail server: a pool of connections. Must be made inside a Tokio runtime.
pub struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// The pool itself bounds only what idles.
    connections: Semaphore,
    from: Mailbox,
    dkim: Option<Arc<DkimConfig>>,
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Email").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Email {
    /// Checks the settings. Does not connect.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn new(settings: &EmailSettings) -> Result<Self, EmailSetupError> {
        let from: Mailbox = settings.from.parse().map_err(|_| EmailSetupError::From)?;
        let transport = transport(settings.smtp_url.expose_secret()).map_err(|error| EmailSetupError::SmtpUrl(error.to_string()))?;
        let dkim = settings.dkim.as_ref().map(|dkim| aligned(dkim, from.email.domain())).transpose().map_err(EmailSetupError::Dkim)?;
        Ok(Self { transport, connections: Semaphore::new(MAX_CONNECTIONS as usize), from, dkim })
    }

    /// Asks the mail server whether it is there and takes our log-in.
    ///
    /// # Errors
    /// It is not, or does not.
    pub async fn check(&self) -> Result<(), SendError> {
        match tokio::time::timeout(TIMEOUT, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(SendError::Transient("the mail server closes the connection".to_owned())),
            Ok(Err(error)) => Err(SendError::Transient(one_line(&error.to_string(), MAX_EXCERPT_CHARS))),
            Err(_) => Err(SendError::Transient("the mail server did not answer in time".to_owned())),
        }
    }

    pub(super) async fn send(&self, claimed: &Claimed, links: &Links, now: Timestamp) -> Outcome {
        match self.notice(claimed, links, now) {
            Ok(message) => self.deliver(message).await,
            Err(error) => Outcome::Permanent { why: error.to_string() },
        }
    }

    pub(super) async fn send_confirmation(&self, page_name: &str, address: &str, link: &str, now: Timestamp) -> Result<(), SendError> {
        let id = format!("<confirmation.{:032x}@{}>", rand::random::<u128>(), self.from.email.domain());
        self.deliver_once(self.message(address, id, now, message::confirmation(page_name, link), |builder| builder)?).await
    }

    pub(super) async fn send_letter(&self, address: &str, letter: Letter<'_>, now: Timestamp) -> Result<(), SendError> {
        let id = format!("<letter.{:032x}@{}>", rand::random::<u128>(), self.from.email.domain());
        self.deliver_once(self.message(address, id, now, message::letter(&letter), |builder| builder)?).await
    }

    async fn deliver_once(&self, message: Message) -> Result<(), SendError> {
        match self.deliver(message).await {
            Outcome::Delivered { .. } => Ok(()),
            Outcome::Transient { why, .. } => Err(SendError::Transient(why)),
            Outcome::Permanent { why } | Outcome::Gone { why } => Err(SendError::Permanent(why)),
        }
    }

    fn notice(&self, claimed: &Claimed, links: &Links, now: Timestamp) -> Result<Message, SendError> {
        let id = self.message_id(claimed.notification);
        let first = claimed.thread.filter(|first| *first != claimed.notification).map(|first| self.message_id(first));
        let unsubscribe = format!("<{}>", links.unsubscribe(&claimed.recipient));
        self.message(&claimed.recipient.address, id, now, message::notice(claimed, links), |mut builder| {
            if let Some(first) = first {
                builder = builder.in_reply_to(first.clone()).references(first);
            }
            builder
                .raw_header(header("List-Unsubscribe", unsubscribe))
                .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()))
                .raw_header(header("Precedence", "bulk".to_owned()))
        })
    }

    /// Every try of a notification has the same id: mail programs show repeats once.
    fn message_id(&self, notification: NotificationId) -> String {
        format!("<notification.{notification}@{}>", self.from.email.domain())
    }

    fn message(
        &self,
        address: &str,
        id: String,
        now: Timestamp,
        content: Content,
        add_headers: impl FnOnce(lettre::message::MessageBuilder) -> lettre::message::MessageBuilder,
    ) -> Result<Message, SendError> {
        let to: Address = address.parse().map_err(|_| SendError::Address)?;
        let date = SystemTime::UNIX_EPOCH + Duration::from_millis(now.0.try_into().unwrap_or(0));
        let builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(content.subject)
            .date(date)
            .message_id(Some(id))
            .raw_header(header("Auto-Submitted", "auto-generated".to_owned()));
        let mut message = add_headers(builder)
            .multipart(MultiPart::alternative_plain_html(content.text, content.html))
            .map_err(|error| SendError::Permanent(error.to_string()))?;
        if let Some(dkim) = &self.dkim {
            message.sign(dkim);
        }
        Ok(message)
    }

    async fn deliver(&self, message: Message) -> Outcome {
        let Ok(_connection) = self.connections.acquire().await else {
            return Outcome::Transient { why: "mail is shutting down".to_owned(), retry_after_secs: None };
        };
        match tokio::time::timeout(TIMEOUT, self.transport.send(message)).await {
            Ok(Ok(response)) => Outcome::Delivered { detail: answer(&response) },
            Ok(Err(error)) => outcome(&error),
            Err(_) => Outcome::Transient { why: "the mail server did not answer in time".to_owned(), retry_after_secs: None },
        }
    }
}

/// Trusts the public web's certificate authorities and the platform's own (`SSL_CERT_FILE`), as [`crate::egress`] does.
fn transport(url: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, SmtpError> {
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?;
    if let Some((host, begin)) = tls_mode(url) {
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|root| Certificate::from_der(root.to_vec()).ok());
        let parameters = roots.fold(TlsParameters::builder(host), TlsParametersBuilder::add_root_certificate).build()?;
        builder = builder.tls(begin(parameters));
    }
    Ok(builder.timeout(Some(COMMAND_TIMEOUT)).pool_config(PoolConfig::new().max_size(MAX_CONNECTIONS)).build())
}

/// Makes of parameters the way TLS begins.
type BeginTls = fn(TlsParameters) -> Tls;

/// The host to be verified and how TLS begins, for a URL that has been accepted.
fn tls_mode(url: &str) -> Option<(String, BeginTls)> {
    let url = Url::parse(url).ok()?;
    let begin: BeginTls = match (url.scheme(), url.query_pairs().find(|(key, _)| key == "tls").as_ref().map(|(_, value)| value.as_ref())) {
        ("smtps", _) => Tls::Wrapper,
        (_, Some("required")) => Tls::Required,
        (_, Some("opportunistic")) => Tls::Opportunistic,
        _ => return None,
    };
    Some((url.host_str()?.to_owned(), begin))
}

/// A signature of another domain than the sender's proves nothing to a receiver.
fn aligned(dkim: &Dkim, sender: &str) -> Result<Arc<DkimConfig>, &'static str> {
    let (domain, sender) = (dkim.domain.to_ascii_lowercase(), sender.to_ascii_lowercase());
    if sender != domain && !sender.ends_with(&format!(".{domain}")) {
        return Err("its domain must be the sender's, or one above it");
    }
    dkim.config().map(Arc::new)
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

fn answer(response: &Response) -> String {
    let words: Vec<&str> = response.message().collect();
    one_line(&format!("{} {}", response.code(), words.join(" ")), MAX_EXCERPT_CHARS)
}

/// What a failure means: see RFC 3463 for the numbers in three parts.
fn outcome(error: &SmtpError) -> Outcome {
    let why = one_line(&error.to_string(), MAX_EXCERPT_CHARS);
    let Some(code) = error.status().filter(|_| error.is_permanent()) else {
        return if error.is_client() { Outcome::Permanent { why } } else { Outcome::Transient { why, retry_after_secs: None } };
    };
    match u16::from(code) {
        // Our log-in is refused. That is for the operator to mend, and no fault of this mail.
        530 | 534 | 535 | 538 => Outcome::Transient { why, retry_after_secs: None },
        _ if ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"].iter().any(|class| has_word(&why, class)) => Outcome::Gone { why },
        _ => Outcome::Permanent { why },
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split_whitespace().any(|found| found == word)
}

#[cfg(test)]
mod tests;
