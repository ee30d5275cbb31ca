//! The reading thread: cuts what comes into frames and tells the handler.

use super::{GOODBYE_TIMEOUT, Link, LinkError, ReceivingChannel, SendingChannel, Violation, silence};
use crate::frame::{Frame, FrameKind, FrameReader};
use std::{
    io::{ErrorKind, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::PoisonError,
    time::Instant,
};

pub(super) fn run(link: &Link, mut stream: Box<dyn Read + Send>) {
    let reason = catch_unwind(AssertUnwindSafe(|| read(link, stream.as_mut()))).unwrap_or(LinkError::Panicked);
    if matches!(reason, LinkError::Frame(_) | LinkError::Violation(_) | LinkError::Panicked) {
        // The fault is found here: the other side could only guess.
        link.say_goodbye(reason.clone(), &reason.to_string(), true);
        wait_for_writer(link);
    }
    link.end(reason);
    let reason = link.ended().unwrap_or(LinkError::Gone);
    // A panic of the handler ends nothing but this thread, which is at its end.
    let told = catch_unwind(AssertUnwindSafe(|| link.0.handler.lost(link, &reason)));
    if told.is_err() {
        tracing::error!("a handler panicked when its connection was lost");
    }
    link.lock().lost_told = true;
    link.0.ended.notify_all();
}

/// The last word may be stuck behind what the other side does not read.
fn wait_for_writer(link: &Link) {
    let deadline = Instant::now() + GOODBYE_TIMEOUT;
    let mut state = link.lock();
    while !state.writer_gone {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        state = link.0.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Reads to the end of the connection; returns why it has come.
fn read(link: &Link, stream: &mut dyn Read) -> LinkError {
    let mut frames = FrameReader::new(link.0.options.max_payload);
    loop {
        loop {
            match frames.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    if let Err(reason) = handle(link, frame) {
                        return reason;
                    }
                }
                Err(error) => return error.into(),
            }
        }
        match frames.fill(stream) {
            Ok(0) => return LinkError::Gone,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return link.0.options.heartbeat.map_or(LinkError::Gone, |heartbeat| LinkError::Silent(silence(heartbeat)));
            }
            Err(error) => return LinkError::Io(error.to_string()),
        }
    }
}

fn handle(link: &Link, frame: Frame<'_>) -> Result<(), LinkError> {
    let (sending, receiving) = (SendingChannel(frame.channel), ReceivingChannel(frame.channel));
    let handler = link.0.handler.as_ref();
    // The books are locked for a moment, never while the handler is at work.
    match frame.kind {
        FrameKind::Open => {
            link.lock().channels.opened(receiving)?;
            handler.opened(link, receiving, frame.payload);
        }
        FrameKind::Data | FrameKind::Control => {
            let wanted = link.lock().channels.received(receiving, frame.kind)?;
            match frame.kind {
                FrameKind::Data if wanted => handler.data(link, receiving, frame.payload),
                _ if wanted => handler.control(link, receiving, frame.payload),
                _ => {}
            }
        }
        FrameKind::Close | FrameKind::Break => {
            let wanted = link.lock().channels.ended(receiving)?;
            match frame.kind {
                FrameKind::Close if wanted => handler.closed(link, receiving),
                _ if wanted => handler.broken(link, receiving),
                _ => {}
            }
        }
        FrameKind::Credit => {
            let frames = <[u8; 4]>::try_from(frame.payload).map(u32::from_le_bytes);
            let frames = frames.map_err(|_| Violation("it grants credits without a number".to_owned()))?;
            let open = link.lock().channels.credited(sending, frames)?;
            if open {
                handler.credit(link, sending, frames);
            }
        }
        FrameKind::Reject => {
            // Whoever rejects drops what comes until it hears that we know.
            let open = link.lock().channels.rejected(sending)?;
            if open {
                link.break_off(sending);
                handler.rejected(link, sending);
            }
        }
        FrameKind::Goodbye => return Err(LinkError::Goodbye(String::from_utf8_lossy(frame.payload).into_owned())),
        FrameKind::Ping => {}
    }
    Ok(())
}
