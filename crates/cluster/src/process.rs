//! What processes of this machine use, as `/proc` tells. Elsewhere everything is 0.

use flott_rpc::figures::ProcessFigures;
use std::{
    fs,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The unit in which Linux counts time on processors for programs, whatever its own is.
const TICK_NS: u64 = 10_000_000;

/// The least time between two looks from which a load is taken.
const STEP: Duration = Duration::from_millis(500);

/// Looks at this process and at those that it has started.
#[derive(Debug, Default)]
pub struct ProcessWatch {
    last: Mutex<Option<Look>>,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    cpu_time_ns: u64,
    load: f64,
}

impl ProcessWatch {
    /// The sums over this process and `others`, its children.
    pub fn read(&self, others: &[u32]) -> ProcessFigures {
        let mut figures = ProcessFigures { host: host_name(), memory_max_bytes: memory_max(), ..ProcessFigures::default() };
        let own = std::process::id();
        for process in [own].iter().chain(others) {
            add(&mut figures, *process, *process == own);
        }
        figures.open_files_max = open_files_max();
        figures.cpu_load = self.load(figures.cpu_time_ns);
        figures
    }

    fn load(&self, cpu_time_ns: u64) -> f64 {
        let last = &mut *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let Some(before) = *last else {
            *last = Some(Look { at: now, cpu_time_ns, load: 0.0 });
            return 0.0;
        };
        let passed = now.saturating_duration_since(before.at);
        if passed < STEP {
            return before.load;
        }
        let processors = std::thread::available_parallelism().map_or(1.0, |all| all.get() as f64);
        let used = cpu_time_ns.saturating_sub(before.cpu_time_ns) as f64 / 1e9;
        let load = (used / passed.as_secs_f64() / processors).clamp(0.0, 1.0);
        *last = Some(Look { at: now, cpu_time_ns, load });
        load
    }
}

/// Adds what `process` uses; nothing if it is gone.
fn add(figures: &mut ProcessFigures, process: u32, own: bool) {
    let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
    let stat = read("stat");
    // The name of the program, in parentheses, may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |place: usize| fields.get(place).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let mut ticks = field(11) + field(12);
    if own {
        // Children that have ended count with whoever started them.
        ticks += field(13) + field(14);
    }
    figures.cpu_time_ns += ticks * TICK_NS;
    figures.threads += field(17);
    figures.resident_bytes += kibibytes(&read("status"), "VmRSS:") * 1024;
    figures.open_files += fs::read_dir(format!("/proc/{process}/fd")).map_or(0, |files| files.count() as u64);
}

/// The number behind `name` in a file of lines such as `VmRSS:   1234 kB`.
fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
}

/// The memory of the control group, or of the machine.
fn memory_max() -> u64 {
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    let machine = kibibytes(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal:") * 1024;
    group.map_or(machine, |group: u64| if machine == 0 { group } else { group.min(machine) })
}

fn open_files_max() -> u64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The name of this machine.
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_what_it_uses() {
        let watch = ProcessWatch::default();
        let figures = watch.read(&[]);
        assert!(figures.resident_bytes > 1 << 20 && figures.memory_max_bytes > figures.resident_bytes, "{figures:?}");
        assert!(figures.threads >= 1 && figures.open_files >= 1 && figures.open_files_max >= figures.open_files, "{figures:?}");
        let gone = watch.read(&[u32::MAX]);
        assert!(gone.cpu_time_ns >= figures.cpu_time_ns);
        assert!((0.0..=1.0).contains(&gone.cpu_load));
    }
}
