//! Return addresses from a copied stack, by the unwind tables of the files in memory. Where there is none, frame pointers are
//! followed.

use crate::{
    maps::{Mapping, path_of},
    stop::Copy,
};
use framehop::{CacheNative, ExplicitModuleSectionInfo, MayAllocateDuringUnwind, Module, Unwinder, UnwinderNative};
use object::{Object, ObjectSection, ObjectSegment, ReadCache, SegmentFlags, elf::PF_X};
use std::{collections::BTreeMap, fs::File, ops::Range, path::PathBuf};

/// The largest page of memory that there is on these processors, bytes.
const LARGEST_PAGE: u64 = 64 << 10;

/// A file in memory.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// Where it can be read.
    pub(crate) path: PathBuf,
    /// Its name as the process knows it.
    pub(crate) name: String,
    /// The addresses of its code.
    pub(crate) range: Range<u64>,
    /// What an address in the file has to be raised by.
    pub(crate) bias: u64,
}

/// Finds return addresses.
pub(crate) struct Frames {
    unwinder: UnwinderNative<Vec<u8>, MayAllocateDuringUnwind>,
    cache: CacheNative<MayAllocateDuringUnwind>,
    images: Vec<Image>,
}

impl Frames {
    /// For a process with these parts of memory. Files that cannot be read are left out.
    pub(crate) fn new(process: u32, mappings: &[Mapping]) -> Self {
        let mut unwinder = UnwinderNative::new();
        let mut images = Vec::new();
        let mut code: BTreeMap<&str, Vec<&Mapping>> = BTreeMap::new();
        for mapping in mappings.iter().filter(|mapping| mapping.executable && mapping.name.starts_with('/')) {
            code.entry(&mapping.name).or_default().push(mapping);
        }
        for mapped in code.values() {
            if let Some((image, module)) = image(process, mapped) {
                unwinder.add_module(module);
                images.push(image);
            }
        }
        Frames { unwinder, cache: CacheNative::new(), images }
    }

    /// The files.
    pub(crate) fn images(&self) -> &[Image] {
        &self.images
    }

    /// The addresses of a copy's frames, innermost first, as they are looked up: inside of the calls.
    pub(crate) fn of(&mut self, copy: &Copy, depth: usize) -> Vec<u64> {
        let mut word = |address| copy.word(address);
        let mut frames = self.unwinder.iter_frames(copy.pc, copy.registers, &mut self.cache, &mut word);
        let mut addresses = Vec::new();
        while addresses.len() < depth {
            // An error is a stack that goes no further, as far as anyone knows.
            let Ok(Some(frame)) = frames.next() else { break };
            addresses.push(frame.address_for_lookup());
        }
        addresses
    }
}

/// The file behind parts of memory that hold its code, and what it says about unwinding.
fn image(process: u32, mapped: &[&Mapping]) -> Option<(Image, Module<Vec<u8>>)> {
    let first = mapped.first()?;
    let path = path_of(process, first)?;
    let file = ReadCache::new(File::open(&path).ok()?);
    let object = object::File::parse(&file).ok()?;
    // The segment of code that the first part comes from. A part begins at a page, a segment where it likes.
    let code = object.segments().filter(|segment| matches!(segment.flags(), SegmentFlags::Elf { p_flags } if p_flags & PF_X != 0));
    let mut segments = code.map(|segment| (segment.address(), segment.file_range()));
    let (address, (offset, _)) = segments
        .find(|(_, (offset, size))| (offset & !(LARGEST_PAGE - 1)) <= first.offset && first.offset < offset.saturating_add(*size))?;
    let bias = first.range.start.wrapping_sub(address.wrapping_sub(offset).wrapping_add(first.offset));
    let range = first.range.start..mapped.iter().map(|mapping| mapping.range.end).max()?;
    let section = |name: &str| {
        let section = object.section_by_name(name)?;
        let range = section.address()..section.address() + section.size();
        Some((range, section.uncompressed_data().ok()?.into_owned()))
    };
    let text = object.section_by_name(".text").map(|section| section.address()..section.address() + section.size());
    let (frame, header) = (section(".eh_frame"), section(".eh_frame_hdr"));
    let info = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: text,
        eh_frame_svma: frame.as_ref().map(|(range, _)| range.clone()),
        eh_frame: frame.map(|(_, bytes)| bytes),
        eh_frame_hdr_svma: header.as_ref().map(|(range, _)| range.clone()),
        eh_frame_hdr: header.map(|(_, bytes)| bytes),
        ..ExplicitModuleSectionInfo::default()
    };
    let module = Module::new(first.name.clone(), range.clone(), bias, info);
    Some((Image { path, name: first.name.clone(), range, bias }, module))
}
