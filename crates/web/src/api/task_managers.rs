//! `/taskmanagers`: slots, hardware, memory. What only a JVM has is 0, and so is what is not known.
//!
//! A TaskManager of Flott divides no memory among purposes beforehand: all that there is for its process stands where Flink has the heap
//! of tasks.

use crate::{
    api::{metrics::unknown_task_manager, traffic},
    http::{
        answer::{Empty, Handled, ok},
        call::Call,
    },
    model::{Hardware, TaskManager},
};
use schemars::JsonSchema;
use serde::Serialize;

const MEGABYTE: u64 = 1 << 20;

#[derive(Serialize, JsonSchema)]
pub(crate) struct TaskManagers<'a> {
    taskmanagers: Vec<TaskManagerAnswer<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskManagerAnswer<'a> {
    id: &'a str,
    path: &'a str,
    data_port: i32,
    jmx_port: i32,
    time_since_last_heartbeat: i64,
    slots_number: usize,
    free_slots: usize,
    assigned_tasks: u32,
    total_resource: Resource,
    free_resource: Resource,
    hardware: HardwareAnswer,
    memory_configuration: MemoryConfiguration,
    usage: Usage,
}

/// What a TaskManager uses, with its workers. Not Flink's; null: not known.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    /// The share of all processors of its machine, 0 to 1.
    cpu_load: Option<f64>,
    /// Resident memory, bytes.
    memory_used: Option<u64>,
    /// The memory that there is for it, bytes.
    memory_max: Option<u64>,
    /// Bytes that its tasks take in from other tasks, and send to them, a second.
    bytes_in_rate: Option<f64>,
    bytes_out_rate: Option<f64>,
}

impl Usage {
    fn of(task_manager: &TaskManager) -> Self {
        let metric = |name: &str| task_manager.metrics.get(name).copied().filter(|value| value.is_finite());
        // Conversions saturate; a process that is there uses some memory.
        let bytes = |name: &str| metric(name).map(|value| value as u64).filter(|bytes| *bytes > 0);
        Usage {
            cpu_load: metric("Status.JVM.CPU.Load"),
            memory_used: bytes("Status.JVM.Memory.Heap.Used"),
            memory_max: bytes("Status.JVM.Memory.Heap.Max"),
            bytes_in_rate: metric(traffic::BYTES_IN),
            bytes_out_rate: metric(traffic::BYTES_OUT),
        }
    }
}

