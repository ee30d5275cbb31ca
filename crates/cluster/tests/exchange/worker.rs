//! Workers, and the ends of channels as tasks hold them.

use flott_cluster::exchange::{ChannelFailure, ExchangeSettings, NetworkExchange};
use flott_core::{
    AnyBatch, Batch, BoxError, Data, Timestamp,
    exchange::TypedBatchCodec,
    id::{AttemptId, JobId, SubtaskId, VertexId},
    time::Clock,
};
use flott_runtime::{
    ChannelKey, RemoteChannels, StreamElement,
    gate::{ChannelSender, GateEvent, InputGate, ReceiverGone, gate},
};
use std::{
    collections::{BTreeMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Batches that a channel holds on either side.
pub(crate) const CAPACITY: usize = 4;

/// Stands still unless it is moved.
#[derive(Default)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn wall(&self) -> Timestamp {
        self.0.load(Ordering::SeqCst) as Timestamp
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
    fn wake_at(&self, _: Duration, _: &Waker) {}
}

pub(crate) struct Worker {
    pub(crate) exchange: NetworkExchange,
    pub(crate) clock: Arc<TestClock>,
    failures: Mutex<mpsc::Receiver<ChannelFailure>>,
}

pub(crate) fn settings() -> ExchangeSettings {
    ExchangeSettings::new(JobId(7), b"secret".to_vec(), (Ipv4Addr::LOCALHOST, 0).into())
}

impl Worker {
    pub(crate) fn new() -> Self {
        Worker::with(settings())
    }

    pub(crate) fn with(settings: ExchangeSettings) -> Self {
        let (sender, failures) = mpsc::channel();
        let (sender, failures) = (Mutex::new(sender), Mutex::new(failures));
        let clock = Arc::new(TestClock::default());
        // The test may be over.
        let on_failure = Arc::new(move |failure: &ChannelFailure| drop(sender.lock().unwrap().send(failure.clone())));
        Worker { exchange: NetworkExchange::start(settings, clock.clone(), on_failure).unwrap(), clock, failures }
    }

    /// The sending end of a channel to the worker at `to`.
    pub(crate) fn sender<T: Data>(&self, key: ChannelKey, to: SocketAddr) -> Sender {
        let peers = BTreeMap::from([(key.to.subtask, to)]);
        Sender(self.exchange.channels(&peers).sending(key, Box::new(TypedBatchCodec::<T>::default()), CAPACITY))
    }

    /// The receiving end of a channel, as the only one of a gate.
    pub(crate) fn receiver<T: Data>(&self, key: ChannelKey) -> Receiver {
        let (gate, mut channels) = gate(1, CAPACITY);
        let codec = Box::new(TypedBatchCodec::<T>::default());
        self.exchange.channels(&BTreeMap::new()).receiving(key, codec, channels.remove(0));
        Receiver(gate)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.exchange.address()
    }

    pub(crate) fn failure(&self) -> ChannelFailure {
        self.failures.lock().unwrap().recv_timeout(PATIENCE).expect("no failure was reported")
    }

    pub(crate) fn has_no_failure(&self) {
        assert_eq!(self.failures.lock().unwrap().try_recv().ok(), None);
        assert!(self.exchange.failures().is_empty());
    }

    /// Opens a channel here that the worker `other` has heard of when this returns, and everything before it.
    pub(crate) fn is_heard_by(&self, other: &Worker, index: u32) {
        let key = key(1000, index);
        let mut receiver = other.receiver::<u32>(key);
        let sender = self.sender::<u32>(key, other.address());
        sender.send(StreamElement::EndOfInput).unwrap();
        assert!(matches!(receiver.element(), StreamElement::EndOfInput));
        sender.0.close();
        receiver.is_closed();
    }
}

pub(crate) fn attempt(vertex: u32, index: u32) -> AttemptId {
    AttemptId { subtask: SubtaskId { vertex: VertexId(vertex), index }, attempt: 0 }
}

/// Channel number `index` of an edge.
pub(crate) fn key(edge: u32, index: u32) -> ChannelKey {
    ChannelKey { edge, from: attempt(edge, index), to: attempt(edge + 1, index) }
}

pub(crate) fn batch(number: u32) -> StreamElement {
    StreamElement::Batch(AnyBatch::new(Batch::of(vec![number, number + 1])))
}

struct Unpark(Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls until something is ready.
fn block<R>(what: &str, mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> R {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Poll::Ready(result) = poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "{what} takes too long");
        thread::park_timeout(left);
    }
}

#[derive(Debug)]
pub(crate) struct Sender(pub(crate) ChannelSender);

impl Sender {
    /// Sends, however long it takes.
    pub(crate) fn send(&self, element: StreamElement) -> Result<(), ReceiverGone> {
        let mut pending = VecDeque::from([self.carried(element)]);
        block("sending", |cx| {
            let sent = self.0.send_from(&mut pending, Some(cx.waker()));
            // As a task does before it waits.
            self.0.flush();
            match sent {
                Ok(true) => Poll::Ready(Ok(())),
                Ok(false) => Poll::Pending,
                Err(gone) => Poll::Ready(Err(gone)),
            }
        })
    }

    /// Whether there is room for a batch; it is sent then.
    pub(crate) fn takes(&self, element: StreamElement) -> bool {
        let element = self.carried(element);
        let sent = self.0.send_from(&mut VecDeque::from([element]), None).unwrap();
        self.0.flush();
        sent
    }

    /// As a task sends it.
    fn carried(&self, element: StreamElement) -> StreamElement {
        match element {
            StreamElement::Batch(batch) => {
                // Whoever sends knows about how long it is; here nobody asks the type.
                let bytes = batch.len();
                self.0.carried(batch, bytes)
            }
            other => other,
        }
    }

    /// Waits until the receiver is gone, sending all the time.
    pub(crate) fn is_gone(&self) {
        self.is_gone_sending(&batch(0));
    }

    pub(crate) fn is_gone_sending(&self, element: &StreamElement) {
        while self.send(element.clone()).is_ok() {}
    }
}

#[derive(Debug)]
pub(crate) struct Receiver(pub(crate) InputGate);

impl Receiver {
    pub(crate) fn event(&mut self) -> GateEvent {
        block("receiving", |cx| self.0.poll_next(cx, &[false]))
    }

    /// The next element; a batch is decoded.
    pub(crate) fn element(&mut self) -> StreamElement {
        self.decoded().unwrap()
    }

    /// As [`Receiver::element`], or why a batch cannot be decoded.
    pub(crate) fn decoded(&mut self) -> Result<StreamElement, BoxError> {
        match self.event() {
            GateEvent::Element(0, StreamElement::Encoded(encoded)) => encoded.decode().map(StreamElement::Batch),
            GateEvent::Element(0, element) => Ok(element),
            other => panic!("an element was expected, not {other:?}"),
        }
    }

    /// The next element is this batch.
    pub(crate) fn receives(&mut self, number: u32) {
        match self.element() {
            StreamElement::Batch(batch) => assert_eq!(batch.downcast::<u32>().unwrap().values, [number, number + 1]),
            other => panic!("batch {number} was expected, not {other:?}"),
        }
    }

    pub(crate) fn is_closed(&mut self) {
        let event = self.event();
        assert!(matches!(event, GateEvent::Closed(0)), "{event:?}");
    }

    pub(crate) fn is_broken(&mut self) {
        let event = self.event();
        assert!(matches!(event, GateEvent::Broken(0)), "{event:?}");
    }
}
