//! Failover: which regions are being started again, and when.
//!
//! ```text
//!  failure ─▶ regions cancelled ─▶ all attempts ended (or killed after 180 s)
//!                                  and the strategy's delay over              ─▶ deployed from the latest checkpoint
//!                                  and no checkpoint being finalized
//!                                  and a slot for each task
//! ```
//! The first deployment of a job goes the same way, without a failure. Regions that fail together are deployed together.
//!
//! The restart strategy is asked once for each failure. Two things soften it. A lost attempt is not its program's fault: the first
//! loss of a region restarts it at once (and still counts), and so does one after a checkpoint was completed since, or after a minute:
//! it got on in between. And failures of other regions before the delay is over, or
//! within a second of a loss, have the same cause as far as anyone can tell: one lost process must not use up all restarts.

use crate::restart::RestartStrategy;
use flott_graph::settings::RestartSettings;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long tasks have to end after they were told to. Flink's `task.cancellation.timeout`.
pub const CANCELLATION_TIMEOUT: Duration = Duration::from_secs(180);
/// A region that loses an attempt is restarted at once if it has lost none for so long, also if there are no checkpoints.
const QUIET_AFTER_LOSS: Duration = Duration::from_secs(60);
/// Losses of other regions within that time belong together.
const SAME_LOSS: Duration = Duration::from_secs(1);

/// Regions that are deployed together, as soon as they can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incident {
    pub(crate) regions: BTreeSet<usize>,
    /// Not before that time.
    pub(crate) deploy_at: Duration,
    /// When attempts that have not ended are killed.
    pub(crate) kill_at: Duration,
    /// What stood in its way when it was last looked at.
    pub(crate) waits_for: WaitsFor,
}

/// What the deployment of an incident waits for. Kept, so that what is known is not looked for again at each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// Tasks of this region that have not ended; those before it have. Nothing begins to run while an incident waits.
    Tasks { region: usize },
    /// A slot for this task, by its place.
    Slot { task: usize },
    /// The delay alone. All slots were there when the scheduler had lost so many.
    Time { slots_lost: u64 },
}

impl Incident {
    pub(crate) fn new(regions: BTreeSet<usize>, deploy_at: Duration, kill_at: Duration) -> Self {
        Incident { regions, deploy_at, kill_at, waits_for: WaitsFor::Tasks { region: 0 } }
    }
}

/// The strategy's last word.
#[derive(Debug, Clone)]
struct Decision {
    regions: BTreeSet<usize>,
    lost: bool,
    deploy_at: Duration,
    /// Until then failures of other regions are part of it.
    open_until: Duration,
}

/// Decides about restarts, and remembers those that are under way.
#[derive(Debug, Clone)]
pub(crate) struct Failover {
    strategy: RestartStrategy,
    incidents: Vec<Incident>,
    /// The regions of all incidents; each is in one.
    regions: BTreeSet<usize>,
    last: Option<Decision>,
    /// When a region last lost an attempt.
    losses: BTreeMap<usize, Duration>,
}

impl Failover {
    pub(crate) fn new(settings: RestartSettings, seed: u64) -> Self {
        Failover {
            strategy: RestartStrategy::new(settings, seed),
            incidents: Vec::new(),
            regions: BTreeSet::new(),
            last: None,
            losses: BTreeMap::new(),
        }
    }

    pub(crate) fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// Whether nothing is being started again.
    pub(crate) fn is_quiet(&self) -> bool {
        self.incidents.is_empty()
    }

    /// Whether the region is being started again already.
    pub(crate) fn restarts(&self, region: usize) -> bool {
        self.regions.contains(&region)
    }

    /// The time after which the regions are started again; `None`: they are not, the job fails.
    pub(crate) fn decide(&mut self, now: Duration, regions: &BTreeSet<usize>, lost: bool) -> Option<Duration> {
        if let Some(last) = &mut self.last
            && last.lost == lost
            && now <= last.open_until
            && last.regions.is_disjoint(regions)
        {
            last.regions.extend(regions);
            let delay = last.deploy_at.saturating_sub(now);
            self.note_loss(now, regions, lost);
            return Some(delay);
        }
        let mut delay = self.strategy.on_failure(now)?;
        let quiet = |region: &usize| self.losses.get(region).is_none_or(|loss| now.saturating_sub(*loss) >= QUIET_AFTER_LOSS);
        if lost && regions.iter().all(quiet) {
            delay = Duration::ZERO;
        }
        self.note_loss(now, regions, lost);
        let deploy_at = now.saturating_add(delay);
        let open_until = if lost { deploy_at.max(now.saturating_add(SAME_LOSS)) } else { deploy_at };
        self.last = Some(Decision { regions: regions.clone(), lost, deploy_at, open_until });
        Some(delay)
    }

