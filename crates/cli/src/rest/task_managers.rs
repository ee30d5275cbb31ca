//! TaskManagers as REST describes them.

use flott_core::{Timestamp, id::JobId};
use flott_rpc::{control::TaskManagerInfo, figures::ProcessFigures};
use flott_web::model;

/// A TaskManager; `figures` are what it last said of itself, and when.
pub(super) fn task_manager(
    info: &TaskManagerInfo,
    free: u32,
    holders: &[JobId],
    figures: Option<&(Timestamp, ProcessFigures)>,
) -> model::TaskManager {
    let held = info.slots.saturating_sub(free);
    let slot =
        |number: u32| model::Slot { job: (number < held).then(|| holders.first().copied()).flatten(), tasks: u32::from(number < held) };
    let host = figures.map_or_else(|| "localhost".to_owned(), |(_, figures)| figures.host.clone());
    model::TaskManager {
        id: info.id.clone(),
        address: format!("flott://{host}/{}", info.id),
        host,
        data_port: None,
        last_heartbeat: figures.map(|(at, _)| *at),
        slots: (0..info.slots).map(slot).collect(),
        hardware: model::Hardware { cpu_cores: info.cpu_cores, physical_memory: Some(info.memory_bytes), ..model::Hardware::default() },
        metrics: figures.map(|(_, figures)| metrics(figures)).unwrap_or_default(),
    }
}

/// What a process uses.
pub(super) fn metrics(figures: &ProcessFigures) -> model::Metrics {
    figures.metrics().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
