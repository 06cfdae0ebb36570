//! Expressions and templates: any text compiles or does not, and runs to an end on any document, in bounded time and memory.
#![no_main]

use domain::{Expression, MAX_RENDERED_BYTES, check_template, render_template, template_names, to_value};
use fuzz::{expressions, plant, within_limits};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Value, json};

/// What there is to read, if the input brings nothing of its own after a zero byte.
fn context() -> Value {
    let signal = json!({
        "fingerprint": "f", "state": "firing", "severity": "critical", "subject": "API", "summary": "x".repeat(200),
        "labels": {"service": "api", "region": "eu"}, "value": 3.5, "occurred_at": "2026-03-01T12:00:00Z",
    });
    let items: Vec<Value> = (0..100).map(|n| json!({"id": n, "name": "name", "tags": ["a", "b"]})).collect();
    json!({"signal": signal, "body": {"items": items, "text": "y".repeat(10_000)}, "item": items[0], "headers": {"x-event": "push"}})
}

fuzz_target!(
    init: plant(expressions()),
    |data: &[u8]| -> Corpus {
        let (source, document) = match data.iter().position(|byte| *byte == 0) {
            Some(at) => (&data[..at], serde_json::from_slice(&data[at + 1..]).ok()),
            None => (data, None),
        };
        let Ok(source) = str::from_utf8(source) else { return Corpus::Reject };
        let context = to_value(&document.unwrap_or_else(context));
        within_limits(|| {
            if let Ok(expression) = Expression::compile(source) {
                let _ = expression.names();
                let _ = expression.is_true(&context);
                // As a field of a mapping takes it.
                let _ = expression.value(&context).map(|value| value.len());
            }
        });
        within_limits(|| {
            let _ = (check_template(source), template_names(source));
            if let Ok(text) = render_template(source, &context) {
                assert!(text.len() <= MAX_RENDERED_BYTES, "{} bytes", text.len());
            }
        });
        Corpus::Keep
    }
);
