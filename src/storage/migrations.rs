//! Bringing a schema up to date, and leaving one that is alone.

use std::fs::File;

use sqlx::{
    PgPool, SqlitePool,
    migrate::{Migrate, MigrateError, Migrator},
};

/// Runs what is missing. Where nothing is, nothing but a look is asked of the database: the role of a server that only serves need not be
/// allowed to make tables.
pub(crate) async fn run_missing(migrator: &Migrator, pool: &PgPool) -> Result<(), MigrateError> {
    if is_up_to_date(migrator, &mut *pool.acquire().await?).await {
        return Ok(());
    }
    migrator.run(pool).await
}

/// Runs what is missing, one process at a time: SQLite's own lock covers one step and not the look at which steps there are.
pub(crate) async fn run_missing_alone(migrator: &Migrator, pool: &SqlitePool) -> Result<(), MigrateError> {
    if is_up_to_date(migrator, &mut *pool.acquire().await?).await {
        return Ok(());
    }
    let path = pool.connect_options().get_filename().with_extension("migration-lock");
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok::<_, std::io::Error>(file)
    });
    // Given back when it is closed, at the latest with the process.
    let _lock = locked.await.map_err(std::io::Error::other).flatten().map_err(sqlx::Error::Io)?;
    migrator.run(pool).await
}

/// Whether the database has exactly these migrations. A database without the table of them has none.
pub(crate) async fn is_up_to_date(migrator: &Migrator, conn: &mut impl Migrate) -> bool {
    let table = &migrator.table_name;
    let (Ok(None), Ok(applied)) = (conn.dirty_version(table).await, conn.list_applied_migrations(table).await) else { return false };
    let wanted = migrator.iter().filter(|migration| !migration.migration_type.is_down_migration());
    wanted
        .map(|migration| (migration.version, &migration.checksum))
        .eq(applied.iter().map(|migration| (migration.version, &migration.checksum)))
}

/// How the schema of a database stands to that of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// There is none.
    None,
    /// It lacks what newer versions have added.
    Older,
    /// It is that of this program.
    Current,
    /// A newer version made it, or somebody changed it.
    Unknown,
}

/// How migrations that were applied, by version, stand to those of this program.
pub(crate) fn schema(migrator: &Migrator, applied: &[(i64, Vec<u8>)]) -> Schema {
    let wanted: Vec<(i64, &[u8])> = migrator
        .iter()
        .filter(|migration| !migration.migration_type.is_down_migration())
        .map(|migration| (migration.version, &*migration.checksum))
        .collect();
    let applied: Vec<(i64, &[u8])> = applied.iter().map(|(version, checksum)| (*version, checksum.as_slice())).collect();
    match applied.len() {
        0 => Schema::None,
        _ if applied == wanted => Schema::Current,
        n if wanted.get(..n) == Some(&applied) => Schema::Older,
        _ => Schema::Unknown,
    }
}
