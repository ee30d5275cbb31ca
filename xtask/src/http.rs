//! The little that is needed of REST servers on loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::error::{Error, Result};

/// The JSON at `path` of the server on a port of the loopback interface.
///
/// # Errors
/// When the server does not answer, or not with JSON.
pub(crate) fn get(port: u16, path: &str) -> Result<Value> {
    let failed = |error: std::io::Error| Error::other(format!("no answer on port {port}: {error}"));
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(failed)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n").map_err(failed)?;
    let mut response = String::new();
    stream.read_to_string(&mut response).map_err(failed)?;
    let unknown = || Error::other(format!("the answer to `{path}` is no JSON: {response}"));
    let (_, body) = response.split_once("\r\n\r\n").ok_or_else(unknown)?;
    serde_json::from_str(body).map_err(|_| unknown())
}
