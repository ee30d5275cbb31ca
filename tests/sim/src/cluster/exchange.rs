//! Channels between workers: a link for each two of them, which can be silent and can be lost.

use super::{
    worker::address_of,
    world::{Happening, Machine, Process, World},
};
use crate::sim::{Seen, Sim, Term};
use flott_core::{
    exchange::BatchCodec,
    id::{AttemptId, JobId},
    time::Clock,
};
use flott_rpc::task::TaskDeployment;
use flott_runtime::{
    ChannelKey, Elsewhere, RemoteChannels, StreamElement, TaskSpec,
    gate::{ChannelSender, GateEvent, InputGate, gate},
    wiring,
};
use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

/// Links are numbered above all processes, since their channels are run like tasks.
const FIRST_LINK: Term = 1 << 20;
/// How long a channel may wait for its receiver to be deployed.
const WAITING_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the JobManager is given to hear why a channel broke.
const BROKEN_CHANNEL_DELAY: Duration = Duration::from_secs(1);

struct Channel {
    key: ChannelKey,
    from: Process,
    to: Process,
    over: Arc<AtomicBool>,
}

pub(crate) struct Link {
    pub(crate) number: Term,
    channels: Vec<Channel>,
}

/// All that leads from worker to worker.
#[derive(Default)]
pub(crate) struct Exchange {
    pub(crate) links: BTreeMap<(Process, Process), Link>,
    next_link: Term,
    /// Channels with one end.
    sending: BTreeMap<(JobId, ChannelKey), (Process, InputGate, u64)>,
    receiving: BTreeMap<(JobId, ChannelKey), (Process, ChannelSender)>,
    waits: u64,
}

/// The ends that a deployment has here.
#[derive(Default)]
struct Ends {
    sending: Mutex<Vec<(ChannelKey, InputGate)>>,
    receiving: Mutex<Vec<(ChannelKey, ChannelSender)>>,
}

impl RemoteChannels for Ends {
    fn sending(&self, key: ChannelKey, _: Box<dyn BatchCodec>, capacity: usize) -> ChannelSender {
        let (from, mut senders) = gate(1, capacity);
        crate::sim::hold(&self.sending).push((key, from));
        senders.remove(0)
    }

    fn receiving(&self, key: ChannelKey, _: Box<dyn BatchCodec>, channel: ChannelSender) {
        crate::sim::hold(&self.receiving).push((key, channel));
    }
}

impl World {
    /// Connects the tasks that a worker is to start with each other and with those elsewhere.
    pub(crate) fn wire(
        &mut self,
        process: Process,
        here: Vec<TaskDeployment>,
        region: &[(AttemptId, SocketAddr)],
        now: Duration,
    ) -> Option<(Vec<TaskSpec>, usize)> {
        let worker = self.workers.get(&process)?;
        let (job, graph, topology) = (worker.job, worker.graph.clone(), worker.topology.clone());
        let away = |attempt: &AttemptId| here.iter().all(|deployment| deployment.attempt != *attempt);
        let elsewhere: Vec<AttemptId> = region.iter().map(|(attempt, _)| *attempt).filter(away).collect();
        let place: BTreeMap<AttemptId, SocketAddr> = region.iter().copied().collect();
        let ends = Ends::default();
        let specs = wiring::connect_with(&graph, &topology, here, Some(Elsewhere { attempts: &elsewhere, channels: &ends }), now);
        for (key, from) in ends.sending.into_inner().unwrap_or_default() {
            let to = self.workers.keys().copied().find(|to| place.get(&key.to) == Some(&address_of(*to)));
            match (self.exchange.receiving.remove(&(job, key)), to) {
                (Some((to, channel)), _) => self.join(job, key, (process, from), (to, channel)),
                (None, Some(_)) => {
                    self.exchange.waits += 1;
                    let number = self.exchange.waits;
                    self.exchange.sending.insert((job, key), (process, from, number));
                    self.at(now + WAITING_TIMEOUT, Some(process), Happening::ChannelWaits(key.from, number));
                }
                (None, None) => self.channel_fails(process, key.from, "no such worker can be reached"),
            }
        }
        for (key, channel) in ends.receiving.into_inner().unwrap_or_default() {
            match self.exchange.sending.remove(&(job, key)) {
                Some((from, gate, _)) => self.join(job, key, (from, gate), (process, channel)),
                None => _ = self.exchange.receiving.insert((job, key), (process, channel)),
            }
        }
        let capacity = graph.settings.queue_batches;
        Some((specs, capacity))
    }

