//! A mail server that keeps what it is sent, and refuses, stalls or hangs up when told to.
//!
//! The protocol is the crate `mailin`'s; here are only sockets, and threads of its own, so that it answers while a test blocks its runtime.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use mailin::{Action, Handler, Response, SessionBuilder, response};

use super::wait_for;

/// What a client sends when a message is complete.
const END_OF_MESSAGE: &[u8] = b".\r\n";

/// One message as it came.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// The envelope's sender.
    pub(crate) from: String,
    /// The envelope's recipients.
    pub(crate) to: Vec<String>,
    /// Header and body, byte for byte.
    pub(crate) raw: Vec<u8>,
}

/// How the server treats who comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Takes everything.
    #[default]
    Accept,
    /// Answers with this code (4xx or 5xx) at this point; 421 also closes the connection.
    Refuse(Stage, u16),
    /// Answers nothing until its manner changes.
    Stall,
    /// Takes a message and closes the connection instead of saying so.
    HangUp,
}

/// A point of the dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// `MAIL FROM`.
    Sender,
    /// `RCPT TO`.
    Recipient,
    /// The message has arrived.
    Message,
}

/// A server on a spare port. Dropping it closes the port.
pub(crate) struct SmtpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    manner: Manner,
    refused: HashMap<String, (u16, &'static str)>,
    asked: HashMap<String, usize>,
    mails: Vec<Mail>,
    n_connections: usize,
    closed: bool,
}

impl SmtpServer {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port to be had on 127.0.0.1")?;
        let server = Self { address: listener.local_addr()?, shared: Arc::default() };
        let shared = server.shared.clone();
        thread::spawn(move || accept(&listener, &shared));
        Ok(server)
    }

    /// Where it is reached, without TLS.
    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Changes how it treats who comes from now on, and who is being stalled.
    pub(crate) fn behave(&self, manner: Manner) {
        self.shared.lock().manner = manner;
        self.shared.changed.notify_all();
    }

    /// Refuses one address with this code and text, whatever its manner.
    pub(crate) fn refuse_recipient(&self, address: &str, code: u16, text: &'static str) {
        self.shared.lock().refused.insert(address.to_owned(), (code, text));
    }

    /// How often it was asked whether it takes mail for an address.
    pub(crate) fn n_asked(&self, address: &str) -> usize {
        self.shared.lock().asked.get(address).copied().unwrap_or_default()
    }

    /// What has arrived so far.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.shared.lock().mails.clone()
    }

    /// How many connections there have been.
    pub(crate) fn n_connections(&self) -> usize {
        self.shared.lock().n_connections
    }

    /// Waits until at least `n` messages have arrived, and returns all.
    pub(crate) async fn wait_for_mails(&self, n: usize, timeout: Duration) -> Result<Vec<Mail>> {
        wait_for(&format!("{n} mails"), timeout, || async { Some(self.mails()).filter(|mails| mails.len() >= n) }).await
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        // Wakes the thread that accepts, so that it sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The manner to act on, once it is no longer to stall; `None` when the server is closed.
    fn manner(&self) -> Option<Manner> {
        let stalled = |state: &mut State| state.manner == Manner::Stall && !state.closed;
        let state = self.changed.wait_while(self.lock(), stalled).unwrap_or_else(PoisonError::into_inner);
        (!state.closed).then_some(state.manner)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        let mut state = shared.lock();
        if state.closed {
            return;
        }
        state.n_connections += 1;
        let shared = shared.clone();
        // A client that goes away in the middle is none of our business.
        thread::spawn(move || drop(converse(stream, &shared)));
    }
}

fn converse(stream: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let from = stream.peer_addr()?.ip();
    let new_session = || SessionBuilder::new("mail.test").build(from, Inbox { shared: shared.clone(), mail: None });
    let mut session = new_session();
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone()?), stream);
    let mut reply = session.greeting();
    let mut line = Vec::new();
    loop {
        let Some(manner) = shared.manner() else { return Ok(()) };
        let took_message = line == END_OF_MESSAGE && reply.code == response::OK.code;
        if took_message && manner == Manner::HangUp {
            return Ok(());
        }
        if reply.action != Action::NoReply {
            writer.write_all(&reply.buffer()?)?;
        }
        if reply.action == Action::Close {
            return Ok(());
        }
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        reply = session.process(&line);
        if reply.is_error && line == END_OF_MESSAGE {
            // The crate's session would wait for the rest of the message that it has just refused.
            session = new_session();
            session.process(b"EHLO again\r\n");
        }
    }
}

