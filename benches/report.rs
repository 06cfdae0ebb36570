//! The table that a run ends with.

use crate::statistics::Spread;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was measured, on what.
    pub(crate) what: String,
    /// What it was, with its spread.
    pub(crate) measured: String,
    /// The same of the reference, in the same run.
    pub(crate) reference: String,
    /// What is wanted, and of what.
    pub(crate) goal: String,
    pub(crate) met: bool,
}

impl Row {
    /// A figure that must be at most `limit`, judged by its median.
    pub(crate) fn at_most(what: &str, measured: &Spread, unit: &str, limit: f64) -> Self {
        let value = measured.median();
        Self {
            what: what.to_owned(),
            measured: format!("{measured} {unit}"),
            reference: "–".to_owned(),
            goal: format!("≤ {limit} {unit}"),
            met: value <= limit,
        }
    }

    /// A ratio to a reference, of which each repetition has its neighbour. `lower` tells which way is better.
    pub(crate) fn ratio(what: &str, unit: &str, ours: &Spread, (name, theirs): (&str, &Spread), (goal, lower): (f64, bool)) -> Self {
        let ratio = ours.ratio_to(theirs);
        let met = if lower { ratio.median() <= goal } else { ratio.median() >= goal };
        Self {
            what: what.to_owned(),
            measured: format!("{ours} {unit}"),
            reference: format!("{name}: {theirs} {unit}"),
            goal: format!("ratio {ratio}, {} {goal}", if lower { "≤" } else { "≥" }),
            met,
        }
    }
}

/// The rows in Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from("| what | Fanal | reference | goal | |\n|---|---|---|---|---|\n");
    for Row { what, measured, reference, goal, met } in rows {
        let verdict = if *met { "met" } else { "**not met**" };
        text.push_str(&format!("| {what} | {measured} | {reference} | {goal} | {verdict} |\n"));
    }
    text
}
