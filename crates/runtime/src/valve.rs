//! Merges the watermarks of channels: the smallest counts, idle channels step aside.

use flott_core::{
    Timestamp,
    operator::WatermarkStatus,
    time::{MAX_WATERMARK, MIN_WATERMARK},
};

#[derive(Debug, Clone, Copy)]
struct Channel {
    watermark: Timestamp,
    idle: bool,
}

/// What follows from a channel's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ValveOutput {
    /// A watermark that is larger than all before.
    pub watermark: Option<Timestamp>,
    /// A change of the whole's status.
    pub status: Option<WatermarkStatus>,
}

/// Merges the watermarks of a task's channels, or of a reader's splits.
#[derive(Debug)]
pub struct WatermarkValve {
    channels: Vec<Channel>,
    last: Timestamp,
    status: WatermarkStatus,
}

impl WatermarkValve {
    /// For `channels` channels, all active and without a watermark.
    pub fn new(channels: usize) -> Self {
        let start = Channel { watermark: MIN_WATERMARK, idle: false };
        WatermarkValve { channels: vec![start; channels], last: MIN_WATERMARK, status: WatermarkStatus::Active }
    }

    /// The merged watermark.
    pub fn current(&self) -> Timestamp {
        self.last
    }

    /// A channel has reached `watermark`. One that goes back is ignored; an idle channel becomes active by it.
    pub fn watermark(&mut self, channel: usize, watermark: Timestamp) -> ValveOutput {
        let channel = &mut self.channels[channel];
        channel.watermark = channel.watermark.max(watermark);
        channel.idle = false;
        self.merge()
    }

    /// A channel became idle or active.
    pub fn status(&mut self, channel: usize, status: WatermarkStatus) -> ValveOutput {
        self.channels[channel].idle = status == WatermarkStatus::Idle;
        self.merge()
    }

    /// A channel has ended: it holds nothing back any more.
    pub fn ended(&mut self, channel: usize) -> ValveOutput {
        // Idle, not MAX: a channel that ends by stop with savepoint has not reached the end of time.
        self.status(channel, WatermarkStatus::Idle)
    }

    fn merge(&mut self) -> ValveOutput {
        let active = self.channels.iter().filter(|channel| !channel.idle).map(|channel| channel.watermark).min();
        // When all are idle, what they had reached is what there is: the largest, or a later one would be held back forever.
        let merged = active.or_else(|| self.channels.iter().map(|channel| channel.watermark).max()).unwrap_or(MAX_WATERMARK);
        let status = if active.is_some() { WatermarkStatus::Active } else { WatermarkStatus::Idle };
        let mut output = ValveOutput::default();
        if merged > self.last {
            self.last = merged;
            output.watermark = Some(merged);
        }
        if status != self.status {
            self.status = status;
            output.status = Some(status);
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use WatermarkStatus::{Active, Idle};

    #[test]
    fn the_slowest_active_channel_decides() {
        let mut valve = WatermarkValve::new(2);
        assert_eq!(valve.watermark(0, 10).watermark, None);
        assert_eq!(valve.watermark(1, 5).watermark, Some(5));
        assert_eq!(valve.status(1, Idle).watermark, Some(10));
        assert_eq!(valve.watermark(0, 20).watermark, Some(20));
        // The idle one wakes up behind the others: nothing goes back.
        assert_eq!(valve.status(1, Active), ValveOutput::default());
        assert_eq!(valve.watermark(1, 15), ValveOutput::default());
        assert_eq!(valve.watermark(1, 25), ValveOutput::default());
        assert_eq!(valve.watermark(0, 30).watermark, Some(25));
    }

    #[test]
    fn all_idle_flushes_the_largest_watermark_and_says_so_once() {
        let mut valve = WatermarkValve::new(2);
        valve.watermark(0, 10);
        assert_eq!(valve.status(0, Idle), ValveOutput::default());
        assert_eq!(valve.status(1, Idle), ValveOutput { watermark: Some(10), status: Some(Idle) });
        assert_eq!(valve.status(1, Idle), ValveOutput::default());
        assert_eq!(valve.watermark(1, 12), ValveOutput { watermark: Some(12), status: Some(Active) });
    }

    #[test]
    fn extreme_watermarks_pass() {
        let mut valve = WatermarkValve::new(1);
        assert_eq!(valve.watermark(0, MIN_WATERMARK), ValveOutput::default());
        assert_eq!(valve.watermark(0, MAX_WATERMARK).watermark, Some(MAX_WATERMARK));
    }
}