/// Cores, and memory in megabytes.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resource {
    cpu_cores: f64,
    task_heap_memory: u64,
    task_off_heap_memory: u64,
    managed_memory: u64,
    network_memory: u64,
    extended_resources: Empty,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HardwareAnswer {
    cpu_cores: u32,
    physical_memory: u64,
    free_memory: u64,
    managed_memory: u64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemoryConfiguration {
    framework_heap: u64,
    task_heap: u64,
    framework_off_heap: u64,
    task_off_heap: u64,
    network_memory: u64,
    managed_memory: u64,
    jvm_metaspace: u64,
    jvm_overhead: u64,
    total_flink_memory: u64,
    total_process_memory: u64,
}

/// Memory of a TaskManager that is neither for state nor for buffers.
fn other_memory(hardware: &Hardware) -> u64 {
    let known = hardware.managed_memory.unwrap_or(0).saturating_add(hardware.network_memory.unwrap_or(0));
    hardware.process_memory.unwrap_or(0).saturating_sub(known)
}

impl Resource {
    /// The share of `part` of `all` slots.
    fn of(hardware: &Hardware, part: usize, all: usize) -> Self {
        let share = if all == 0 { 0.0 } else { part as f64 / all as f64 };
        let megabytes = |bytes: u64| ((bytes / MEGABYTE) as f64 * share) as u64;
        Resource {
            cpu_cores: f64::from(hardware.cpu_cores) * share,
            task_heap_memory: megabytes(other_memory(hardware)),
            task_off_heap_memory: 0,
            managed_memory: megabytes(hardware.managed_memory.unwrap_or(0)),
            network_memory: megabytes(hardware.network_memory.unwrap_or(0)),
            extended_resources: Empty {},
        }
    }
}

impl<'a> TaskManagerAnswer<'a> {
    fn of(task_manager: &'a TaskManager) -> Self {
        let TaskManager { slots, hardware, .. } = task_manager;
        let free = slots.iter().filter(|slot| slot.job.is_none()).count();
        let process_memory = hardware.process_memory.unwrap_or(0);
        TaskManagerAnswer {
            id: &task_manager.id,
            path: &task_manager.address,
            data_port: task_manager.data_port.map_or(-1, i32::from),
            jmx_port: -1,
            time_since_last_heartbeat: task_manager.last_heartbeat.unwrap_or(-1),
            slots_number: slots.len(),
            free_slots: free,
            assigned_tasks: slots.iter().map(|slot| slot.tasks).sum(),
            total_resource: Resource::of(hardware, slots.len(), slots.len()),
            free_resource: Resource::of(hardware, free, slots.len()),
            hardware: HardwareAnswer {
                cpu_cores: hardware.cpu_cores,
                physical_memory: hardware.physical_memory.unwrap_or(0),
                free_memory: hardware.free_memory.unwrap_or(0),
                managed_memory: hardware.managed_memory.unwrap_or(0),
            },
            memory_configuration: MemoryConfiguration {
                framework_heap: 0,
                task_heap: other_memory(hardware),
                framework_off_heap: 0,
                task_off_heap: 0,
                network_memory: hardware.network_memory.unwrap_or(0),
                managed_memory: hardware.managed_memory.unwrap_or(0),
                jvm_metaspace: 0,
                jvm_overhead: 0,
                total_flink_memory: process_memory,
                total_process_memory: process_memory,
            },
            usage: Usage::of(task_manager),
        }
    }
}

/// `GET /taskmanagers`
pub(crate) fn task_managers(call: &Call) -> Handled {
    let all = traffic::task_managers(call)?;
    ok(&TaskManagers { taskmanagers: all.iter().map(TaskManagerAnswer::of).collect() })
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Detail<'a> {
    #[serde(flatten)]
    task_manager: TaskManagerAnswer<'a>,
    allocated_slots: Vec<AllocatedSlot>,
    metrics: MemoryMetrics,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AllocatedSlot {
    job_id: String,
    resource: Resource,
    assigned_tasks: u32,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemoryMetrics {
    heap_used: i64,
    heap_committed: i64,
    heap_max: i64,
    non_heap_used: i64,
    non_heap_committed: i64,
    non_heap_max: i64,
    direct_count: i64,
    direct_used: i64,
    direct_max: i64,
    mapped_count: i64,
    mapped_used: i64,
    mapped_max: i64,
    netty_shuffle_memory_segments_available: i64,
    netty_shuffle_memory_segments_used: i64,
    netty_shuffle_memory_segments_total: i64,
    netty_shuffle_memory_available: i64,
    netty_shuffle_memory_used: i64,
    netty_shuffle_memory_total: i64,
    garbage_collectors: [(); 0],
}

impl MemoryMetrics {
    fn of(task_manager: &TaskManager) -> Self {
        // Conversions saturate, and NaN becomes 0.
        let metric = |name: &str| task_manager.metrics.get(&format!("Status.{name}")).map_or(0, |value| *value as i64);
        MemoryMetrics {
            heap_used: metric("JVM.Memory.Heap.Used"),
            heap_committed: metric("JVM.Memory.Heap.Committed"),
            heap_max: metric("JVM.Memory.Heap.Max"),
            non_heap_used: metric("JVM.Memory.NonHeap.Used"),
            non_heap_committed: metric("JVM.Memory.NonHeap.Committed"),
            non_heap_max: metric("JVM.Memory.NonHeap.Max"),
            direct_count: metric("JVM.Memory.Direct.Count"),
            direct_used: metric("JVM.Memory.Direct.MemoryUsed"),
            direct_max: metric("JVM.Memory.Direct.TotalCapacity"),
            mapped_count: metric("JVM.Memory.Mapped.Count"),
            mapped_used: metric("JVM.Memory.Mapped.MemoryUsed"),
            mapped_max: metric("JVM.Memory.Mapped.TotalCapacity"),
            netty_shuffle_memory_segments_available: metric("Shuffle.Netty.AvailableMemorySegments"),
            netty_shuffle_memory_segments_used: metric("Shuffle.Netty.UsedMemorySegments"),
            netty_shuffle_memory_segments_total: metric("Shuffle.Netty.TotalMemorySegments"),
            netty_shuffle_memory_available: metric("Shuffle.Netty.AvailableMemory"),
            netty_shuffle_memory_used: metric("Shuffle.Netty.UsedMemory"),
            netty_shuffle_memory_total: metric("Shuffle.Netty.TotalMemory"),
            garbage_collectors: [],
        }
    }
}

/// `GET /taskmanagers/:tm`
pub(crate) fn task_manager(call: &Call) -> Handled {
    let id = call.param("tm");
    let found = traffic::task_managers(call)?.into_iter().find(|task_manager| task_manager.id == id);
    let task_manager = found.ok_or_else(|| unknown_task_manager(id))?;
    let slots = task_manager.slots.iter();
    let allocated = slots.filter_map(|slot| {
        slot.job.map(|job| AllocatedSlot {
            job_id: job.to_string(),
            resource: Resource::of(&task_manager.hardware, 1, task_manager.slots.len()),
            assigned_tasks: slot.tasks,
        })
    });
    ok(&Detail {
        task_manager: TaskManagerAnswer::of(&task_manager),
        allocated_slots: allocated.collect(),
        metrics: MemoryMetrics::of(&task_manager),
    })
}
