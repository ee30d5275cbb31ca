//! The built files of the web dashboard, so that whoever builds Flott with cargo alone has it.
//!
//! What is here is made from the sources in `dashboard/` by `npm run build` and `npm run pack` there; `cargo xtask test` builds them
//! again and compares. Every file is compressed with gzip. The names of all but `index.html` change with their content.
//!
//! ```
//! let page = flott_dashboard::file("index.html").expect("the dashboard has a page");
//! assert_eq!(page.content_type, "text/html; charset=utf-8");
//! ```

mod files;

/// A file of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Its path below the address of the dashboard, such as `index.html`.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its entity tag, with quotes: the same tag means the same content.
    pub tag: &'static str,
    /// Whether its path changes with its content, so that a copy never grows old.
    pub immutable: bool,
    /// What is in it, compressed with gzip.
    pub gzip: &'static [u8],
}

/// All files.
pub fn files() -> &'static [File] {
    files::FILES
}

/// The file with a path, such as `index.html`.
pub fn file(path: &str) -> Option<&'static File> {
    files::FILES.iter().find(|file| file.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_compressed_and_has_a_name_of_its_own() {
        for (at, file) in files().iter().enumerate() {
            assert!(file.gzip.starts_with(&[0x1f, 0x8b]), "{}", file.path);
            assert!(files()[..at].iter().all(|other| other.path != file.path), "{}", file.path);
            assert_eq!(file.immutable, file.path != "index.html", "{}", file.path);
        }
    }

    #[test]
    fn the_first_load_is_small() {
        let first: usize = files().iter().map(|file| file.gzip.len()).sum();
        assert!(first <= 250 * 1000, "{first} bytes");
    }
}
