//! Exchanges over TLS: who does not belong to the cluster does not get as far as a hello.

use flott_cluster::exchange::Encrypted;
use flott_net::{Clear, Transport};
use flott_security::{Authority, Connector, Entrance, TlsIdentity, TlsMaterial};
use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn process(authority: &Authority) -> TlsMaterial {
    let signed = authority.sign(&[]).unwrap();
    TlsMaterial {
        authority: authority.certificate.clone(),
        identity: Some(TlsIdentity { certificate: signed.certificate, key: signed.key }),
    }
}

fn worker(material: TlsMaterial) -> Encrypted {
    let entrance = Entrance::of_processes(&material).unwrap();
    Encrypted::new(Connector::new(Some(material), None).unwrap(), entrance)
}

/// What the worker says of a connection that `other` makes, which sends `hello` and expects it back.
fn meet(own: Encrypted, other: &dyn Transport) -> Result<(), ErrorKind> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = thread::spawn(move || {
        let mut stream = own.accepted(listener.accept().unwrap().0, PATIENCE).map_err(|error| error.kind())?;
        let mut word = [0; 8];
        stream.reader.read_exact(&mut word).map_err(|error| error.kind())?;
        stream.writer.write_all(&word).map_err(|error| error.kind())
    });
    // Whoever is refused finds out now or later.
    if let Ok(mut stream) = other.connecting(TcpStream::connect(address).unwrap(), PATIENCE) {
        let _ = stream.writer.write_all(b"FLOTTNET").and_then(|()| stream.reader.read_exact(&mut [0; 8]));
    }
    accepting.join().unwrap()
}

#[test]
fn workers_of_a_cluster_meet_and_others_are_turned_away() {
    let (ours, theirs) = (Authority::create().unwrap(), Authority::create().unwrap());
    assert_eq!(meet(worker(process(&ours)), &worker(process(&ours))), Ok(()));
    assert_eq!(meet(worker(process(&ours)), &Clear), Err(ErrorKind::PermissionDenied));
    // A client of the cluster believes its authority, and shows nothing.
    let client = TlsMaterial { identity: None, ..process(&ours) };
    let client = Encrypted::new(Connector::new(Some(client), None).unwrap(), Entrance::open());
    assert_eq!(meet(worker(process(&ours)), &client), Err(ErrorKind::PermissionDenied));
    let liar = TlsMaterial { authority: ours.certificate.clone(), ..process(&theirs) };
    let liar = Encrypted::new(Connector::new(Some(liar), None).unwrap(), Entrance::open());
    assert_eq!(meet(worker(process(&ours)), &liar), Err(ErrorKind::PermissionDenied));
}

#[test]
fn records_in_clear_stay_on_this_machine() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let settings = flott_cluster::exchange::ExchangeSettings::new(flott_core::id::JobId(1), Vec::new(), listen);
    let clock = Arc::new(flott_cluster::SystemClock::default());
    let error = flott_cluster::exchange::NetworkExchange::start(settings, clock, Arc::new(|_| ())).unwrap_err().to_string();
    assert!(error.contains("`security.ssl.internal.enabled`"), "{error}");
}
