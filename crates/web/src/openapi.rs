//! `/openapi.json`: the calls in the form that tools for REST understand, made from the routes and the types of their answers.

use crate::{
    http::{
        answer::{Handled, ok},
        call::Call,
    },
    routes::{Action, Kind, Route, routes},
};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// `GET /openapi.json`
pub(crate) fn document(call: &Call) -> Handled {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut schemas = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for (path, route) in routes(call.app.options.submit) {
        let operation = operation(&path, route, &mut schemas);
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(route.method.to_ascii_lowercase(), operation);
        }
    }
    let mut schemas = schemas.take_definitions(true);
    schemas.insert(
        "Errors".to_owned(),
        json!({
            "type": "object",
            "required": ["errors"],
            "properties": {"errors": {"type": "array", "minItems": 1, "items": {"type": "string"}}},
        }),
    );
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Flott",
            "summary": "The calls of Flink's REST API that Flott answers. Every path is also there under /v1.",
            "version": call.app.options.version,
        },
        "paths": paths,
        "components": {"schemas": schemas},
    });
    if call.app.options.tokens.is_some() {
        document["components"]["securitySchemes"] = json!({"token": {"type": "http", "scheme": "bearer"}});
        document["security"] = json!([{"token": []}]);
    }
    ok(&document)
}

fn operation(path: &str, route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(|name| json!({"name": name, "in": "path", "required": true, "schema": path_parameter(name)}));
    let in_query = route.query.iter().map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}}));
    let (media, answer) = match (route.answer, route.action) {
        (Some(schema), _) => ("application/json", json!({"schema": schema(schemas)})),
        (None, Action::Log(_) | Action::Text(_)) => ("text/plain", json!({"schema": {"type": "string"}})),
        (None, _) => ("application/json", json!({})),
    };
    let errors = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Errors"}}});
    let mut operation = json!({
        "summary": route.summary,
        "x-role": route.needs.as_str(),
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": {
            "2XX": {"description": route.summary, "content": {media: answer}},
            "default": {"description": "Why not", "content": errors},
        },
    });
    if matches!(route.action, Action::Upload) {
        let file = json!({"type": "object", "required": ["jarfile"], "properties": {"jarfile": {"type": "string", "format": "binary"}}});
        operation["requestBody"] = json!({"required": true, "content": {"multipart/form-data": {"schema": file}}});
    } else if !route.body.is_empty() {
        let fields: Map<String, Value> = route.body.iter().map(|(name, kind)| ((*name).to_owned(), field(*kind))).collect();
        operation["requestBody"] = json!({"content": {"application/json": {"schema": {"type": "object", "properties": fields}}}});
    }
    operation
}

/// What a part of a path may be.
fn path_parameter(name: &str) -> Value {
    match name {
        "job" | "application" | "vertex" | "trigger" | "rescale" => json!({"type": "string", "pattern": "^[0-9a-f]{32}$"}),
        "subtask" | "attempt" | "checkpoint" => json!({"type": "integer", "minimum": 0}),
        _ => json!({"type": "string", "minLength": 1}),
    }
}

fn field(kind: Kind) -> Value {
    let scalar = || json!({"type": ["string", "number", "boolean"]});
    match kind {
        Kind::Text => json!({"type": ["string", "null"]}),
        Kind::Number => json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}, {"type": "null"}]}),
        Kind::OneOf(words) => json!({"enum": words.iter().map(|word| json!(word)).chain([Value::Null]).collect::<Vec<_>>()}),
        Kind::Boolean => json!({"anyOf": [{"type": "boolean"}, {"enum": ["true", "false"]}, {"type": "null"}]}),
        Kind::Texts => json!({"type": ["array", "null"], "items": scalar()}),
        Kind::Map => json!({"type": ["object", "null"], "additionalProperties": scalar()}),
    }
}