    fn join(&mut self, _: JobId, key: ChannelKey, (from, gate): (Process, InputGate), (to, channel): (Process, ChannelSender)) {
        let ends = (from.min(to), from.max(to));
        if !self.workers.contains_key(&from) || !self.workers.contains_key(&to) {
            return;
        }
        let room = self.sim.random().between(1, 3) as usize;
        let at = self.now() + self.sim.random().delay();
        let exchange = &mut self.exchange;
        let next = &mut exchange.next_link;
        let link = exchange.links.entry(ends).or_insert_with(|| {
            *next += 1;
            Link { number: FIRST_LINK + *next, channels: Vec::new() }
        });
        link.channels.retain(|channel| !channel.over.load(Ordering::Relaxed));
        let over: Arc<AtomicBool> = Arc::default();
        link.channels.push(Channel { key, from, to, over: over.clone() });
        let pipe = Pipe { sim: self.sim.clone(), gate, channel: Some(channel), under_way: VecDeque::new(), room, closed: None, over };
        self.executor.spawn(link.number, key.to, at, pipe.run());
    }

    /// The receiver has not come.
    pub(crate) fn channel_waits(&mut self, process: Process, attempt: AttemptId, number: u64) {
        let waits = self.exchange.sending.iter().find(|(_, (_, _, waits))| *waits == number).map(|(key, _)| *key);
        if let Some(key) = waits {
            self.exchange.sending.remove(&key);
            self.channel_fails(process, attempt, "its receiver was not deployed");
        }
    }

    fn channel_fails(&mut self, process: Process, attempt: AttemptId, reason: &str) {
        let at = self.now() + BROKEN_CHANNEL_DELAY;
        self.at(at, Some(process), Happening::FailBroken(attempt, reason.to_owned()));
    }

    /// All channels between two workers are lost.
    pub(crate) fn cut_link(&mut self, ends: (Process, Process)) {
        let Some(link) = self.exchange.links.remove(&ends) else { return };
        for channel in link.channels.iter().filter(|channel| !channel.over.load(Ordering::Relaxed)) {
            self.saw(Seen::ChannelLost);
            self.channel_fails(channel.from, channel.key.from, "the link is lost");
            self.channel_fails(channel.to, channel.key.to, "the link is lost");
        }
        self.executor.drop_term(link.number);
    }

    pub(crate) fn links_of_the_dead(&mut self, process: Process) {
        let ends: Vec<_> = self.exchange.links.keys().copied().filter(|(a, b)| *a == process || *b == process).collect();
        ends.into_iter().for_each(|ends| self.cut_link(ends));
        self.exchange.sending.retain(|_, (from, _, _)| *from != process);
        self.exchange.receiving.retain(|_, (to, _)| *to != process);
    }

    /// Nothing gets through between two machines for a while.
    pub(crate) fn silence_links(&mut self, a: Machine, b: Machine, until: Duration) {
        let machine = |process: &Process| self.processes.get(process).map(|alive| alive.machine);
        let between = |(x, y): &(Process, Process)| {
            let ends = (machine(x), machine(y));
            ends == (Some(a), Some(b)) || ends == (Some(b), Some(a))
        };
        let numbers: Vec<Term> = self.exchange.links.iter().filter(|(ends, _)| between(ends)).map(|(_, link)| link.number).collect();
        for number in numbers {
            self.executor.pause(number, true);
            self.at(until, None, Happening::Heal(number));
        }
    }
}

/// A channel between two processes.
struct Pipe {
    sim: Arc<Sim>,
    gate: InputGate,
    channel: Option<ChannelSender>,
    under_way: VecDeque<(Duration, StreamElement)>,
    room: usize,
    /// The sender has ended it: in good order, or not.
    closed: Option<bool>,
    over: Arc<AtomicBool>,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Pipe {
    async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.sim.clock.now();
        loop {
            let Some(channel) = &self.channel else { return Poll::Ready(()) };
            let due = self.under_way.iter().take_while(|(at, _)| *at <= now).count();
            let mut arrived: VecDeque<StreamElement> = self.under_way.drain(..due).map(|(_, element)| element).collect();
            if !arrived.is_empty() && channel.send_from(&mut arrived, Some(cx.waker())).is_err() {
                return Poll::Ready(());
            }
            let blocked = !arrived.is_empty();
            arrived.into_iter().rev().for_each(|element| self.under_way.push_front((now, element)));
            if !blocked && let Some((at, _)) = self.under_way.front() {
                self.sim.clock.wake_at(*at, cx.waker());
            }
            if let Some(good) = self.closed {
                if !self.under_way.is_empty() {
                    return Poll::Pending;
                }
                if let Some(channel) = self.channel.take().filter(|_| good) {
                    channel.close();
                }
                return Poll::Ready(());
            }
            if self.under_way.len() >= self.room {
                return Poll::Pending;
            }
            match self.gate.poll_next(cx, &[false]) {
                Poll::Ready(GateEvent::Element(_, element)) => {
                    let slow = if self.sim.random().percent(30) { self.sim.random().delay() } else { Duration::ZERO };
                    let at = self.under_way.back().map_or(now, |(at, _)| *at).max(now + slow);
                    self.under_way.push_back((at, element));
                }
                Poll::Ready(GateEvent::Closed(_)) => self.closed = Some(true),
                Poll::Ready(GateEvent::Broken(_)) => self.closed = Some(false),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
