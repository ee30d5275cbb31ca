//! Which files a process has in its memory, and where.

use std::{fs, io, ops::Range, path::PathBuf};

/// A part of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) range: Range<u64>,
    pub(crate) executable: bool,
    /// Where in the file it begins.
    pub(crate) offset: u64,
    /// The file as the process knows it; empty if it is none.
    pub(crate) name: String,
}

/// The parts of a process's memory, in the order of their addresses.
///
/// # Errors
/// The process is gone, or may not be looked at.
pub(crate) fn read(process: u32) -> io::Result<Vec<Mapping>> {
    Ok(fs::read_to_string(format!("/proc/{process}/maps"))?.lines().filter_map(parse).collect())
}

/// Reads a line such as `7f00-7f10 r-xp 00001000 fd:00 1234   /lib/libc.so.6`.
fn parse(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (from, to) = fields.next()?.split_once('-')?;
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let range = hex(from)?..hex(to)?;
    let executable = fields.next()?.contains('x');
    let offset = hex(fields.next()?)?;
    let name = fields.nth(2).unwrap_or_default().trim().to_owned();
    Some(Mapping { range, executable, offset, name })
}

/// Who has started a process, or has taken it over from who did.
pub(crate) fn parent_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

/// Where the file of a mapping can be read: the program itself even if its file has been removed meanwhile.
pub(crate) fn path_of(process: u32, mapping: &Mapping) -> Option<PathBuf> {
    if !mapping.name.starts_with('/') {
        return None;
    }
    let own = fs::read_link(format!("/proc/{process}/exe")).ok();
    if own.is_some_and(|own| own.as_os_str() == mapping.name.as_str()) {
        return Some(PathBuf::from(format!("/proc/{process}/exe")));
    }
    Some(PathBuf::from(&mapping.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let line = "7f3a1c000000-7f3a1c021000 r-xp 00002000 fd:00 4242                       /a folder/with spaces.so";
        let expected = Mapping {
            range: 0x7f3a_1c00_0000..0x7f3a_1c02_1000,
            executable: true,
            offset: 0x2000,
            name: "/a folder/with spaces.so".to_owned(),
        };
        assert_eq!(parse(line), Some(expected));
        let nameless = parse("00400000-00401000 rw-p 00000000 00:00 0 ").unwrap();
        assert_eq!((nameless.name.as_str(), nameless.executable), ("", false));
        assert_eq!(parse("garbage"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn this_process_has_its_own_program_in_memory() {
        let own = std::env::current_exe().unwrap();
        let found = read(std::process::id()).unwrap();
        assert!(found.iter().any(|mapping| mapping.executable && mapping.name == own.to_string_lossy()));
    }
}
