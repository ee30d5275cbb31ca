//! A file that is written until it is large, and then put aside.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// How large log files become, and how many old ones stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes.
    pub size: u64,
    /// Old files.
    pub old: u32,
}

/// A file that is shared by those who write it. What is written by one call stays together.
#[derive(Debug, Clone)]
pub struct RollingFile(Arc<Mutex<Rolling>>);

#[derive(Debug)]
struct Rolling {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    size: u64,
}

impl RollingFile {
    /// Goes on with the file at `path`, or begins it. The last one that was put aside has `.1` behind its name.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let file = append(path)?;
        let size = file.metadata()?.len();
        Ok(RollingFile(Arc::new(Mutex::new(Rolling { path: path.to_owned(), rotation, file, size }))))
    }

    /// Writes `parts` one behind the other.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&self, parts: &[&[u8]]) -> io::Result<()> {
        let rolling = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let length = parts.iter().map(|part| part.len() as u64).sum::<u64>();
        if rolling.size > 0 && rolling.size + length > rolling.rotation.size {
            // One that cannot be put aside is written on: a log that is too long is better than none.
            let _ = rolling.rotate();
        }
        for part in parts {
            rolling.file.write_all(part)?;
            rolling.size += part.len() as u64;
        }
        Ok(())
    }
}

impl Rolling {
    fn rotate(&mut self) -> io::Result<()> {
        let old = |number: u32| PathBuf::from(format!("{}.{number}", self.path.display()));
        if self.rotation.old == 0 {
            self.file.set_len(0)?;
        } else {
            for number in (1..self.rotation.old).rev() {
                if fs::exists(old(number))? {
                    fs::rename(old(number), old(number + 1))?;
                }
            }
            fs::rename(&self.path, old(1))?;
            self.file = append(&self.path)?;
        }
        self.size = 0;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl Write for RollingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        RollingFile::write(self, &[bytes]).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<(String, String)> {
        let mut all: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
            .collect();
        all.sort();
        all
    }

    fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_full_file_is_put_aside_and_the_oldest_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let file = RollingFile::open(&path, Rotation { size: 10, old: 2 }).unwrap();
        for line in ["first\n", "second\n", "3\n", "a line that is longer than a file\n", "last\n"] {
            file.write(&[line.as_bytes()]).unwrap();
        }
        let kept = [("a.log", "last\n"), ("a.log.1", "a line that is longer than a file\n"), ("a.log.2", "second\n3\n")];
        assert_eq!(files(folder.path()), named(&kept));
        drop(file);
        let again = RollingFile::open(&path, Rotation { size: 10, old: 2 }).unwrap();
        again.write(&[b"so", b"on\n"]).unwrap();
        assert_eq!(files(folder.path())[0].1, "last\nsoon\n");
    }

    #[test]
    fn without_old_files_it_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = RollingFile::open(&folder.path().join("a.out"), Rotation { size: 4, old: 0 }).unwrap();
        (0..10).for_each(|n| file.write(&[format!("{n}\n").as_bytes()]).unwrap());
        assert_eq!(files(folder.path()), named(&[("a.out", "8\n9\n")]));
    }
}