/// What one connection decides on.
struct Inbox {
    shared: Arc<Shared>,
    mail: Option<Mail>,
}

impl Inbox {
    fn refusal(&self, stage: Stage) -> Option<Response> {
        match self.shared.lock().manner {
            Manner::Refuse(at, code) if at == stage => Some(refuse(code, "told to refuse")),
            _ => None,
        }
    }
}

fn refuse(code: u16, text: &str) -> Response {
    Response::custom(code, text.to_owned())
}

impl Handler for Inbox {
    fn mail(&mut self, _ip: IpAddr, _domain: &str, _from: &str) -> Response {
        self.refusal(Stage::Sender).unwrap_or(response::OK)
    }

    fn rcpt(&mut self, to: &str) -> Response {
        let refused = {
            let mut state = self.shared.lock();
            *state.asked.entry(to.to_owned()).or_default() += 1;
            state.refused.get(to).copied()
        };
        refused.map(|(code, text)| refuse(code, text)).or_else(|| self.refusal(Stage::Recipient)).unwrap_or(response::OK)
    }

    fn data_start(&mut self, _domain: &str, from: &str, _is8bit: bool, to: &[String]) -> Response {
        self.mail = Some(Mail { from: from.to_owned(), to: to.to_owned(), raw: Vec::new() });
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        if let Some(mail) = &mut self.mail {
            mail.raw.extend_from_slice(line);
        }
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let refusal = self.refusal(Stage::Message);
        if refusal.is_none() {
            self.shared.lock().mails.extend(self.mail.take());
        }
        refusal.unwrap_or(response::OK)
    }
}

#[cfg(test)]
mod tests {
    use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, transport::smtp::Error};
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    async fn send(server: &SmtpServer, to: &str) -> Result<(), Error> {
        let message = Message::builder().from("status@example.com".parse().unwrap()).to(to.parse().unwrap()).subject("Hello");
        let message = message.body(".a line that begins with a dot\r\n".to_owned()).unwrap();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&server.url())?.build();
        transport.send(message).await.map(drop)
    }

    #[tokio::test]
    async fn a_mail_is_kept_byte_for_byte_with_its_envelope() -> Result<()> {
        let server = SmtpServer::start()?;
        send(&server, "reader@example.com").await?;
        let mails = server.wait_for_mails(1, SOON).await?;
        assert_eq!((mails[0].from.as_str(), mails[0].to.as_slice()), ("status@example.com", &["reader@example.com".to_owned()][..]));
        let text = String::from_utf8(mails[0].raw.clone())?;
        assert!(text.contains("Subject: Hello\r\n") && text.contains("\r\n\r\n.a line that begins with a dot\r\n"), "{text}");
        assert_eq!(server.n_connections(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn it_refuses_stalls_and_hangs_up_when_told_to() -> Result<()> {
        let server = SmtpServer::start()?;
        server.refuse_recipient("gone@example.com", 550, "gone");
        assert!(send(&server, "gone@example.com").await.is_err_and(|error| error.is_permanent()));
        send(&server, "reader@example.com").await?;

        for stage in [Stage::Sender, Stage::Recipient, Stage::Message] {
            server.behave(Manner::Refuse(stage, 451));
            assert!(send(&server, "reader@example.com").await.is_err_and(|error| error.is_transient()), "{stage:?}");
        }
        server.behave(Manner::Stall);
        assert!(timeout(Duration::from_millis(300), send(&server, "reader@example.com")).await.is_err());
        assert_eq!(server.mails().len(), 1, "nothing refused is kept");

        server.behave(Manner::HangUp);
        assert!(send(&server, "reader@example.com").await.is_err());
        assert_eq!(server.wait_for_mails(2, SOON).await?.len(), 2, "what was taken before hanging up is kept");

        let url = server.url();
        drop(server);
        let address = url.trim_start_matches("smtp://");
        wait_for("the port to close", SOON, || async { TcpStream::connect(address).is_err().then_some(()) }).await
    }
}
