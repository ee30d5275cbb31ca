//! The outputs of a task: partitioners, channels, and what waits for room in them.

use crate::{
    element::{LatencyMarker, StreamElement},
    gate::{ChannelSender, ReceiverGone},
};
use flott_core::{
    AnyBatch, BoxError,
    exchange::{ChannelOutput, Partitioner},
    metrics::Counter,
};
use std::{collections::VecDeque, task::Waker};

/// One channel and what could not be sent on it yet.
struct OutputChannel {
    sender: ChannelSender,
    pending: VecDeque<StreamElement>,
    /// Something was sent since the last [`OutputEdge::write_out`].
    gathered: bool,
    /// A barrier is among what was not sent: a checkpoint waits for it.
    urgent: bool,
}

/// An edge to another vertex, as seen by one sending subtask.
pub(crate) struct OutputEdge {
    partitioner: Box<dyn Partitioner>,
    channels: Channels,
}

struct Channels {
    all: Vec<OutputChannel>,
    /// Of this edge.
    records_out: Counter,
    /// Of the task.
    bytes_out: Counter,
    /// The channel that the next latency marker takes.
    next_marked: usize,
}

impl ChannelOutput for Channels {
    fn push(&mut self, channel: usize, batch: AnyBatch) {
        self.records_out.add(batch.len() as u64);
        let bytes = batch.estimated_bytes();
        self.bytes_out.add(bytes as u64);
        let channel = &mut self.all[channel];
        channel.pending.push_back(channel.sender.carried(batch, bytes));
    }

    fn leaves_process(&self, channel: usize) -> bool {
        self.all[channel].sender.leaves_process()
    }
}

impl OutputEdge {
    pub(crate) fn new(partitioner: Box<dyn Partitioner>, senders: Vec<ChannelSender>, records_out: Counter, bytes_out: Counter) -> Self {
        let all =
            senders.into_iter().map(|sender| OutputChannel { sender, pending: VecDeque::new(), gathered: false, urgent: false }).collect();
        OutputEdge { partitioner, channels: Channels { all, records_out, bytes_out, next_marked: 0 } }
    }

    /// Spreads a batch. Nothing is sent before [`OutputEdge::send`].
    pub(crate) fn partition(&mut self, batch: AnyBatch) -> Result<(), BoxError> {
        self.partitioner.partition(batch, &mut self.channels)
    }

    /// Lets go of part-full batches.
    pub(crate) fn flush(&mut self) {
        self.partitioner.flush(&mut self.channels);
    }

    /// Queues a control element on every channel, behind all records.
    pub(crate) fn control(&mut self, element: &StreamElement) {
        self.flush();
        for channel in &mut self.channels.all {
            channel.pending.push_back(element.clone());
            channel.urgent |= matches!(element, StreamElement::Barrier(_));
        }
    }

    /// Queues a latency marker on one channel, each in its turn, behind all records.
    pub(crate) fn mark(&mut self, marker: LatencyMarker) {
        self.flush();
        let place = self.channels.next_marked;
        if let Some(channel) = self.channels.all.get_mut(place) {
            channel.pending.push_back(StreamElement::LatencyMarker(marker));
            self.channels.next_marked = (place + 1) % self.channels.all.len();
        }
    }

    /// Sends what there is room for. Returns whether everything was sent; if not, `waker` is woken when there is room.
    pub(crate) fn send(&mut self, waker: Option<&Waker>) -> Result<bool, ReceiverGone> {
        let mut all_sent = true;
        for channel in &mut self.channels.all {
            if !channel.pending.is_empty() {
                let sent = channel.sender.send_from(&mut channel.pending, waker)?;
                let urgent = sent && std::mem::take(&mut channel.urgent);
                if urgent {
                    channel.sender.flush();
                }
                channel.gathered = !urgent;
                all_sent &= sent;
            }
        }
        Ok(all_sent)
    }

    /// Lets go of what was sent and is gathered on its way to other processes.
    pub(crate) fn write_out(&mut self) {
        for channel in &mut self.channels.all {
            if std::mem::take(&mut channel.gathered) {
                channel.sender.flush();
            }
        }
    }

    /// Drops what was not sent.
    pub(crate) fn drop_pending(&mut self) {
        self.channels.all.iter_mut().for_each(|channel| channel.pending.clear());
    }

    /// Whether everything was sent.
    pub(crate) fn is_clear(&self) -> bool {
        self.channels.all.iter().all(|channel| channel.pending.is_empty())
    }

    /// Ends all channels in good order.
    pub(crate) fn close(self) {
        self.channels.all.into_iter().for_each(|channel| channel.sender.close());
    }
}
