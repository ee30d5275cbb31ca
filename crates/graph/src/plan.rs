//! What was compiled, for people and tools: text, Flink's plan JSON, Graphviz.

use crate::topology::{EdgeTopology, JobTopology, VertexTopology};
use serde_json::{Value, json};
use std::fmt::Write;

/// An indented listing: each vertex with its operators and where its input comes from.
pub fn text(job: &JobTopology) -> String {
    let mut out = format!("job `{}`, {:?} mode\n", job.name, job.mode);
    for vertex in &job.vertices {
        let _ = writeln!(
            out,
            "{} {}  parallelism {}, max {}, slots `{}`",
            vertex.id, vertex.name, vertex.parallelism, vertex.max_parallelism, vertex.slot_sharing_group
        );
        for edge in job.inputs(vertex.id) {
            let _ = writeln!(out, "     <- {} {} [{}]", edge.from, sender(job, edge), edge.kind.name());
        }
        for operator in &vertex.operators {
            let uid = operator.uid.as_ref().map(|uid| format!(" uid `{uid}`")).unwrap_or_default();
            let _ = writeln!(out, "     {} {}{uid} ({})", operator.id, operator.name, operator.location);
        }
    }
    out
}

/// The plan as Flink's REST API gives it (`/jobs/:jobid/plan`).
pub fn json(job: &JobTopology, job_id: &str) -> Value {
    let node = |vertex: &VertexTopology| {
        let inputs: Vec<Value> = job
            .inputs(vertex.id)
            .enumerate()
            .map(|(number, edge)| json!({ "num": number, "id": edge.from.to_string(), "ship_strategy": edge.kind.name(), "exchange": "pipelined_bounded" }))
            .collect();
        let description: Vec<&str> =
            vertex.operators.iter().map(|operator| operator.description.as_deref().unwrap_or(&operator.name)).collect();
        json!({
            "id": vertex.id.to_string(),
            "parallelism": vertex.parallelism,
            "operator": "",
            "operator_strategy": "",
            "description": description.join("<br/>+- "),
            "inputs": inputs,
            "optimizer_properties": {},
        })
    };
    let kind = match job.mode {
        flott_core::context::RuntimeMode::Streaming => "STREAMING",
        flott_core::context::RuntimeMode::Batch => "BATCH",
    };
    json!({ "jid": job_id, "name": job.name, "type": kind, "nodes": job.vertices.iter().map(node).collect::<Vec<_>>() })
}

/// The plan in Graphviz' language.
pub fn dot(job: &JobTopology) -> String {
    let mut out = String::from("digraph job {\n  rankdir=LR;\n  node [shape=box];\n");
    for vertex in &job.vertices {
        let _ = writeln!(out, "  {} [label={}];", vertex.id, quoted(&format!("{}\nparallelism {}", vertex.name, vertex.parallelism)));
    }
    for edge in &job.edges {
        let _ = writeln!(out, "  {} -> {} [label={}];", edge.from, edge.to, quoted(edge.kind.name()));
    }
    out.push_str("}\n");
    out
}

fn sender<'a>(job: &'a JobTopology, edge: &EdgeTopology) -> &'a str {
    &job.vertex(edge.from).operators[edge.from_operator].name
}

/// A string of Graphviz' language; line breaks become its `\n`.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
