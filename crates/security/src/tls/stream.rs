//! An encrypted connection that one thread reads while another writes.
//!
//! Both share what `rustls` knows of the connection, which is locked while bytes are encrypted or decrypted, and never while a thread
//! waits for the network. Who reads sends nothing, so that two processes that both wait for room never wait for each other: what TLS
//! itself has to answer goes out with the next write.

use super::PROCESS_NAME;
use crate::socket::Socket;
use rustls::{
    AlertDescription, CertificateError, Connection, client::verify_server_name, pki_types::ServerName, server::ParsedCertificate,
};
use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;
/// How long the other side may take to read why it was refused.
const LINGER: Duration = Duration::from_secs(1);

const ENDED: &str = "the other side ended the connection during the TLS handshake: does it speak TLS, that is, is `security.ssl.internal.enabled` set there?";

/// What has been received and was not decrypted yet.
struct Received {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

/// An encrypted connection.
pub struct TlsStream {
    socket: Socket,
    connection: Mutex<Connection>,
    /// Locked by who reads.
    received: Mutex<Received>,
    /// Locked by who writes, so that records go out in their order.
    sending: Mutex<Vec<u8>>,
    is_process: bool,
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("socket", &self.socket).field("is_process", &self.is_process).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TlsStream {
    /// Makes the handshake, which may take `timeout`.
    pub(super) fn start(socket: Socket, mut connection: Connection, timeout: Duration) -> io::Result<Self> {
        handshake(&socket, &mut connection, timeout)?;
        let shown = connection.peer_certificates().and_then(|certificates| certificates.first());
        let is_process = shown.is_some_and(|certificate| {
            let name = ServerName::try_from(PROCESS_NAME);
            let parsed = ParsedCertificate::try_from(certificate);
            matches!((parsed, name), (Ok(parsed), Ok(name)) if verify_server_name(&parsed, &name).is_ok())
        });
        if shown.is_some() && !is_process {
            linger(&socket);
            return Err(io::Error::new(
                ErrorKind::PermissionDenied,
                format!("the certificate of the other side is not one of a process of the cluster: it lacks the name `{PROCESS_NAME}`"),
            ));
        }
        let received = Received { bytes: vec![0; READ_BYTES].into_boxed_slice(), start: 0, end: 0 };
        Ok(TlsStream { socket, connection: Mutex::new(connection), received: Mutex::new(received), sending: Mutex::default(), is_process })
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.socket.tcp()
    }

    pub(crate) fn is_process(&self) -> bool {
        self.is_process
    }

    /// Waits for bytes; none at the end of the connection. That it ended without a last word says no more than with TCP: what is sent
    /// here has its own lengths.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let received = &mut *lock(&self.received);
        loop {
            let filled = self.decrypt(received, buffer)?;
            match filled {
                Decrypted::Bytes(0) => {}
                Decrypted::Bytes(filled) => return Ok(filled),
                Decrypted::End => return Ok(0),
            }
            let read = (&self.socket).read(&mut received.bytes)?;
            if read == 0 {
                return Ok(0);
            }
            (received.start, received.end) = (0, read);
        }
    }

