//! The executables that were uploaded, under the names that they were uploaded with.

use super::uploads::{Upload, Uploads};
use flott_cluster::JobManager;
use flott_core::{Error, time::Clock};
use flott_rpc::control::ExecutableId;
use flott_web::{ClusterError, Result, model};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// The longest name in an id: it is a part of the name of a file.
const NAME_CHARS_MAX: usize = 100;

/// Executables by the id that clients know.
#[derive(Debug)]
pub(super) enum Executables {
    /// As long as this process lives.
    Here(Mutex<BTreeMap<String, Upload>>),
    /// In a folder, from which this process when it is started again, and other JobManagers, know them.
    Kept(Uploads),
}

impl Executables {
    /// In `folder`, if there is one for them.
    ///
    /// # Errors
    /// It cannot be used.
    pub(super) fn open(folder: Option<PathBuf>) -> std::result::Result<Self, Error> {
        Ok(match folder {
            None => Executables::Here(Mutex::default()),
            Some(folder) => Executables::Kept(Uploads::open(folder)?),
        })
    }

    pub(super) fn list(&self) -> Result<Vec<model::Executable>> {
        let all = match self {
            Executables::Here(all) => all.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Executables::Kept(uploads) => uploads.list().map_err(|error| super::of(&error))?,
        };
        let described = |(id, Upload { name, uploaded_at, .. })| model::Executable { id, name, uploaded_at, programs: Vec::new() };
        Ok(all.into_iter().map(described).collect())
    }

    pub(super) fn add(&self, manager: &JobManager, name: &str, content: ExecutableId) -> Result<model::Executable> {
        // As Flink makes them: something unique, and the name for people.
        let shown = name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' });
        let shown: String = shown.take(NAME_CHARS_MAX).collect();
        let id = format!("{}_{shown}", content.0.get(..32).unwrap_or(&content.0));
        let uploaded_at = flott_cluster::SystemClock::default().wall();
        let upload = Upload { name: name.to_owned(), uploaded_at, content };
        match self {
            Executables::Here(all) => drop(all.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), upload)),
            Executables::Kept(uploads) => uploads.add(&id, &upload, manager).map_err(|error| super::of(&error))?,
        }
        Ok(model::Executable { id, name: name.to_owned(), uploaded_at, programs: Vec::new() })
    }

    pub(super) fn remove(&self, id: &str) -> Result<()> {
        // The content stays for jobs that run it; what nobody asks for is removed in time.
        let removed = match self {
            Executables::Here(all) => all.lock().unwrap_or_else(PoisonError::into_inner).remove(id).is_some(),
            Executables::Kept(uploads) => uploads.remove(id).map_err(|error| super::of(&error))?,
        };
        if removed { Ok(()) } else { Err(missing(id)) }
    }

    /// The content of an executable, which `manager` has from then on.
    pub(super) fn get(&self, manager: &JobManager, id: &str) -> Result<ExecutableId> {
        let found = match self {
            Executables::Here(all) => all.lock().unwrap_or_else(PoisonError::into_inner).get(id).map(|upload| upload.content.clone()),
            Executables::Kept(uploads) => uploads.get(id, manager).map_err(|error| super::of(&error))?,
        };
        found.ok_or_else(|| missing(id))
    }
}

fn missing(id: &str) -> ClusterError {
    ClusterError::NotFound(format!("there is no executable `{id}`: upload it first"))
}
