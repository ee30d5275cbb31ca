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

/// A server whose JobManager does not lead sends callers to the one that does.
const TEMPORARY_REDIRECT: u16 = 307;

/// How many servers in a row may name another one as the leader's.
const REDIRECTS_MAX: u32 = 3;

/// The REST server of the JobManager that leads.
pub(crate) struct Rest {
    /// Where it may be, `host:port`.
    addresses: Vec<String>,
    encrypted: bool,
    security: Connector,
}

impl Rest {
    /// The one at `given`: `host:port`, or with `http://` or `https://` before it; or else where the configuration says: on the hosts of
    /// all JobManagers if there are several. Each knows which one leads. Without a scheme, it is encrypted if the configuration says so of REST, or else of the cluster.
    ///
    /// # Errors
    /// The configuration does not say whom to believe, or holds a token that cannot be read.
    pub(crate) fn new(given: Option<&str>, config: &Configuration) -> Result<Self, Error> {
        let security = Connector::of_client(config)?;
        let (scheme, addresses) = match given.map(|given| given.split_once("://").unwrap_or(("", given))) {
            Some((scheme, address)) => (Some(scheme).filter(|scheme| !scheme.is_empty()), vec![address.trim_end_matches('/').to_owned()]),
            None => (None, configured(config)?),
        };
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
        Ok(Rest { addresses, encrypted, security })
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
        Error::new(ErrorKind::Unavailable, format!("the REST server at {} refuses `{path}`: {reason}", self.shown()))
    }

    /// Sends `body` to `path`; gives the status and what was answered, whatever it is.
    ///
    /// # Errors
    /// Nobody answers there, or the answer is no JSON.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), Error> {
        let gone = |error: std::io::Error| {
            let (addresses, how) = (self.shown(), if self.encrypted { "over TLS " } else { "" });
            let text = format!(
                "no REST server answers {how}at {addresses}: is the cluster running? Set `rest.port`, or give `--rest`, with `http://` or \
                 `https://` before the address if it is the other"
            );
            Error::new(ErrorKind::Unavailable, text).with_source(error)
        };
        let mut first_error = None;
        for address in &self.addresses {
            match self.ask_leader(address, method, path, body) {
                Ok(Some((status, body))) => return Ok((status, body)),
                Ok(None) => {
                    let text = format!(
                        "what answers at `{address}` is no REST server of Flott, or one that is reached otherwise (`http://`, `https://`)"
                    );
                    return Err(Error::new(ErrorKind::Unavailable, text));
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(gone(first_error.unwrap_or_else(|| std::io::Error::other("there is no address"))))
    }

    /// The addresses, for people.
    fn shown(&self) -> String {
        self.addresses.iter().map(|address| format!("`{address}`")).collect::<Vec<_>>().join(", ")
    }

    /// Asks the server at `address`, and whoever it names as the leader's; `None`: the answer is none of a REST server of Flott's.
    fn ask_leader(&self, address: &str, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Option<(u16, Value)>> {
        let mut address = address.to_owned();
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.ask(&address, method, path, body)?;
            let Some((head, answered)) = answer.split_once("\r\n\r\n") else { return Ok(None) };
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
            if status == Some(TEMPORARY_REDIRECT) {
                let Some(leader) = leader_in(head, self.encrypted) else { return Ok(None) };
                address = leader;
                continue;
            }
            return Ok(status.zip(serde_json::from_str(answered).ok()));
        }
        Err(std::io::Error::other("the servers name each other as the leader's"))
    }

    fn ask(&self, address: &str, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<String> {
        let mut request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n");
        let body = body.map(Value::to_string).unwrap_or_default();
        if method != "GET" {
            request.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        let mut last = std::io::Error::other("the name leads nowhere");
        for address in address.to_socket_addrs()? {
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

/// Where REST servers are, as far as the configuration says.
fn configured(config: &Configuration) -> Result<Vec<String>, Error> {
    let port = config.get(&options::REST_PORT)?;
    let job_managers = config.get(&options::HIGH_AVAILABILITY_JOBMANAGERS)?.unwrap_or_default();
    let hosts = job_managers.split(',').filter_map(|address| Some(address.trim().rsplit_once(':')?.0.to_owned()));
    let mut addresses: Vec<String> = Vec::new();
    for host in hosts.chain([config.get(&options::REST_BIND_ADDRESS)?]) {
        let address = format!("{host}:{port}");
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// The address to which an answer with this head sends; not to one that is encrypted otherwise than this one.
fn leader_in(head: &str, encrypted: bool) -> Option<String> {
    let location = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim())
    })?;
    let rest = location.strip_prefix(if encrypted { "https://" } else { "http://" })?;
    Some(rest.split('/').next()?.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    /// A server that answers once, with the head that is given its own address, and tells what it was asked.
    fn server(answer: impl FnOnce(&str) -> String) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answer = answer(&address);
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut byte = [0];
            while !asked.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                asked.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        };
        (address, thread::spawn(serve))
    }

    #[test]
    fn a_server_that_does_not_lead_sends_to_the_one_that_does() {
        let (leader, leads) = server(|_| "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}".to_owned());
        let (other, waits) = server(|_| format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{leader}/jobs?x\r\n\r\n"));
        // Where nobody listens: the next one is asked.
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let rest = Rest { addresses: vec![gone, other], encrypted: false, security: Connector::open() };
        assert_eq!(rest.get("/jobs?x").unwrap()["a"], 1);
        assert!(waits.join().unwrap().starts_with("GET /jobs?x "));
        let asked = leads.join().unwrap();
        assert!(asked.starts_with("GET /jobs?x ") && asked.contains(&format!("Host: {leader}")), "{asked}");
    }

    #[test]
    fn several_job_managers_have_their_servers_on_their_hosts() {
        let mut config = Configuration::new();
        config.set(&options::HIGH_AVAILABILITY_JOBMANAGERS, Some("a:6123, b:6124,a:6125".to_owned())).set(&options::REST_PORT, 8082);
        assert_eq!(configured(&config).unwrap(), ["a:8082", "b:8082", "localhost:8082"]);
    }

    #[test]
    fn nobody_is_sent_from_an_encrypted_server_to_one_in_clear() {
        assert_eq!(leader_in("HTTP/1.1 307 x\r\nLocation: https://b:1/x", true).as_deref(), Some("b:1"));
        assert_eq!(leader_in("HTTP/1.1 307 x\r\nLocation: http://b:1/x", true), None);
        assert_eq!(leader_in("HTTP/1.1 307 x", false), None);
    }
}
