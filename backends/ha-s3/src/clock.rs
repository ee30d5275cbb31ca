//! The time of the day, which S3 wants to be told: ours, corrected by what the server says when it refuses ours.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A clock that can be set.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Seconds to add to this machine's time.
    offset: AtomicI64,
}

impl Clock {
    /// Now, in the form of signatures: `20261122T135334Z`.
    pub(crate) fn now(&self) -> String {
        compact(machine_time() + self.offset.load(Ordering::Relaxed))
    }

    /// Sets the clock by the `Date` of an answer. Returns whether that was possible.
    pub(crate) fn set(&self, date: &str) -> bool {
        let Some(server) = parse_date(date) else { return false };
        self.offset.store(server - machine_time(), Ordering::Relaxed);
        true
    }
}

/// Seconds since 1970 by this machine.
fn machine_time() -> i64 {
    // Before 1970 the clock is so wrong that the server must say what time it is.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

/// The date of a number of days since 1970: year, month, day.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 1 March of the year 0, so that the leap day is the last of a year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The number of days from 1970 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

fn compact(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// Seconds since 1970 of a `Date` header: `Sun, 22 Nov 2026 13:53:34 GMT`.
fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.split_whitespace().skip(1);
    let day: i64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
    let year: i64 = parts.next()?.parse().ok()?;
    let mut time = parts.next()?.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    let in_range = (1970..10_000).contains(&year) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    in_range.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_signatures_want_them() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_369_353_600, "20130524T000000Z"),
            (1_795_355_614, "20261122T135334Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(compact(seconds), text);
        }
        for day in -1000..100_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn the_clock_is_set_by_what_a_server_says() {
        assert_eq!(parse_date("Sun, 22 Nov 2026 13:53:34 GMT"), Some(1_795_355_614));
        for wrong in
            ["", "x", "Sun, 22 Nov", "Sun, 22 Nov 2026 13:53 GMT", "Sun, 99 Nov 2026 13:53:34 GMT", "Sun, 22 Foo 2026 13:53:34 GMT"]
        {
            assert_eq!(parse_date(wrong), None, "{wrong}");
        }
        let clock = Clock::default();
        assert!(clock.set("Fri, 24 May 2013 00:00:00 GMT") && clock.now().starts_with("20130524T0000"));
        assert!(!clock.set("tomorrow") && clock.now().starts_with("20130524T0000"));
    }
}
