//! Second factors: codes that change every 30 seconds, and recovery codes. Each code is taken once.

use domain::{Timestamp, UserId};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use totp_rs::{Algorithm, Builder, Secret, Totp};

use crate::{
    Connection, SecretBox, StorageError,
    db::{execute, sql},
    secrets::hash_token,
};

/// Seconds that one code lasts.
const STEP_SECS: u64 = 30;
/// Steps before and after the current one whose codes are taken: clocks differ.
const SKEW: u16 = 1;
/// How many recovery codes somebody gets.
pub const N_RECOVERY_CODES: usize = 10;
/// 120 bits each: too many to be tried out, so that a plain hash of them is enough.
const RECOVERY_BYTES: usize = 15;
/// 160 bits.
const SEED_BYTES: usize = 20;

fn place(user: UserId) -> String {
    format!("totp:{user}:secret")
}

fn totp(seed: &str) -> Result<Totp, StorageError> {
    let bad = || StorageError::Secret("it is not a seed of codes");
    let seed = Secret::try_from_base32(seed).map_err(|_| bad())?;
    let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(SKEW).with_step_duration(STEP_SECS);
    builder.with_secret(seed).build().map_err(|_| bad())
}

/// Begins to enrol an app: makes a seed, in base 32, that counts once a code of it was given. One that waited for its code is replaced;
/// `None` if there is one that counts.
///
/// # Errors
/// What the database said.
pub async fn begin_totp(
    conn: &mut Connection,
    secrets: &SecretBox,
    user: UserId,
    now: Timestamp,
) -> Result<Option<SecretString>, StorageError> {
    let mut bytes = [0; SEED_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let seed = SecretString::from(Secret::from(bytes.to_vec()).to_base32());
    let n = execute!(
        conn,
        sqlx::query(
            "insert into totp (account_id, secret, created_at) values ($1, $2, $3)
             on conflict (account_id) do update set secret = $2, created_at = $3, last_step = 0 where totp.confirmed_at is null"
        )
        .bind(user.0)
        .bind(secrets.seal(&place(user), &seed))
        .bind(now.0)
    )?;
    Ok((n > 0).then_some(seed))
}

/// The seed that waits for its first code, to show it again.
///
/// # Errors
/// What the database said.
pub async fn waiting_totp(conn: &mut Connection, secrets: &SecretBox, user: UserId) -> Result<Option<SecretString>, StorageError> {
    let sealed: Option<Vec<u8>> = sql!(conn, c => sqlx::query_scalar("select secret from totp where account_id = $1 and confirmed_at is null")
        .bind(user.0)
        .fetch_optional(&mut *c)
        .await)?;
    sealed.map(|sealed| secrets.open(&place(user), &sealed)).transpose()
}

/// Which seed a code is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// The one that counts.
    Enrolled,
    /// The one that waits for its first code, and counts from then on.
    Waiting,
}

/// Takes a code, if it is right and none of its step or a later one was taken before. Of several who try at once one succeeds.
///
/// # Errors
/// What the database said.
pub async fn take_totp(
    conn: &mut Connection,
    secrets: &SecretBox,
    user: UserId,
    seed: Seed,
    code: &str,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let row: Option<(Vec<u8>, i64)> = sql!(conn, c => sqlx::query_as(
        "select secret, last_step from totp where account_id = $1 and (confirmed_at is null) = $2",
    )
    .bind(user.0)
    .bind(seed == Seed::Waiting)
    .fetch_optional(&mut *c)
    .await)?;
    let Some((sealed, last_step)) = row else { return Ok(false) };
    let totp = totp(secrets.open(&place(user), &sealed)?.expose_secret())?;
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let seconds = u64::try_from(now.0 / 1000).unwrap_or_default();
    let Some(step) = totp.check(&digits, seconds).and_then(|step| i64::try_from(step).ok()) else { return Ok(false) };
    if step <= last_step {
        return Ok(false);
    }
    let n = execute!(
        conn,
        sqlx::query(
            "update totp set last_step = $2, confirmed_at = coalesce(confirmed_at, $3)
             where account_id = $1 and last_step < $2 and (confirmed_at is null) = $4"
        )
        .bind(user.0)
        .bind(step)
        .bind(now.0)
        .bind(seed == Seed::Waiting)
    )?;
    Ok(n > 0)
}

