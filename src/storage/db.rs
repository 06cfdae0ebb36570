//! One database, two kinds: an SQLite file or PostgreSQL, behind the same functions and mostly the same SQL text.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use sqlx::{
    Connection as _, PgPool, Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    StorageError,
    link::Link,
    migrations::{self, Schema},
};

/// Connections that only read, on SQLite.
const N_SQLITE_READERS: u32 = 4;
/// Connections, on PostgreSQL.
const N_POSTGRES_CONNECTIONS: u32 = 16;
/// How long to wait for a connection or a lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long PostgreSQL may take to let us in, and others to give a connection back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection that lay idle may take to show that it still works.
const IDLE_CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// What PostgreSQL is to do about us when we fall silent, so that what we held is free again: the one row of the ledger, above all. A
/// transaction whose process was frozen in the middle is undone, as if it had died.
const POSTGRES_PATIENCE: [(&str, &str); 5] = [
    ("idle_in_transaction_session_timeout", "3s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20s"),
];

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Db {
    /// A file; one writer and several readers at once.
    Sqlite {
        /// One connection, so that writers queue up here and not in SQLite's busy handler.
        writer: SqlitePool,
        /// Read-only connections.
        readers: SqlitePool,
    },
    /// A server.
    Postgres(PgPool),
}

/// A connection that reads, or a transaction that writes.
#[derive(Debug)]
pub struct Connection(Inner);

#[derive(Debug)]
enum Inner {
    SqliteReader(PoolConnection<Sqlite>),
    SqliteWriter(Transaction<'static, Sqlite>),
    Postgres(Link),
}

/// What [`sql!`] matches on.
pub(crate) enum Raw<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut Link),
}

/// Runs one expression on either kind of database: `execute!(conn, sqlx::query("…"))`.
macro_rules! sql {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn.raw() {
            $crate::db::Raw::Sqlite($c) => {
                #[allow(dead_code, reason = "only some bodies name the driver")]
                type DB = sqlx::Sqlite;
                $body
            }
            $crate::db::Raw::Postgres($c) => {
                #[allow(dead_code, reason = "only some bodies name the driver")]
                type DB = sqlx::Postgres;
                $body
            }
        }
    };
}
pub(crate) use sql;

/// Runs one statement on either kind of database and gives the number of rows it touched: `execute!(conn, sqlx::query("…").bind(x))?`.
macro_rules! execute {
    ($conn:expr, $query:expr) => {
        $crate::db::sql!($conn, c => $query.execute(&mut *c).await.map(|done| done.rows_affected()))
    };
}
pub(crate) use execute;

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

impl Db {
    /// Opens the database at `url` (`sqlite://path` or `postgres://…`), making the SQLite file if there is none.
    ///
    /// # Errors
    /// The URL is of another kind, or the database cannot be reached.
    pub async fn open(url: &str) -> Result<Self, StorageError> {
        if is_sqlite(url)? { Self::open_sqlite(url).await } else { Self::open_postgres(url, false).await }
    }

