//! The writer of one subtask.

use super::{
    Bucket, Encoder, Rolling,
    disk::{create_dir, look, sync_dir},
    error::FileSinkError as Error,
    naming::{PartNames, bucket_dir},
    part::{BUFFER, Part},
    state::{FileCommittable, FileWriterState, InProgressPart},
};
use flott_core::{
    BoxError, Data,
    batch::Batch,
    id::CheckpointId,
    sink::{SinkWriter, WriterContext},
    time::SharedClock,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    path::PathBuf,
    time::Duration,
};

/// Closed files that may wait for the next checkpoint to be made durable; each holds a file descriptor.
const MAX_UNSYNCED: usize = 8;
/// Buckets whose files are known to have smaller counters than the next one.
const MAX_SCANNED: usize = 10_000;

pub(super) struct FileWriter<T> {
    /// The output directory, absolute.
    dir: String,
    encoder: Encoder<T>,
    bucket_of: Option<Bucket<T>>,
    rolling: Rolling,
    names: PartNames,
    subtask: u32,
    clock: SharedClock,
    unique: u64,
    next_counter: u64,
    /// The open file of each bucket.
    parts: BTreeMap<String, Part>,
    /// Complete files that may not be on disk yet.
    closed: Vec<Part>,
    /// Complete and durable files that no checkpoint holds yet.
    pending: Vec<FileCommittable>,
    /// Directories with new entries that may not be on disk yet.
    changed_dirs: BTreeSet<PathBuf>,
    scanned: BTreeSet<String>,
    /// No file needs to be closed for its age before this time.
    wake: Option<Duration>,
    /// Kept for its memory.
    text: String,
    /// The first error. After one, nothing may get into a checkpoint.
    failed: Option<String>,
}

impl<T: Data> FileWriter<T> {
    /// A writer that goes on with the files of `restored`.
    pub(super) fn new(
        dir: String,
        (encoder, bucket_of): (Encoder<T>, Option<Bucket<T>>),
        (rolling, names): (Rolling, PartNames),
        context: &WriterContext,
        restored: Vec<FileWriterState>,
    ) -> Result<Self, Error> {
        let mut writer = FileWriter {
            dir,
            encoder,
            bucket_of,
            rolling,
            names,
            subtask: context.subtask,
            clock: context.clock.clone(),
            unique: context.seed,
            next_counter: restored.iter().map(|state| state.next_counter).max().unwrap_or(0),
            parts: BTreeMap::new(),
            closed: Vec::new(),
            pending: Vec::new(),
            changed_dirs: BTreeSet::new(),
            scanned: BTreeSet::new(),
            wake: None,
            text: String::new(),
            failed: None,
        };
        create_dir(writer.dir.as_ref(), &mut writer.changed_dirs)?;
        let now = writer.clock.monotonic();
        for names in restored.into_iter().filter_map(|state| state.part) {
            let part = writer.restore_part(names, now)?;
            if writer.parts.contains_key(&part.names().bucket) {
                // Of two former subtasks: only one file of the bucket goes on.
                writer.close_part(part)?;
            } else {
                writer.parts.insert(part.names().bucket.clone(), part);
            }
        }
        writer.set_wake();
        Ok(writer)
    }

    fn restore_part(&mut self, names: InProgressPart, now: Duration) -> Result<Part, Error> {
        let (from, to, length) = (names.from(), names.to(), names.length);
        let finished = look(&to)?;
        if names.dir != self.dir {
            // Another output directory than before: what the checkpoint holds of the file is carried over. If the file was
            // finished since, it still begins with that.
            let source = if look(&from)?.is_some() || finished.is_none() { from } else { to };
            if look(&source)?.is_none() {
                return Err(Error::MissingPart { path: source, length });
            }
            let mut part = self.create_part(&names.bucket, now)?;
            part.copy_from(&source, length)?;
            return Ok(part);
        }
        match (look(&from)?, finished) {
            (Some(hidden), Some(finished)) if !super::disk::same_file(&hidden, &finished) => Err(Error::Occupied { from, to }),
            (_, Some(finished)) if finished.len() >= length => Err(Error::NewerResultsVisible { path: to }),
            _ => Part::restore(names, now),
        }
    }

    /// Opens the next file of a bucket, with a counter that no file of this subtask has.
    fn create_part(&mut self, bucket: &str, now: Duration) -> Result<Part, Error> {
        let dir = bucket_dir(self.dir.as_ref(), bucket)?;
        create_dir(&dir, &mut self.changed_dirs)?;
        if !self.scanned.contains(bucket) {
            for entry in fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
                let name = entry.map_err(Error::io("list", &dir))?.file_name();
                if let Some(counter) = name.to_str().and_then(|name| self.names.counter(name, self.subtask)) {
                    self.next_counter = self.next_counter.max(counter.saturating_add(1));
                }
            }
            if self.scanned.len() >= MAX_SCANNED {
                self.scanned.clear();
            }
            self.scanned.insert(bucket.to_owned());
        }
        loop {
            let finished = self.names.finished(self.subtask, self.next_counter);
            self.next_counter += 1;
            if look(&dir.join(&finished))?.is_some() {
                continue;
            }
            let in_progress = PartNames::in_progress(&finished, self.unique);
            let names = InProgressPart { dir: self.dir.clone(), bucket: bucket.to_owned(), in_progress, finished, length: 0 };
            let path = names.from();
            match Part::create(names, now) {
                Ok(part) => {
                    self.changed_dirs.insert(dir);
                    let due = now.saturating_add(self.rolling.rollover_interval.min(self.rolling.inactivity_interval));
                    self.wake = Some(self.wake.map_or(due, |wake| wake.min(due)));
                    return Ok(part);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create the part file", path)(error)),
            }
        }
    }

