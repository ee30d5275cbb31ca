//! A new leader takes over while tasks and enumerators go on in their workers.

use super::*;
use flott_jobmanager::ledger::Ledger;
use flott_rpc::inventory::TaskState;

/// Tasks live in so many workers.
pub(super) const WORKERS: usize = 3;
/// How long a new leader waits for workers.
const WAIT: Duration = Duration::from_millis(40);

/// A process that keeps account of what it runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Worker {
    pub(super) ledger: Ledger,
    /// It does not speak to the present leader yet.
    pub(super) away: bool,
}

impl World {
    /// The worker of an attempt. Enumerators have workers of their own, behind those of tasks.
    pub(super) fn worker_of(&self, attempt: AttemptId) -> usize {
        self.slots.get(&attempt).map_or(0, |slot| *slot as usize % WORKERS)
    }

    pub(super) fn worker_of_source(vertex: VertexId) -> usize {
        WORKERS + vertex.0 as usize
    }

    pub(super) fn worker(&mut self, number: usize) -> &mut Worker {
        self.workers.entry(number).or_default()
    }

    /// To the leader, if the worker has one; it is noted in any case.
    pub(super) fn say(&mut self, worker: usize, link: Link, event: JobEvent) {
        let account = self.worker(worker);
        match &event {
            JobEvent::Task(attempt, report) => account.ledger.report(*attempt, report),
            JobEvent::AttemptLost(attempt, _) => account.ledger.lost(*attempt),
            JobEvent::Enumerator { vertex, after, report } => account.ledger.enumerator_report(*vertex, *after, report),
            _ => {}
        }
        if !account.away {
            self.over(link, Happening::ToJob(event));
        }
    }

    pub(super) fn take_over(&mut self) {
        self.summary.takeovers += 1;
        self.storage.epoch += 1;
        let mut broken: BTreeSet<Link> = BTreeSet::new();
        for ((time, sequence), happening) in std::mem::take(&mut self.queue) {
            let link = match &happening {
                Happening::ToTask(attempt, _) => Link::ToTask(*attempt),
                Happening::ToEnumerator(vertex, ..) => Link::ToEnumerator(*vertex),
                Happening::ToJob(_) | Happening::StorageBegins(_) | Happening::Connects(_) => continue,
                // The register has a newer term by now, or had it when this was asked for.
                Happening::StorageCompletes(..) => continue,
                _ => {
                    self.queue.insert((time, sequence), happening);
                    continue;
                }
            };
            // What is under way on a connection arrives up to some message, and not from there on.
            if broken.contains(&link) || self.random.percent(50) {
                broken.insert(link);
            } else {
                self.happen(happening);
            }
        }
        // What came from that is not heard by anyone either.
        self.queue.retain(|_, happening| !matches!(happening, Happening::ToJob(_) | Happening::Connects(_)));
        self.fifo.clear();
        self.open_requests.clear();
        for number in 0..WORKERS + self.shape.vertices {
            if self.random.percent(10) {
                self.worker_dies(number);
            }
            self.worker(number).away = true;
            if self.random.percent(92) {
                self.soon(Happening::Connects(number));
            }
        }
        let gone: Vec<AttemptId> = self.current.values().filter(|attempt| !self.tasks.contains_key(attempt)).copied().collect();
        self.ended.extend(gone);
        let latest = self.storage.kept.last_key_value().map(|(_, metadata)| metadata.clone());
        if let Some(metadata) = &latest {
            self.told_complete.insert(metadata.checkpoint);
        }
        let restored = latest.map(|metadata| RestoredSnapshot { location: format!("chk-{}", metadata.checkpoint), metadata, owned: true });
        let (topology, settings) = (self.topology.clone(), self.settings.clone());
        self.job_was_taken_over();
        self.job = JobMaster::new(JobId(7), self.storage.epoch, topology, settings, restored, self.random.next()).unwrap();
        self.tell(JobEvent::Recover { last_checkpoint: self.storage.begun, wait: WAIT });
    }

    pub(super) fn connects(&mut self, number: usize) {
        let worker = self.worker(number);
        if std::mem::take(&mut worker.away) {
            let inventory = worker.ledger.inventory();
            let ended = inventory.tasks.iter().filter(|task| matches!(task.state, TaskState::Ended(_)));
            self.ended.extend(ended.map(|task| task.attempt));
            self.adopted_slots(&inventory);
            self.tell(JobEvent::Adopted(Box::new(inventory)));
        }
    }

    /// Whoever has not come by now is turned away, and ends.
    pub(super) fn recovered(&mut self) {
        let late: Vec<usize> = self.workers.iter().filter(|(_, worker)| worker.away).map(|(number, _)| *number).collect();
        for number in late {
            self.worker_dies(number);
            self.worker(number).away = false;
        }
    }

    fn worker_dies(&mut self, number: usize) {
        self.worker(number).ledger = Ledger::default();
        // Also those that have ended and could tell nobody.
        for attempt in self.current.values().copied().collect::<Vec<_>>() {
            if self.worker_of(attempt) == number {
                self.tasks.remove(&attempt);
                self.ended.insert(attempt);
                self.cut_off.insert(attempt);
            }
        }
        for (vertex, host) in &mut self.hosts {
            if World::worker_of_source(*vertex) == number {
                host.enumerator = None;
            }
        }
    }
}
