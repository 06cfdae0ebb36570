//! What incidents may begin with: words that are written in quiet times, in the language of the routes' templates.

use std::collections::BTreeMap;

use crate::{ComponentId, IncidentStatus, Signal, Status, TemplateId, in_a_sentence, render_template, to_value};

/// The most templates.
pub const MAX_TEMPLATES: usize = 500;

/// What an incident, or an update of one, may begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentTemplate {
    /// Its id.
    pub id: TemplateId,
    /// Its name in configuration files.
    pub key: String,
    /// Its name in the console.
    pub name: String,
    /// The incident's title, as a template over `components`, `status` and `signal`.
    pub title: String,
    /// The text, Markdown, as a template over the same.
    pub body: String,
    /// Where the incident stands.
    pub status: IncidentStatus,
    /// What it affects, and how.
    pub components: BTreeMap<ComponentId, Status>,
}

impl IncidentTemplate {
    /// The title and the text for an incident about the components of these names, which are at their worst as bad as `status`.
    ///
    /// It is done once, for the form; what comes out is text like any other. What cannot be filled in stands there as it was written.
    #[must_use]
    pub fn fill(&self, names: &[&str], status: Status, signal: Option<&Signal>) -> (String, String) {
        let about = if names.is_empty() { "our services".to_owned() } else { in_a_sentence(names) };
        let context = minijinja::context! { signal => signal.map(to_value), components => about, status => status.words() };
        let fill = |template: &str| render_template(template, &context).unwrap_or_else(|_| template.to_owned()).trim().to_owned();
        (fill(&self.title).replace(['\r', '\n', '\t'], " "), fill(&self.body))
    }
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
            ("Problem with API and Web".to_owned(), "It is in major outage. cpu".to_owned())
        );
        assert_eq!(filled.fill(&[], Status::Operational, None).0, "Problem with our services");
    }

    /// CVE-2023-43661 and its return: templates that reach for the machine. Each ends as plain text, soon, and is small.
    #[test]
    fn a_template_reaches_nothing_but_its_words() {
        let nested = format!("{}x{}", "{% if true %}".repeat(100), "{% endif %}".repeat(100));
        let attacks = [
            "{{7*7}}",
            "{{ ['id']|sort('system') }}",
            "{{ ['id']|map('system')|join }}",
            "{% include '/etc/passwd' %}",
            "{% extends '/etc/passwd' %}",
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
            let (title, body) = template(attack, attack).fill(&["API"], Status::MajorOutage, None);
            assert!(began.elapsed() < Duration::from_secs(2), "{attack}: {:?}", began.elapsed());
            assert!(title.len() <= MAX_RENDERED_BYTES && body.len() <= MAX_RENDERED_BYTES, "{attack}: {} bytes", body.len());
            assert!(!body.contains("root:") && !body.contains("uid="), "{attack}: {body}");
        }
        assert_eq!(template("{% include 'x' %}", "{{").fill(&[], Status::Operational, None), ("{% include 'x' %}".into(), "{{".into()));
    }
}
