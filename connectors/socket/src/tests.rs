//! The source against real sockets.

use crate::{
    SocketSource, SocketSourceError, SocketSplit,
    connection::Connection,
    queue::{LineQueue, QueueLimits, Taken},
    reader::SocketReader,
};
use flott_core::{
    BoxError, Timestamp,
    id::CheckpointId,
    metrics::{Counter, MetricGroup, names},
    source::{ReadStatus, ReaderContext, ReaderOutput, SourceReader},
    time::Clock,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    task::{Context, Poll, Wake, Waker},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

struct NoClock;

impl Clock for NoClock {
    fn wall(&self) -> Timestamp {
        0
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
    fn wake_at(&self, _deadline: Duration, _waker: &Waker) {}
}

/// Tells the test that it was woken.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

impl Bell {
    fn wait(&self) {
        let rung = self.rung.lock().unwrap();
        let (mut rung, waited) = self.changed.wait_timeout_while(rung, Duration::from_secs(30), |rung| !*rung).unwrap();
        assert!(!waited.timed_out(), "nobody woke the task");
        *rung = false;
    }
}

/// A reader and what it has given.
struct Task {
    reader: SocketReader,
    metrics: MetricGroup,
    bell: Arc<Bell>,
    output: ReaderOutput<String>,
    bytes: Counter,
}

impl Task {
    fn start(source: &SocketSource) -> Self {
        let metrics = MetricGroup::default();
        let context = ReaderContext { subtask: 0, parallelism: 1, clock: Arc::new(NoClock), metrics: metrics.clone() };
        let mut reader = source.reader(&context).unwrap();
        reader.add_splits(vec![SocketSplit { address: "restored from elsewhere".to_owned() }]).unwrap();
        reader.no_more_splits();
        let bytes = Counter::default();
        Task { reader, metrics, bell: Arc::default(), output: ReaderOutput::new(bytes.clone()), bytes }
    }

    /// The next lines; `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<String>>, BoxError> {
        let waker = Waker::from(self.bell.clone());
        loop {
            match self.reader.poll_next(&mut Context::from_waker(&waker), &mut self.output) {
                Poll::Pending => self.bell.wait(),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(ReadStatus::Finished)) => return Ok(None),
                Poll::Ready(Ok(ReadStatus::More)) => return Ok(Some(self.output.take().batch.values)),
            }
        }
    }

    /// All lines up to the end.
    fn rest(&mut self) -> Result<Vec<String>, BoxError> {
        let mut lines = Vec::new();
        while let Some(more) = self.next()? {
            lines.extend(more);
        }
        Ok(lines)
    }

    fn errors(&self) -> u64 {
        self.metrics.counter(names::NUM_RECORDS_IN_ERRORS).get()
    }
}

/// A server that sends one text over each of its connections, and a source that reads it.
fn serve(texts: &'static [&'static [u8]]) -> (SocketSource, JoinHandle<TcpListener>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let source = SocketSource::new("127.0.0.1", listener.local_addr().unwrap().port()).retry_delay(Duration::from_millis(1));
    let server = thread::spawn(move || {
        for text in texts {
            listener.accept().unwrap().0.write_all(text).unwrap();
        }
        listener
    });
    (source, server)
}

/// A connected source whose peer is in the hands of the test.
fn connect(configure: impl FnOnce(SocketSource) -> SocketSource) -> (Task, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let task = Task::start(&configure(SocketSource::new("127.0.0.1", listener.local_addr().unwrap().port())));
    (task, listener.accept().unwrap().0)
}

#[test]
fn lines_come_as_they_are_sent_and_the_stream_ends_when_the_peer_closes() {
    let (mut task, mut peer) = connect(|source| source);
    peer.write_all(b"one\r\n\ntw").unwrap();
    assert_eq!(task.next().unwrap().unwrap(), ["one", ""]);
    peer.write_all(b"o\nlast, without an end").unwrap();
    assert_eq!(task.next().unwrap().unwrap(), ["two"]);
    drop(peer);
    assert_eq!(task.rest().unwrap(), ["last, without an end"]);
    assert_eq!((task.bytes.get(), task.errors()), (30, 0));
}

