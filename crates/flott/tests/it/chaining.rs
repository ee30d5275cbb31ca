//! The same program gives the same results however its operators are spread over tasks.

use crate::support::{env, sorted};
use flott::{DataStream, prelude::*};

type Change = fn(DataStream<i64>) -> DataStream<i64>;

fn results(parallelism: u32, chaining: bool, change: Change) -> Vec<(i64, i64)> {
    let env = env(parallelism);
    env.set(&options::PIPELINE_OPERATOR_CHAINING_ENABLED, chaining);
    let odd = change(env.from_sequence(0, 4999).filter(|n| n % 2 == 1));
    let (plus, minus) = (change(odd.map(|n| n + 1)), change(odd.map(|n| -n)));
    let all = change(plus.union(&minus).flat_map_iter(|n| [n, n])).union(&odd);
    sorted(&all.key_by(|n| n % 10).fold((0i64, 0i64), |(count, last), n| (*count, *last) = (*count + 1, n % 10)))
}

#[test]
fn chaining_changes_nothing_in_the_results() {
    let expected = results(1, true, |stream| stream);
    assert_eq!(expected.len(), 12_500);
    let changes: [Change; 4] = [
        |stream| stream,
        |stream| stream.disable_chaining(),
        |stream| stream.start_new_chain(),
        |stream| stream.slot_sharing_group("other"),
    ];
    for parallelism in [1, 2, 3] {
        for chaining in [true, false] {
            for change in changes {
                assert_eq!(results(parallelism, chaining, change), expected, "parallelism {parallelism}, chaining {chaining}");
            }
        }
    }
}

#[test]
fn operators_of_different_parallelism_work_together() {
    let env = env(3);
    let numbers = env.from_sequence(0, 2999).map(|n| n).parallelism(2).filter(|n| n % 3 != 0).parallelism(8).map(|n| n * 2).parallelism(1);
    assert_eq!(sorted(&numbers), (0..3000).filter(|n| n % 3 != 0).map(|n| n * 2).collect::<Vec<_>>());
}
