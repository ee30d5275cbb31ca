//! Messages and gateways between JobManager, TaskManagers and clients of Flott.
