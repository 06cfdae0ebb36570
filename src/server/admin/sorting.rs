//! `sort`: the order of a list, and its pages in that order.

use poem_openapi::types::{ParseFromJSON, ToJSON};
use storage::order::{Order, Place, Slice, Sorted};

use super::{
    cursor,
    problem::Problem,
    reply::{List, Paging},
    types::Sort,
};

/// Which page of a list is wanted, in which order; `usual` is the one of a client that says nothing.
pub(super) fn slice<T: Sorted>(
    limit: Option<i64>,
    cursor: Option<&str>,
    sort: Option<Sort<T>>,
    usual: Order<T>,
) -> Result<Slice<T>, Problem> {
    let order = sort.map_or(usual, |sort| sort.0);
    let limit = Paging::new(limit, None)?.n_wanted();
    let refuse = |cursor| cursor::refuse(cursor, "is not the `next` of an earlier answer in this order");
    let after = cursor.map(|cursor| place(cursor, order).ok_or_else(|| refuse(cursor))).transpose()?;
    Ok(Slice { order, after, limit })
}

fn place<T: Sorted>(cursor: &str, order: Order<T>) -> Option<Place> {
    if order.is_by_id() {
        return Some(Place { value: None, id: cursor::read(cursor)? });
    }
    let (id, name, value) = cursor::read_value(cursor)?;
    (name == order.to_string() && order.fits(&value)).then_some(Place { value: Some(value), id })
}

/// The answer, from what the database gave.
pub(super) fn list<T: Sorted, V: ParseFromJSON + ToJSON>(slice: &Slice<T>, mut rows: Vec<T>, view: impl FnMut(T) -> V) -> List<V> {
    let n = usize::try_from(slice.limit - 1).unwrap_or_default();
    let has_more = rows.len() > n;
    rows.truncate(n);
    let last = rows.last().filter(|_| has_more);
    let next = last.map(|row| match slice.order.value(row) {
        None => cursor::write(row.id()),
        Some(value) => cursor::write_value(row.id(), &slice.order.to_string(), &value),
    });
    List { items: rows.into_iter().map(view).collect(), next }
}
