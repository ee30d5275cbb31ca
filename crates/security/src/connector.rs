//! What a process shows when it connects.

use crate::{
    files,
    material::TlsMaterial,
    socket::Socket,
    stream::Stream,
    tls::{CURE_WITHOUT_TLS, ClientTls},
};
use flott_core::{
    Error,
    config::{Configuration, options},
    secret::Secret,
};
use std::{io, path::Path, sync::Arc, time::Duration};

/// How this process connects to others of the cluster.
#[derive(Debug, Clone, Default)]
pub struct Connector {
    tls: Option<ClientTls>,
    material: Option<Arc<TlsMaterial>>,
    token: Option<Secret>,
}

impl Connector {
    /// In clear, as nobody in particular.
    pub fn open() -> Self {
        Connector::default()
    }

    /// With `material` over TLS, and with `token`, as far as there are such.
    ///
    /// # Errors
    /// The material is damaged, or this program was built without TLS.
    pub fn new(material: Option<TlsMaterial>, token: Option<Secret>) -> Result<Self, Error> {
        let tls = material.as_ref().map(ClientTls::new).transpose()?;
        Ok(Connector { tls, material: material.map(Arc::new), token })
    }

    /// As a process of the cluster, as configured.
    ///
    /// # Errors
    /// A setting is missing, or a file cannot be used.
    pub fn of_process(config: &Configuration) -> Result<Self, Error> {
        Connector::new(TlsMaterial::of_process(config)?, None)
    }

    /// As a client, as configured.
    ///
    /// # Errors
    /// A setting is missing, or a file cannot be used.
    pub fn of_client(config: &Configuration) -> Result<Self, Error> {
        let token = match (config.get(&options::SECURITY_TOKEN)?, config.get(&options::SECURITY_TOKEN_FILE)?) {
            (Some(token), _) => Some(token),
            (None, Some(path)) => {
                let text = files::read_private(Path::new(&path), options::SECURITY_TOKEN_FILE.key())?;
                Some(Secret::new(text.trim()))
            }
            (None, None) => None,
        };
        Connector::new(TlsMaterial::of_client(config)?, token)
    }

    /// What is shown and believed, for a process that this one starts.
    pub fn material(&self) -> Option<&TlsMaterial> {
        self.material.as_deref()
    }

    /// The token to show.
    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Puts a fresh connection to work; `timeout` holds for all of the handshake.
    ///
    /// # Errors
    /// The other side does not belong to the cluster ([`io::ErrorKind::PermissionDenied`]), or the connection failed.
    pub fn connect(&self, socket: impl Into<Socket>, timeout: Duration) -> io::Result<Stream> {
        match &self.tls {
            None => Ok(Stream::Plain(socket.into())),
            Some(tls) => tls.connect(socket.into(), timeout).map(|stream| Stream::Tls(Arc::new(stream))),
        }
    }

    /// What to tell a user whose connection was refused because it is in clear.
    pub fn refused_in_clear() -> String {
        format!(
            "this cluster takes encrypted connections alone: where this was started, set `security.ssl.internal.enabled` to `true` and \
             `security.ssl.internal.authority` to the file with the certificate of the cluster's authority, in the configuration or with `-D`; \
             if it is a program of yours rather than the command `flott` that was refused, also {CURE_WITHOUT_TLS}"
        )
    }
}
