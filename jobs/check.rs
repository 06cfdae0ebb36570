//! Tries what a check is to try, and writes down what came of it.
//!
//! Everything goes through the one guard. Nothing is shared between tries: a kept connection would hide what new visitors meet.

mod dns;
mod http;
mod icmp;
mod tls;

use std::time::Duration;

use domain::Timestamp;
use integrations::check::{Failure, FailureKind, IpVersion, Measured, Probe, TcpProbe, What};
use tokio::{io::AsyncReadExt, net::TcpStream, time::Instant};

use crate::egress::{Dialed, Egress, EgressError, Trouble};

/// What a server is given time to say before it is cut.
const MAX_GREETING_BYTES: usize = 1 << 10;

/// Tries once.
///
/// # Errors
/// We do not go there: that says nothing about the thing itself.
pub(crate) async fn measure(egress: &Egress, probe: &Probe, now: Timestamp) -> Result<Measured, EgressError> {
    let began = Instant::now();
    let timeout = Duration::from_millis(u64::try_from(probe.timeout.0).unwrap_or(0));
    let mut attempt =
        Attempt { egress, ip: probe.ip, deadline: began + timeout, measured: Measured { at: Some(now), ..Measured::default() } };
    let ended = {
        let what = async {
            match &probe.what {
                What::Http(http) => http::run(&mut attempt, http).await,
                What::Tcp(tcp) => run_tcp(&mut attempt, tcp).await,
                What::Dns(dns) => dns::run(&mut attempt, dns).await,
                What::Tls(tls) => tls::run(&mut attempt, tls).await,
                What::Icmp(icmp) => icmp::run(&mut attempt, icmp).await,
            }
        };
        tokio::time::timeout(timeout, what).await
    };
    let mut measured = attempt.measured;
    measured.timings.total = Some(millis(began.elapsed()));
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(Trouble::Refused(refused))) => return Err(refused),
        Ok(Err(Trouble::Failed(failure))) => measured.failure = Some(failure),
        Err(_) => {
            let connectionless = matches!(probe.what, What::Icmp(_));
            let text = if connectionless || measured.timings.connect.is_some() { "no answer in time" } else { "no connection in time" };
            measured.failure = Some(Failure::new(FailureKind::Timeout, text));
        }
    }
    Ok(measured)
}

/// One try, and what is known of it so far.
struct Attempt<'a> {
    egress: &'a Egress,
    ip: Option<IpVersion>,
    deadline: Instant,
    measured: Measured,
}

impl Attempt<'_> {
    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    async fn connect(&mut self, host: &str, port: u16) -> Result<TcpStream, Trouble> {
        let Dialed { stream, address, dns, connect } = self.egress.dial(host, port, self.ip, self.left()).await?;
        self.measured.address = Some(address.to_string());
        let timings = &mut self.measured.timings;
        // An address needs no resolving, and several connections count together.
        add(&mut timings.dns, dns);
        add(&mut timings.connect, connect);
        Ok(stream)
    }
}

async fn run_tcp(attempt: &mut Attempt<'_>, probe: &TcpProbe) -> Result<(), Trouble> {
    let mut stream = attempt.connect(&probe.host, probe.port).await?;
    let Some(expect) = &probe.expect else { return Ok(()) };
    let connected = Instant::now();
    let mut said = Vec::new();
    let mut buffer = [0; 512];
    while said.len() < MAX_GREETING_BYTES {
        let n = match stream.read(&mut buffer).await {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) => return Err(Trouble::io(&error)),
        };
        if said.is_empty() {
            add(&mut attempt.measured.timings.first_byte, connected.elapsed());
        }
        said.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&said);
        let enough = text.contains(expect.as_str());
        attempt.measured.body = Some(text.into_owned());
        if enough {
            break;
        }
    }
    Ok(())
}

/// Adds a step that has taken so long.
fn add(sum: &mut Option<f64>, took: Duration) {
    *sum = Some(((sum.unwrap_or(0.0) + millis(took)) * 10.0).round() / 10.0);
}

/// To a tenth.
fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests;
