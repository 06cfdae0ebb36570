//! Who stands in the audit log for what is done at the command line.

use std::env;

use jobs::Clock;
use serde_json::{Value, json};
use storage::audit::{Actor, By, Entry, Via};

/// How much of a plan stands in the log.
const MAX_CHANGES: usize = 100;

/// The system's user who runs this command, whoever they were before `sudo`.
pub(crate) fn at_the_command_line() -> By {
    let name = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| env::var(name).ok()).unwrap_or_default();
    By { actor: Actor::Command(rustix::process::getuid().as_raw()), name, via: Via::Command, address: None }
}

/// An act that is done now.
pub(crate) fn act<'a>(by: &'a By, action: &'a str, resource: Option<String>, after: Value) -> Entry<'a> {
    Entry { by, action, resource, before: Value::Null, after, at: Clock::default().now() }
}

/// What a plan would do, without its values. Subscribers are people, and only counted.
pub(crate) fn summary(plan: &configuration::Plan) -> Value {
    let (people, things): (Vec<_>, Vec<_>) = plan.items.iter().partition(|item| item.what.starts_with("subscriber"));
    let line = |item: &&configuration::Item| {
        let sign = match item.action {
            configuration::Action::Add => '+',
            configuration::Action::Change => '~',
            configuration::Action::Remove => '-',
        };
        format!("{sign} {}", item.what)
    };
    let changes: Vec<String> = things.iter().take(MAX_CHANGES).map(line).collect();
    json!({ "n": plan.items.len(), "changes": changes, "subscribers": people.len() })
}
