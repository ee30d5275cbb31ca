//! Options of a cluster's processes and of what runs in them: `jobmanager.`, `taskmanager.`, `heartbeat.`, `exchange.`, `sink.`.

use super::{super::memory_size::MemorySize, ConfigOption, OptionInfo};
use std::time::Duration;

options! {
    JOBMANAGER_RPC_ADDRESS: String = "jobmanager.rpc.address", "localhost",
        "The host on which the JobManager takes TaskManagers, workers and clients.";
    JOBMANAGER_RPC_PORT: u32 = "jobmanager.rpc.port", "6123",
        "The port on which the JobManager takes TaskManagers, workers and clients.", between(0, 65535);
    JOBMANAGER_ARCHIVE_FS_DIR: Option<String> = "jobmanager.archive.fs.dir", "",
        "The folder in which a JobManager keeps what became of jobs, so that it is known after a restart. Several JobManagers that stand in \
         for each other keep it in their store instead.";
    TASKMANAGER_NUMBER_OF_TASK_SLOTS: u32 = "taskmanager.numberOfTaskSlots", "1",
        "How many slots a TaskManager offers: each runs one subtask of every vertex.", between(1, 65536);
    TASKMANAGER_RESOURCE_ID: Option<String> = "taskmanager.resource-id", "",
        "The TaskManager's name, unique in the cluster. Made from host and process if there is none.";
    TASKMANAGER_BIND_HOST: String = "taskmanager.bind-host", "localhost",
        "The host on which workers take records of other workers.";
    TASKMANAGER_STANDBY_WORKER: bool = "taskmanager.standby-worker", "false",
        "Whether a TaskManager keeps, for each job that it works for, another process whose program has started and that waits: it takes the \
         place of a worker that is gone. Worth its memory where a program does long work before `execute`.";
    HEARTBEAT_INTERVAL: Duration = "heartbeat.interval", "1 s",
        "Time between signs of life of JobManager and TaskManagers; 10 ms at least, and less than `heartbeat.timeout`.";
    HEARTBEAT_TIMEOUT: Duration = "heartbeat.timeout", "5 s",
        "Silence after which a process counts as gone.";
    REST_PORT: u32 = "rest.port", "8081",
        "The port of the REST server.", between(0, 65535);
    REST_BIND_ADDRESS: String = "rest.bind-address", "localhost",
        "The host on which the REST server listens. One that other machines reach needs `security.ssl.rest.enabled` and `security.tokens.file`.";
    REST_ALLOWED_HOSTS: Option<String> = "rest.allowed-hosts", "",
        "Names of hosts, with commas between them, under which a proxy shows the REST server to browsers. One that listens on the loopback \
         address refuses all others, so that no page of another site can use it.";
    REST_SERVER_MAX_CONTENT_LENGTH: MemorySize = "rest.server.max-content-length", "1 gb",
        "The largest executable that the REST server takes. Flink's default is 100 MB; debug builds are larger.",
        between(1048576, 1099511627776);
    WEB_SUBMIT_ENABLE: bool = "web.submit.enable", "true",
        "Whether executables may be uploaded and run by REST.";
    WEB_UPLOAD_DIR: Option<String> = "web.upload.dir", "",
        "The folder in which executables that were uploaded by REST are kept with their names, so that they are listed after a restart of \
         the JobManager; made if it is not there. Without it they are in `high-availability.storageDir` where several JobManagers stand in \
         for each other, and forgotten at a restart otherwise.";
    IO_TMP_DIRS: Option<String> = "io.tmp.dirs", "",
        "The folder for executables; the system's folder for temporary files if there is none. One folder, where Flink takes several.";
    EXCHANGE_QUEUE_BATCHES: u32 = "exchange.queue-batches", "16",
        "How many batches of up to 1024 records a channel between two subtasks may hold before its sender waits; between processes, at each \
         end. With more, threads wake each other more seldom; with fewer, barriers are sooner through where the receiver is slow.",
        between(1, 65536);
    SINK_COMMITTER_RETRIES: u32 = "sink.committer.retries", "10",
        "How many times a sink tries again to commit before the job fails.";
}
