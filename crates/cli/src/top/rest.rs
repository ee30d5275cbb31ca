//! A few questions to the REST server.

use flott_core::{
    Error, ErrorKind, Secret,
    config::{Configuration, options},
};
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::{IpAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

/// After which a server that says nothing counts as gone.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A REST server.
pub(crate) struct Rest {
    address: String,
    token: Option<Secret>,
}

/// Where the REST server is: `given`, or as configured.
///
/// # Errors
/// An option has a value that makes no sense.
pub(crate) fn address(config: &Configuration, given: Option<&str>) -> Result<String, Error> {
    match given {
        Some(address) => Ok(address.to_owned()),
        None => Ok(format!("{}:{}", config.get(&options::REST_BIND_ADDRESS)?, config.get(&options::REST_PORT)?)),
    }
}

impl Rest {
    /// The one at `address`, `host:port`.
    pub(crate) fn new(address: String) -> Self {
        Rest { address, token: None }
    }

    /// Shows `token`, if there is one, to a server on this machine; nobody else is to read it on its way.
    pub(crate) fn with_token(self, token: Option<Secret>) -> Self {
        Rest { token, ..self }
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
        let gone = |error: std::io::Error| {
            let text = format!("no REST server answers at `{}`: is the cluster running? Set `rest.port`, or give `--rest`", self.address);
            Error::new(ErrorKind::Unavailable, text).with_source(error)
        };
        let answer = self.ask(method, path, body).map_err(gone)?;
        let strange = || Error::new(ErrorKind::Unavailable, format!("what answers at `{}` is no REST server of Flott", self.address));
        let (head, answered) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        let value: Value = serde_json::from_str(answered).map_err(|_| strange())?;
        if matches!(status, "200" | "202") {
            return Ok(value);
        }
        let reason = value["errors"][0].as_str().unwrap_or("it does not say why");
        Err(Error::new(ErrorKind::Unavailable, format!("the REST server at `{}` refuses `{path}`: {reason}", self.address)))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<String> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut last = std::io::Error::other("the name leads nowhere");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(mut stream) => {
                    stream.set_read_timeout(Some(TIMEOUT))?;
                    // HTTP/1.0: the answer comes in one piece, and ends with the connection.
                    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\n", self.address)?;
                    if let Some(token) = self.token.as_ref().filter(|_| is_here(address.ip())) {
                        write!(stream, "Authorization: Bearer {}\r\n", token.expose())?;
                    }
                    if method != "GET" {
                        write!(stream, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())?;
                    }
                    write!(stream, "\r\n{body}")?;
                    let mut answer = String::new();
                    stream.read_to_string(&mut answer)?;
                    return Ok(answer);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Whether what is sent there does not leave this machine.
fn is_here(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
