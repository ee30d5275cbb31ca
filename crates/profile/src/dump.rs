//! Where threads of a process are at one moment, for people.

use crate::{
    maps,
    stop::{NoCopy, copy},
    symbols::Symbols,
    unwind::Frames,
};
use flott_rpc::observe::ThreadStack;

/// Frames of a stack that are kept, from the innermost on.
const DEPTH: usize = 512;

/// The stacks of `threads` of `process`, one look at each; where there is none, why. The process must be a child of this one, or let
/// this one look into it. Blocks meanwhile, and is to be called on a thread that ends soon after: the system then lets go of whatever
/// is still held.
pub fn stacks(process: u32, threads: &[u32]) -> Vec<ThreadStack> {
    let none = |thread: u32, why: String| ThreadStack { thread, frames: Vec::new(), missing: Some(why) };
    let mappings = match maps::read(process) {
        Ok(mappings) => mappings,
        Err(error) => {
            let why = format!("the memory of process {process} cannot be looked at: {error}");
            return threads.iter().map(|thread| none(*thread, why.clone())).collect();
        }
    };
    let is_child = maps::parent_of(process) == Some(std::process::id());
    let mut frames = Frames::new(process, &mappings);
    let looked_at: Vec<(u32, Result<Vec<u64>, String>)> = threads
        .iter()
        .map(|thread| {
            if *thread == process && is_child {
                return (*thread, Err("the first thread of a child is not stopped: it would seem to have ended".to_owned()));
            }
            let addresses = copy(process, *thread, &mappings).map(|copied| frames.of(&copied, DEPTH));
            (*thread, addresses.map_err(told))
        })
        .collect();
    let mut symbols = Symbols::new(frames.images());
    let named = looked_at.into_iter().map(|(thread, addresses)| match addresses {
        Err(why) => none(thread, why),
        Ok(addresses) => {
            let functions = symbols.functions(&addresses, DEPTH).into_iter();
            let frames = functions.map(|function| match function.place {
                Some(place) => format!("{} ({place})", function.name),
                None => function.name,
            });
            ThreadStack { thread, frames: frames.collect(), missing: None }
        }
    });
    named.collect()
}

fn told(why: NoCopy) -> String {
    match why {
        NoCopy::Gone => "the thread has ended".to_owned(),
        NoCopy::Uninterruptible => "it waits for a device and cannot be stopped".to_owned(),
        NoCopy::Denied(why) => why,
    }
}
