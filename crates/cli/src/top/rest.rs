//! A few questions to the REST server.

use flott_core::{Error, ErrorKind};
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
}

impl Rest {
    /// The one at `address`, `host:port`.
    pub(crate) fn new(address: String) -> Self {
        Rest { address }
    }

    /// `GET path`.
    ///
    /// # Errors
    /// Nobody answers there, or the answer is none that can be used.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Error> {
        let gone = |error: std::io::Error| {
            let text = format!("no REST server answers at `{}`: is the cluster running? Set `rest.port`, or give `--rest`", self.address);
            Error::new(ErrorKind::Unavailable, text).with_source(error)
        };
        let answer = self.ask(path).map_err(gone)?;
        let strange = || Error::new(ErrorKind::Unavailable, format!("what answers at `{}` is no REST server of Flott", self.address));
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        let value: Value = serde_json::from_str(body).map_err(|_| strange())?;
        if status == "200" {
            return Ok(value);
        }
        let reason = value["errors"][0].as_str().unwrap_or("it does not say why");
        Err(Error::new(ErrorKind::Unavailable, format!("the REST server at `{}` refuses `{path}`: {reason}", self.address)))
    }

    fn ask(&self, path: &str) -> std::io::Result<String> {
        let mut last = std::io::Error::other("the name leads nowhere");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(mut stream) => {
                    stream.set_read_timeout(Some(TIMEOUT))?;
                    // HTTP/1.0: the answer comes in one piece, and ends with the connection.
                    write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\n\r\n", self.address)?;
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
