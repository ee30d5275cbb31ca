//! What is counted of a connection, on both of its sides.
#![cfg(feature = "create")]

use flott_security::{Accepted, Authority, Connector, Entrance, Socket, TlsIdentity, TlsMaterial, Traffic};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);
const REQUEST: &[u8] = &[1; 1000];
const ANSWER: &[u8] = &[2; 200_000];

/// What client and server have counted after a request and an answer.
fn exchange(connector: &Connector, entrance: Entrance) -> [Traffic; 2] {
    let both = [Traffic::default(), Traffic::default()];
    let [at_client, at_server] = both.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let socket = Socket::counted(listener.accept().unwrap().0, at_server);
        let Accepted::Ready(stream) = entrance.accept(socket, PATIENCE).unwrap() else { panic!("it is as asked for") };
        let mut request = vec![0; REQUEST.len()];
        (&stream).read_exact(&mut request).unwrap();
        // Another thread writes.
        let writer = stream.try_clone().unwrap();
        thread::spawn(move || {
            (&writer).write_all(ANSWER).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        })
        .join()
        .unwrap();
    });
    let stream = connector.connect(Socket::counted(TcpStream::connect(address).unwrap(), at_client), PATIENCE).unwrap();
    (&stream).write_all(REQUEST).unwrap();
    let mut answer = Vec::new();
    (&stream).read_to_end(&mut answer).unwrap();
    assert!(answer == ANSWER);
    serving.join().unwrap();
    both
}

#[test]
fn in_clear_every_byte_is_counted_and_none_twice() {
    let [client, server] = exchange(&Connector::open(), Entrance::open());
    assert_eq!((server.received(), server.sent()), (REQUEST.len() as u64, ANSWER.len() as u64));
    assert_eq!((client.sent(), client.received()), (REQUEST.len() as u64, ANSWER.len() as u64));
}

#[test]
fn over_tls_what_is_encrypted_is_counted_and_the_handshake() {
    let authority = Authority::create().unwrap();
    let signed = authority.sign(&[]).unwrap();
    let identity = TlsIdentity { certificate: signed.certificate, key: signed.key };
    let material = TlsMaterial { authority: authority.certificate, identity: Some(identity) };
    let entrance = Entrance::of_processes(&material).unwrap();
    let [client, server] = exchange(&Connector::new(Some(material), None).unwrap(), entrance);
    assert_eq!((server.received(), server.sent()), (client.sent(), client.received()));
    // Each side shows a certificate, and every record has its head and its seal.
    assert!((1300..20_000).contains(&server.received()), "{}", server.received());
    assert!((200_500..220_000).contains(&server.sent()), "{}", server.sent());
}
