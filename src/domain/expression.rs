//! The one expression language: minijinja's, with limits, for route conditions, field mappings and message templates.

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    sync::{LazyLock, OnceLock},
    thread,
};

use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;

/// The longest source text of an expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 2048;
/// Steps one evaluation may take before it is stopped.
const FUEL: u64 = 20_000;
/// Parsing recurses with the nesting of the source; this is enough for any source of [`MAX_EXPRESSION_BYTES`].
const COMPILE_STACK_BYTES: usize = 16 << 20;
/// The longest text a template may give, in bytes.
pub const MAX_RENDERED_BYTES: usize = 16 << 10;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_fuel(Some(FUEL));
    // A missing label is an everyday thing: it compares unequal and prints as nothing, instead of failing the route.
    env.set_undefined_behavior(UndefinedBehavior::Chainable);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env
});

/// An expression that does not compile, or fails while it runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Longer than [`MAX_EXPRESSION_BYTES`].
    #[error("expression has {0} bytes, at most {MAX_EXPRESSION_BYTES} are allowed")]
    TooLong(usize),
    /// Does not compile.
    #[error("expression does not compile: {0}")]
    Syntax(String),
    /// Failed for this input.
    #[error("expression failed: {0}")]
    Failed(String),
    /// Uses a filter, test, function or method that does not exist: it fails for every input that gets there.
    #[error("expression does not work: {0}")]
    Unknown(String),
}

type Compiled = minijinja::Expression<'static, 'static>;

/// An expression that is compiled at most once. Cheap to evaluate, bounded in time and memory.
pub struct Expression {
    source: String,
    compiled: OnceLock<Result<Compiled, ExpressionError>>,
}

impl Expression {
    /// Compiles `source`.
    ///
    /// # Errors
    /// The source is too long or not an expression.
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        let compiled = compile(source)?;
        Ok(Self { source: source.to_owned(), compiled: OnceLock::from(Ok(compiled)) })
    }

    /// The same, to be compiled again when it is first evaluated. Compiled it takes ten kilobytes and more, and of a thousand routes most
    /// wait for days.
    #[must_use]
    pub fn put_by(self) -> Self {
        Self { source: self.source, compiled: OnceLock::new() }
    }

    /// What it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The value for `context`, a map of names.
    ///
    /// # Errors
    /// A filter refused its input, or the fuel ran out.
    pub fn value(&self, context: &Value) -> Result<Value, ExpressionError> {
        let compiled = self.compiled.get_or_init(|| compile(&self.source)).as_ref().map_err(Clone::clone)?;
        compiled.eval(context.clone()).map_err(|error| failed(&error))
    }

    /// What it reads, such as `signal.labels.service`: every name that must come from its context.
    ///
    /// # Errors
    /// None in practice: the source has compiled before.
    pub fn names(&self) -> Result<BTreeSet<String>, ExpressionError> {
        let owned = self.source.clone();
        on_large_stack(move || ENVIRONMENT.compile_expression(&owned).map(|compiled| compiled.undeclared_variables(true)))
            .map(from_context)
            .map_err(|error| ExpressionError::Syntax(describe(&error)))
    }

    /// Whether the value for `context` is true in the sense of the language: not empty, not zero, not undefined.
    ///
    /// # Errors
    /// As [`Expression::value`].
    pub fn is_true(&self, context: &Value) -> Result<bool, ExpressionError> {
        Ok(self.value(context)?.is_true())
    }
}

fn compile(source: &str) -> Result<Compiled, ExpressionError> {
    check_length(source)?;
    let owned = source.to_owned();
    on_large_stack(move || ENVIRONMENT.compile_expression_owned(owned)).map_err(|error| ExpressionError::Syntax(describe(&error)))
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}

/// Turns anything serialisable into a value that expressions can read.
pub fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).map_or(Value::UNDEFINED, |json| Value::from(minijinja::value::Serde(json)))
}

/// Checks a message template such as `{{ signal.subject }} is slow`.
///
/// # Errors
/// The source is too long or not a template.
pub fn check_template(source: &str) -> Result<(), ExpressionError> {
    check_length(source)?;
    let owned = source.to_owned();
    on_large_stack(move || Environment::new().template_from_str(&owned).map(|_| ()))
        .map_err(|error| ExpressionError::Syntax(describe(&error)))
}

/// What a message template reads, such as `signal.labels.service`: every name that must come from its context.
///
/// # Errors
/// The source is too long or not a template.
pub fn template_names(source: &str) -> Result<BTreeSet<String>, ExpressionError> {
    check_length(source)?;
    let owned = source.to_owned();
    on_large_stack(move || ENVIRONMENT.template_from_str(&owned).map(|template| template.undeclared_variables(true)))
        .map(from_context)
        .map_err(|error| ExpressionError::Syntax(describe(&error)))
}

