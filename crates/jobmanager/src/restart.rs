//! Restart strategies: whether, and after which time, a job is started again. Flink's names, meanings and defaults.
//!
//! ```text
//! none                never
//! fixed delay         `attempts` times over the life of the job
//! failure rate        as long as at most `max_failures` fall into `interval`
//! exponential delay   initial, initial·m, initial·m², … up to max; from the start again after `reset_after` without failure
//! ```

use crate::random::Random;
use flott_graph::settings::RestartSettings;
use std::{collections::VecDeque, time::Duration};

/// Decides about restarts.
#[derive(Debug, Clone)]
pub struct RestartStrategy {
    settings: RestartSettings,
    random: Random,
    /// Restarts that were granted since the start or the last reset.
    granted: u32,
    /// The times of the failures in the interval.
    recent: VecDeque<Duration>,
    /// The delay that the next failure gets, before jitter.
    backoff: Duration,
    last_failure: Option<Duration>,
}

impl RestartStrategy {
    /// A strategy that has seen no failure. `seed` decides the jitter.
    pub fn new(settings: RestartSettings, seed: u64) -> Self {
        RestartStrategy {
            settings,
            random: Random::new(seed),
            granted: 0,
            recent: VecDeque::new(),
            backoff: Duration::ZERO,
            last_failure: None,
        }
    }

    /// Takes note of a failure. The time to wait before the restart; `None`: there is none, the job fails.
    pub fn on_failure(&mut self, now: Duration) -> Option<Duration> {
        match self.settings {
            RestartSettings::None => None,
            RestartSettings::FixedDelay { attempts, delay } => {
                self.granted = self.granted.saturating_add(1);
                (self.granted <= attempts).then_some(delay)
            }
            RestartSettings::FailureRate { max_failures, interval, delay } => {
                self.recent.push_back(now);
                while self.recent.front().is_some_and(|oldest| now.saturating_sub(*oldest) > interval) {
                    self.recent.pop_front();
                }
                (self.recent.len() <= max_failures as usize).then_some(delay)
            }
            RestartSettings::ExponentialDelay { initial, max, multiplier, jitter, reset_after, attempts } => {
                // The time of rest begins when the restart does.
                let rested = self.last_failure.is_none_or(|last| now.saturating_sub(last) >= reset_after.saturating_add(self.backoff));
                if rested {
                    self.granted = 0;
                    self.backoff = initial;
                } else {
                    self.backoff = scaled(self.backoff, multiplier.max(1.0), max);
                }
                self.last_failure = Some(now);
                self.granted = self.granted.saturating_add(1);
                if attempts.is_some_and(|attempts| self.granted > attempts) {
                    return None;
                }
                let spread = 1.0 + jitter.clamp(0.0, 1.0) * (2.0 * self.random.unit() - 1.0);
                Some(scaled(self.backoff.min(max), spread, max))
            }
        }
    }
}

/// `time * factor`, at most `max`.
fn scaled(time: Duration, factor: f64, max: Duration) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() * factor).unwrap_or(max).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn delays(settings: RestartSettings, failures: &[u64]) -> Vec<Option<u64>> {
        let mut strategy = RestartStrategy::new(settings, 1);
        failures.iter().map(|at| strategy.on_failure(secs(*at)).map(|delay| delay.as_millis() as u64)).collect()
    }

    #[test]
    fn none_never_restarts() {
        assert_eq!(delays(RestartSettings::None, &[5]), [None]);
    }

    #[test]
    fn fixed_delay_restarts_a_number_of_times() {
        let settings = RestartSettings::FixedDelay { attempts: 2, delay: secs(3) };
        assert_eq!(delays(settings, &[0, 1000, 9000]), [Some(3000), Some(3000), None]);
    }

    #[test]
    fn failure_rate_bears_rare_failures_for_ever() {
        let settings = || RestartSettings::FailureRate { max_failures: 2, interval: secs(60), delay: secs(1) };
        assert_eq!(delays(settings(), &[0, 40, 80, 120, 160]), [Some(1000); 5]);
        assert_eq!(delays(settings(), &[0, 20, 60]), [Some(1000), Some(1000), None]);
        assert_eq!(delays(settings(), &[0, 20, 61]), [Some(1000); 3]);
    }

    fn exponential(jitter: f64, attempts: Option<u32>) -> RestartSettings {
        RestartSettings::ExponentialDelay { initial: secs(1), max: secs(10), multiplier: 2.0, jitter, reset_after: secs(100), attempts }
    }

    #[test]
    fn exponential_delay_grows_to_its_limit_and_starts_again_after_a_rest() {
        let grown = delays(exponential(0.0, None), &[0, 5, 10, 20, 40, 60, 200]);
        assert_eq!(grown, [Some(1000), Some(2000), Some(4000), Some(8000), Some(10_000), Some(10_000), Some(1000)]);
    }

    #[test]
    fn exponential_delay_rests_from_the_restart_not_from_the_failure() {
        // After the second failure the job comes back at 7 s, so 100 s of rest end at 107 s.
        assert_eq!(delays(exponential(0.0, None), &[0, 5, 106]), [Some(1000), Some(2000), Some(4000)]);
        assert_eq!(delays(exponential(0.0, None), &[0, 5, 107]), [Some(1000), Some(2000), Some(1000)]);
    }

    #[test]
    fn exponential_delay_counts_attempts_since_the_last_rest() {
        assert_eq!(delays(exponential(0.0, Some(2)), &[0, 5, 500, 505, 510]), [Some(1000), Some(2000), Some(1000), Some(2000), None]);
    }

    #[test]
    fn jitter_stays_in_its_bounds_and_comes_from_the_seed() {
        let mut seen = Vec::new();
        for seed in 0..50 {
            let mut strategy = RestartStrategy::new(exponential(0.1, None), seed);
            let delay = strategy.on_failure(secs(0)).unwrap();
            assert!((900..=1100).contains(&delay.as_millis()), "{delay:?}");
            assert_eq!(Some(delay), RestartStrategy::new(exponential(0.1, None), seed).on_failure(secs(0)));
            seen.push(delay);
        }
        seen.sort();
        seen.dedup();
        assert!(seen.len() > 40, "{} different delays of 50", seen.len());
    }
}
