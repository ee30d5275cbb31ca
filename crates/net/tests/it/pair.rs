//! Two sides that are connected, and what each of them hears.

use flott_net::{
    Acceptor, ByteStream, Link, LinkError, LinkHandler, LinkOptions, Listener, Payload, ReceivingChannel, SendError, SendingChannel,
    Unsendable, connect,
};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Opened(ReceivingChannel, Vec<u8>),
    Data(ReceivingChannel, Vec<u8>),
    Control(ReceivingChannel, Vec<u8>),
    Closed(ReceivingChannel),
    Broken(ReceivingChannel),
    Credit(SendingChannel, u32),
    Rejected(SendingChannel),
    Unsendable(SendingChannel, String),
    Lost(LinkError),
}

pub(crate) struct Ear(Mutex<mpsc::Sender<Heard>>);

impl Ear {
    pub(crate) fn new() -> (Arc<Self>, mpsc::Receiver<Heard>) {
        let (sender, receiver) = mpsc::channel();
        (Arc::new(Ear(Mutex::new(sender))), receiver)
    }

    fn hears(&self, heard: Heard) {
        // The test may be over.
        let _ = self.0.lock().unwrap().send(heard);
    }
}

impl LinkHandler for Ear {
    fn opened(&self, _: &Link, channel: ReceivingChannel, label: &[u8]) {
        self.hears(Heard::Opened(channel, label.to_vec()));
    }
    fn data(&self, _: &Link, channel: ReceivingChannel, payload: &[u8]) {
        self.hears(Heard::Data(channel, payload.to_vec()));
    }
    fn control(&self, _: &Link, channel: ReceivingChannel, payload: &[u8]) {
        self.hears(Heard::Control(channel, payload.to_vec()));
    }
    fn closed(&self, _: &Link, channel: ReceivingChannel) {
        self.hears(Heard::Closed(channel));
    }
    fn broken(&self, _: &Link, channel: ReceivingChannel) {
        self.hears(Heard::Broken(channel));
    }
    fn credit(&self, _: &Link, channel: SendingChannel, frames: u32) {
        self.hears(Heard::Credit(channel, frames));
    }
    fn rejected(&self, _: &Link, channel: SendingChannel) {
        self.hears(Heard::Rejected(channel));
    }
    fn unsendable(&self, _: &Link, channel: SendingChannel, error: &Unsendable) {
        self.hears(Heard::Unsendable(channel, error.to_string()));
    }
    fn lost(&self, _: &Link, reason: &LinkError) {
        self.hears(Heard::Lost(reason.clone()));
    }
}

/// Welcomes everybody who says `hello`.
pub(crate) struct Door(Mutex<mpsc::Sender<(Vec<u8>, ByteStream)>>);

impl Acceptor for Door {
    fn welcome(&self, _: SocketAddr, hello: &[u8]) -> Result<Vec<u8>, String> {
        if hello == b"hello" { Ok(b"welcome".to_vec()) } else { Err("only who says `hello` is let in".to_owned()) }
    }
    fn accepted(&self, _: SocketAddr, hello: Vec<u8>, stream: ByteStream) {
        self.0.lock().unwrap().send((hello, stream)).unwrap();
    }
}

pub(crate) fn listen() -> (Listener, mpsc::Receiver<(Vec<u8>, ByteStream)>) {
    let (sender, accepted) = mpsc::channel();
    (Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), Arc::new(Door(Mutex::new(sender)))).unwrap(), accepted)
}

pub(crate) struct Side {
    pub(crate) link: Link,
    pub(crate) heard: mpsc::Receiver<Heard>,
}

impl Side {
    pub(crate) fn new(stream: ByteStream, options: LinkOptions) -> Self {
        let (ear, heard) = Ear::new();
        Side { link: Link::start(stream, options, ear).unwrap(), heard }
    }

    pub(crate) fn send(&self, channel: SendingChannel, payload: impl Into<Payload>) -> Result<(), SendError> {
        self.link.send(channel, payload)?;
        self.link.flush();
        Ok(())
    }

    pub(crate) fn send_control(&self, channel: SendingChannel, payload: impl Into<Payload>) -> Result<(), SendError> {
        self.link.send_control(channel, payload)?;
        self.link.flush();
        Ok(())
    }

    pub(crate) fn next(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).expect("nothing was heard")
    }

    /// The next thing heard is that a channel was opened.
    pub(crate) fn opened(&self, label: &[u8]) -> ReceivingChannel {
        match self.next() {
            Heard::Opened(channel, found) if found == label => channel,
            other => panic!("heard {other:?}"),
        }
    }

    pub(crate) fn is_lost(&self) -> LinkError {
        match self.next() {
            Heard::Lost(reason) => reason,
            other => panic!("heard {other:?}"),
        }
    }
}

/// The connecting and the accepting side.
pub(crate) fn pair_with(connecting: LinkOptions, accepting: LinkOptions) -> (Side, Side) {
    let (listener, accepted) = listen();
    let (stream, hello) = connect(listener.local_addr(), b"hello", PATIENCE).unwrap();
    assert_eq!(hello, b"welcome");
    let (hello, other) = accepted.recv_timeout(PATIENCE).unwrap();
    assert_eq!(hello, b"hello");
    (Side::new(stream, connecting), Side::new(other, accepting))
}

pub(crate) fn pair() -> (Side, Side) {
    pair_with(LinkOptions::default(), LinkOptions::default())
}

/// A side that never reads, and a connection to it.
pub(crate) fn deaf() -> (TcpStream, ByteStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, ByteStream::tcp(stream).unwrap())
}
