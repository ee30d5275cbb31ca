use super::*;
use crate::testing::topology;
use flott_core::{
    exchange::PartitionKind::{Forward, Hash, Rescale},
    id::JobId,
    schema::Schema,
    snapshot::{BlockData, BlockRef, KeyedSnapshot, OperatorSnapshot},
};
use flott_storage::SnapshotKind;

fn list(name: &str, redistribution: Redistribution, items: &[&str]) -> ListStateSnapshot {
    ListStateSnapshot {
        name: name.into(),
        redistribution,
        codec: "c".into(),
        schema: Schema { id: 1, description: "s".into() },
        items: items.iter().map(|item| item.as_bytes().to_vec()).collect(),
    }
}

fn keyed(index: u32, parallelism: u32, max_parallelism: u32) -> KeyedSnapshot {
    let groups = KeyGroupRange::of_subtask(index, parallelism, max_parallelism);
    KeyedSnapshot {
        max_parallelism,
        groups,
        states: Vec::new(),
        blocks: (groups.start..groups.end).map(|group| BlockRef { state: 0, group: group as u16, offset: 0, len: 0, crc: 0 }).collect(),
        data: BlockData::Inline(Vec::new()),
    }
}

/// The state of operator `op<number>`: what each subtask had, and whether it had finished.
fn state(number: u32, subtasks: Vec<(Vec<ListStateSnapshot>, Option<KeyedSnapshot>, bool)>) -> OperatorState {
    let uid = format!("op{number}");
    let id = OperatorId::from_uid(&uid);
    OperatorState {
        id,
        uid: Some(uid.clone()),
        name: uid,
        parallelism: subtasks.len() as u32,
        max_parallelism: 128,
        coordinator: None,
        subtasks: subtasks
            .into_iter()
            .enumerate()
            .map(|(index, (lists, keyed, finished))| {
                let snapshot = OperatorSnapshot { operator: id, name: "op".into(), lists, keyed };
                (index as u32, OperatorSubtaskState { snapshot, finished })
            })
            .collect(),
    }
}

fn finished(number: u32, subtasks: &[bool]) -> OperatorState {
    state(number, subtasks.iter().map(|finished| (Vec::new(), None, *finished)).collect())
}

fn snapshot(operators: Vec<OperatorState>) -> RestoredSnapshot {
    let metadata = CheckpointMetadata {
        job: JobId(1),
        job_name: "test".into(),
        epoch: 1,
        checkpoint: CheckpointId(7),
        kind: SnapshotKind::Checkpoint,
        completed_at_ms: 0,
        operators,
    };
    RestoredSnapshot { metadata: Arc::new(metadata), location: "/chk-7".into(), owned: false }
}

fn restores(snapshot: &RestoredSnapshot, job: &JobTopology, vertex: u32) -> Vec<TaskRestore> {
    let subtasks = (0..job.vertices[vertex as usize].parallelism).map(|index| SubtaskId { vertex: VertexId(vertex), index });
    assign(snapshot, job, &subtasks.collect()).into_values().collect()
}

/// The items of each subtask, as `a b` for each list.
fn items(restores: &[TaskRestore]) -> Vec<String> {
    let of = |restore: &TaskRestore| {
        let lists = restore.operators.values().flat_map(|operator| &operator.lists);
        let items = lists.flat_map(|list| list.items.iter().map(|item| String::from_utf8_lossy(item).into_owned()));
        items.collect::<Vec<_>>().join(" ")
    };
    restores.iter().map(of).collect()
}

fn split_state(per_subtask: &[&[&str]]) -> RestoredSnapshot {
    let subtasks = per_subtask.iter().map(|items| (vec![list("l", Redistribution::Split, items)], None, false));
    snapshot(vec![state(0, subtasks.collect())])
}

#[test]
fn split_lists_stay_where_they_are_if_the_parallelism_does() {
    let restored = split_state(&[&["a", "b", "c"], &[], &["d"]]);
    assert_eq!(items(&restores(&restored, &topology(&[3], &[]), 0)), ["a b c", "", "d"]);
}

#[test]
fn split_lists_are_dealt_round_robin_at_another_parallelism() {
    let restored = split_state(&[&["a", "b", "c"], &["d"], &["e"]]);
    assert_eq!(items(&restores(&restored, &topology(&[2], &[]), 0)), ["a c e", "b d"]);
    assert_eq!(items(&restores(&restored, &topology(&[6], &[]), 0)), ["a", "b", "c", "d", "e", ""]);
    assert_eq!(items(&restores(&restored, &topology(&[1], &[]), 0)), ["a b c d e"]);
}

#[test]
fn union_lists_go_to_everyone_also_those_of_finished_subtasks() {
    let union = |item: &str, finished| (vec![list("l", Redistribution::Union, &[item])], None, finished);
    let restored = snapshot(vec![state(0, vec![union("a", true), union("b", false)])]);
    for parallelism in [1, 2, 3] {
        let restores = restores(&restored, &topology(&[parallelism], &[]), 0);
        assert_eq!(items(&restores), vec!["a b"; parallelism as usize]);
    }
}

