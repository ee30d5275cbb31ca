//! A worker's side of its connection to the JobManager, over several JobManagers.

use crate::control::Link;
use flott_jobmanager::ledger::Ledger;
use flott_rpc::{
    control::{FromWorker, ToWorker},
    inventory::WorkerInventory,
};
use flott_security::Stream;
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Everything that goes to and comes from the JobManager passes by here and is noted. Cheap to clone: clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Session(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    ledger: Ledger,
    way: Way,
}

/// Where messages go.
#[derive(Debug, Default)]
enum Way {
    /// Nowhere: whoever leads next reads of them in the inventory.
    #[default]
    None,
    /// The inventory was taken; these came after it.
    Connecting(Vec<FromWorker>),
    Open(Link<FromWorker>),
}

impl Session {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection is about to be made. Returns what its other end must know, if `again`.
    pub(crate) fn begin(&self, again: bool) -> Option<WorkerInventory> {
        let state = &mut *self.lock();
        state.way = Way::Connecting(Vec::new());
        again.then(|| state.ledger.inventory())
    }

    /// The connection stands.
    pub(crate) fn connected(&self, stream: Stream) -> io::Result<()> {
        let link = Link::start(stream)?;
        self.open(link);
        Ok(())
    }

    /// Messages go this way from now on.
    pub(crate) fn open(&self, link: Link<FromWorker>) {
        let state = &mut *self.lock();
        if let Way::Connecting(waiting) = &mut state.way {
            waiting.drain(..).for_each(|message| link.send(message));
        }
        state.way = Way::Open(link);
    }

    /// There is no connection.
    pub(crate) fn disconnected(&self) {
        self.lock().way = Way::None;
    }

    /// To the JobManager.
    pub(crate) fn say(&self, message: FromWorker) {
        let state = &mut *self.lock();
        match &message {
            FromWorker::Task(attempt, report) => state.ledger.report(*attempt, report),
            FromWorker::TaskLost(attempt, _) => state.ledger.lost(*attempt),
            FromWorker::Enumerator { vertex, after, report } => state.ledger.enumerator_report(*vertex, *after, report),
            FromWorker::Figures(_) | FromWorker::Failed(_) | FromWorker::Answer(..) => {}
        }
        match &mut state.way {
            Way::None => {}
            Way::Connecting(waiting) => waiting.push(message),
            Way::Open(link) => link.send(message),
        }
    }

    /// From the JobManager. To be called before it is acted upon.
    pub(crate) fn told(&self, message: &ToWorker) {
        let ledger = &mut self.lock().ledger;
        match message {
            ToWorker::Deploy { here, .. } => here.iter().for_each(|deployment| ledger.deployed(deployment)),
            ToWorker::Command(attempt, command) => ledger.command(*attempt, command),
            ToWorker::Enumerator { vertex, number, command } => ledger.enumerator_command(*vertex, *number, command),
            ToWorker::Stop | ToWorker::Ask(..) => {}
        }
    }
}
