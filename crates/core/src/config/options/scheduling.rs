//! Options of how the parallelism of a job follows the slots that there are: `jobmanager.scheduler`, `jobmanager.adaptive-scheduler.`.

use super::{
    super::enums::{SchedulerExecutionMode, SchedulerType},
    ConfigOption, OptionInfo,
};
use std::time::Duration;

options! {
    JOBMANAGER_SCHEDULER: SchedulerType = "jobmanager.scheduler", "default",
        "Whether a job waits until it has all slots that it asks for, or runs with fewer while there are fewer.";
    SCHEDULER_MODE: Option<SchedulerExecutionMode> = "scheduler-mode", "",
        "`reactive`: jobs run with as many slots as there are, up to their maximum parallelism.";
    ADAPTIVE_RESOURCE_WAIT_TIMEOUT: Option<Duration> = "jobmanager.adaptive-scheduler.submission.resource-wait-timeout", "",
        "How long an adaptive job waits for slots before that counts as a failure; 5 minutes unless set, for ever in reactive mode.";
    ADAPTIVE_SUBMISSION_STABILIZATION: Option<Duration> =
        "jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout", "",
        "How long an adaptive job of which nothing runs waits for all the slots that it wants when there are enough to run with fewer; \
         10 seconds unless set, half a second in reactive mode.";
    ADAPTIVE_EXECUTING_STABILIZATION: Option<Duration> =
        "jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout", "",
        "How long a running job waits for all the slots that it wants when there are enough for another parallelism; a minute unless set, \
         a second in reactive mode.";
    ADAPTIVE_EXECUTING_COOLDOWN: Duration = "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling", "30 s",
        "The least time between two changes of a job's parallelism that nobody asked for.";
    ADAPTIVE_MAX_CHECKPOINT_FAILURES: u32 = "jobmanager.adaptive-scheduler.rescale-trigger.max-checkpoint-failures", "2",
        "How many checkpoints that are taken for a change of parallelism may fail before it is made from an older one.", at_least(1);
}
