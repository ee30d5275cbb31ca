//! What must always hold: the content of each checkpoint is one cut through the stream, and the outside gets it exactly once.

use crate::{
    graph::{APART, BUCKETS, COUNTED, FAN, PLAIN},
    operators::Tally,
    outside::{Committable, Outside},
    record::{Out, Record, RecordId},
    shape::Shape,
    sim::{Sim, hold},
    source::{EnumeratorState, SimSplit},
    storage::{DIRECTORY, honest},
};
use flott_core::{
    BoxError, Data,
    codec::decode,
    id::{CheckpointId, JobId},
};
use flott_storage::{
    CheckpointMetadata, CheckpointStorage, CompletedCheckpoint, OperatorState, SnapshotKind, StateFiles, files::MemoryFiles,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Of each split of each source, how many of its records were read.
pub(crate) type Positions = BTreeMap<(u8, u16), u32>;

/// All splits, read to their ends.
pub(crate) fn ends(shape: &Shape) -> Positions {
    let of = |source: &crate::source::SourceShape| {
        let number = source.number;
        source.splits.clone().into_iter().enumerate().map(move |(split, len)| ((number, split as u16), len))
    };
    shape.sources.iter().flat_map(of).collect()
}

/// The content of a checkpoint is what a plain computation gives for the records up to its positions, which are returned.
pub(crate) fn cut(sim: &Sim, shape: &Shape, metadata: &CheckpointMetadata) -> Option<Positions> {
    match check_cut(sim, shape, metadata) {
        Ok(positions) => Some(positions),
        Err(error) => {
            sim.violation(format!("checkpoint {} is no cut: {error}", metadata.checkpoint));
            None
        }
    }
}

/// Whether it is a savepoint in which all tasks have finished.
pub(crate) fn is_drained(metadata: &CheckpointMetadata) -> bool {
    metadata.kind == SnapshotKind::StopWithSavepoint && all_finished(metadata)
}

fn all_finished(metadata: &CheckpointMetadata) -> bool {
    metadata.operators.iter().flat_map(|operator| operator.subtasks.values()).all(|subtask| subtask.finished)
}

fn check_cut(sim: &Sim, shape: &Shape, metadata: &CheckpointMetadata) -> Result<Positions, BoxError> {
    let positions = positions(shape, metadata)?;
    let records = records(shape, &positions);
    for source in &shape.sources {
        let tallies: Vec<Tally> = items(operator(metadata, &format!("tag {}", source.number))?, "tally")?;
        let counted: u64 = tallies.iter().map(|tally| tally.records).sum();
        let read: u64 = positions.iter().filter(|((number, _), _)| *number == source.number).map(|(_, read)| u64::from(*read)).sum();
        if counted != read {
            return Err(format!("{read} records of source {} were read, but its union state has counted {counted}", source.number).into());
        }
    }
    let outside = hold(&sim.outside);
    let mut contents = BTreeMap::new();
    for name in sinks(shape) {
        let state = operator(metadata, &format!("sink {name}"))?;
        let prepared: Vec<Committable> = items(state, "committables")?;
        // Behind a savepoint that is slow, sinks commit for later checkpoints.
        let behind = if metadata.kind == SnapshotKind::Savepoint { metadata.checkpoint.0 } else { u64::MAX };
        let content = with_prepared(&outside, name, &prepared, behind)?;
        let written: u64 = items::<u64>(state, "writer")?.iter().sum();
        if written != content.len() as u64 {
            return Err(format!("the writers of sink {name} remember {written} records, but it has {}", content.len()).into());
        }
        contents.insert(name, content);
    }
    drop(outside);
    compare(shape, &records, &contents, false)?;
    Ok(positions)
}

/// What is visible outside is exactly what a plain computation gives.
pub(crate) fn result(sim: &Sim, shape: &Shape, positions: &Positions, complete: bool) -> Result<(), BoxError> {
    let outside = hold(&sim.outside);
    let contents = sinks(shape).map(|name| (name, outside.visible(name, u64::MAX).cloned().collect())).collect();
    compare(shape, &records(shape, positions), &contents, complete)
}

fn sinks(shape: &Shape) -> impl Iterator<Item = &'static str> + use<> {
    let all = [(PLAIN, shape.plain), (COUNTED, shape.counted), (BUCKETS, shape.buckets), (FAN, shape.fan), (APART, shape.apart)];
    all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name)
}

fn operator<'a>(metadata: &'a CheckpointMetadata, uid: &str) -> Result<&'a OperatorState, BoxError> {
    metadata.operators.iter().find(|operator| operator.uid.as_deref() == Some(uid)).ok_or_else(|| format!("no state of `{uid}`").into())
}

/// The items of a list, of all subtasks.
fn items<T: Data>(state: &OperatorState, name: &str) -> Result<Vec<T>, BoxError> {
    let lists = state.subtasks.values().flat_map(|subtask| &subtask.snapshot.lists).filter(|list| list.name == name);
    lists.flat_map(|list| &list.items).map(|item| decode(item)).collect()
}

