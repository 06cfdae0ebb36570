//! Bringing a schema up to date, and leaving one that is alone.

use sqlx::{
    PgConnection, PgPool,
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

/// Whether the database has exactly these migrations. A database without the table of them has none.
async fn is_up_to_date(migrator: &Migrator, conn: &mut PgConnection) -> bool {
    let table = &migrator.table_name;
    let (Ok(None), Ok(applied)) = (conn.dirty_version(table).await, conn.list_applied_migrations(table).await) else { return false };
    let wanted = migrator.iter().filter(|migration| !migration.migration_type.is_down_migration());
    wanted
        .map(|migration| (migration.version, &migration.checksum))
        .eq(applied.iter().map(|migration| (migration.version, &migration.checksum)))
}
