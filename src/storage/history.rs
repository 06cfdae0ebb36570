//! Makes history outside the evaluator: what people do, and what follows from a new configuration.

use domain::{Act, Recorded, Timestamp, plan_act, plan_reconfigured};

use crate::{Db, Entry, StorageError, changes, ledger, state};

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
