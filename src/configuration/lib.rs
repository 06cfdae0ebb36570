//! Configuration as code: a YAML file in, what the owner wants out, and back; and what would change.
//!
//! Pure: reads no file, no environment and no database. Whoever calls says where secrets come from.

mod check;
mod component;
mod document;
mod export;
mod integration;
mod page;
mod plan;
mod policy;
mod problem;
mod reader;
mod series;
mod settings;
mod template;
#[cfg(test)]
mod tests;
mod yaml;

use domain::{Desired, Secret, SecretRef};

pub use export::export;
pub use plan::{Action, Item, Plan, diff};
pub use problem::{Problem, describe};
pub use settings::settings;
pub use yaml::MAX_FILE_BYTES;

use problem::Report;
use reader::At;

/// Finds a secret and takes its fingerprint. For [`SecretRef::Kept`] it answers with no value if there is a stored secret of this
/// fingerprint. The error is shown beside the place in the file, and must not hold the secret.
pub type Resolve<'a> = &'a dyn Fn(&SecretRef) -> Result<Secret, String>;

/// Reads a configuration file and checks all of it.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file, at most 100 problems.
pub fn parse(text: &str, resolve: Resolve<'_>) -> Result<Desired, Vec<Problem>> {
    let report = Report::default();
    let root = yaml::read(text, &report);
    let desired = root.as_ref().map(|node| document::read(&At { node, path: String::new(), report: &report }, resolve));
    match desired {
        Some(desired) if report.is_empty() => Ok(desired),
        _ => Err(report.into_problems()),
    }
}

/// Reads one value, such as the settings of an integration, as a configuration file has it: YAML, and so JSON too.
///
/// # Errors
/// Everything that is wrong with it.
pub fn value(text: &str) -> Result<serde_json::Value, Vec<Problem>> {
    let report = Report::default();
    let read = yaml::read(text, &report).map(|node| yaml::to_json(&node, "", &report));
    match read {
        Some(read) if report.is_empty() => Ok(read),
        _ => Err(report.into_problems()),
    }
}
