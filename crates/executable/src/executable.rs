//! Whether a file is a job that this machine can run.

use crate::{
    elf::{Elf, GlibcVersion, Kind},
    machine::Machine,
};
use flott_core::{Error, ErrorKind};
use flott_rpc::{
    control,
    manifest::{ADD_PROBE, MAGIC, MANIFEST_BYTES_MAX, Manifest, OR_PROBE, SECTION},
};
use std::{
    fs::File,
    io::{self, Read, Seek},
    path::Path,
};

/// By how many bytes adding is longer than what cannot overflow, if it checks: a jump at least.
const CHECK_BYTES: usize = 3;

/// The section with the names of symbols, each behind a zero. `strip` removes it.
const SYMBOLS: &str = ".strtab";

/// A part of the names of functions that every Rust program has.
const OF_RUST: &str = "__rust_alloc";

/// Beginnings of the names of functions that allocators have: mimalloc, jemalloc, snmalloc, tcmalloc, rpmalloc.
const ALLOCATORS: [&str; 8] = ["mi_malloc", "mi_free", "_rjem_", "je_malloc", "sn_rust_", "sn_malloc", "tc_malloc", "rpmalloc"];

/// Processors, by their numbers in ELF files.
const ARCHITECTURES: [(u16, &str); 8] =
    [(3, "x86"), (20, "powerpc"), (21, "powerpc64"), (22, "s390x"), (40, "arm"), (62, "x86_64"), (183, "aarch64"), (243, "riscv64")];

/// A job's executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executable {
    /// What messages call it.
    pub name: String,
    /// Its processor, as Rust names it.
    pub architecture: &'static str,
    /// The version of the GNU C library that it needs; `None` for one that needs none.
    pub glibc: Option<GlibcVersion>,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Whether sums are checked for overflow; `None` where that cannot be seen.
    pub overflow_checks: Option<bool>,
    /// Whether functions keep frame pointers; `None` where that cannot be seen.
    pub frame_pointers: Option<bool>,
    /// Whether it brings an allocator that is known to be fast with several threads; `None` where that cannot be seen, since its symbols
    /// were removed.
    pub allocator: Option<bool>,
}

/// Checks that `path` is a job that `machine` can run.
///
/// # Errors
/// Why not, and what to do about it; or it cannot be read.
pub fn check(path: &Path, machine: &Machine) -> Result<Executable, Error> {
    check_named(path, &path.display().to_string(), machine)
}

/// As [`check`]; messages call it `shown`, which is what its owner calls it.
///
/// # Errors
/// As of [`check`].
pub fn check_named(path: &Path, shown: &str, machine: &Machine) -> Result<Executable, Error> {
    let mut file = File::open(path).map_err(|error| unreadable(shown, error))?;
    let metadata = file.metadata().map_err(|error| unreadable(shown, error))?;
    if !metadata.is_file() {
        return Err(Error::invalid(format!("`{shown}` is no file: name the program itself, such as `target/release/my-job`")));
    }
    if let Some(wrong) = no_elf(&mut file).map_err(|error| unreadable(shown, error))? {
        return Err(Error::invalid(format!("`{shown}` {wrong}")));
    }
    let damaged = |error| Error::invalid(format!("`{shown}` is a damaged executable: build it again")).with_source(error);
    let elf = Elf::read(file, &[SECTION, ADD_PROBE, OR_PROBE, SYMBOLS]).map_err(damaged)?;
    let architecture = runs_here(&elf, machine, metadata.len()).map_err(|wrong| Error::invalid(format!("`{shown}` {wrong}")))?;
    let [manifest, add, or, symbols] = elf.sections.try_into().unwrap_or_default();
    let manifest = read_manifest(manifest.as_deref()).map_err(|wrong| Error::invalid(format!("`{shown}` {wrong}")))?;
    if let Some(refusal) = control::refusal(manifest.protocol, &manifest.version) {
        return Err(Error::invalid(format!("`{shown}` cannot work with this cluster: {refusal}")));
    }
    Ok(Executable {
        name: shown.to_owned(),
        architecture,
        glibc: elf.glibc_needed,
        manifest,
        overflow_checks: add.zip(or.as_ref()).map(|(add, or)| add.len() >= or.len() + CHECK_BYTES),
        frame_pointers: or.and_then(|code| keeps_frame_pointer(&code, architecture)),
        allocator: symbols.and_then(|names| brings_allocator(&names)),
    })
}

fn unreadable(shown: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot read the program `{shown}`")).with_source(error)
}

