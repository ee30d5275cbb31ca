//! What a listener asks of those who connect.

use crate::{material::TlsMaterial, role::Caller, socket::Socket, stream::Stream, tls::ServerTls, tokens::Tokens};
use flott_core::{
    Error,
    config::{Configuration, options},
    secret::Secret,
};
use std::{
    io,
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Between two looks at a connection that has not sent enough to tell what it is.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What a listener of the cluster asks of those who connect.
#[derive(Debug, Clone, Default)]
pub struct Entrance {
    tls: Option<ServerTls>,
    authority: Option<String>,
    tokens: Option<Tokens>,
}

/// Who has connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A process of the cluster.
    Process,
    /// A client.
    Client(Caller),
}

/// A connection that was taken.
#[derive(Debug)]
pub enum Accepted {
    /// As it has to be.
    Ready(Stream),
    /// It is in clear and must not be: it can be told so, and nothing else.
    InClear(Stream),
}

impl Entrance {
    /// Asks nothing.
    pub fn open() -> Self {
        Entrance::default()
    }

    /// As configured.
    ///
    /// # Errors
    /// A setting is missing, a file cannot be used, or this program was built without TLS.
    pub fn from_configuration(config: &Configuration) -> Result<Self, Error> {
        let material = TlsMaterial::of_process(config)?;
        let tls = material.as_ref().map(ServerTls::new).transpose()?;
        let tokens = config.get(&options::SECURITY_TOKENS_FILE)?.map(|path| Tokens::open(Path::new(&path))).transpose()?;
        if tokens.is_some() && tls.is_none() {
            return Err(Error::invalid(format!(
                "`{}` needs `{}` as well: where processes do not show certificates, anybody could act as one",
                options::SECURITY_TOKENS_FILE.key(),
                options::SSL_INTERNAL_ENABLED.key()
            )));
        }
        Ok(Entrance { tls, authority: material.map(|material| material.authority), tokens })
    }

    /// Takes processes that show certificates, and nobody else.
    ///
    /// # Errors
    /// The material is damaged, or this program was built without TLS.
    pub fn of_processes(material: &TlsMaterial) -> Result<Self, Error> {
        Ok(Entrance { tls: Some(ServerTls::new(material)?), authority: Some(material.authority.clone()), tokens: None })
    }

    /// The tokens of clients, if they are asked for some.
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// The certificate of the authority whose processes are let in, PEM.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// The settings without which an address that other machines reach is not opened.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if self.tls.is_none() {
            missing.push(options::SSL_INTERNAL_ENABLED.key());
        }
        if self.tokens.is_none() {
            missing.push(options::SECURITY_TOKENS_FILE.key());
        }
        missing
    }

    /// Refuses an address that other machines reach unless whoever comes is asked who they are. `option` leads to the address.
    ///
    /// # Errors
    /// The address, what is missing, and what else can be done.
    pub fn check_listen(&self, address: SocketAddr, option: &str) -> Result<(), Error> {
        refuse_listen(address, option, &self.missing())
    }

    /// Puts a connection to work; `timeout` holds for all of the handshake.
    ///
    /// # Errors
    /// The other side does not belong to the cluster, or the connection failed.
    pub fn accept(&self, socket: impl Into<Socket>, timeout: Duration) -> io::Result<Accepted> {
        let (socket, deadline) = (socket.into(), Instant::now() + timeout);
        let speaks_tls = begins_as_tls(socket.tcp(), deadline)?;
        let Some(tls) = &self.tls else {
            return match speaks_tls {
                false => Ok(Accepted::Ready(Stream::Plain(socket))),
                // It would wait for an answer in vain.
                true => {
                    Err(io::Error::new(io::ErrorKind::InvalidData, "it speaks TLS, and here `security.ssl.internal.enabled` is not set"))
                }
            };
        };
        if !speaks_tls {
            return Ok(Accepted::InClear(Stream::Plain(socket)));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        Ok(Accepted::Ready(Stream::Tls(Arc::new(tls.accept(socket, left)?))))
    }

    /// Who is on the other side of `stream` and shows `token`.
    ///
    /// # Errors
    /// They show nothing, or nothing that is known; what to do about it.
    pub fn authenticate(&self, stream: &Stream, token: Option<&Secret>) -> Result<Who, &'static str> {
        if stream.is_process() {
            return Ok(Who::Process);
        }
        match (&self.tls, &self.tokens, token) {
            (None, _, _) => Ok(Who::Process),
            (Some(_), None, _) => Ok(Who::Client(Caller::anyone())),
            (Some(_), Some(tokens), Some(token)) => tokens
                .authenticate(token)
                .map(Who::Client)
                .ok_or("the token is not known here, or not any more: `flott security token` makes one"),
            (Some(_), Some(_), None) => {
                Err("this cluster asks its clients for a token: set `security.token.file` to a file with one, or the environment variable \
                 `FLOTT_SECURITY_TOKEN`")
            }
        }
    }
}

/// Refuses an address that other machines reach while settings are missing.
///
/// # Errors
/// The address, what is missing, and what else can be done.
pub fn refuse_listen(address: SocketAddr, option: &str, missing: &[&str]) -> Result<(), Error> {
    if address.ip().is_loopback() || missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = missing.iter().map(|key| format!("`{key}`")).collect();
    Err(Error::invalid(format!(
        "`{address}` can be reached from other machines, which needs authentication and encryption: set {} (`flott security init` makes \
         what they need and prints the lines), or set `{option}` to a loopback address",
        missing.join(" and ")
    )))
}

/// The settings without which the REST server does not listen where other machines reach it.
///
/// # Errors
/// A value is none for its option.
pub fn missing_for_rest(config: &Configuration) -> Result<Vec<&'static str>, Error> {
    let mut missing = Vec::new();
    if !config.get(&options::SSL_REST_ENABLED)? {
        missing.push(options::SSL_REST_ENABLED.key());
    }
    if config.get(&options::SECURITY_TOKENS_FILE)?.is_none() {
        missing.push(options::SECURITY_TOKENS_FILE.key());
    }
    Ok(missing)
}

/// Looks at the first bytes of a connection and leaves them where they are: whether a handshake of TLS begins there. A message of
/// the cluster in clear could only look so if it had 66 326 bytes, and a certain checksum.
fn begins_as_tls(stream: &TcpStream, deadline: Instant) -> io::Result<bool> {
    let mut first = [0; 6];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it said nothing"));
        }
        stream.set_read_timeout(Some(left))?;
        let seen = stream.peek(&mut first)?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // A record of a handshake, of some version 3, with the first message of a client in it.
        let fits = |at: usize, wanted: &dyn Fn(u8) -> bool| seen <= at || wanted(first[at]);
        let is_tls =
            fits(0, &|byte| byte == 0x16) && fits(1, &|byte| byte == 3) && fits(2, &|byte| byte <= 4) && fits(5, &|byte| byte == 1);
        if !is_tls || seen == first.len() {
            stream.set_read_timeout(None)?;
            return Ok(is_tls);
        }
        thread::sleep(LOOK_AGAIN);
    }
}
