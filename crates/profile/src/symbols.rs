//! Names of functions from addresses, with those that were put into others by the compiler where the file tells of them (line tables
//! are enough).

use crate::unwind::Image;
use addr2line::Loader;
use std::{collections::HashMap, path::Path};

/// Outer frames up to this one are how a thread of Rust begins, and the same everywhere.
const BEGIN: &str = "__rust_begin_short_backtrace";

/// Finds names.
pub(crate) struct Symbols<'a> {
    images: &'a [Image],
    loaders: HashMap<&'a Path, Option<Loader>>,
    known: HashMap<u64, Vec<String>>,
}

impl<'a> Symbols<'a> {
    pub(crate) fn new(images: &'a [Image]) -> Self {
        Symbols { images, loaders: HashMap::new(), known: HashMap::new() }
    }

    /// The functions at an address, innermost first; at least one name.
    fn at(&mut self, address: u64) -> &[String] {
        let (images, loaders) = (self.images, &mut self.loaders);
        self.known.entry(address).or_insert_with(|| {
            let Some(image) = images.iter().find(|image| image.range.contains(&address)) else { return vec![format!("{address:#x}")] };
            let inside = address.wrapping_sub(image.bias);
            let loader = loaders.entry(&image.path).or_insert_with(|| Loader::new(&image.path).ok());
            let names = loader.as_ref().map(|loader| names(loader, inside)).unwrap_or_default();
            if names.is_empty() { vec![nameless(&image.name, inside)] } else { names }
        })
    }

    /// The names of a stack's frames, outermost first, from its addresses, innermost first.
    pub(crate) fn stack(&mut self, addresses: &[u64], depth: usize) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for address in addresses {
            names.extend_from_slice(self.at(*address));
        }
        if let Some(begin) = names.iter().position(|name| name.contains(BEGIN)) {
            names.truncate(begin);
        }
        names.truncate(depth);
        names.reverse();
        names
    }
}

/// The functions at an address of a file, innermost first.
fn names(loader: &Loader, address: u64) -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(mut frames) = loader.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            names.extend(frame.function.and_then(|function| Some(function.demangle().ok()?.into_owned())));
        }
    }
    // The outermost one is a function of its own, which the table of symbols names with its path, where line tables may not.
    if let Some(symbol) = loader.find_symbol(address).map(|name| format!("{:#}", rustc_demangle::demangle(name))) {
        names.pop();
        names.push(symbol);
    }
    names
}

/// What stands for a function without a name.
fn nameless(file: &str, address: u64) -> String {
    let name = Path::new(file).file_name().map_or(file.into(), |name| name.to_string_lossy());
    format!("{name}+{address:#x}")
}
