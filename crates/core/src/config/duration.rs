//! Durations in Flink's forms.

use super::value::number_and_unit;
use std::time::Duration;

/// The units from the largest to the smallest: the words for it and its nanoseconds. The first word is the one written.
const UNITS: [(&[&str], u128); 7] = [
    (&["d", "day", "days"], 86_400_000_000_000),
    (&["h", "hour", "hours"], 3_600_000_000_000),
    (&["min", "m", "minute", "minutes"], 60_000_000_000),
    (&["s", "sec", "secs", "second", "seconds"], 1_000_000_000),
    (&["ms", "milli", "millis", "millisecond", "milliseconds"], 1_000_000),
    (&["µs", "us", "μs", "micro", "micros", "microsecond", "microseconds"], 1_000),
    (&["ns", "nano", "nanos", "nanosecond", "nanoseconds"], 1),
];

/// The duration that `text` is: a whole number and a unit, such as `10 s`, `500ms`, `1 min`; a number alone is milliseconds.
/// `None` if it is no duration.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let unit = if unit.is_empty() { "ms" } else { &unit };
    let (_, nanos) = UNITS.iter().find(|(names, _)| names.contains(&unit))?;
    let nanos = u128::from(number) * nanos;
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
}

/// `duration` in the largest unit in which it is a whole number, as [`parse_duration`] reads it.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let fits = |unit: u128| nanos.is_multiple_of(unit) && nanos / unit <= u128::from(u64::MAX);
    match UNITS.iter().find(|(_, unit)| nanos > 0 && fits(*unit)) {
        Some((names, unit)) => format!("{} {}", nanos / unit, names[0]),
        None => "0 ms".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_flinks_forms() {
        let expected = [
            ("10 s", 10_000),
            ("500ms", 500),
            ("1 min", 60_000),
            ("2h", 7_200_000),
            ("1 d", 86_400_000),
            ("250", 250),
            ("0", 0),
            (" 3  Minutes ", 180_000),
        ];
        for (text, millis) in expected {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse_duration("7 µs"), Some(Duration::from_micros(7)));
        assert_eq!(parse_duration("7ns"), Some(Duration::from_nanos(7)));
    }

    #[test]
    fn other_text_is_no_duration() {
        for text in ["", "s", "1.5 s", "-1 s", "10 parsecs", "1 s 5 ms", "99999999999999999999", "18446744073709551615 d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_is_written_in_its_largest_unit() {
        for text in ["1 d", "25 h", "10 min", "90 s", "1500 ms", "7 µs", "7 ns", "0 ms"] {
            assert_eq!(format_duration(parse_duration(text).expect("a duration")), text);
        }
    }

    #[test]
    fn the_longest_duration_of_each_unit_survives() {
        for duration in [Duration::from_secs(u64::MAX), Duration::from_millis(u64::MAX), Duration::from_nanos(u64::MAX)] {
            assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
        }
    }
}
