//! The images that the page shows. Settings name them; here is what they hold.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Image, PageSettings};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::named,
};

/// Every image, by its hash.
///
/// # Errors
/// What the database said.
pub async fn all(conn: &mut Connection) -> Result<BTreeMap<String, Image>, StorageError> {
    let rows: Vec<(String, String, Vec<u8>)> = sql!(conn, c => sqlx::query_as("select digest, kind, content from page_image order by digest")
        .fetch_all(&mut *c)
        .await)?;
    let image = |(digest, kind, content): (String, String, Vec<u8>)| {
        Ok((digest.clone(), Image::stored(named(&kind, "page_image", "kind")?, digest, &content)))
    };
    rows.into_iter().map(image).collect()
}

/// Keeps what `settings` name, of what is stored and of `new`, and nothing else.
///
/// # Errors
/// What the database said; an image that is neither stored nor new.
pub async fn keep(conn: &mut Connection, settings: &PageSettings, new: &BTreeMap<String, Image>) -> Result<(), StorageError> {
    let stored: Vec<String> = sql!(conn, c => sqlx::query_scalar("select digest from page_image").fetch_all(&mut *c).await)?;
    let wanted: BTreeSet<&str> = settings.brand.images().map(|mark| mark.digest.as_str()).collect();
    for digest in stored.iter().filter(|digest| !wanted.contains(digest.as_str())) {
        execute!(conn, sqlx::query("delete from page_image where digest = $1").bind(digest.as_str()))?;
    }
    for digest in wanted.into_iter().filter(|wanted| stored.iter().all(|digest| digest != wanted)) {
        let image = new.get(digest).ok_or_else(|| StorageError::NoSuchKey { kind: "image", key: digest.to_owned() })?;
        execute!(
            conn,
            sqlx::query("insert into page_image (digest, kind, content) values ($1, $2, $3)")
                .bind(digest)
                .bind(image.kind().as_str())
                .bind(image.content().to_vec())
        )?;
    }
    Ok(())
}
