//! A way to etcd that can be cut: before a request gets there, or after, so that only the answer is lost.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
};

/// What becomes of what is sent from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    /// It gets there, and so does the answer.
    Nothing,
    /// It gets there, but the answer does not get back: the connection ends.
    Answers,
    /// It does not get there: the connection ends.
    Requests,
    /// It gets there, and no answer ever comes.
    Silence,
}

/// Passes bytes on to an address. Its threads end with the test's process.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    cut: Arc<AtomicU8>,
}

impl Proxy {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let cut = Arc::new(AtomicU8::new(Cut::Nothing as u8));
        let proxy = Proxy { port: listener.local_addr().unwrap().port(), cut: cut.clone() };
        thread::spawn(move || {
            for client in listener.incoming() {
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)));
                let (Ok(client), Ok(server)) = (client, server) else { continue };
                let (from, to, cut_there) = (client.try_clone().unwrap(), server.try_clone().unwrap(), cut.clone());
                thread::spawn(move || pump(from, to, &cut_there, Cut::Requests));
                let cut_back = cut.clone();
                thread::spawn(move || pump(server, client, &cut_back, Cut::Answers));
            }
        });
        proxy
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, cut: &AtomicU8, here: Cut) {
    let mut buffer = [0; 65536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let now = cut.load(Ordering::SeqCst);
        if now == here as u8 {
            break;
        }
        if now == Cut::Silence as u8 && here == Cut::Answers {
            continue;
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Either may be closed already.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
