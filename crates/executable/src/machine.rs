//! What a machine runs.

use crate::elf::{Elf, GlibcVersion};
use std::{
    fs::{self, File},
    path::Path,
    sync::OnceLock,
};

/// Where the C library lies if this program does not use it itself.
const FOLDERS: [&str; 7] =
    ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib/riscv64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// The file of the GNU C library.
const LIBRARY: &str = "libc.so.6";

/// A machine that is to run executables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its processor, as Rust names it: `x86_64`.
    pub architecture: String,
    /// The version of its GNU C library; `None` where there is none, or none was found.
    pub glibc: Option<GlibcVersion>,
}

impl Machine {
    /// This machine.
    pub fn here() -> &'static Machine {
        static HERE: OnceLock<Machine> = OnceLock::new();
        HERE.get_or_init(|| Machine { architecture: std::env::consts::ARCH.to_owned(), glibc: glibc() })
    }
}

/// The newest version that the C library has symbols of: what executables are bound to.
fn glibc() -> Option<GlibcVersion> {
    // The one that this program runs with is the one that others get.
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mapped = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.ends_with(LIBRARY));
    let found = mapped.map(Path::new).and_then(defined_by);
    found.or_else(|| FOLDERS.iter().find_map(|folder| defined_by(&Path::new(folder).join(LIBRARY))))
}

fn defined_by(library: &Path) -> Option<GlibcVersion> {
    Elf::read(File::open(library).ok()?, &[]).ok()?.glibc_defined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_c_library_of_this_machine_is_one_that_this_test_can_run_with() {
        let needed = Elf::read(File::open(std::env::current_exe().unwrap()).unwrap(), &[]).unwrap().glibc_needed;
        assert!(Machine::here().glibc >= needed, "{:?} {needed:?}", Machine::here());
        assert_eq!(Machine::here().architecture, std::env::consts::ARCH);
    }
}
