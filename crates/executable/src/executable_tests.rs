//! Files that are jobs, and files that are not.

use super::*;
use flott_rpc::{control::PROTOCOL, manifest::Panics};
use std::io::Write;

const PROGRAM: u16 = 2;
const LIBRARY: u16 = 3;
const X86_64: u16 = 62;
const AARCH64: u16 = 183;

fn here() -> Machine {
    Machine { architecture: "x86_64".to_owned(), glibc: Some(GlibcVersion { major: 2, minor: 36 }) }
}

/// A small ELF file that nothing is loaded from.
fn elf(kind: u16, machine: u16, sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = vec![0; 64];
    let mut names = vec![0];
    let mut headers = vec![0; 64];
    let mut section = |body: &mut Vec<u8>, names: &mut Vec<u8>, name: &str, kind: u32, content: &dyn Fn(&[u8]) -> Vec<u8>| {
        let at = names.len() as u32;
        names.extend(name.bytes().chain([0]));
        let content = content(names);
        let mut header = [at.to_le_bytes(), kind.to_le_bytes()].concat();
        header.extend([0; 16]);
        header.extend((body.len() as u64).to_le_bytes());
        header.extend((content.len() as u64).to_le_bytes());
        header.resize(64, 0);
        body.extend(content);
        headers.extend(header);
    };
    for (name, content) in sections {
        section(&mut body, &mut names, name, 1, &|_| content.to_vec());
    }
    section(&mut body, &mut names, ".shstrtab", 3, &<[u8]>::to_vec);
    let start = body.len() as u64;
    body.extend(headers);
    let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
    head.resize(16, 0);
    head.extend([kind.to_le_bytes(), machine.to_le_bytes()].concat());
    head.extend(1u32.to_le_bytes());
    head.extend([0; 16]);
    head.extend(start.to_le_bytes());
    head.extend([0, 0, 0, 0]);
    let count = sections.len() as u16 + 2;
    head.extend([64u16, 56, 0, 64, count, count - 1].iter().flat_map(|number| number.to_le_bytes()));
    body[..64].copy_from_slice(&head);
    body
}

fn manifest(text: &str) -> Vec<u8> {
    let mut section = format!("{MAGIC}{text}").into_bytes();
    section.resize(MANIFEST_BYTES_MAX, 0);
    section
}

fn checked(content: &[u8]) -> Result<Executable, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    check(file.path(), &here()).map_err(|error| error.to_string())
}

fn job(text: &str, add: &[u8], or: &[u8]) -> Result<Executable, String> {
    checked(&elf(PROGRAM, X86_64, &[("flott_manifest", &manifest(text)), ("flott_probe_add", add), ("flott_probe_or", or)]))
}

