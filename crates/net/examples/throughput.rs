//! Throughput of a link over loopback against a plain copy of the same bytes over TCP.
//!
//! `cargo run --release -p flott-net --example throughput -- [GiB] [--tls]`; with `--tls` also of an encrypted link.

use flott_net::{
    Acceptor, ByteStream, Clear, Link, LinkError, LinkHandler, LinkOptions, Listener, Payload, ReceivingChannel, SendingChannel,
    StreamControl, Transport, Unsendable, Waiting, connect_over,
};
use flott_security::{Accepted, Authority, Connector, Entrance, Stream, TlsIdentity, TlsMaterial};
use std::{
    collections::HashMap,
    error::Error,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// 1 024 records of 1 KiB.
const BATCH: usize = 1 << 20;
/// Batches that a receiver has room for.
const CAPACITY: u32 = 8;
const TIMEOUT: Duration = Duration::from_secs(10);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let tls = arguments.iter().any(|argument| argument == "--tls");
    arguments.retain(|argument| argument != "--tls");
    let gib: u64 = arguments.first().map_or(Ok(4), |text| text.parse())?;
    let batches = gib << 10;
    let block: Arc<[u8]> = (0..BATCH).map(|n| ((n * 31) >> 3) as u8).collect();
    println!("{batches} batches of {BATCH} bytes, the best of three");
    let plain = best(|| plain(&block, batches))?;
    println!("plain copy           {:>7.0} MB/s", rate(batches, plain));
    let mut transports: Vec<(&str, Arc<dyn Transport>)> = vec![("", Arc::new(Clear))];
    if tls {
        transports.push((", TLS", Arc::new(Encrypted::new()?)));
    }
    for (name, transport) in transports {
        for channels in [1, 1000] {
            let time = best(|| link(&transport, &block, batches, channels))?;
            println!(
                "{:<20} {:>7.0} MB/s, {:.2} of the plain copy",
                format!("{channels:>4} channels{name}"),
                rate(batches, time),
                plain.as_secs_f64() / time.as_secs_f64()
            );
        }
    }
    Ok(())
}

fn best(mut run: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    let times: Vec<Duration> = (0..3).map(|_| run()).collect::<Result<_>>()?;
    Ok(times.into_iter().min().unwrap_or_default())
}

fn rate(batches: u64, time: Duration) -> f64 {
    batches as f64 * BATCH as f64 / 1e6 / time.as_secs_f64()
}

/// One thread writes, one reads.
fn plain(block: &Arc<[u8]>, batches: u64) -> Result<Duration> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut sending = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiving, _) = listener.accept()?;
    let start = Instant::now();
    let block = block.clone();
    let writer = thread::spawn(move || (0..batches).try_for_each(|_| sending.write_all(&block)));
    let (mut buffer, mut left) = (vec![0; BATCH], batches as usize * BATCH);
    while left > 0 {
        left -= receiving.read(&mut buffer)?;
    }
    writer.join().map_err(|_| "the writer panicked")??;
    Ok(start.elapsed())
}

/// Sends a batch for each credit until none is left.
struct Sends {
    block: Arc<[u8]>,
    left: AtomicI64,
}

/// Counts, and gives credits back by halves.
struct Receives {
    left: AtomicI64,
    taken: Mutex<HashMap<ReceivingChannel, u32>>,
    done: Mutex<mpsc::Sender<()>>,
}

impl LinkHandler for Sends {
    fn credit(&self, link: &Link, channel: SendingChannel, frames: u32) {
        for _ in 0..frames {
            if self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
                break;
            }
            let block = self.block.clone();
            let make = move |buffer: &mut Vec<u8>| {
                buffer.extend_from_slice(&block);
                Ok(())
            };
            link.send(channel, Payload::made(BATCH, make)).expect("there is credit");
        }
        link.flush();
    }
    fn opened(&self, _: &Link, _: ReceivingChannel, _: &[u8]) {}
    fn data(&self, _: &Link, _: ReceivingChannel, _: &[u8]) {}
    fn control(&self, _: &Link, _: ReceivingChannel, _: &[u8]) {}
    fn closed(&self, _: &Link, _: ReceivingChannel) {}
    fn broken(&self, _: &Link, _: ReceivingChannel) {}
    fn rejected(&self, _: &Link, _: SendingChannel) {}
    fn unsendable(&self, _: &Link, _: SendingChannel, error: &Unsendable) {
        eprintln!("{error}");
    }
    fn lost(&self, _: &Link, _: &LinkError) {}
}