fn positions(shape: &Shape, metadata: &CheckpointMetadata) -> Result<Positions, BoxError> {
    let mut positions = ends(shape);
    let mut listed = BTreeSet::new();
    for source in &shape.sources {
        let state = operator(metadata, &format!("source {}", source.number))?;
        let enumerator: EnumeratorState = decode(state.coordinator.as_deref().ok_or("no state of an enumerator")?)?;
        let unfound = (enumerator.found..source.splits.len() as u16).map(|number| source.split(number));
        let read: Vec<SimSplit> = items(state, "splits")?;
        for split in unfound.chain(enumerator.free).chain(read) {
            if !listed.insert((split.source, split.number)) {
                return Err(format!("split {} of source {} is in two places", split.number, split.source).into());
            }
            positions.insert((split.source, split.number), split.position);
        }
    }
    Ok(positions)
}

fn records(shape: &Shape, positions: &Positions) -> Vec<Record> {
    let mut records = Vec::new();
    for source in &shape.sources {
        for split in 0..source.splits.len() as u16 {
            for place in 0..positions[&(source.number, split)] {
                let record = source.record(split, place);
                records.extend(record.twin().filter(|_| shape.flat_map));
                records.push(record);
            }
        }
    }
    records
}

fn with_prepared(outside: &Outside, name: &str, prepared: &[Committable], behind: u64) -> Result<Vec<Out>, BoxError> {
    let mut content: Vec<Out> = outside.visible(name, behind).cloned().collect();
    let waiting: BTreeSet<u64> = prepared.iter().map(|committable| committable.transaction).collect();
    for transaction in waiting.into_iter().filter(|transaction| !outside.is_visible(*transaction)) {
        content.extend_from_slice(outside.content(transaction).ok_or_else(|| format!("transaction {transaction} was never written"))?);
    }
    Ok(content)
}

fn compare(shape: &Shape, records: &[Record], contents: &BTreeMap<&str, Vec<Out>>, complete: bool) -> Result<(), BoxError> {
    let stands_apart = |record: &Record| shape.apart && record.source == 1;
    let united: Vec<Record> = records.iter().filter(|record| !stands_apart(record)).cloned().collect();
    // The doubles are made behind the union.
    let apart: Vec<Record> = records.iter().filter(|record| stands_apart(record) && record.copy == 0).cloned().collect();
    for (name, content) in contents {
        let records: &[Record] = if *name == APART { &apart } else { &united };
        let compared = match *name {
            APART => counted(shape, records, content),
            PLAIN => each_once(records, content.iter().map(|out| if let Out::Plain(id) = out { Ok(*id) } else { Err(out) })),
            COUNTED => counted(shape, records, content),
            BUCKETS => buckets(shape, records, content, complete),
            _ => copies(records, content),
        };
        compared.map_err(|error| format!("sink {name}: {error}"))?;
    }
    Ok(())
}

fn each_once<'a>(records: &[Record], ids: impl Iterator<Item = Result<RecordId, &'a Out>>) -> Result<(), BoxError> {
    let mut missing: BTreeSet<RecordId> = records.iter().map(Record::id).collect();
    let all = missing.clone();
    for id in ids {
        let id = id.map_err(|out| format!("{out:?} does not belong here"))?;
        if !missing.remove(&id) {
            return Err(format!("record {id:?} is there {}", if all.contains(&id) { "twice" } else { "although it was not read" }).into());
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("{} records are missing, first {:?}", missing.len(), missing.first()).into()) }
}

fn counted(shape: &Shape, records: &[Record], content: &[Out]) -> Result<(), BoxError> {
    let mut keys: BTreeMap<u16, Vec<(u64, i64, RecordId)>> = BTreeMap::new();
    for out in content {
        let Out::Counted { key, count, sum, last } = out else { return Err(format!("{out:?} does not belong here").into()) };
        keys.entry(*key).or_default().push((*count, *sum, *last));
    }
    each_once(records, keys.values().flatten().map(|(_, _, id)| Ok(*id)))?;
    let by_id: BTreeMap<RecordId, &Record> = records.iter().map(|record| (record.id(), record)).collect();
    for (key, mut counts) in keys {
        counts.sort_unstable();
        let mut sum = 0;
        let mut places: BTreeMap<(u8, u16), (u32, u8)> = BTreeMap::new();
        for (expected, (count, with, id)) in counts.into_iter().enumerate() {
            let record = by_id.get(&id).ok_or("a record that was not read")?;
            sum += record.value;
            if count != expected as u64 + 1 || with != sum || record.key != key {
                return Err(format!(
                    "key {key}: number {} is {count}, with the sum {with} instead of {sum}, after {record:?}",
                    expected + 1
                )
                .into());
            }
            if shape.keeps_order() {
                // The twin goes first.
                let place = (record.place, 1 - record.copy);
                if places.insert((record.source, record.split), place).is_some_and(|before| before >= place) {
                    return Err(format!("key {key}: {record:?} comes after a later one").into());
                }
            }
        }
    }
    Ok(())
}

