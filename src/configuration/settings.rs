//! The settings of the process as a YAML file: one key each, nothing nested.

use crate::{
    problem::{Problem, Report},
    reader::At,
    yaml,
};

/// The longest value, in characters.
const MAX_VALUE_CHARS: usize = 10_000;

/// Reads a settings file: names, each among `known`, and values as they are written. A key without a value is as good as absent.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn settings(text: &str, known: &[&str]) -> Result<Vec<(String, String)>, Vec<Problem>> {
    let report = Report::default();
    let root = yaml::read(text, &report);
    let mut found = Vec::new();
    if let Some(node) = &root {
        let map = At { node, path: String::new(), report: &report }.map(known);
        for entry in map.entries() {
            if let Some(value) = map.get_some(&entry.key) {
                found.push((entry.key.clone(), value.text(MAX_VALUE_CHARS, false)));
            }
        }
    }
    if report.is_empty() { Ok(found) } else { Err(report.into_problems()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_as_they_are_written() {
        let read = settings(
            "listen: 0.0.0.0:8080\nlog_format: json\nmail_from:\ndelivery_retention_days: 14\n",
            &["listen", "log_format", "mail_from", "delivery_retention_days"],
        );
        let expected = [("listen", "0.0.0.0:8080"), ("log_format", "json"), ("delivery_retention_days", "14")];
        assert_eq!(read, Ok(expected.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_the_nearest_name() {
        let problems =
            settings("listen: a\nlisten: b\nlog_fromat: json\nmail_from: [x]\n", &["listen", "log_format", "mail_from"]).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("2:1: ") && told[0].contains("duplicate key"), "{told:?}");
        assert!(told[1].starts_with("3:1: ") && told[1].contains("`log_format`"), "{told:?}");
        assert!(told[2].starts_with("4:12: mail_from: "), "{told:?}");
    }
}
