//! The corpora of the fuzzer, through the decoders. `UPDATE_CORPUS=1` writes the files that are made from real messages anew;
//! what the fuzzer has found beside them stays.

use flott_cluster::fuzzing;
use flott_core::{
    Batch, codec,
    exchange::{BatchCodec, TypedBatchCodec},
    id::{AttemptId, CheckpointId, JobId, OperatorId, SubtaskId, VertexId},
    key_group::KeyGroupRange,
    schema::Schema,
    snapshot::{BlockData, BlockRef, KeyedSnapshot, KeyedStateMeta, ListStateSnapshot, OperatorSnapshot, Redistribution, StateKind},
};
use flott_net::frame::{self, FrameKind};
use flott_rpc::{
    control::{
        ClientReply, ClientRequest, ExecutableId, FromTaskManager, FromWorker, Hello, PROTOCOL, Role, ToTaskManager, ToWorker, Welcome,
    },
    task::{SubtaskCheckpointStats, TaskCommand, TaskReport},
};
use flott_storage::{CheckpointMetadata, OperatorState, OperatorSubtaskState, SnapshotKind};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A decoder, and real messages for it.
struct Target {
    name: &'static str,
    decode: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
}

const TARGETS: [Target; 4] = [
    Target { name: "frames", decode: fuzzing::frames, seeds: frames },
    Target { name: "messages", decode: fuzzing::messages, seeds: messages },
    Target { name: "metadata", decode: fuzzing::metadata, seeds: metadata },
    Target { name: "elements", decode: fuzzing::elements, seeds: elements },
];

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

