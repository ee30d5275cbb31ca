//! A few questions to the REST server.

use flott_core::{
    Error, ErrorKind,
    config::{Configuration, Origin, options},
};
use flott_security::Connector;
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// After which a server that says nothing counts as gone.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A REST server.
pub(crate) struct Rest {
    address: String,
    encrypted: bool,
    security: Connector,
}

impl Rest {
    /// The one at `given`: `host:port`, or with `http://` or `https://` before it; or else where the configuration says. Without a
    /// scheme, it is encrypted if the configuration says so of REST, or else of the cluster.
    ///
    /// # Errors
    /// The configuration does not say whom to believe, or holds a token that cannot be read.
    pub(crate) fn new(given: Option<&str>, config: &Configuration) -> Result<Self, Error> {
        let security = Connector::of_client(config)?;
        let address = match given {
            Some(address) => address.to_owned(),
            None => format!("{}:{}", config.get(&options::REST_BIND_ADDRESS)?, config.get(&options::REST_PORT)?),
        };
        let address = address.as_str();
        let (scheme, address) = address.split_once("://").map_or((None, address), |(scheme, rest)| (Some(scheme), rest));
        let encrypted = match scheme {
            Some("https") => true,
            Some("http") => false,
            Some(other) => return Err(Error::invalid(format!("`{other}://` is no way to a REST server: give `http://` or `https://`"))),
            None if config.origin(options::SSL_REST_ENABLED.key()) != Origin::Default => config.get(&options::SSL_REST_ENABLED)?,
            None => security.is_encrypted(),
        };
        if encrypted && !security.is_encrypted() {
            return Err(Error::invalid(
                "an encrypted REST server is believed by the certificate of the cluster's authority: set `security.ssl.internal.enabled` and \
                 `security.ssl.internal.authority`",
            ));
        }
        Ok(Rest { address: address.trim_end_matches('/').to_owned(), encrypted, security })
    }

    /// `GET path`.
    ///
    /// # Errors
    /// Nobody answers there, or the answer is none that can be used.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Error> {
        self.send("GET", path, None)
    }

    /// Sends `body` to `path`.
    ///
    /// # Errors
    /// As [`Rest::get`].
    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        match self.call(method, path, body)? {
            (200 | 202, value) => Ok(value),
            (_, value) => Err(self.refused(path, &value)),
        }
    }

    /// What it means that the answer is not what was asked for.
    pub(crate) fn refused(&self, path: &str, answer: &Value) -> Error {
        let reason = answer["errors"][0].as_str().unwrap_or("it does not say why");
        Error::new(ErrorKind::Unavailable, format!("the REST server at `{}` refuses `{path}`: {reason}", self.address))
    }

    /// Sends `body` to `path`; gives the status and what was answered, whatever it is.
    ///
    /// # Errors
    /// Nobody answers there, or the answer is no JSON.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), Error> {
        let gone = |error: std::io::Error| {
            let (address, how) = (&self.address, if self.encrypted { "over TLS " } else { "" });
            let text = format!(
                "no REST server answers {how}at `{address}`: is the cluster running? Set `rest.port`, or give `--rest`, with `http://` or \
                 `https://` before the address if it is the other"
            );
            Error::new(ErrorKind::Unavailable, text).with_source(error)
        };
        let answer = self.ask(method, path, body).map_err(gone)?;
        let strange = || {
            Error::new(
                ErrorKind::Unavailable,
                format!(
                    "what answers at `{}` is no REST server of Flott, or one that is reached otherwise (`http://`, `https://`)",
                    self.address
                ),
            )
        };
        let (head, answered) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(strange)?;
        let value = serde_json::from_str(answered).map_err(|_| strange())?;
        Ok((status, value))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<String> {
        let mut request = format!("{method} {path} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\n", self.address);
        let body = body.map(Value::to_string).unwrap_or_default();
        if method != "GET" {
            request.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        let mut last = std::io::Error::other("the name leads nowhere");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => return self.ask_on(stream, &request, &body),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends `head`, which lacks the token and its end, and `body`.
    fn ask_on(&self, socket: TcpStream, head: &str, body: &str) -> std::io::Result<String> {
        let token = self.security.token();
        if token.is_some() && !self.encrypted && !socket.peer_addr()?.ip().is_loopback() {
            return Err(std::io::Error::other("a token is sent to another machine over TLS alone"));
        }
        socket.set_read_timeout(Some(TIMEOUT))?;
        let authorization = token.map(|token| format!("Authorization: Bearer {}\r\n", token.expose())).unwrap_or_default();
        // HTTP/1.0: the answer comes in one piece, and ends with the connection.
        let request = format!("{head}{authorization}\r\n{body}");
        if !self.encrypted {
            return answer(&socket, &request);
        }
        let stream = self.security.connect(socket, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        answer(&stream, &request)
    }
}

fn answer<S>(stream: S, request: &str) -> std::io::Result<String>
where
    S: Copy + Read + Write,
{
    let (mut writer, mut reader) = (stream, stream);
    writer.write_all(request.as_bytes())?;
    writer.flush()?;
    let mut answer = Vec::new();
    match reader.read_to_end(&mut answer) {
        // A server may end a connection without a word; whether all came, the JSON tells.
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof || answer.is_empty() => Err(error),
        _ => String::from_utf8(answer).map_err(std::io::Error::other),
    }
}
