//! What comes from outside: things break, and clients want something.

use crate::{
    master::Link,
    sim::{Seen, Term},
    world::{Happening, World},
};
use flott_core::id::AttemptId;
use flott_graph::settings::Retention;
use flott_jobmanager::JobEvent;
use flott_rpc::client::JobRequest;
use std::time::Duration;

impl World {
    pub(crate) fn inject_fault(&mut self) {
        let Some(term) = self.current else { return };
        let kind = self.sim.random().below(100);
        match kind {
            0..30 => self.on_some_attempt(term, Self::crash),
            30..40 => self.on_some_attempt(term, Self::lose_slot),
            40..45 => self.crash_all(term),
            45..55 => self.lose_enumerator(term),
            55..60 => self.on_some_attempt(term, |world, term, attempt| {
                world.sim.trace(format_args!("{term} {attempt} hangs"));
                world.executor.stick(term, attempt);
                // If nobody cancels it and kills it then, somebody will look after it some day.
                let at = world.sim.clock.now() + world.sim.random().millis(300_000);
                world.at(at, Happening::Crash(term, attempt));
            }),
            60..75 => self.crash_master(term),
            75..92 => self.replace_master(term),
            _ => {
                let ms = self.sim.random().below(7_200_000) as i64 - 3_600_000;
                self.sim.saw(Seen::ClockJumped);
                self.sim.trace(format_args!("the wall clock jumps by {ms} ms"));
                self.sim.clock.jump(ms);
            }
        }
    }

    fn on_some_attempt(&mut self, term: Term, act: impl FnOnce(&mut Self, Term, AttemptId)) {
        let Some(master) = self.masters.get(&term) else { return };
        let attempts: Vec<AttemptId> = master.attempts.iter().filter(|(_, attempt)| !attempt.cut).map(|(attempt, _)| *attempt).collect();
        if !attempts.is_empty() {
            let attempt = self.sim.random().pick(&attempts);
            act(self, term, attempt);
        }
    }

    /// The process of an attempt is gone, or only the link to it: then it goes on for a while without anybody hearing of it.
    pub(crate) fn crash(&mut self, term: Term, attempt: AttemptId) {
        let Some(state) = self.masters.get_mut(&term).and_then(|master| master.attempts.get_mut(&attempt)) else { return };
        if state.cut {
            return;
        }
        state.cut = true;
        if self.sim.random().percent(70) {
            self.sim.saw(Seen::TaskCrashed);
            self.sim.trace(format_args!("{term} {attempt} crashes"));
            self.executor.drop_attempt(term, attempt);
        } else {
            self.sim.saw(Seen::LinkCut);
            self.sim.trace(format_args!("{term} {attempt} is cut off"));
            let at = self.sim.clock.now() + self.sim.random().millis(300);
            self.at(at, Happening::Vanish(term, attempt));
        }
        self.over(term, Link::FromTask(attempt), Happening::Loss(term, attempt));
    }

