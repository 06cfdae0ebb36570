//! Texts with a meaning: times, spans, and the names of enumerations.

use std::{borrow::Cow, str::FromStr};

use domain::{Span, Timestamp, UnknownName};
use jiff::civil::{Date, DateTime};
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde_json::Value;
use storage::order::{Order, Sorted};

use super::schema;

/// Makes a type out of one that is written as a text.
macro_rules! text_type {
    ($name:ident $(<$generic:ident: $bound:path>)?, $title:expr, $schema:expr, $parse:expr, $write:expr) => {
        impl $(<$generic: $bound>)? Type for $name $(<$generic>)? {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                $title.into()
            }

            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Inline(Box::new($schema))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::once(self))
            }
        }

        impl $(<$generic: $bound>)? ParseFromParameter for $name $(<$generic>)? {
            fn parse_from_parameter(text: &str) -> ParseResult<Self> {
                $parse(text).map(Self).map_err(ParseError::custom)
            }
        }

        impl $(<$generic: $bound>)? ParseFromJSON for $name $(<$generic>)? {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                match value {
                    Some(Value::String(text)) => Self::parse_from_parameter(&text),
                    other => Err(ParseError::expected_type(other.unwrap_or_default())),
                }
            }
        }

        impl $(<$generic: $bound>)? ToJSON for $name $(<$generic>)? {
            fn to_json(&self) -> Option<Value> {
                Some(Value::String($write(&self.0)))
            }
        }
    };
}

/// A time, as RFC 3339 writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub(super) Timestamp);

text_type!(Time, "time", MetaSchema::new_with_format("string", schema::TIME), Timestamp::parse, Timestamp::to_string);

/// A length of time, such as `90s`, `1h30m` or `2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length(pub(super) Span);

text_type!(
    Length,
    "span",
    MetaSchema { pattern: Some(schema::SPAN_PATTERN.to_owned()), ..MetaSchema::new_with_format("string", schema::SPAN) },
    Span::from_str,
    Span::to_string
);

/// A time by the clock on the page's wall, to the minute: `2026-12-01T02:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LocalTime(pub(super) DateTime);

text_type!(
    LocalTime,
    "local-time",
    MetaSchema { pattern: Some("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$".to_owned()), ..MetaSchema::new("string") },
    |text: &str| domain::local_time(text).ok_or("must be a time such as 2026-12-01T02:00, without a zone"),
    |at: &DateTime| domain::local_time_text(*at)
);

/// A day: `2026-12-24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day(pub(super) Date);

text_type!(
    Day,
    "day",
    MetaSchema { pattern: Some("^[0-9]{4}-[0-9]{2}-[0-9]{2}$".to_owned()), ..MetaSchema::new("string") },
    |text: &str| Date::from_str(text).ok().filter(|_| text.len() == 10).ok_or("must be a day such as 2026-12-24"),
    Date::to_string
);

/// After how long an integration's silence is a signal: `habit`, or a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence(pub(super) domain::SilentAfter);

text_type!(Silence, "silent_after", MetaSchema::new("string"), domain::SilentAfter::from_str, domain::SilentAfter::to_string);

/// An enumeration whose values have names.
pub(super) trait Named: FromStr<Err = UnknownName> + Copy + Send + Sync + 'static {
    fn names() -> Vec<&'static str>;
    fn name_of(&self) -> &'static str;
}

macro_rules! named {
    ($($ty:ty => $all:expr;)+) => {
        $(impl Named for $ty {
            fn names() -> Vec<&'static str> {
                $all.iter().map(|value| value.as_str()).collect()
            }

            fn name_of(&self) -> &'static str {
                self.as_str()
            }
        })+
    };
}

named! {
    domain::Channel => Self::ALL;
    domain::Effect => Self::ALL;
    domain::Impact => Self::ALL;
    domain::IncidentStatus => Self::ALL;
    domain::MaintenanceStatus => Self::ALL;
    domain::Publish => Self::ALL;
    domain::Role => Self::ALL;
    domain::Severity => Self::ALL;
    domain::SignalState => Self::ALL;
    domain::Status => Self::ALL;
    domain::WaitState => Self::ALL;
    domain::Weekday => Self::ALL;
    storage::confirmations::ConfirmationState => Self::ALL;
    storage::deliveries::DeliveryState => Self::ALL;
    storage::notifications::NotificationState => Self::ALL;
    storage::rows::Standing => Self::ALL;
    storage::tokens::Scope => Self::EVERY;
}

/// The order of a list, by the name of what it is ordered by; with `-` in front of it the other way round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sort<T: 'static>(pub(super) Order<T>);

text_type!(
    Sort<T: Sorted>,
    "sort",
    MetaSchema { enum_items: Order::<T>::names().into_iter().map(Value::from).collect(), ..MetaSchema::new("string") },
    Order::<T>::from_str,
    Order::<T>::to_string
);

/// A value of an enumeration, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<T>(pub(super) T);

text_type!(
    Name<T: Named>,
    "name",
    MetaSchema { enum_items: T::names().into_iter().map(Value::from).collect(), ..MetaSchema::new("string") },
    T::from_str,
    |value: &T| value.name_of().to_owned()
);
