//! The checker finds what it is there for.

use super::*;
use std::{collections::HashMap, fs, io::ErrorKind};

const KEYS: u64 = 5;
const EVENTS: u64 = 603;

fn expected(events: Option<u64>) -> Expected {
    Expected { traffic: Traffic::new(11, KEYS, 0.05), report_every: 10, events }
}

fn events() -> Vec<Event> {
    let traffic = expected(None).traffic;
    (0..EVENTS).map(|index| traffic.event(index)).collect()
}

/// What a job writes that handles these events.
fn lines_for(events: &[Event]) -> Vec<Line> {
    let mut baskets: HashMap<u64, Basket> = HashMap::new();
    let mut lines: Vec<Line> =
        events.iter().filter_map(|event| baskets.entry(event.key).or_default().handle(event, expected(None).report_every)).collect();
    lines.extend((0..KEYS).filter_map(|key| Some(baskets.get(&key)?.line(key, Why::End))));
    lines
}

/// Writes lines to files of two subtasks, a few to each.
fn write(lines: &[Line]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for subtask in 0..2 {
        let own: Vec<&Line> = lines.iter().filter(|line| line.key % 2 == subtask).collect();
        for (counter, lines) in own.chunks(12).enumerate() {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            fs::write(dir.path().join(format!("part-{subtask}-{counter}")), text).unwrap();
        }
    }
    dir
}

fn check_lines(lines: &[Line], events: Option<u64>) -> Result<Proof, CheckError> {
    check(write(lines).path(), &expected(events))
}

/// What the checker says of a job at its end.
#[track_caller]
fn fault(lines: &[Line]) -> String {
    check_lines(lines, Some(EVENTS)).unwrap_err().to_string()
}

/// Asserts that events are not those of the job, and that the checker says so, finished or not.
#[track_caller]
fn assert_found(events: &[Event], what: &str) {
    let lines = lines_for(events);
    let found = fault(&lines);
    assert!(found.contains(what), "{found}");
    assert!(found.contains("/part-") && found.contains(", line ") && found.contains("key 3: "), "{found}");
    assert_eq!(check_lines(&lines, None).unwrap_err().to_string().split_once(", line ").unwrap().1, found.split_once(", line ").unwrap().1);
}

#[test]
fn of_a_finished_job_everything_is_proven() {
    let lines = lines_for(&events());
    let proof = check_lines(&lines, Some(EVENTS)).unwrap();
    assert_eq!((proof.lines, proof.proven.clone()), (lines.len() as u64, vec![121, 121, 121, 120, 120]));
    assert_eq!(check_lines(&lines, None).unwrap(), proof, "a line of the end proves as much");
}

#[test]
fn of_a_job_that_is_not_at_its_end_the_events_up_to_the_last_lines_are_proven() {
    let mut lines = lines_for(&events());
    while lines.len() > 10 {
        lines.truncate(lines.len() * 2 / 3);
        let last = |key| lines.iter().filter(|line| line.key == key).map(Line::number).max().unwrap_or(0);
        assert_eq!(check_lines(&lines, None).unwrap().proven, (0..KEYS).map(last).collect::<Vec<_>>());
        let found = fault(&lines);
        assert!(found.contains("the output ends behind event"), "{found}");
    }
    assert_eq!(check_lines(&[], None).unwrap().proven, [0; 5]);
    assert_eq!(
        check_lines(&[], Some(2)).unwrap_err().to_string(),
        "key 0: there is no line of its end: the output ends behind event 0 of 1"
    );
}

#[test]
fn the_files_may_come_in_any_order_and_hidden_ones_do_not_count() {
    let lines = lines_for(&events());
    let dir = write(&lines);
    // As after a restart at another parallelism: the lines of a key go on in a file of another subtask, with a lower counter.
    fs::rename(dir.path().join("part-1-0"), dir.path().join("part-7-100")).unwrap();
    fs::write(dir.path().join(".part-0-99.inprogress.0000000000000001"), "alert\n").unwrap();
    assert_eq!(check(dir.path(), &expected(Some(EVENTS))).unwrap(), check_lines(&lines, Some(EVENTS)).unwrap());
}

#[test]
fn a_file_that_comes_while_the_directory_is_listed_is_not_missed() {
    let dir = write(&lines_for(&events()));
    let all = files::part_files(dir.path()).unwrap();
    let without = |names: &[&str]| all.iter().filter(|path| !names.iter().any(|name| path.ends_with(name))).cloned().collect::<Vec<_>>();
    // The first list has a file, but not the one before it; the second has that, and again lacks one.
    let mut lists = [without(&["part-0-1", "part-0-4", "part-0-3"]), without(&["part-0-3"])].into_iter();
    let proof = check_files(|| Ok(lists.next().unwrap()), &expected(None)).unwrap();
    let mut shorter = without(&["part-0-4", "part-0-3"]);
    assert_eq!(proof.proven, check_files(|| Ok(shorter.clone()), &expected(None)).unwrap().proven);
    shorter.retain(|path| !path.ends_with("part-0-1"));
    let mut lists = [shorter.clone(), without(&["part-0-1"])].into_iter();
    let found = check_files(|| Ok(lists.next().unwrap()), &expected(None)).unwrap_err().to_string();
    assert!(found.contains("but none before about event"), "{found}");
}

