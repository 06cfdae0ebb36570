//! Syslog, as RFC 5424 writes it.

use std::io;

use storage::audit::Recorded;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UdpSocket, UnixDatagram},
};

use super::{Sink, entry};

/// Facility 13, log audit; severity 5, notice.
const PRIORITY: u8 = 13 * 8 + 5;
/// The longest message: what a datagram surely carries is less, but a receiver that reads RFC 5424 takes this much.
const MAX_MESSAGE_BYTES: usize = 32 << 10;

/// Writes messages; keeps a connection while it works.
pub(super) struct Syslog {
    host: String,
    connection: Option<TcpStream>,
}

impl Syslog {
    pub(super) fn new(host: String) -> Self {
        Self { host, connection: None }
    }

    pub(super) async fn send(&mut self, sink: &Sink, rows: &[Recorded]) -> io::Result<()> {
        let messages = rows.iter().map(|row| message(&self.host, row));
        match sink {
            Sink::SyslogUdp(place) => {
                let target = tokio::net::lookup_host(place).await?.next().ok_or_else(|| io::Error::other("the host has no address"))?;
                let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any).await?;
                socket.connect(target).await?;
                for message in messages {
                    socket.send(message.as_bytes()).await?;
                }
            }
            Sink::SyslogUnix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                for message in messages {
                    socket.send(message.as_bytes()).await?;
                }
            }
            Sink::SyslogTcp(place) => {
                let frames: String = messages.map(|message| format!("{} {message}", message.len())).collect();
                // Taken out, so that a connection that breaks in the middle is not used again.
                let mut connection = match self.connection.take() {
                    Some(connection) if is_open(&connection) => connection,
                    _ => TcpStream::connect(place).await?,
                };
                connection.write_all(frames.as_bytes()).await?;
                connection.flush().await?;
                self.connection = Some(connection);
            }
            Sink::Webhook(_) => {}
        }
        Ok(())
    }
}

/// A receiver that has closed says so by an end; it never says anything else.
fn is_open(connection: &TcpStream) -> bool {
    matches!(connection.try_read(&mut [0; 64]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// `<PRI>1 TIME HOST APP PROCID MSGID [SD] JSON`. The message is JSON in one line, so nothing in it can begin another.
fn message(host: &str, row: &Recorded) -> String {
    let data = format!("[fanal@32473 id=\"{}\" hash=\"{}\"]", row.id, row.hash);
    let text = entry(row).to_string();
    let text = if text.len() > MAX_MESSAGE_BYTES {
        let mut short = row.clone();
        (short.before, short.after) = (None, None);
        entry(&short).to_string()
    } else {
        text
    };
    format!("<{PRIORITY}>1 {} {} fanal - {} {data} {text}", row.at, header(host, 255), header(&row.action, 32))
}

/// A field of the header: visible ASCII, or `-`.
fn header(text: &str, max: usize) -> String {
    let text: String = text.chars().filter(char::is_ascii_graphic).take(max).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}