impl LinkHandler for Receives {
    fn opened(&self, link: &Link, channel: ReceivingChannel, _: &[u8]) {
        link.grant(channel, CAPACITY);
    }
    fn data(&self, link: &Link, channel: ReceivingChannel, payload: &[u8]) {
        assert_eq!(payload.len(), BATCH);
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all.entry(channel).or_default();
        *taken += 1;
        if *taken == CAPACITY / 2 {
            *taken = 0;
            link.grant(channel, CAPACITY / 2);
        }
        drop(all);
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            // Nobody waits any more if the sender has failed.
            let _ = self.done.lock().unwrap_or_else(PoisonError::into_inner).send(());
        }
    }
    fn control(&self, _: &Link, _: ReceivingChannel, _: &[u8]) {}
    fn closed(&self, _: &Link, _: ReceivingChannel) {}
    fn broken(&self, _: &Link, _: ReceivingChannel) {}
    fn credit(&self, _: &Link, _: SendingChannel, _: u32) {}
    fn rejected(&self, _: &Link, _: SendingChannel) {}
    fn unsendable(&self, _: &Link, _: SendingChannel, _: &Unsendable) {}
    fn lost(&self, _: &Link, _: &LinkError) {}
}

struct Door(Mutex<mpsc::Sender<ByteStream>>);

impl Acceptor for Door {
    fn welcome(&self, _: SocketAddr, _: &[u8]) -> std::result::Result<Vec<u8>, String> {
        Ok(Vec::new())
    }
    fn accepted(&self, _: SocketAddr, _: Vec<u8>, stream: ByteStream) {
        // Nobody waits any more if the sender has failed.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(stream);
    }
}

/// As between workers of a cluster that demands it.
struct Encrypted(Connector, Entrance);

impl Encrypted {
    fn new() -> Result<Self> {
        let authority = Authority::create()?;
        let signed = authority.sign(&[])?;
        let identity = TlsIdentity { certificate: signed.certificate, key: signed.key };
        let material = TlsMaterial { authority: authority.certificate, identity: Some(identity) };
        let entrance = Entrance::of_processes(&material)?;
        Ok(Encrypted(Connector::new(Some(material), None)?, entrance))
    }
}

impl Transport for Encrypted {
    fn connecting(&self, stream: TcpStream, timeout: Duration) -> io::Result<ByteStream> {
        bytes(&self.0.connect(stream, timeout)?)
    }
    fn accepted(&self, stream: TcpStream, timeout: Duration) -> io::Result<ByteStream> {
        match self.1.accept(stream, timeout)? {
            Accepted::Ready(stream) => bytes(&stream),
            Accepted::InClear(_) => Err(io::Error::other("it does not speak TLS")),
        }
    }
}

fn bytes(stream: &Stream) -> io::Result<ByteStream> {
    let control = Arc::new(Control(stream.try_clone()?));
    Ok(ByteStream { reader: Box::new(stream.try_clone()?), writer: Box::new(Waiting(stream.try_clone()?)), control })
}

struct Control(Stream);

impl StreamControl for Control {
    fn finish_writing(&self) {
        // It fails where the connection has ended already.
        let _ = self.0.shutdown(Shutdown::Write);
    }
    fn shut_down(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(read)?;
        self.0.set_write_timeout(write)
    }
}

fn link(transport: &Arc<dyn Transport>, block: &Arc<[u8]>, batches: u64, channels: u32) -> Result<Duration> {
    let (accepted, streams) = mpsc::channel();
    let listener = Listener::bind_over(transport.clone(), (Ipv4Addr::LOCALHOST, 0).into(), Arc::new(Door(Mutex::new(accepted))))?;
    let (stream, _) = connect_over(transport.as_ref(), listener.local_addr(), b"", TIMEOUT)?;
    let (done, wait) = mpsc::channel();
    let left = || AtomicI64::new(batches as i64);
    let receives = Receives { left: left(), taken: Mutex::default(), done: Mutex::new(done) };
    let receiving = Link::start(streams.recv_timeout(TIMEOUT)?, LinkOptions::default(), Arc::new(receives))?;
    let sends = Arc::new(Sends { block: block.clone(), left: left() });
    let sending = Link::start(stream, LinkOptions::default(), sends)?;
    let start = Instant::now();
    for _ in 0..channels {
        sending.open(b"benchmark")?;
    }
    wait.recv()?;
    let time = start.elapsed();
    sending.shut_down();
    receiving.wait_lost(TIMEOUT);
    Ok(time)
}
