//! Lists: filters by exact value, order, pages, and the envelope that clients walk along.

use std::cmp::Ordering;

use serde_json::{Value, json};
use url::Url;

use super::input::Input;

/// Entries on a page, unless the client wants another number.
const PER_PAGE: usize = 20;
/// Names that say how to list and are no filters.
const HOW: [&str; 4] = ["page", "per_page", "sort", "order"];

/// A page of `all`, narrowed and ordered as the input says; `keys` are those that may be used for that. What else the input holds is
/// ignored, as clients expect.
///
/// `order` is the way of the order where there is a `sort`, and a filter otherwise: components have a field of that name.
pub(super) fn page(mut all: Vec<Value>, keys: &[&str], input: &Input, address: &Url) -> Value {
    let sort = input.raw("sort").filter(|key| keys.contains(&key.as_str()));
    for key in keys.iter().filter(|key| !HOW.contains(key) || (**key == "order" && sort.is_none())) {
        if let Some(wanted) = input.raw(key) {
            all.retain(|thing| is(&thing[*key], wanted.trim()));
        }
    }
    if let Some(key) = sort {
        all.sort_by(|a, b| compare(&a[key.as_str()], &b[key.as_str()]));
        if input.raw("order").is_some_and(|order| order.eq_ignore_ascii_case("desc")) {
            all.reverse();
        }
    }
    let number = |name: &str, usual| input.raw(name).and_then(|text| text.trim().parse().ok()).filter(|n| *n > 0).unwrap_or(usual);
    let (per_page, page): (usize, usize) = (number("per_page", PER_PAGE), number("page", 1));
    let (total, pages) = (all.len(), all.len().div_ceil(per_page).max(1));
    let data: Vec<Value> = all.into_iter().skip((page - 1).saturating_mul(per_page)).take(per_page).collect();
    let link = |page: usize| (1..=pages).contains(&page).then(|| linked(address, page));
    json!({
        "meta": { "pagination": {
            "total": total,
            "count": data.len(),
            "per_page": per_page,
            "current_page": page,
            "total_pages": pages,
            "links": { "next_page": link(page.saturating_add(1)), "previous_page": link(page - 1) },
        } },
        "data": data,
    })
}

/// The address of another page, with everything else as it was.
fn linked(address: &Url, page: usize) -> String {
    let mut linked = address.clone();
    let others: Vec<(String, String)> =
        address.query_pairs().filter(|(name, _)| name != "page").map(|(n, v)| (n.into(), v.into())).collect();
    linked.query_pairs_mut().clear().extend_pairs(others).append_pair("page", &page.to_string());
    linked.to_string()
}

fn is(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Bool(truth) => if *truth { ["1", "true", "True"] } else { ["0", "false", "False"] }.contains(&wanted),
        Value::Number(number) => number.to_string() == wanted,
        _ => false,
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use poem::{Request, http::Method};

    use super::*;

    async fn listed(query: &str) -> Value {
        let address: Url = format!("https://status.example.com/api/v1/components?{query}").parse().unwrap();
        let mut request = Request::builder().method(Method::GET).uri(format!("/?{query}").parse().unwrap()).finish();
        let input = Input::read(&mut request).await.unwrap();
        let all =
            (1..=45).map(|id| json!({ "id": id, "name": format!("n{}", 99 - id), "order": id % 3, "enabled": id % 2 == 1 })).collect();
        page(all, &["id", "name", "order", "enabled"], &input, &address)
    }

    fn ids(list: &Value) -> Vec<i64> {
        list["data"].as_array().unwrap().iter().map(|thing| thing["id"].as_i64().unwrap()).collect()
    }

    #[tokio::test]
    async fn pages_lead_to_one_another_and_keep_what_was_asked() {
        let list = listed("per_page=20&page=2&enabled=1").await;
        assert_eq!(ids(&list), [41, 43, 45]);
        let pagination = &list["meta"]["pagination"];
        assert_eq!((&pagination["total"], &pagination["count"], &pagination["total_pages"]), (&json!(23), &json!(3), &json!(2)));
        assert_eq!(pagination["links"]["next_page"], Value::Null);
        let before = "https://status.example.com/api/v1/components?per_page=20&enabled=1&page=1";
        assert_eq!(pagination["links"]["previous_page"], before);
    }

    #[tokio::test]
    async fn whoever_wants_all_gets_all_and_nonsense_is_the_usual() {
        assert_eq!(ids(&listed("per_page=1000").await).len(), 45);
        assert_eq!(ids(&listed("per_page=0&page=-1").await), (1..=20).collect::<Vec<_>>());
        assert_eq!(ids(&listed("page=9999999").await), Vec::<i64>::new());
    }

    #[tokio::test]
    async fn only_known_keys_narrow_and_order() {
        assert_eq!(ids(&listed("name=n90&colour=red").await), [9]);
        assert_eq!(ids(&listed("sort=name&order=ASC&per_page=2").await), [45, 44]);
        assert_eq!(ids(&listed("sort=id&order=desc&per_page=2").await), [45, 44]);
        assert_eq!(ids(&listed("sort=secret&per_page=2").await), [1, 2]);
        assert_eq!(ids(&listed("order=0&per_page=2").await), [3, 6], "without a sort it is a field like others");
        assert_eq!(ids(&listed("id[0]=1&per_page=1").await), [1], "what is no plain value narrows nothing");
    }
}
