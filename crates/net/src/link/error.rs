//! What may go wrong on a link.

use super::Violation;
use crate::frame::FrameError;
use std::{error::Error, time::Duration};

/// Why a link has ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// This side has ended it.
    #[error("this side has ended the connection")]
    ShutDown,
    /// The other side has ended it, and said why.
    #[error("the other side has ended the connection: {0}")]
    Goodbye(String),
    /// The other side is gone.
    #[error("the other side is gone without a word")]
    Gone,
    /// Nothing has come for longer than a living side would be silent.
    #[error("the other side was silent for {} ms", .0.as_millis())]
    Silent(Duration),
    /// The operating system's reason.
    #[error("the connection failed: {0}")]
    Io(String),
    /// What came is damaged.
    #[error("what came is damaged: {0}")]
    Frame(#[from] FrameError),
    /// The other side must not say what it said.
    #[error("the other side is not to be trusted: {0}")]
    Violation(#[from] Violation),
    /// A bug on this side.
    #[error("a thread of the connection panicked, which is a bug in Flott")]
    Panicked,
}

/// Why something was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The receiver has no room.
    #[error("the channel has no credit")]
    NoCredit,
    /// The channel was ended by one of the sides, or the connection is lost.
    #[error("the channel has ended")]
    Ended,
    /// There are too many.
    #[error("more than {0} channels at once")]
    TooManyChannels(usize),
    /// The label is too long.
    #[error("a label of {0} bytes")]
    LongLabel(usize),
    /// The payload is too long.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Why a payload cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum Unsendable {
    /// It could not be made.
    #[error("it cannot be encoded: {0}")]
    Payload(Box<dyn Error + Send + Sync>),
    /// It is too long.
    #[error(transparent)]
    Frame(#[from] FrameError),
}
