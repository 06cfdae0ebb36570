//! What routes that damp flapping remember: of a batch, what it came to.

use std::collections::BTreeMap;

use domain::{Change, Recorded, Swing};

use crate::{Connection, StorageError, db::execute, rows::to_json};

pub(super) async fn store(conn: &mut Connection, recorded: &[Recorded]) -> Result<(), StorageError> {
    let mut last: BTreeMap<i64, &Vec<Swing>> = BTreeMap::new();
    for Recorded { change, .. } in recorded {
        if let Change::Swings { route, swings } = change {
            last.insert(route.0, swings);
        }
    }
    for (route, swings) in last {
        if swings.is_empty() {
            execute!(conn, sqlx::query("delete from route_swing where route_id = $1").bind(route))?;
            continue;
        }
        // Its route may have been removed by the same act.
        execute!(
            conn,
            sqlx::query(
                "insert into route_swing (route_id, swings) select route_id, cast($2 as text) from route where route_id = $1
                 on conflict (route_id) do update set swings = excluded.swings",
            )
            .bind(route)
            .bind(to_json(swings))
        )?;
    }
    Ok(())
}
