//! TaskManagers as REST describes them.

use flott_cluster::HeldSlot;
use flott_core::Timestamp;
use flott_rpc::{control::TaskManagerInfo, figures::ProcessFigures};
use flott_web::model;

/// A TaskManager; `figures` are what it last said of itself, and when.
pub(super) fn task_manager(info: &TaskManagerInfo, held: &[HeldSlot], figures: Option<&(Timestamp, ProcessFigures)>) -> model::TaskManager {
    let taken = held.iter().map(|slot| model::Slot { job: Some(slot.job), tasks: slot.tasks });
    let free = (held.len()..info.slots as usize).map(|_| model::Slot::default());
    let host = host(figures.map(|(_, figures)| figures));
    model::TaskManager {
        id: info.id.clone(),
        address: format!("flott://{host}/{}", info.id),
        host,
        data_port: None,
        last_heartbeat: figures.map(|(at, _)| *at),
        slots: taken.chain(free).collect(),
        hardware: model::Hardware { cpu_cores: info.cpu_cores, physical_memory: Some(info.memory_bytes), ..model::Hardware::default() },
        metrics: figures.map(|(_, figures)| metrics(figures)).unwrap_or_default(),
    }
}

/// The machine of a TaskManager. It says so within a second; before, it is empty.
pub(super) fn host(figures: Option<&ProcessFigures>) -> String {
    figures.map(|figures| figures.host.clone()).unwrap_or_default()
}

/// What a process uses.
pub(super) fn metrics(figures: &ProcessFigures) -> model::Metrics {
    figures.metrics().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
