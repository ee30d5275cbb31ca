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
    known: HashMap<u64, Vec<Function>>,
}

/// A function that was under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// File and line, if the executable tells of them.
    pub(crate) place: Option<String>,
}

impl<'a> Symbols<'a> {
    pub(crate) fn new(images: &'a [Image]) -> Self {
        Symbols { images, loaders: HashMap::new(), known: HashMap::new() }
    }

    /// The functions at an address, innermost first; at least one name.
    fn at(&mut self, address: u64) -> &[Function] {
        let (images, loaders) = (self.images, &mut self.loaders);
        let bare = |name| vec![Function { name, place: None }];
        self.known.entry(address).or_insert_with(|| {
            let Some(image) = images.iter().find(|image| image.range.contains(&address)) else { return bare(format!("{address:#x}")) };
            let inside = address.wrapping_sub(image.bias);
            let loader = loaders.entry(&image.path).or_insert_with(|| Loader::new(&image.path).ok());
            let functions = loader.as_ref().map(|loader| functions(loader, inside)).unwrap_or_default();
            if functions.is_empty() { bare(nameless(&image.name, inside)) } else { functions }
        })
    }

    /// The functions of a stack, innermost first, from its addresses, innermost first.
    pub(crate) fn functions(&mut self, addresses: &[u64], depth: usize) -> Vec<Function> {
        let mut functions: Vec<Function> = Vec::new();
        for address in addresses {
            functions.extend_from_slice(self.at(*address));
        }
        if let Some(begin) = functions.iter().position(|function| function.name.contains(BEGIN)) {
            functions.truncate(begin);
        }
        functions.truncate(depth);
        functions
    }

    /// The names of a stack's frames, outermost first, from its addresses, innermost first.
    pub(crate) fn stack(&mut self, addresses: &[u64], depth: usize) -> Vec<String> {
        self.functions(addresses, depth).into_iter().rev().map(|function| function.name).collect()
    }
}

/// The functions at an address of a file, innermost first.
fn functions(loader: &Loader, address: u64) -> Vec<Function> {
    // Those that the file has no name for are known by their place alone.
    let mut found: Vec<(Option<String>, Option<String>)> = Vec::new();
    if let Ok(mut frames) = loader.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            let place = frame.location.and_then(|place| Some(format!("{}:{}", short(place.file?), place.line?)));
            found.push((frame.function.and_then(|function| Some(function.demangle().ok()?.into_owned())), place));
        }
    }
    // The outermost one is a function of its own, which the table of symbols names with its path, where line tables may not.
    if let Some(name) = loader.find_symbol(address).map(|name| format!("{:#}", rustc_demangle::demangle(name))) {
        let place = found.pop().and_then(|(_, place)| place);
        found.push((Some(name), place));
    }
    found.into_iter().filter_map(|(name, place)| Some(Function { name: name?, place })).collect()
}

/// The path of a source file without the folders that every file of the standard library or of the registry of crates is in.
fn short(file: &str) -> &str {
    let library = file.strip_prefix("/rustc/").and_then(|rest| Some(rest.split_once('/')?.1));
    let registry = || file.split_once("/registry/src/").and_then(|(_, rest)| Some(rest.split_once('/')?.1));
    library.or_else(registry).unwrap_or(file)
}

/// What stands for a function without a name.
fn nameless(file: &str, address: u64) -> String {
    let name = Path::new(file).file_name().map_or(file.into(), |name| name.to_string_lossy());
    format!("{name}+{address:#x}")
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn paths_of_libraries_are_shortened() {
        assert_eq!(short("/rustc/0123abc/library/std/src/thread/mod.rs"), "library/std/src/thread/mod.rs");
        assert_eq!(short("/home/me/.cargo/registry/src/index-12/hashbrown-0.15.0/src/map.rs"), "hashbrown-0.15.0/src/map.rs");
        assert_eq!(short("/home/me/job/src/main.rs"), "/home/me/job/src/main.rs");
        assert_eq!(short("src/main.rs"), "src/main.rs");
    }
}
