//! Connections: messages that take their time and keep their order, ends that learn late, or never, that the other is gone.

use super::world::{Happening, Lane, Machine, Process, World};
use crate::sim::Seen;
use flott_rpc::control::{FromTaskManager, FromWorker, Role, ToTaskManager, ToWorker, Welcome};
use std::time::Duration;

/// Time between signs of life.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Silence after which the other end counts as gone.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    fn other(self) -> Side {
        if self == Side::Client { Side::Server } else { Side::Client }
    }
}

#[derive(Debug)]
pub(crate) enum Message {
    Hello(Box<Role>),
    Welcome(Welcome),
    ToTaskManager(ToTaskManager),
    FromTaskManager(FromTaskManager),
    ToWorker(Box<ToWorker>),
    FromWorker(Box<FromWorker>),
    Closed,
}

#[derive(Debug)]
struct End {
    process: Process,
    machine: Machine,
    open: bool,
    heard: Duration,
}

#[derive(Debug)]
pub(crate) struct Connection {
    client: End,
    server: End,
    /// Nothing gets through any more, and nobody says so.
    cut: bool,
    /// Whether the server has let the client in, as what.
    pub(crate) role: Option<Role>,
    /// Whether the client has heard so.
    pub(crate) welcomed: bool,
}

impl Connection {
    fn end(&mut self, side: Side) -> &mut End {
        if side == Side::Client { &mut self.client } else { &mut self.server }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.client.open && self.server.open && !self.cut
    }
}

impl World {
    pub(crate) fn connect(&mut self, client: Process, server: Process) -> u64 {
        self.next_connection += 1;
        let heard = self.now();
        let end = |process: Process| End { process, machine: self.processes[&process].machine, open: true, heard };
        let connection = Connection { client: end(client), server: end(server), cut: false, role: None, welcomed: false };
        self.connections.insert(self.next_connection, connection);
        self.next_connection
    }

    /// Whether an end is still open.
    pub(crate) fn is_open(&mut self, connection: u64, side: Side) -> bool {
        self.connections.get_mut(&connection).is_some_and(|connection| connection.end(side).open)
    }

    pub(crate) fn send(&mut self, number: u64, from: Side, message: Message) {
        let Some(connection) = self.connections.get_mut(&number).filter(|connection| !connection.cut) else { return };
        if !connection.end(from).open && !matches!(message, Message::Closed) {
            return;
        }
        let machines = (connection.end(from).machine, connection.end(from.other()).machine);
        let to = connection.end(from.other()).process;
        let mut at = self.now() + self.sim.random().delay();
        if let Some(until) = self.silent.get(&machines) {
            at = at.max(*until);
        }
        self.over(at, Lane::Connection(number, from.other()), Some(to), Happening::Arrives(number, from.other(), message));
    }

    pub(crate) fn arrives(&mut self, number: u64, side: Side, message: Message) {
        let Some(connection) = self.connections.get_mut(&number).filter(|connection| !connection.cut) else { return };
        if !connection.end(side).open {
            return;
        }
        let (process, server) = (connection.end(side).process, connection.server.process);
        self.heard(number, side);
        if self.sim.is_verbose()
            && !matches!(message, Message::FromTaskManager(FromTaskManager::Heartbeat) | Message::ToTaskManager(ToTaskManager::Heartbeat))
        {
            let text = format!("{message:?}");
            let short: String = text.chars().take(300).collect();
            self.sim.trace(format_args!("{process} hears over {number}: {short}"));
        } else {
            self.sim.trace(format_args!("{process} hears over {number}"));
        }
        match message {
            Message::Hello(role) => self.introduced(process, number, *role),
            Message::Welcome(welcome) => {
                if let Some(connection) = self.connections.get_mut(&number) {
                    connection.welcomed = true;
                }
                self.greeted(process, number, Some(welcome));
            }
            Message::ToTaskManager(message) => self.task_manager_told(process, message),
            Message::FromTaskManager(message) => self.task_manager_said(server, message),
            Message::ToWorker(message) => self.worker_told(process, *message),
            Message::FromWorker(message) => self.worker_said(server, number, *message),
            Message::Closed => self.broken(number, side),
        }
    }

