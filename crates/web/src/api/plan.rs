//! The graph of a job as dashboards draw it.

use crate::{
    api::{jobs::job_type, states::vertex_id},
    http::answer::Empty,
    model::Vertex,
};
use flott_core::id::JobId;
use schemars::JsonSchema;
use serde::Serialize;

/// `{"plan": ...}`
#[derive(Serialize, JsonSchema)]
pub(crate) struct PlanAnswer<'a> {
    plan: Plan<'a>,
}

/// A graph.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Plan<'a> {
    jid: String,
    name: &'a str,
    r#type: &'static str,
    nodes: Vec<Node<'a>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Node<'a> {
    id: String,
    operator: &'static str,
    parallelism: u32,
    operator_strategy: &'static str,
    description: String,
    optimizer_properties: Empty,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<Vec<NodeInput<'a>>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct NodeInput<'a> {
    id: String,
    num: usize,
    exchange: &'a str,
    ship_strategy: &'a str,
}

impl<'a> PlanAnswer<'a> {
    /// The graph of `vertices`.
    pub(crate) fn of(job: JobId, name: &'a str, batch: bool, vertices: &'a [Vertex]) -> Self {
        PlanAnswer { plan: Plan::of(job, name, batch, vertices) }
    }
}

impl<'a> Plan<'a> {
    /// The graph of `vertices`, which come sources first; Flink has them last.
    pub(crate) fn of(job: JobId, name: &'a str, batch: bool, vertices: &'a [Vertex]) -> Self {
        Plan { jid: job.to_string(), name, r#type: job_type(batch), nodes: vertices.iter().rev().map(Node::of).collect() }
    }
}

impl<'a> Node<'a> {
    fn of(vertex: &'a Vertex) -> Self {
        let inputs = vertex.inputs.iter().enumerate().map(|(num, input)| NodeInput {
            id: vertex_id(input.from),
            num,
            exchange: input.exchange.as_deref().unwrap_or("pipelined_bounded"),
            ship_strategy: &input.ship_strategy,
        });
        Node {
            id: vertex_id(vertex.id),
            operator: "",
            parallelism: vertex.parallelism,
            operator_strategy: "",
            description: description(vertex),
            optimizer_properties: Empty {},
            inputs: (!vertex.inputs.is_empty()).then(|| inputs.collect()),
        }
    }
}

/// The operators of a chain as a tree in HTML, because that is how dashboards show it. Names are the user's and are escaped.
fn description(vertex: &Vertex) -> String {
    if vertex.operators.is_empty() {
        return escaped(&vertex.name) + "<br/>";
    }
    let mut text = String::new();
    for (depth, name) in vertex.operators.iter().enumerate() {
        if depth > 0 {
            text.push_str(&"   ".repeat(depth - 1));
            text.push_str("+- ");
        }
        text.push_str(&escaped(name));
        text.push_str("<br/>");
    }
    text
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::id::OperatorId;

    fn vertex(operators: &[&str]) -> Vertex {
        Vertex {
            id: OperatorId(1),
            name: "a -> b".to_owned(),
            operators: operators.iter().map(|name| (*name).to_owned()).collect(),
            operator_ids: vec![],
            slot_sharing_group: None,
            parallelism: 1,
            max_parallelism: 128,
            inputs: Vec::new(),
            subtasks: Vec::new(),
        }
    }

    #[test]
    fn a_chain_is_drawn_as_a_tree() {
        assert_eq!(description(&vertex(&["Keyed", "Map", "Sink"])), "Keyed<br/>+- Map<br/>   +- Sink<br/>");
        assert_eq!(description(&vertex(&[])), "a -&gt; b<br/>");
    }

    #[test]
    fn names_of_users_are_no_markup() {
        assert_eq!(description(&vertex(&["<img src=x onerror='alert(1)'>"])), "&lt;img src=x onerror=&#39;alert(1)&#39;&gt;<br/>");
    }
}
