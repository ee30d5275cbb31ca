//! A folder of uploaded executables: of each the content, and a small file that says what it is called, `<id>.upload`, with which it
//! begins and ends to be there. Every JobManager that uses the folder sees the same, without asking the others.

use flott_cluster::JobManager;
use flott_core::{Error, ErrorKind, Timestamp};
use flott_rpc::control::ExecutableId;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// How the name of the file ends that describes an upload, that with its content, and that of one that is being written.
const DESCRIBED: &str = "upload";
const CONTENT: &str = "content";
const UNFINISHED: &str = "new";
/// The age at which what belongs to no upload is removed: by then nobody is about to describe it.
const LEFT_OVER: Duration = Duration::from_secs(24 * 3600);

/// An executable that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upload {
    /// The name that it was uploaded with.
    pub(super) name: String,
    /// When, ms since 1970.
    pub(super) uploaded_at: Timestamp,
    /// What it is.
    pub(super) content: ExecutableId,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Uploads(PathBuf);

impl Uploads {
    /// Opens `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be used, or others may write into it.
    pub(super) fn open(folder: PathBuf) -> Result<Self, Error> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| unusable(&folder, error))?;
        let mode = fs::metadata(&folder).map_err(|error| unusable(&folder, error))?.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(Error::invalid(format!(
                "others may write into `{}`, from which programs are run: take that from them (`chmod 700`), or set `web.upload.dir`",
                folder.display()
            )));
        }
        let uploads = Uploads(folder);
        if let Err(error) = uploads.remove_left_over() {
            tracing::warn!(%error, folder = %uploads.0.display(), "what is left of unfinished uploads cannot be removed");
        }
        Ok(uploads)
    }

    fn remove_left_over(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let (entry, path) = entry.map(|entry| (entry.metadata(), entry.path()))?;
            let of_nobody = match path.extension().and_then(|end| end.to_str()) {
                Some(UNFINISHED) => true,
                Some(CONTENT) => !path.with_extension(DESCRIBED).exists(),
                _ => false,
            };
            if of_nobody && entry?.modified()?.elapsed().is_ok_and(|age| age > LEFT_OVER) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// All uploads by their ids. One that cannot be read is named in the log and left out.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(super) fn list(&self) -> Result<BTreeMap<String, Upload>, Error> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(&self.0).map_err(|error| unusable(&self.0, error))? {
            let path = entry.map_err(|error| unusable(&self.0, error))?.path();
            if path.extension().is_none_or(|end| end != DESCRIBED) {
                continue;
            }
            let Some(id) = path.file_stem().and_then(|id| id.to_str()) else { continue };
            match read(&path) {
                Ok(Some(upload)) => _ = all.insert(id.to_owned(), upload),
                // Another JobManager has just removed it.
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "an uploaded executable is not listed"),
            }
        }
        Ok(all)
    }

    /// Keeps an upload, whose content `manager` has.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn add(&self, id: &str, upload: &Upload, manager: &JobManager) -> Result<(), Error> {
        let (described, content) = (self.path(id, DESCRIBED)?, self.path(id, CONTENT)?);
        let from = manager.executable(&upload.content)?;
        let from = from.ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("the content of `{id}` is gone: upload it again")))?;
        // A file does not take the place of one that is the same.
        match fs::remove_file(&content) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(&content, error)),
            _ => {}
        }
        place(&content, |new| fs::hard_link(&from, new).or_else(|_| fs::copy(&from, new).map(|_| ())))?;
        let text = json!({"name": upload.name, "uploaded_at": upload.uploaded_at, "content": upload.content.0}).to_string();
        place(&described, |new| fs::write(new, &text))
    }

    /// Removes an upload; `false` if there is none of this id.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(super) fn remove(&self, id: &str) -> Result<bool, Error> {
        let Ok(described) = self.path(id, DESCRIBED) else { return Ok(false) };
        match fs::remove_file(&described) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(unusable(&described, error)),
        }
        let content = self.path(id, CONTENT)?;
        if let Err(error) = fs::remove_file(&content) {
            tracing::warn!(%error, path = %content.display(), "the content of a removed executable stays for a day");
        }
        Ok(true)
    }

    /// What the upload of this id is; `manager` has it from then on. `None`: there is none.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub(super) fn get(&self, id: &str, manager: &JobManager) -> Result<Option<ExecutableId>, Error> {
        let Ok(described) = self.path(id, DESCRIBED) else { return Ok(None) };
        let Some(upload) = read(&described)? else { return Ok(None) };
        // What nobody has run for long is there no more.
        if manager.executable(&upload.content)?.is_none() && manager.add_executable(&self.path(id, CONTENT)?)? != upload.content {
            return Err(Error::new(ErrorKind::Data, format!("the executable `{id}` is damaged: upload it again")));
        }
        Ok(Some(upload.content))
    }

    /// A file of an upload. An id may come from outside; those that are made here have no other characters.
    fn path(&self, id: &str, end: &str) -> Result<PathBuf, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if id.is_empty() || id.starts_with('.') || !id.chars().all(plain) {
            return Err(Error::invalid("that is not the id of an executable"));
        }
        Ok(self.0.join(format!("{id}.{end}")))
    }
}