/// Renders a message template, cut at [`MAX_RENDERED_BYTES`].
///
/// # Errors
/// The source is too long or not a template, a filter refused its input, or the fuel ran out.
pub fn render_template(source: &str, context: &Value) -> Result<String, ExpressionError> {
    check_length(source)?;
    let (owned, context) = (source.to_owned(), context.clone());
    let mut text = on_large_stack(move || ENVIRONMENT.render_str(&owned, context)).map_err(|error| failed(&error))?;
    if text.len() > MAX_RENDERED_BYTES {
        let end = (0..=MAX_RENDERED_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
    }
    Ok(text)
}

fn check_length(source: &str) -> Result<(), ExpressionError> {
    if source.len() > MAX_EXPRESSION_BYTES { Err(ExpressionError::TooLong(source.len())) } else { Ok(()) }
}

/// A stack overflow ends the process and cannot be caught, so the parser gets more stack than any allowed source can use.
fn on_large_stack<T: Send + 'static>(work: impl FnOnce() -> Result<T, minijinja::Error> + Send + 'static) -> Result<T, minijinja::Error> {
    let cannot = |why: &str| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, why.to_owned());
    let thread = thread::Builder::new().stack_size(COMPILE_STACK_BYTES).spawn(work).map_err(|_| cannot("no thread to compile on"))?;
    thread.join().unwrap_or_else(|_| Err(cannot("the compiler gave up")))
}

/// Leaves out what the language itself gives, such as `range`.
fn from_context(names: HashSet<String>) -> BTreeSet<String> {
    let globals: HashSet<&str> = ENVIRONMENT.globals().map(|(name, _)| name).collect();
    names.into_iter().filter(|name| !globals.contains(name.split('.').next().unwrap_or_default())).collect()
}

fn failed(error: &minijinja::Error) -> ExpressionError {
    use minijinja::ErrorKind::{UnknownFilter, UnknownFunction, UnknownMethod, UnknownTest};
    match error.kind() {
        UnknownFilter | UnknownFunction | UnknownMethod | UnknownTest => ExpressionError::Unknown(describe(error)),
        _ => ExpressionError::Failed(describe(error)),
    }
}

fn describe(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Value {
        to_value(&serde_json::json!({ "signal": { "labels": { "service": "api" }, "value": 3.5 } }))
    }

    #[test]
    fn a_missing_label_is_unequal_and_no_error() {
        let expression = Expression::compile(r#"signal.labels.nothing.deeper == "api""#).unwrap();
        assert_eq!(expression.is_true(&context()), Ok(false));
        assert_eq!(Expression::compile(r#"signal.labels.service == "api" and signal.value > 3"#).unwrap().is_true(&context()), Ok(true));
    }

    #[test]
    fn an_expression_that_was_put_by_is_the_same() {
        let expression = Expression::compile("signal.value > 3").unwrap().put_by();
        assert_eq!((expression.source(), expression.is_true(&context())), ("signal.value > 3", Ok(true)));
    }

    #[test]
    fn runaway_expressions_are_stopped() {
        let looping = render_template("{% for i in range(10000) %}{% for j in range(10000) %}x{% endfor %}{% endfor %}", &context());
        assert!(matches!(looping, Err(ExpressionError::Failed(_))));
        let nested = format!("{}1{}", "(".repeat(1000), ")".repeat(1000));
        assert!(Expression::compile(&nested).is_err());
        let long = format!("1{}", "+1".repeat(1023));
        assert!(Expression::compile(&long).is_ok(), "the longest sum that fits compiles without overflowing");
        assert_eq!(Expression::compile(&"x".repeat(MAX_EXPRESSION_BYTES + 1)).unwrap_err(), ExpressionError::TooLong(2049));
    }

    #[test]
    fn what_is_read_is_known_before_it_runs() {
        let names = |source| Expression::compile(source).unwrap().names().unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(names(r#"signal.labels.service == "api" and sgnal.value in range(3)"#), ["sgnal.value", "signal.labels.service"]);
        assert_eq!(template_names("{% for l in signal.labels %}{{ l }}{% endfor %}"), Ok(BTreeSet::from(["signal.labels".to_owned()])));
        let unknown = Expression::compile("signal.value|nosuch").unwrap().value(&context());
        assert_eq!(unknown.unwrap_err().to_string(), "expression does not work: filter nosuch is unknown");
    }

    #[test]
    fn templates_read_nothing_but_their_context() {
        assert_eq!(render_template("{{ signal.labels.service }} ${HOME} {{ env }}", &context()), Ok("api ${HOME} ".to_owned()));
        assert!(check_template("{% include 'x' %}").is_ok(), "compiles, but there is nothing to include:");
        assert!(render_template("{% include '/etc/passwd' %}", &context()).is_err());
    }
}
