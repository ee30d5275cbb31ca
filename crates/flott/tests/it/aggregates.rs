//! Keys and rolling aggregates, with Flink's semantics.

use crate::support::{assert_says, collect, env, failure, sorted};
use flott::{DataStream, prelude::*};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Bid {
    item: String,
    bidder: u32,
    price: i64,
}

fn bid(item: &str, bidder: u32, price: i64) -> Bid {
    Bid { item: item.to_owned(), bidder, price }
}

fn bids(parallelism: u32) -> DataStream<Bid> {
    let all = [bid("vase", 1, 30), bid("vase", 2, 10), bid("lamp", 3, 5), bid("vase", 4, 50), bid("vase", 5, 10), bid("vase", 6, 50)];
    env(parallelism).from_data(all)
}

/// The results of one key, in their order.
fn of<T>(results: &[T], item: impl Fn(&T) -> bool) -> Vec<&T> {
    results.iter().filter(|result| item(result)).collect()
}

#[test]
fn sum_adds_one_field_and_keeps_the_others_of_the_first_record() {
    for parallelism in [1, 2, 3, 8] {
        let results = collect(&bids(parallelism).key_by_ref(|bid| bid.item.as_str()).sum(|bid| &mut bid.price));
        let steps = [30, 40, 90, 100, 150].map(|price| bid("vase", 1, price));
        assert_eq!(of(&results, |bid| bid.item == "vase"), steps.iter().collect::<Vec<_>>());
        assert_eq!(of(&results, |bid| bid.item == "lamp"), [&bid("lamp", 3, 5)]);
    }
}

#[test]
fn min_and_max_change_one_field_and_min_by_and_max_by_take_the_first_such_record() {
    let vases = |results: Vec<Bid>| -> Vec<(u32, i64)> {
        results.into_iter().filter(|bid| bid.item == "vase").map(|bid| (bid.bidder, bid.price)).collect()
    };
    for parallelism in [1, 3] {
        let keyed = || bids(parallelism).key_by(|bid| bid.item.clone());
        assert_eq!(vases(collect(&keyed().min(|bid| &mut bid.price))), [(1, 30), (1, 10), (1, 10), (1, 10), (1, 10)]);
        assert_eq!(vases(collect(&keyed().max(|bid| &mut bid.price))), [(1, 30), (1, 30), (1, 50), (1, 50), (1, 50)]);
        assert_eq!(vases(collect(&keyed().min_by(|bid| bid.price))), [(1, 30), (2, 10), (2, 10), (2, 10), (2, 10)]);
        assert_eq!(vases(collect(&keyed().max_by(|bid| bid.price))), [(1, 30), (1, 30), (4, 50), (4, 50), (4, 50)]);
    }
}

#[test]
fn reduce_merges_in_the_order_of_arrival_and_fold_starts_anew_for_each_key() {
    let words = || env(3).from_elements(["b1", "a1", "b2", "b3", "a2"].map(str::to_owned));
    let joined = collect(&words().key_by(|word| word.as_bytes()[0]).reduce(|a, b| a + &b));
    assert_eq!(of(&joined, |text| text.starts_with('b')), ["b1", "b1b2", "b1b2b3"]);
    assert_eq!(of(&joined, |text| text.starts_with('a')), ["a1", "a1a2"]);
    let folded = words().key_by(|word| word.as_bytes()[0]).fold(vec!["start".to_owned()], |all, word| all.push(word));
    let mut folded = collect(&folded);
    folded.sort_by_key(Vec::len);
    assert_eq!(folded.last().unwrap(), &["start", "b1", "b2", "b3"]);
    assert_eq!(folded.iter().filter(|list| list.len() == 2).count(), 2, "each key has a first result with one record");
}

