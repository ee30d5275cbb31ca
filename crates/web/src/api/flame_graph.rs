//! `/jobs/:job/vertices/:vertex/flamegraph`: where the time of tasks goes, as a tree of calls.

use crate::{
    api::vertices::find,
    http::{
        answer::{Handled, Refusal, ok},
        call::Call,
    },
    model::{Stacks, TakenStack, TakenStacks},
};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What Flink says instead of a time if there is no graph.
const ENDED: i64 = -1;
const DISABLED: i64 = -2;
const WAITING: i64 = -3;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlameGraph {
    end_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Node>,
}

#[derive(Serialize, JsonSchema)]
struct Node {
    name: String,
    value: u32,
    children: Vec<Node>,
}

/// The calls below one, by name.
#[derive(Default)]
struct Tree<'a> {
    count: u32,
    below: BTreeMap<&'a str, Tree<'a>>,
}

impl<'a> Tree<'a> {
    fn add(&mut self, stack: &'a TakenStack) {
        let mut node = self;
        node.count += stack.count;
        for frame in &stack.frames {
            node = node.below.entry(frame).or_default();
            node.count += stack.count;
        }
    }

    fn node(self, name: String) -> Node {
        let children = self.below.into_iter().map(|(name, tree)| tree.node(name.to_owned()));
        Node { name, value: self.count, children: children.collect() }
    }
}

/// Which stacks are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    OnCpu,
    OffCpu,
}

fn wanted(call: &Call) -> Result<Wanted, Refusal> {
    match call.query("type").unwrap_or("full") {
        text if text.eq_ignore_ascii_case("full") => Ok(Wanted::All),
        text if text.eq_ignore_ascii_case("on_cpu") => Ok(Wanted::OnCpu),
        text if text.eq_ignore_ascii_case("off_cpu") => Ok(Wanted::OffCpu),
        other => Err(Refusal::parameter("query", "type", other)),
    }
}

/// `GET .../flamegraph`
pub(crate) fn flame_graph(call: &Call) -> Handled {
    let wanted = wanted(call)?;
    let subtask = call.query_number("subtaskindex")?;
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    if let Some(index) = subtask.filter(|index| *index >= vertex.parallelism) {
        return Err(Refusal::not_found(format!("the vertex has no subtask {index}")));
    }
    let none = |end_timestamp| ok(&FlameGraph { end_timestamp, data: None });
    match call.cluster().stacks(job.id, vertex.id)? {
        Stacks::Disabled => none(DISABLED),
        Stacks::Ended => none(ENDED),
        Stacks::Waiting => none(WAITING),
        Stacks::Taken(taken) => ok(&FlameGraph { end_timestamp: taken.at, data: Some(tree(&taken, wanted, subtask)) }),
    }
}

fn tree(taken: &TakenStacks, wanted: Wanted, subtask: Option<u32>) -> Node {
    let mut tree = Tree::default();
    let of_subtask = |stack: &&TakenStack| subtask.is_none_or(|index| stack.subtask == index);
    let of_kind = |stack: &&TakenStack| wanted == Wanted::All || stack.on_cpu == (wanted == Wanted::OnCpu);
    taken.stacks.iter().filter(of_subtask).filter(of_kind).for_each(|stack| tree.add(stack));
    let name = taken.message.as_ref().map_or_else(|| "root".to_owned(), |message| format!("root ({message})"));
    tree.node(name)
}
