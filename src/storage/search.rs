//! Finds things by what they are called.

use sqlx::QueryBuilder;

use crate::{Connection, StorageError, db::sql, subscribers::holding};

/// More words than this do not make a search narrower.
const MAX_WORDS: usize = 5;

/// What is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By name and key, in page order.
    Component,
    /// By title, newest first.
    Incident,
    /// By title, newest first.
    Maintenance,
    /// By name, key and provider.
    Integration,
    /// By name.
    Metric,
    /// By name and mail address.
    Person,
    /// By address.
    Subscriber,
}

impl Kind {
    /// What is read, what a word is looked for in, and the order.
    const fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Component => {
                ("component_id, name, status from component", "lower(name) || ' ' || key", "order by position, component_id")
            }
            Self::Incident => ("incident_id, title, status from incident", "lower(title)", "order by incident_id desc"),
            Self::Maintenance => ("maintenance_id, title, status from maintenance", "lower(title)", "order by maintenance_id desc"),
            Self::Integration => (
                "integration_id, name, provider from integration",
                "lower(name) || ' ' || key || ' ' || provider",
                "order by name, integration_id",
            ),
            Self::Metric => ("metric_id, name, unit from metric", "lower(name) || ' ' || key", "order by position, metric_id"),
            Self::Person => ("account_id, name, email from account", "lower(name) || ' ' || lower(email)", "order by name, account_id"),
            Self::Subscriber => ("subscriber_id, address, channel from subscriber", "lower(address)", "order by subscriber_id desc"),
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its id.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// What tells it from others: its status, its provider, its address.
    pub detail: String,
}

/// Things of one kind whose names hold every word of `text`, in any case; none for a text without words.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, kind: Kind, text: &str, limit: i64) -> Result<Vec<Hit>, StorageError> {
    let words: Vec<String> = text.split_whitespace().take(MAX_WORDS).map(holding).collect();
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let (read, within, order) = kind.parts();
    let rows: Vec<(i64, String, String)> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new("select ");
        query.push(read).push(" where 1 = 1");
        for word in &words {
            query.push(" and (").push(within).push(") like ").push_bind(word.as_str()).push(" escape '!'");
        }
        query.push(" ").push(order).push(" limit ").push_bind(limit);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    Ok(rows.into_iter().map(|(id, name, detail)| Hit { id, name, detail }).collect())
}
