use crate::pair::{PATIENCE, Side, listen};
use flott_net::{ConnectError, LinkError, LinkOptions, connect, handshake::HandshakeError};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::Duration,
};

#[test]
fn who_is_refused_is_told_why() {
    let (listener, _accepted) = listen();
    match connect(listener.local_addr(), b"let me in", PATIENCE) {
        Err(ConnectError::Handshake { address, source: HandshakeError::Refused(reason) }) => {
            assert_eq!((address, reason.as_str()), (listener.local_addr(), "only who says `hello` is let in"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_speaks_another_protocol_or_version_gets_no_further() {
    let (listener, accepted) = listen();
    let mut browser = TcpStream::connect(listener.local_addr()).unwrap();
    browser.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    // The other side ends the connection without a word; as it has not read everything, perhaps by a reset.
    assert!(!matches!(browser.read(&mut [0; 100]), Ok(1..)));
    let mut newer = TcpStream::connect(listener.local_addr()).unwrap();
    let mut hello = b"FLOTTNET\x09\0\0\x05\0\0\0hello".to_vec();
    hello.extend(crc32fast::hash(&hello).to_le_bytes());
    newer.write_all(&hello).unwrap();
    let mut answer = Vec::new();
    newer.read_to_end(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("version 1 of the protocol is spoken here, not version 9"), "{answer:?}");
    drop(listener);
    assert!(accepted.try_recv().is_err());
}

#[test]
fn who_says_nothing_keeps_nobody_waiting() {
    let (listener, accepted) = listen();
    let _silent: Vec<_> = (0..10).map(|_| TcpStream::connect(listener.local_addr()).unwrap()).collect();
    connect(listener.local_addr(), b"hello", PATIENCE).unwrap();
    accepted.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_listener_that_does_not_answer_is_given_up() {
    let deaf = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let error = connect(deaf.local_addr().unwrap(), b"hello", Duration::from_millis(50)).unwrap_err();
    assert!(matches!(&error, ConnectError::Handshake { source: HandshakeError::Io(_), .. }), "{error:?}");
    let address = deaf.local_addr().unwrap();
    drop(deaf);
    let error = connect(address, b"hello", PATIENCE).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot connect to `{address}`: ")), "{error}");
}

#[test]
fn a_listener_that_is_dropped_frees_its_address() {
    let (listener, _accepted) = listen();
    let address = listener.local_addr();
    drop(listener);
    TcpListener::bind(address).unwrap();
}

#[test]
fn a_side_that_falls_silent_is_lost() {
    let (listener, accepted) = listen();
    let (mut quiet, _) = connect(listener.local_addr(), b"hello", PATIENCE).unwrap();
    let (_, stream) = accepted.recv_timeout(PATIENCE).unwrap();
    let heartbeat = Some(Duration::from_millis(50));
    let side = Side::new(stream, LinkOptions { heartbeat, ..LinkOptions::default() });
    assert_eq!(side.is_lost(), LinkError::Silent(Duration::from_millis(200)));
    // In between it has shown that it is alive itself.
    let mut heard = Vec::new();
    quiet.reader.read_to_end(&mut heard).unwrap();
    assert!(heard.len() >= 16 && heard[8] == 9, "{heard:?}");
}

#[test]
fn bytes_that_are_no_frames_end_the_connection() {
    let (listener, accepted) = listen();
    let (mut other, _) = connect(listener.local_addr(), b"hello", PATIENCE).unwrap();
    let (_, stream) = accepted.recv_timeout(PATIENCE).unwrap();
    let side = Side::new(stream, LinkOptions::default());
    other.writer.write_all(b"certainly no frame at all").unwrap();
    assert_eq!(side.is_lost().to_string(), "what came is damaged: the header of a frame is damaged");
    let mut heard = Vec::new();
    other.reader.read_to_end(&mut heard).unwrap();
    assert!(String::from_utf8_lossy(&heard).contains("the header of a frame is damaged"), "{heard:?}");
}
