//! What stands in the place of TLS in a program that was built without it.

use super::CURE_WITHOUT_TLS;
use crate::{material::TlsMaterial, socket::Socket};
use flott_core::Error;
use std::{io, net::TcpStream, time::Duration};

/// There is none.
#[derive(Debug, Clone)]
pub(crate) enum ClientTls {}

/// There is none.
#[derive(Debug, Clone)]
pub(crate) enum ServerTls {}

/// There is none.
#[derive(Debug)]
pub enum TlsStream {}

fn none() -> Error {
    Error::invalid(format!(
        "this cluster demands TLS (`security.ssl.internal.enabled`), and this program was built without it: {CURE_WITHOUT_TLS}"
    ))
}

impl ClientTls {
    pub(crate) fn new(_: &TlsMaterial) -> Result<Self, Error> {
        Err(none())
    }

    pub(crate) fn connect(&self, _: Socket, _: Duration) -> io::Result<TlsStream> {
        match *self {}
    }
}

impl ServerTls {
    pub(crate) fn new(_: &TlsMaterial) -> Result<Self, Error> {
        Err(none())
    }

    pub(crate) fn accept(&self, _: Socket, _: Duration) -> io::Result<TlsStream> {
        match *self {}
    }
}

impl TlsStream {
    pub(crate) fn socket(&self) -> &TcpStream {
        match *self {}
    }

    pub(crate) fn is_process(&self) -> bool {
        match *self {}
    }

    pub(crate) fn finish_writing(&self) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn write(&self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use crate::{Connector, TlsMaterial};

    #[test]
    fn who_lacks_tls_where_it_is_demanded_is_told_the_cure() {
        let error = Connector::new(Some(TlsMaterial { authority: String::new(), identity: None }), None).unwrap_err().to_string();
        assert!(error.contains("features = [\"tls\"]"), "{error}");
        assert!(Connector::refused_in_clear().contains("features = [\"tls\"]"));
    }
}
