//! The versions of a value: the files in a chain's folder.

use super::{
    Failed,
    folders::NotFoundAsNone,
    value_file::{Record, Stamp},
};
use crate::{StoreError, Version};
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// How the name of a value's folder ends.
pub(super) const VALUE: &str = "value";
/// How often to look again because others were faster, each time by a whole version.
const ATTEMPTS: u32 = 1000;

/// The version that counts.
#[derive(Debug)]
pub(super) struct Found {
    /// The folder that it is in.
    pub(super) chain: PathBuf,
    /// The name of its file.
    pub(super) number: u64,
    pub(super) record: Record,
}

impl Found {
    /// Whether it is a value, and of this version.
    pub(super) fn is_at(&self, version: &Version) -> bool {
        self.record.value.is_some() && self.record.stamp.version() == *version
    }
}

/// How a link ended.
#[derive(Debug)]
pub(super) enum Link {
    Made,
    /// There is a version of this number, or the chain is gone.
    Taken,
}

/// What is in a value's folder; `None` if there is nothing, and never was or is no more.
pub(super) fn find(folder: &Path) -> Result<Option<Found>, Failed> {
    for _ in 0..ATTEMPTS {
        let Some(chain) = names(folder)?.into_iter().find(|name| name.parse::<Stamp>().is_ok()) else { return Ok(None) };
        let chain = folder.join(chain);
        // It may be taken away in the middle of this. Then there is another one, or none.
        let Some(number) = numbers(&chain)?.into_iter().max() else { continue };
        if let Some(record) = read(&chain, number)? {
            return Ok(Some(Found { chain, number, record }));
        }
    }
    let text = format!("`{}` was changed {ATTEMPTS} times meanwhile", folder.display());
    Err(Failed::NotDone(io::Error::new(io::ErrorKind::WouldBlock, text)))
}

fn read(chain: &Path, number: u64) -> Result<Option<Record>, Failed> {
    let path = chain.join(number.to_string());
    let bytes = match fs::read(&path) {
        // Removed by another machine while it was read.
        Err(error) if error.kind() == io::ErrorKind::StaleNetworkFileHandle => return Ok(None),
        read => read.not_found_as_none()?,
    };
    let Some(bytes) = bytes else { return Ok(None) };
    let damaged = |problem| Failed::Damaged(StoreError::Damaged { place: path.display().to_string(), problem });
    Record::decode(&bytes).map(Some).map_err(damaged)
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let Some(entries) = fs::read_dir(folder).not_found_as_none()? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        // Names that are not text are none of ours.
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

fn numbers(chain: &Path) -> io::Result<Vec<u64>> {
    Ok(names(chain)?.iter().filter_map(|name| name.parse().ok()).collect())
}

/// Gives a file the name of a version.
pub(super) fn link(temporary: &Path, chain: &Path, number: u64) -> Result<Link, Failed> {
    let path = chain.join(number.to_string());
    let Err(error) = fs::hard_link(temporary, &path) else { return Ok(Link::Made) };
    let inode = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).not_found_as_none().map_err(Failed::Unknown);
    let own = inode(temporary)?;
    match error.kind() {
        // Over NFS, an answer may be lost and the request made again.
        _ if own.is_some() && own == inode(&path)? => Ok(Link::Made),
        io::ErrorKind::AlreadyExists => Ok(Link::Taken),
        io::ErrorKind::NotFound if !chain.is_dir() => Ok(Link::Taken),
        // It was taken for what a killed process has left.
        io::ErrorKind::NotFound => Err(Failed::NotDone(error)),
        _ => Err(Failed::Unknown(error)),
    }
}

/// Whether the version that `stamp` has just made is one that counts, or did so before others followed it.
pub(super) fn is_part(chain: &Path, number: u64, stamp: Stamp) -> Result<bool, Failed> {
    let lost = |what: &str| Failed::Unknown(io::Error::other(format!("{what} in `{}` meanwhile", chain.display())));
    for _ in 0..ATTEMPTS {
        let Some(largest) = numbers(chain).map_err(Failed::Unknown)?.into_iter().max() else { return Err(lost("the value was removed")) };
        if largest == number {
            return Ok(true);
        }
        let record = match read(chain, largest) {
            Err(Failed::NotDone(error)) => return Err(Failed::Unknown(error)),
            read => read?,
        };
        let Some(record) = record else { continue };
        // The first one before the largest is number `largest - 1`.
        let place = largest.checked_sub(number + 1).and_then(|place| usize::try_from(place).ok());
        return match place.and_then(|place| record.before.get(place)) {
            Some(followed) => Ok(*followed == stamp),
            None => Err(lost("others have made many versions")),
        };
    }
    Err(lost("others have made many versions"))
}

/// Removes all versions before `number`.
pub(super) fn remove_before(chain: &Path, number: u64) -> io::Result<()> {
    numbers(chain)?.into_iter().filter(|old| *old < number).try_for_each(|old| fs::remove_file(chain.join(old.to_string())))
}
