//! Checkpoints in memory, savepoints on disk: for a job without a directory for checkpoints.

use super::{DiskFiles, FileSystem, MemoryFiles, ReadFile, Stat, WriteFile};
use std::{
    io,
    path::{Path, PathBuf},
};

/// The folder whose content is in memory; everything else is on disk.
pub(crate) const MEMORY: &str = "memory:";

/// Files below `memory:` in the memory of this process, all others on disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryOrDisk {
    memory: MemoryFiles,
}

impl MemoryOrDisk {
    fn at(&self, path: &Path) -> &dyn FileSystem {
        // Paths on disk are absolute, so the empty one is the folder that `memory:` is in.
        if path.starts_with(MEMORY) || path == Path::new("") { &self.memory } else { &DiskFiles }
    }
}

impl FileSystem for MemoryOrDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.at(path).create_folder(path)
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        self.at(path).create_file(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        self.at(path).open(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.at(path).stat(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.at(path).list(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.at(from).rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.at(path).sync_folder(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.at(path).remove_file(path)
    }

    fn remove_empty_folder(&self, path: &Path) -> io::Result<()> {
        self.at(path).remove_empty_folder(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.at(path).remove_folder(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.at(from).link(from, to)
    }

    fn is_same_file(&self, one: &Path, other: &Path) -> io::Result<bool> {
        self.at(one).is_same_file(one, other)
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        self.at(path).absolute(path)
    }

    fn unique_suffix(&self) -> String {
        DiskFiles.unique_suffix()
    }

    fn is_shared(&self, path: &Path) -> bool {
        self.at(path).is_shared(path)
    }
}
