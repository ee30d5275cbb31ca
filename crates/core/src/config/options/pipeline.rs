//! Options of a program: `parallelism.`, `pipeline.`, `execution.runtime-mode`.

use super::{super::enums::RuntimeMode, ConfigOption, OptionInfo};
use std::time::Duration;

options! {
    PARALLELISM_DEFAULT: u32 = "parallelism.default", "1",
        "The number of subtasks of an operator that is given none of its own.", between(1, 32768);
    PIPELINE_NAME: Option<String> = "pipeline.name", "",
        "The name of the job, for people.";
    PIPELINE_MAX_PARALLELISM: Option<u32> = "pipeline.max-parallelism", "-1",
        "The number of key groups of operators that are given none of their own, and so the largest parallelism that their state can \
         be rescaled to; it cannot change over the life of the state. -1: from the parallelism.", between(1, 32768);
    PIPELINE_OPERATOR_CHAINING_ENABLED: bool = "pipeline.operator-chaining.enabled", "true",
        "Whether operators that pass each record on to one other run in one task.";
    PIPELINE_AUTO_WATERMARK_INTERVAL: Duration = "pipeline.auto-watermark-interval", "200 ms",
        "How often sources emit periodic watermarks; 0: after each batch of records.";
    EXECUTION_RUNTIME_MODE: RuntimeMode = "execution.runtime-mode", "STREAMING",
        "Whether results come as records arrive (`STREAMING`) or once, at the end of bounded input (`BATCH`). `AUTOMATIC` is `BATCH` \
         if all sources are bounded.";
}
