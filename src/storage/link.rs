//! A connection to PostgreSQL that gives up on a server that has fallen silent.
//!
//! A network may swallow what it is given, without an answer and without a reset: the driver would wait for ever then, and so would its
//! pool for every connection that is given back. Here everything that waits for the server has an end, and a connection of which we do
//! not know what the server still has to say on it is thrown away.

use std::{future::Future, io, time::Duration};

use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use sqlx::{
    Describe, Either, Error, Execute, Executor, PgPool, Postgres, SqlStr,
    pool::PoolConnection,
    postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};
use tokio::time::timeout;

/// How long the server may take for the next sign of life of a statement. Far more than any statement of ours needs, since one that
/// needs more could never be finished.
const SILENCE: Duration = Duration::from_secs(15);
/// How long it may take to begin a transaction, or to show that a connection that is given back still works.
const FORMALITY: Duration = Duration::from_secs(2);

/// A connection, or a transaction. Dropped, it goes back to the pool; a transaction that was not committed is undone.
#[derive(Debug)]
pub(crate) struct Link {
    conn: Option<PoolConnection<Postgres>>,
    in_transaction: bool,
    /// The server may still have something to say.
    awaiting: bool,
}

impl Link {
    pub(crate) async fn open(pool: &PgPool) -> Result<Self, Error> {
        Ok(Self { conn: Some(pool.acquire().await?), in_transaction: false, awaiting: false })
    }

    /// `statements` begin the transaction, and may say more about it.
    pub(crate) async fn begin(pool: &PgPool, statements: &'static str) -> Result<Self, Error> {
        let mut link = Self::open(pool).await?;
        let (conn, awaiting) = link.parts();
        attend(awaiting, FORMALITY, (&mut **conn).execute(sqlx::raw_sql(statements))).await?;
        link.in_transaction = true;
        Ok(link)
    }

    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        let (conn, awaiting) = self.parts();
        attend(awaiting, SILENCE, (&mut **conn).execute("commit")).await?;
        self.in_transaction = false;
        Ok(())
    }

    fn parts(&mut self) -> (&mut PoolConnection<Postgres>, &mut bool) {
        (self.conn.as_mut().expect("it is taken only by drop"), &mut self.awaiting)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.awaiting {
            drop(conn.detach()); // Closes it, and lets the pool open another.
            return;
        }
        runtime.spawn(give_back(conn, self.in_transaction));
    }
}

/// Undoes what is not committed, and asks for a sign of life before others may have the connection; closes it if there is none.
async fn give_back(mut conn: PoolConnection<Postgres>, in_transaction: bool) {
    if in_transaction && !matches!(timeout(FORMALITY, (&mut *conn).execute("rollback")).await, Ok(Ok(_))) {
        drop(conn.detach());
        return;
    }
    // The pool's own way back, which it would otherwise go without an end.
    let _ = timeout(FORMALITY, conn.return_to_pool()).await;
}

/// Waits for the server, at most for `patience`. `awaiting` stays true if it did not say its last word.
async fn attend<T>(awaiting: &mut bool, patience: Duration, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    *awaiting = true;
    let result = timeout(patience, answer).await.unwrap_or_else(|_| Err(silent()));
    *awaiting = result.as_ref().is_err_and(breaks);
    result
}

fn silent() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database does not answer"))
}

/// Whether nothing more can be asked on the connection.
const fn breaks(error: &Error) -> bool {
    matches!(error, Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed)
}

type Step = Result<Either<PgQueryResult, PgRow>, Error>;

impl<'c> Executor<'c> for &'c mut Link {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Step>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let (conn, awaiting) = self.parts();
        *awaiting = true;
        let answer = (&mut **conn).fetch_many(query);
        let steps = stream::unfold(Some((answer, awaiting)), |going_on| async move {
            let (mut answer, awaiting) = going_on?;
            match timeout(SILENCE, answer.next()).await {
                Ok(Some(Ok(step))) => Some((Ok(step), Some((answer, awaiting)))),
                Ok(Some(Err(error))) => {
                    *awaiting = breaks(&error);
                    Some((Err(error), None))
                }
                Ok(None) => {
                    *awaiting = false;
                    None
                }
                Err(_) => Some((Err(silent()), None)),
            }
        });
        steps.boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let (conn, awaiting) = self.parts();
        attend(awaiting, SILENCE, (&mut **conn).fetch_optional(query)).boxed()
    }

    fn prepare_with<'e>(self, query: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        let (conn, awaiting) = self.parts();
        attend(awaiting, SILENCE, (&mut **conn).prepare_with(query, parameters)).boxed()
    }

    fn describe<'e>(self, query: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        let (conn, awaiting) = self.parts();
        attend(awaiting, SILENCE, (&mut **conn).describe(query)).boxed()
    }
}
