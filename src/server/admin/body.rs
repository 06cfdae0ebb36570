//! The body of a request: JSON that fits its schema in every field.

use std::sync::LazyLock;

use poem::{FromRequest, Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, OpenApi,
    error::ContentTypeError,
    payload::{Json, Payload},
    registry::{MetaMediaType, MetaRequest, Registry},
    types::ParseFromJSON,
};
use serde_json::Value;

use super::{Apis, problem::Problem, schema::Schemas, trail};

/// Every schema of the API, by name.
static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let mut registry = Registry::new();
    Apis::register(&mut registry);
    Schemas(registry.schemas)
});

/// A body that was read and fits its schema. The framework's own reader stops at the first error, names Rust types instead of
/// fields, and takes numbers for texts.
pub(super) struct Body<T>(pub(super) T);

impl<'a, T: ParseFromJSON> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = MetaMediaType { content_type: "application/json", schema: T::schema_ref() };
        Some(MetaRequest { description: None, content: vec![content], required: true })
    }

    async fn from_request(request: &'a Request, body: &mut RequestBody, _: ExtractParamOptions<()>) -> Result<Self> {
        let content_type = request.content_type().ok_or(ContentTypeError::ExpectContentType)?;
        if !<Json<Value>>::check_content_type(content_type) {
            return Err(ContentTypeError::NotSupported { content_type: content_type.to_owned() }.into());
        }
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        let (read, value) = read(&bytes)?;
        if let Some(trail) = trail::of(request) {
            trail.wanted(&value);
        }
        Ok(Self(read))
    }
}

fn read<T: ParseFromJSON>(bytes: &[u8]) -> Result<(T, Value), Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| Problem::malformed("", format!("the body is not JSON: {error}")))?;
    let errors = SCHEMAS.check(&T::schema_ref(), &value);
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let read = T::parse_from_json(Some(value.clone())).map_err(|error| Problem::field("", error.into_message()))?;
    Ok((read, value))
}