#[test]
fn a_job_says_what_it_is() {
    let text = format!(r#"{{"version":"0.1.0","protocol":{PROTOCOL},"panics":"abort","storage-schemes":["file"],"of-tomorrow":[1]}}"#);
    let executable = job(&text, &[0; 24], &[0x55, 0x48, 0x89, 0xe5, 0, 0, 0xc3]).unwrap();
    assert_eq!((executable.architecture, executable.glibc), ("x86_64", None));
    assert_eq!((executable.overflow_checks, executable.frame_pointers), (Some(true), Some(true)));
    assert_eq!(
        (executable.manifest.panics, executable.manifest.storage_schemes.as_slice()),
        (Panics::Abort, ["file".to_owned()].as_slice())
    );
    let executable = job(&text, &[0; 4], &[0x89, 0xf8, 0x09, 0xf0, 0xc3]).unwrap();
    assert_eq!((executable.overflow_checks, executable.frame_pointers), (Some(false), Some(false)));
    let bare = checked(&elf(PROGRAM, X86_64, &[("flott_manifest", &manifest(&text))])).unwrap();
    assert_eq!((bare.overflow_checks, bare.frame_pointers), (None, None));
}

#[test]
fn checks_for_overflow_are_seen_in_what_the_compiler_makes() {
    let text = format!(r#"{{"version":"0.1.0","protocol":{PROTOCOL}}}"#);
    // The lengths of both functions for x86_64 at the optimisation levels 0 to 3, "s" and "z", with and without frame pointers.
    for (add, or, checks) in [
        (0x2a, 0x0a, true),
        (0x21, 0x05, true),
        (0x17, 0x0a, true),
        (0x14, 0x05, true),
        (0x10, 0x0a, true),
        (0x0d, 0x05, true),
        (0x0a, 0x0a, false),
        (0x05, 0x05, false),
        (0x09, 0x0a, false),
        (0x04, 0x05, false),
    ] {
        let executable = job(&text, &vec![0; add], &vec![0; or]).unwrap();
        assert_eq!(executable.overflow_checks, Some(checks), "{add} {or}");
    }
}

#[test]
fn what_is_no_executable_is_named_for_what_it_is() {
    let head = elf(PROGRAM, X86_64, &[]);
    let of_32_bits = [&head[..4], &[1], &head[5..]].concat();
    for (content, says) in [
        (&b""[..], "is empty"),
        (b"this is text", "is no executable: bring the program"),
        (b"#!/bin/sh\necho", "is a script"),
        (b"\xcf\xfa\xed\xfe\x07\0\0\x01", "built for macOS"),
        (b"MZ\x90\0", "built for Windows"),
        (&head[..40], "is cut off in its first bytes"),
        (&of_32_bits, "32 bits"),
        (&[0; 4096], "is no executable"),
    ] {
        let message = checked(content).unwrap_err();
        assert!(message.contains(says), "{says}: {message}");
    }
    let folder = check(&std::env::temp_dir(), &here()).unwrap_err().to_string();
    assert!(folder.contains("is no file"), "{folder}");
    let missing = check(Path::new("/does/not/exist"), &here()).unwrap_err().to_string();
    assert!(missing.contains("cannot read the program `/does/not/exist`"), "{missing}");
}

#[test]
fn programs_of_other_platforms_libraries_and_strangers_are_refused_with_the_cure() {
    let other = checked(&elf(PROGRAM, AARCH64, &[])).unwrap_err();
    assert!(
        other.contains("built for aarch64, and this machine is x86_64") && other.contains("--target x86_64-unknown-linux-gnu"),
        "{other}"
    );
    assert!(checked(&elf(LIBRARY, X86_64, &[])).unwrap_err().contains("is a shared library"));
    assert!(checked(&elf(1, X86_64, &[])).unwrap_err().contains("is no program"));
    let stranger = checked(&elf(PROGRAM, X86_64, &[(".text", b"x")])).unwrap_err();
    assert!(stranger.contains("no job") && stranger.contains("`StreamExecutionEnvironment::get`"), "{stranger}");
}

#[test]
fn every_executable_that_is_cut_off_is_refused() {
    let text = format!(r#"{{"version":"0.1.0","protocol":{PROTOCOL}}}"#);
    let whole = elf(PROGRAM, X86_64, &[("flott_manifest", &manifest(&text))]);
    checked(&whole).unwrap();
    for length in 1..whole.len() {
        let message = checked(&whole[..length]).unwrap_err();
        assert!(length < 64 || message.contains("is cut off: it has"), "{length}: {message}");
    }
}

#[test]
fn damage_and_lying_lengths_are_errors() {
    let text = format!(r#"{{"version":"0.1.0","protocol":{PROTOCOL}}}"#);
    let whole = elf(PROGRAM, X86_64, &[("flott_manifest", &manifest(&text))]);
    for at in 0..whole.len() {
        for byte in [0, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = byte;
            // Whatever it is now, this returns.
            let _ = checked(&damaged);
        }
    }
    for bad in ["", "{", r#"{"version":"1"}"#, "[]"] {
        assert!(job(bad, &[], &[]).unwrap_err().contains("manifest of Flott that cannot be read"), "{bad}");
    }
    let long = elf(PROGRAM, X86_64, &[("flott_manifest", &vec![b'x'; 100_000])]);
    assert!(checked(&long).unwrap_err().contains("cannot be read"));
}

#[test]
fn a_program_of_a_newer_protocol_is_refused() {
    let message = job(&format!(r#"{{"version":"9.0.0","protocol":{}}}"#, PROTOCOL + 1), &[], &[]).unwrap_err();
    assert!(message.contains("cannot work with this cluster") && message.contains("Flott 9.0.0"), "{message}");
}

#[test]
fn an_older_c_library_or_a_missing_loader_is_found_before_it_runs() {
    let this = std::env::current_exe().unwrap();
    let found = check(&this, Machine::here()).unwrap_err().to_string();
    assert!(found.contains("is a program, but no job"), "{found}");
    if Elf::read(File::open(&this).unwrap(), &[]).unwrap().glibc_needed.is_none() {
        println!("this test does not use the GNU C library: its version is not tested");
        return;
    }
    let old = Machine { glibc: Some(GlibcVersion { major: 2, minor: 0 }), ..Machine::here().clone() };
    let message = check(&this, &old).unwrap_err().to_string();
    assert!(message.contains("needs the C library glibc 2.") && message.contains("this machine has 2.0"), "{message}");
    assert!(message.contains("linux-musl"), "{message}");
    // Another loader of the same length.
    let mut content = std::fs::read(&this).unwrap();
    let at = content.windows(9).position(|window| window == b"ld-linux-").unwrap();
    content[at..at + 9].copy_from_slice(b"ld-other-");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&content).unwrap();
    let message = check(file.path(), Machine::here()).unwrap_err().to_string();
    assert!(message.contains("needs the loader") && message.contains("ld-other-"), "{message}");
}

#[test]
fn an_allocator_is_known_by_its_functions_where_there_are_names() {
    for (names, brings) in [
        ("\0main\0_RNvCs5_7___rustc12___rust_alloc\0mi_malloc_aligned\0", Some(true)),
        ("\0_RNvCs5_7___rustc12___rust_alloc\0_rjem_mallocx\0", Some(true)),
        ("\0_RNvCs5_7___rustc12___rust_alloc\0semi_malloc\0", Some(false)),
        // Of no function of Rust: the names were removed, or it is no program of Rust.
        ("\0main\0", None),
        ("", None),
    ] {
        assert_eq!(brings_allocator(names.as_bytes()), brings, "{names:?}");
    }
}
