//! A file system in memory, which knows what would survive a power failure.

use super::{FileSystem, ReadFile, Stat, WriteFile};
use std::{
    collections::BTreeMap,
    io,
    path::{Component, Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

/// Files in the memory of this process. Clones see the same files.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    root: Folder,
    /// How many unique names were given.
    names: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
enum Node {
    Folder(Folder),
    File(MemoryFile),
}

type Folder = Arc<Mutex<Names>>;

/// What a folder contains, now and after a power failure.
#[derive(Debug, Default)]
struct Names {
    now: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
}

#[derive(Debug, Clone, Default)]
struct MemoryFile(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// How many of the bytes are durable.
    synced: usize,
}

/// Each lock is held for one step that does not panic, so what a poisoned one guards is sound.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl MemoryFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a power failure does: forgets whatever was not synced.
    pub fn power_failure(&self) {
        fn revert(folder: &Folder) {
            let children: Vec<Node> = {
                let mut names = hold(folder);
                names.now = names.durable.clone();
                names.now.values().cloned().collect()
            };
            for child in &children {
                match child {
                    Node::Folder(folder) => revert(folder),
                    Node::File(file) => {
                        let mut content = hold(&file.0);
                        let synced = content.synced;
                        content.bytes.truncate(synced);
                    }
                }
            }
        }
        revert(&self.root);
    }

    /// Changes the bytes of a file behind everybody's back, as a failing disk does. Whether there is such a file.
    pub fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let Ok(Node::File(file)) = self.node(path) else { return false };
        let mut content = hold(&file.0);
        change(&mut content.bytes);
        content.synced = content.bytes.len();
        true
    }

    /// The paths of all files, in order.
    pub fn all_files(&self) -> Vec<PathBuf> {
        fn walk(folder: &Folder, path: &Path, found: &mut Vec<PathBuf>) {
            for (name, node) in &hold(folder).now {
                match node {
                    Node::Folder(folder) => walk(folder, &path.join(name), found),
                    Node::File(_) => found.push(path.join(name)),
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.root, Path::new(""), &mut found);
        found
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        let mut node = Node::Folder(self.root.clone());
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let Node::Folder(folder) = node else { return Err(io::ErrorKind::NotADirectory.into()) };
            let next = name.to_str().and_then(|name| hold(&folder).now.get(name).cloned());
            node = next.ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(node)
    }

    fn folder(&self, path: &Path) -> io::Result<Folder> {
        match self.node(path)? {
            Node::Folder(folder) => Ok(folder),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// The folder that `path` is in, and its name there.
    fn place(&self, path: &Path) -> io::Result<(Folder, String)> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.folder(path.parent().unwrap_or(Path::new("")))?, name.to_owned()))
    }

    fn create(&self, path: &Path, node: Node) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        let mut names = hold(&folder);
        if names.now.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        names.now.insert(name, node);
        Ok(())
    }

    fn remove(&self, path: &Path, may_go: impl FnOnce(&Node) -> io::Result<()>) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        let mut names = hold(&folder);
        may_go(names.now.get(&name).ok_or(io::ErrorKind::NotFound)?)?;
        names.now.remove(&name);
        Ok(())
    }
}

