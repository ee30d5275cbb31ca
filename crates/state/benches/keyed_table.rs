//! `cargo bench -p flott-state [-- words|keys [millions of keys]]`: word count on 50 000 words, and updates and snapshots of a table of 10 million keys.

use compact_str::CompactString;
use flott_core::{
    key_group::{KeyGroup, KeyGroupRange},
    key_hash::key_hash,
    operator::{SnapshotProgress, SnapshotWriter},
    snapshot::{KeyedStateMeta, ListStateSnapshot, StateKind},
};
use flott_state::{KeyedStore, KeyedTable};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MAX_PARALLELISM: u32 = 128;
const BATCH: usize = 1024;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

#[derive(Default)]
struct Discard {
    bytes: usize,
    blocks: usize,
}

impl SnapshotWriter for Discard {
    fn list(&mut self, _: ListStateSnapshot) {}
    fn keyed_state(&mut self, _: KeyedStateMeta) {}
    fn keyed_block(&mut self, _: u16, _: KeyGroup, entries: Vec<u8>) {
        self.bytes += entries.len();
        self.blocks += 1;
    }
}

fn table<K: flott_core::Key, V: flott_core::Data>() -> KeyedTable<K, V> {
    KeyedTable::new("counts", StateKind::Reducing, MAX_PARALLELISM, KeyGroupRange { start: 0, end: MAX_PARALLELISM })
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// A hash that is quick to compute. It must scatter consecutive numbers like chance does: one that spreads them evenly fills all
/// key groups in step, and then all of their indexes grow in the same batch.
fn spread(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn longest_of(batches: &mut [Duration]) -> String {
    batches.sort();
    let at = |share: f64| batches[((batches.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    format!("median {:.2} ms, 99.9 % {:.2} ms, longest {:.2} ms", at(0.5), at(0.999), at(1.0))
}

fn words() {
    const WORDS: usize = 50_000;
    const RECORDS: usize = 1 << 20;
    const ROUNDS: usize = 60;
    let mut random = Random(7);
    let words: Vec<CompactString> = (0..WORDS)
        .map(|number| {
            let letters = 3 + ((number + 1).ilog2() as usize).min(14) / 2 + (random.next() % 4) as usize;
            let mut word: String = (0..letters).map(|_| char::from(b'a' + (random.next() % 26) as u8)).collect();
            word.push_str(&number.to_string());
            CompactString::from(&word[..word.len().min(if number % 50 == 0 { 30 } else { 16 })])
        })
        .collect();
    let mut weights: Vec<f64> = (1..=WORDS).map(|rank| 1.0 / rank as f64).collect();
    (1..WORDS).for_each(|rank| weights[rank] += weights[rank - 1]);
    let total = weights[WORDS - 1];
    let records: Vec<(u64, CompactString)> = (0..RECORDS)
        .map(|_| {
            let point = (random.next() >> 11) as f64 / (1u64 << 53) as f64 * total;
            let word = &words[weights.partition_point(|weight| *weight < point).min(WORDS - 1)];
            (spread(key_hash(word)), word.clone())
        })
        .collect();
    let mut counts = table::<CompactString, (CompactString, u64)>();
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for (hash, word) in &records {
            let value = counts.get_or_insert_with(*hash, |key| key == word, || (word.clone(), (word.clone(), 0)));
            value.1 += 1;
        }
        best = best.min(start.elapsed());
    }
    let sum: u64 = counts.iter().map(|(_, (_, count))| *count).sum();
    assert_eq!(sum, (ROUNDS * RECORDS) as u64);
    println!("words: {} distinct, get_or_insert and add: {:.1} ns a record", counts.len(), best.as_nanos() as f64 / RECORDS as f64);

    let groups = KeyGroupRange { start: 0, end: MAX_PARALLELISM };
    let store = KeyedStore::<CompactString>::new(MAX_PARALLELISM, groups, None).expect("nothing to restore");
    let count = store.value_state::<u64>("count").expect("the first of this name");
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for (hash, word) in &records {
            store.set_current_key(*hash, word);
            count.update_with(|| 0, |count| *count += 1);
        }
        best = best.min(start.elapsed());
    }
    println!("words: {} distinct, ValueState::update_with: {:.1} ns a record", store.len(), best.as_nanos() as f64 / RECORDS as f64);

    let mut plain = hashbrown::HashTable::<(CompactString, (CompactString, u64))>::new();
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for (hash, word) in &records {
            let entry = plain.entry(*hash, |(key, _)| key == word, |(key, _)| spread(key_hash(key)));
            entry.or_insert_with(|| (word.clone(), (word.clone(), 0))).get_mut().1.1 += 1;
        }
        best = best.min(start.elapsed());
    }
    println!(
        "words: for comparison, one hash table without groups and snapshots: {:.1} ns a record",
        best.as_nanos() as f64 / RECORDS as f64
    );
}

fn keys(millions: u64) {
    let keys = millions * 1_000_000;
    let key_of = |number: u64| (spread(number), [number, !number]);
    let before = resident_bytes();
    let mut counts = table::<[u64; 2], [u64; 2]>();
    let (mut start, mut batches) = (Instant::now(), Vec::new());
    let begin = start;
    for number in 0..keys {
        let (hash, key) = key_of(number);
        counts.get_or_insert_with(hash, |other| *other == key, || (key, [0, number]))[0] += 1;
        if number % BATCH as u64 == 0 {
            batches.push(start.elapsed());
            start = Instant::now();
        }
    }
    println!(
        "keys: {} inserted in {:.1} s, batches of {BATCH}: {}, {:.1} bytes resident a key ({:.1} by own count)",
        counts.len(),
        begin.elapsed().as_secs_f64(),
        longest_of(&mut batches),
        (resident_bytes() - before) as f64 / keys as f64,
        counts.heap_bytes() as f64 / keys as f64
    );

    let mut random = Random(11);
    let mut batch = |counts: &mut KeyedTable<[u64; 2], [u64; 2]>| {
        let records: Vec<(u64, [u64; 2])> = (0..BATCH).map(|_| key_of((random.next() >> 8) % keys)).collect();
        let start = Instant::now();
        for (hash, key) in &records {
            counts.get_or_insert_with(*hash, |other| other == key, || (*key, [0, 0]))[0] += 1;
        }
        start.elapsed()
    };
    for _ in 0..3 {
        let took: Duration = (0..2000).map(|_| batch(&mut counts)).sum();
        println!("keys: random update {:.1} ns a record", took.as_nanos() as f64 / (2000 * BATCH) as f64);
    }

    for _ in 0..3 {
        let mut writer = Discard::default();
        let start = Instant::now();
        counts.snapshot_begin(0, &mut writer);
        let sync = start.elapsed();
        let mut batches = Vec::new();
        let (mut steps, mut longest_step) = (Duration::ZERO, Duration::ZERO);
        loop {
            batches.push(batch(&mut counts));
            let step = Instant::now();
            let progress = counts.snapshot_step(&mut 4096, &mut writer).expect("numbers can be written");
            steps += step.elapsed();
            longest_step = longest_step.max(step.elapsed());
            if progress == SnapshotProgress::Done {
                break;
            }
        }
        println!(
            "keys: snapshot: begin {:.1} us, first batch {:.2} ms, {}, longest step {:.2} ms, \
             total {:.2} s ({:.2} s in {} steps), {} MB in {} blocks",
            sync.as_secs_f64() * 1e6,
            batches[0].as_secs_f64() * 1e3,
            longest_of(&mut batches),
            longest_step.as_secs_f64() * 1e3,
            start.elapsed().as_secs_f64(),
            steps.as_secs_f64(),
            batches.len(),
            writer.bytes / 1_000_000,
            writer.blocks
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = arguments.first().map_or("", String::as_str);
    if wanted != "keys" {
        words();
    }
    if wanted != "words" {
        keys(arguments.get(1).and_then(|millions| millions.parse().ok()).unwrap_or(10));
    }
}
