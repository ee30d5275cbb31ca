//! `timely-word-count --input FILE -w N`: counts words as a timely dataflow of N workers. Each worker reads its share of the
//! file, by lines; words go to the worker that their hash says; every word's new count is sent on and discarded.

mod share;

use std::error::Error;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::path::PathBuf;

use hashbrown::{DefaultHashBuilder, HashMap};
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::{Input, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle};
use timely::worker::Worker;

use crate::share::Share;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Lines read between two steps of a worker.
const LINES_A_STEP: u64 = 512;
/// Steps that a reader may be ahead of the slowest worker: what bounds the words in memory.
const STEPS_AHEAD: u64 = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let (input, workers) = arguments()?;
    let hash = DefaultHashBuilder::default();
    let guards = timely::execute(timely::Config::process(workers), move |worker| {
        let share = Share::open(&input, worker.index() as u64, worker.peers() as u64);
        share.and_then(|share| count(worker, share, hash.clone())).map_err(|error| format!("cannot read `{}`: {error}", input.display()))
    })?;
    let mut words = 0;
    for result in guards.join() {
        words += result??;
    }
    eprintln!("{{\"words\":{words}}}");
    Ok(())
}

fn arguments() -> Result<(PathBuf, usize), Box<dyn Error>> {
    let (mut input, mut workers) = (None, 1);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next();
        match (name.to_str(), value) {
            (Some("--input"), Some(value)) => input = Some(PathBuf::from(value)),
            (Some("-w"), Some(value)) => workers = value.to_str().ok_or("-w needs a number")?.parse()?,
            _ => return Err(format!("unknown argument `{}`; use --input FILE -w N", name.display()).into()),
        }
    }
    Ok((input.ok_or("--input FILE is missing")?, workers))
}

/// Runs one worker; gives the number of words that it read.
fn count(worker: &mut Worker, mut share: Share, hash: DefaultHashBuilder) -> std::io::Result<u64> {
    let mut input = InputHandleVec::<u64, String>::new();
    let probe = ProbeHandle::new();
    worker.dataflow(|scope| {
        let by_hash = Exchange::new(move |word: &String| hash.hash_one(word));
        scope
            .input_from(&mut input)
            .unary(by_hash, "count", |_, _| {
                let mut counts: HashMap<String, u64> = HashMap::new();
                move |input, output| {
                    input.for_each_stamp(|time, batches| {
                        let mut session = output.session(&time);
                        for word in batches.flat_map(|batch| batch.drain(..)) {
                            let count = counts.entry_ref(word.as_str()).or_insert(0);
                            *count += 1;
                            session.give((word, *count));
                        }
                    });
                }
            })
            .unary::<timely::container::CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, "discard", |_, _| {
                move |input, _| {
                    input.for_each_stamp(|_, batches| {
                        for result in batches.flat_map(|batch: &mut Vec<(String, u64)>| batch.drain(..)) {
                            black_box(result);
                        }
                    });
                }
            })
            .probe_with(&probe);
    });
    let (mut line, mut buffer, mut words, mut lines) = (Vec::new(), Vec::new(), 0, 0);
    while share.next_line(&mut line)? {
        words::for_each_word(&line, &mut buffer, |word| {
            input.send(word.to_owned());
            words += 1;
        });
        lines += 1;
        if lines % LINES_A_STEP == 0 {
            let step = lines / LINES_A_STEP;
            input.advance_to(step);
            worker.step();
            while probe.less_than(&step.saturating_sub(STEPS_AHEAD)) {
                worker.step_or_park(None);
            }
        }
    }
    Ok(words)
}
