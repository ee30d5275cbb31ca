//! Folders, and what may be missing.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

/// For results where something that is not there is no error.
pub(super) trait NotFoundAsNone<T> {
    fn not_found_as_none(self) -> io::Result<Option<T>>;
}

impl<T> NotFoundAsNone<T> for io::Result<T> {
    fn not_found_as_none(self) -> io::Result<Option<T>> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Makes durable which names a folder has. One that others have emptied and removed by now is gone with them: then that is made durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    for folder in path.ancestors() {
        if let Some(opened) = File::open(folder).not_found_as_none()? {
            return opened.sync_all();
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Creates a folder and all above it that do not exist, durably.
pub(super) fn create_folders(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.is_dir()).collect();
    for folder in missing.iter().rev() {
        match fs::create_dir(folder) {
            // Another process was faster.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    // Also where the first one is that was there: an attempt before may have ended in between.
    for folder in path.ancestors().skip(1).take(missing.len() + 1) {
        match sync_folder(folder) {
            // What may not be read is not ours to make durable.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
