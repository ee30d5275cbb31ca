//! What commands print: whoever reads it may have enough before the end, as `head` has.

use std::{
    fmt,
    io::{self, Write},
    process,
};

/// What a shell says of a program that was ended by SIGPIPE, as others are that print to nobody.
const NOBODY_READS: i32 = 141;

/// Prints a line, as `println!`; where nobody reads it, this process ends without a word.
macro_rules! say {
    ($($text:tt)*) => { $crate::out::print(format_args!("{}\n", format_args!($($text)*))) };
}

/// Tells whoever watches a line, as `eprintln!`; where nobody does, nothing happens.
macro_rules! tell {
    ($($text:tt)*) => { $crate::out::print_error(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) use {say, tell};

/// Prints `text`; see [`say`].
pub(crate) fn print(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => process::exit(NOBODY_READS),
        Err(error) => {
            tell!("flott: cannot write to standard output: {error}");
            process::exit(1);
        }
    }
}

/// Prints `text` to standard error; see [`tell`].
pub(crate) fn print_error(text: fmt::Arguments<'_>) {
    // There is no other place to say so.
    let _ = io::stderr().write_fmt(text);
}
