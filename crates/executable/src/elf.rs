//! ELF files, as far as it matters before one runs.

use object::{
    Endianness, ReadCache, ReadRef,
    elf::{FileHeader64, PT_INTERP, PT_LOAD, SHT_DYNAMIC, SHT_GNU_VERDEF, SHT_GNU_VERNEED},
    read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader, SectionTable},
};
use std::{fmt, fs::File};

/// Sections that are read whole are not longer than this, bytes; the lengths in a file are anybody's.
const SECTION_BYTES_MAX: u64 = 16 << 20;
/// The longest path of a loader, bytes.
const LOADER_BYTES_MAX: u64 = 4096;
/// `DT_FLAGS_1`, and the flag in it for an executable that may lie anywhere in memory.
const FLAGS_1: (i64, u64) = (0x6fff_fffb, 0x0800_0000);
/// The type of a program at a fixed place in memory.
const EXEC: u16 = 2;
/// The same for one that may lie anywhere in memory: a library or a program.
const DYN: u16 = 3;

/// A version of the GNU C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlibcVersion {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl GlibcVersion {
    /// The version in the name of a symbol version, such as `GLIBC_2.34`.
    fn of_symbol(name: &[u8]) -> Option<Self> {
        let mut numbers = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split('.').map(|number| number.parse().ok());
        Some(GlibcVersion { major: numbers.next()??, minor: numbers.next()?? })
    }
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What stands in an ELF file of 64 bits.
#[derive(Debug)]
pub(crate) struct Elf {
    /// The number of the processor.
    pub(crate) machine: u16,
    /// Whether it begins with the least byte of a number.
    pub(crate) little_endian: bool,
    /// What it is.
    pub(crate) kind: Kind,
    /// The bytes that it must have, for all that is loaded and for its table of sections.
    pub(crate) bytes_needed: u64,
    /// The program that loads it; `None` for one that is linked statically.
    pub(crate) loader: Option<String>,
    /// The highest version of the GNU C library that it takes symbols of.
    pub(crate) glibc_needed: Option<GlibcVersion>,
    /// The highest version of the GNU C library that it has symbols of.
    pub(crate) glibc_defined: Option<GlibcVersion>,
    /// Sections that were asked for, in their order.
    pub(crate) sections: Vec<Option<Vec<u8>>>,
}

/// What an ELF file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A program.
    Program,
    /// A library for programs.
    Library,
    /// Something else: an object file, a core dump.
    Other,
}

impl Elf {
    /// Reads headers, and the sections of these names where they are. What lies behind the end of the file is absent.
    ///
    /// # Errors
    /// Its header is damaged.
    pub(crate) fn read(file: File, sections: &[&str]) -> object::read::Result<Elf> {
        let cache = ReadCache::new(file);
        let data = &cache;
        let header = FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        let length = data.len().unwrap_or(0);
        let mut elf = Elf {
            machine: header.e_machine(endian).0,
            little_endian: endian == Endianness::Little,
            kind: Kind::Other,
            bytes_needed: header.e_shoff(endian).saturating_add(u64::from(header.e_shentsize(endian)) * u64::from(header.e_shnum(endian))),
            loader: None,
            glibc_needed: None,
            glibc_defined: None,
            sections: vec![None; sections.len()],
        };
        let segments = header.program_headers(endian, data)?;
        for segment in segments {
            let (kind, size) = (segment.p_type(endian), segment.p_filesz(endian));
            if kind == PT_LOAD {
                elf.bytes_needed = elf.bytes_needed.max(segment.p_offset(endian).saturating_add(size));
            } else if kind == PT_INTERP && size <= LOADER_BYTES_MAX {
                elf.loader = segment.interpreter(endian, data)?.map(|path| String::from_utf8_lossy(path).into_owned());
            }
        }
        if elf.bytes_needed > length {
            return Ok(elf);
        }
        let table = header.sections(endian, data)?;
        let mut movable = false;
        for section in table.iter().filter(|section| section.sh_size(endian) <= SECTION_BYTES_MAX) {
            let kind = section.sh_type(endian);
            if kind == SHT_DYNAMIC {
                let entries = section.dynamic(endian, data)?.map(|(entries, _)| entries).unwrap_or_default();
                movable |= entries.iter().any(|entry| entry.d_tag(endian).0 == FLAGS_1.0 && entry.d_val(endian) & FLAGS_1.1 != 0);
            } else if kind == SHT_GNU_VERNEED {
                elf.glibc_needed = glibc_needed(&table, section, endian, data)?;
            } else if kind == SHT_GNU_VERDEF {
                elf.glibc_defined = glibc_defined(&table, section, endian, data)?;
            } else if let Ok(name) = table.section_name(endian, section)
                && let Some(at) = sections.iter().position(|wanted| wanted.as_bytes() == name)
            {
                elf.sections[at] = Some(section.data(endian, data)?.to_vec());
            }
        }
        elf.kind = match header.e_type(endian).0 {
            EXEC => Kind::Program,
            DYN if movable || elf.loader.is_some() => Kind::Program,
            DYN => Kind::Library,
            _ => Kind::Other,
        };
        Ok(elf)
    }
}

type Header = FileHeader64<Endianness>;
type Section = object::elf::SectionHeader64<Endianness>;

fn glibc_needed<'data, R: ReadRef<'data>>(
    table: &SectionTable<'data, Header, R>,
    section: &Section,
    endian: Endianness,
    data: R,
) -> object::read::Result<Option<GlibcVersion>> {
    let mut highest = None;
    if let Some((mut needs, link)) = section.gnu_verneed(endian, data)? {
        let strings = table.strings(endian, data, link)?;
        while let Some((_, mut names)) = needs.next()? {
            while let Some(name) = names.next()? {
                highest = highest.max(GlibcVersion::of_symbol(name.name(endian, strings)?));
            }
        }
    }
    Ok(highest)
}

fn glibc_defined<'data, R: ReadRef<'data>>(
    table: &SectionTable<'data, Header, R>,
    section: &Section,
    endian: Endianness,
    data: R,
) -> object::read::Result<Option<GlibcVersion>> {
    let mut highest = None;
    if let Some((mut versions, link)) = section.gnu_verdef(endian, data)? {
        let strings = table.strings(endian, data, link)?;
        while let Some((_, mut names)) = versions.next()? {
            while let Some(name) = names.next()? {
                highest = highest.max(GlibcVersion::of_symbol(name.name(endian, strings)?));
            }
        }
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_and_other_names_are_none() {
        let version = |name: &str| GlibcVersion::of_symbol(name.as_bytes());
        assert!(version("GLIBC_2.9") < version("GLIBC_2.34"));
        assert_eq!(version("GLIBC_2.2.5"), Some(GlibcVersion { major: 2, minor: 2 }));
        assert_eq!(version("GLIBC_2.34").unwrap().to_string(), "2.34");
        for name in ["GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR", "GCC_3.0", "GLIBC_", ""] {
            assert_eq!(version(name), None, "{name}");
        }
    }

    #[test]
    fn the_executable_of_this_test_needs_what_its_c_library_has() {
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let elf = Elf::read(file, &[".text", "nothing"]).unwrap();
        assert_eq!(elf.kind, Kind::Program);
        assert!(elf.sections[0].as_ref().is_none_or(|code| !code.is_empty()) && elf.sections[1].is_none());
        assert_eq!(elf.loader.is_some(), elf.glibc_needed.is_some());
    }
}
