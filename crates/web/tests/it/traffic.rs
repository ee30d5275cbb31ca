//! What goes over the server's connections is counted.

use crate::{
    client::{Answer, answer_of, send_over},
    fake::Served,
};
use flott_security::{Authority, Socket, TlsIdentity, Traffic, server_config_for_rest};
use std::{
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

/// What a client counts is what the server does, which may note the last bytes a moment later.
#[track_caller]
fn agree(server: &Traffic, client: &Traffic) {
    let until = Instant::now() + Duration::from_secs(20);
    let sides = || [(server.received(), server.sent()), (client.sent(), client.received())];
    while sides()[0] != sides()[1] && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    let [at_server, at_client] = sides();
    assert_eq!(at_server, at_client);
}

#[test]
fn a_call_in_clear_counts_with_its_head() {
    let (server, client) = (Traffic::default(), Traffic::default());
    let served = Served::with(|options| options.traffic = server.clone());
    let socket = Socket::counted(TcpStream::connect(served.address()).unwrap(), client.clone());
    let answer: Answer = answer_of(&send_over(&mut &socket, "GET", "/overview", &[], b""), "/overview");
    assert_eq!(answer.status, 200);
    agree(&server, &client);
    assert!(client.received() > answer.body.len() as u64);
}

#[test]
fn a_call_over_tls_counts_as_it_is_encrypted() {
    let authority = Authority::create().unwrap();
    let signed = authority.sign(&["localhost".to_owned()]).unwrap();
    let config = server_config_for_rest(&TlsIdentity { certificate: signed.certificate, key: signed.key }).unwrap();
    let (server, client) = (Traffic::default(), Traffic::default());
    let served = Served::with(|options| (options.tls, options.traffic) = (Some(config.clone()), server.clone()));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate.as_bytes()).unwrap()).unwrap();
    let provider = config.crypto_provider().clone();
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let socket = Socket::counted(TcpStream::connect(served.address()).unwrap(), client.clone());
    let answer = answer_of(&send_over(&mut StreamOwned::new(connection, &socket), "GET", "/overview", &[], b""), "/overview");
    assert_eq!(answer.status, 200);
    agree(&server, &client);
    assert!(client.received() > answer.body.len() as u64 + 500, "the certificate counts: {client:?}");
}
