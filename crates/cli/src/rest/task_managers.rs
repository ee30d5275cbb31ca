//! TaskManagers as REST describes them.

use flott_cluster::HeldSlot;
use flott_core::Timestamp;
use flott_rpc::{control::TaskManagerInfo, figures::ProcessFigures};
use flott_web::model;
use std::net::SocketAddr;

/// A TaskManager; `figures` are what it last said of itself, and when, and `from` where its connection comes from.
pub(super) fn task_manager(
    info: &TaskManagerInfo,
    held: &[HeldSlot],
    figures: Option<&(Timestamp, ProcessFigures)>,
    from: Option<SocketAddr>,
) -> model::TaskManager {
    let taken = held.iter().map(|slot| model::Slot { job: Some(slot.job), tasks: slot.tasks });
    let free = (held.len()..info.slots as usize).map(|_| model::Slot::default());
    let last = figures.map(|(_, figures)| figures);
    let host = host(last);
    let place = from.map_or_else(|| host.clone(), |from| from.to_string());
    let most = last.map(|figures| figures.memory_max_bytes).filter(|bytes| *bytes > 0);
    model::TaskManager {
        id: info.id.clone(),
        address: format!("flott://{place}/{}", info.id),
        host,
        // Its workers have one each.
        data_port: None,
        last_heartbeat: figures.map(|(at, _)| *at),
        slots: taken.chain(free).collect(),
        hardware: model::Hardware {
            cpu_cores: info.cpu_cores,
            physical_memory: Some(info.memory_bytes),
            process_memory: most,
            free_memory: most.zip(last).map(|(most, figures)| most.saturating_sub(figures.resident_bytes)),
            ..model::Hardware::default()
        },
        metrics: last.map(metrics).unwrap_or_default(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::id::JobId;

    #[test]
    fn a_task_manager_tells_of_memory_what_it_knows() {
        let info = TaskManagerInfo {
            id: "tm0".to_owned(),
            slots: 2,
            process: 1,
            cpu_cores: 4,
            memory_bytes: 1000,
            incarnation: String::new(),
            workers: Vec::new(),
        };
        let held = [HeldSlot { job: JobId(1), tasks: 3 }];
        let figures = ProcessFigures { host: "vm".to_owned(), resident_bytes: 100, memory_max_bytes: 800, ..ProcessFigures::default() };
        let known = task_manager(&info, &held, Some(&(7, figures)), "10.0.0.1:4321".parse().ok());
        assert_eq!((known.address.as_str(), known.slots.len()), ("flott://10.0.0.1:4321/tm0", 2));
        let memory = (known.hardware.physical_memory, known.hardware.process_memory, known.hardware.free_memory);
        assert_eq!(memory, (Some(1000), Some(800), Some(700)));
        let silent = task_manager(&info, &[], None, None);
        assert_eq!((silent.hardware.process_memory, silent.hardware.free_memory), (None, None), "it has said nothing yet");
    }
}
