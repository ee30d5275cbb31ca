//! Connections over loopback between those who belong together, and those who do not.
#![cfg(feature = "create")]

use flott_security::{Accepted, Authority, CURE_WITHOUT_TLS, Connector, Entrance, Secret, Signed, Stream, TlsIdentity, TlsMaterial};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn material(authority: &Authority, signed: Option<Signed>) -> TlsMaterial {
    let identity = signed.map(|signed| TlsIdentity { certificate: signed.certificate, key: signed.key });
    TlsMaterial { authority: authority.certificate.clone(), identity }
}

fn process(authority: &Authority) -> TlsMaterial {
    material(authority, Some(authority.sign(&[]).unwrap()))
}

/// Both ends of a connection; the client has said `hello` and the server has heard it.
fn connect(server: &TlsMaterial, client: TlsMaterial) -> (io::Result<Stream>, io::Result<Stream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let entrance = Entrance::of_processes(server).unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        match entrance.accept(socket, PATIENCE)? {
            Accepted::Ready(stream) => {
                let mut word = [0; 5];
                (&stream).read_exact(&mut word)?;
                (&stream).write_all(&word)?;
                Ok(stream)
            }
            Accepted::InClear(_) => panic!("it is in clear"),
        }
    });
    let connector = Connector::new(Some(client), None).unwrap();
    let client = connector.connect(TcpStream::connect(address).unwrap(), PATIENCE).and_then(|stream| {
        (&stream).write_all(b"hello")?;
        let mut word = [0; 5];
        (&stream).read_exact(&mut word)?;
        assert_eq!(&word, b"hello");
        Ok(stream)
    });
    (accepting.join().unwrap(), client)
}

#[track_caller]
fn reason(result: io::Result<Stream>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    error.to_string()
}

#[test]
fn processes_of_one_authority_know_each_other_and_clients() {
    let authority = Authority::create().unwrap();
    let (server, client) = connect(&process(&authority), process(&authority));
    assert!(server.unwrap().is_process() && client.unwrap().is_process());
    let (server, client) = connect(&process(&authority), material(&authority, None));
    assert!(!server.unwrap().is_process());
    assert!(client.unwrap().is_process());
}

#[test]
fn who_is_signed_by_another_authority_is_refused_by_either_side() {
    let (ours, theirs) = (Authority::create().unwrap(), Authority::create().unwrap());
    let (_, client) = connect(&process(&theirs), process(&ours));
    assert!(reason(client).contains("not signed by this cluster's authority"));
    // It believes the right authority, and shows the certificate of a wrong one.
    let liar = material(&ours, Some(theirs.sign(&[]).unwrap()));
    let (server, client) = connect(&process(&ours), liar);
    assert!(reason(server).contains("not signed by this cluster's authority"));
    assert!(reason(client).contains("refuses this process's certificate"));
}

#[test]
fn a_certificate_without_the_name_of_a_process_is_none_of_one() {
    let authority = Authority::create().unwrap();
    let other = || material(&authority, Some(authority.sign_names(vec!["localhost".to_owned()]).unwrap()));
    let (_, client) = connect(&other(), process(&authority));
    assert!(reason(client).contains("process.flott.internal"));
    let (server, _) = connect(&process(&authority), other());
    assert!(reason(server).contains("process.flott.internal"));
}

#[test]
fn a_connection_in_clear_is_told_apart_and_one_without_tls_is_named() {
    let authority = Authority::create().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let entrance = Entrance::of_processes(&process(&authority)).unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(&[0x16]).unwrap();
    let accepting = thread::spawn(move || entrance.accept(listener.accept().unwrap().0, PATIENCE).unwrap());
    // The first byte alone could be one of TLS.
    client.write_all(&[0x00, 7]).unwrap();
    let Accepted::InClear(stream) = accepting.join().unwrap() else { panic!("taken for TLS") };
    let mut seen = [0; 3];
    (&stream).read_exact(&mut seen).unwrap();
    assert_eq!(seen, [0x16, 0, 7]);
    assert!(Connector::refused_in_clear().contains(CURE_WITHOUT_TLS));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answering = thread::spawn(move || listener.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap());
    let connector = Connector::new(Some(process(&authority)), Some(Secret::new("canary"))).unwrap();
    assert!(!format!("{connector:?}").contains("canary"));
    let error = connector.connect(TcpStream::connect(address).unwrap(), PATIENCE).unwrap_err().to_string();
    assert!(error.contains("does not speak TLS"), "{error}");
    answering.join().unwrap();
}

#[test]
fn tls_is_not_waited_for_where_none_is_spoken() {
    let authority = Authority::create().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        Entrance::open().accept(socket, PATIENCE).map(|_| ()).unwrap_err().to_string()
    });
    let connector = Connector::new(Some(process(&authority)), None).unwrap();
    let error = connector.connect(TcpStream::connect(address).unwrap(), PATIENCE).unwrap_err().to_string();
    assert!(error.contains("does it speak TLS"), "{error}");
    assert!(accepting.join().unwrap().contains("`security.ssl.internal.enabled` is not set"));
}

#[test]
fn both_directions_are_full_at_once_and_nothing_is_lost() {
    const BYTES: usize = 20 << 20;
    let authority = Authority::create().unwrap();
    let (server, client) = connect(&process(&authority), process(&authority));
    let byte = |at: usize, seed: usize| (at.wrapping_mul(31).wrapping_add(seed) >> 3) as u8;
    let mut threads = Vec::new();
    for (stream, own, other) in [(server.unwrap(), 1, 2), (client.unwrap(), 2, 1)] {
        let reading = stream.try_clone().unwrap();
        threads.push(thread::spawn(move || {
            let bytes: Vec<u8> = (0..BYTES).map(|at| byte(at, own)).collect();
            // Pieces of all sizes, around those of a record, too.
            let mut rest = bytes.as_slice();
            let mut size = 1;
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(size.min(rest.len()));
                (&stream).write_all(piece).unwrap();
                rest = later;
                size = size * 3 % 200_003 + 1;
            }
            stream.shutdown(Shutdown::Write).unwrap();
        }));
        threads.push(thread::spawn(move || {
            let mut bytes = Vec::new();
            (&reading).read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len(), BYTES);
            assert!(bytes.iter().enumerate().all(|(at, found)| *found == byte(at, other)));
        }));
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_silent_side_is_noticed_and_a_gone_one_ends_the_connection() {
    let authority = Authority::create().unwrap();
    let (server, client) = connect(&process(&authority), process(&authority));
    let (server, client) = (server.unwrap(), client.unwrap());
    server.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let error = (&server).read(&mut [0; 8]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    (&client).write_all(b"late").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut word = [0; 4];
    (&server).read_exact(&mut word).unwrap();
    assert_eq!(&word, b"late");
    let reading = server.try_clone().unwrap();
    let waiting = thread::spawn(move || (&reading).read(&mut [0; 8]).unwrap_or(0));
    client.shutdown(Shutdown::Both).unwrap();
    assert_eq!(waiting.join().unwrap(), 0);
}