    pub(crate) fn heard(&mut self, number: u64, side: Side) {
        let now = self.now();
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.end(side).heard = now;
        }
    }

    /// An end is closed by its process. The other learns of it behind all that was sent.
    pub(crate) fn close(&mut self, number: u64, side: Side) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if std::mem::replace(&mut connection.end(side).open, false) {
            self.send(number, side, Message::Closed);
        }
    }

    /// An end learns that the other is gone, or takes it for gone.
    pub(crate) fn broken(&mut self, number: u64, side: Side) {
        if !self.is_open(number, side) {
            return;
        }
        self.close(number, side);
        let Some(connection) = self.connections.get(&number) else { return };
        let (client, server, role, welcomed) =
            (connection.client.process, connection.server.process, connection.role.clone(), connection.welcomed);
        match (side, role) {
            (Side::Server, Some(role)) => self.peer_gone(server, number, role),
            (Side::Server, None) => {}
            (Side::Client, _) if !welcomed => self.greeted(client, number, None),
            (Side::Client, _) => self.leader_gone(client, number),
        }
    }

    /// A process is gone: the others learn of its connections at once, or, with its whole machine, only by its silence. What it has
    /// sent may get lost.
    pub(crate) fn connections_of_the_dead(&mut self, process: Process, _: Machine) {
        let without_a_word = self.sim.fault(20);
        let numbers: Vec<u64> = self.connections.keys().copied().collect();
        for number in numbers {
            for side in [Side::Client, Side::Server] {
                let Some(connection) = self.connections.get_mut(&number) else { continue };
                if connection.end(side).process != process || !connection.end(side).open {
                    continue;
                }
                if without_a_word {
                    connection.end(side).open = false;
                    connection.cut = true;
                    // Somebody finds out in the end, even if nobody waits for a sign.
                    let to = connection.end(side.other()).process;
                    let at = self.now() + Duration::from_secs(20);
                    self.at(at, Some(to), Happening::Broken(number, side.other()));
                } else {
                    self.close(number, side);
                }
            }
        }
        // What nobody can use any more is forgotten.
        self.connections.retain(|_, connection| connection.client.open || connection.server.open);
    }

    /// Both ends learn of it, sooner or later.
    pub(crate) fn cut(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.cut = true;
        let (client, server) = (connection.client.process, connection.server.process);
        self.saw(Seen::ConnectionCut);
        self.sim.trace(format_args!("connection {number} of {client} to {server} is cut"));
        for (process, side) in [(client, Side::Client), (server, Side::Server)] {
            let at = self.now() + self.sim.random().millis(200);
            self.at(at, Some(process), Happening::Broken(number, side));
        }
    }

    /// An end gives signs of life, and waits for them if it cares.
    pub(crate) fn keep_alive(&mut self, number: u64, side: Side, beats: bool, listens: bool) {
        let now = self.now();
        let Some(process) = self.connections.get_mut(&number).map(|connection| connection.end(side).process) else { return };
        self.heard(number, side);
        if beats {
            self.at(now + HEARTBEAT, Some(process), Happening::Beat(number, side));
        }
        if listens {
            self.at(now + TIMEOUT, Some(process), Happening::Silence(number, side));
        }
    }

    pub(crate) fn beats(&mut self, number: u64, side: Side) {
        if !self.is_open(number, side) {
            return;
        }
        let Some(process) = self.connections.get_mut(&number).map(|connection| connection.end(side).process) else { return };
        if self.workers.contains_key(&process) {
            self.worker_says(process, FromWorker::Figures(Vec::new()));
        } else if side == Side::Client {
            self.send(number, side, Message::FromTaskManager(FromTaskManager::Heartbeat));
        } else {
            self.send(number, side, Message::ToTaskManager(ToTaskManager::Heartbeat));
        }
        let at = self.now() + HEARTBEAT;
        self.at(at, Some(process), Happening::Beat(number, side));
    }

    pub(crate) fn looks_for_silence(&mut self, number: u64, side: Side) {
        if !self.is_open(number, side) {
            return;
        }
        let now = self.now();
        let Some((process, heard)) =
            self.connections.get_mut(&number).map(|connection| (connection.end(side).process, connection.end(side).heard))
        else {
            return;
        };
        if now >= heard + TIMEOUT {
            self.saw(Seen::HeartbeatMissed);
            self.sim.trace(format_args!("{process} has heard nothing over {number} for long"));
            return self.broken(number, side);
        }
        self.at(heard + TIMEOUT, Some(process), Happening::Silence(number, side));
    }

    pub(crate) fn greeting_timeout(&mut self, number: u64) {
        let waits = self.connections.get(&number).is_some_and(|connection| !connection.welcomed);
        if waits {
            self.broken(number, Side::Client);
        }
    }
}
