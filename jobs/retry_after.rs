//! What `Retry-After` asks for, of notifications and of polls.

use domain::{Span, Timestamp};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How long whoever answered asks to be left alone: a number of seconds, or the time until a date, which is none once it is past. Nothing, if it is neither.
pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Span> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Span(text.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(1000)));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp(date.timestamp().as_millisecond()).since(now))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nothing_else() {
        let now = Timestamp::parse("2026-10-21T07:26:00Z").unwrap();
        let read = |text: &'static str| read(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]), now);
        assert_eq!([read("120"), read(" 0 ")], [Some(Span::secs(120)), Some(Span::ZERO)]);
        assert_eq!(read("Wed, 21 Oct 2026 07:28:00 GMT"), Some(Span::secs(120)));
        assert_eq!(read("Thu, 22 Oct 2026 07:26:00 GMT"), Some(Span::mins(24 * 60)), "providers do ask for a day");
        assert_eq!(read("99999999999999999999"), Some(Span(i64::MAX)), "more than anybody waits is left to the limit");
        assert_eq!(read("Wed, 21 Oct 2026 07:25:00 GMT"), Some(Span::ZERO));
        for wrong in ["-1", "+5", "1.5", "", "soon"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(super::read(&HeaderMap::new(), now), None);
    }
}
