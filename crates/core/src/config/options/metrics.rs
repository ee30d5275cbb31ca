//! Options of what can be seen of a cluster: `metrics.`, `env.log.`, `rest.flamegraph.`, `rest.tap.`.

use super::{
    super::{enums::LatencyGranularity, memory_size::MemorySize},
    ConfigOption, OptionInfo,
};
use std::time::Duration;

options! {
    METRICS_REPORTER_PROM_PORT: Option<String> = "metrics.reporter.prom.port", "",
        "A port of the JobManager's own for Prometheus, such as `9249`, or a range such as `9249-9260`, of which the first free one is \
         taken. All metrics are also at `/metrics` on the port of REST.";
    METRICS_REPORTER_PROM_FILTER_LABEL_VALUE_CHARACTERS: bool = "metrics.reporter.prom.filterLabelValueCharacters", "true",
        "Whether characters other than letters, digits, `_` and `:` in values of labels become `_`.";
    METRICS_LATENCY_INTERVAL: Duration = "metrics.latency.interval", "0 ms",
        "How often each subtask of a source sends a latency marker through the job; 0: never.";
    METRICS_LATENCY_GRANULARITY: LatencyGranularity = "metrics.latency.granularity", "operator",
        "Whether latencies are kept for all sources together (`single`), for each source (`operator`), or for each of its subtasks \
         (`subtask`).";
    METRICS_LATENCY_HISTORY_SIZE: u32 = "metrics.latency.history-size", "128",
        "How many latencies are remembered for each.", between(1, 65536);
    ENV_LOG_DIR: Option<String> = "env.log.dir", "",
        "The folder that JobManager and TaskManagers write their logs to, and what workers log and print, which REST shows. Without it \
         all of that goes to standard output and error.";
    ENV_LOG_MAX: u32 = "env.log.max", "10",
        "How many old files of a log are kept.", between(0, 10000);
    ENV_LOG_SIZE: MemorySize = "env.log.size", "100 mb",
        "How large a file of a log becomes before it is put aside.", at_least(1024);
    REST_TAP_ENABLED: bool = "rest.tap.enabled", "false",
        "Whether REST shows a sample of the records that go through tasks to those with the role `operator`, where callers have roles.";
    REST_FLAMEGRAPH_ENABLED: bool = "rest.flamegraph.enabled", "true",
        "Whether REST shows where the time of tasks goes. Tasks are looked at only when someone asks.";
    REST_FLAMEGRAPH_NUM_SAMPLES: u32 = "rest.flamegraph.num-samples", "100",
        "How often a task is looked at for a flame graph.", between(1, 1000);
    REST_FLAMEGRAPH_DELAY_BETWEEN_SAMPLES: Duration = "rest.flamegraph.delay-between-samples", "50 ms",
        "Time between two looks.", at_least(1);
    REST_FLAMEGRAPH_REFRESH_INTERVAL: Duration = "rest.flamegraph.refresh-interval", "1 min",
        "The age at which a flame graph is taken anew when someone asks for it.";
    REST_FLAMEGRAPH_CLEAN_UP_INTERVAL: Duration = "rest.flamegraph.cleanup-interval", "10 min",
        "The time after which a flame graph that nobody asks for is forgotten.";
    REST_FLAMEGRAPH_STACK_DEPTH: u32 = "rest.flamegraph.stack-depth", "100",
        "Frames of a stack that a flame graph shows.", between(1, 1000);
}
