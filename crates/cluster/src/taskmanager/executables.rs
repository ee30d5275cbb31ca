//! Fetches executables from the JobManager.

use crate::{
    control::{ask, find_leader},
    executables::{ExecutableStore, Incoming},
};
use flott_core::{Error, ErrorKind};
use flott_rpc::control::{ClientReply, ClientRequest, ExecutableId, Role};
use flott_security::Connector;
use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// One at a time, so that two workers do not fetch the same. What has come of one whose JobManager went away is kept: the next one
/// to lead gives the rest.
static FETCHING: Mutex<Option<Incoming>> = Mutex::new(None);

/// The path of an executable, which is fetched from the JobManager if it is not there.
///
/// # Errors
/// The JobManager does not have it, or it cannot be kept.
pub(super) fn get(store: &ExecutableStore, job_manager: &str, security: &Connector, id: &ExecutableId) -> Result<PathBuf, Error> {
    let mut fetching = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = store.find(id)? {
        return Ok(path);
    }
    let stream = find_leader(job_manager, security, &Role::Client)?.stream;
    let mut incoming = match fetching.take() {
        Some(begun) if begun.id == *id => begun,
        _ => store.begin(id)?,
    };
    loop {
        let bytes = match ask(&stream, &ClientRequest::GetExecutable(id.clone(), incoming.bytes())) {
            Ok(ClientReply::Bytes(bytes)) => bytes,
            Ok(_) => return Err(Error::new(ErrorKind::Internal, "the JobManager answered something else than was asked")),
            Err(error) => {
                *fetching = Some(incoming);
                return Err(error);
            }
        };
        if bytes.is_empty() {
            incoming.finish()?;
            return store.find(id)?.ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("executable {id} was removed")));
        }
        incoming.take(&bytes)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{receive, send};
    use flott_rpc::control::{Hello, Welcome};
    use sha2::{Digest, Sha256};
    use std::{net::TcpListener, thread};

    #[test]
    fn what_one_leader_has_begun_to_give_the_next_one_ends() {
        let content = vec![7u8; 3000];
        let id = ExecutableId(format!("{:x}", Sha256::digest(&content)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let given = content.clone();
        let leaders = thread::spawn(move || {
            let mut asked = Vec::new();
            for answers in [2, 2] {
                let (stream, _) = listener.accept().unwrap();
                receive::<Hello>(&stream).unwrap();
                send(&stream, &Welcome::Accepted).unwrap();
                for _ in 0..answers {
                    let ClientRequest::GetExecutable(_, offset) = receive(&stream).unwrap() else { panic!("asked something else") };
                    asked.push(offset);
                    let rest = &given[offset as usize..];
                    send(&stream, &ClientReply::Bytes(rest[..rest.len().min(1000)].to_vec())).unwrap();
                }
            }
            asked
        });
        let folder = tempfile::tempdir().unwrap();
        let store = ExecutableStore::open(folder.path()).unwrap();
        let security = Connector::open();
        assert_eq!(get(&store, &address, &security, &id).unwrap_err().kind(), ErrorKind::Unavailable);
        let path = get(&store, &address, &security, &id).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), content);
        assert_eq!(leaders.join().unwrap(), [0, 1000, 2000, 3000], "no byte is asked for twice");
    }
}
