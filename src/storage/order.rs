//! In which order a list comes, and where a page of it goes on: behind the last row that was shown, by the value that rows are ordered by
//! and by their ids, so that nothing is seen twice or left out while rows come and go.

use std::fmt;

use domain::UnknownName;
use serde::{Deserialize, Serialize};

/// Rows that come in lists.
pub trait Sorted: Sized + 'static {
    /// The column of their ids.
    const ID: &'static str;
    /// What they can be ordered by besides: what an index has, or what is of few rows.
    const KEYS: &'static [Key<Self>];

    /// The id of one.
    fn id(&self) -> i64;
}

/// What rows can be ordered by.
#[derive(Debug)]
pub struct Key<T> {
    /// Its name in the API.
    pub name: &'static str,
    /// What SQL calls it; never null.
    pub(crate) column: &'static str,
    /// Whether capital and small letters are the same.
    pub(crate) folds: bool,
    pub(crate) is_text: bool,
    /// The same of a row that was read.
    pub(crate) value: fn(&T) -> Value,
}

/// What a row is ordered by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// By its letters.
    Text(String),
    /// By its size.
    Number(i64),
}

/// The order of a list: by a key and then by id, or by id alone.
#[derive(Debug)]
pub struct Order<T: 'static> {
    key: Option<&'static Key<T>>,
    descending: bool,
}

impl<T> Clone for Order<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Order<T> {}

/// What ordering by id is called.
const BY_ID: &str = "id";

impl<T: Sorted> Order<T> {
    /// In the order in which they came.
    #[must_use]
    pub const fn oldest() -> Self {
        Self { key: None, descending: false }
    }

    /// The other way round.
    #[must_use]
    pub const fn newest() -> Self {
        Self { key: None, descending: true }
    }

    /// Every order there is: by each key, and with `-` in front of it the other way round.
    #[must_use]
    pub fn names() -> Vec<String> {
        let keys = std::iter::once(BY_ID).chain(T::KEYS.iter().map(|key| key.name));
        keys.flat_map(|name| [name.to_owned(), format!("-{name}")]).collect()
    }

    /// Whether it is by id alone.
    #[must_use]
    pub const fn is_by_id(&self) -> bool {
        self.key.is_none()
    }

    /// Whether `value` can be compared with what rows are ordered by.
    #[must_use]
    pub fn fits(&self, value: &Value) -> bool {
        self.key.is_some_and(|key| key.is_text == matches!(value, Value::Text(_)))
    }

    /// What a row is ordered by before its id.
    #[must_use]
    pub fn value(&self, row: &T) -> Option<Value> {
        self.key.map(|key| (key.value)(row))
    }
}

impl<T> fmt::Display for Order<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.key.map_or(BY_ID, |key| key.name))
    }
}

impl<T: Sorted> std::str::FromStr for Order<T> {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        if name == BY_ID {
            return Ok(Self { key: None, descending });
        }
        match T::KEYS.iter().find(|key| key.name == name) {
            Some(key) => Ok(Self { key: Some(key), descending }),
            None => Err(UnknownName { value: text.chars().take(64).collect(), allowed: Self::names().join(", ") }),
        }
    }
}

/// The row behind which a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is ordered by; `None` in lists by id.
    pub value: Option<Value>,
    /// Its id.
    pub id: i64,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Slice<T: 'static> {
    /// The order of the list.
    pub order: Order<T>,
    /// `None` for the first page.
    pub after: Option<Place>,
    /// At most this many rows.
    pub limit: i64,
}

impl<T: Sorted> Slice<T> {
    /// The first rows of a list.
    #[must_use]
    pub const fn first(order: Order<T>, limit: i64) -> Self {
        Self { order, after: None, limit }
    }

    /// One row, in a list by id.
    #[must_use]
    pub fn one(id: i64) -> Self {
        Self { order: Order::oldest(), after: Some(Place { value: None, id: id.saturating_sub(1) }), limit: 1 }
    }

    /// The key by which it is ordered before the id, as SQL has it.
    pub(crate) fn column(&self) -> Option<String> {
        self.order.key.map(|key| if key.folds { format!("lower({})", key.column) } else { key.column.to_owned() })
    }

    pub(crate) fn folds(&self) -> bool {
        self.order.key.is_some_and(|key| key.folds)
    }

    /// How SQL compares with the row behind which it begins, and how it orders.
    pub(crate) const fn direction(&self) -> (&'static str, &'static str) {
        if self.order.descending { (" < ", " desc") } else { (" > ", "") }
    }
}

/// Adds the condition, order and limit of a page to a query that has a condition already; the rows' id is `$id`.
macro_rules! push_slice {
    ($query:ident, $slice:expr, $id:expr) => {
        let (beyond, direction) = $slice.direction();
        if let Some(place) = &$slice.after {
            match ($slice.column(), &place.value) {
                (Some(column), Some(value)) => {
                    let (open, close) = if $slice.folds() { ("lower(", ")") } else { ("", "") };
                    $query.push(" and (").push(column).push(", ").push($id).push(")").push(beyond).push("(").push(open);
                    match value {
                        $crate::order::Value::Text(text) => $query.push_bind(text.clone()),
                        $crate::order::Value::Number(number) => $query.push_bind(*number),
                    };
                    $query.push(close).push(", ").push_bind(place.id).push(")");
                }
                _ => {
                    $query.push(" and ").push($id).push(beyond).push_bind(place.id);
                }
            }
        }
        $query.push(" order by ");
        if let Some(column) = $slice.column() {
            $query.push(column).push(direction).push(", ");
        }
        $query.push($id).push(direction).push(" limit ").push_bind($slice.limit);
    };
}
pub(crate) use push_slice;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{deliveries::Summary, subscribers::Subscriber};

    #[test]
    fn an_order_is_read_as_it_is_written_and_no_other() {
        assert_eq!(Order::<Subscriber>::names(), ["id", "-id", "address", "-address"]);
        for name in Order::<Subscriber>::names() {
            assert_eq!(name.parse::<Order<Subscriber>>().unwrap().to_string(), name);
        }
        for odd in ["", "-", "--id", "Address", "address ", "manage_token"] {
            let refused = odd.parse::<Order<Subscriber>>().unwrap_err();
            assert!(refused.to_string().contains("-address"), "{refused}");
        }
        assert!("address".parse::<Order<Summary>>().is_err());
    }
}
