//! What incidents may begin with.

use std::collections::BTreeMap;

use domain::{ComponentId, IncidentTemplate, Status, TemplateId};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::named,
};

type TemplateRow = (i64, String, String, String, String, String);

/// Every template, by id.
///
/// # Errors
/// What the database said.
pub async fn all(conn: &mut Connection) -> Result<Vec<IncidentTemplate>, StorageError> {
    let rows: Vec<TemplateRow> = sql!(conn, c => sqlx::query_as(
        "select template_id, key, name, title, body, status from incident_template order by template_id",
    )
    .fetch_all(&mut *c)
    .await)?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let parts: Vec<(i64, i64, String)> = sql!(conn, c => sqlx::query_as(
        "select template_id, component_id, status from incident_template_component",
    )
    .fetch_all(&mut *c)
    .await)?;
    let mut components: BTreeMap<i64, BTreeMap<ComponentId, Status>> = BTreeMap::new();
    for (template, component, status) in parts {
        let status = named(&status, "incident_template_component", "status")?;
        components.entry(template).or_default().insert(ComponentId(component), status);
    }
    let template = |(id, key, name, title, body, status): TemplateRow| {
        let status = named(&status, "incident_template", "status")?;
        Ok(IncidentTemplate { id: TemplateId(id), key, name, title, body, status, components: components.remove(&id).unwrap_or_default() })
    };
    rows.into_iter().map(template).collect()
}

/// One template.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, id: TemplateId) -> Result<Option<IncidentTemplate>, StorageError> {
    Ok(all(conn).await?.into_iter().find(|template| template.id == id))
}

/// Adds a template; its `id` is not looked at.
///
/// # Errors
/// [`StorageError::Taken`] if there is one of this key, or what the database said.
pub async fn insert(conn: &mut Connection, template: &IncidentTemplate) -> Result<TemplateId, StorageError> {
    let id: Result<i64, _> = sql!(conn, c => sqlx::query_scalar(
        "insert into incident_template (key, name, title, body, status) values ($1, $2, $3, $4, $5) returning template_id",
    )
    .bind(template.key.as_str())
    .bind(template.name.as_str())
    .bind(template.title.as_str())
    .bind(template.body.as_str())
    .bind(template.status.as_str())
    .fetch_one(&mut *c)
    .await);
    let id = TemplateId(id.map_err(|error| StorageError::taken(error, "key"))?);
    insert_components(conn, id, &template.components).await?;
    Ok(id)
}

/// Changes a template; its key stays.
///
/// # Errors
/// What the database said.
pub async fn update(conn: &mut Connection, template: &IncidentTemplate) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update incident_template set name = $2, title = $3, body = $4, status = $5 where template_id = $1")
            .bind(template.id.0)
            .bind(template.name.as_str())
            .bind(template.title.as_str())
            .bind(template.body.as_str())
            .bind(template.status.as_str())
    )?;
    execute!(conn, sqlx::query("delete from incident_template_component where template_id = $1").bind(template.id.0))?;
    insert_components(conn, template.id, &template.components).await
}

async fn insert_components(conn: &mut Connection, id: TemplateId, components: &BTreeMap<ComponentId, Status>) -> Result<(), StorageError> {
    for (component, status) in components {
        execute!(
            conn,
            sqlx::query("insert into incident_template_component (template_id, component_id, status) values ($1, $2, $3)")
                .bind(id.0)
                .bind(component.0)
                .bind(status.as_str())
        )?;
    }
    Ok(())
}

/// Removes a template; tells whether there was one.
///
/// # Errors
/// What the database said.
pub async fn delete(conn: &mut Connection, id: TemplateId) -> Result<bool, StorageError> {
    Ok(execute!(conn, sqlx::query("delete from incident_template where template_id = $1").bind(id.0))? > 0)
}
