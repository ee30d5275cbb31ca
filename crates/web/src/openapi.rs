//! `/openapi.json`: the calls in the form that tools for REST understand, made from the routes.

use crate::{
    http::{
        answer::{Handled, ok},
        call::Call,
    },
    routes::{Action, Route, routes},
};
use serde_json::{Map, Value, json};

/// `GET /openapi.json`
pub(crate) fn document(call: &Call) -> Handled {
    let mut paths: Map<String, Value> = Map::new();
    for (path, route) in routes(call.app.options.submit) {
        let operation = operation(&path, route);
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(route.method.to_ascii_lowercase(), operation);
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Flott",
            "summary": "The calls of Flink's REST API that Flott answers. Every path is also there under /v1.",
            "version": call.app.options.version,
        },
        "paths": paths,
        "components": {"schemas": {"Errors": {
            "type": "object",
            "required": ["errors"],
            "properties": {"errors": {"type": "array", "items": {"type": "string"}}},
        }}},
    });
    if call.app.options.tokens.is_some() {
        document["components"]["securitySchemes"] = json!({"token": {"type": "http", "scheme": "bearer"}});
        document["security"] = json!([{"token": []}]);
    }
    ok(&document)
}

fn operation(path: &str, route: &Route) -> Value {
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let text = json!({"type": "string"});
    let in_path = in_path.map(|name| json!({"name": name, "in": "path", "required": true, "schema": text}));
    let in_query = route.query.iter().map(|name| json!({"name": name, "in": "query", "schema": text}));
    let media = if matches!(route.action, Action::Log(_) | Action::Text(_)) { "text/plain" } else { "application/json" };
    let errors = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Errors"}}});
    let mut operation = json!({
        "summary": route.summary,
        "x-role": route.needs.as_str(),
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": {
            "2XX": {"description": route.summary, "content": {media: {}}},
            "default": {"description": "Why not", "content": errors},
        },
    });
    if matches!(route.action, Action::Upload) {
        let file = json!({"type": "object", "properties": {"jarfile": {"type": "string", "format": "binary"}}});
        operation["requestBody"] = json!({"required": true, "content": {"multipart/form-data": {"schema": file}}});
    } else if matches!(route.method, "POST" | "PUT") {
        operation["requestBody"] = json!({"content": {"application/json": {"schema": {"type": "object"}}}});
    }
    operation
}
