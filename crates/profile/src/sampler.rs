//! Takes samples, then finds out what they mean.

use crate::{
    fold::Folded,
    maps,
    stop::{NoCopy, copy},
    symbols::Symbols,
    unwind::Frames,
};
use flott_rpc::observe::{SampleRequest, StackSamples};
use std::{
    collections::HashSet,
    thread,
    time::{Duration, Instant},
};

/// The least time between two looks: a program must get on.
const LEAST_INTERVAL: Duration = Duration::from_millis(1);
/// What stands for the stack of a thread that waits for a device.
const UNINTERRUPTIBLE: &str = "(waits for a device and cannot be stopped)";

/// A sample without names.
struct Sample {
    thread: u32,
    on_cpu: bool,
    addresses: Option<Vec<u64>>,
}

/// Takes the samples that are asked for of `process`, a child of this one. Blocks until they are taken, and is to be called on a thread
/// that ends soon after: the system then lets go of whatever is still held.
pub fn sample(process: u32, request: &SampleRequest) -> StackSamples {
    let none = |message: String| StackSamples { message: Some(message), ..StackSamples::default() };
    let mappings = match maps::read(process) {
        Ok(mappings) => mappings,
        Err(error) => return none(format!("the memory of process {process} cannot be looked at: {error}")),
    };
    let mut frames = Frames::new(process, &mappings);
    let interval = Duration::from_millis(request.interval_ms.into()).max(LEAST_INTERVAL);
    let mut threads: HashSet<u32> = request.threads.iter().copied().filter(|thread| *thread != process).collect();
    let mut samples = Vec::new();
    let mut message = None;
    let mut next = Instant::now();
    for _ in 0..request.samples {
        if threads.is_empty() {
            break;
        }
        thread::sleep(next.saturating_duration_since(Instant::now()));
        next = Instant::now() + interval;
        threads.retain(|thread| match copy(process, *thread, &mappings) {
            Ok(copied) => {
                let addresses = frames.of(&copied, request.depth as usize);
                samples.push(Sample { thread: *thread, on_cpu: copied.on_cpu, addresses: Some(addresses) });
                true
            }
            Err(NoCopy::Uninterruptible) => {
                samples.push(Sample { thread: *thread, on_cpu: false, addresses: None });
                true
            }
            Err(NoCopy::Gone) => false,
            Err(NoCopy::Denied(why)) => {
                message = Some(why);
                false
            }
        });
    }
    let mut symbols = Symbols::new(frames.images());
    let mut folded = Folded::default();
    for sample in samples {
        let names = sample
            .addresses
            .map_or_else(|| vec![UNINTERRUPTIBLE.to_owned()], |addresses| symbols.stack(&addresses, request.depth as usize));
        folded.add(sample.thread, sample.on_cpu, names);
    }
    folded.finish(message)
}
