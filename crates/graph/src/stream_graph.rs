//! The graph as the program wrote it.

use flott_core::{
    exchange::{PartitionKind, PartitionerFactory},
    operator::SharedOperatorFactory,
    source::SourceFactory,
    tap::TapMask,
};
use std::{fmt, sync::Arc};

/// The place of a node in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// Whether an operator may share a task with its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chaining {
    /// With the one before and those behind.
    #[default]
    Always,
    /// With those behind only.
    Head,
    /// With none.
    Never,
}

/// What a tap may show of the records that an operator emits.
#[derive(Debug, Clone, Default)]
pub enum Tapping {
    /// Everything, if nothing of its inputs is masked or hidden; otherwise nothing.
    #[default]
    Derived,
    /// They are records of its inputs, or look like them: what may be shown of those.
    AsInputs,
    /// Everything.
    Shown,
    /// What this leaves of them.
    Masked(TapMask),
    /// Nothing.
    Hidden,
}

/// What a node does.
#[derive(Clone)]
pub enum NodeKind {
    /// Reads from outside.
    Source(Arc<dyn SourceFactory>),
    /// Takes input.
    Operator(SharedOperatorFactory),
}

impl fmt::Debug for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NodeKind::Source(_) => "Source",
            NodeKind::Operator(_) => "Operator",
        })
    }
}

/// Makes the partitioner of an edge once it is known which kind it is to be.
pub trait EdgeFactory: Send + Sync {
    /// The partitioner. `kind` is what the program asked for or, where it left the choice, forward or rebalance.
    fn create(&self, kind: PartitionKind) -> Arc<dyn PartitionerFactory>;
}

/// An input of a node.
#[derive(Clone)]
pub struct StreamEdge {
    /// The node that records come from.
    pub from: NodeId,
    /// The number of the input; several edges may lead to one (a union).
    pub input: usize,
    /// How records are spread; `None` lets parallelism decide: forward if equal, otherwise rebalance.
    pub kind: Option<PartitionKind>,
    /// Makes the partitioner.
    pub factory: Arc<dyn EdgeFactory>,
}

impl fmt::Debug for StreamEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamEdge").field("from", &self.from).field("input", &self.input).field("kind", &self.kind).finish()
    }
}

/// An operator as written.
#[derive(Debug, Clone)]
pub struct StreamNode {
    /// The name that is shown.
    pub name: String,
    /// What the program calls it for its state.
    pub uid: Option<String>,
    /// A longer description.
    pub description: Option<String>,
    /// File and line of its declaration.
    pub location: String,
    /// What it does.
    pub kind: NodeKind,
    /// Where its records come from.
    pub inputs: Vec<StreamEdge>,
    /// The number of subtasks; `None`: the environment's.
    pub parallelism: Option<u32>,
    /// The number of key groups; `None`: the environment's, or from the parallelism.
    pub max_parallelism: Option<u32>,
    /// Which operators may share a slot with it; `None`: the group of its inputs.
    pub slot_sharing_group: Option<String>,
    /// Whether it may be chained.
    pub chaining: Chaining,
    /// Whether it must have exactly one subtask.
    pub fixed_parallelism: bool,
    /// What may be shown of what it emits.
    pub tapping: Tapping,
}

/// The graph as the program wrote it. Inputs come before their consumers.
#[derive(Debug, Clone, Default)]
pub struct StreamGraph {
    nodes: Vec<StreamNode>,
    /// The name that each node was added with: what kind of operator it is, whatever the program calls it later.
    kinds: Vec<String>,
}

impl StreamGraph {
    /// Adds a node whose inputs are there already.
    pub fn add(&mut self, node: StreamNode) -> NodeId {
        debug_assert!(node.inputs.iter().all(|edge| edge.from.0 < self.nodes.len()), "an input must be added before its consumer");
        self.kinds.push(node.name.clone());
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// What kind of operator each node is.
    pub(crate) fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// The nodes.
    pub fn nodes(&self) -> &[StreamNode] {
        &self.nodes
    }

    /// A node, to change its properties.
    pub fn node_mut(&mut self, id: NodeId) -> Option<&mut StreamNode> {
        self.nodes.get_mut(id.0)
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> Option<&StreamNode> {
        self.nodes.get(id.0)
    }
}