/// What is wrong with a file that does not even begin like an executable of Linux with 64 bits.
fn no_elf(file: &mut File) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    file.by_ref().take(64).read_to_end(&mut head)?;
    file.rewind()?;
    let of = |system: &str| {
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        format!("was built for {system}, and this cluster runs on Linux: build it with `cargo build --release --target {target}`")
    };
    Ok(Some(match head.as_slice() {
        [0x7f, b'E', b'L', b'F', 2, ..] if head.len() == 64 => return Ok(None),
        [0x7f, b'E', b'L', b'F', 2, ..] => "is cut off in its first bytes: bring it again".to_owned(),
        [0x7f, b'E', b'L', b'F', ..] => "was built for a processor of 32 bits: Flott needs 64, build it with another `--target`".to_owned(),
        [] => "is empty: bring the program that `cargo build --release` has made".to_owned(),
        [b'#', b'!', ..] => "is a script, which needs more than itself to run: bring the program that it starts".to_owned(),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => of("macOS"),
        [b'M', b'Z', ..] => of("Windows"),
        _ => "is no executable: bring the program that `cargo build --release` has made, `target/release/…`".to_owned(),
    }))
}

/// The processor of an executable, if `machine` can run it.
fn runs_here(elf: &Elf, machine: &Machine, length: u64) -> Result<&'static str, String> {
    let architecture = ARCHITECTURES.iter().find(|(number, _)| *number == elf.machine).map_or("another processor", |(_, name)| name);
    let here = &machine.architecture;
    if architecture != here || elf.little_endian != cfg!(target_endian = "little") {
        return Err(format!(
            "was built for {architecture}, and this machine is {here}: build it with `cargo build --release --target {here}-unknown-linux-gnu`"
        ));
    }
    if elf.bytes_needed > length {
        let needed = elf.bytes_needed;
        return Err(format!("is cut off: it has {length} bytes, and should have {needed} at least; bring it again"));
    }
    match elf.kind {
        Kind::Program => {}
        Kind::Library => return Err("is a shared library: bring the program that uses it".to_owned()),
        Kind::Other => return Err("is no program: bring the one that `cargo build --release` has made, `target/release/…`".to_owned()),
    }
    if let (Some(needed), Some(there)) = (elf.glibc_needed, machine.glibc)
        && needed > there
    {
        return Err(format!(
            "needs the C library glibc {needed}, and this machine has {there}: build it on a system with glibc {there} or older, or without \
             that library, `cargo build --release --target {here}-unknown-linux-musl` (see docs/executables.md)"
        ));
    }
    if let Some(loader) = elf.loader.as_ref().filter(|loader| !Path::new(loader).exists()) {
        return Err(format!(
            "needs the loader `{loader}`, which this machine does not have: build it for the C library of this machine, or without one, \
             `cargo build --release --target {here}-unknown-linux-musl` (see docs/executables.md)"
        ));
    }
    Ok(architecture)
}

fn read_manifest(section: Option<&[u8]>) -> Result<Manifest, String> {
    let Some(section) = section else {
        return Err("is a program, but no job: it has no manifest of Flott. It must use the crate `flott` and call \
                    `StreamExecutionEnvironment::get`"
            .to_owned());
    };
    let damaged = "has a manifest of Flott that cannot be read: build it again with the version of Flott that this cluster has";
    if section.len() > MANIFEST_BYTES_MAX {
        return Err(damaged.to_owned());
    }
    let text = std::str::from_utf8(section).ok().and_then(|text| text.strip_prefix(MAGIC));
    let text = text.ok_or_else(|| damaged.to_owned())?.trim_end_matches('\0');
    serde_json::from_str(text).map_err(|error| format!("{damaged} ({error})"))
}

/// Whether these names of symbols are those of a program with an allocator of its own.
fn brings_allocator(names: &[u8]) -> Option<bool> {
    let mut of_rust = false;
    for name in names.split(|byte| *byte == 0) {
        if ALLOCATORS.iter().any(|beginning| name.starts_with(beginning.as_bytes())) {
            return Some(true);
        }
        of_rust |= name.windows(OF_RUST.len()).any(|part| part == OF_RUST.as_bytes());
    }
    of_rust.then_some(false)
}

/// Whether a function begins by keeping the frame pointer. Where not every function is told to, those that call none do not.
fn keeps_frame_pointer(code: &[u8], architecture: &str) -> Option<bool> {
    const LANDING: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
    const PUSH_AND_MOVE: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];
    (architecture == "x86_64").then(|| code.strip_prefix(&LANDING).unwrap_or(code).starts_with(&PUSH_AND_MOVE))
}

#[cfg(test)]
#[path = "executable_tests.rs"]
mod tests;