    fn lose_slot(&mut self, term: Term, attempt: AttemptId) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        let Some(slot) = master.attempts.get(&attempt).map(|attempt| attempt.slot) else { return };
        self.sim.saw(Seen::SlotLost);
        self.sim.trace(format_args!("{term} loses slot {slot}"));
        master.lost_slots.insert(slot);
        let gone: Vec<AttemptId> =
            master.attempts.iter().filter(|(_, attempt)| attempt.slot == slot).map(|(attempt, _)| *attempt).collect();
        for attempt in gone {
            if let Some(state) = master.attempts.get_mut(&attempt) {
                state.cut = true;
            }
            self.executor.drop_attempt(term, attempt);
        }
        let at = self.sim.clock.now() + self.sim.random().delay();
        self.at(at, Happening::SlotLost(term, slot));
    }

    /// The JobMaster learns that a slot is gone, with all that ran in it.
    pub(crate) fn slot_loss_arrives(&mut self, term: Term, slot: u32) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        master.attempts.retain(|_, attempt| attempt.slot != slot);
        self.tell(term, JobEvent::SlotsLost { slots: vec![slot], reason: "its worker is gone".to_owned() });
    }

    fn crash_all(&mut self, term: Term) {
        let Some(master) = self.masters.get(&term) else { return };
        let attempts: Vec<AttemptId> = master.attempts.iter().filter(|(_, attempt)| !attempt.cut).map(|(attempt, _)| *attempt).collect();
        for attempt in attempts {
            self.crash(term, attempt);
        }
        self.lose_enumerator(term);
    }

    fn lose_enumerator(&mut self, term: Term) {
        let Some(master) = self.masters.get(&term) else { return };
        let vertices: Vec<_> = master.hosts.keys().copied().collect();
        if !vertices.is_empty() {
            let vertex = self.sim.random().pick(&vertices);
            self.enumerator_dies(term, vertex);
        }
    }

    /// The whole job is gone, from one moment to the next, and begins again.
    fn crash_master(&mut self, term: Term) {
        let Some(master) = self.masters.get(&term).filter(|master| master.outcome.is_none()) else { return };
        let start = master.start.clone();
        self.sim.saw(Seen::MasterCrashed);
        self.sim.trace(format_args!("{term} crashes"));
        self.forget(term);
        if self.masters.is_empty() && self.sim.random().percent(60) {
            self.power_fails();
        }
        let at = self.sim.clock.now() + self.sim.random().millis(30);
        self.at(at, Happening::Begin(start));
    }

    /// A JobMaster is presumed dead, but goes on for a while.
    fn replace_master(&mut self, term: Term) {
        let Some(master) = self.masters.get(&term).filter(|master| master.outcome.is_none()) else { return };
        let start = master.start.clone();
        self.sim.saw(Seen::MasterReplaced);
        self.sim.trace(format_args!("{term} is to be replaced"));
        let now = self.sim.clock.now();
        let begin = now + self.sim.random().millis(20);
        self.at(begin, Happening::Begin(start));
        let end = begin + self.sim.random().millis(800);
        self.at(end, Happening::Abdicate(term));
    }

    pub(crate) fn client_asks(&mut self) {
        let retained = self.shape.settings.checkpoints.retention != Retention::DeleteOnCancellation;
        let kind = self.sim.random().below(100);
        let body = match kind {
            0..20 => JobRequest::TriggerCheckpoint,
            20..40 => JobRequest::TriggerSavepoint { directory: None },
            40..65 => JobRequest::StopWithSavepoint { directory: None, drain: false },
            65..75 => JobRequest::StopWithSavepoint { directory: None, drain: true },
            _ if retained => JobRequest::Cancel,
            _ => JobRequest::TriggerCheckpoint,
        };
        self.ask(body);
    }

    pub(crate) fn ask(&mut self, body: JobRequest) {
        let Some(term) = self.current else { return };
        let Some(master) = self.masters.get_mut(&term).filter(|master| master.outcome.is_none()) else { return };
        self.requests += 1;
        self.sim.trace(format_args!("{term} is asked {}: {body:?}", self.requests));
        master.requests.insert(self.requests, body.clone());
        self.tell(term, JobEvent::Client { request: self.requests, body });
    }

    /// A source that never ends keeps its job going until it is stopped.
    pub(crate) fn stop_if_all_is_read(&mut self) {
        let stopping = |body: &JobRequest| matches!(body, JobRequest::StopWithSavepoint { .. });
        let asked = self.current.and_then(|term| self.masters.get(&term)).is_some_and(|master| master.requests.values().any(stopping));
        if self.all_read && !asked {
            self.ask(JobRequest::StopWithSavepoint { directory: None, drain: true });
        }
        if !self.is_ending() {
            let at = self.sim.clock.now() + Duration::from_millis(50);
            self.at(at, Happening::Watch);
        }
    }
}
