//! Histograms: how values are spread.

use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};

/// The values that a histogram remembers unless told otherwise. Flink's `metrics.latency.history-size`.
pub const HISTORY: usize = 128;

/// Remembers the last values that it was given, and how many there were at all.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Mutex<Window>>);

#[derive(Debug)]
struct Window {
    values: Vec<i64>,
    size: usize,
    count: u64,
}

/// What a histogram says of the last values; zeros if there were none.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct HistogramFigures {
    /// Values so far.
    pub count: u64,
    /// The smallest of the last ones.
    pub min: f64,
    /// The largest of the last ones.
    pub max: f64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub stddev: f64,
    /// Half of them are at most this.
    pub p50: f64,
    /// 75 % of them are at most this.
    pub p75: f64,
    /// 90 % of them are at most this.
    pub p90: f64,
    /// 95 % of them are at most this.
    pub p95: f64,
    /// 98 % of them are at most this.
    pub p98: f64,
    /// 99 % of them are at most this.
    pub p99: f64,
    /// 99.9 % of them are at most this.
    pub p999: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram::with_history(HISTORY)
    }
}

impl Histogram {
    /// One that remembers the last `size` values, at least one.
    pub fn with_history(size: usize) -> Self {
        Histogram(Arc::new(Mutex::new(Window { values: Vec::new(), size: size.max(1), count: 0 })))
    }

    /// Takes a value in.
    pub fn update(&self, value: i64) {
        let window = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.values.len() < window.size {
            window.values.push(value);
        } else {
            let place = (window.count % window.size as u64) as usize;
            window.values[place] = value;
        }
        window.count += 1;
    }

    /// What it says now.
    pub fn read(&self) -> HistogramFigures {
        let (mut values, count) = {
            let window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (window.values.clone(), window.count)
        };
        values.sort_unstable();
        let (Some(min), Some(max)) = (values.first(), values.last()) else { return HistogramFigures::default() };
        let number = values.len() as f64;
        let mean = values.iter().map(|value| *value as f64).sum::<f64>() / number;
        let squares = values.iter().map(|value| (*value as f64 - mean).powi(2)).sum::<f64>();
        let stddev = if values.len() > 1 { (squares / (number - 1.0)).sqrt() } else { 0.0 };
        let quantile = |share: f64| quantile(&values, share);
        HistogramFigures {
            count,
            min: *min as f64,
            max: *max as f64,
            mean,
            stddev,
            p50: quantile(0.5),
            p75: quantile(0.75),
            p90: quantile(0.9),
            p95: quantile(0.95),
            p98: quantile(0.98),
            p99: quantile(0.99),
            p999: quantile(0.999),
        }
    }
}

/// The value below which `share` of `sorted` is, between the two next to it.
fn quantile(sorted: &[i64], share: f64) -> f64 {
    let at = |place: usize| sorted.get(place).map_or(0.0, |value| *value as f64);
    let position = (share * (sorted.len() as f64 + 1.0)).clamp(1.0, sorted.len() as f64);
    let below = position.floor();
    let place = below as usize - 1;
    if position == below { at(place) } else { at(place) + (position - below) * (at(place + 1) - at(place)) }
}

impl HistogramFigures {
    /// The quantiles that tools are shown, with their shares.
    pub fn quantiles(&self) -> [(&'static str, f64); 6] {
        [("0.5", self.p50), ("0.75", self.p75), ("0.95", self.p95), ("0.98", self.p98), ("0.99", self.p99), ("0.999", self.p999)]
    }

    /// All figures, by the endings that Flink puts behind the name of a histogram.
    pub fn parts(&self) -> [(&'static str, f64); 12] {
        [
            ("count", self.count as f64),
            ("min", self.min),
            ("max", self.max),
            ("mean", self.mean),
            ("stddev", self.stddev),
            ("median", self.p50),
            ("p75", self.p75),
            ("p90", self.p90),
            ("p95", self.p95),
            ("p98", self.p98),
            ("p99", self.p99),
            ("p999", self.p999),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_values() {
        let histogram = Histogram::default();
        assert_eq!(histogram.read(), HistogramFigures::default());
        (1..=99).rev().for_each(|value| histogram.update(value));
        let figures = histogram.read();
        assert_eq!((figures.count, figures.min, figures.max, figures.mean), (99, 1.0, 99.0, 50.0));
        assert_eq!((figures.p50, figures.p75, figures.p99, figures.p999), (50.0, 75.0, 99.0, 99.0));
        assert!((figures.stddev - 28.722_813).abs() < 1e-6);
    }

    #[test]
    fn only_the_last_values_count() {
        let histogram = Histogram::with_history(3);
        [1000, 1000, 1, 2, 4].iter().for_each(|value| histogram.update(*value));
        let figures = histogram.read();
        assert_eq!((figures.count, figures.min, figures.max, figures.p50), (5, 1.0, 4.0, 2.0));
    }

    #[test]
    fn one_value_is_every_quantile() {
        let histogram = Histogram::default();
        histogram.update(-7);
        assert!(histogram.read().quantiles().iter().all(|(_, value)| *value == -7.0));
        assert_eq!(histogram.read().stddev, 0.0);
    }
}
