//! A network between tasks: takes elements from the channels of a receiver, and hands them on a little later, in order.

use crate::{
    plant::Plant,
    sim::{Sim, Term, hold},
};
use flott_core::{
    id::{AttemptId, SubtaskId},
    operator::WatermarkStatus,
};
use flott_runtime::{
    StreamElement,
    gate::{ChannelSender, GateEvent, InputGate},
};
use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

/// What was on its way when an attempt ended, by receiver and channel. Only a plant lets it arrive.
pub(crate) type Leftovers = Arc<Mutex<BTreeMap<(Term, SubtaskId), Vec<VecDeque<StreamElement>>>>>;

/// What is known of a channel from what has passed.
#[derive(Debug, Clone, Copy)]
struct Watch {
    watermark: i64,
    /// Whether it has ever been idle: the receiver may have seen it so beside newer words of other channels.
    idle: bool,
    barrier: Option<u64>,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// The sender has closed it; what is on its way still arrives.
    Closing,
    Gone,
}

struct Channel {
    sender: Option<ChannelSender>,
    pending: VecDeque<StreamElement>,
    end: End,
    watch: Watch,
}

/// Carries the elements of all channels of one receiver.
pub(crate) struct Relay {
    sim: Arc<Sim>,
    term: Term,
    receiver: AttemptId,
    from: InputGate,
    channels: Vec<Channel>,
    /// How many elements a channel carries at once.
    room: usize,
    /// The largest watermark that the channels together allow.
    allowed: i64,
    leftovers: Leftovers,
}

impl Relay {
    pub(crate) fn new(
        sim: Arc<Sim>,
        term: Term,
        receiver: AttemptId,
        from: InputGate,
        to: Vec<ChannelSender>,
        leftovers: Leftovers,
    ) -> Self {
        let left = hold(&leftovers).remove(&(term, receiver.subtask)).unwrap_or_default();
        let mut left = left.into_iter();
        let channels = to.into_iter().map(|sender| Channel {
            sender: Some(sender),
            pending: left.next().unwrap_or_default(),
            end: End::Open,
            watch: Watch { watermark: i64::MIN, idle: false, barrier: None, ended: false },
        });
        let room = sim.random().between(1, 3) as usize;
        hold(&sim.watermarks).insert((term, receiver), i64::MIN);
        Relay { channels: channels.collect(), sim, term, receiver, from, room, allowed: i64::MIN, leftovers }
    }

    /// Runs until all channels have ended or the receiver is gone.
    pub(crate) async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            for channel in &mut self.channels {
                let Some(sender) = &channel.sender else { continue };
                if !channel.pending.is_empty() && sender.send_from(&mut channel.pending, Some(cx.waker())).is_err() {
                    return Poll::Ready(());
                }
                if channel.end == End::Closing && channel.pending.is_empty() {
                    channel.end = End::Gone;
                    if let Some(sender) = channel.sender.take() {
                        sender.close();
                    }
                }
            }
            if self.channels.iter().all(|channel| channel.sender.is_none()) {
                return Poll::Ready(());
            }
            let blocked: Vec<bool> = self.channels.iter().map(|channel| channel.pending.len() >= self.room).collect();
            match self.from.poll_next(cx, &blocked) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(GateEvent::Element(index, element)) => self.take(index, element),
                Poll::Ready(GateEvent::Closed(index)) => {
                    self.channels[index].end = End::Closing;
                    self.channels[index].watch.idle = true;
                    self.merge();
                }
                Poll::Ready(GateEvent::Broken(index)) => {
                    let channel = &mut self.channels[index];
                    (channel.end, channel.sender) = (End::Gone, None);
                }
            }
            if self.sim.random().percent(30) {
                // Somebody else first.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn take(&mut self, index: usize, element: StreamElement) {
        let sim = self.sim.clone();
        let wrong = |what: String| sim.violation(format!("channel {index} of {}: {what}", self.receiver));
        let channel = &mut self.channels[index];
        match &element {
            StreamElement::Batch(_) | StreamElement::Encoded(_) if channel.watch.ended => {
                wrong("records behind the end of input".to_owned())
            }
            StreamElement::Batch(_) | StreamElement::Encoded(_) => {}
            StreamElement::Watermark(watermark) => {
                if *watermark <= channel.watch.watermark {
                    wrong(format!("watermark {watermark} follows {}", channel.watch.watermark));
                }
                channel.watch.watermark = *watermark;
            }
            StreamElement::Status(status) => channel.watch.idle |= *status == WatermarkStatus::Idle,
            StreamElement::Barrier(barrier) => {
                if channel.watch.barrier.is_some_and(|last| last >= barrier.checkpoint.0) {
                    wrong(format!("barrier {} follows {:?}", barrier.checkpoint, channel.watch.barrier));
                }
                channel.watch.barrier = Some(barrier.checkpoint.0);
                if channel.watch.ended && sim.planted(Plant::BarrierLostBehindEnd) {
                    return;
                }
                if sim.planted(Plant::BarrierOvertakes) {
                    channel.pending.push_front(element);
                    return;
                }
            }
            StreamElement::EndOfInput => channel.watch.ended = true,
            StreamElement::LatencyMarker(_) if channel.watch.ended => wrong("a latency marker behind the end of input".to_owned()),
            StreamElement::LatencyMarker(_) => {}
        }
        let watermark = if let StreamElement::Watermark(watermark) = element { Some(watermark) } else { None };
        channel.pending.push_back(element);
        self.merge();
        if let Some(watermark) = watermark.filter(|_| sim.planted(Plant::WatermarkMax)) {
            for (other, channel) in self.channels.iter_mut().enumerate() {
                if other != index && channel.sender.is_some() && channel.end == End::Open {
                    channel.pending.push_back(StreamElement::Watermark(watermark));
                }
            }
        }
    }

    /// The receiver's watermark is never larger than the smallest of those channels that were never idle.
    fn merge(&mut self) {
        let steady = self.channels.iter().map(|channel| channel.watch).filter(|watch| !watch.idle);
        self.allowed = steady.map(|watch| watch.watermark).min().unwrap_or(i64::MAX).max(self.allowed);
        hold(&self.sim.watermarks).insert((self.term, self.receiver), self.allowed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if self.sim.planted(Plant::OldDataArrives) {
            let open = vec![false; self.channels.len()];
            while let Poll::Ready(event) = self.from.poll_next(&mut Context::from_waker(Waker::noop()), &open) {
                if let GateEvent::Element(index, element) = event {
                    self.channels[index].pending.push_back(element);
                }
            }
            let batches = |channel: &mut Channel| channel.pending.drain(..).filter(|element| element.is_batch()).collect();
            let left = self.channels.iter_mut().map(batches).collect();
            hold(&self.leftovers).insert((self.term, self.receiver.subtask), left);
        }
    }
}
