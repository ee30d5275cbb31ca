//! A task's part in latency markers.

use super::{Phase, Task};
use crate::{chain::Running, element::LatencyMarker};
use std::time::Duration;

impl Task {
    /// When a source wants to be woken for its next marker.
    pub(super) fn next_marker(&self) -> Option<Duration> {
        self.markers.as_ref().filter(|_| self.phase == Phase::Reading).and_then(|markers| markers.next())
    }

    /// Sends a marker if it is time: called by sources that may emit.
    pub(super) fn send_marker(&mut self) {
        let Some(markers) = &mut self.markers else { return };
        if markers.take(self.env.clock.monotonic()) {
            let (source, subtask) = (self.chain.nodes[0].info.id, self.attempt.subtask.index);
            self.note_marker(LatencyMarker { source, subtask, marked_at: self.env.clock.wall() });
        }
    }

    /// A marker has come: every operator notes how long that took, and it goes on.
    pub(super) fn note_marker(&mut self, marker: LatencyMarker) {
        // One that comes behind the end of input has been overtaken by it: there is nothing left that could be late.
        let Some(markers) = self.markers.as_ref().filter(|_| self.phase == Phase::Reading && !self.had_finished()) else { return };
        let now = self.env.clock.wall();
        for node in self.chain.nodes.iter().filter(|node| matches!(node.running, Running::Operator(_))) {
            self.metrics.latencies.note(&markers.settings, marker, node.info.id, now);
        }
        self.chain.edges.iter_mut().for_each(|edge| edge.mark(marker));
    }
}
