//! Everything that is wrong with settings, and not only what their reader stumbles over first.

use serde_json::Value;

use crate::{Provider, SettingsError};

/// The most problems of one integration's settings that are told.
pub const MAX_PROBLEMS: usize = 20;

impl Provider {
    /// What is wrong with settings: nothing if [`Provider::check_settings`] takes them, else everything that can be told at once, at most
    /// [`MAX_PROBLEMS`]. A field that is refused is taken out, and the rest looked at again, for as long as what is found does not come of that.
    #[must_use]
    pub fn settings_problems(&self, settings: &Value) -> Vec<SettingsError> {
        let (mut rest, mut taken_out, mut problems) = (settings.clone(), Vec::new(), Vec::new());
        while problems.len() < MAX_PROBLEMS
            && let Err(error) = (self.check_settings)(&rest)
        {
            if unknown_field(&error).is_none() && taken_out.iter().any(|field| error.problem.contains(&format!("`{field}`"))) {
                break;
            }
            let field = take_out(&mut rest, &error);
            problems.push(error);
            match field {
                Some(field) => taken_out.push(field),
                None => break,
            }
        }
        problems
    }
}

/// The field that nobody knows, if that is the problem.
fn unknown_field(error: &SettingsError) -> Option<&str> {
    error.problem.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')).map(|(field, _)| field)
}

/// Takes the field that is refused out of an object; tells its name, or nothing if it is not there. Of a list the whole is taken out, so that
/// the places of what stays are what they were.
fn take_out(settings: &mut Value, error: &SettingsError) -> Option<String> {
    let mut names: Vec<&str> = error.path.split('[').next()?.split('.').filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = unknown_field(error).filter(|unknown| names.last() != Some(unknown)) {
        names.push(unknown);
    }
    let (last, within) = names.split_last()?;
    let object = within.iter().try_fold(settings, |value, name| value.get_mut(*name))?.as_object_mut()?;
    object.remove(*last).map(|_| (*last).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{PROVIDERS, find};

    fn paths(provider: &str, settings: &Value) -> Vec<String> {
        find(provider).unwrap().settings_problems(settings).into_iter().map(|error| error.path).collect()
    }

    #[test]
    fn what_is_wrong_is_told_at_once_and_what_comes_of_looking_is_not() {
        let topic = "arn:aws:sns:eu-west-1:123456789012:alarms";
        assert_eq!(paths("aws_sns", &json!({ "topics": [topic] })), [""; 0]);
        assert_eq!(paths("aws_sns", &json!({ "endpoints": "x", "topcs": [topic] })), ["endpoints", "topcs", ""], "`topics` are missing");
        assert_eq!(paths("aws_sns", &json!({ "topics": [topic, "a", "b"], "nothing": 1 })), ["nothing", "topics[1]"]);
        let mapping = json!({ "fingerprint": 7, "state": "body.x", "firing": ["down"], "labls": {}, "vlue": "body.y" });
        assert_eq!(paths("json", &mapping), ["fingerprint", "labls", "vlue"], "that `fingerprint` is missing then is no news");
        let nested = json!({ "topics": [topic], "mapping": { "nothing": 1, "fingerprint": "body.x", "state": "body.y", "neither": 2 } });
        assert_eq!(paths("aws_sns", &nested)[..2], ["mapping.neither", "mapping.nothing"]);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let many: serde_json::Map<String, Value> = (0..100).map(|n| (format!("unknown_{n}"), json!(n))).collect();
        assert_eq!(paths("http", &Value::Object(many)).len(), MAX_PROBLEMS);
        for whole in [json!([]), json!("text"), json!(null)] {
            for provider in PROVIDERS {
                assert!(provider.settings_problems(&whole).len() <= 1, "{}: {whole}", provider.slug);
            }
        }
    }

    #[test]
    fn of_every_provider_all_unknown_fields_are_told() {
        for provider in PROVIDERS {
            // The address is there, for where it is asked for by another reader, before the rest is read.
            let found = paths(provider.slug, &json!({ "url": "https://example.com", "zzz_one": 1, "zzz_two": 2 }));
            assert!(["zzz_one", "zzz_two"].iter().all(|path| found.iter().any(|found| found == path)), "{}: {found:?}", provider.slug);
        }
    }
}