    fn note_loss(&mut self, now: Duration, regions: &BTreeSet<usize>, lost: bool) {
        if lost {
            self.losses.extend(regions.iter().map(|region| (*region, now)));
        }
    }

    /// A checkpoint is complete: every region has got on since its last loss.
    pub(crate) fn progressed(&mut self) {
        self.losses.clear();
    }

    /// Regions are to be deployed; with others, if they are being started again together with them.
    pub(crate) fn begin(&mut self, mut incident: Incident) {
        if !self.regions.is_disjoint(&incident.regions) {
            self.incidents.retain(|other| {
                let together = !other.regions.is_disjoint(&incident.regions);
                if together {
                    incident.regions.extend(&other.regions);
                    incident.deploy_at = incident.deploy_at.max(other.deploy_at);
                }
                !together
            });
        }
        self.regions.extend(&incident.regions);
        self.incidents.push(incident);
    }

    /// The incidents, to note in them what was found.
    pub(crate) fn incidents_mut(&mut self) -> &mut [Incident] {
        &mut self.incidents
    }

    /// Takes the incidents that are `ready`: they are being deployed.
    pub(crate) fn take(&mut self, ready: impl Fn(&Incident) -> bool) -> Vec<Incident> {
        let taken: Vec<Incident> = self.incidents.extract_if(.., |incident| ready(incident)).collect();
        for region in taken.iter().flat_map(|incident| &incident.regions) {
            self.regions.remove(region);
        }
        taken
    }

    pub(crate) fn clear(&mut self) {
        self.incidents.clear();
        self.regions.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn fixed(attempts: u32) -> Failover {
        Failover::new(RestartSettings::FixedDelay { attempts, delay: secs(5) }, 0)
    }

    fn regions<const N: usize>(regions: [usize; N]) -> BTreeSet<usize> {
        regions.into()
    }

    #[test]
    fn the_first_loss_of_a_region_restarts_at_once_and_the_next_one_waits() {
        let mut failover = fixed(9);
        assert_eq!(failover.decide(secs(0), &regions([0]), true), Some(secs(0)));
        assert_eq!(failover.decide(secs(10), &regions([0]), true), Some(secs(5)));
        assert_eq!(failover.decide(secs(80), &regions([0]), true), Some(secs(0)));
        assert_eq!(failover.decide(secs(81), &regions([0]), false), Some(secs(5)));
    }

    #[test]
    fn a_region_that_got_on_since_its_last_loss_restarts_at_once() {
        let mut failover = fixed(9);
        assert_eq!(failover.decide(secs(0), &regions([0]), true), Some(secs(0)));
        failover.progressed();
        assert_eq!(failover.decide(secs(2), &regions([0]), true), Some(secs(0)));
        assert_eq!(failover.decide(secs(4), &regions([0]), true), Some(secs(5)));
    }

    #[test]
    fn losses_of_many_regions_at_once_count_once() {
        let mut failover = fixed(1);
        for region in 0..8 {
            assert_eq!(failover.decide(Duration::from_millis(region * 10), &regions([region as usize]), true), Some(secs(0)));
        }
        assert_eq!(failover.decide(secs(0), &regions([3]), true), None, "the same region again is another failure");
    }

    #[test]
    fn failures_of_other_regions_before_the_restart_share_it() {
        let mut failover = fixed(1);
        assert_eq!(failover.decide(secs(0), &regions([0]), false), Some(secs(5)));
        assert_eq!(failover.decide(secs(3), &regions([1]), false), Some(secs(2)));
        assert_eq!(failover.decide(secs(6), &regions([2]), false), None);
    }

    #[test]
    fn without_restarts_a_loss_fails_the_job() {
        assert_eq!(Failover::new(RestartSettings::None, 0).decide(secs(0), &regions([0]), true), None);
    }

    #[test]
    fn incidents_that_share_a_region_become_one() {
        let mut failover = fixed(9);
        let incident = |regions, deploy_at| Incident::new(regions, secs(deploy_at), secs(180));
        failover.begin(incident(regions([0]), 9));
        failover.begin(incident(regions([1]), 1));
        assert_eq!(failover.incidents().len(), 2);
        failover.begin(incident(regions([0, 1, 2]), 3));
        assert_eq!(failover.incidents(), [incident(regions([0, 1, 2]), 9)]);
        assert!(failover.restarts(2) && !failover.restarts(3));
    }
}
