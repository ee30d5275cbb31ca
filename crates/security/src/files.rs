//! Files that nobody but their owner may read.

use flott_core::{Error, ErrorKind};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Bytes that a file with a key, a certificate or tokens may have, at the most.
const MOST_BYTES: u64 = 1 << 20;

fn failed(path: &Path, does: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot {does} `{}`", path.display())).with_source(error)
}

/// Reads a file that is no secret. `option` names the setting that leads to it.
pub(crate) fn read(path: &Path, option: &str) -> Result<String, Error> {
    let unreadable = |error| {
        Error::invalid(format!("cannot read `{}`, which `{option}` names; `flott security init` makes such files", path.display()))
            .with_source(error)
    };
    let mut text = String::new();
    fs::File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text)).map_err(unreadable)?;
    Ok(text)
}

/// Reads a file with a secret, which others must not be able to read.
pub(crate) fn read_private(path: &Path, option: &str) -> Result<String, Error> {
    let text = read(path, option)?;
    let mode = fs::metadata(path).map_err(|error| failed(path, "read", error))?.permissions().mode();
    if mode & 0o077 != 0 {
        let mode = mode & 0o777;
        return Err(Error::invalid(format!(
            "`{}`, which `{option}` names, holds a secret that other users can get at (mode {mode:o}): run `chmod 600` on it",
            path.display()
        )));
    }
    Ok(text)
}

/// Writes a file that only its owner may read (mode 0600), all of it or nothing. One that is there is replaced.
///
/// # Errors
/// The folder cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let write = || {
        // What a run that was killed has left behind.
        let _ = fs::remove_file(&draft);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(|error| failed(path, "write", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_others_can_read_is_refused_with_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_private(&path, "canary").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_private(&path, "security.token.file").unwrap(), "canary");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read_private(&path, "security.token.file").unwrap_err().to_string();
        assert!(error.contains("chmod 600") && error.contains("mode 640") && !error.contains("canary"), "{error}");
        write_private(&path, "other").unwrap();
        assert_eq!(read_private(&path, "x").unwrap(), "other");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
