use super::*;
use crate::frame;
use flott_core::{
    key_group::KeyGroupRange,
    schema::Schema,
    snapshot::{BlockRef, KeyedStateMeta, ListStateSnapshot, Redistribution, StateKind},
};

/// Part of the message that is expected, and what brings it about.
type Change<T> = (&'static str, fn(&mut T));

fn schema() -> Schema {
    Schema { id: 1, description: "u64".into() }
}

fn keyed(index: u32) -> KeyedSnapshot {
    KeyedSnapshot {
        max_parallelism: 128,
        groups: KeyGroupRange::of_subtask(index, 2, 128),
        states: vec![KeyedStateMeta { name: "count".into(), kind: StateKind::Value, codec: "c".into(), key: schema(), value: schema() }],
        blocks: vec![BlockRef { state: 0, group: (index * 64) as u16, offset: 3, len: 2, crc: 77 }],
        data: BlockData::File { name: format!("v0-{index}-op"), bytes: 5 },
    }
}

fn snapshot(operator: u64, keyed: Option<KeyedSnapshot>) -> OperatorSnapshot {
    let items = vec![vec![1, 2], vec![3]];
    let list =
        ListStateSnapshot { name: "offsets".into(), redistribution: Redistribution::Split, codec: "c".into(), schema: schema(), items };
    OperatorSnapshot { operator: OperatorId(operator), name: format!("op {operator}"), lists: vec![list], keyed }
}

fn info(id: u64) -> OperatorInfo {
    OperatorInfo { id: OperatorId(id), uid: (id == 1).then(|| "source".to_owned()), name: format!("op {id}") }
}

fn vertex() -> VertexSnapshot {
    let subtask = |index| SubtaskSnapshot { operators: vec![snapshot(1, None), snapshot(2, Some(keyed(index)))], finished: index == 1 };
    VertexSnapshot {
        operators: vec![info(1), info(2), info(3)],
        parallelism: 2,
        max_parallelism: 128,
        coordinators: BTreeMap::from([(OperatorId(1), vec![9])]),
        subtasks: BTreeMap::from([(0, subtask(0)), (1, subtask(1))]),
    }
}

fn metadata() -> CheckpointMetadata {
    CheckpointMetadata {
        job: JobId(7),
        job_name: "job".into(),
        epoch: 2,
        checkpoint: CheckpointId(3),
        kind: SnapshotKind::Checkpoint,
        completed_at_ms: 4,
        operators: Vec::new(),
    }
}

#[test]
fn acknowledgements_of_chains_are_sorted_by_operator() {
    let metadata = metadata().with_vertices([vertex()]).unwrap();
    metadata.check().unwrap();
    let source = metadata.operator(OperatorId(1)).unwrap();
    assert_eq!((source.uid.as_deref(), source.coordinator.as_deref()), (Some("source"), Some(&[9u8][..])));
    let counter = metadata.operator(OperatorId(2)).unwrap();
    assert_eq!(counter.subtasks[&1].snapshot, snapshot(2, Some(keyed(1))));
    assert_eq!((counter.coordinator.as_ref(), counter.parallelism, counter.max_parallelism), (None, 2, 128));
    // No state, but it is known that subtask 1 had finished.
    let stateless = metadata.operator(OperatorId(3)).unwrap();
    assert!(stateless.subtasks.values().all(|subtask| subtask.snapshot.is_empty()));
    assert_eq!(stateless.subtasks.values().map(|subtask| subtask.finished).collect::<Vec<_>>(), [false, true]);
    assert_eq!(metadata.state_files(), BTreeMap::from([("v0-0-op", 5), ("v0-1-op", 5)]));
}

#[test]
fn acknowledgements_that_do_not_fit_the_graph_are_refused() {
    let changes: [Change<VertexSnapshot>; 5] = [
        ("of 2 subtasks", |vertex| drop(vertex.subtasks.remove(&0))),
        ("of 1 subtasks", |vertex| vertex.parallelism = 1),
        ("not in its vertex", |vertex| drop(vertex.operators.pop().and(vertex.operators.pop()))),
        ("split enumerator", |vertex| drop(vertex.coordinators.insert(OperatorId(8), vec![]))),
        ("two states", |vertex| vertex.subtasks.get_mut(&0).unwrap().operators.push(snapshot(1, None))),
    ];
    for (message, change) in changes {
        let mut vertex = vertex();
        change(&mut vertex);
        let error = metadata().with_vertices([vertex]).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn contradictions_are_found() {
    fn counter(metadata: &mut CheckpointMetadata) -> &mut OperatorState {
        &mut metadata.operators[1]
    }
    fn counter_keyed(metadata: &mut CheckpointMetadata) -> &mut KeyedSnapshot {
        counter(metadata).subtasks.get_mut(&1).unwrap().snapshot.keyed.as_mut().unwrap()
    }
    let changes: [Change<CheckpointMetadata>; 12] = [
        ("twice", |metadata| metadata.operators[2].id = OperatorId(1)),
        ("does not go with", |metadata| counter(metadata).max_parallelism = 1),
        ("does not go with", |metadata| counter(metadata).parallelism = 0),
        ("no subtask 1", |metadata| counter(metadata).parallelism = 1),
        ("state of operator", |metadata| counter(metadata).subtasks.get_mut(&0).unwrap().snapshot.operator = OperatorId(9)),
        ("do not fit a maximum", |metadata| counter_keyed(metadata).max_parallelism = 64),
        ("do not fit a maximum", |metadata| counter_keyed(metadata).groups = KeyGroupRange { start: 5, end: 4 }),
        ("no name of a state file", |metadata| counter_keyed(metadata).data = BlockData::File { name: "../secret".into(), bytes: 5 }),
        ("not there", |metadata| counter_keyed(metadata).blocks[0].state = 1),
        ("not there", |metadata| counter_keyed(metadata).blocks[0].group = 3),
        ("does not fit into 5 bytes", |metadata| counter_keyed(metadata).blocks[0].offset = u64::MAX),
        ("two lengths", |metadata| counter_keyed(metadata).data = BlockData::File { name: "v0-0-op".into(), bytes: 6 }),
    ];
    for (message, change) in changes {
        let mut metadata = metadata().with_vertices([vertex()]).unwrap();
        change(&mut metadata);
        let error = metadata.check().unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

/// If this fails, checkpoints of earlier releases cannot be read any more: give the format a new version, and keep a decoder
/// for the old one.
#[test]
fn the_encoding_is_that_of_format_version_1() {
    let metadata = metadata().with_vertices([vertex()]).unwrap();
    let sealed = frame::seal(&METADATA_FRAME, &metadata).unwrap();
    assert_eq!(&sealed.bytes[..12], b"FLOTTchk\x01\0\0\0");
    assert_eq!((sealed.bytes.len(), sealed.crc), (308, 760_850_032));
}
