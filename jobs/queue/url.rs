//! Where the queue is.

use std::{fmt, path::PathBuf, str::FromStr};

use secrecy::SecretString;
use url::Url;

use super::QueueError;

/// What keys in Redis begin with unless told otherwise.
const DEFAULT_PREFIX: &str = "fanal";
/// The longest prefix.
const MAX_PREFIX_CHARS: usize = 64;

/// Where the queue is: `sqlite://path`, `redis://host/db?prefix=name` or `postgres://…`.
#[derive(Clone)]
pub enum QueueUrl {
    /// A file of its own.
    Sqlite(PathBuf),
    /// A server. Several installations can share one under different prefixes.
    Redis {
        /// Without the prefix.
        url: SecretString,
        /// What every key begins with.
        prefix: String,
    },
    /// A server, which may be that of the database.
    Postgres(SecretString),
}

impl fmt::Debug for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Redis { prefix, .. } => f.debug_struct("Redis").field("prefix", prefix).finish_non_exhaustive(),
            Self::Postgres(_) => f.debug_tuple("Postgres").finish_non_exhaustive(),
        }
    }
}

impl FromStr for QueueUrl {
    type Err = QueueError;

    /// The text may hold a password; no error repeats it.
    fn from_str(text: &str) -> Result<Self, QueueError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let path = path.split_once('?').map_or(path, |(path, _)| path);
            return if path.is_empty() { Err(QueueError::Url("names no file")) } else { Ok(Self::Sqlite(path.into())) };
        }
        let mut url = Url::parse(text).map_err(|_| QueueError::Url("is not a URL"))?;
        match url.scheme() {
            "redis" => {
                let (prefixes, others): (Vec<_>, Vec<_>) = url.query_pairs().into_owned().partition(|(key, _)| key == "prefix");
                url.set_query(None);
                if !others.is_empty() {
                    url.query_pairs_mut().extend_pairs(others);
                }
                let prefix = prefixes.into_iter().next().map_or_else(|| DEFAULT_PREFIX.to_owned(), |(_, prefix)| prefix);
                let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
                if prefix.is_empty() || prefix.len() > MAX_PREFIX_CHARS || !prefix.chars().all(is_fine) {
                    return Err(QueueError::Url("has a prefix that is not 1 to 64 letters, digits, `-`, `_`, `.` or `:`"));
                }
                Ok(Self::Redis { url: String::from(url).into(), prefix })
            }
            "postgres" | "postgresql" => Ok(Self::Postgres(text.into())),
            "rediss" => Err(QueueError::Url("asks for TLS to Redis, which this build does not have; put a tunnel in front")),
            _ => Err(QueueError::Url("must begin with sqlite://, redis:// or postgres://")),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_prefix_is_taken_out_of_a_redis_url() {
        let parse = |text: &str| match text.parse() {
            Ok(QueueUrl::Redis { url, prefix }) => (url.expose_secret().to_owned(), prefix),
            other => panic!("{other:?}"),
        };
        assert_eq!(parse("redis://127.0.0.1:6379"), ("redis://127.0.0.1:6379".to_owned(), "fanal".to_owned()));
        let (url, prefix) = parse("redis://u:p@127.0.0.1:6379/3?protocol=resp3&prefix=acme:status");
        assert_eq!((url.as_str(), prefix.as_str()), ("redis://u:p@127.0.0.1:6379/3?protocol=resp3", "acme:status"));
    }

    #[test]
    fn files_and_servers_are_told_apart_and_the_rest_is_refused() {
        assert!(matches!("sqlite://./data/queue.db".parse(), Ok(QueueUrl::Sqlite(path)) if path.ends_with("data/queue.db")));
        assert!(matches!("sqlite:///var/lib/fanal/queue.db?mode=rwc".parse(), Ok(QueueUrl::Sqlite(path)) if path.is_absolute()));
        assert!(matches!("postgres://fanal@db/fanal".parse(), Ok(QueueUrl::Postgres(_))));
        for bad in [
            "",
            "queue.db",
            "sqlite://",
            "amqp://user:hunter2@mq",
            "rediss://:hunter2@cache",
            "redis://cache?prefix=",
            "redis://cache?prefix=a b",
        ] {
            let error = bad.parse::<QueueUrl>().unwrap_err().to_string();
            assert!(error.starts_with("FANAL_QUEUE_URL ") && !error.contains("hunter2"), "{bad}: {error}");
        }
    }
}
