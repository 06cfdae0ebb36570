//! Hashes of passwords: slow on purpose, and only a few at once.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::StorageError;

/// KiB of memory for one hash.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// Hashes worked on at once: each takes a processor and 19 MiB.
const MAX_AT_ONCE: usize = 2;
/// Requests that wait for their turn, beyond which the next is told to come again.
const MAX_WAITING: usize = 100;
/// What the password of nobody is compared with, so that it takes as long as that of somebody. No password gives it.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

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

/// Hashes a password for storage.
///
/// # Errors
/// [`StorageError::Overloaded`] if too many wait.
pub async fn hash(password: &SecretString) -> Result<String, StorageError> {
    let password = password.clone();
    in_turn(move || {
        let mut salt = [0; SALT_BYTES];
        rand::rng().fill_bytes(&mut salt);
        let hashed = hasher().hash_password_with_salt(password.expose_secret().as_bytes(), &salt);
        hashed.expect("the parameters and the salt are valid").to_string()
    })
    .await
}

/// Compares a password with what is stored. Takes as long where nothing is.
///
/// # Errors
/// As [`hash`].
pub async fn verify(password: &SecretString, stored: Option<&str>) -> Result<Verdict, StorageError> {
    let (password, stored) = (password.clone(), stored.unwrap_or(NOBODY).to_owned());
    in_turn(move || match hasher().verify_password(password.expose_secret().as_bytes(), stored.as_str()) {
        Err(_) => Verdict::Wrong,
        Ok(()) if stored.starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$")) => Verdict::Right,
        Ok(()) => Verdict::RightButOld,
    })
    .await
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

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("they are within the limits");
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
        assert!(NOBODY.starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$")));
        assert!(argon2::PasswordHash::new(NOBODY).is_ok());
    }
}
