//! Hashes of passwords: slow on purpose, and only a few at once.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::StorageError;

/// The least memory for one hash, in MiB, and what it takes unless more is wanted: OWASP's minimum for two passes.
pub const MIN_MEMORY_MIB: u32 = 19;
/// The most that may be wanted, in MiB.
pub const MAX_MEMORY_MIB: u32 = 1024;
/// How long one hash should take at most: whoever signs in waits for it, and others behind them.
pub const BUDGET: Duration = Duration::from_millis(250);
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// Hashes worked on at once: each takes a processor and its memory.
const MAX_AT_ONCE: usize = 2;
/// Requests that wait for their turn, beyond which the next is told to come again.
const MAX_WAITING: usize = 100;

/// MiB of memory for one hash.
static MEMORY_MIB: AtomicU32 = AtomicU32::new(MIN_MEMORY_MIB);
static TURNS: Semaphore = Semaphore::const_new(MAX_AT_ONCE);
static WAITING: Semaphore = Semaphore::const_new(MAX_WAITING);

/// What a comparison said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another one, or there is none.
    Wrong,
    /// It is the one.
    Right,
    /// It is the one, hashed with less care than is taken now: hash it again.
    RightButOld,
}

/// Takes so much memory for each hash from now on, at least [`MIN_MEMORY_MIB`] and at most [`MAX_MEMORY_MIB`]. Passwords that were hashed
/// with less are hashed anew when their owners sign in.
pub fn use_memory(mib: u32) {
    MEMORY_MIB.store(mib.clamp(MIN_MEMORY_MIB, MAX_MEMORY_MIB), Ordering::Relaxed);
}

/// How long one hash takes on this machine with so much memory.
#[must_use]
pub fn measure(mib: u32) -> Duration {
    let began = Instant::now();
    let hashed = hasher(mib).hash_password_with_salt(b"violin harbour sandpaper", &[7; SALT_BYTES]);
    std::hint::black_box(hashed.is_ok());
    began.elapsed()
}

/// The most memory, in steps, with which one hash takes no longer than [`BUDGET`], if one with [`MIN_MEMORY_MIB`] takes as long as given.
#[must_use]
pub fn affordable(least: Duration) -> u32 {
    const STEPS: [u32; 6] = [32, 46, 64, 96, 128, 256];
    let fits = |mib: &u32| least * *mib / MIN_MEMORY_MIB <= BUDGET;
    STEPS.into_iter().filter(fits).max().unwrap_or(MIN_MEMORY_MIB)
}

/// Hashes a password for storage.
///
/// # Errors
/// [`StorageError::Overloaded`] if too many wait.
pub async fn hash(password: &SecretString) -> Result<String, StorageError> {
    let password = password.clone();
    in_turn(move || {
        let mut salt = [0; SALT_BYTES];
        rand::rng().fill_bytes(&mut salt);
        let hashed = hasher(memory()).hash_password_with_salt(password.expose_secret().as_bytes(), &salt);
        hashed.expect("the parameters and the salt are valid").to_string()
    })
    .await
}

/// Compares a password with what is stored. Takes as long where nothing is.
///
/// # Errors
/// As [`hash`].
pub async fn verify(password: &SecretString, stored: Option<&str>) -> Result<Verdict, StorageError> {
    let (password, stored) = (password.clone(), stored.map_or_else(nobody, str::to_owned));
    in_turn(move || match hasher(memory()).verify_password(password.expose_secret().as_bytes(), stored.as_str()) {
        Err(_) => Verdict::Wrong,
        Ok(()) if is_as_slow_as_wanted(&stored) => Verdict::Right,
        Ok(()) => Verdict::RightButOld,
    })
    .await
}

/// Whether a hash takes at least as much as one that is made now. More is no reason to make it cheaper.
fn is_as_slow_as_wanted(stored: &str) -> bool {
    let params = PasswordHash::new(stored).ok().filter(|hash| hash.algorithm.as_str() == "argon2id");
    let params = params.and_then(|hash| Params::try_from(&hash).ok());
    params.is_some_and(|params| params.m_cost() >= memory() * 1024 && params.t_cost() >= PASSES && params.p_cost() >= LANES)
}

/// What the password of nobody is compared with, so that it takes as long as that of somebody. No password gives it.
fn nobody() -> String {
    format!("$argon2id$v=19$m={},t={PASSES},p={LANES}${}${}", memory() * 1024, "A".repeat(22), "A".repeat(43))
}

fn memory() -> u32 {
    MEMORY_MIB.load(Ordering::Relaxed)
}

async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StorageError> {
    let _place = WAITING.try_acquire().map_err(|_| StorageError::Overloaded)?;
    let turn = TURNS.acquire().await.map_err(|_| StorageError::Overloaded)?;
    // The turn goes with the work: it is not over when whoever waited for it has gone away.
    tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    })
    .await
    .map_err(|_| StorageError::Overloaded)
}

fn hasher(mib: u32) -> Argon2<'static> {
    let params = Params::new(mib.clamp(MIN_MEMORY_MIB, MAX_MEMORY_MIB) * 1024, PASSES, LANES, None).expect("they are within the limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_an_old_hash_is_noticed() {
        let right = SecretString::from("violin harbour sandpaper");
        let hashed = hash(&right).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert_ne!(hashed, hash(&right).await.unwrap());
        assert_eq!(verify(&right, Some(&hashed)).await.unwrap(), Verdict::Right);
        assert_eq!(verify(&SecretString::from("violin harbour sandpape"), Some(&hashed)).await.unwrap(), Verdict::Wrong);
        assert_eq!(verify(&right, None).await.unwrap(), Verdict::Wrong);
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        let old = weak.hash_password_with_salt(right.expose_secret().as_bytes(), &[7; 16]).unwrap().to_string();
        assert_eq!(verify(&right, Some(&old)).await.unwrap(), Verdict::RightButOld);
    }

    #[test]
    fn nobody_is_compared_with_the_same_care_as_everybody() {
        assert!(is_as_slow_as_wanted(&nobody()) && nobody().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", nobody());
    }

    #[test]
    fn a_hash_that_took_more_is_not_made_cheaper_and_one_that_took_less_is_old() {
        let with = |name: &str, m: u32, t: u32| format!("${name}$v=19$m={m},t={t},p=1${}${}", "A".repeat(22), "A".repeat(43));
        assert!(is_as_slow_as_wanted(&with("argon2id", 65_536, 2)) && is_as_slow_as_wanted(&with("argon2id", 19_456, 3)));
        for less in [with("argon2id", 19_455, 2), with("argon2id", 65_536, 1), with("argon2i", 19_456, 2), "nothing".to_owned()] {
            assert!(!is_as_slow_as_wanted(&less), "{less}");
        }
    }

    #[test]
    fn what_is_recommended_fits_the_budget_and_is_never_less_than_the_minimum() {
        let of = |millis: u64| affordable(Duration::from_millis(millis));
        assert_eq!([1, 20, 40, 80, 250, 5_000].map(of), [256, 128, 96, 46, 19, 19]);
    }
}
