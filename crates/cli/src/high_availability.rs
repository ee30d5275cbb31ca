//! Where JobManagers of a cluster meet.

use flott_core::{
    Error,
    config::{Configuration, HighAvailabilityType, options},
};
use flott_ha::CoordinationStore;
use flott_ha_etcd::EtcdStore;
use flott_ha_s3::S3Store;
use std::{path::PathBuf, sync::Arc};

/// The store that is configured; `None`: there is one JobManager alone.
///
/// # Errors
/// It cannot be used.
pub(crate) fn open_store(config: &Configuration) -> Result<Option<Arc<dyn CoordinationStore>>, Error> {
    Ok(match config.get(&options::HIGH_AVAILABILITY_TYPE)? {
        HighAvailabilityType::Etcd => Some(Arc::new(EtcdStore::open(config)?)),
        HighAvailabilityType::S3 => Some(Arc::new(S3Store::open(config)?)),
        HighAvailabilityType::None | HighAvailabilityType::File => flott_ha::open_store(config)?,
    })
}

/// The folder that all JobManagers and TaskManagers share, for executables and for the checkpoints of jobs that name no place.
///
/// # Errors
/// There is none, but several JobManagers.
pub(crate) fn shared_folder(config: &Configuration) -> Result<Option<PathBuf>, Error> {
    if config.get(&options::HIGH_AVAILABILITY_TYPE)? == HighAvailabilityType::None {
        return Ok(None);
    }
    let given = config.get(&options::HIGH_AVAILABILITY_STORAGE_DIR)?.unwrap_or_default();
    let path = given.strip_prefix("file://").unwrap_or(&given);
    if path.is_empty() || path.contains("://") {
        return Err(Error::invalid(format!(
            "several JobManagers need a folder that all of them reach, for executables: `high-availability.storageDir: {given}` is none"
        )));
    }
    Ok(Some(std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path))))
}
