//! A few threads for work that blocks: writing state.

use flott_runtime::{Background, panics::catching};
use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

type Work = Box<dyn FnOnce() + Send>;

/// Threads that take work in turn. They end when it is dropped.
#[derive(Debug)]
pub(crate) struct BackgroundThreads {
    queue: Mutex<mpsc::Sender<Work>>,
}

impl BackgroundThreads {
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Work>();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..threads {
            let receiver = receiver.clone();
            thread::Builder::new().name("flott-io".to_owned()).spawn(move || {
                loop {
                    let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(work) = next else { return };
                    if let Err(panic) = catching(work) {
                        tracing::error!(panic = %panic.message, at = panic.location, "background work panicked");
                    }
                }
            })?;
        }
        Ok(BackgroundThreads { queue: Mutex::new(sender) })
    }
}

impl Background for BackgroundThreads {
    fn run(&self, work: Work) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(mpsc::SendError(work)) = queue.send(work) {
            // The threads are gone only if none could live: the work is done here rather than lost.
            work();
        }
    }
}
