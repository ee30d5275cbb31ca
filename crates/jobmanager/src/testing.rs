//! What the tests of this crate share.

use flott_core::{
    context::RuntimeMode,
    exchange::PartitionKind,
    id::{OperatorId, VertexId},
};
use flott_graph::{EdgeTopology, JobTopology, OperatorTopology, VertexTopology};

/// A job of vertices with one operator each; those without inputs are sources.
pub(crate) fn topology(parallelism: &[u32], edges: &[(u32, u32, PartitionKind)]) -> JobTopology {
    let vertex = |(number, parallelism): (usize, &u32)| {
        let uid = format!("op{number}");
        VertexTopology {
            id: VertexId(number as u32),
            name: uid.clone(),
            parallelism: *parallelism,
            max_parallelism: 128,
            slot_sharing_group: "default".into(),
            operators: vec![OperatorTopology {
                id: OperatorId::from_uid(&uid),
                uid: Some(uid.clone()),
                name: uid,
                description: None,
                location: "test.rs:1".into(),
                is_source: edges.iter().all(|(_, to, _)| *to != number as u32),
                children: Vec::new(),
            }],
        }
    };
    let edge = |(from, to, kind): &(u32, u32, PartitionKind)| EdgeTopology {
        from: VertexId(*from),
        from_operator: 0,
        to: VertexId(*to),
        input: 0,
        kind: *kind,
    };
    JobTopology {
        name: "test".into(),
        mode: RuntimeMode::Streaming,
        vertices: parallelism.iter().enumerate().map(vertex).collect(),
        edges: edges.iter().map(edge).collect(),
    }
}
