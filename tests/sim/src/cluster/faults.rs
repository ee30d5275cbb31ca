//! What goes wrong.

use super::world::{JOB_MANAGERS, Process, TASK_MANAGERS, World};
use crate::sim::Seen;
use flott_ha::ElectionEvent;
use std::{sync::atomic::Ordering, time::Duration};

impl World {
    pub(crate) fn inject_fault(&mut self) {
        if !self.sim.faults() {
            return;
        }
        let kind = self.sim.random().below(100);
        match kind {
            0..14 => self.with_job_manager(Self::crash_job_manager),
            14..28 => self.with_job_manager(Self::pause_job_manager),
            28..37 => self.with_one_of(|world| world.task_managers.keys().copied().collect(), Self::crash_task_manager),
            37..44 => self.with_one_of(
                |world| world.task_managers.keys().copied().collect(),
                |world, process| {
                    world.saw(Seen::TaskManagerPaused);
                    let time = world.some_time();
                    world.pause(process, time);
                },
            ),
            44..56 => self.with_one_of(|world| world.workers.keys().copied().collect(), Self::crash_worker),
            56..64 => self.with_one_of(
                |world| world.workers.keys().copied().collect(),
                |world, process| {
                    world.saw(Seen::WorkerPaused);
                    let time = world.some_time();
                    world.pause(process, time);
                },
            ),
            64..74 => {
                let open: Vec<u64> =
                    self.connections.iter().filter(|(_, connection)| connection.is_open()).map(|(number, _)| *number).collect();
                if !open.is_empty() {
                    let number = self.sim.random().pick(&open);
                    self.cut(number);
                }
            }
            74..84 => self.silence(),
            84..90 => {
                let links: Vec<(Process, Process)> = self.exchange.links.keys().copied().collect();
                if !links.is_empty() {
                    let ends = self.sim.random().pick(&links);
                    self.sim.trace(format_args!("the link of {ends:?} is lost"));
                    self.cut_link(ends);
                }
            }
            90..94 => self.with_job_manager(|world, process| {
                let percent = world.sim.random().between(10, 60);
                world.sim.trace(format_args!("the coordination store fails for {process} in {percent} %"));
                if let Some(manager) = world.job_managers.get(&process) {
                    manager.store_faults.store(percent, Ordering::Relaxed);
                }
            }),
            94..97 => self.with_job_manager(|world, process| {
                world.saw(Seen::Retired);
                world.sim.trace(format_args!("JobManager {process} retires"));
                if !world.paused.contains_key(&process) {
                    world.elect(process, ElectionEvent::Release);
                }
            }),
            _ => {
                let ms = self.sim.random().below(7_200_000) as i64 - 3_600_000;
                self.saw(Seen::ClockJumped);
                self.sim.clock.jump(ms);
                let now = self.wall();
                self.sim.trace(format_args!("the wall clock jumps to {now}"));
            }
        }
    }

    fn some_time(&self) -> Duration {
        let mut random = self.sim.random();
        let longest = random.pick(&[1_000, 4_000, 12_000]);
        random.millis(longest)
    }

    fn with_one_of(&mut self, all: impl Fn(&Self) -> Vec<Process>, act: impl FnOnce(&mut Self, Process)) {
        let all = all(self);
        if !all.is_empty() {
            let process = self.sim.random().pick(&all);
            act(self, process);
        }
    }

    /// The one that leads, as a rule.
    fn with_job_manager(&mut self, act: impl FnOnce(&mut Self, Process)) {
        let leading: Vec<Process> =
            self.job_managers.iter().filter(|(_, manager)| manager.stepped.epoch().is_some()).map(|(process, _)| *process).collect();
        let all = self.job_managers.keys().copied().collect::<Vec<_>>();
        let among = if leading.is_empty() || self.sim.random().percent(20) { all } else { leading };
        self.with_one_of(|_| among.clone(), act);
    }

    fn crash_job_manager(&mut self, process: Process) {
        if self.job_managers.get(&process).is_some_and(|manager| manager.stepped.epoch().is_some()) {
            self.saw(Seen::LeaderCrashed);
        }
        let machine = self.processes[&process].machine;
        self.exit(process);
        self.start_again(machine);
    }

    fn pause_job_manager(&mut self, process: Process) {
        let time = self.some_time();
        if let Some(manager) = self.job_managers.get_mut(&process)
            && let Some(epoch) = manager.stepped.epoch()
        {
            manager.led = Some(epoch);
            self.sim.saw(Seen::LeaderPaused);
        }
        self.pause(process, time);
    }

    /// A TaskManager is gone, sometimes with its whole machine.
    fn crash_task_manager(&mut self, process: Process) {
        self.saw(Seen::TaskManagerCrashed);
        let machine = self.processes[&process].machine;
        if self.sim.random().percent(40) {
            let workers: Vec<Process> = self.workers.keys().copied().filter(|worker| self.processes[worker].machine == machine).collect();
            workers.into_iter().for_each(|worker| self.exit(worker));
        }
        self.exit(process);
        self.start_again(machine);
    }

    /// For a while nothing gets from one machine to another.
    fn silence(&mut self) {
        let machines = (JOB_MANAGERS + TASK_MANAGERS) as u64;
        let (from, to) = {
            let mut random = self.sim.random();
            let from = random.below(machines);
            (from as usize, ((from + 1 + random.below(machines - 1)) % machines) as usize)
        };
        let until = (self.now() + self.some_time()).min(self.calm_at);
        self.saw(Seen::ConnectionSilent);
        self.sim.trace(format_args!("nothing gets from machine {from} to {to} until {until:?}"));
        self.silent.insert((from, to), until);
        self.silence_links(from, to, until);
    }
}
