//! A TCP proxy between one TaskManager, with its workers, and the JobManager: it delays, falls silent, cuts.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};

/// How often a link that holds bytes back looks whether it may go on.
const LOOK: Duration = Duration::from_millis(5);

/// What a link does with what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Passes it on.
    Pass,
    /// Passes it on later.
    Delay(Duration),
    /// Keeps it: both ends believe that they are connected.
    Silent,
}

/// A link.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    /// The port to connect to.
    pub(super) port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    mode: Mutex<Mode>,
    /// Counted up whenever everything is cut.
    cuts: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// A link to `target` that passes everything on.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub(super) fn start(target: SocketAddr) -> Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| Error::other(format!("cannot listen on loopback: {error}")))?;
        let port = listener.local_addr().map_err(|error| Error::other(format!("a listener without an address: {error}")))?.port();
        let shared = Arc::new(Shared { target, mode: Mutex::new(Mode::Pass), cuts: AtomicU64::new(0), open: Mutex::new(Vec::new()) });
        let accepting = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = accepting.clone();
                thread::spawn(move || shared.connect(stream));
            }
        });
        Ok(Proxy { port, shared })
    }

    /// Changes what the link does.
    pub(super) fn set(&self, mode: Mode) {
        *locked(&self.shared.mode) = mode;
    }

    /// Closes all connections. New ones may be made.
    pub(super) fn cut(&self) {
        self.shared.cuts.fetch_add(1, SeqCst);
        for stream in locked(&self.shared.open).drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    /// Waits while the link is silent; `false` if it was cut meanwhile.
    fn may_pass(&self, cuts: u64) -> bool {
        loop {
            if self.cuts.load(SeqCst) != cuts {
                return false;
            }
            let mode = *locked(&self.mode);
            match mode {
                Mode::Pass => return true,
                Mode::Delay(delay) => {
                    thread::sleep(delay);
                    return self.cuts.load(SeqCst) == cuts;
                }
                Mode::Silent => thread::sleep(LOOK),
            }
        }
    }

    fn connect(self: Arc<Self>, near: TcpStream) {
        let cuts = self.cuts.load(SeqCst);
        if !self.may_pass(cuts) {
            return;
        }
        // Nobody listens there: the caller finds its connection closed.
        let Ok(far) = TcpStream::connect(self.target) else { return };
        let Ok(ends) = [&near, &far, &near, &far].iter().map(|end| end.try_clone()).collect::<std::io::Result<Vec<_>>>() else { return };
        let mut ends = ends.into_iter();
        locked(&self.open).extend(ends.by_ref().take(2));
        if self.cuts.load(SeqCst) != cuts {
            return close(&near, &far);
        }
        for end in [&near, &far] {
            // Only a matter of speed.
            let _ = end.set_nodelay(true);
        }
        let (Some(near_writer), Some(far_writer)) = (ends.next(), ends.next()) else { return };
        let back = self.clone();
        let returning = thread::spawn(move || back.pump(far, near_writer, cuts));
        self.pump(near, far_writer, cuts);
        let _ = returning.join();
    }

    /// Brings what one end says to the other, until one closes or the link is cut.
    fn pump(&self, mut from: TcpStream, mut to: TcpStream, cuts: u64) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length) = from.read(&mut buffer) {
            if length == 0 || !self.may_pass(cuts) || to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        close(&from, &to);
    }
}

fn close(one: &TcpStream, other: &TcpStream) {
    for end in [one, other] {
        // It may be closed already.
        let _ = end.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that gives back what it gets, and a connection to it through a proxy.
    fn echo() -> (Proxy, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap()).unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
            }
        });
        let stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        (proxy, stream)
    }

    fn says(stream: &mut TcpStream, text: &str) -> String {
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn a_link_passes_on_what_it_kept_and_closes_when_it_is_cut() {
        let (proxy, mut stream) = echo();
        assert_eq!(says(&mut stream, "one"), "one");
        proxy.set(Mode::Silent);
        stream.write_all(b"two").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut answer = [0; 3];
        assert!(stream.read_exact(&mut answer).is_err(), "a silent link says nothing");
        stream.set_read_timeout(None).unwrap();
        proxy.set(Mode::Delay(Duration::from_millis(1)));
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"two");
        proxy.cut();
        assert_eq!(stream.read(&mut answer).unwrap_or(0), 0, "a cut link is closed");
        let mut again = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        assert_eq!(says(&mut again, "three"), "three");
    }
}
