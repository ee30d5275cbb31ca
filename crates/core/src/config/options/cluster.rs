//! Options of workers and of what runs in them: `taskmanager.`, `exchange.`, `sink.`.

use super::{ConfigOption, OptionInfo};

options! {
    EXCHANGE_QUEUE_BATCHES: u32 = "exchange.queue-batches", "8",
        "How many batches of records a channel between two subtasks may hold before its sender waits.", between(1, 65536);
    SINK_COMMITTER_RETRIES: u32 = "sink.committer.retries", "10",
        "How many times a sink tries again to commit before the job fails.";
}
