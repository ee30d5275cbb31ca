//! The checker: proves from the output alone that no event was lost or handled twice.
//!
//! Every line is compared with the one that a job without failures writes for this event, which seed, key and number of the event
//! tell. It says how many events of its key were handled, and has a checksum of those since the last report: if it is right, each
//! of these was handled once, and in order. Which events have a line is known as well, so that one that is missing or there twice
//! is found. Of a job that is not at its end, the lines of each key up to some event must be there.
//!
//! For each key a few numbers are kept, whatever the length of the output: how many lines there were, and a fingerprint of the
//! numbers of their events. Only if those are wrong, the files are read again for the lines of that key.

use super::{
    basket::{Basket, last_report_before, report_is_due},
    files::{self, CheckError, Place},
    line::{Line, Why},
    traffic::{Event, Traffic},
};
use flott::connector::datagen::Random;
use std::path::{Path, PathBuf};

/// What the output is compared with.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) traffic: Traffic,
    pub(crate) report_every: u64,
    /// How many events there are in all; `None` if the job is not at its end.
    pub(crate) events: Option<u64>,
}

/// What an output without contradictions proves.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    /// For each key, up to which event each was handled exactly once.
    pub(crate) proven: Vec<u64>,
    pub(crate) lines: u64,
    pub(crate) files: usize,
}

/// What was seen of a key.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Lines but that of the end.
    lines: u64,
    /// The sum of the [`fingerprint`]s of their numbers.
    fingerprint: u64,
    /// The greatest of their numbers.
    last: u64,
    /// How many events the line of the end tells; 0 if there is none.
    end: u64,
    /// The number of the key's last line in a file, and which file that is.
    in_file: u64,
    file: usize,
    /// Lines about later events do not count.
    limit: u64,
}

/// Reads the finished part files in `dir`.
///
/// # Errors
/// The first contradiction between them and what is expected, or a file that cannot be read.
pub(crate) fn check(dir: &Path, expected: &Expected) -> Result<Proof, CheckError> {
    check_files(|| files::part_files(dir), expected)
}

fn check_files(mut list: impl FnMut() -> Result<Vec<PathBuf>, CheckError>, expected: &Expected) -> Result<Proof, CheckError> {
    let files = list()?;
    let mut keys = vec![Seen { limit: u64::MAX, ..Seen::default() }; expected.traffic.keys() as usize];
    let lines = expected.read(&files, &mut keys)?;
    let mut proof = expected.conclude_all(&keys, lines, &files);
    if proof.is_err() {
        let now = list()?;
        if now != files {
            // A job is at work, and a file may have come too late for the first list whose lines come before some that were
            // read. The second list has it, and is read up to where the first one led.
            keys.iter_mut().for_each(|seen| *seen = Seen { limit: seen.last.max(seen.end), ..Seen::default() });
            let lines = expected.read(&now, &mut keys)?;
            proof = expected.conclude_all(&keys, lines, &now);
        }
    }
    proof
}

impl Expected {
    /// Takes every line of the files in; their number.
    fn read(&self, files: &[PathBuf], keys: &mut [Seen]) -> Result<u64, CheckError> {
        let mut lines = 0;
        files::for_lines(files, |place, text| {
            let line: Line = text.parse().map_err(|error| files::contradiction(place, None, error))?;
            let Some(seen) = keys.get_mut(line.key as usize) else {
                return Err(files::contradiction(place, Some(line.key), format!("there are only {} keys", self.traffic.keys())));
            };
            lines += u64::from(line.number() <= seen.limit);
            self.take(&line, seen, place.file).map_err(|what| files::contradiction(place, Some(line.key), what))
        })?;
        Ok(lines)
    }

    fn conclude_all(&self, keys: &[Seen], lines: u64, files: &[PathBuf]) -> Result<Proof, CheckError> {
        let proven = keys.iter().zip(0..).map(|(seen, key)| self.conclude(key, seen, files)).collect::<Result<_, _>>()?;
        Ok(Proof { proven, lines, files: files.len() })
    }

    /// How many events of a key there are, if that is known.
    fn events_of(&self, key: u64) -> Option<u64> {
        self.events.map(|events| self.traffic.events_of(key, events))
    }

    /// What a job without failures knows of a key behind event `number`, and its line for that event.
    fn basket(&self, key: u64, number: u64) -> (Basket, Option<Line>) {
        let from = last_report_before(key, number, self.report_every);
        let mut walk = self.traffic.walk_behind(key, from);
        let (mut basket, mut line) = (Basket::at_report(walk.state(), from), None);
        for _ in from..number {
            let (number, action) = walk.step();
            line = basket.handle(&Event { key, number, action }, self.report_every);
        }
        (basket, line)
    }

