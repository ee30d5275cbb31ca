//! Fetches executables from the JobManager.

use crate::{
    control::{ask, find_leader},
    executables::ExecutableStore,
};
use flott_core::{Error, ErrorKind};
use flott_rpc::control::{ClientReply, ClientRequest, ExecutableId, Role};
use flott_security::Connector;
use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// One at a time, so that two workers do not fetch the same.
static FETCHING: Mutex<()> = Mutex::new(());

/// The path of an executable, which is fetched from the JobManager if it is not there.
///
/// # Errors
/// The JobManager does not have it, or it cannot be kept.
pub(super) fn get(store: &ExecutableStore, job_manager: &str, security: &Connector, id: &ExecutableId) -> Result<PathBuf, Error> {
    let _fetching = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = store.find(id)? {
        return Ok(path);
    }
    let stream = find_leader(job_manager, security, &Role::Client)?.stream;
    let mut incoming = store.begin(id)?;
    let mut offset = 0;
    loop {
        let ClientReply::Bytes(bytes) = ask(&stream, &ClientRequest::GetExecutable(id.clone(), offset))? else {
            return Err(Error::new(ErrorKind::Internal, "the JobManager answered something else than was asked"));
        };
        if bytes.is_empty() {
            incoming.finish()?;
            return store.find(id)?.ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("executable {id} was removed")));
        }
        offset += bytes.len() as u64;
        incoming.take(&bytes)?;
    }
}