#[test]
fn every_file_of_the_corpora_is_decoded_or_refused() {
    for Target { name, decode, seeds } in TARGETS {
        let folder = corpus(name);
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            for (number, seed) in seeds().iter().enumerate() {
                fs::write(folder.join(format!("real-{number:02}")), seed).unwrap();
            }
        }
        let files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= seeds().len(), "{}: some files are missing; UPDATE_CORPUS=1 writes them", folder.display());
        for file in files {
            decode(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn what_is_cut_or_damaged_is_refused_without_a_panic() {
    for Target { decode, seeds, .. } in TARGETS {
        for seed in seeds() {
            for length in 0..seed.len().min(400) {
                decode(&seed[..length]);
                let mut damaged = seed.clone();
                damaged[length] ^= 0x81;
                decode(&damaged);
            }
        }
    }
}

fn frames() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (kind, payload) in [
        (FrameKind::Open, &b"v0/0#1 v1/0#1 0"[..]),
        (FrameKind::Data, &[7; 300]),
        (FrameKind::Credit, &[4, 0, 0, 0]),
        (FrameKind::Ping, b""),
    ] {
        frame::append(&mut all, kind, 5, payload, 1 << 20).unwrap();
    }
    let mut damaged = all.clone();
    damaged[40] ^= 1;
    vec![all, damaged, Vec::new()]
}

/// A message as the body that a connection carries, behind the number of its kind.
fn message(kind: u8, message: &impl Serialize) -> Vec<u8> {
    let mut body = vec![kind];
    let mut serializer = rmp_serde::Serializer::new(&mut body).with_struct_map().with_bytes(rmp_serde::config::BytesMode::ForceAll);
    message.serialize(&mut serializer).unwrap();
    body
}

fn messages() -> Vec<Vec<u8>> {
    let attempt = AttemptId { subtask: SubtaskId { vertex: VertexId(1), index: 3 }, attempt: 2 };
    let acknowledged = TaskReport::CheckpointAcknowledged {
        checkpoint: CheckpointId(9),
        snapshot: Box::new(flott_core::snapshot::SubtaskSnapshot { operators: vec![operator(1, 0)], finished: false }),
        stats: SubtaskCheckpointStats::default(),
    };
    vec![
        message(0, &Hello { protocol: PROTOCOL, version: "0.1.0".into(), role: Role::Client, token: None }),
        message(1, &Welcome::Refused("there is a TaskManager `a` already".into())),
        message(2, &ClientRequest::GetExecutable(ExecutableId("ab".repeat(32)), 1 << 20)),
        message(2, &ClientRequest::ListJobs),
        message(3, &ClientReply::Bytes(vec![1, 2, 3])),
        message(4, &ToTaskManager::StopWorker { job: JobId(7), worker: 1 }),
        message(4, &ToTaskManager::Heartbeat),
        message(5, &FromTaskManager::WorkerEnded { job: JobId(7), worker: 1, reason: "killed".into() }),
        message(6, &ToWorker::Command(attempt, TaskCommand::AddSplits(vec![vec![1, 2], Vec::new()]))),
        message(7, &FromWorker::Task(attempt, acknowledged)),
    ]
}

fn operator(id: u64, index: u32) -> OperatorSnapshot {
    let schema = Schema::of::<(String, u64)>();
    OperatorSnapshot {
        operator: OperatorId(id),
        name: "count".into(),
        lists: vec![ListStateSnapshot {
            name: "splits".into(),
            redistribution: Redistribution::Split,
            codec: codec::CODEC.into(),
            schema: schema.clone(),
            items: vec![vec![1, 2, 3], Vec::new()],
        }],
        keyed: Some(KeyedSnapshot {
            max_parallelism: 128,
            groups: KeyGroupRange::of_subtask(index, 2, 128),
            states: vec![KeyedStateMeta {
                name: "count".into(),
                kind: StateKind::Value,
                codec: codec::CODEC.into(),
                key: schema.clone(),
                value: schema,
            }],
            blocks: vec![BlockRef { state: 0, group: (index * 64) as u16, offset: 0, len: 4, crc: 1 }],
            data: if index == 0 { BlockData::Inline(vec![1, 2, 3, 4]) } else { BlockData::Inline(vec![0; 9]) },
        }),
    }
}

fn metadata() -> Vec<Vec<u8>> {
    let subtask = |index| (index, OperatorSubtaskState { snapshot: operator(1, index), finished: index == 1 });
    let metadata = CheckpointMetadata {
        job: JobId(7),
        job_name: "words".into(),
        epoch: 3,
        checkpoint: CheckpointId(42),
        kind: SnapshotKind::Savepoint,
        completed_at_ms: 1_700_000_000_000,
        operators: vec![OperatorState {
            id: OperatorId(1),
            uid: Some("count".into()),
            name: "count".into(),
            parallelism: 2,
            max_parallelism: 128,
            coordinator: Some(vec![9]),
            subtasks: BTreeMap::from([subtask(0), subtask(1)]),
        }],
    };
    let file = fuzzing::metadata_file(&metadata);
    let body = file[20..file.len() - 4].to_vec();
    vec![file, body]
}

fn elements() -> Vec<Vec<u8>> {
    let batch = |kind: u8, batch: &flott_core::AnyBatch, codec: &dyn BatchCodec| {
        let mut bytes = vec![kind];
        codec.encode(batch, &mut bytes).unwrap();
        bytes
    };
    let numbers = flott_core::AnyBatch::new(Batch {
        values: vec![1u64, u64::MAX],
        timestamps: flott_core::batch::Timestamps::None,
        hashes: vec![3, 4],
    });
    let words =
        Batch { values: vec![("a".to_owned(), 1u64)], timestamps: flott_core::batch::Timestamps::Each(vec![-1]), hashes: Vec::new() };
    vec![
        vec![0, 0, 14],
        vec![0, 1, 0],
        vec![0, 2, 9, 0],
        vec![0, 3],
        batch(1, &numbers, &TypedBatchCodec::<u64>::default()),
        batch(2, &flott_core::AnyBatch::new(words), &TypedBatchCodec::<(String, u64)>::default()),
    ]
}
