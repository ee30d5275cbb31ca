//! From the configuration to a store and a candidate.

use crate::{CoordinationStore, ElectionSettings, FileStore, Key, incarnation_id};
use flott_core::{
    Error,
    config::{Configuration, HighAvailabilityType, options},
};
use std::{path::PathBuf, sync::Arc};

/// The store that `high-availability.type` names, of the cluster `high-availability.cluster-id`; `None` for `none`.
///
/// # Errors
/// The configuration is incomplete, the store cannot be used, or it is one that only the program `flott` has.
pub fn open_store(configuration: &Configuration) -> Result<Option<Arc<dyn CoordinationStore>>, Error> {
    let kind = configuration.get(&options::HIGH_AVAILABILITY_TYPE)?;
    match kind {
        HighAvailabilityType::None => Ok(None),
        HighAvailabilityType::File => Ok(Some(Arc::new(FileStore::open(directory(configuration)?)?))),
        HighAvailabilityType::Etcd | HighAvailabilityType::S3 => {
            Err(Error::invalid(format!("`high-availability.type: {kind}` is known to the program `flott` alone, not to programs of jobs")))
        }
    }
}

/// The settings of a new candidate. Addresses are `host:port`; that of REST may be empty.
///
/// # Errors
/// An option has a wrong value.
pub fn election_settings(configuration: &Configuration, address: &str, rest_address: &str) -> Result<ElectionSettings, Error> {
    let duration = configuration.get(&options::HIGH_AVAILABILITY_LEASE_DURATION)?;
    Ok(ElectionSettings { rest_address: rest_address.to_owned(), ..ElectionSettings::new(incarnation_id(), address, duration) })
}

/// The cluster's id, which is one segment of a key.
///
/// # Errors
/// It is none.
pub fn cluster_id(configuration: &Configuration) -> Result<String, Error> {
    let id = configuration.get(&options::HIGH_AVAILABILITY_CLUSTER_ID)?;
    match Key::new(id.as_str()) {
        Ok(key) if key.segments().count() == 1 => Ok(id),
        _ => Err(Error::invalid(format!("`high-availability.cluster-id: {id}` is no name of letters, digits, `-` and `_`"))),
    }
}

fn directory(configuration: &Configuration) -> Result<PathBuf, Error> {
    let Some(given) = configuration.get(&options::HIGH_AVAILABILITY_STORAGE_DIR)? else {
        return Err(Error::invalid(
            "`high-availability.type: file` needs `high-availability.storageDir`: a directory that all JobManagers reach",
        ));
    };
    let path = given.strip_prefix("file://").unwrap_or(&given);
    if path.is_empty() || path.contains("://") {
        return Err(Error::invalid(format!("`high-availability.storageDir: {given}` is no path and no `file://` address of one")));
    }
    Ok(PathBuf::from(path).join(cluster_id(configuration)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expected, WriteOutcome};

    #[test]
    fn a_store_of_files_is_opened_below_the_directory_of_its_cluster() {
        let directory = tempfile::tempdir().unwrap();
        let mut configuration = Configuration::new();
        assert!(open_store(&configuration).unwrap().is_none());
        configuration.set(&options::HIGH_AVAILABILITY_TYPE, HighAvailabilityType::File);
        assert!(open_store(&configuration).unwrap_err().to_string().contains("storageDir"));
        let url = format!("file://{}", directory.path().display());
        configuration.set(&options::HIGH_AVAILABILITY_STORAGE_DIR, Some(url));
        configuration.set(&options::HIGH_AVAILABILITY_CLUSTER_ID, "blue".to_owned());
        let store = open_store(&configuration).unwrap().unwrap();
        let written = store.write(&Key::new("a").unwrap(), b"", &Expected::Absent).unwrap();
        assert!(matches!(written, WriteOutcome::Written(_)));
        assert!(directory.path().join("blue/a.value").is_dir());
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_option_to_change() {
        let mut configuration = Configuration::new();
        configuration.set(&options::HIGH_AVAILABILITY_TYPE, HighAvailabilityType::File);
        configuration.set(&options::HIGH_AVAILABILITY_STORAGE_DIR, Some("s3://bucket".to_owned()));
        assert!(open_store(&configuration).unwrap_err().to_string().contains("s3://bucket"));
        configuration.set(&options::HIGH_AVAILABILITY_STORAGE_DIR, Some("/tmp".to_owned()));
        configuration.set(&options::HIGH_AVAILABILITY_CLUSTER_ID, "../other".to_owned());
        assert!(open_store(&configuration).unwrap_err().to_string().contains("../other"));
        configuration.set(&options::HIGH_AVAILABILITY_TYPE, HighAvailabilityType::Etcd);
        assert!(open_store(&configuration).unwrap_err().to_string().contains("etcd"));
    }
}