    /// Compares a line with what it must be.
    fn take(&self, line: &Line, seen: &mut Seen, file: usize) -> Result<(), String> {
        let number = line.number();
        if number == 0 {
            return Err("its events are counted from 1".to_owned());
        }
        if let Some(events) = self.events_of(line.key).filter(|events| *events < number) {
            return Err(format!("`{line}` is about event {number}, but the key has only {events}"));
        }
        if line.handled != number {
            let happened = if line.handled < number { "lost" } else { "handled twice" };
            return Err(format!("`{line}`: {} events before it were {happened}", line.handled.abs_diff(number)));
        }
        let (basket, due) = self.basket(line.key, number);
        // Where a report was due with the last event, the checksum of the end has begun anew.
        match if line.why == Why::End { Some(basket.line(line.key, Why::End)) } else { due } {
            Some(right) if right == *line => {}
            Some(right) => return Err(format!("`{line}` should be `{right}`: other events were handled, or in another order")),
            None => return Err(format!("`{line}`: this event is a right one, and no report is due")),
        }
        if number > seen.limit {
            return Ok(());
        }
        let behind = if seen.file == file { seen.in_file } else { 0 };
        if line.why == Why::End {
            if seen.end != 0 {
                return Err(format!("`{line}` comes after another end, behind {} events", seen.end));
            }
            seen.end = number;
        } else if behind == number {
            return Err(format!("`{line}` is there twice"));
        } else {
            seen.lines += 1;
            seen.fingerprint = seen.fingerprint.wrapping_add(fingerprint(number));
            seen.last = seen.last.max(number);
        }
        if number < behind {
            return Err(format!("`{line}` comes after a line about event {behind}"));
        }
        (seen.in_file, seen.file) = (number, file);
        Ok(())
    }

    /// The numbers of the events up to `last` for which a key has a line.
    fn numbers(&self, key: u64, last: u64) -> impl Iterator<Item = u64> {
        let mut walk = self.traffic.walk_behind(key, 0);
        (1..=last).filter(move |number| {
            let state = walk.state();
            let (_, action) = walk.step();
            state.after(action).is_none() || report_is_due(key, *number, self.report_every)
        })
    }

    /// Up to which event of a key everything is proven, when all lines were seen.
    fn conclude(&self, key: u64, seen: &Seen, files: &[PathBuf]) -> Result<u64, CheckError> {
        let contradiction = |what: String| Err(CheckError::Contradiction { place: None, key: Some(key), what });
        let last = match (self.events_of(key), seen.end) {
            (Some(events), end) if end < events => {
                // What is missing before the end is told first.
                self.compare(key, seen, seen.last, files)?;
                return contradiction(match end {
                    0 => format!("there is no line of its end: the output ends behind event {} of {events}", seen.last),
                    _ => format!("it ended behind event {end} of {events}"),
                });
            }
            (None, end) if 0 < end && end < seen.last => {
                return contradiction(format!("it ended behind event {end}, but there is a line about event {}", seen.last));
            }
            (Some(events), _) => events,
            (None, end) => seen.last.max(end),
        };
        self.compare(key, seen, last, files)?;
        Ok(last)
    }

    /// Whether exactly the lines up to event `last` of a key are there.
    fn compare(&self, key: u64, seen: &Seen, last: u64, files: &[PathBuf]) -> Result<(), CheckError> {
        let (mut lines, mut sum) = (0, 0u64);
        for number in self.numbers(key, last) {
            lines += 1;
            sum = sum.wrapping_add(fingerprint(number));
        }
        if (lines, sum) == (seen.lines, seen.fingerprint) { Ok(()) } else { Err(self.locate(key, last, files)?) }
    }

    /// Finds the first line of a key that is missing or there twice.
    fn locate(&self, key: u64, last: u64, files: &[PathBuf]) -> Result<CheckError, CheckError> {
        let mut found: Vec<(u64, Place)> = Vec::new();
        files::for_lines(files, |place, text| {
            let line = text.parse::<Line>().ok().filter(|line| line.key == key && line.why != Why::End && line.number() <= last);
            found.extend(line.map(|line| (line.number(), place.clone())));
            Ok(())
        })?;
        found.sort_by_key(|(number, _)| *number);
        let contradiction = |place, what| Ok(CheckError::Contradiction { place, key: Some(key), what });
        let mut found = found.into_iter();
        for number in self.numbers(key, last) {
            match found.next() {
                Some((at, _)) if at == number => {}
                Some((at, place)) if at < number => return contradiction(Some(place), format!("there is another line about event {at}")),
                Some((at, place)) => {
                    return contradiction(Some(place), format!("there is a line about event {at}, but none before about event {number}"));
                }
                None => return contradiction(None, format!("there is no line about event {number}")),
            }
        }
        match found.next() {
            Some((at, place)) => contradiction(Some(place), format!("there is another line about event {at}")),
            None => contradiction(None, "the files have changed while they were read".to_owned()),
        }
    }
}

/// Spreads numbers, so that sums of them agree only if all of them do.
fn fingerprint(number: u64) -> u64 {
    Random::new(0, number).next_u64()
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
