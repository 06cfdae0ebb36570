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