#[test]
fn a_snapshot_holds_the_split_until_the_stream_has_ended() {
    let (mut task, peer) = connect(|source| source);
    let split = SocketSplit { address: "restored from elsewhere".to_owned() };
    assert_eq!(task.reader.snapshot(CheckpointId(1)).unwrap(), [split]);
    drop(peer);
    assert_eq!(task.next().unwrap(), Some(vec![]));
    assert_eq!(task.output.take().finished, []);
    assert_eq!(task.reader.snapshot(CheckpointId(2)).unwrap(), []);
    assert_eq!(task.next().unwrap(), None);
}

#[test]
fn another_delimiter_keeps_line_ends() {
    let (source, _server) = serve(&[b"a\r\n;b;;c"]);
    assert_eq!(Task::start(&source.delimiter(';')).rest().unwrap(), ["a\r\n", "b", "", "c"]);
    let (source, _server) = serve(&[b"a--b-c--"]);
    assert_eq!(Task::start(&source.delimiter("--")).rest().unwrap(), ["a", "b-c"]);
}

#[test]
fn invalid_text_is_replaced_and_counted() {
    let (source, _server) = serve(&[b"good\nb\xffd\n\xe2\x82"]);
    let mut task = Task::start(&source);
    assert_eq!(task.rest().unwrap(), ["good", "b\u{fffd}d", "\u{fffd}"]);
    assert_eq!(task.errors(), 2);
}

#[test]
fn a_closed_connection_is_made_again_as_often_as_allowed() {
    let (source, server) = serve(&[b"first\ncut", b"second\n", b"third\n"]);
    assert_eq!(Task::start(&source.max_retries(2)).rest().unwrap(), ["first", "cut", "second", "third"]);
    let listener = server.join().unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "there was a fourth connection");
}

#[test]
fn a_peer_that_does_not_come_back_has_ended_the_stream() {
    let (mut task, mut peer) = connect(|source| source.max_retries(3).retry_delay(Duration::from_millis(1)));
    peer.write_all(b"all\n").unwrap();
    drop(peer);
    assert_eq!(task.rest().unwrap(), ["all"]);
}

/// Sends a line and a half, and breaks the connection.
fn break_connection(task: &mut Task, mut peer: TcpStream) {
    peer.write_all(b"whole\nhal").unwrap();
    assert_eq!(task.next().unwrap().unwrap(), ["whole"]);
    // Who closes a connection without having read everything resets it.
    task.reader.queue().send(b"unread");
    assert_eq!(peer.peek(&mut [0]).unwrap(), 1);
}

#[test]
fn a_broken_connection_is_an_error_unless_it_is_made_again() {
    let (mut task, peer) = connect(|source| source);
    break_connection(&mut task, peer);
    let error = task.next().unwrap_err();
    assert!(error.to_string().contains("broke; with a higher `max_retries`"), "{error}");
    assert_eq!(task.errors(), 1, "half a line is no record");

    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let source = SocketSource::new("127.0.0.1", listener.local_addr().unwrap().port()).retry_delay(Duration::from_millis(1));
    let mut task = Task::start(&source.max_retries(1));
    break_connection(&mut task, listener.accept().unwrap().0);
    listener.accept().unwrap().0.write_all(b"again\n").unwrap();
    assert_eq!(task.rest().unwrap(), ["again"]);
}

