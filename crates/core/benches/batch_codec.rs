//! `cargo bench -p flott-core`: what it costs to encode and to decode a batch for another process, ns a record.

use compact_str::CompactString;
use flott_core::{
    batch::{AnyBatch, BATCH_RECORDS, Batch, Timestamps},
    data::Data,
    exchange::{BatchCodec, TypedBatchCodec},
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Batches that are gone through in turn: more than the second-level cache holds, as between threads.
const BATCHES: usize = 64;
const TIME: Duration = Duration::from_secs(2);

/// A number from an index, of any size.
fn mixed(index: usize) -> u64 {
    (index as u64 ^ 0x5851_f42d).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Words of 1 to 10 letters, as in English, most of them short.
fn word(index: usize) -> String {
    let mixed = mixed(index);
    let letters = 1 + (mixed % 5 + (mixed >> 8) % 6) as usize;
    (0..letters).map(|at| char::from(b'a' + ((mixed >> (16 + 3 * at)) % 26) as u8)).collect()
}

fn measure<T: Data>(what: &str, timestamps: bool, record: impl Fn(usize) -> T) {
    let batches: Vec<AnyBatch> = (0..BATCHES)
        .map(|batch| {
            let indices = || (0..BATCH_RECORDS).map(|at| batch * BATCH_RECORDS + at);
            AnyBatch::new(Batch {
                values: indices().map(&record).collect(),
                timestamps: if timestamps {
                    Timestamps::Each(indices().map(|index| 1_700_000_000_000 + index as i64).collect())
                } else {
                    Timestamps::None
                },
                hashes: indices().map(mixed).collect(),
            })
        })
        .collect();
    let codec = TypedBatchCodec::<T>::default();
    let mut encoded = vec![Vec::new(); BATCHES];
    let per_record = |rounds: u32, time: Duration| time.as_secs_f64() * 1e9 / f64::from(rounds) / (BATCHES * BATCH_RECORDS) as f64;
    let (begin, mut rounds) = (Instant::now(), 0);
    while begin.elapsed() < TIME {
        for (batch, buffer) in batches.iter().zip(&mut encoded) {
            buffer.clear();
            codec.encode(black_box(batch), buffer).expect("every record can be encoded");
        }
        rounds += 1;
    }
    let encode = per_record(rounds, begin.elapsed());
    let (begin, mut rounds) = (Instant::now(), 0);
    while begin.elapsed() < TIME {
        for bytes in &encoded {
            black_box(codec.decode(black_box(bytes)).expect("it was encoded"));
        }
        rounds += 1;
    }
    let decode = per_record(rounds, begin.elapsed());
    let bytes = encoded.iter().map(Vec::len).sum::<usize>() as f64 / (BATCHES * BATCH_RECORDS) as f64;
    println!("{what:48} {bytes:5.1} bytes  encode {encode:5.1} ns  decode {decode:5.1} ns");
}

fn main() {
    measure("words and counts, inline strings", false, |index| (CompactString::from(word(index)), 1u64));
    measure("words and counts, strings", false, |index| (word(index), 1u64));
    measure("identifiers and amounts, timestamps", true, |index| {
        (mixed(index), index as u32, mixed(index) as i64 % 100_000, index.is_multiple_of(3))
    });
    measure("events: text of 40 bytes, an identifier, an option", true, |index| {
        (format!("{:040}", mixed(index)), mixed(index + 1), index.is_multiple_of(4).then(|| word(index)))
    });
}
