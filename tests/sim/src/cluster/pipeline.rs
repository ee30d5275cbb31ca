//! What a user wants computed: a job that is started again, as another, where it has left off, until all is done.

use super::world::{Process, World};
use crate::{
    oracle::{self, Positions},
    shape::{Shape, Widths},
    sim::{Sim, hold},
    storage::honest,
};
use flott_core::id::{CheckpointId, JobId};
use flott_graph::settings::{RestartSettings, Retention};
use flott_rpc::client::{JobReply, JobRequest};
use flott_storage::{CheckpointStorage, SnapshotKind};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, mpsc},
    time::Duration,
};

/// A job, as its program makes it.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) pipeline: usize,
    pub(crate) widths: Widths,
    /// The folder that it starts from, and whether it claims it.
    pub(crate) from: Option<(String, bool)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// To be submitted; it may have been already.
    Submits {
        tried: bool,
    },
    Runs,
    Done,
}

/// The savepoint that a job was to stop with.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    pub(crate) folder: String,
    pub(crate) positions: Positions,
    pub(crate) drained: bool,
}

pub(crate) struct Pipeline {
    /// With its own outside system.
    pub(crate) sim: Arc<Sim>,
    pub(crate) shape: Shape,
    pub(crate) job: Option<JobId>,
    pub(crate) phase: Phase,
    /// What the client wants, and does not give up.
    pub(crate) wish: Option<JobRequest>,
    pub(crate) asked: Option<(Process, JobRequest, mpsc::Receiver<JobReply>)>,
    pub(crate) cancelled: bool,
    /// Its client was told that the job is being cancelled.
    pub(crate) cancel_accepted: bool,
    pub(crate) stops: BTreeMap<JobId, Stop>,
    pub(crate) all_read: bool,
    /// The positions of a savepoint in which all tasks have finished, wherever their input was.
    pub(crate) drained: Option<Positions>,
    known: BTreeSet<(JobId, CheckpointId)>,
    pub(crate) expected: Option<(Positions, bool)>,
}

impl Pipeline {
    /// Like the jobs of other simulations, but slower: machines take seconds to fail and to come back.
    pub(crate) fn random(sim: &Arc<Sim>) -> Self {
        let sim = sim.with_another_outside();
        let mut shape = Shape::random(&mut sim.random());
        {
            let mut random = sim.random();
            let slower = random.between(10, 60);
            for source in &mut shape.sources {
                source.pace_ms *= slower;
            }
            shape.idleness = shape.idleness.map(|idleness| idleness * 20);
            let settings = &mut shape.settings;
            settings.watermark_interval *= 10;
            settings.checkpoints.interval = Some(Duration::from_millis(random.between(150, 2_000)));
            settings.checkpoints.timeout = Duration::from_millis(random.pick(&[1_000, 3_000, 10_000]));
            settings.checkpoints.retention = Retention::RetainOnCancellation;
            let delay = random.millis(1_000);
            settings.restart = RestartSettings::FixedDelay { attempts: u32::MAX, delay };
        }
        Pipeline {
            sim,
            shape,
            job: None,
            phase: Phase::Submits { tried: false },
            wish: None,
            asked: None,
            cancelled: false,
            cancel_accepted: false,
            stops: BTreeMap::new(),
            all_read: false,
            drained: None,
            known: BTreeSet::new(),
            expected: None,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// What must be visible in the end, and whether all timers have fired.
    pub(crate) fn expected(&self) -> Option<(&Positions, bool)> {
        self.expected.as_ref().map(|(positions, complete)| (positions, *complete))
    }

    pub(crate) fn describe(&self) -> String {
        format!("{:?} is {:?}, {:?}", self.job, self.phase, self.wish)
    }
}

impl World {
    /// The newest checkpoint that a job has.
    pub(crate) fn completed_of(&self, job: JobId) -> Option<CheckpointId> {
        let completed = honest(&self.files).storage(job).completed().unwrap_or_default();
        completed.into_iter().map(|completed| completed.checkpoint).max()
    }

    /// Looks what has been completed: each is a cut, none is from a term that is over, all can be restored.
    pub(crate) fn note_checkpoints(&mut self, job: JobId) {
        let Some(number) = self.specs.get(&job).map(|spec| spec.pipeline) else { return };
        let storage = honest(&self.files).storage(job);
        let pipeline = &mut self.pipelines[number];
        let begun = self.begun.get(&job).copied().unwrap_or(0);
        for completed in storage.completed().unwrap_or_default() {
            if self.claimed.contains_key(&completed.folder) || !pipeline.known.insert((job, completed.checkpoint)) {
                continue;
            }
            if completed.epoch < begun {
                let CheckpointId(checkpoint) = completed.checkpoint;
                self.sim.violation(format!("checkpoint {checkpoint} of {job} is of term {}, but {begun} has begun", completed.epoch));
            }
            let Ok(loaded) = storage.load_completed(&completed) else { continue };
            let Some(positions) = oracle::cut(&pipeline.sim, &pipeline.shape, &loaded.metadata) else { return };
            pipeline.all_read |= positions == oracle::ends(&pipeline.shape);
            if completed.kind == SnapshotKind::StopWithSavepoint {
                let drained = oracle::is_drained(&loaded.metadata);
                if drained {
                    // Whoever starts from it has nothing left to do.
                    pipeline.drained = Some(positions.clone());
                }
                pipeline.stops.insert(job, Stop { folder: completed.folder, positions, drained });
            }
        }
        oracle::registers(&self.sim, &self.files, &self.claimed);
    }

    /// The job of a pipeline that is to be run next.
    pub(crate) fn next_job(&mut self, number: usize, from: Option<String>) {
        let (id, claim, widths) = {
            let mut random = self.sim.random();
            (u128::from(random.next()) << 64 | random.next() as u128, random.percent(50), self.pipelines[number].shape.widths(&mut random))
        };
        let job = JobId(id);
        self.specs.insert(job, Spec { pipeline: number, widths, from: from.map(|from| (from, claim)) });
        let pipeline = &mut self.pipelines[number];
        (pipeline.job, pipeline.phase) = (Some(job), Phase::Submits { tried: false });
        (pipeline.wish, pipeline.asked, pipeline.cancelled) = (None, None, false);
        pipeline.cancel_accepted = false;
    }

    /// Whether a client was told that a job is there.
    pub(crate) fn is_acknowledged(&self, job: JobId) -> bool {
        let mut pipelines = self.pipelines.iter();
        pipelines.any(|pipeline| pipeline.job == Some(job) && !matches!(pipeline.phase, Phase::Submits { .. }))
    }

    pub(crate) fn has_ended(&self, job: JobId) -> bool {
        hold(&self.ended).contains(&job)
    }
}