#[test]
fn an_event_that_is_lost_is_found() {
    for at in (3..400).step_by(5) {
        let mut events = events();
        events.remove(at);
        assert_found(&events, ": 1 events before it were lost");
    }
}

#[test]
fn an_event_that_is_handled_twice_is_found() {
    for at in (3..400).step_by(5) {
        let mut events = events();
        // At once, and as after a restart from an old checkpoint.
        events.insert(at, events[at].clone());
        assert_found(&events, "handled twice");
        events.remove(at);
        events.insert(at + 10, events[at].clone());
        assert_found(&events, "");
    }
}

#[test]
fn an_event_that_is_lost_and_another_one_twice_are_found() {
    for at in (3..400).step_by(5) {
        let mut events = events();
        events[at] = events[at + 5].clone();
        assert_found(&events, "");
    }
}

#[test]
fn events_in_the_wrong_order_are_found() {
    for at in (3..400).step_by(5) {
        let mut events = events();
        events.swap(at, at + 5);
        assert_found(&events, "");
    }
}

#[test]
fn state_that_is_lost_is_found() {
    let mut lines = lines_for(&events()[..300]);
    lines.retain(|line| line.why != Why::End);
    lines.extend(lines_for(&events()[300..]));
    assert!(fault(&lines).contains("60 events before it were lost"));
}

#[test]
fn every_line_that_is_missing_is_found() {
    let lines = lines_for(&events());
    for index in 0..lines.len() {
        let mut fewer = lines.clone();
        let missing = fewer.remove(index);
        let (found, key) = (fault(&fewer), missing.key);
        assert!(found.contains(&format!("key {key}: ")), "{found}");
        if missing.why == Why::End {
            assert!(found.contains("the output ends behind event"), "{found}");
            continue;
        }
        assert!(found.contains(&format!("about event {}", missing.number())), "{found}");
        // There is the line of the end behind it, so that it is missed also if the job is not said to be at its end.
        assert_eq!(check_lines(&fewer, None).unwrap_err().to_string().split_once("key ").unwrap().1, found.split_once("key ").unwrap().1);
        // Without that it is missed if there is a later one.
        fewer.retain(|line| line.why != Why::End);
        let later = fewer.iter().any(|line| line.key == key && line.number() > missing.number());
        assert_eq!(check_lines(&fewer, None).is_err(), later);
    }
}

#[test]
fn every_line_that_is_there_twice_is_found() {
    let lines = lines_for(&events());
    for (index, line) in lines.iter().enumerate() {
        let mut more = lines.clone();
        more.insert(index, line.clone());
        let found = fault(&more);
        assert!(found.contains(&format!("key {}: ", line.key)) && found.contains(", line "), "{found}");
        // In a file of its own.
        let dir = write(&lines);
        fs::write(dir.path().join("part-9-0"), format!("{line}\n")).unwrap();
        for events in [None, Some(EVENTS)] {
            let found = check(dir.path(), &expected(events)).unwrap_err().to_string();
            let what = if line.why == Why::End {
                "comes after another end".to_owned()
            } else {
                format!("another line about event {}", line.number())
            };
            assert!(found.contains(&what) && found.contains("part-"), "{found}");
        }
    }
}

#[test]
fn lines_of_a_key_in_the_wrong_order_are_found() {
    let mut lines = lines_for(&events());
    let second = lines.iter().skip(1).position(|line| line.key == lines[0].key).unwrap() + 1;
    lines.swap(0, second);
    assert!(fault(&lines).contains("comes after a line about event"));
}

#[test]
fn lines_behind_the_end_are_found() {
    let mut lines = lines_for(&events()[..300]);
    let more = lines_for(&events());
    lines.extend(more.into_iter().filter(|line| line.number() > 60 && line.why != Why::End));
    assert!(check_lines(&lines, None).unwrap_err().to_string().contains("it ended behind event 60, but there is a line"));
    assert!(fault(&lines).contains("it ended behind event 60 of 121"));
    assert!(check_lines(&lines, Some(300)).unwrap_err().to_string().contains("but the key has only 60"));
}

#[test]
fn files_that_are_cut_off_or_hold_something_else_are_found() {
    let dir = write(&lines_for(&events()));
    let path = dir.path().join("part-1-1");
    let text = fs::read_to_string(&path).unwrap();
    let found = |text: &str| {
        fs::write(&path, text).unwrap();
        check(dir.path(), &expected(None)).unwrap_err().to_string()
    };
    assert!(found(&text[..text.len() - 1]).contains("/part-1-1`, line 12: the line has no end"));
    assert!(found("hello\n").contains("/part-1-1`, line 1: `hello` is no line of this program"));
    assert!(found(&text.replace("key=1 ", "key=5 ")).contains("there are only 5 keys"));
    fs::remove_file(&path).unwrap();
    assert!(check(dir.path(), &expected(None)).unwrap_err().to_string().contains("there is a line about event"));
}

#[test]
fn another_seed_contradicts_and_a_missing_directory_is_no_contradiction() {
    let dir = write(&lines_for(&events()));
    let other = Expected { traffic: Traffic::new(12, KEYS, 0.05), ..expected(None) };
    assert!(matches!(check(dir.path(), &other), Err(CheckError::Contradiction { .. })));
    let Err(CheckError::Io { source, .. }) = check(&dir.path().join("x"), &other) else { panic!("it is not there") };
    assert_eq!(source.kind(), ErrorKind::NotFound);
}
