//! Log files.

use crate::{
    client::{get, send},
    fake::{LOG_BYTES, Served, TASK_MANAGER},
};

#[test]
fn a_log_is_sent_whole_by_its_kind_and_by_its_name() {
    let served = Served::new();
    for path in ["/jobmanager/log".to_owned(), "/jobmanager/logs/flott.log".to_owned(), format!("/taskmanagers/{TASK_MANAGER}/log")] {
        let answer = get(served.address(), &path);
        assert_eq!((answer.status, answer.body.len() as u64), (200, LOG_BYTES), "{path}");
        assert!(answer.body.iter().enumerate().all(|(at, byte)| *byte == b'0' + (at % 10) as u8));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    }
    assert_eq!(get(served.address(), "/jobmanager/stdout").body, b"");
}

#[test]
fn a_part_of_a_log_is_sent() {
    let served = Served::new();
    let part = |range: &str| send(served.address(), "GET", "/jobmanager/log", &[&format!("Range: bytes={range}")], b"");
    let first = part("3-6");
    assert_eq!((first.status, &first.body[..], first.header("content-range")), (206, &b"3456"[..], Some("bytes 3-6/1000000")));
    let last = part("-2");
    assert_eq!((last.status, &last.body[..], last.header("content-range")), (206, &b"89"[..], Some("bytes 999998-999999/1000000")));
    assert_eq!(part("300000-").body.len(), 700_000);
    let behind = part("1000000-");
    assert_eq!((behind.status, behind.header("content-range")), (416, Some("bytes */1000000")));
    assert_eq!(part("2-1").body.len(), 1_000_000);
}

#[test]
fn names_that_are_not_listed_reach_nothing() {
    let served = Served::new();
    for name in ["other.log", "..%2f..%2fetc%2fpasswd", "%2e%2e", "%2fetc%2fpasswd", "..%252f..%252fetc%252fpasswd", "flott.log%00"] {
        for process in ["/jobmanager".to_owned(), format!("/taskmanagers/{TASK_MANAGER}")] {
            let answer = get(served.address(), &format!("{process}/logs/{name}"));
            assert_eq!((answer.status, answer.errors()), (404, vec!["File not found.".to_owned()]), "{name}");
        }
    }
}
