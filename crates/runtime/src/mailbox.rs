//! Commands for a task, in order.

use flott_rpc::task::TaskCommand;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<(VecDeque<TaskCommand>, Option<Waker>)>,
    /// Whether the queue may hold something: spares the task the lock after each batch.
    full: AtomicBool,
}

/// The task's end.
#[derive(Debug, Default)]
pub struct Mailbox(Arc<Shared>);

/// The JobManager's end.
#[derive(Debug, Clone)]
pub struct MailboxSender(Arc<Shared>);

impl Mailbox {
    /// An end to give away.
    pub fn sender(&self) -> MailboxSender {
        MailboxSender(self.0.clone())
    }

    /// The next command, if there is one.
    pub fn take(&self) -> Option<TaskCommand> {
        if !self.0.full.load(Ordering::Acquire) {
            return None;
        }
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let command = queue.0.pop_front();
        self.0.full.store(!queue.0.is_empty(), Ordering::Release);
        command
    }

    /// Wakes `waker` at the next command. Returns whether one is there already.
    pub fn register(&self, waker: &Waker) -> bool {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.1 = Some(waker.clone());
        !queue.0.is_empty()
    }
}

impl MailboxSender {
    /// Hands a command over.
    pub fn send(&self, command: TaskCommand) {
        let waker = {
            let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.0.push_back(command);
            self.0.full.store(true, Ordering::Release);
            queue.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
