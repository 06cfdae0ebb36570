//! Echo requests, as `ping` sends them.

mod packet;

use integrations::check::IcmpProbe;
use std::time::Duration;
use tokio::time::{Instant, timeout};

use self::packet::{Carrier, Token};
use super::{Attempt, add};
use crate::egress::{Echoes, Trouble};

/// A request may get lost: another is sent after so long.
const SEND_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Sends requests until one is answered. Who calls has the patience.
pub(super) async fn run(attempt: &mut Attempt<'_>, probe: &IcmpProbe) -> Result<(), Trouble> {
    let echoes = attempt.egress.echoes(&probe.host, attempt.ip).await?;
    attempt.measured.address = Some(echoes.address.to_string());
    add(&mut attempt.measured.timings.dns, echoes.dns);
    let carrier = match (echoes.address.is_ipv4(), echoes.raw) {
        (true, true) => Carrier::V4WithHeader,
        (true, false) => Carrier::V4,
        (false, _) => Carrier::V6,
    };
    let token: Token = rand::random();
    let mut sent = Vec::new();
    loop {
        let number = u16::try_from(sent.len()).unwrap_or(u16::MAX);
        sent.push(Instant::now());
        echoes.socket.send(&packet::request(carrier, number, &token)).await.map_err(|error| Trouble::io(&error))?;
        let answer = answer(&echoes, carrier, &token, &sent);
        if let Ok(took) = timeout(SEND_AGAIN_AFTER, answer).await {
            add(&mut attempt.measured.timings.first_byte, took?);
            return Ok(());
        }
    }
}

/// Waits for the answer to any of the requests; how long that one took.
async fn answer(echoes: &Echoes, carrier: Carrier, token: &Token, sent: &[Instant]) -> Result<Duration, Trouble> {
    let mut buffer = [0; 2048];
    loop {
        let n = echoes.socket.recv(&mut buffer).await.map_err(|error| Trouble::io(&error))?;
        let number = packet::answered(carrier, &buffer[..n], token);
        if let Some(at) = number.and_then(|number| sent.get(usize::from(number))) {
            return Ok(at.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::packet::{answered, request};
    use super::*;

    const TOKEN: Token = *b"sixteen letters.";

    /// What a host makes of a request.
    fn echo(carrier: Carrier, number: u16) -> Vec<u8> {
        let mut answer = request(carrier, number, &TOKEN);
        answer[0] = if carrier == Carrier::V6 { 129 } else { 0 };
        answer
    }

    #[test]
    fn an_answer_belongs_to_its_request() {
        for carrier in [Carrier::V4, Carrier::V6] {
            assert_eq!(answered(carrier, &echo(carrier, 7), &TOKEN), Some(7));
            assert_eq!(answered(carrier, &request(carrier, 7, &TOKEN), &TOKEN), None, "the request itself");
            assert_eq!(answered(carrier, &echo(carrier, 7), b"another's letter"), None);
            assert_eq!(answered(carrier, &echo(carrier, 7)[..20], &TOKEN), None, "cut short");
        }
        let with_header = [&[0x45; 20][..], &echo(Carrier::V4, 3)].concat();
        assert_eq!(answered(Carrier::V4WithHeader, &with_header, &TOKEN), Some(3));
        assert_eq!(answered(Carrier::V4WithHeader, &[0x4f], &TOKEN), None);
        assert_eq!(answered(Carrier::V4WithHeader, &[], &TOKEN), None);
    }

    #[test]
    fn a_request_carries_the_checksum_of_rfc_1071() {
        let bytes = request(Carrier::V4, 1, &TOKEN);
        let sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "{bytes:?}");
    }
}