/// Puts a file into its place as a whole.
fn place(path: &Path, make: impl Fn(&Path) -> io::Result<()>) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    let new = tempfile::Builder::new().suffix(&format!(".{UNFINISHED}")).make_in(folder, make).map_err(|error| unusable(folder, error))?;
    new.into_temp_path().persist(path).map_err(|error| unusable(path, error.error))
}

/// What a file describes; `None` if it is not there.
fn read(path: &Path) -> Result<Option<Upload>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, error)),
    };
    let fields: Option<Value> = serde_json::from_str(&text).ok();
    let upload = fields.as_ref().and_then(|fields| {
        let text = |name: &str| fields[name].as_str().map(str::to_owned);
        Some(Upload { name: text("name")?, uploaded_at: fields["uploaded_at"].as_i64()?, content: ExecutableId(text("content")?) })
    });
    upload.map(Some).ok_or_else(|| Error::new(ErrorKind::Data, format!("`{}` is damaged: remove it", path.display())))
}

fn unusable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot use `{}`, where uploaded executables are kept", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_a_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.upload"), "{}").unwrap();
        let uploads = Uploads::open(folder.path().join("uploads")).unwrap();
        for id in ["../x", "", ".", "..", "a/b", "/etc/passwd", "a\0"] {
            assert!(uploads.path(id, DESCRIBED).is_err() && !uploads.remove(id).unwrap(), "{id}");
        }
        assert!(folder.path().join("x.upload").exists());
    }

    #[test]
    fn a_damaged_description_hides_no_other_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let uploads = Uploads::open(folder.path().to_owned()).unwrap();
        for (id, text) in [("a", r#"{"name": "A b", "uploaded_at": 7, "content": "00"}"#), ("b", r#"{"name": "B""#), ("c", "{}")] {
            fs::write(uploads.path(id, DESCRIBED).unwrap(), text).unwrap();
        }
        let upload = Upload { name: "A b".to_owned(), uploaded_at: 7, content: ExecutableId("00".to_owned()) };
        assert_eq!(uploads.list().unwrap(), [("a".to_owned(), upload)].into());
        assert!(uploads.remove("b").unwrap() && !uploads.remove("b").unwrap());
    }

    #[test]
    fn what_is_left_of_unfinished_uploads_is_removed_when_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let old = std::time::SystemTime::now() - LEFT_OVER * 2;
        for (name, is_old) in [("a.content", true), ("b.content", false), ("c.new", true), ("d.content", true), ("d.upload", true)] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            if is_old {
                file.set_modified(old).unwrap();
            }
        }
        Uploads::open(folder.path().to_owned()).unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["b.content", "d.content", "d.upload"]);
    }

    #[test]
    fn a_folder_that_others_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Uploads::open(folder.path().to_owned()).unwrap_err().to_string().contains("chmod 700"));
    }
}
