//! How a component is doing, and how loud a signal is.

use serde::{Deserialize, Serialize};

/// A text that names no value of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not one of {allowed}")]
pub struct UnknownName {
    /// What was given, cut to 64 characters.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

/// Gives an enumeration its names in text, JSON and the databases, all the same.
macro_rules! named {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name used in JSON, in configuration and in the databases.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownName { value: text.chars().take(64).collect(), allowed: [$($text),+].join(", ") }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use named;

/// How a component is doing, from best to worst: the worst of several wins.
///
/// `Unknown` stands above maintenance and below every fault: not knowing is worse than a plan and better than a known fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Works.
    #[default]
    Operational,
    /// Down or slow as announced.
    UnderMaintenance,
    /// Nothing reliable is known.
    Unknown,
    /// Works, but slowly or with errors.
    DegradedPerformance,
    /// Does not work for some.
    PartialOutage,
    /// Does not work.
    MajorOutage,
}

named!(Status {
    Operational = "operational",
    UnderMaintenance = "under_maintenance",
    Unknown = "unknown",
    DegradedPerformance = "degraded_performance",
    PartialOutage = "partial_outage",
    MajorOutage = "major_outage",
});

impl Status {
    /// The status in a reader's words, as used in the middle of a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Operational => "operational",
            Self::UnderMaintenance => "under maintenance",
            Self::Unknown => "unknown",
            Self::DegradedPerformance => "degraded performance",
            Self::PartialOutage => "partial outage",
            Self::MajorOutage => "major outage",
        }
    }

    /// Whether something is wrong (not a plan, not health, not ignorance).
    #[must_use]
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::DegradedPerformance | Self::PartialOutage | Self::MajorOutage)
    }
}

/// How bad an incident is for its readers, derived from the worst status it affects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// Nobody notices.
    #[default]
    None,
    /// An announced window.
    Maintenance,
    /// Slow or flaky.
    Minor,
    /// Broken for some.
    Major,
    /// Broken.
    Critical,
}

named!(Impact { None = "none", Maintenance = "maintenance", Minor = "minor", Major = "major", Critical = "critical" });

impl From<Status> for Impact {
    fn from(status: Status) -> Self {
        match status {
            Status::Operational | Status::Unknown => Self::None,
            Status::UnderMaintenance => Self::Maintenance,
            Status::DegradedPerformance => Self::Minor,
            Status::PartialOutage => Self::Major,
            Status::MajorOutage => Self::Critical,
        }
    }
}

/// How loud the sender says a signal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The sender did not say, or said something we have never seen.
    #[default]
    Unknown,
    /// Good to know.
    Info,
    /// Look at it today.
    Warning,
    /// Something fails.
    Error,
    /// Get up.
    Critical,
}

named!(Severity { Unknown = "unknown", Info = "info", Warning = "warning", Error = "error", Critical = "critical" });

impl Severity {
    /// Reads the words monitoring systems use, in any case; `None` for a word nobody has taught us.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "critical" | "crit" | "page" | "emergency" | "emerg" | "fatal" | "disaster" | "p1" | "sev1" => Self::Critical,
            "error" | "err" | "high" | "major" | "alert" | "p2" | "sev2" => Self::Error,
            "warning" | "warn" | "minor" | "medium" | "average" | "ticket" | "p3" | "sev3" => Self::Warning,
            "info" | "informational" | "information" | "notice" | "low" | "none" | "debug" | "p4" | "p5" => Self::Info,
            _ => return None,
        })
    }
}
