//! The twelve-character ids that clients of Statuspage expect.

use sha2::{Digest, Sha256};

/// What a short id stands for; equal numbers of different kinds get different ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// The page itself, number 1.
    Page,
    /// A component.
    Component,
    /// A group, which is a row of its own in the list of components.
    Group,
    /// An incident.
    Incident,
    /// An entry of an incident's timeline.
    Update,
    /// A maintenance.
    Maintenance,
    /// The announcement of a maintenance.
    MaintenanceScheduled,
    /// The beginning of a maintenance.
    MaintenanceStarted,
    /// The end of a maintenance.
    MaintenanceCompleted,
}

impl IdKind {
    /// Part of every id: renaming changes the ids that clients have stored.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Component => "component",
            Self::Group => "group",
            Self::Incident => "incident",
            Self::Update => "incident_update",
            Self::Maintenance => "maintenance",
            Self::MaintenanceScheduled => "maintenance_scheduled",
            Self::MaintenanceStarted => "maintenance_started",
            Self::MaintenanceCompleted => "maintenance_completed",
        }
    }
}

const LENGTH: usize = 12;
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The short id of our number `id`: twelve characters of base 36, the same on every run and every process.
#[must_use]
pub fn short_id(kind: IdKind, id: i64) -> String {
    let hash = Sha256::digest(format!("{}:{id}", kind.as_str()));
    let mut rest = hash.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut text = [b'0'; LENGTH];
    for slot in text.iter_mut().rev() {
        *slot = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    text.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_never_change() {
        assert_eq!(short_id(IdKind::Page, 1), short_id(IdKind::Page, 1));
        for (kind, id) in [(IdKind::Page, 1), (IdKind::Component, 1), (IdKind::Incident, i64::MAX)] {
            let text = short_id(kind, id);
            assert!(text.len() == LENGTH && text.bytes().all(|byte| DIGITS.contains(&byte)), "{text}");
        }
        assert_eq!(short_id(IdKind::Component, 1), "eoh9756s7wpv");
    }

    #[test]
    fn equal_numbers_of_different_kinds_differ() {
        let ids: std::collections::BTreeSet<String> =
            (0..5_000).flat_map(|id| [short_id(IdKind::Component, id), short_id(IdKind::Group, id)]).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