    /// Decrypts what there is, as far as `buffer` has room.
    fn decrypt(&self, received: &mut Received, buffer: &mut [u8]) -> io::Result<Decrypted> {
        let mut connection = lock(&self.connection);
        let mut filled = 0;
        loop {
            while filled < buffer.len() {
                match connection.reader().read(&mut buffer[filled..]) {
                    Ok(0) if filled == 0 => return Ok(Decrypted::End),
                    Ok(0) => return Ok(Decrypted::Bytes(filled)),
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            if filled == buffer.len() || received.start == received.end {
                return Ok(Decrypted::Bytes(filled));
            }
            let mut rest = &received.bytes[received.start..received.end];
            received.start += connection.read_tls(&mut rest)?;
            connection.process_new_packets().map_err(explain)?;
        }
    }

    /// Encrypts as much of `bytes` as goes out at once, and sends it.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let sending = &mut *lock(&self.sending);
        let written = {
            let mut connection = lock(&self.connection);
            let written = connection.writer().write(bytes)?;
            while connection.wants_write() {
                connection.write_tls(sending)?;
            }
            written
        };
        self.send(sending)?;
        Ok(written)
    }

    /// The other side reads to the end of what was written, and no more comes.
    pub(crate) fn finish_writing(&self) -> io::Result<()> {
        let sending = &mut *lock(&self.sending);
        {
            let mut connection = lock(&self.connection);
            connection.send_close_notify();
            while connection.wants_write() {
                connection.write_tls(sending)?;
            }
        }
        self.send(sending)?;
        self.socket().shutdown(Shutdown::Write)
    }

    fn send(&self, sending: &mut Vec<u8>) -> io::Result<()> {
        let sent = (&self.socket).write_all(sending);
        sending.clear();
        if sent.is_err() {
            // A part of a record may be out: nothing that followed could be read.
            let _ = self.socket().shutdown(Shutdown::Both);
        }
        sent
    }
}

enum Decrypted {
    Bytes(usize),
    End,
}

fn handshake(socket: &Socket, connection: &mut Connection, timeout: Duration) -> io::Result<()> {
    let deadline = Instant::now() + timeout;
    while connection.is_handshaking() || connection.wants_write() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(ErrorKind::TimedOut, "the TLS handshake took too long"));
        }
        socket.tcp().set_read_timeout(Some(left))?;
        socket.tcp().set_write_timeout(Some(left))?;
        if connection.wants_write() {
            connection.write_tls(&mut &*socket)?;
            continue;
        }
        let read = connection.read_tls(&mut &*socket).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => {
                io::Error::new(ErrorKind::TimedOut, "the other side did not answer the TLS handshake in time: does it speak TLS?")
            }
            ErrorKind::ConnectionReset => io::Error::new(ErrorKind::ConnectionReset, ENDED),
            _ => error,
        })?;
        if read == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, ENDED));
        }
        if let Err(error) = connection.process_new_packets() {
            // The alert, which tells the other side why.
            let _ = connection.write_tls(&mut &*socket);
            linger(socket);
            return Err(explain(error));
        }
    }
    socket.tcp().set_read_timeout(None)?;
    socket.tcp().set_write_timeout(None)
}

/// Ends a connection so that the other side still reads what was sent to it: what it has sent itself is read until it has.
fn linger(socket: &Socket) {
    let deadline = Instant::now() + LINGER;
    let mut dropped = [0; 4096];
    // Whatever fails here, the connection is over.
    let _ = socket.tcp().shutdown(Shutdown::Write);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.tcp().set_read_timeout(Some(left)).is_err() {
            return;
        }
        match (&mut &*socket).read(&mut dropped) {
            Ok(read) if read > 0 => {}
            _ => return,
        }
    }
}

/// What went wrong, and what to do about it.
fn explain(error: rustls::Error) -> io::Error {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage, NoCertificatesPresented};
    let (kind, text) = match &error {
        InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => (
            ErrorKind::PermissionDenied,
            "the certificate of the other side is not signed by this cluster's authority (`security.ssl.internal.authority`)".to_owned(),
        ),
        InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => (
            ErrorKind::PermissionDenied,
            format!("the certificate of the other side is not one of a process of the cluster: it lacks the name `{PROCESS_NAME}`"),
        ),
        InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => (
            ErrorKind::PermissionDenied,
            "the certificate of the other side has expired: `flott security renew` makes a new one".to_owned(),
        ),
        InvalidCertificate(_) | NoCertificatesPresented => {
            (ErrorKind::PermissionDenied, format!("the certificate of the other side is refused: {error}"))
        }
        AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied,
        ) => (
            ErrorKind::PermissionDenied,
            format!(
                "the other side refuses this process's certificate ({error}): it must be signed by the cluster's authority and be valid \
                 (`security.ssl.internal.certificate`)"
            ),
        ),
        InvalidMessage(_) => (ErrorKind::InvalidData, format!("the other side does not speak TLS: {error}")),
        _ => (ErrorKind::InvalidData, format!("TLS failed: {error}")),
    };
    io::Error::new(kind, text)
}
