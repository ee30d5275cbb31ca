//! The [`Manifest`](flott_rpc::manifest::Manifest) that every executable carries, as text that the compiler has made; and two
//! functions whose machine code shows what the compiler was told to do, which nothing else in an executable does.
#![allow(unsafe_code, reason = "a section's name is unsafe to choose, since some names mean something to the loader; these do not")]

use flott_rpc::{
    control::PROTOCOL,
    manifest::{MAGIC, MANIFEST_BYTES_MAX},
};

/// Text that is made while compiling.
struct Text {
    bytes: [u8; MANIFEST_BYTES_MAX],
    length: usize,
}

impl Text {
    const fn new() -> Self {
        Text { bytes: [0; MANIFEST_BYTES_MAX], length: 0 }
    }

    const fn text(mut self, text: &str) -> Self {
        let mut at = 0;
        while at < text.len() {
            self.bytes[self.length] = text.as_bytes()[at];
            self.length += 1;
            at += 1;
        }
        self
    }

    const fn number(self, number: u32) -> Self {
        const DIGITS: &str = "0123456789";
        let before = if number >= 10 { self.number(number / 10) } else { self };
        let (_, digits) = DIGITS.split_at((number % 10) as usize);
        before.text(digits.split_at(1).0)
    }

    const fn list(mut self, names: &[&str]) -> Self {
        self = self.text("[");
        let mut at = 0;
        while at < names.len() {
            self = self.text(if at == 0 { "\"" } else { ",\"" }).text(names[at]).text("\"");
            at += 1;
        }
        self.text("]")
    }

    /// A name of a list that is there or not, with the comma to the next.
    const fn if_set(self, name: &str, is_set: bool) -> Self {
        if is_set { self.text("\"").text(name).text("\",") } else { self }
    }

    const fn without_last_comma(mut self) -> Self {
        if self.bytes[self.length - 1] == b',' {
            self.length -= 1;
            self.bytes[self.length] = 0;
        }
        self
    }
}

#[used]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = "flott_manifest"))]
static MANIFEST: [u8; MANIFEST_BYTES_MAX] = Text::new()
    .text(MAGIC)
    .text("{\"version\":\"")
    .text(env!("CARGO_PKG_VERSION"))
    .text("\",\"protocol\":")
    .number(PROTOCOL)
    .text(",\"state-backends\":")
    .list(flott_state::BACKENDS)
    .text(",\"storage-schemes\":")
    .list(flott_storage::SCHEMES)
    .text(",\"features\":[")
    .if_set("file", cfg!(feature = "file"))
    .if_set("datagen", cfg!(feature = "datagen"))
    .if_set("socket", cfg!(feature = "socket"))
    .without_last_comma()
    .text("],\"panics\":\"")
    .text(if cfg!(panic = "abort") { "abort" } else { "unwind" })
    .text("\",\"debug-assertions\":")
    .text(if cfg!(debug_assertions) { "true" } else { "false" })
    .text("}")
    .bytes;

/// Longer than [`or`] where sums are checked for overflow.
#[inline(never)]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = "flott_probe_add"))]
fn add(a: u32, b: u32) -> u32 {
    a + b
}

/// Begins by keeping a frame pointer where functions do.
#[inline(never)]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = "flott_probe_or"))]
fn or(a: u32, b: u32) -> u32 {
    a | b
}

/// Called by every job, so that the linker takes none of this for unused.
pub(crate) fn keep() {
    let functions: [fn(u32, u32) -> u32; 2] = [add, or];
    std::hint::black_box((&MANIFEST, functions));
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_rpc::manifest::{Manifest, Panics};

    #[test]
    fn the_manifest_is_what_this_build_is() {
        let text = std::str::from_utf8(&MANIFEST).unwrap().strip_prefix(MAGIC).unwrap().trim_end_matches('\0');
        let manifest: Manifest = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!((manifest.version.as_str(), manifest.protocol), (env!("CARGO_PKG_VERSION"), PROTOCOL));
        assert_eq!(manifest.storage_schemes, flott_storage::SCHEMES);
        assert_eq!(manifest.state_backends, flott_state::BACKENDS);
        assert_eq!(manifest.features.iter().any(|feature| feature == "file"), cfg!(feature = "file"));
        assert_eq!((manifest.panics, manifest.debug_assertions), (Panics::Unwind, cfg!(debug_assertions)));
    }

    #[test]
    fn numbers_and_empty_lists_are_written_as_json_has_them() {
        let text =
            Text::new().text("{\"a\":[").without_last_comma().text("],\"b\":").number(1_230).text(",\"c\":").list(&["x", "y"]).text("}");
        assert_eq!(std::str::from_utf8(&text.bytes[..text.length]).unwrap(), r#"{"a":[],"b":1230,"c":["x","y"]}"#);
    }
}
