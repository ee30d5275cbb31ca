//! Plans as text, JSON and Graphviz.

use crate::support::env;
use flott::{StreamExecutionEnvironment, plan, prelude::*};
use std::fmt::Write;

fn program() -> StreamExecutionEnvironment {
    let env = env(2);
    let lines = env.from_elements(["a b"].map(str::to_owned)).name("lines");
    let words = lines
        .flat_map_iter(|line: String| line.split(' ').map(|word| (word.to_owned(), 1u64)).collect::<Vec<_>>())
        .name("tokenize")
        .parallelism(1);
    let counts = words.key_by_ref(|(word, _)| word.as_str()).sum(|(_, n)| n).name("count").uid("count").describe("counts words");
    counts.discard().name("c");
    counts.map(|(word, _)| word).name("d").rebalance().filter(|_| true).name("\"e\"").parallelism(3).discard().name("f").parallelism(3);
    counts.discard().name("g");
    env
}

/// The text with the places of this file and the ids, which are hashes, left out.
fn without_places(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let kept = line.split(" (crates/").next().unwrap_or(line);
        let is_id = |word: &str| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let words: Vec<&str> = kept.split(' ').map(|word| if is_id(word) { "ID" } else { word }).collect();
        let _ = writeln!(out, "{}", words.join(" "));
    }
    out
}

#[test]
fn chains_are_named_by_their_operators_as_a_tree() {
    let plan = program().execution_plan("plan").unwrap();
    let names: Vec<&str> = plan.vertices.iter().map(|vertex| vertex.name.as_str()).collect();
    assert_eq!(names, ["lines -> tokenize", "count -> (c, d, g)", "\"e\" -> f"]);
    assert_eq!(plan.vertices.iter().map(|vertex| vertex.parallelism).collect::<Vec<_>>(), [1, 2, 3]);
    let env = program();
    env.disable_operator_chaining();
    let plan = env.execution_plan("plan").unwrap();
    let names: Vec<&str> = plan.vertices.iter().map(|vertex| vertex.name.as_str()).collect();
    assert_eq!(names, ["lines", "tokenize", "count", "c", "d", "\"e\"", "f", "g"]);
}

#[test]
fn the_text_lists_vertices_with_inputs_operators_uids_and_places() {
    let text = plan::text(&program().execution_plan("my plan").unwrap());
    assert!(text.contains("plans.rs:"), "{text}");
    assert_eq!(without_places(&text), include_str!("plan.txt"), "{}", without_places(&text));
}

#[test]
fn the_json_is_the_plan_of_flinks_rest_interface() {
    let json = plan::json(&program().execution_plan("my plan").unwrap(), "0123");
    assert_eq!(json["jid"], "0123");
    assert_eq!(json["name"], "my plan");
    assert_eq!(json["type"], "STREAMING");
    let nodes = json["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    assert_eq!(nodes[0]["inputs"], serde_json::json!([]));
    assert_eq!(nodes[1]["description"], "counts words<br/>+- c<br/>+- d<br/>+- g");
    assert_eq!(nodes[1]["parallelism"], 2);
    let input = serde_json::json!([{ "num": 0, "id": nodes[0]["id"], "ship_strategy": "HASH", "exchange": "pipelined_bounded" }]);
    assert_eq!(nodes[1]["inputs"], input);
    assert_eq!(nodes[2]["inputs"][0]["ship_strategy"], "REBALANCE");
}

#[test]
fn the_graphviz_text_quotes_names() {
    let dot = plan::dot(&program().execution_plan("my plan").unwrap());
    assert!(dot.starts_with("digraph job {\n") && dot.ends_with("}\n"), "{dot}");
    assert!(dot.contains(r#"[label="\"e\" -> f\nparallelism 3"];"#), "{dot}");
    assert!(dot.contains(r#"[label="HASH"];"#) && dot.contains(r#"[label="REBALANCE"];"#), "{dot}");
    let edges: Vec<&str> = dot
        .lines()
        .filter(|line| line.trim_start().starts_with('v') && line.contains("[label=\"") && !line.contains("parallelism"))
        .collect();
    assert_eq!(edges, ["  v0 -> v1 [label=\"HASH\"];", "  v1 -> v2 [label=\"REBALANCE\"];"]);
}

#[test]
fn a_plan_does_not_use_up_the_program() {
    let env = program();
    assert_eq!(env.execution_plan("plan").unwrap(), env.execution_plan("plan").unwrap());
    env.execute("plan").unwrap();
    assert!(env.execution_plan("plan").is_err());
}

#[test]
fn batch_mode_is_in_the_plan() {
    let env = program();
    env.set_runtime_mode(RuntimeMode::Automatic);
    let topology = env.execution_plan("plan").unwrap();
    assert_eq!(plan::json(&topology, "0")["type"], "BATCH");
    assert!(plan::text(&topology).starts_with("job `plan`, Batch mode\n"));
}
