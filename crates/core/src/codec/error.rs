//! What a value cannot be encoded or decoded for.

use std::{fmt::Display, str::Utf8Error};

/// Why a value cannot be encoded, or bytes are no encoding of a type. One pointer wide: results that hold it stay in registers.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct CodecError(Box<Reason>);

#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error("the input ends inside of {0}")]
    Ended(&'static str),
    #[error("a number in the input is larger than its type")]
    NumberTooLarge,
    #[error("`{0}` is no boolean: 0 or 1 was expected")]
    Boolean(u8),
    #[error("`{0}` is no mark of an option: 0 or 1 was expected")]
    Option(u8),
    #[error("a character of {0} bytes: 1 to 4 were expected")]
    Character(usize),
    #[error("a text in the input is not UTF-8")]
    Text(#[from] Utf8Error),
    #[error("a sequence or a map whose length is not known before its end cannot be encoded")]
    UnknownLength,
    #[error("the value could not be formatted as text")]
    Format,
    #[error(
        "the type asks the input what comes next, which the encoding does not say: untagged, flattened and skipped values cannot be decoded"
    )]
    Undescribed,
    #[error("{0}")]
    Custom(String),
}

/// Out of the way of what goes well.
impl<R: Into<Reason>> From<R> for CodecError {
    #[cold]
    fn from(reason: R) -> Self {
        CodecError(Box::new(reason.into()))
    }
}

impl serde::ser::Error for CodecError {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Reason::Custom(message.to_string()).into()
    }
}

impl serde::de::Error for CodecError {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Reason::Custom(message.to_string()).into()
    }
}
