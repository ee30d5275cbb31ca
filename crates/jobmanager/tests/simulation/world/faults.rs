//! What goes wrong, what clients ask, and how a job starts again after a crash.

use super::*;

impl World {
    pub(super) fn faulty(&self) -> bool {
        self.now < Duration::from_secs(1) + FAULTS_UNTIL
    }

    pub(super) fn lose(&mut self, attempt: AttemptId) {
        if self.tasks.remove(&attempt).is_some() {
            if self.random.percent(50) {
                self.cut_off.insert(attempt);
            }
            self.say(self.worker_of(attempt), Link::FromTask(attempt), JobEvent::AttemptLost(attempt, "simulated".into()));
        }
    }

    pub(super) fn fault(&mut self) {
        let alive: Vec<AttemptId> = self.tasks.keys().copied().collect();
        let some = (!alive.is_empty()).then(|| alive[self.random.below(alive.len() as u64) as usize]);
        match (self.random.below(100), some) {
            (0..35, Some(attempt)) => {
                self.tasks.remove(&attempt);
                self.report(attempt, TaskReport::Failed(failure()));
            }
            (35..60, Some(attempt)) => self.lose(attempt),
            (60..68, _) => {
                let chance = self.random.below(100);
                for attempt in alive {
                    if self.random.percent(chance) {
                        self.lose(attempt);
                    }
                }
            }
            (68..76, _) => {
                let lost = self.supply.held.clone().into_iter().filter(|_| self.random.percent(30)).collect();
                self.lose_slots(lost);
            }
            (76..84, _) => {
                let Some(vertex) = self.some_source() else { return };
                if let Some(host) = self.hosts.get_mut(&vertex)
                    && host.enumerator.take().is_some()
                {
                    let after = host.handled;
                    let worker = World::worker_of_source(vertex);
                    let event = if self.random.percent(50) {
                        self.worker(worker).ledger = flott_jobmanager::ledger::Ledger::default();
                        JobEvent::EnumeratorLost { vertex, reason: "simulated".into() }
                    } else {
                        JobEvent::Enumerator { vertex, after, report: EnumeratorReport::Failed(failure()) }
                    };
                    self.say(worker, Link::FromEnumerator(vertex), event);
                }
            }
            (84..88, Some(attempt)) => self.tasks.get_mut(&attempt).expect("alive").deaf = true,
            (88..92, _) => self.crash(),
            (92..100, _) => self.take_over(),
            _ => {}
        }
    }

    pub(super) fn some_source(&mut self) -> Option<VertexId> {
        let sources: Vec<VertexId> = self.hosts.keys().copied().collect();
        (!sources.is_empty()).then(|| sources[self.random.below(sources.len() as u64) as usize])
    }

    pub(super) fn client(&mut self) {
        self.requests += 1;
        let body = match self.random.below(8) {
            0 => JobRequest::TriggerCheckpoint,
            1 | 2 => JobRequest::TriggerSavepoint { directory: Some("/savepoints".into()) },
            3 => JobRequest::StopWithSavepoint { directory: Some("/savepoints".into()), drain: false },
            _ => JobRequest::Rescale(self.some_bounds()),
        };
        self.open_requests.insert(self.requests, body.clone());
        self.tell(JobEvent::Client { request: self.requests, body });
    }

    /// The JobManager is gone with everything else; a new one starts from what the register has.
    pub(super) fn crash(&mut self) {
        self.summary.crashes += 1;
        for happening in std::mem::take(&mut self.queue).into_iter().collect::<Vec<_>>() {
            match happening {
                // Requests under way reach the storage or do not.
                (_, Happening::StorageCompletes(metadata, kind)) if self.random.percent(50) => _ = self.storage.complete(&metadata, &kind),
                ((time, _), again @ (Happening::Fault | Happening::Client | Happening::Capacity)) => self.at(time, again),
                _ => {}
            }
        }
        self.open_requests.clear();
        let latest = self.storage.kept.last_key_value().map(|(_, metadata)| metadata.clone());
        self.start_again(latest);
    }

    pub(super) fn start_again(&mut self, from: Option<Arc<CheckpointMetadata>>) {
        self.storage.epoch += 1;
        self.tasks.clear();
        self.current.clear();
        self.ended.clear();
        self.cut_off.clear();
        self.slots.clear();
        self.forget_slots();
        self.workers.clear();
        self.fifo.clear();
        self.queue.retain(|_, happening| matches!(happening, Happening::Fault | Happening::Client | Happening::Capacity));
        for host in self.hosts.values_mut() {
            host.enumerator = None;
            host.handled = 0;
        }
        if self.random.percent(50) {
            self.topology = self.shape.topology(&mut self.random, self.settings.mode == RuntimeMode::Batch);
        }
        self.submitted = self.topology.clone();
        if let Some(metadata) = &from {
            self.told_complete.insert(metadata.checkpoint);
            self.storage.kept.insert(metadata.checkpoint, metadata.clone());
        }
        let restored = from.map(|metadata| RestoredSnapshot { location: format!("chk-{}", metadata.checkpoint), metadata, owned: true });
        let (topology, settings) = (self.topology.clone(), self.settings.clone());
        self.job = JobMaster::new(JobId(7), self.storage.epoch, topology, settings, restored, self.random.next()).unwrap();
        self.tell(JobEvent::Start { last_checkpoint: self.storage.begun });
    }
}

fn failure() -> TaskFailure {
    TaskFailure {
        operator: "toy".into(),
        subtask: 0,
        parallelism: 1,
        attempt: 0,
        causes: vec!["simulated".into()],
        location: None,
        panicked: false,
        unrecoverable: false,
    }
}
