//! Exchanges inside a process: one gate for each receiving task, one channel in it for each sending subtask.
//!
//! A channel holds a bounded number of batches. A sender that finds it full waits until half of them are gone, so that the
//! two sides do not wake each other for every batch. An element leaves its queue only when the receiver has it.
//!
//! What brings elements from another process pushes them without waiting ([`ChannelSender::push`]): it has promised the other
//! side no more room than there is, and a [`ChannelListener`] tells it of more. What takes elements to another process is the
//! receiver of a gate with one channel ([`InputGate::poll_admitted`]).

use crate::element::{EARLY_BYTES, EncodedBatch, StreamElement, with_room};
use flott_core::{AnyBatch, block_pool::BlockPool, exchange::BatchCodec};
use flott_rpc::figures::QueueFigures;
use std::{
    collections::VecDeque,
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

#[derive(Debug, Default)]
struct Channel {
    queue: VecDeque<StreamElement>,
    sender: Option<Waker>,
    listener: Option<Arc<dyn ChannelListener>>,
    /// Batches that the receiver has taken since the listener was last told.
    taken: usize,
    state: ChannelState,
}

/// Hears what the receiver of a channel does. Called by the receiver, outside of any lock of the gate; it must not block.
pub trait ChannelListener: fmt::Debug + Send + Sync {
    /// The receiver has taken so many batches since the last call: half of what the channel holds, or a little more.
    fn room(&self, batches: usize);

    /// The receiver is gone.
    fn gone(&self);
}

/// Takes what is sent on a channel to another process. Called by the sender, outside of any lock of the gate; it must not block.
pub trait Carrier: fmt::Debug + Send + Sync {
    /// Lets go of what was gathered to be written together.
    fn flush(&self);
}

/// How a channel leads to another process.
struct ToProcess {
    codec: Arc<dyn BatchCodec>,
    pool: Arc<BlockPool>,
    /// A sender keeps nothing alive.
    carrier: Weak<dyn Carrier>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ChannelState {
    #[default]
    Open,
    /// The sender has ended in good order.
    Closed,
    /// The sender is gone without a word.
    Broken,
}

impl Channel {
    /// The receiver has taken `element`. Returns whom to tell of how much room, if it is time.
    fn room(&mut self, element: &StreamElement, capacity: usize) -> Option<(Arc<dyn ChannelListener>, usize)> {
        let listener = self.listener.as_ref().filter(|_| element.is_batch())?;
        self.taken += 1;
        (self.taken >= (capacity / 2).max(1)).then(|| (listener.clone(), std::mem::take(&mut self.taken)))
    }
}

#[derive(Debug)]
struct Shared {
    channels: Vec<Channel>,
    receiver: Option<Waker>,
    receiver_gone: bool,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sending end of one channel. Dropping it without [`ChannelSender::close`] breaks the channel.
pub struct ChannelSender {
    shared: Arc<Mutex<Shared>>,
    channel: usize,
    capacity: usize,
    /// Of a channel to another process.
    process: Option<ToProcess>,
    /// The bytes of the last batch.
    last_bytes: AtomicUsize,
    closed: bool,
}

/// The receiver of a channel is gone: its task has failed or was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the receiving task is gone")]
pub struct ReceiverGone;

/// Looks into channels from outside, for figures. It keeps nothing alive.
#[derive(Debug, Clone)]
pub(crate) struct ChannelWatch {
    shared: Weak<Mutex<Shared>>,
    channels: Range<usize>,
    capacity: usize,
}

impl ChannelWatch {
    /// What waits in the channels; nothing in those whose receiver is gone.
    pub(crate) fn read(&self) -> QueueFigures {
        let Some(shared) = self.shared.upgrade() else { return QueueFigures::default() };
        let shared = lock(&shared);
        if shared.receiver_gone {
            return QueueFigures::default();
        }
        let mut figures = QueueFigures { capacity: (self.channels.len() * self.capacity) as u64, ..QueueFigures::default() };
        for element in shared.channels[self.channels.clone()].iter().flat_map(|channel| &channel.queue) {
            figures.batches += u64::from(element.is_batch());
            figures.records += element.records() as u64;
        }
        figures
    }
}

impl fmt::Debug for ChannelSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelSender").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl ChannelSender {
    /// The channel leads to another process: what is [carried](Self::carried) on it is encoded by `codec` into memory of `pool`, and
    /// taken by `carrier`.
    #[must_use]
    pub fn to_process(mut self, codec: Arc<dyn BatchCodec>, pool: Arc<BlockPool>, carrier: Weak<dyn Carrier>) -> Self {
        self.process = Some(ToProcess { codec, pool, carrier });
        self
    }

    /// Lets go of what was sent and may have been gathered on its way to another process.
    pub fn flush(&self) {
        if let Some(carrier) = self.process.as_ref().and_then(|process| process.carrier.upgrade()) {
            carrier.flush();
        }
    }

    /// Whether the channel leads to another process.
    pub fn leaves_process(&self) -> bool {
        self.process.is_some()
    }

    /// A batch as it travels on this channel: as it is, or as bytes if the channel leads to another process and it is short:
    /// it takes about `bytes` bytes.
    pub fn carried(&self, batch: AnyBatch, bytes: usize) -> StreamElement {
        let Some(process) = &self.process else { return StreamElement::Batch(batch) };
        if bytes >= EARLY_BYTES {
            return StreamElement::Batch(batch);
        }
        let room = with_room(self.last_bytes.load(Ordering::Relaxed));
        match EncodedBatch::new(&batch, &process.codec, &process.pool, room) {
            Ok(encoded) => {
                self.last_bytes.store(encoded.len(), Ordering::Relaxed);
                StreamElement::Encoded(encoded)
            }
            // Whoever takes it from the channel finds the same error, and tells of it.
            Err(_) => StreamElement::Batch(batch),
        }
    }

    /// Looks into the channel.
    pub(crate) fn watch(&self) -> ChannelWatch {
        ChannelWatch { shared: Arc::downgrade(&self.shared), channels: self.channel..self.channel + 1, capacity: self.capacity }
    }

    /// Sends from the front of `pending` while there is room. Returns whether all of it was sent; if not, `waker` is
    /// woken when there is room again. Only batches count; control elements are let through when their turn comes.
    ///
    /// # Errors
    /// [`ReceiverGone`].
    pub fn send_from(&self, pending: &mut VecDeque<StreamElement>, waker: Option<&Waker>) -> Result<bool, ReceiverGone> {
        let receiver = {
            let mut shared = lock(&self.shared);
            if shared.receiver_gone {
                return Err(ReceiverGone);
            }
            let channel = &mut shared.channels[self.channel];
            let before = channel.queue.len();
            while let Some(element) = pending.front() {
                if channel.queue.len() >= self.capacity && element.is_batch() {
                    channel.sender = waker.cloned();
                    break;
                }
                channel.queue.extend(pending.pop_front());
            }
            if channel.queue.len() > before { shared.receiver.take() } else { None }
        };
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        Ok(pending.is_empty())
    }

    /// Batches that the channel holds.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sends `element` whether there is room or not: for whoever keeps count by a [`ChannelListener`].
    ///
    /// # Errors
    /// [`ReceiverGone`].
    pub fn push(&self, element: StreamElement) -> Result<(), ReceiverGone> {
        let receiver = {
            let mut shared = lock(&self.shared);
            if shared.receiver_gone {
                return Err(ReceiverGone);
            }
            shared.channels[self.channel].queue.push_back(element);
            shared.receiver.take()
        };
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        Ok(())
    }

    /// Tells `listener` from now on what the receiver does, until the channel ends.
    pub fn listen(&self, listener: Arc<dyn ChannelListener>) {
        let gone = {
            let mut shared = lock(&self.shared);
            if shared.receiver_gone {
                true
            } else {
                shared.channels[self.channel].listener = Some(listener.clone());
                false
            }
        };
        if gone {
            listener.gone();
        }
    }

    /// Ends the channel in good order: what was sent stays to be received.
    pub fn close(mut self) {
        self.closed = true;
        self.end(ChannelState::Closed);
    }

    fn end(&self, state: ChannelState) {
        // The listener is dropped outside of the lock: it may own the other end of something.
        let (receiver, _listener) = {
            let mut shared = lock(&self.shared);
            let channel = &mut shared.channels[self.channel];
            channel.state = state;
            let listener = channel.listener.take();
            (shared.receiver.take(), listener)
        };
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }
}

impl Drop for ChannelSender {
    fn drop(&mut self) {
        if !self.closed {
            self.end(ChannelState::Broken);
        }
    }
}

/// What a gate has to give.
#[derive(Debug)]
pub enum GateEvent {
    /// An element of a channel.
    Element(usize, StreamElement),
    /// A channel was closed by its sender and is empty.
    Closed(usize),
    /// A channel's sender is gone without a word.
    Broken(usize),
}

/// What may be taken from a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// Everything.
    All,
    /// Everything but batches; what is behind one waits.
    Control,
    /// Nothing.
    Nothing,
}

/// The receiving end of all channels of a task.
#[derive(Debug)]
pub struct InputGate {
    shared: Arc<Mutex<Shared>>,
    /// The channel that is asked first, so that all have their turn.
    next: usize,
    /// Channels whose end was reported.
    ended: Vec<bool>,
    capacity: usize,
}

impl InputGate {
    /// Looks into all channels.
    pub(crate) fn watch(&self) -> ChannelWatch {
        ChannelWatch { shared: Arc::downgrade(&self.shared), channels: 0..self.channels(), capacity: self.capacity }
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.ended.len()
    }

    /// The next element of a channel that is not `blocked`.
    pub fn poll_next(&mut self, cx: &mut Context<'_>, blocked: &[bool]) -> Poll<GateEvent> {
        self.poll(cx, |index, _| !blocked[index])
    }

    /// The next element, if it is `admitted`. The end of a channel is told when it is empty.
    pub fn poll_admitted(&mut self, cx: &mut Context<'_>, admitted: Admitted) -> Poll<GateEvent> {
        self.poll(cx, |_, front| match (front, admitted) {
            (None, _) | (_, Admitted::All) => true,
            (Some(front), Admitted::Control) => !front.is_batch(),
            (Some(_), Admitted::Nothing) => false,
        })
    }

    /// Whether the sender of a channel is gone without a word, whatever is left to be received.
    pub fn is_broken(&self, channel: usize) -> bool {
        lock(&self.shared).channels[channel].state == ChannelState::Broken
    }

    /// The next element of a channel that `admits` it; it is asked with what is at the channel's front.
    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>, admits: impl Fn(usize, Option<&StreamElement>) -> bool) -> Poll<GateEvent> {
        let mut shared = lock(&self.shared);
        let count = self.ended.len();
        for step in 0..count {
            let index = (self.next + step) % count;
            if self.ended[index] || !admits(index, shared.channels[index].queue.front()) {
                continue;
            }
            let channel = &mut shared.channels[index];
            if let Some(element) = channel.queue.pop_front() {
                let sender = if channel.queue.len() <= self.capacity / 2 { channel.sender.take() } else { None };
                let room = channel.room(&element, self.capacity);
                drop(shared);
                if let Some(sender) = sender {
                    sender.wake();
                }
                if let Some((listener, batches)) = room {
                    listener.room(batches);
                }
                self.next = (index + 1) % count;
                return Poll::Ready(GateEvent::Element(index, element));
            }
            match channel.state {
                ChannelState::Open => {}
                ChannelState::Closed => {
                    self.ended[index] = true;
                    return Poll::Ready(GateEvent::Closed(index));
                }
                ChannelState::Broken => {
                    self.ended[index] = true;
                    return Poll::Ready(GateEvent::Broken(index));
                }
            }
        }
        shared.receiver = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for InputGate {
    fn drop(&mut self) {
        let _own;
        let (senders, listeners): (Vec<_>, Vec<_>) = {
            let mut shared = lock(&self.shared);
            shared.receiver_gone = true;
            // Senders may stay for long: they must not keep alive what has received.
            _own = shared.receiver.take();
            shared.channels.iter_mut().map(|channel| (channel.sender.take(), channel.listener.take())).unzip()
        };
        senders.into_iter().flatten().for_each(Waker::wake);
        listeners.iter().flatten().for_each(|listener| listener.gone());
    }
}

/// A gate with `channels` channels that hold `capacity` batches each.
pub fn gate(channels: usize, capacity: usize) -> (InputGate, Vec<ChannelSender>) {
    let capacity = capacity.max(1);
    let all = (0..channels).map(|_| Channel::default()).collect();
    let shared = Arc::new(Mutex::new(Shared { channels: all, receiver: None, receiver_gone: false }));
    let senders = (0..channels)
        .map(|channel| ChannelSender {
            shared: shared.clone(),
            channel,
            capacity,
            process: None,
            last_bytes: AtomicUsize::new(0),
            closed: false,
        })
        .collect();
    (InputGate { shared, next: 0, ended: vec![false; channels], capacity }, senders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::{Batch, exchange::TypedBatchCodec};
    use std::task::Wake;

    #[derive(Default)]
    struct Counting(AtomicUsize);
    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn batches(count: usize) -> VecDeque<StreamElement> {
        (0..count).map(|n| StreamElement::Batch(AnyBatch::new(Batch::of(vec![n as u32])))).collect()
    }

    fn next(gate: &mut InputGate, blocked: &[bool]) -> Option<GateEvent> {
        match gate.poll_next(&mut Context::from_waker(Waker::noop()), blocked) {
            Poll::Ready(event) => Some(event),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_full_channel_holds_its_sender_until_half_is_gone() {
        let (mut gate, senders) = gate(1, 4);
        let woken = Arc::new(Counting::default());
        let mut pending = batches(6);
        assert!(!senders[0].send_from(&mut pending, Some(&woken.clone().into())).unwrap());
        assert_eq!(pending.len(), 2);
        assert!(next(&mut gate, &[false]).is_some());
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        assert!(next(&mut gate, &[false]).is_some());
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(senders[0].send_from(&mut pending, None).unwrap());
    }

    #[test]
    fn a_watch_tells_of_batches_and_records_and_keeps_nothing_alive() {
        let (mut gate, senders) = gate(2, 4);
        let (all, second) = (gate.watch(), senders[1].watch());
        senders[0].send_from(&mut batches(3), None).unwrap();
        senders[1].push(StreamElement::Watermark(0)).unwrap();
        senders[1].push(StreamElement::Batch(AnyBatch::new(Batch::of(vec![1_u32, 2])))).unwrap();
        assert_eq!(all.read(), QueueFigures { batches: 4, capacity: 8, records: 5 });
        assert_eq!(second.read(), QueueFigures { batches: 1, capacity: 4, records: 2 });
        assert!(next(&mut gate, &[false, true]).is_some());
        assert_eq!(all.read(), QueueFigures { batches: 3, capacity: 8, records: 4 });
        drop(gate);
        assert_eq!(second.read(), QueueFigures::default());
        drop(senders);
        assert!(all.shared.upgrade().is_none());
    }

    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<Option<usize>>>);
    impl ChannelListener for Told {
        fn room(&self, batches: usize) {
            self.0.lock().unwrap().push(Some(batches));
        }
        fn gone(&self) {
            self.0.lock().unwrap().push(None);
        }
    }

    #[test]
    fn a_listener_learns_of_room_by_halves_and_that_the_receiver_is_gone() {
        let told = Arc::new(Told::default());
        let (mut gate, senders) = gate(1, 4);
        senders[0].listen(told.clone());
        for element in batches(5) {
            senders[0].push(element).unwrap();
            senders[0].push(StreamElement::Watermark(0)).unwrap();
        }
        for _ in 0..9 {
            assert!(next(&mut gate, &[false]).is_some());
        }
        assert_eq!(*told.0.lock().unwrap(), [Some(2), Some(2)]);
        drop(gate);
        assert_eq!(*told.0.lock().unwrap(), [Some(2), Some(2), None]);
        assert_eq!(senders[0].push(StreamElement::EndOfInput), Err(ReceiverGone));
        senders[0].listen(told.clone());
        assert_eq!(told.0.lock().unwrap().last(), Some(&None));
    }

    #[test]
    fn what_is_not_admitted_keeps_its_place() {
        let (mut gate, mut senders) = gate(1, 4);
        let mut poll = |admitted| match gate.poll_admitted(&mut Context::from_waker(Waker::noop()), admitted) {
            Poll::Ready(event) => Some(event),
            Poll::Pending => None,
        };
        senders[0].push(StreamElement::Watermark(1)).unwrap();
        senders[0].send_from(&mut batches(1), None).unwrap();
        senders[0].push(StreamElement::Watermark(2)).unwrap();
        senders.remove(0).close();
        assert!(poll(Admitted::Nothing).is_none());
        assert!(matches!(poll(Admitted::Control), Some(GateEvent::Element(0, StreamElement::Watermark(1)))));
        assert!(poll(Admitted::Control).is_none());
        assert!(matches!(poll(Admitted::All), Some(GateEvent::Element(0, StreamElement::Batch(_)))));
        assert!(matches!(poll(Admitted::Control), Some(GateEvent::Element(0, StreamElement::Watermark(2)))));
        assert!(matches!(poll(Admitted::Nothing), Some(GateEvent::Closed(0))));
    }

    /// Fails for the record 3.
    #[derive(Debug, Clone, PartialEq, serde::Deserialize)]
    struct Picky(u8);
    impl serde::Serialize for Picky {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.0 == 3 { Err(serde::ser::Error::custom("I am 3")) } else { serializer.serialize_u8(self.0) }
        }
    }

    #[derive(Debug, Default)]
    struct Carries(AtomicUsize);
    impl Carrier for Carries {
        fn flush(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn to_another_process_a_batch_travels_as_bytes_and_one_that_cannot_be_encoded_as_it_is() {
        let (_gate, mut senders) = gate(1, 4);
        let batch = |records: &[u8]| AnyBatch::new(Batch::of(records.iter().copied().map(Picky).collect()));
        assert!(matches!(senders[0].carried(batch(&[1]), 1), StreamElement::Batch(_)), "within a process nothing is encoded");
        let codec: Arc<dyn BatchCodec> = Arc::new(TypedBatchCodec::<Picky>::default());
        let (carrier, pool) = (Arc::new(Carries::default()), Arc::new(BlockPool::default()));
        let lost: Weak<dyn Carrier> = Arc::downgrade(&carrier) as _;
        let sender = senders.remove(0).to_process(codec.clone(), pool.clone(), lost);
        sender.flush();
        assert_eq!(carrier.0.load(Ordering::SeqCst), 1);
        drop(carrier);
        sender.flush();
        let StreamElement::Encoded(encoded) = sender.carried(batch(&[1, 2]), 2) else { panic!("it is not encoded") };
        assert_eq!(encoded.records(), 2);
        assert_eq!(encoded.decode().unwrap().downcast::<Picky>().unwrap().values, [Picky(1), Picky(2)]);
        let mut bytes = encoded.into_bytes();
        bytes[0] = 3;
        assert!(EncodedBatch::received(&bytes, &codec, &pool).unwrap().decode().is_err(), "the number of records is a lie");
        assert!(EncodedBatch::received(&[0; 3], &codec, &pool).is_err());
        assert!(matches!(sender.carried(batch(&[1, 3]), 2), StreamElement::Batch(_)));
        assert!(matches!(sender.carried(batch(&[1, 2]), EARLY_BYTES), StreamElement::Batch(_)), "a long one is encoded when it is written");
    }

    #[test]
    fn a_blocked_channel_keeps_its_elements() {
        let (mut gate, senders) = gate(2, 4);
        senders[0].send_from(&mut batches(1), None).unwrap();
        assert!(next(&mut gate, &[true, false]).is_none());
        assert!(matches!(next(&mut gate, &[false, false]), Some(GateEvent::Element(0, _))));
    }

    #[test]
    fn a_closed_channel_is_emptied_before_its_end_is_told_once() {
        let (mut gate, mut senders) = gate(1, 4);
        senders[0].send_from(&mut batches(1), None).unwrap();
        senders.remove(0).close();
        assert!(matches!(next(&mut gate, &[false]), Some(GateEvent::Element(0, _))));
        assert!(matches!(next(&mut gate, &[false]), Some(GateEvent::Closed(0))));
        assert!(next(&mut gate, &[false]).is_none());
    }

    #[test]
    fn a_sender_that_vanishes_breaks_its_channel_and_a_lost_receiver_is_noticed() {
        let (mut gate, mut senders) = gate(2, 4);
        drop(senders.remove(0));
        assert!(matches!(next(&mut gate, &[false, false]), Some(GateEvent::Broken(0))));
        drop(gate);
        assert_eq!(senders[0].send_from(&mut batches(1), None), Err(ReceiverGone));
    }
}
