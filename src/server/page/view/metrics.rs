//! Metrics: a small drawing, one sentence, and the numbers behind it.

use std::fmt::Write;

use domain::{PageMetric, Sample, Span, Timestamp};

use crate::page::site::Site;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 96.0;
const SHOWN: Span = Span::mins(24 * 60);
/// A longer silence is drawn as a gap, not as a line.
const GAP: Span = Span::mins(30);
/// How far from its median a value may be and still be called usual.
const USUAL: f64 = 0.25;

/// A metric as the page shows it.
#[derive(Debug)]
pub(crate) struct Chart<'a> {
    pub(crate) id: i64,
    pub(crate) name: &'a str,
    pub(crate) unit: &'a str,
    /// "182 ms, as usual; between 120 and 240 ms in 24 hours".
    pub(crate) summary: String,
    /// The newest value with its unit.
    pub(crate) now: String,
    /// Path data. Made of numbers only; empty without samples.
    pub(crate) line: String,
    /// The value at the top of the drawing.
    pub(crate) top: String,
    /// The value at its bottom: zero unless something is below it.
    pub(crate) bottom: String,
    pub(crate) hours: Vec<Hour>,
}

/// One hour's line in the table.
#[derive(Debug)]
pub(crate) struct Hour {
    /// `<time>`.
    pub(crate) from: String,
    pub(crate) mean: String,
    pub(crate) low: String,
    pub(crate) high: String,
}

impl<'a> Chart<'a> {
    pub(crate) fn new(shown: &'a PageMetric, site: &Site) -> Self {
        let metric = &shown.metric;
        let start = Timestamp(site.as_of.0 - SHOWN.0);
        let samples: Vec<Sample> = shown
            .samples
            .iter()
            .filter(|sample| sample.value.is_finite() && sample.at >= start && sample.at <= site.as_of)
            .copied()
            .collect();
        let (low, high) = range(&samples);
        let (bottom, top) = (low.min(0.0), if high > low.min(0.0) { high } else { low.min(0.0) + 1.0 });
        Self {
            id: metric.id.0,
            name: &metric.name,
            unit: &metric.unit,
            summary: summary(&samples, &metric.unit),
            now: samples.last().map(|sample| with_unit(sample.value, &metric.unit)).unwrap_or_default(),
            line: line(&samples, start, bottom, top),
            top: number(top),
            bottom: number(bottom),
            hours: hours(&samples, site),
        }
    }
}

fn range(samples: &[Sample]) -> (f64, f64) {
    let low = samples.iter().map(|sample| sample.value).fold(f64::INFINITY, f64::min);
    let high = samples.iter().map(|sample| sample.value).fold(f64::NEG_INFINITY, f64::max);
    if samples.is_empty() { (0.0, 0.0) } else { (low, high) }
}

fn line(samples: &[Sample], start: Timestamp, bottom: f64, top: f64) -> String {
    let mut path = String::with_capacity(samples.len() * 12);
    let mut previous: Option<Timestamp> = None;
    for sample in samples {
        let x = sample.at.since(start).0 as f64 / SHOWN.0 as f64 * WIDTH;
        // Two units of room so that the line's own width is not cut off.
        let y = HEIGHT - 2.0 - (sample.value - bottom) / (top - bottom) * (HEIGHT - 4.0);
        let joined = previous.is_some_and(|before| sample.at.since(before) <= GAP);
        let _ = write!(path, "{}{x:.1} {y:.1}", if joined { 'L' } else { 'M' });
        previous = Some(sample.at);
    }
    path
}

fn summary(samples: &[Sample], unit: &str) -> String {
    let Some(last) = samples.last() else { return "No values in the last 24 hours".to_owned() };
    let mut sorted: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let (low, high) = range(samples);
    let verdict = if (last.value - median).abs() <= USUAL * median.abs() {
        "as usual".to_owned()
    } else {
        format!("{} the usual {}", if last.value > median { "above" } else { "below" }, with_unit(median, unit))
    };
    format!("{}, {verdict}; between {} and {} in 24 hours", with_unit(last.value, unit), number(low), with_unit(high, unit))
}

fn hours(samples: &[Sample], site: &Site) -> Vec<Hour> {
    const HOUR_MS: i64 = 3_600_000;
    samples
        .chunk_by(|one, next| one.at.0.div_euclid(HOUR_MS) == next.at.0.div_euclid(HOUR_MS))
        .rev()
        .filter_map(|hour| {
            let (low, high) = range(hour);
            let mean = hour.iter().map(|sample| sample.value).sum::<f64>() / hour.len() as f64;
            let from = Timestamp(hour.first()?.at.0.div_euclid(HOUR_MS) * HOUR_MS);
            Some(Hour { from: site.clock(&from), mean: number(mean), low: number(low), high: number(high) })
        })
        .collect()
}

fn with_unit(value: f64, unit: &str) -> String {
    format!("{}\u{a0}{unit}", number(value)).trim_end().to_owned()
}

/// Three digits are enough for a reader.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