#[test]
fn lists_of_different_schemas_are_not_mixed() {
    let mut other = list("l", Redistribution::Split, &["b"]);
    other.schema.id = 2;
    let restored =
        snapshot(vec![state(0, vec![(vec![list("l", Redistribution::Split, &["a"])], None, false), (vec![other], None, false)])]);
    let restores = restores(&restored, &topology(&[1], &[]), 0);
    assert_eq!(restores[0].operators[&OperatorId::from_uid("op0")].lists.len(), 2);
}

#[test]
fn keyed_state_goes_to_all_owners_of_its_groups_and_to_no_one_else() {
    for old in [1, 2, 3, 128] {
        let subtasks = (0..old).map(|index| (Vec::new(), Some(keyed(index, old, 128)), false)).collect();
        let restored = snapshot(vec![state(0, subtasks)]);
        for new in [1, 2, 3, 7, 128] {
            for (index, restore) in restores(&restored, &topology(&[new], &[]), 0).iter().enumerate() {
                let own = KeyGroupRange::of_subtask(index as u32, new, 128);
                let got: Vec<u32> =
                    restore.operators.values().flat_map(|o| &o.keyed).flat_map(|keyed| keyed.groups.start..keyed.groups.end).collect();
                assert!(
                    (own.start..own.end).all(|group| got.iter().filter(|got| **got == group).count() == 1),
                    "{old} to {new}, subtask {index}"
                );
                let none_foreign =
                    restore.operators.values().flat_map(|o| &o.keyed).all(|k| k.groups.start < own.end && own.start < k.groups.end);
                assert!(none_foreign, "{old} to {new}, subtask {index}");
            }
        }
    }
}

fn finished_after(operators: Vec<OperatorState>, job: &JobTopology, vertex: u32) -> Vec<bool> {
    restores(&snapshot(operators), job, vertex).iter().map(|restore| restore.finished).collect()
}

#[test]
fn a_finished_subtask_starts_as_finished_at_the_same_parallelism_only() {
    assert_eq!(finished_after(vec![finished(0, &[true, false])], &topology(&[2], &[]), 0), [true, false]);
    assert_eq!(finished_after(vec![finished(0, &[true, false])], &topology(&[3], &[]), 0), [false; 3]);
    assert_eq!(finished_after(vec![finished(0, &[true, true])], &topology(&[3], &[]), 0), [true; 3]);
    assert_eq!(finished_after(vec![], &topology(&[1], &[]), 0), [false]);
}

#[test]
fn a_subtask_with_a_new_operator_has_not_finished() {
    let mut job = topology(&[1], &[]);
    let mut new = job.vertices[0].operators[0].clone();
    new.id = OperatorId::from_uid("new");
    job.vertices[0].operators.push(new);
    assert_eq!(finished_after(vec![finished(0, &[true])], &job, 0), [false]);
}

#[test]
fn nobody_starts_as_finished_behind_someone_who_runs() {
    // Subtask 0 of both had finished. The first vertex is rescaled, so that it runs again and sends to subtask 0 of the second.
    let states = || vec![finished(0, &[true, false]), finished(1, &[true, false])];
    assert_eq!(finished_after(states(), &topology(&[2, 2], &[(0, 1, Forward)]), 1), [true, false]);
    assert_eq!(finished_after(states(), &topology(&[4, 2], &[(0, 1, Rescale)]), 1), [false, false]);
    assert_eq!(finished_after(states(), &topology(&[2, 2], &[(0, 1, Hash)]), 1), [false, false], "the program was changed");
}

#[test]
fn the_state_of_a_finished_subtask_is_given_to_it() {
    let restored = snapshot(vec![state(0, vec![(vec![list("committables", Redistribution::Split, &["c"])], None, true)])]);
    let restores = restores(&restored, &topology(&[1], &[]), 0);
    assert!(restores[0].finished);
    assert_eq!(items(&restores), ["c"]);
}

#[test]
fn state_without_operator_is_an_error_that_names_it_unless_it_is_empty() {
    let with_state = state(9, vec![(vec![list("l", Redistribution::Split, &["a"])], None, false)]);
    let job = topology(&[1], &[]);
    let error = check(&snapshot(vec![with_state.clone()]).metadata, &job, false).unwrap_err();
    assert!(error.to_string().contains("operator `op9` (uid `op9`)"), "{error}");
    assert_eq!(check(&snapshot(vec![with_state]).metadata, &job, true), Ok(()));
    assert_eq!(check(&snapshot(vec![finished(9, &[true])]).metadata, &job, false), Ok(()));
}

#[test]
fn the_state_of_an_enumerator_is_state() {
    let mut source = finished(9, &[false]);
    source.coordinator = Some(vec![1]);
    assert!(check(&snapshot(vec![source]).metadata, &topology(&[1], &[]), false).is_err());
}

#[test]
fn another_max_parallelism_is_an_error_where_there_is_keyed_state() {
    let job = topology(&[1], &[]);
    let with_state = snapshot(vec![state(0, vec![(Vec::new(), Some(keyed(0, 1, 64)), false)])]);
    let error = check(&with_state.metadata, &job, true).unwrap_err();
    assert!(matches!(&error, RestoreError::MaxParallelism(changed) if changed.stored == 64 && changed.configured == 128), "{error}");
    let mut empty = keyed(0, 1, 64);
    empty.blocks.clear();
    assert_eq!(check(&snapshot(vec![state(0, vec![(Vec::new(), Some(empty), false)])]).metadata, &job, false), Ok(()));
}
