//! Rescaling while the job runs: clients ask for another parallelism, slots come late.

use crate::{
    random::Random,
    shape::Shape,
    sim::{Seen, Term},
    world::{Happening, World},
};
use flott_graph::settings::{SchedulerMode, SchedulerSettings};
use flott_jobmanager::JobEvent;
use flott_rpc::client::{JobRequest, ParallelismBounds, RescaleState, RescaleSummary};

/// What a seed has of it. Drawn from chance of its own: seeds that have nothing of it are what they were without.
#[derive(Debug)]
pub(crate) struct Rescaling {
    random: Random,
    /// How often a client asks.
    pub(crate) requests: u64,
    /// Whether slots come one by one, some late.
    scarce: bool,
}

impl Rescaling {
    pub(crate) fn new(seed: u64, shape: &mut Shape) -> Self {
        let mut random = Random::new(seed ^ 0x7e5c_a1e0_7e5c_a1e0);
        if random.percent(50) {
            return Rescaling { random, requests: 0, scarce: false };
        }
        let modes = [SchedulerMode::Default, SchedulerMode::Adaptive, SchedulerMode::Reactive];
        // With more than a few slots a run takes long and shows nothing else.
        let mode = random.pick(if shape.max_parallelism <= 4 { &modes } else { &modes[..2] });
        shape.settings.scheduler = SchedulerSettings {
            mode,
            resource_wait_timeout: None,
            submission_stabilization: random.millis(40),
            executing_stabilization: random.millis(150),
            cooldown: random.millis(150),
            max_checkpoint_failures: random.between(1, 3) as u32,
        };
        Rescaling { requests: random.below(5), scarce: random.percent(50), random }
    }
}

impl World {
    pub(crate) fn prepare_rescaling(&mut self, window: u64) {
        for _ in 0..self.rescaling.requests {
            let at = self.rescaling.random.millis(window);
            self.at(at, Happening::Rescale);
        }
    }

    /// A client asks for another parallelism, now and then for one that cannot be.
    pub(crate) fn rescale_asked(&mut self) {
        let Some(topology) = self.current.and_then(|term| self.masters.get(&term)).map(|master| master.topology.clone()) else { return };
        let random = &mut self.rescaling.random;
        let common = random.between(1, 3) as u32;
        let exact = random.percent(60);
        let mut bounds: Vec<ParallelismBounds> = Vec::new();
        for (vertex, group) in topology.vertices.iter().zip(topology.forward_groups()) {
            let upper = if random.percent(60) { common } else { random.between(1, 3) as u32 }.min(vertex.max_parallelism);
            let lower = if exact { upper } else { random.between(1, u64::from(upper)) as u32 };
            bounds.push(if group == vertex.id { ParallelismBounds { lower, upper } } else { bounds[group.0 as usize] });
        }
        if random.percent(5) {
            bounds[0].upper = 1000;
        }
        self.ask(JobRequest::Rescale(bounds));
    }

    /// Slots that a job wants come, soon or late.
    pub(crate) fn slots_come(&mut self, term: Term, slots: Vec<u32>) {
        let groups = if self.rescaling.scarce { slots.into_iter().map(|slot| vec![slot]).collect::<Vec<_>>() } else { vec![slots] };
        for slots in groups {
            let late = self.rescaling.scarce && self.rescaling.random.percent(30);
            let delay = if late { self.rescaling.random.millis(400) } else { self.sim.random().delay() };
            let at = self.sim.clock.now() + delay;
            self.at(at, Happening::ToMaster(term, JobEvent::Slots(slots)));
        }
    }

    pub(crate) fn note_rescale(&self, change: &RescaleSummary) {
        let total = |parallelism: &[u32]| parallelism.iter().sum::<u32>();
        match change.state {
            RescaleState::Completed if total(&change.to) < total(&change.from) => self.sim.saw(Seen::Shrunk),
            RescaleState::Completed => self.sim.saw(Seen::Grown),
            RescaleState::Failed(_) => self.sim.saw(Seen::RescaleGivenUp),
            RescaleState::TakingCheckpoint | RescaleState::Restarting | RescaleState::Superseded => {}
        }
    }

    /// No client is refused but for a reason.
    pub(crate) fn check_refusal(&self, bounds: &[ParallelismBounds], reason: &str) {
        let expected = bounds[0].upper == 1000 || ["ended", "ending", "stopped"].iter().any(|word| reason.contains(word));
        if !expected {
            self.sim.violation(format!("{bounds:?} were refused: {reason}"));
        }
    }
}
