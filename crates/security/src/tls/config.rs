//! Who is believed, and what is shown: configurations of `rustls`.

use super::{PROCESS_NAME, stream::TlsStream};
use crate::{
    material::{TlsIdentity, TlsMaterial},
    socket::Socket,
};
use flott_core::Error;
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    client::Resumption,
    crypto::{
        CryptoProvider,
        ring::{self, cipher_suite},
    },
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use std::{io, sync::Arc, time::Duration};

/// The ciphers of TLS 1.3. The one that costs least comes first.
fn provider() -> Arc<CryptoProvider> {
    let cipher_suites =
        vec![cipher_suite::TLS13_AES_128_GCM_SHA256, cipher_suite::TLS13_AES_256_GCM_SHA384, cipher_suite::TLS13_CHACHA20_POLY1305_SHA256];
    Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() })
}

fn damaged(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::invalid(format!("the {what} cannot be used: {error}; it must be PEM, as `flott security init` writes it"))
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|error| damaged(what, &error))?;
    if found.is_empty() { Err(damaged(what, &"there is no certificate in it")) } else { Ok(found) }
}

fn roots(material: &TlsMaterial) -> Result<RootCertStore, Error> {
    let what = "certificate of the authority (`security.ssl.internal.authority`)";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&material.authority, what)? {
        roots.add(certificate).map_err(|error| damaged(what, &error))?;
    }
    Ok(roots)
}

type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn shown(identity: &TlsIdentity) -> Result<Shown, Error> {
    // What the parser says of a key is kept out of the error: it could be the key.
    let key =
        PrivateKeyDer::from_pem_slice(identity.key.expose().as_bytes()).map_err(|_| damaged("private key", &"there is none in it"))?;
    Ok((certificates(&identity.certificate, "certificate")?, key))
}

/// How this process connects.
#[derive(Debug, Clone)]
pub(crate) struct ClientTls(Arc<ClientConfig>);

impl ClientTls {
    pub(crate) fn new(material: &TlsMaterial) -> Result<Self, Error> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| damaged("TLS configuration", &error))?
            .with_root_certificates(roots(material)?);
        let mut config = match &material.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (certificates, key) = shown(identity)?;
                builder.with_client_auth_cert(certificates, key).map_err(|error| damaged("certificate and key", &error))?
            }
        };
        config.resumption = Resumption::disabled();
        Ok(ClientTls(Arc::new(config)))
    }

    /// Connects to a process of the cluster: which one it is, its address says, that it is one, its certificate.
    pub(crate) fn connect(&self, socket: Socket, timeout: Duration) -> io::Result<TlsStream> {
        let name = ServerName::try_from(PROCESS_NAME).map_err(io::Error::other)?;
        let connection = ClientConnection::new(self.0.clone(), name).map_err(io::Error::other)?;
        TlsStream::start(socket, Connection::Client(connection), timeout)
    }
}

fn server_builder() -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, Error> {
    let builder = ServerConfig::builder_with_provider(provider());
    builder.with_protocol_versions(&[&TLS13]).map_err(|error| damaged("TLS configuration", &error))
}

/// How this process takes connections.
#[derive(Debug, Clone)]
pub(crate) struct ServerTls(Arc<ServerConfig>);

impl ServerTls {
    pub(crate) fn new(material: &TlsMaterial) -> Result<Self, Error> {
        let identity = material.identity.as_ref().ok_or_else(|| damaged("certificate", &"there is none"))?;
        // Clients show none; whoever shows one must be signed by the authority.
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(material)?), provider()).allow_unauthenticated();
        let verifier = verifier.build().map_err(|error| damaged("certificate of the authority", &error))?;
        let (certificates, key) = shown(identity)?;
        let builder = server_builder()?.with_client_cert_verifier(verifier);
        let mut config = builder.with_single_cert(certificates, key).map_err(|error| damaged("certificate and key", &error))?;
        config.send_tls13_tickets = 0;
        Ok(ServerTls(Arc::new(config)))
    }

    pub(crate) fn accept(&self, socket: Socket, timeout: Duration) -> io::Result<TlsStream> {
        let connection = ServerConnection::new(self.0.clone()).map_err(io::Error::other)?;
        TlsStream::start(socket, Connection::Server(connection), timeout)
    }
}

/// How the REST server takes connections: it shows `identity`, and asks for no certificate.
///
/// # Errors
/// Certificate or key cannot be used.
pub fn server_config_for_rest(identity: &TlsIdentity) -> Result<Arc<ServerConfig>, Error> {
    let (certificates, key) = shown(identity)?;
    let builder = server_builder()?.with_no_client_auth();
    let mut config = builder.with_single_cert(certificates, key).map_err(|error| damaged("certificate and key", &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
