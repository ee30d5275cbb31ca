//! What the job emits, and how it is written.

use super::machine::{Action, State};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What the job says of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) key: u64,
    pub(crate) why: Why,
    /// How many events of the key were handled, this one included.
    pub(crate) handled: u64,
    /// Behind the event.
    pub(crate) state: State,
    /// Of the events since that of the last report, this one included; their order counts.
    pub(crate) checksum: u64,
}

/// Why a line is emitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Why {
    /// The event was wrong.
    Alert { event: u64, action: Action },
    /// A report is due with this event.
    Report { event: u64, action: Action },
    /// The input has ended.
    End,
}

impl Line {
    /// The number of the event that it is about; for the end, that of the last one handled.
    pub(crate) fn number(&self) -> u64 {
        match self.why {
            Why::Alert { event, .. } | Why::Report { event, .. } => event,
            Why::End => self.handled,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { key, handled, state, checksum, .. } = self;
        match self.why {
            Why::Alert { event, action } => write!(f, "alert key={key} event={event} action={}", action.name())?,
            Why::Report { event, action } => write!(f, "report key={key} event={event} action={}", action.name())?,
            Why::End => write!(f, "end key={key}")?,
        }
        write!(f, " handled={handled} state={} checksum={checksum:016x}", state.name())
    }
}

/// A line that the job cannot have written.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no line of this program")]
pub(crate) struct NoLine(String);

impl FromStr for Line {
    type Err = NoLine;

    fn from_str(text: &str) -> Result<Line, NoLine> {
        // Exactly as it is written: nothing else can be proven.
        parse(text).filter(|line| line.to_string() == text).ok_or_else(|| NoLine(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Line> {
    let (why, rest) = text.split_once(' ')?;
    let mut fields = rest.split(' ').map(|field| field.split_once('=').map_or("", |(_, value)| value));
    let key = fields.next()?.parse().ok()?;
    let why = match why {
        "end" => Why::End,
        _ => {
            let (event, name) = (fields.next()?.parse().ok()?, fields.next()?);
            let action = Action::ALL.into_iter().find(|action| action.name() == name)?;
            if why == "alert" { Why::Alert { event, action } } else { Why::Report { event, action } }
        }
    };
    let (handled, name) = (fields.next()?.parse().ok()?, fields.next()?);
    let state = State::ALL.into_iter().find(|state| state.name() == name)?;
    Some(Line { key, why, handled, state, checksum: u64::from_str_radix(fields.next()?, 16).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let line = |why| Line { key: 17, why, handled: 204, state: State::Paid, checksum: 0xabc };
        let texts = [
            (Why::Alert { event: 204, action: Action::SendBack }, "alert key=17 event=204 action=send-back handled=204"),
            (Why::Report { event: 204, action: Action::Pay }, "report key=17 event=204 action=pay handled=204"),
            (Why::End, "end key=17 handled=204"),
        ];
        for (why, text) in texts {
            let (line, text) = (line(why), format!("{text} state=paid checksum=0000000000000abc"));
            assert_eq!(line.to_string(), text);
            assert_eq!(text.parse::<Line>().unwrap(), line);
        }
    }

    #[test]
    fn what_differs_from_a_line_is_none() {
        let good = "end key=17 handled=204 state=paid checksum=0000000000000abc";
        assert!(good.parse::<Line>().is_ok());
        for bad in ["", "end", &good[..good.len() - 1], &format!("{good} "), &good.replace("key", "kez"), &good.replace("17", "+17")] {
            assert!(bad.parse::<Line>().unwrap_err().to_string().contains(bad));
        }
    }
}