#[test]
fn errors_of_reduce_and_fold_fail_the_job() {
    let numbers = || env(2).from_sequence(1, 100).key_by(|_| 0u8);
    let too_large = |sum: i64| if sum > 1000 { Err(format!("{sum} is too large").into()) } else { Ok(sum) };
    let reduced = failure(&numbers().try_reduce(move |a, b| too_large(a + b)).name("limited"));
    let folded = failure(&numbers().try_fold(0i64, move |sum, n| too_large(*sum + n).map(|new| *sum = new)).name("limited"));
    for message in [reduced, folded] {
        assert_says(&message, &["operator `limited`, subtask ", " of 2", "is too large", "aggregates.rs:"]);
    }
}

#[test]
fn a_key_by_value_and_the_same_key_by_reference_group_alike() {
    let counts = |by_ref: bool, parallelism: u32| {
        let words = env(parallelism).from_sequence(0, 4999).map(|n| (format!("word{}", n % 313), 1u64));
        let counted = if by_ref {
            words.key_by_ref(|(word, _)| word.as_str()).sum(|(_, n)| n)
        } else {
            words.key_by(|(word, _)| word.clone()).sum(|(_, n)| n)
        };
        sorted(&counted)
    };
    let expected = counts(true, 1);
    assert_eq!(expected.len(), 5000);
    for parallelism in [1, 2, 3, 8] {
        assert_eq!(counts(true, parallelism), expected, "by reference, parallelism {parallelism}");
        assert_eq!(counts(false, parallelism), expected, "by value, parallelism {parallelism}");
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Kind {
    Small,
    Of(i64, Option<String>),
    Other { deep: Vec<u8> },
}

#[test]
fn keys_can_be_tuples_enums_options_and_strings_in_place() {
    let kind = |n: i64| match n % 4 {
        0 => Kind::Small,
        1 => Kind::Of(n % 8, None),
        2 => Kind::Of(n % 8, Some("x".into())),
        _ => Kind::Other { deep: vec![7; (n % 16) as usize] },
    };
    let mut expected: BTreeMap<(Kind, bool), i64> = BTreeMap::new();
    (0..2000).for_each(|n| *expected.entry((kind(n), n < 1000)).or_default() += n);
    let env = env(3);
    env.set_runtime_mode(RuntimeMode::Batch);
    let sums = env.from_sequence(0, 1999).map(move |n| ((kind(n), n < 1000), n)).key_by(|(key, _)| key.clone()).sum(|(_, n)| n);
    assert_eq!(sorted(&sums), expected.into_iter().collect::<Vec<_>>());
    let compact = crate::support::env(2);
    let words = compact.from_elements(["a", "a word that is too long to be kept in place", "a"].map(CompactString::new));
    let counts = words.map(|word| (word, 1u64)).key_by_ref(|(word, _)| word).sum(|(_, n)| n);
    assert_eq!(sorted(&counts).into_iter().map(|(_, n)| n).collect::<Vec<_>>(), [1, 2, 1]);
}

#[test]
fn many_keys_are_counted_exactly_at_every_parallelism() {
    for (parallelism, max_parallelism) in [(1, 1), (2, 2), (3, 128), (8, 13)] {
        let env = env(parallelism);
        env.set_max_parallelism(max_parallelism);
        env.set_runtime_mode(RuntimeMode::Batch);
        let counts = env.from_sequence(0, 59_999).map(|n| (n % 20_000, 1u64)).key_by(|(key, _)| *key).sum(|(_, n)| n);
        assert_eq!(sorted(&counts), (0..20_000).map(|key| (key, 3)).collect::<Vec<_>>(), "parallelism {parallelism} of {max_parallelism}");
    }
}

#[test]
fn aggregates_of_floats_and_of_not_comparable_values_do_not_panic() {
    let values = || env(1).from_elements([(0u8, 2.0f64), (0, f64::NAN), (0, 1.0)]).key_by(|(key, _)| *key);
    let texts = |stream: DataStream<(u8, f64)>| collect(&stream).into_iter().map(|(_, n)| n.to_string()).collect::<Vec<_>>();
    assert_eq!(texts(values().min(|(_, n)| n)), ["2", "2", "1"]);
    assert_eq!(texts(values().max_by(|(_, n)| *n)), ["2", "2", "2"]);
    assert_eq!(texts(values().sum(|(_, n)| n)), ["2", "NaN", "NaN"]);
}
