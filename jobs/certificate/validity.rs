//! From when until when a certificate is valid, read from its DER: the libraries that verify certificates do not say.

use domain::Timestamp;
use jiff::{civil, tz::TimeZone};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The two ends of its validity.
pub(super) fn read(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (certificate, _) = take(certificate, SEQUENCE)?;
    let (mut rest, _) = take(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        (_, rest) = take(rest, VERSION)?;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        // The serial number, the algorithm, the issuer.
        (_, rest) = take(rest, tag)?;
    }
    let (validity, _) = take(rest, SEQUENCE)?;
    let (not_before, rest) = time(validity)?;
    let (not_after, _) = time(rest)?;
    Some((not_before, not_after))
}

/// The content of the first element, which has this tag, and what follows it.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[first, length], rest) = bytes.split_first_chunk()?;
    if first != tag {
        return None;
    }
    if length < 0x80 {
        return rest.split_at_checked(usize::from(length));
    }
    let (length, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
    if length.len() > 4 {
        return None;
    }
    let length = length.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
    rest.split_at_checked(length)
}

fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let tag = *bytes.first()?;
    let (content, rest) = take(bytes, tag)?;
    let digits = str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let full = match tag {
        // Years of two digits: up to 49 they are in this century (RFC 5280).
        UTC_TIME if digits.get(..2)? < "50" => format!("20{digits}"),
        UTC_TIME => format!("19{digits}"),
        GENERALIZED_TIME => digits.to_owned(),
        _ => return None,
    };
    let when = civil::DateTime::strptime("%Y%m%d%H%M%S", full).ok()?;
    Some((Timestamp(TimeZone::UTC.to_timestamp(when).ok()?.as_millisecond()), rest))
}
