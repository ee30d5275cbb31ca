//! The books of a link: which channels there are in either direction, and their credits. Decides, and does no I/O.

use super::{ReceivingChannel, SendError, SendingChannel};
use crate::frame::FrameKind;
use std::collections::HashMap;

/// The channels of one side. Each direction numbers its own.
#[derive(Debug, Default)]
pub(super) struct Channels {
    /// Credits of the channels that this side has opened.
    sending: HashMap<u32, u64>,
    /// The number of the next channel that this side opens.
    next_sending: u32,
    receiving: HashMap<u32, Receiving>,
    /// The number of the next channel that the other side opens.
    next_receiving: u32,
    limit: usize,
}

#[derive(Debug, Default)]
struct Receiving {
    /// Credits that were granted and not used.
    credit: u64,
    /// The other side was told that nobody receives any more; it has yet to say that it knows.
    rejected: bool,
}

/// What the other side must not say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it broke the protocol: {0}")]
pub struct Violation(pub(super) String);

impl Channels {
    /// At most `limit` channels in each direction.
    pub(super) fn new(limit: usize) -> Self {
        Channels { limit, ..Channels::default() }
    }

    pub(super) fn open(&mut self) -> Result<SendingChannel, SendError> {
        if self.sending.len() >= self.limit || self.next_sending == u32::MAX {
            return Err(SendError::TooManyChannels(self.limit));
        }
        let channel = self.next_sending;
        self.next_sending += 1;
        self.sending.insert(channel, 0);
        Ok(SendingChannel(channel))
    }

    /// Takes a credit, if `kind` costs one.
    pub(super) fn send(&mut self, channel: SendingChannel, kind: FrameKind) -> Result<(), SendError> {
        let credit = self.sending.get_mut(&channel.0).ok_or(SendError::Ended)?;
        if kind == FrameKind::Data {
            *credit = credit.checked_sub(1).ok_or(SendError::NoCredit)?;
        }
        Ok(())
    }

    /// This side ends a channel that it sends on. Returns whether it was there.
    pub(super) fn end_sending(&mut self, channel: SendingChannel) -> bool {
        self.sending.remove(&channel.0).is_some()
    }

    /// The other side has granted credits. Returns whether the channel is still there.
    pub(super) fn credited(&mut self, channel: SendingChannel, frames: u32) -> Result<bool, Violation> {
        if channel.0 >= self.next_sending {
            return Err(Violation(format!("it grants credits on channel {}, which was never opened", channel.0)));
        }
        let credit = self.sending.get_mut(&channel.0);
        Ok(credit.map(|credit| *credit += u64::from(frames)).is_some())
    }

    /// The other side rejects a channel. Returns whether it is still there.
    pub(super) fn rejected(&self, channel: SendingChannel) -> Result<bool, Violation> {
        if channel.0 >= self.next_sending {
            return Err(Violation(format!("it rejects channel {}, which was never opened", channel.0)));
        }
        Ok(self.sending.contains_key(&channel.0))
    }

    /// The other side has opened a channel.
    pub(super) fn opened(&mut self, channel: ReceivingChannel) -> Result<(), Violation> {
        if channel.0 != self.next_receiving {
            return Err(Violation(format!("it opens channel {} after {} others", channel.0, self.next_receiving)));
        }
        if self.receiving.len() >= self.limit {
            return Err(Violation(format!("it opens more than the {} channels that are allowed", self.limit)));
        }
        self.next_receiving += 1;
        self.receiving.insert(channel.0, Receiving::default());
        Ok(())
    }

    /// Something has come on a channel. Returns whether somebody wants it.
    pub(super) fn received(&mut self, channel: ReceivingChannel, kind: FrameKind) -> Result<bool, Violation> {
        let Some(receiving) = self.receiving.get_mut(&channel.0) else {
            return Err(Violation(format!("it sends on channel {}, which is not open", channel.0)));
        };
        if kind == FrameKind::Data {
            let left = receiving.credit.checked_sub(1);
            receiving.credit = left.ok_or_else(|| Violation(format!("it sends on channel {} without credit", channel.0)))?;
        }
        Ok(!receiving.rejected)
    }

