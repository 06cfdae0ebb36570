//! Times as senders write them.

use domain::Timestamp;

use crate::error::quoted;

/// Below these, a unix time is in seconds, milliseconds, microseconds; above, in nanoseconds. As seconds the first is the year 5138.
const FIRST_MS: i64 = 100_000_000_000;
const FIRST_US: i64 = FIRST_MS * 1000;
const FIRST_NS: i64 = FIRST_US * 1000;
/// The end of the year 9999.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// Reads RFC 3339, the same with a space (`2026-03-01 12:00:00 UTC`, without a zone in UTC) or a short offset (`+0000`), or a unix time in
/// seconds, milliseconds, microseconds or nanoseconds. Nothing, zero and Go's zero time mean that there is none.
///
/// # Errors
/// A sentence about a text that is no time.
pub(crate) fn read(text: &str) -> Result<Option<Timestamp>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = text.parse::<i64>() {
        return unix(number).ok_or_else(|| problem(text));
    }
    if let Ok(secs) = text.parse::<f64>() {
        if !(0.0..LAST_SECOND).contains(&secs) {
            return Err(problem(text));
        }
        #[expect(clippy::cast_possible_truncation, reason = "the range was checked one line above")]
        return Ok((secs > 0.0).then_some(Timestamp((secs * 1000.0) as i64)));
    }
    Timestamp::parse_unless_zero(&rfc_3339(text)).map_err(|_| problem(text))
}

fn problem(text: &str) -> String {
    format!("`{}` is not a time we can read", quoted(text))
}

/// `None` for what lies before 1970.
fn unix(number: i64) -> Option<Option<Timestamp>> {
    let ms = match number {
        0 => return Some(None),
        ..0 => return None,
        n if n < FIRST_MS => n * 1000,
        n if n < FIRST_US => n,
        n if n < FIRST_NS => n / 1000,
        n => n / 1_000_000,
    };
    Some(Some(Timestamp(ms)))
}

/// Puts a `T` between date and time, and writes out a zone that is missing or has another form.
fn rfc_3339(text: &str) -> String {
    let text = text.strip_suffix(" UTC").map_or_else(|| text.to_owned(), |local| format!("{local}Z"));
    let Some((date, time)) = text.split_once([' ', 'T']) else { return text };
    let time = time.replace(' ', "");
    let zone_at = time.find(['Z', 'z', '+', '-']);
    let time = match zone_at.map(|at| time.split_at(at)) {
        None => format!("{time}Z"),
        Some((time, zone)) if zone.len() == 5 && zone.is_char_boundary(3) => format!("{time}{}:{}", &zone[..3], &zone[3..]),
        Some(_) => time,
    };
    format!("{date}T{time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_the_same_instant_is_read() {
        for text in [
            "2026-03-01T11:58:30.123Z",
            "2026-03-01T11:58:30.1234567+00:00",
            "2026-03-01 11:58:30.123 UTC",
            "2026-03-01 11:58:30.123",
            "2026-03-01T11:58:30.123",
            "2026-03-01 13:58:30.123 +0200",
            "2026-03-01T06:58:30.123-0500",
            "1772366310.123",
            "1772366310123",
            "1772366310123456",
            "1772366310123456789",
        ] {
            assert_eq!(read(text).map(|time| time.unwrap().to_string()), Ok("2026-03-01T11:58:30.123Z".to_owned()), "{text}");
        }
        assert_eq!(read("1772366310").unwrap().unwrap().to_string(), "2026-03-01T11:58:30.000Z");
    }

    #[test]
    fn nothing_is_no_time_and_nonsense_is_an_error() {
        for text in ["", " ", "0", "0.0", "0001-01-01T00:00:00Z"] {
            assert_eq!(read(text), Ok(None), "{text}");
        }
        for text in
            ["yesterday", "-1", "-1.5", "1e30", "NaN", "inf", "2026-03-01", "2026-13-01 00:00:00", "12:00", "2026-03-01 1é:00:00+éé1"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
