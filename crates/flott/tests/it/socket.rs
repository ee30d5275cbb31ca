//! Lines from a socket.

use crate::support::{assert_says, cancel, collect, env, eventually, failure, within};
use flott::{connector::socket::SocketSource, prelude::*};
use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    thread,
};

/// A server on a free port that does `serve` with its first connection.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    port
}

#[test]
fn the_stream_ends_when_the_peer_closes_also_in_the_middle_of_a_line() {
    let port = server(|mut stream| stream.write_all(b"to be\r\nor not\nto b").unwrap());
    let words = env(2).socket_text_stream("127.0.0.1", port).parallelism(2);
    let mut lines = collect(&words.map(|line| line));
    lines.sort();
    assert_eq!(lines, ["or not", "to b", "to be"]);
}

#[test]
fn a_connection_that_is_refused_fails_the_job_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let message = failure(&env(1).socket_text_stream("127.0.0.1", port));
    assert_says(
        &message,
        &[
            &format!("operator `Source: Socket 127.0.0.1:{port}`"),
            &format!("cannot connect to `127.0.0.1:{port}`"),
            "caused by: Connection refused",
            "socket.rs:",
        ],
    );
}

#[test]
fn a_line_is_there_before_the_next_one_is_sent() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let port = server(move |mut stream| {
        stream.write_all(b"first\n").unwrap();
        receiver.recv().unwrap();
        stream.write_all(b"second\n").unwrap();
    });
    let mut results = env(1).socket_text_stream("127.0.0.1", port).map(|line| line.len()).execute_and_collect("test").unwrap();
    let first = within("the first line", move || (results.next().unwrap().unwrap(), results));
    assert_eq!(first.0, 5);
    sender.send(()).unwrap();
    let mut results = first.1;
    assert_eq!(within("the second line", move || results.next().unwrap().unwrap()), 6);
}

#[test]
fn a_job_that_waits_for_its_peer_can_be_cancelled() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let port = server(move |stream| {
        let _ = receiver.recv();
        drop(stream);
    });
    let env = env(1);
    let source = SocketSource::new("127.0.0.1", port);
    env.from_source(source, WatermarkStrategy::no_watermarks(), "silent").discard();
    let client = env.execute_async("test").unwrap();
    eventually("the job runs", || client.overview().unwrap().tasks.iter().all(|(_, status)| *status == flott::TaskStatus::Running));
    cancel(&client);
    drop(sender);
}