impl FileSystem for MemoryFiles {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.create(path, Node::Folder(Folder::default()))
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let file = MemoryFile::default();
        self.create(path, Node::File(file.clone()))?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        match self.node(path)? {
            Node::File(file) => Ok(Box::new(file)),
            Node::Folder(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        match self.node(path) {
            Ok(Node::Folder(_)) => Ok(Some(Stat::Folder)),
            Ok(Node::File(file)) => Ok(Some(Stat::File(hold(&file.0).bytes.len() as u64))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let folder = self.folder(path)?;
        Ok(hold(&folder).now.keys().cloned().collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.node(from)?;
        let (folder, name) = self.place(to)?;
        if let (Node::Folder(_), Some(_)) = (&node, hold(&folder).now.get(&name)) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.remove(from, |_| Ok(()))?;
        hold(&folder).now.insert(name, node);
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let folder = self.folder(path)?;
        let mut names = hold(&folder);
        names.durable = names.now.clone();
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.remove(path, |node| match node {
            Node::File(_) => Ok(()),
            Node::Folder(_) => Err(io::ErrorKind::IsADirectory.into()),
        })
    }

    fn remove_empty_folder(&self, path: &Path) -> io::Result<()> {
        self.remove(path, |node| match node {
            Node::Folder(folder) if hold(folder).now.is_empty() => Ok(()),
            Node::Folder(_) => Err(io::ErrorKind::DirectoryNotEmpty.into()),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        })
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.remove(path, |node| match node {
            Node::Folder(_) => Ok(()),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self.node(from)? {
            Node::File(file) => self.create(to, Node::File(file)),
            Node::Folder(_) => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }

    fn is_same_file(&self, one: &Path, other: &Path) -> io::Result<bool> {
        match (self.node(one), self.node(other)) {
            (Ok(Node::File(one)), Ok(Node::File(other))) => Ok(Arc::ptr_eq(&one.0, &other.0)),
            _ => Ok(false),
        }
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// Counted, so that what happens in memory alone can be repeated.
    fn unique_suffix(&self) -> String {
        self.names.fetch_add(1, Ordering::Relaxed).to_string()
    }

    fn is_shared(&self, _: &Path) -> bool {
        false
    }
}

impl WriteFile for MemoryFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        hold(&self.0).bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut content = hold(&self.0);
        content.synced = content.bytes.len();
        Ok(())
    }
}

impl ReadFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(hold(&self.0).bytes.len() as u64)
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let content = hold(&self.0);
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let bytes = start.checked_add(into.len()).and_then(|end| content.bytes.get(start..end)).ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::write_file;

    #[test]
    fn a_power_failure_takes_what_was_not_synced() {
        let files = MemoryFiles::new();
        let (folder, a, b) = (Path::new("d"), Path::new("d/a"), Path::new("d/b"));
        files.create_folder(folder).unwrap();
        files.sync_folder(Path::new("")).unwrap();
        write_file(&files, a, b"kept").unwrap();
        files.sync_folder(folder).unwrap();
        write_file(&files, b, b"no name").unwrap();
        let mut file = files.create_file(Path::new("d/c")).unwrap();
        file.write_all(b"12").unwrap();
        file.sync().unwrap();
        file.write_all(b"34").unwrap();
        files.rename(b, a).unwrap();
        assert_eq!(files.stat(a).unwrap(), Some(Stat::File(7)));
        files.power_failure();
        assert_eq!(files.all_files(), [a]);
        assert_eq!(files.stat(a).unwrap(), Some(Stat::File(4)));
    }

    #[test]
    fn a_second_name_is_given_only_where_there_is_none() {
        let files = MemoryFiles::new();
        let (a, b) = (Path::new("a"), Path::new("b"));
        write_file(&files, a, b"a").unwrap();
        write_file(&files, b, b"b").unwrap();
        assert_eq!(files.link(a, b).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(!files.is_same_file(a, b).unwrap());
        files.link(a, Path::new("c")).unwrap();
        assert!(files.is_same_file(a, Path::new("c")).unwrap());
        files.remove_file(a).unwrap();
        assert_eq!(files.stat(Path::new("c")).unwrap(), Some(Stat::File(1)));
        assert!(!files.is_same_file(a, Path::new("c")).unwrap());
    }

    #[test]
    fn an_open_file_outlives_its_name() {
        let files = MemoryFiles::new();
        write_file(&files, Path::new("a"), b"text").unwrap();
        let open = files.open(Path::new("a")).unwrap();
        files.remove_file(Path::new("a")).unwrap();
        let mut bytes = [0; 4];
        open.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"text");
        assert_eq!(open.read_exact_at(&mut bytes, 1).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