#[test]
fn a_peer_that_is_not_there_is_an_error_that_says_what_to_do() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let source = SocketSource::new("127.0.0.1", port).retry_delay(Duration::from_millis(1));
    for retries in [0, 2] {
        let error = Task::start(&source.clone().max_retries(retries)).next().unwrap_err();
        let expected = format!(
            "cannot connect to `127.0.0.1:{port}` ({} attempted): start what the source reads from first, for instance `nc -lk {port}`",
            retries + 1
        );
        assert_eq!(error.to_string(), expected);
        assert!(
            matches!(error.downcast_ref(), Some(SocketSourceError::Connect { source, .. }) if source.kind() == ErrorKind::ConnectionRefused)
        );
    }
}

#[test]
fn a_line_without_end_is_an_error_and_not_memory() {
    let (mut task, mut peer) = connect(|source| source.max_line_bytes(1_000));
    peer.write_all(b"short\n").unwrap();
    peer.write_all(&[b'x'; 1_002]).unwrap();
    let error = loop {
        match task.next() {
            Ok(lines) => assert_eq!(lines.unwrap(), ["short"]),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("sent more than 1000 bytes without the delimiter \"\\n\""), "{error}");
}

#[test]
fn a_slow_task_makes_the_peer_wait_and_loses_nothing() {
    let (mut task, mut peer) = connect(|source| source);
    let server = thread::spawn(move || {
        for chunk in 0..100 {
            let text: String = (0..10_000).map(|line| format!("{}\n", chunk * 10_000 + line)).collect();
            peer.write_all(text.as_bytes()).unwrap();
        }
    });
    let mut next = 0;
    for _ in 0..20 {
        let waiting = task.reader.queue().len_when_full();
        assert!((16 * 1024..17 * 1024).contains(&waiting), "{waiting}");
        for line in task.next().unwrap().unwrap() {
            assert_eq!(line, next.to_string());
            next += 1;
        }
    }
    for line in task.rest().unwrap() {
        assert_eq!(line, next.to_string());
        next += 1;
    }
    assert_eq!(next, 1_000_000);
    server.join().unwrap();
}

#[test]
fn when_the_reader_goes_the_thread_and_its_connection_end() {
    let (task, mut peer) = connect(|source| source.max_retries(-1));
    let queue = Arc::downgrade(task.reader.queue());
    drop(task);
    match peer.read(&mut [0]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    let start = Instant::now();
    while queue.strong_count() > 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "the thread does not end");
        thread::yield_now();
    }
}

#[test]
fn a_reader_without_a_split_ends() {
    let source = SocketSource::new("127.0.0.1", 1);
    let mut reader =
        source.reader(&ReaderContext { subtask: 1, parallelism: 2, clock: Arc::new(NoClock), metrics: MetricGroup::default() });
    let reader = reader.as_mut().unwrap();
    let mut output = ReaderOutput::new(Counter::default());
    let mut poll = |reader: &mut SocketReader| reader.poll_next(&mut Context::from_waker(Waker::noop()), &mut output);
    assert!(poll(reader).is_pending());
    reader.no_more_splits();
    assert!(matches!(poll(reader), Poll::Ready(Ok(ReadStatus::Finished))));
}

#[test]
fn an_empty_delimiter_is_refused() {
    let context = ReaderContext { subtask: 0, parallelism: 1, clock: Arc::new(NoClock), metrics: MetricGroup::default() };
    let error = SocketSource::new("127.0.0.1", 1).delimiter("").reader(&context).err().unwrap();
    assert_eq!(error.to_string(), "the delimiter of a socket source is empty: give it at least one character");
}

#[test]
fn a_thread_that_panics_is_an_error_of_the_task() {
    let queue = LineQueue::new(QueueLimits { records: 1, bytes: 1 });
    let connection = Connection { source: SocketSource::new("127.0.0.1", 1), queue: queue.clone(), errors: Counter::default() };
    thread::spawn(move || {
        let _connection = connection;
        panic!("as if by a bug");
    })
    .join()
    .unwrap_err();
    let taken = queue.poll_take(&mut Context::from_waker(Waker::noop()), 1, |_| {});
    assert!(matches!(taken, Poll::Ready(Taken::End(Err(SocketSourceError::Panicked)))), "{taken:?}");
}
