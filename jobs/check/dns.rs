//! One question to one name server.

mod answer;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query},
    rr::Name,
};
use integrations::check::{DnsProbe, Failure, FailureKind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout},
};

use super::{Attempt, add};
use crate::egress::{Trouble, datagrams};

const PORT: u16 = 53;
/// A datagram may get lost: it is sent again after so long.
const SEND_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Where the machine's name servers are written.
const RESOLV_CONF: &str = "/etc/resolv.conf";

pub(super) async fn run(attempt: &mut Attempt<'_>, probe: &DnsProbe) -> Result<(), Trouble> {
    attempt.egress.check_name(&probe.name)?;
    let (server, socket) = match &probe.resolver {
        Some(text) => {
            let server = address(text).ok_or_else(|| Failure::new(FailureKind::Protocol, "the resolver is not an address"))?;
            (server, attempt.egress.datagrams(server).await?)
        }
        None => {
            let server = system_resolver().await;
            (server, datagrams(server).await?)
        }
    };
    attempt.measured.address = Some(server.to_string());
    let asked = question(probe)?;
    let bytes = asked.to_vec().map_err(|_| Failure::new(FailureKind::Protocol, "the name cannot be asked for"))?;
    let began = Instant::now();
    let mut answer = by_datagram(&socket, &asked, &bytes).await?;
    if answer.metadata.truncation {
        answer = by_stream(server, &asked, &bytes).await?;
    }
    add(&mut attempt.measured.timings.first_byte, began.elapsed());
    attempt.measured.dns = Some(answer::read(&answer, probe.record));
    Ok(())
}

fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, PORT)))
}

/// The machine's first name server, or, as everywhere, the one on it.
async fn system_resolver() -> SocketAddr {
    let text = tokio::fs::read_to_string(RESOLV_CONF).await.unwrap_or_default();
    let first = text.lines().find_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next()?.parse::<IpAddr>().ok());
    SocketAddr::new(first.unwrap_or(IpAddr::from([127, 0, 0, 1])), PORT)
}

fn question(probe: &DnsProbe) -> Result<Message, Trouble> {
    let mut name = Name::from_ascii(&probe.name).map_err(|_| Failure::new(FailureKind::Protocol, "the name cannot be asked for"))?;
    name.set_fqdn(true);
    let mut message = Message::new(rand::random(), MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, answer::wire_type(probe.record)));
    Ok(message)
}

async fn by_datagram(socket: &UdpSocket, asked: &Message, bytes: &[u8]) -> Result<Message, Trouble> {
    let mut buffer = vec![0; 4096];
    // Until the whole try runs out of time.
    loop {
        socket.send(bytes).await.map_err(|error| Trouble::io(&error))?;
        let received = timeout(SEND_AGAIN_AFTER, async {
            loop {
                let n = socket.recv(&mut buffer).await?;
                match answer::parse(&buffer[..n]) {
                    Some(answer) if answer::answers(&answer, asked) => return Ok::<_, std::io::Error>(answer),
                    _ => {}
                }
            }
        });
        match received.await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => return Err(Trouble::io(&error)),
            Err(_) => {}
        }
    }
}

/// Only after a datagram from the same server, which the guard has let through.
async fn by_stream(server: SocketAddr, asked: &Message, bytes: &[u8]) -> Result<Message, Trouble> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        stream.write_all(&[&length, bytes].concat()).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = exchange.await.map_err(|error| Trouble::io(&error))?;
    let answer = answer::parse(&answer).filter(|answer| answer::answers(answer, asked));
    answer.ok_or_else(|| Failure::new(FailureKind::Protocol, "what came back is not an answer").into())
}
