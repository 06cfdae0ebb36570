//! What things are and how they are decided.
//!
//! No I/O, no clock, no async: every function here gives the same answer for the same arguments.

mod access;
mod address;
mod alerts;
mod brand;
mod change;
mod colour;
mod combine;
mod delivery;
mod dependency;
mod desired;
mod expression;
mod habit;
mod hours;
mod image;
mod model;
mod notice;
mod password;
mod past;
mod plan;
mod policy;
mod postmortem;
mod recurrence;
mod route;
mod series;
mod signal;
mod silence;
mod state;
mod status;
mod suggest;
mod template;
mod time;
mod visibility;
mod waiting;

pub use access::{Action, Permission, Resource, Role};
pub use address::mail_address;
pub use alerts::{ALERT_MEMORY, Alert, AlertKey, Alerts, MAX_HELD_ALERTS, MAX_IDLE_ALERTS};
pub use brand::{Brand, DEFAULT_ACCENT, DEFAULT_ACCENT_DARK, MAX_FOOTER_LINKS, MAX_HEADER_LINKS, MAX_LABEL_CHARS, PageLink};
pub use change::{Change, Recorded, Why};
pub use colour::{Colour, ColourError, MIN_CONTRAST, Scheme};
pub use combine::{Combine, DEFAULT_WEIGHT, MAX_QUORUM, MAX_THRESHOLD, MAX_WEIGHT, THRESHOLD_STATUSES, misordered};
pub use delivery::NewDelivery;
pub use dependency::{
    ChainProblem, DEFAULT_SETTLE, Dependencies, Dependency, Effect, MAX_DEPENDENCIES, MAX_DEPENDENCY_DEPTH, MAX_SETTLE, check_chains,
};
pub use desired::*;
pub use expression::{
    Expression, ExpressionError, MAX_EXPRESSION_BYTES, MAX_RENDERED_BYTES, check_template, render_template, template_names, to_value,
};
pub use habit::{HABIT_DELIVERIES, MIN_HABIT_DELIVERIES, MIN_SILENCE, is_silent, silent_after};
pub use hours::{DayTime, DayTimeError, PublishHours, Weekday};
pub use image::{Image, ImageError, ImageKind, ImageMark, MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS};
pub use model::*;
pub use notice::{Channel, Claimed, Decision, Notice, NoticeAbout, NoticeKind, Outcome, Recipient};
pub use password::{MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS, MIN_SOLE_PASSWORD_CHARS, PasswordError, check_password};
pub use past::{MAX_PAST_SPANS, Past, PastSpan};
pub use plan::*;
pub use policy::{Flapping, MAX_FLAP_CHANGES, MAX_FLAP_SPAN, MAX_PUBLISH_AFTER, MIN_FLAP_CHANGES, Policy};
pub use postmortem::{PostmortemDraft, postmortem_of};
pub use recurrence::{Days, Frequency, MAX_COUNT, MAX_INTERVAL, MAX_RULE_CHARS, NthWeekday, Recurrence, RecurrenceError, Until};
pub use route::{Publish, Route, StatusMap};
pub use series::{
    DEFAULT_ANNOUNCE, MAX_ANNOUNCE, MAX_EXCEPTIONS, MAX_SERIES, MAX_WINDOW, MIN_WINDOW, Occurrence, SERIES_HORIZON, SERIES_YEARS, Schedule,
    ScheduleError, Series, Window, local_time, local_time_text,
};
pub use signal::{ENDLESS_EXPIRY, MAX_FINGERPRINT_BYTES, MAX_SIGNALS, SIGNAL_FIELDS, Signal, SignalState, UNREADABLE_FINGERPRINT};
pub use silence::{MIN_SILENT_AFTER, SilentAfter, SilentAfterError};
pub use state::{Cause, CauseKey, Phase, State};
pub use status::{Impact, Severity, Status, UnknownName};
pub use suggest::{MAX_SUGGESTIONS, Suggestion, Target, suggest};
pub use template::{FillError, IncidentTemplate, MAX_TEMPLATES, TEMPLATE_NAMES, template_for};
pub use time::{MAX_SPAN, Span, TimeError, Timestamp};
pub use waiting::{MAX_WAIT, MAX_WAITING_ACTS, WaitState, WaitingAct};
