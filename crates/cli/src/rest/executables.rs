//! The executables that were uploaded, under the names that they were uploaded with.

use flott_core::time::Clock;
use flott_rpc::control::ExecutableId;
use flott_web::{ClusterError, Result, model};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Executables by the id that clients know.
#[derive(Debug, Default)]
pub(super) struct Executables {
    known: Mutex<BTreeMap<String, (model::Executable, ExecutableId)>>,
}

impl Executables {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (model::Executable, ExecutableId)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn list(&self) -> Vec<model::Executable> {
        self.lock().values().map(|(executable, _)| executable.clone()).collect()
    }

    pub(super) fn add(&self, name: &str, content: ExecutableId) -> model::Executable {
        // As Flink makes them: something unique, and the name for people.
        let shown: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        let id = format!("{}_{shown}", content.0.get(..32).unwrap_or(&content.0));
        let uploaded_at = flott_cluster::SystemClock::default().wall();
        let executable = model::Executable { id: id.clone(), name: name.to_owned(), uploaded_at, programs: Vec::new() };
        self.lock().insert(id, (executable.clone(), content));
        executable
    }

    pub(super) fn remove(&self, id: &str) -> Result<()> {
        // The content stays for jobs that run it; what nobody asks for is removed in time.
        self.lock().remove(id).map(|_| ()).ok_or_else(|| missing(id))
    }

    pub(super) fn get(&self, id: &str) -> Result<ExecutableId> {
        self.lock().get(id).map(|(_, content)| content.clone()).ok_or_else(|| missing(id))
    }
}

fn missing(id: &str) -> ClusterError {
    ClusterError::NotFound(format!("there is no executable `{id}`: upload it first"))
}
