//! What incidents may begin with: words that are written in quiet times, in the language of the routes' templates.

use std::collections::BTreeMap;

use crate::{
    ComponentId, ExpressionError, IncidentStatus, MAX_TITLE_CHARS, Signal, Status, TemplateId,
    plan::{in_a_sentence, without_control_characters},
    render_template, to_value,
};

/// The most templates.
pub const MAX_TEMPLATES: usize = 500;
/// What the templates of routes and incidents may read.
pub const TEMPLATE_NAMES: [&str; 3] = ["signal", "components", "status"];

/// What an incident may begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentTemplate {
    /// Its id.
    pub id: TemplateId,
    /// Its name in configuration files.
    pub key: String,
    /// Its name in the console.
    pub name: String,
    /// The incident's title, a template over [`TEMPLATE_NAMES`].
    pub title: String,
    /// The first text, Markdown, a template over the same; may be empty.
    pub body: String,
    /// Where the incident stands.
    pub status: IncidentStatus,
    /// What it affects, and how.
    pub components: BTreeMap<ComponentId, Status>,
}

/// A part of a template that gives no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {error}")]
pub struct FillError {
    /// `title` or `body`.
    pub field: &'static str,
    /// Why.
    pub error: ExpressionError,
}

impl IncidentTemplate {
    /// The title and the text for an incident about the components of these names, which are at their worst as bad as `status`.
    ///
    /// It is done once, when the incident is written; what comes out is text like any other. Without a signal, what would be read of it is
    /// empty.
    ///
    /// # Errors
    /// A part wants too much, or asks for what does not work.
    pub fn fill(&self, names: &[&str], status: Status, signal: Option<&Signal>) -> Result<(String, String), FillError> {
        let about = if names.is_empty() { "our services".to_owned() } else { in_a_sentence(names) };
        let context = minijinja::context! { signal => signal.map(to_value), components => about, status => status.words() };
        let fill = |field, template: &str| {
            let text = render_template(template, &context).map_err(|error| FillError { field, error })?;
            Ok::<_, FillError>(without_control_characters(&text).trim().to_owned())
        };
        let title = fill("title", &self.title)?.replace(['\n', '\t'], " ");
        Ok((title.chars().take(MAX_TITLE_CHARS).collect(), fill("body", &self.body)?))
    }
}

/// The template that fits trouble with a component best: the one that names it and the fewest others, of equal ones the oldest.
#[must_use]
pub fn template_for(templates: &[IncidentTemplate], component: ComponentId) -> Option<&IncidentTemplate> {
    let fits = templates.iter().filter(|template| template.components.contains_key(&component));
    fits.min_by_key(|template| (template.components.len(), template.id))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::{MAX_RENDERED_BYTES, SignalState, Timestamp};

    fn template(title: &str, body: &str) -> IncidentTemplate {
        let (title, body) = (title.to_owned(), body.to_owned());
        let (key, name, components) = ("t".to_owned(), "T".to_owned(), BTreeMap::new());
        IncidentTemplate { id: TemplateId(1), key, name, title, body, status: IncidentStatus::Investigating, components }
    }

    #[test]
    fn a_template_speaks_of_what_is_affected() {
        let filled = template("Problem with {{ components }}", "It is in {{ status }}.{% if signal %} {{ signal.subject }}{% endif %}\n");
        let signal = Signal::new("a", SignalState::Firing, "cpu", Timestamp(0));
        assert_eq!(
            filled.fill(&["API", "Web"], Status::MajorOutage, Some(&signal)),
            Ok(("Problem with API and Web".to_owned(), "It is in major outage. cpu".to_owned()))
        );
        assert_eq!(filled.fill(&[], Status::Operational, None).unwrap().0, "Problem with our services");
    }

    #[test]
    fn what_is_filled_in_fits_an_incident() {
        let signal = Signal::new("a", SignalState::Firing, "a\u{0}b\r\nc\td", Timestamp(0));
        let (title, body) = template("{{ signal.subject }}", "{{ signal.subject }}").fill(&[], Status::Operational, Some(&signal)).unwrap();
        assert_eq!((title.as_str(), body.as_str()), ("ab c d", "ab\nc\td"));
        let long = template("{% for i in range(300) %}é{% endfor %}", "").fill(&[], Status::Operational, None).unwrap();
        assert_eq!(long.0.chars().count(), MAX_TITLE_CHARS);
    }

    #[test]
    fn the_template_that_names_a_component_and_little_else_fits_best() {
        let about = |id: i64, components: &[i64]| IncidentTemplate {
            id: TemplateId(id),
            components: components.iter().map(|id| (ComponentId(*id), Status::MajorOutage)).collect(),
            ..template("", "")
        };
        let all = [about(1, &[]), about(2, &[7, 8]), about(4, &[7]), about(3, &[7])];
        assert_eq!(template_for(&all, ComponentId(7)).map(|template| template.id), Some(TemplateId(3)));
        assert_eq!(template_for(&all, ComponentId(8)).map(|template| template.id), Some(TemplateId(2)));
        assert_eq!(template_for(&all, ComponentId(9)), None);
    }

    /// Cachet, twice: templates that reach for the machine. Each ends as plain text or is refused, soon, and is small.
    #[test]
    fn cve_2023_43661_and_ghsa_q3xh_8qcr_jgw3_a_template_reaches_nothing_but_its_words() {
        let nested = format!("{}x{}", "{% if true %}".repeat(78), "{% endif %}".repeat(78));
        let attacks = [
            "{{ ['id']|sort('system') }}",
            "{{ ['id']|map('system')|join }}",
            "{% include '/etc/passwd' %}",
            "{% extends '/etc/passwd' %}",
            "{% import '/etc/passwd' as x %}{{ x }}",
            "{{ self }}{{ self.__class__ }}",
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            "{{ _self.env.registerUndefinedFilterCallback('exec') }}",
            "{% for i in range(10000000) %}x{% endfor %}",
            "{% for i in range(10000) %}{% for j in range(10000) %}x{% endfor %}{% endfor %}",
            "{% set ns = namespace(t='x') %}{% for i in range(9000) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{{ ns.t }}",
            "{{ 'x' * 1000000000 }}",
            "{{ range(1000000000)|list|length }}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            nested.as_str(),
        ];
        for attack in attacks {
            let began = Instant::now();
            let filled = template("", attack).fill(&["API"], Status::MajorOutage, None);
            assert!(began.elapsed() < Duration::from_millis(100), "{attack}: {:?}", began.elapsed());
            let body = filled.map_or_else(|error| error.to_string(), |(_, body)| body);
            assert!(body.len() <= MAX_RENDERED_BYTES, "{attack}: {} bytes", body.len());
            assert!(!body.contains("root:") && !body.contains("uid="), "{attack}: {body}");
        }
        assert_eq!(
            template("{{7*7}}", "${7*7} #{7*7} <%= 7*7 %>").fill(&[], Status::Operational, None).unwrap().1,
            "${7*7} #{7*7} <%= 7*7 %>"
        );
        assert_eq!(template("", "{% include 'x' %}").fill(&[], Status::Operational, None).unwrap_err().field, "body");
    }
}
