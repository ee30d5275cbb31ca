//! A worker's account and its way to the JobManager, over a connection of another kind.

use super::session::Session;
use crate::control::Link;
use flott_rpc::{
    control::{FromWorker, ToWorker},
    inventory::WorkerInventory,
};
use std::sync::mpsc;

/// What a worker says and hears.
#[derive(Debug, Default)]
pub struct SteppedSession {
    session: Session,
    sent: Option<mpsc::Receiver<FromWorker>>,
}

impl SteppedSession {
    /// A connection is about to be made. Returns what its other end must know, if `again`.
    pub fn begin(&self, again: bool) -> Option<WorkerInventory> {
        self.session.begin(again)
    }

    /// The connection stands.
    pub fn connected(&mut self) {
        let (sender, sent) = mpsc::channel();
        self.sent = Some(sent);
        self.session.open(Link::to(sender));
    }

    /// There is no connection.
    pub fn disconnected(&mut self) {
        self.session.disconnected();
        self.sent = None;
    }

    /// To the JobManager.
    pub fn say(&self, message: FromWorker) {
        self.session.say(message);
    }

    /// From the JobManager. To be called before it is acted upon.
    pub fn told(&self, message: &ToWorker) {
        self.session.told(message);
    }

    /// What is to be brought to the JobManager.
    pub fn take_sent(&self) -> Vec<FromWorker> {
        self.sent.iter().flat_map(mpsc::Receiver::try_iter).collect()
    }
}
