//! Counts stacks that are the same.

use flott_rpc::observe::{Stack, StackSamples};
use std::collections::BTreeMap;

/// Stacks and how often they were found.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    counts: BTreeMap<(u32, bool, Vec<String>), u32>,
}

impl Folded {
    /// A thread was found with these frames, outermost first.
    pub(crate) fn add(&mut self, thread: u32, on_cpu: bool, frames: Vec<String>) {
        *self.counts.entry((thread, on_cpu, frames)).or_default() += 1;
    }

    /// All of it, each name once.
    pub(crate) fn finish(self, message: Option<String>) -> StackSamples {
        let mut samples = StackSamples { message, ..StackSamples::default() };
        let mut places: BTreeMap<String, u32> = BTreeMap::new();
        for ((thread, on_cpu, names), count) in self.counts {
            let frames = names.into_iter().map(|name| {
                let next = places.len() as u32;
                *places.entry(name).or_insert(next)
            });
            samples.stacks.push(Stack { thread, on_cpu, frames: frames.collect(), count });
        }
        let mut frames: Vec<(u32, String)> = places.into_iter().map(|(name, place)| (place, name)).collect();
        frames.sort_unstable();
        samples.frames = frames.into_iter().map(|(_, name)| name).collect();
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_are_counted_and_names_are_there_once() {
        let mut folded = Folded::default();
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        (0..3).for_each(|_| folded.add(7, true, names("main run work")));
        folded.add(7, false, names("main run wait"));
        let samples = folded.finish(None);
        let mut frames = samples.frames.clone();
        frames.sort_unstable();
        assert_eq!(frames, ["main", "run", "wait", "work"]);
        let shown: Vec<(bool, u32, Vec<&str>)> = samples
            .stacks
            .iter()
            .map(|stack| (stack.on_cpu, stack.count, stack.frames.iter().map(|place| samples.frames[*place as usize].as_str()).collect()))
            .collect();
        assert_eq!(shown, [(false, 1, vec!["main", "run", "wait"]), (true, 3, vec!["main", "run", "work"])]);
    }
}