    /// The other side ends a channel. Returns whether somebody wants to know.
    pub(super) fn ended(&mut self, channel: ReceivingChannel) -> Result<bool, Violation> {
        match self.receiving.remove(&channel.0) {
            Some(receiving) => Ok(!receiving.rejected),
            None => Err(Violation(format!("it ends channel {}, which is not open", channel.0))),
        }
    }

    /// This side grants credits. Returns whether the channel is there.
    pub(super) fn grant(&mut self, channel: ReceivingChannel, frames: u32) -> bool {
        let open = self.receiving.get_mut(&channel.0).filter(|receiving| !receiving.rejected);
        open.map(|receiving| receiving.credit += u64::from(frames)).is_some()
    }

    /// This side receives no more on a channel. Returns whether the other side is to be told.
    pub(super) fn reject(&mut self, channel: ReceivingChannel) -> bool {
        let open = self.receiving.get_mut(&channel.0).filter(|receiving| !receiving.rejected);
        open.map(|receiving| receiving.rejected = true).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_sends_data_without_credit_but_control_passes() {
        let mut channels = Channels::new(10);
        let channel = channels.open().unwrap();
        assert_eq!(channels.send(channel, FrameKind::Data), Err(SendError::NoCredit));
        assert_eq!(channels.send(channel, FrameKind::Control), Ok(()));
        assert_eq!(channels.credited(channel, 1), Ok(true));
        assert_eq!(channels.send(channel, FrameKind::Data), Ok(()));
        assert_eq!(channels.send(channel, FrameKind::Data), Err(SendError::NoCredit));
    }

    #[test]
    fn whoever_is_sent_more_than_it_has_granted_notices() {
        let (mut channels, channel) = (Channels::new(10), ReceivingChannel(0));
        channels.opened(channel).unwrap();
        assert!(channels.grant(channel, 1));
        assert_eq!(channels.received(channel, FrameKind::Data), Ok(true));
        assert_eq!(channels.received(channel, FrameKind::Control), Ok(true));
        assert!(channels.received(channel, FrameKind::Data).is_err());
    }

    #[test]
    fn a_rejected_channel_is_silent_until_the_other_side_has_ended_it() {
        let (mut channels, channel) = (Channels::new(10), ReceivingChannel(0));
        channels.opened(channel).unwrap();
        channels.grant(channel, 5);
        assert!(channels.reject(channel));
        assert!(!channels.reject(channel) && !channels.grant(channel, 1));
        assert_eq!(channels.received(channel, FrameKind::Data), Ok(false));
        assert_eq!(channels.ended(channel), Ok(false));
        assert!(channels.received(channel, FrameKind::Data).is_err());
        assert!(channels.ended(channel).is_err());
    }

    #[test]
    fn numbers_count_up_and_are_bounded() {
        let mut channels = Channels::new(2);
        assert_eq!(channels.opened(ReceivingChannel(1)).unwrap_err().0, "it opens channel 1 after 0 others");
        channels.opened(ReceivingChannel(0)).unwrap();
        channels.opened(ReceivingChannel(1)).unwrap();
        assert!(channels.opened(ReceivingChannel(2)).is_err());
        channels.ended(ReceivingChannel(0)).unwrap();
        channels.opened(ReceivingChannel(2)).unwrap();
        assert!(channels.credited(SendingChannel(0), 1).is_err() && channels.rejected(SendingChannel(0)).is_err());
        let first = channels.open().unwrap();
        channels.open().unwrap();
        assert_eq!(channels.open(), Err(SendError::TooManyChannels(2)));
        assert!(channels.end_sending(first) && !channels.end_sending(first));
        assert_eq!((channels.credited(first, 1), channels.rejected(first)), (Ok(false), Ok(false)));
        assert_eq!(channels.send(first, FrameKind::Control), Err(SendError::Ended));
    }
}
