//! A whole cluster: JobManagers that stand in for each other, TaskManagers, workers, clients, and the connections between them.
//!
//! What decides is production's own: the election, the job store, the JobManager without its threads and sockets
//! (`flott_cluster::stepped`), jobs, tasks, storage. What is here brings messages, lets time pass, and breaks things.

mod clients;
mod connections;
mod exchange;
mod faults;
mod job_manager;
mod leadership;
mod pipeline;
mod task_manager;
mod worker;
mod world;

pub(crate) use world::World;
