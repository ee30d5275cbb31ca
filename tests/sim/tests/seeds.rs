//! A few hundred seeds, and those that have found something.

use flott_sim::{Plant, Seen, run, run_cluster};
use std::collections::BTreeMap;

fn holds(seed: u64) -> BTreeMap<Seen, u64> {
    let run = run(seed, None, false);
    assert_eq!(run.violation, None, "seed {seed}: `cargo xtask sim --seed {seed}` replays it");
    run.seen
}

#[test]
fn some_hundred_seeds_hold_and_whatever_may_happen_has_happened_in_them() {
    let mut seen: BTreeMap<Seen, u64> = BTreeMap::new();
    for seed in 0..300 {
        for (what, times) in holds(seed) {
            *seen.entry(what).or_default() += times;
        }
    }
    assert_eq!(seen.len(), Seen::COUNT, "only these happened: {seen:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in (0..40).chain([115, 723]) {
        let (first, again) = (run(seed, None, false), run(seed, None, false));
        assert!(first.lines > 0);
        assert_eq!(first, again, "seed {seed}");
    }
    assert_ne!(run(1, None, false).trace, run(2, None, false).trace);
}

#[test]
fn some_clusters_hold_and_the_same_seed_gives_the_same_trace() {
    for seed in 0..12 {
        let (first, again) = (run_cluster(seed, None, false), run_cluster(seed, None, false));
        assert_eq!(first.violation, None, "seed {seed}: `cargo xtask sim --cluster --seed {seed}` replays it");
        assert_eq!(first, again, "seed {seed}");
    }
}

#[test]
fn planted_faults_are_found() {
    // Those that need few seeds; `cargo xtask sim --plants` runs all.
    for plant in
        [Plant::CommitBeforeStored, Plant::LoseFinalCommittables, Plant::StaleEnumerator, Plant::ReplayedSplit, Plant::DeleteRetained]
    {
        assert!((0..40).any(|seed| run(seed, Some(plant), false).violation.is_some()), "{} was not found", plant.name());
    }
}

/// Each has failed for the reason in its name. What a seed does changes with the simulation; the reasons are explained in
/// `docs/internals/simulation.md`.
mod regressions {
    macro_rules! seeds {
        ($($name:ident: $($seed:literal)*;)*) => {
            $(#[test]
            fn $name() {
                for seed in [$($seed),*] {
                    super::holds(seed);
                }
            })*
        };
    }

    seeds! {
        a_task_that_cannot_send_sleeps_although_its_source_is_due: 0 1 2;
        a_task_that_is_stopped_after_its_receivers_ends: 20 27 50;
        the_state_files_of_a_finished_task_are_not_asked_for_in_later_checkpoints: 115 192 202 274;
        a_job_whose_drain_failed_reads_on: 56 386 458 503;
        a_folder_whose_creation_was_not_confirmed_survives_a_power_failure: 723;
        a_sink_that_breaks_behind_the_last_record_fails_its_task: 49585;
    }
}