    /// Opens the database at `url` for whoever only reads: nothing is made, and nothing can be written. `None` if there is no such SQLite file.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn open_to_read(url: &str) -> Result<Option<Self>, StorageError> {
        if !is_sqlite(url)? {
            return Self::open_postgres(url, true).await.map(Some);
        }
        let options = SqliteConnectOptions::from_str(url).map_err(|error| StorageError::Url(error.to_string()))?;
        if !options.get_filename().exists() {
            return Ok(None);
        }
        let pool = || SqlitePoolOptions::new().max_connections(1).acquire_timeout(BUSY_TIMEOUT);
        let options = options.create_if_missing(false).read_only(true).busy_timeout(BUSY_TIMEOUT);
        Ok(Some(Self::Sqlite { writer: pool().connect_with(options.clone()).await?, readers: pool().connect_with(options).await? }))
    }

    async fn open_sqlite(url: &str) -> Result<Self, StorageError> {
        let options = SqliteConnectOptions::from_str(url).map_err(|error| StorageError::Url(error.to_string()))?;
        if let Some(folder) = options.get_filename().parent().filter(|folder| *folder != Path::new("")) {
            tokio::fs::create_dir_all(folder).await.map_err(|error| StorageError::Url(format!("{}: {error}", folder.display())))?;
        }
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A delivery must outlive a power cut once it is acknowledged; NORMAL syncs only at checkpoints.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", "4000")
            .pragma("cache_size", "-16000");
        let writer = SqlitePoolOptions::new().max_connections(1).min_connections(1).connect_with(options.clone()).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(N_SQLITE_READERS)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self::Sqlite { writer, readers })
    }

    async fn open_postgres(url: &str, only_reads: bool) -> Result<Self, StorageError> {
        let options = PgConnectOptions::from_str(url).map_err(|error| StorageError::Url(error.to_string()))?;
        let options = options.application_name("fanal").options(POSTGRES_PATIENCE);
        let options = if only_reads { options.options([("default_transaction_read_only", "on")]) } else { options };
        let pool = PgPoolOptions::new()
            .max_connections(N_POSTGRES_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // The pool's own check has no end of its own: one dead connection would use up the patience of whoever asks for any.
            .test_before_acquire(false)
            .before_acquire(|conn, _| {
                Box::pin(async move {
                    let alive = tokio::time::timeout(IDLE_CHECK_TIMEOUT, conn.ping()).await;
                    alive.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))).map(|()| true)
                })
            })
            .connect_with(options)
            .await?;
        Ok(Self::Postgres(pool))
    }

    /// The database's file, on SQLite.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite { writer, .. } => Some(writer.connect_options().get_filename().to_path_buf()),
            Self::Postgres(_) => None,
        }
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Brings the schema up to date. Several processes may do so at once: PostgreSQL's advisory lock and a lock on a file beside
    /// SQLite's let one through.
    /// A database that is up to date is only looked at, so that a role without the right to change its schema may call this.
    ///
    /// # Errors
    /// A step failed (nothing of it is kept), or the database is newer than this program.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        match self {
            Self::Sqlite { writer, .. } => migrations::run_missing_alone(&SQLITE, writer).await?,
            Self::Postgres(pool) => migrations::run_missing(&POSTGRES, pool).await?,
        }
        Ok(())
    }

    /// How the schema stands to that of this program.
    ///
    /// # Errors
    /// What the database said.
    pub async fn schema(&self) -> Result<Schema, StorageError> {
        let mut conn = self.read().await?;
        let has_any: bool = match conn.raw() {
            Raw::Sqlite(c) => {
                sqlx::query_scalar("select count(*) > 0 from sqlite_master where name = '_sqlx_migrations'").fetch_one(c).await?
            }
            Raw::Postgres(c) => sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(c).await?,
        };
        if !has_any {
            return Ok(Schema::None);
        }
        let applied: Vec<(i64, Vec<u8>)> = sql!(conn, c => sqlx::query_as(
            "select version, checksum from _sqlx_migrations where success order by version",
        )
        .fetch_all(&mut *c)
        .await)?;
        let migrator = if self.file().is_some() { &SQLITE } else { &POSTGRES };
        Ok(migrations::schema(migrator, &applied))
    }

    /// Whether the schema is that of this program.
    ///
    /// # Errors
    /// No connection is to be had.
    pub async fn is_migrated(&self) -> Result<bool, StorageError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => migrations::is_up_to_date(&SQLITE, &mut *writer.acquire().await?).await,
            Self::Postgres(pool) => migrations::is_up_to_date(&POSTGRES, &mut *pool.acquire().await?).await,
        })
    }

    /// A connection that reads.
    ///
    /// # Errors
    /// None is free or can be opened in time.
    pub async fn read(&self) -> Result<Connection, StorageError> {
        Ok(Connection(match self {
            Self::Sqlite { readers, .. } => Inner::SqliteReader(readers.acquire().await?),
            Self::Postgres(pool) => Inner::Postgres(Link::open(pool).await?),
        }))
    }

    /// A transaction that writes; undone unless [`Connection::commit`] is called.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn begin(&self) -> Result<Connection, StorageError> {
        Ok(Connection(match self {
            // IMMEDIATE: a transaction that first reads and then writes could otherwise fail in the middle.
            Self::Sqlite { writer, .. } => Inner::SqliteWriter(begin_sqlite(writer, "pragma synchronous = full; begin immediate").await?),
            Self::Postgres(pool) => Inner::Postgres(Link::begin(pool, "begin").await?),
        }))
    }

    /// As [`Db::begin`], but the commit does not wait for the disk: a power cut may undo it, the end of the process does not. For what
    /// may be done again.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn begin_lazily(&self) -> Result<Connection, StorageError> {
        Ok(Connection(match self {
            Self::Sqlite { writer, .. } => Inner::SqliteWriter(begin_sqlite(writer, "pragma synchronous = normal; begin immediate").await?),
            Self::Postgres(pool) => Inner::Postgres(Link::begin(pool, "begin; set local synchronous_commit = off").await?),
        }))
    }

    /// Closes all connections, after what is under way.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// There is none.
    pub async fn ping(&self) -> Result<(), StorageError> {
        let mut conn = self.read().await?;
        sql!(conn, c => sqlx::query("select 1").execute(&mut *c).await.map(|_| ()))?;
        Ok(())
    }
}

/// Tells the two kinds of databases apart by their URL.
fn is_sqlite(url: &str) -> Result<bool, StorageError> {
    match url.split_once(':') {
        Some(("sqlite", _)) => Ok(true),
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Ok(false),
        _ => Err(StorageError::Url("the database URL must begin with sqlite:// or postgres://".to_owned())),
    }
}

/// SQLite undoes a transaction by itself when the disk is full. The driver, which is then told that there is nothing to undo, takes it for
/// open from then on, and no other can begin on that connection: so another connection takes its place.
async fn begin_sqlite(writer: &SqlitePool, begin: &'static str) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
    loop {
        match writer.begin_with(begin).await {
            Err(sqlx::Error::InvalidSavePointStatement) => writer.acquire().await?.close().await?,
            begun => return begun,
        }
    }
}

impl Connection {
    pub(crate) fn raw(&mut self) -> Raw<'_> {
        match &mut self.0 {
            Inner::SqliteReader(conn) => Raw::Sqlite(conn),
            Inner::SqliteWriter(tx) => Raw::Sqlite(tx),
            Inner::Postgres(link) => Raw::Postgres(link),
        }
    }

    /// Makes what a transaction did lasting. Does nothing for a connection that reads.
    ///
    /// # Errors
    /// The database refused; nothing was kept.
    pub async fn commit(self) -> Result<(), StorageError> {
        match self.0 {
            Inner::SqliteWriter(tx) => tx.commit().await?,
            Inner::Postgres(link) => link.commit().await?,
            Inner::SqliteReader(_) => {}
        }
        Ok(())
    }
}
