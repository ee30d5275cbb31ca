//! Servers that are not as they should be.

use flott_core::secret::Secret;
use flott_ha::{CoordinationStore, Expected, Key, StoreError};
use flott_ha_s3::{S3Settings, S3Store};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

/// A server that answers each request as `answer` says, which is given its head; and the heads. Its thread ends with the test's
/// process.
fn play(answer: impl Fn(&str) -> String + Send + 'static) -> (S3Store, Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, heads) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head = head(&stream);
            // Nobody may want to know.
            let _ = sender.send(head.clone());
            let _ = stream.write_all(format!("HTTP/1.1 {}", answer(&head)).as_bytes());
        }
    });
    let settings = S3Settings {
        endpoint,
        region: "us-east-1".to_owned(),
        bucket: "bucket".to_owned(),
        prefix: String::new(),
        access_key: "id".to_owned(),
        secret_key: Secret::new("secret"),
        session_token: Some(Secret::new("token")),
        path_style: true,
        timeout: Duration::from_secs(20),
    };
    (S3Store::new(settings), heads)
}

/// Reads a request, all of it; gives its head.
fn head(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
    let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    reader.read_exact(&mut vec![0; length]).unwrap();
    head
}

fn key() -> Key {
    Key::new("leader").unwrap()
}

#[test]
fn a_server_that_ignores_conditions_is_refused_before_anything_is_written() {
    let (store, heads) = play(|_| "200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned());
    let error = store.write(&key(), b"a", &Expected::Absent).unwrap_err();
    assert!(matches!(&error, StoreError::Invalid { message } if message.contains("does not honour conditions")), "{error}");
    assert!(heads.try_iter().all(|head| head.contains("/bucket/.probe-")));
}

#[test]
fn a_server_that_knows_no_conditions_is_refused() {
    let (store, _heads) = play(|_| {
        let body = "<Error><Code>NotImplemented</Code><Message>A header you provided</Message></Error>";
        format!("501 Not Implemented\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    });
    let error = store.write(&key(), b"a", &Expected::Absent).unwrap_err();
    assert!(!error.is_unknown());
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("NotImplemented: A header you provided"));
}

#[test]
fn a_clock_that_the_server_does_not_believe_is_set_by_the_servers() {
    let (store, heads) = play(|head| {
        if head.contains("x-amz-date: 20300101T") {
            return "404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned();
        }
        let body = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
        let head = "403 Forbidden\r\nDate: Tue, 01 Jan 2030 00:00:00 GMT\r\nConnection: close";
        format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    });
    assert_eq!(store.read(&key()).unwrap(), None);
    assert_eq!(store.read(&key()).unwrap(), None);
    let heads: Vec<String> = heads.try_iter().collect();
    assert_eq!(heads.len(), 3, "it is set once");
    assert!(heads.iter().all(|head| head.contains("x-amz-security-token: token")));
}

#[test]
fn a_server_that_breaks_down_leaves_the_outcome_unknown() {
    let there = AtomicBool::new(false);
    let (store, _heads) = play(move |head| {
        // As it should be where the server is tried out, and no more than that.
        let done = match (head.contains("if-none-match: *"), head.contains("if-match: \"1\"")) {
            (true, _) => !there.swap(true, Ordering::Relaxed),
            (_, own) => own || !head.contains("if-match"),
        };
        let status = match (head.contains("/.probe-"), done) {
            (false, _) => "500 Internal Server Error",
            (true, true) => "200 OK",
            (true, false) => "412 Precondition Failed",
        };
        format!("{status}\r\nETag: \"1\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    });
    assert!(store.write(&key(), b"a", &Expected::Absent).unwrap_err().is_unknown());
    assert!(!store.read(&key()).unwrap_err().is_unknown());
}
