//! Numbers over several values, and numbers as Flink writes them.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use std::borrow::Cow;

/// A percentile of `sorted` by linear interpolation between closest ranks, as Flink's statistics have it; NaN without values.
pub(crate) fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return f64::NAN };
    let position = percent * (sorted.len() as f64 + 1.0) / 100.0;
    if position < 1.0 {
        return *first;
    }
    if position >= sorted.len() as f64 {
        return *last;
    }
    let below = position.floor();
    let index = below as usize;
    let (low, high) = (sorted[index - 1], sorted[index]);
    low + (position - below) * (high - low)
}

/// Values in order. NaNs are left out.
pub(crate) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Statistics over the subtasks of a vertex, whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Spread {
    min: i64,
    max: i64,
    avg: i64,
    sum: i64,
    median: i64,
    p25: i64,
    p75: i64,
    p95: i64,
}

impl Spread {
    /// Of `values`; zeros if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let sorted = sorted(values);
        let sum: f64 = sorted.iter().sum();
        let count = sorted.len().max(1) as f64;
        // Conversions saturate, and NaN becomes 0.
        let at = |percent| percentile(&sorted, percent) as i64;
        Spread {
            min: at(0.0),
            max: at(100.0),
            avg: (sum / count) as i64,
            sum: sum as i64,
            median: at(50.0),
            p25: at(25.0),
            p75: at(75.0),
            p95: at(95.0),
        }
    }
}

/// Statistics over checkpoints: whole numbers, and quantiles that are `"NaN"` if there are no values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Summary {
    min: i64,
    max: i64,
    avg: i64,
    p50: Quantile,
    p90: Quantile,
    p95: Quantile,
    p99: Quantile,
    p999: Quantile,
}

/// A number that JSON may not have.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Quantile(f64);

impl Serialize for Quantile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() { serializer.serialize_f64(self.0) } else { serializer.serialize_str(&java_number(self.0)) }
    }
}

impl JsonSchema for Quantile {
    fn schema_name() -> Cow<'static, str> {
        "Quantile".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "number"}, {"const": "NaN"}]})
    }
}

impl Summary {
    /// Of `values`.
    pub(crate) fn of(values: impl IntoIterator<Item = u64>) -> Summary {
        let sorted = sorted(values.into_iter().map(|value| value as f64));
        let average = sorted.iter().sum::<f64>() / sorted.len().max(1) as f64;
        let at = |percent| Quantile(percentile(&sorted, percent));
        Summary {
            min: percentile(&sorted, 0.0) as i64,
            max: percentile(&sorted, 100.0) as i64,
            avg: average as i64,
            p50: at(50.0),
            p90: at(90.0),
            p95: at(95.0),
            p99: at(99.0),
            p999: at(99.9),
        }
    }
}

/// A number as text, as readers of Flink's metrics expect it: whole numbers without a point, within 64 bits.
pub(crate) fn java_number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else if value.fract() == 0.0 {
        // Saturates: `i64::MAX`, "the end of time", is no `f64` and has been rounded up.
        (value as i64).to_string()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_interpolate() {
        assert_eq!(percentile(&[10.0, 20.0], 50.0), 15.0);
        assert_eq!(percentile(&[10.0, 20.0], 25.0), 10.0);
        assert_eq!(percentile(&[10.0, 20.0], 95.0), 20.0);
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 50.0), 2.5);
        assert!(percentile(&[], 50.0).is_nan());
    }

    #[test]
    fn a_spread_of_nothing_is_zero() {
        assert_eq!(serde_json::to_value(Spread::of([])).unwrap()["max"], 0);
        let spread = Spread::of([362_448.0, 364_491.0]);
        assert_eq!((spread.min, spread.max, spread.avg, spread.median, spread.sum), (362_448, 364_491, 363_469, 363_469, 726_939));
    }

    #[test]
    fn a_summary_of_nothing_has_no_quantiles() {
        let summary = serde_json::to_value(Summary::of([])).unwrap();
        assert_eq!((&summary["avg"], &summary["p50"]), (&0.into(), &"NaN".into()));
        assert_eq!(serde_json::to_value(Summary::of([4, 6])).unwrap()["p50"], 5.0);
    }

    #[test]
    fn watermarks_keep_their_ends() {
        assert_eq!(java_number(i64::MIN as f64), "-9223372036854775808");
        assert_eq!(java_number(i64::MAX as f64), "9223372036854775807");
        assert_eq!(java_number(1_795_326_713_242.0), "1795326713242");
        assert_eq!(java_number(0.25), "0.25");
        assert_eq!(java_number(-0.0), "0");
        assert_eq!(java_number(f64::NAN), "NaN");
    }
}
