//! Badges: a name and a status in one small picture.

use askama::Template;
use domain::Status;

use super::view::{html, label};

/// Longer names are cut: a badge stands in a line of text.
const MAX_NAME_CHARS: usize = 40;
/// Widths in a drawing whose font we cannot know; `textLength` makes every font fit.
const CHAR_WIDTH: usize = 7;
const PADDING: usize = 8;
const SHAPE_WIDTH: usize = 18;

#[derive(Template)]
#[template(path = "page/badge.svg")]
struct Badge {
    name: String,
    status: &'static str,
    class: &'static str,
    /// Background of the status: dark enough for white text.
    fill: &'static str,
    name_width: usize,
    status_width: usize,
    name_text: usize,
    status_text: usize,
    status_x: usize,
}

impl Badge {
    const fn width(&self) -> usize {
        self.name_width + self.status_width
    }
}

/// The badge of `name`.
pub(super) fn badge(name: &str, status: Status) -> String {
    let shown: String = if name.chars().count() > MAX_NAME_CHARS {
        name.chars().take(MAX_NAME_CHARS - 1).chain(['…']).collect()
    } else {
        name.to_owned()
    };
    let status_label = label(status);
    let (name_text, status_text) = (shown.chars().count() * CHAR_WIDTH, status_label.len() * CHAR_WIDTH);
    let name_width = name_text + 2 * PADDING;
    html(&Badge {
        name: shown,
        status: status_label,
        class: status.as_str(),
        fill: fill(status),
        name_width,
        status_width: status_text + SHAPE_WIDTH + 2 * PADDING,
        name_text,
        status_text,
        status_x: name_width + PADDING + SHAPE_WIDTH,
    })
}

const fn fill(status: Status) -> &'static str {
    match status {
        Status::Operational => "#147a42",
        Status::UnderMaintenance => "#1f5fbf",
        Status::Unknown => "#5b6472",
        Status::DegradedPerformance => "#8a6100",
        Status::PartialOutage => "#b14a00",
        Status::MajorOutage => "#b8202f",
    }
}
