//! What tasks, enumerators and the storage do with what they hear.

use super::*;

impl World {
    pub(super) fn report(&mut self, attempt: AttemptId, report: TaskReport) {
        self.say(self.worker_of(attempt), Link::FromTask(attempt), JobEvent::Task(attempt, report));
    }

    pub(super) fn wake_task(&mut self, attempt: AttemptId) {
        if let Some(task) = self.tasks.get_mut(&attempt)
            && !task.scheduled
        {
            task.scheduled = true;
            self.soon(Happening::Step(attempt));
        }
    }

    pub(super) fn step(&mut self, attempt: AttemptId) {
        let Some(task) = self.tasks.get_mut(&attempt) else { return };
        task.scheduled = false;
        if !task.running {
            task.running = true;
            self.report(attempt, TaskReport::Running);
            return self.wake_task(attempt);
        }
        let generation = task.generation;
        let effects = task.step(&mut self.random, &mut self.committables);
        if !effects.is_empty() {
            self.wake_task(attempt);
        }
        for effect in effects {
            match effect {
                Effect::Emit(elements) => self.emit(attempt.subtask, generation, elements),
                Effect::EndOfData => self.report(attempt, TaskReport::EndOfData),
                Effect::Request => self.report(attempt, TaskReport::RequestSplit),
                Effect::Snapshot(barrier, _) if self.faulty() && self.random.percent(4) => {
                    let reason = "simulated".to_owned();
                    self.report(attempt, TaskReport::CheckpointDeclined { checkpoint: barrier.checkpoint, reason });
                }
                Effect::Snapshot(barrier, snapshot) => self.soon(Happening::Uploaded(attempt, barrier.checkpoint, Box::new(snapshot))),
            }
        }
    }

    pub(super) fn emit(&mut self, from: SubtaskId, generation: u64, elements: Vec<(SubtaskId, Element)>) {
        for (to, element) in elements {
            let Some(receiver) = self.current.get(&to).copied() else { continue };
            if let Some(task) = self.tasks.get_mut(&receiver).filter(|task| task.generation == generation) {
                task.push(from, element);
                self.wake_task(receiver);
            }
        }
    }

    pub(super) fn task_hears(&mut self, attempt: AttemptId, command: TaskCommand) {
        let worker = self.worker_of(attempt);
        self.worker(worker).ledger.command(attempt, &command);
        let Some(task) = self.tasks.get_mut(&attempt) else { return };
        match command {
            TaskCommand::CheckpointCompleted(checkpoint) => {
                let commit = task.completed(checkpoint);
                if task.last.contains(&checkpoint) && !task.finishing {
                    task.finishing = true;
                    self.soon(Happening::TaskFinishes(attempt));
                }
                self.commit(attempt, commit);
            }
            TaskCommand::CheckpointAborted(checkpoint) => task.aborted(checkpoint),
            TaskCommand::Cancel => {
                if !task.deaf {
                    task.canceled = true;
                    self.tasks.remove(&attempt);
                    self.report(attempt, TaskReport::Canceled);
                }
                return;
            }
            command => task.command(command),
        }
        self.wake_task(attempt);
    }

    pub(super) fn commit(&mut self, attempt: AttemptId, committables: Vec<Committable>) {
        for committable in committables {
            if !self.committed_ids.insert(committable.id) {
                continue;
            }
            for record in committable.records {
                let times = self.committed.entry((attempt.subtask.vertex, record)).or_default();
                *times += 1;
                let expected = self.shape.paths(source_of(record), attempt.subtask.vertex.0 as usize);
                assert!(*times <= expected, "{attempt} committed record {record:x} {times} times, expected {expected}");
            }
        }
    }

    pub(super) fn enumerator_hears(&mut self, vertex: VertexId, number: u64, command: EnumeratorCommand) {
        self.worker(World::worker_of_source(vertex)).ledger.enumerator_command(vertex, number, &command);
        let Some(host) = self.hosts.get_mut(&vertex) else { return };
        if let EnumeratorCommand::Create { restored, readers, .. } = &command {
            host.enumerator = Some(Enumerator::new(*readers, host.eager, &host.splits, restored.as_deref()));
            host.made += 1;
            host.handled = number;
            let made = host.made;
            return self.later(Happening::EnumeratorWakes(vertex, made));
        }
        let Some(enumerator) = &mut host.enumerator else { return };
        assert!(number > host.handled);
        host.handled = number;
        let reports = enumerator.handle(command, &mut self.random);
        self.enumerator_says(vertex, reports);
    }

    pub(super) fn enumerator_says(&mut self, vertex: VertexId, reports: Vec<EnumeratorReport>) {
        let after = self.hosts[&vertex].handled;
        for report in reports {
            self.say(World::worker_of_source(vertex), Link::FromEnumerator(vertex), JobEvent::Enumerator { vertex, after, report });
        }
    }

    pub(super) fn storage_completes(&mut self, metadata: &Arc<CheckpointMetadata>, kind: &SnapshotKind) {
        let checkpoint = metadata.checkpoint;
        let choice = if self.faulty() { self.random.below(100) } else { 99 };
        let outcome = match choice {
            // What was complete once cannot fail later.
            0..4 if !self.storage.kept.contains_key(&checkpoint) && !self.storage.savepoints.contains_key(&checkpoint) => {
                CompletionOutcome::Failed("simulated".into())
            }
            0..12 => {
                self.summary.unknown += 1;
                if self.random.percent(50) {
                    self.storage.complete(metadata, kind);
                }
                CompletionOutcome::Unknown("simulated".into())
            }
            _ => CompletionOutcome::Complete(self.storage.complete(metadata, kind)),
        };
        self.over(Link::Storage, Happening::ToJob(JobEvent::Storage(StorageReport::Completed { checkpoint, outcome })));
    }
}