/// Makes recovery codes, which are shown this once; older ones are worth nothing any more.
///
/// # Errors
/// What the database said.
pub async fn new_recovery_codes(conn: &mut Connection, user: UserId) -> Result<Vec<SecretString>, StorageError> {
    execute!(conn, sqlx::query("delete from recovery_code where account_id = $1").bind(user.0))?;
    let mut codes = Vec::with_capacity(N_RECOVERY_CODES);
    for _ in 0..N_RECOVERY_CODES {
        let mut bytes = [0; RECOVERY_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        let text = Secret::from(bytes.to_vec()).to_base32().to_ascii_lowercase();
        let code: Vec<String> = text.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        execute!(
            conn,
            sqlx::query("insert into recovery_code (account_id, hash) values ($1, $2)").bind(user.0).bind(recovery_hash(user, &text))
        )?;
        codes.push(SecretString::from(code.join("-")));
    }
    Ok(codes)
}

fn recovery_hash(user: UserId, code: &str) -> String {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    hash_token(&format!("recovery code of {user}: {plain}"))
}

/// Uses a recovery code up. Of several who try at once one succeeds.
///
/// # Errors
/// What the database said.
pub async fn take_recovery_code(conn: &mut Connection, user: UserId, code: &str) -> Result<bool, StorageError> {
    let n = execute!(
        conn,
        sqlx::query("delete from recovery_code where account_id = $1 and hash = $2").bind(user.0).bind(recovery_hash(user, code))
    )?;
    Ok(n > 0)
}

/// How many recovery codes are left.
///
/// # Errors
/// What the database said.
pub async fn recovery_codes_left(conn: &mut Connection, user: UserId) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar("select count(*) from recovery_code where account_id = $1")
        .bind(user.0)
        .fetch_one(&mut *c)
        .await)?)
}

/// Whether somebody has an app whose codes count.
///
/// # Errors
/// What the database said.
pub async fn has_totp(conn: &mut Connection, user: UserId) -> Result<bool, StorageError> {
    let n: i64 = sql!(conn, c => sqlx::query_scalar("select count(*) from totp where account_id = $1 and confirmed_at is not null")
        .bind(user.0)
        .fetch_one(&mut *c)
        .await)?;
    Ok(n > 0)
}

/// Takes somebody's app away, and with the last second factor the recovery codes.
///
/// # Errors
/// What the database said.
pub async fn remove_totp(conn: &mut Connection, user: UserId) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("delete from totp where account_id = $1").bind(user.0))?;
    drop_idle_recovery_codes(conn, user).await
}

/// Recovery codes stand in for a second factor; without one they are worth nothing.
///
/// # Errors
/// What the database said.
pub async fn drop_idle_recovery_codes(conn: &mut Connection, user: UserId) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "delete from recovery_code where account_id = $1
             and not exists (select 1 from totp where account_id = $1 and confirmed_at is not null)
             and not exists (select 1 from passkey where account_id = $1)"
        )
        .bind(user.0)
    )?;
    Ok(())
}

/// Takes every second factor and recovery code of somebody away.
///
/// # Errors
/// What the database said.
pub async fn remove_all(conn: &mut Connection, user: UserId) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("delete from totp where account_id = $1").bind(user.0))?;
    execute!(conn, sqlx::query("delete from passkey where account_id = $1").bind(user.0))?;
    execute!(conn, sqlx::query("delete from recovery_code where account_id = $1").bind(user.0))?;
    Ok(())
}
