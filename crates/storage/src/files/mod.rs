//! The few file operations that checkpoint storage is made of, so that the same code runs on disk, in memory and with faults.

mod disk;
mod faulty;
mod memory;
mod memory_or_disk;

pub use disk::DiskFiles;
pub use faulty::{Fault, FaultInjection, Faulty, Operation};
pub use memory::MemoryFiles;
pub(crate) use memory_or_disk::MEMORY;
pub use memory_or_disk::MemoryOrDisk;

use std::{
    fmt::Debug,
    io,
    path::{Path, PathBuf},
};

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stat {
    /// A file of so many bytes.
    File(u64),
    /// A folder.
    Folder,
}

/// A file system. Errors are those of [`std::fs`]: above all `NotFound` and `AlreadyExists` must be told apart.
///
/// What is written or renamed is visible at once, but survives a power failure only after [`WriteFile::sync`] of the file and
/// [`FileSystem::sync_folder`] of the folder that it is in.
pub trait FileSystem: Send + Sync + Debug {
    /// Creates a folder in an existing one.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Creates a file that must not exist yet.
    fn create_file(&self, path: &Path) -> io::Result<Box<dyn WriteFile>>;
    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>>;
    /// What is at `path`, if anything.
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>>;
    /// The names in a folder, in order.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Renames a file, in place of what is there, or a folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes durable which names a folder has.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_empty_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder with all that is in it.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Gives the file `from` a second name, in one step. Fails with `AlreadyExists` if there is something of this name.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Whether both names are there and mean the same file.
    fn is_same_file(&self, one: &Path, other: &Path) -> io::Result<bool>;
    /// The path in full, from the root.
    fn absolute(&self, path: &Path) -> io::Result<PathBuf>;
    /// An end of a file's name that nobody else gives to one of these files.
    fn unique_suffix(&self) -> String;
    /// Whether what another process writes at `path` can be read here.
    fn is_shared(&self, path: &Path) -> bool;
}

/// A file that is being written.
pub trait WriteFile: Send + Debug {
    /// Appends bytes.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that is being read.
#[expect(clippy::len_without_is_empty, reason = "it can fail")]
pub trait ReadFile: Send + Sync + Debug {
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Fills `into` with the bytes from `offset`.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()>;
}

/// Creates a file with this content, durably except for its name; nothing stays behind if that fails.
pub(crate) fn write_file(files: &dyn FileSystem, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = files.create_file(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync());
    if written.is_err() {
        drop(file);
        // The first error is the one that counts; a leftover has a name of its own and harms nobody.
        let _ = files.remove_file(path);
    }
    written
}

/// Creates a folder and all above it that do not exist, durably.
pub(crate) fn create_folders(files: &dyn FileSystem, path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut folder = path;
    while files.stat(folder)?.is_none() {
        missing.push(folder);
        let Some(parent) = folder.parent() else { break };
        folder = parent;
    }
    // An earlier attempt may have created this one and failed before it was durable. Above it, nothing may be readable.
    if let Some(parent) = folder.parent()
        && let Err(error) = files.sync_folder(parent)
        && error.kind() != io::ErrorKind::PermissionDenied
    {
        return Err(error);
    }
    for folder in missing.into_iter().rev() {
        match files.create_folder(folder) {
            // Another process of the job was faster.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if let Some(parent) = folder.parent() {
            files.sync_folder(parent)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn a_folder_whose_creation_was_not_confirmed_is_durable_after_the_next_attempt() {
        let memory = MemoryFiles::new();
        let first = AtomicBool::new(true);
        let files = Faulty::new(memory.clone(), move |operation: Operation, _: &Path| {
            let lost = operation == Operation::CreateFolder && first.swap(false, Ordering::Relaxed);
            if lost { Fault::Lost(io::ErrorKind::TimedOut) } else { Fault::None }
        });
        assert!(create_folders(&files, Path::new("/checkpoints")).is_err());
        create_folders(&files, Path::new("/checkpoints")).unwrap();
        memory.power_failure();
        assert_eq!(memory.stat(Path::new("/checkpoints")).unwrap(), Some(Stat::Folder));
    }
}