    fn write_batch(&mut self, batch: &Batch<T>) -> Result<(), Error> {
        let now = self.clock.monotonic();
        self.close_old_parts(now)?;
        if batch.is_empty() {
            return Ok(());
        }
        let Some(bucket_of) = self.bucket_of.clone() else { return self.write_run("", &batch.values, now) };
        let bucket_at = |index: usize| batch.values.get(index).map(|value| bucket_of(value, batch.timestamps.get(index)));
        let mut start = 0;
        let mut bucket = bucket_at(0);
        while let Some(current) = bucket {
            let mut end = start + 1;
            bucket = bucket_at(end);
            while bucket.as_ref() == Some(&current) {
                end += 1;
                bucket = bucket_at(end);
            }
            self.write_run(&current, &batch.values[start..end], now)?;
            start = end;
        }
        Ok(())
    }

    /// Writes records of one bucket.
    fn write_run(&mut self, bucket: &str, values: &[T], now: Duration) -> Result<(), Error> {
        let mut open = self.parts.remove(bucket);
        for value in values {
            let part = match &mut open {
                Some(part) => part,
                None => open.insert(self.create_part(bucket, now)?),
            };
            self.encoder
                .encode(value, &mut part.buffer, &mut self.text)
                .map_err(|source| Error::Encode { bucket: bucket.to_owned(), source })?;
            if part.buffer.len() >= BUFFER {
                part.write_buffer()?;
            }
            if part.length() >= self.rolling.part_bytes
                && let Some(part) = open.take()
            {
                self.close_part(part)?;
            }
        }
        if let Some(mut part) = open {
            part.last_write = now;
            self.parts.insert(bucket.to_owned(), part);
        }
        Ok(())
    }

    /// Completes a file. It is made durable later, when the system may have written most of it already.
    fn close_part(&mut self, mut part: Part) -> Result<(), Error> {
        part.write_buffer()?;
        part.buffer = Vec::new();
        self.closed.push(part);
        if self.closed.len() > MAX_UNSYNCED { self.sync_closed() } else { Ok(()) }
    }

    fn sync_closed(&mut self) -> Result<(), Error> {
        for mut part in self.closed.drain(..) {
            part.sync()?;
            self.changed_dirs.extend(part.dir());
            self.pending.push(part.names().committable());
        }
        Ok(())
    }

    /// Closes files that are too old or were not written to for too long.
    fn close_old_parts(&mut self, now: Duration) -> Result<(), Error> {
        if self.wake.is_none_or(|wake| now < wake) {
            return Ok(());
        }
        let rolling = self.rolling;
        let old: Vec<String> = self.parts.iter().filter(|(_, part)| rolling.due(part) <= now).map(|(bucket, _)| bucket.clone()).collect();
        for part in old.iter().filter_map(|bucket| self.parts.remove(bucket)).collect::<Vec<_>>() {
            self.close_part(part)?;
        }
        self.set_wake();
        Ok(())
    }

    fn set_wake(&mut self) {
        self.wake = self.parts.values().map(|part| self.rolling.due(part)).min();
    }

    fn make_durable(&mut self, close_all: bool) -> Result<(), Error> {
        if close_all {
            for part in std::mem::take(&mut self.parts).into_values() {
                self.close_part(part)?;
            }
            self.wake = None;
        }
        for part in self.parts.values_mut() {
            part.sync()?;
        }
        self.sync_closed()?;
        // Last, so that the entries of all the files above are on disk.
        while let Some(dir) = self.changed_dirs.pop_first() {
            sync_dir(&dir)?;
        }
        Ok(())
    }

    /// Does something unless it failed before; remembers if it fails.
    fn guarded(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), BoxError> {
        if let Some(message) = &self.failed {
            return Err(Box::new(Error::Failed { message: message.clone() }));
        }
        act(self).map_err(|error| {
            self.failed = Some(error.to_string());
            Box::from(error)
        })
    }
}

impl<T: Data> SinkWriter<T, FileCommittable, FileWriterState> for FileWriter<T> {
    fn write(&mut self, batch: Batch<T>) -> Result<(), BoxError> {
        self.guarded(|writer| writer.write_batch(&batch))
    }

    fn flush(&mut self, end_of_input: bool) -> Result<(), BoxError> {
        self.guarded(|writer| writer.make_durable(end_of_input || writer.rolling.on_checkpoint))
    }

    fn prepare_commit(&mut self, _checkpoint: CheckpointId) -> Result<Vec<FileCommittable>, BoxError> {
        self.guarded(|writer| writer.make_durable(false))?;
        Ok(std::mem::take(&mut self.pending))
    }

    fn snapshot(&mut self, _checkpoint: CheckpointId) -> Result<Vec<FileWriterState>, BoxError> {
        self.guarded(|writer| writer.make_durable(false))?;
        let next_counter = self.next_counter;
        if self.parts.is_empty() {
            return Ok(vec![FileWriterState { next_counter, part: None }]);
        }
        Ok(self.parts.values().map(|part| FileWriterState { next_counter, part: Some(part.names().clone()) }).collect())
    }

    fn next_wake(&self) -> Option<Duration> {
        self.wake
    }

    fn on_wake(&mut self) -> Result<(), BoxError> {
        let now = self.clock.monotonic();
        self.guarded(|writer| writer.close_old_parts(now))
    }
}
