//! Makes history outside the evaluator: what people do, and what follows from a new configuration.

use domain::{Act, Desired, Recorded, SubscriberId, Timestamp, plan_act, plan_reconfigured};

use crate::{Db, Entry, SecretBox, StorageError, changes, configuration, ledger, notifications, state};

/// Does what a person wants done, with everything that follows from it, in one transaction. Wake [`crate::Topic::Changes`] and
/// [`crate::Topic::Notifications`] afterwards.
///
/// # Errors
/// [`StorageError::Act`] if it does not fit the state, else what the database said; nothing was changed then.
pub async fn act(db: &Db, by: &str, act: Act, now: Timestamp) -> Result<Vec<Recorded>, StorageError> {
    let mut entry = ledger::begin(db, None).await?;
    let mut state = state::load(&mut entry).await?;
    let recorded = plan_act(&mut state, by, act, now)?;
    changes::apply(&mut entry, &mut state, &recorded).await?;
    entry.commit(&state).await?;
    Ok(recorded)
}

/// Works out what follows from components or routes that were changed in `entry`'s transaction, stores it, and commits all of it.
///
/// # Errors
/// What the database said; nothing was changed then.
pub async fn reconfigured(mut entry: Entry, by: &str, now: Timestamp) -> Result<Vec<Recorded>, StorageError> {
    let mut state = state::load(&mut entry).await?;
    entry.visible = true;
    let recorded = plan_reconfigured(&mut state, by, now);
    changes::apply(&mut entry, &mut state, &recorded).await?;
    entry.commit(&state).await?;
    Ok(recorded)
}

/// Makes the database equal to a configuration file, with everything that follows from it, in one transaction.
///
/// # Errors
/// What the database said; nothing was changed then.
pub async fn configure(db: &Db, secrets: &SecretBox, desired: &Desired, by: &str, now: Timestamp) -> Result<(), StorageError> {
    let mut entry = ledger::begin(db, None).await?;
    configuration::apply(&mut entry.tx, secrets, desired, now).await?;
    reconfigured(entry, by, now).await?;
    Ok(())
}

/// Switches a subscriber off and cancels what is still owed to it; returns false if it was off already.
///
/// # Errors
/// What the database said.
pub async fn disable(db: &Db, subscriber: SubscriberId, reason: &str, now: Timestamp) -> Result<bool, StorageError> {
    let mut tx = db.begin().await?;
    let disabled = notifications::disable(&mut tx, subscriber, reason, now).await?;
    tx.commit().await?;
    Ok(disabled)
}