fn buckets(shape: &Shape, records: &[Record], content: &[Out], complete: bool) -> Result<(), BoxError> {
    let mut expected: BTreeMap<(u16, i64), u64> = BTreeMap::new();
    for record in records {
        let bucket = (record.time.div_euclid(shape.bucket_ms) + 1) * shape.bucket_ms;
        *expected.entry((record.key, bucket)).or_default() += 1;
    }
    let mut found: BTreeMap<(u16, i64), u64> = BTreeMap::new();
    let mut late = BTreeSet::new();
    for out in content {
        let (place, count) = match out {
            Out::Fired { key, bucket, count } => ((*key, *bucket), *count),
            Out::Late { key, bucket, id } if late.insert(*id) => ((*key, *bucket), 1),
            _ => return Err(format!("{out:?} is there twice, or does not belong here").into()),
        };
        *found.entry(place).or_default() += count;
    }
    for (place, count) in &found {
        let all = expected.get(place).copied().unwrap_or(0);
        if *count > all {
            return Err(format!("bucket {place:?} has {count} records instead of {all}").into());
        }
    }
    match expected.iter().find(|(place, count)| found.get(place) != Some(count)) {
        Some((place, count)) if complete => Err(format!("bucket {place:?} has {:?} records instead of {count}", found.get(place)).into()),
        _ => Ok(()),
    }
}

fn copies(records: &[Record], content: &[Out]) -> Result<(), BoxError> {
    let mut widths: BTreeMap<RecordId, (u32, BTreeSet<u32>)> = BTreeMap::new();
    for out in content {
        let Out::Copy { at, width, id } = out else { return Err(format!("{out:?} does not belong here").into()) };
        let (expected, receivers) = widths.entry(*id).or_insert((*width, BTreeSet::new()));
        if expected != width || at >= width || !receivers.insert(*at) {
            return Err(format!("{out:?} is there twice, or in two runs").into());
        }
    }
    if let Some((id, (width, receivers))) = widths.iter().find(|(_, (width, receivers))| receivers.len() as u32 != *width) {
        return Err(format!("record {id:?} has reached {} of {width} receivers", receivers.len()).into());
    }
    each_once(records, widths.keys().map(|id| Ok(*id)))
}

/// Every checkpoint that a register has can be restored.
pub(crate) fn registers(sim: &Sim, files: &MemoryFiles, claimed: &BTreeMap<String, JobId>) {
    let directory = honest(files);
    let check = || -> Result<(), BoxError> {
        let found = directory.completed()?;
        if let Some(unreadable) = found.unreadable.into_iter().next() {
            return Err(unreadable.into());
        }
        // A savepoint that another job has claimed may stay in the registers of those that knew it before.
        let own = |completed: &&CompletedCheckpoint| claimed.get(&completed.folder).is_none_or(|job| *job == completed.job);
        for completed in found.checkpoints.iter().filter(own) {
            let storage = directory.storage(completed.job);
            let loaded = storage.load_completed(completed)?;
            let mut bytes = Vec::new();
            let operators = loaded.metadata.operators.iter().flat_map(|operator| operator.subtasks.values());
            for keyed in operators.filter_map(|subtask| subtask.snapshot.keyed.as_ref()) {
                let blocks = storage.open_blocks(&loaded.folder, &keyed.data)?;
                for block in &keyed.blocks {
                    blocks.read_block(block, &mut bytes)?;
                }
            }
        }
        Ok(())
    };
    if let Err(error) = check() {
        sim.violation(format!("a retained checkpoint cannot be restored: {error}"));
    }
}

/// When all is over, nothing lies around that no register knows, once a new term has swept.
pub(crate) fn files(files: &MemoryFiles, jobs: &[JobId]) -> Result<(), BoxError> {
    let directory = honest(files);
    let kept: Vec<String> = directory.completed()?.checkpoints.into_iter().map(|completed| completed.folder).collect();
    for job in jobs {
        let storage = directory.storage(*job);
        let epoch = storage.next_epoch()?;
        storage.begin_term(epoch)?;
        if let Some(error) = storage.remove_unreferenced(epoch, CheckpointId(u64::MAX))?.failed.into_iter().next() {
            return Err(error.into());
        }
    }
    for file in files.all_files() {
        let path = Path::new("/").join(&file);
        let register = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("_completed"));
        if path.starts_with(DIRECTORY) && !register && !kept.iter().any(|folder| path.starts_with(folder)) {
            return Err(format!("`{}` lies around", path.display()).into());
        }
    }
    Ok(())
}
