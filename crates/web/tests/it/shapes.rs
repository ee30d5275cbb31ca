//! Every answer has the fields that Flink's has, of the same kinds, and no others but those that the documentation names.
//!
//! `shapes.json` holds them by path. A text names a kind; `any` may also be null. The name `*` stands for any names, and `?` at the
//! end of one says that the field may be missing.

use crate::{
    client::{get, post_file},
    fake::{COUNT, RUNNING, Served, TASK_MANAGER},
};
use serde_json::{Map, Value};

#[test]
fn every_answer_has_the_fields_of_flinks() {
    let served = Served::new();
    assert_eq!(post_file(served.address(), "/jars/upload", "bench", b"x").status, 200);
    let shapes: Map<String, Value> = serde_json::from_str(include_str!("shapes.json")).unwrap();
    let mut wrong = Vec::new();
    for (template, shape) in &shapes {
        let path = template
            .replace(":job", &RUNNING.to_string())
            .replace(":vertex", &format!("{:032x}", COUNT.0))
            .replace(":tm", TASK_MANAGER)
            .replace(":jar", "0_bench");
        let answer = get(served.address(), &path);
        assert_eq!(answer.status, if path == "/nope" { 404 } else { 200 }, "{path}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.header("content-type"), Some("application/json; charset=UTF-8"), "{path}");
        compare(shape, &answer.json(), template, &mut wrong);
        if !path.starts_with("/v1") && path != "/nope" {
            let same = get(served.address(), &format!("/v1{path}"));
            assert_eq!((same.status, same.json()), (200, answer.json()), "/v1{path}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(shapes.len() > 50);
}

fn compare(shape: &Value, value: &Value, place: &str, wrong: &mut Vec<String>) {
    let matches = match shape {
        Value::String(kind) => match kind.as_str() {
            "any" => true,
            "string" => value.is_string(),
            "number" => value.is_number(),
            "number or NaN" => value.is_number() || value == "NaN",
            "boolean" => value.is_boolean(),
            other => panic!("`{other}` is no kind"),
        },
        Value::Array(shapes) => match (shapes.first(), value.as_array()) {
            (Some(shape), Some(values)) => {
                if values.is_empty() && !["concurrentExceptions", "garbageCollectors", "classpath"].iter().any(|name| place.ends_with(name))
                {
                    wrong.push(format!("{place} is empty: nothing is tested"));
                }
                values.iter().enumerate().for_each(|(at, value)| compare(shape, value, &format!("{place}[{at}]"), wrong));
                true
            }
            (None, Some(values)) => values.is_empty(),
            (_, None) => false,
        },
        Value::Object(shapes) => match value.as_object() {
            Some(values) => {
                compare_fields(shapes, values, place, wrong);
                true
            }
            None => false,
        },
        other => panic!("`{other}` is no shape"),
    };
    if !matches {
        wrong.push(format!("{place} should be {shape}, and is {value}"));
    }
}

fn compare_fields(shapes: &Map<String, Value>, values: &Map<String, Value>, place: &str, wrong: &mut Vec<String>) {
    for (name, shape) in shapes.iter().filter(|(name, _)| *name != "*") {
        match values.get(name.trim_end_matches('?')) {
            Some(value) => compare(shape, value, &format!("{place} .{name}"), wrong),
            None if name.ends_with('?') => {}
            None => wrong.push(format!("{place} lacks `{name}`")),
        }
    }
    for (name, value) in values {
        if !shapes.contains_key(name) && !shapes.contains_key(&format!("{name}?")) {
            match shapes.get("*") {
                Some(shape) => compare(shape, value, &format!("{place} .{name}"), wrong),
                None => wrong.push(format!("{place} has `{name}`, which Flink does not have")),
            }
        }
    }
}
