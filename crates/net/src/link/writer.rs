//! The writing thread: goes on where whoever has flushed would have had to wait, and shows that this side is alive.

use super::{Link, LinkError, Phase};
use crate::frame::FrameKind;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::PoisonError,
};

pub(super) fn run(link: &Link) {
    let result = catch_unwind(AssertUnwindSafe(|| write(link)));
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => link.end(LinkError::Io(error.to_string())),
        Err(_) => link.end(LinkError::Panicked),
    }
    link.lock().writer_gone = true;
    link.0.ended.notify_all();
}

/// What the thread is to do next. It has the pen.
enum Next {
    Write,
    Ping,
    Goodbye(String),
    End,
}

fn write(link: &Link) -> io::Result<()> {
    loop {
        match next(link) {
            Next::Write => {
                let mut pen = link.pen();
                pen.write()?;
                link.give_back(&mut pen);
                while let Some(frames) = link.take_due() {
                    link.append(&mut pen, frames);
                    pen.write()?;
                    link.give_back(&mut pen);
                }
            }
            Next::Ping => {
                link.pen().say(FrameKind::Ping, "")?;
                link.lay_down();
            }
            Next::Goodbye(words) => {
                link.pen().say(FrameKind::Goodbye, &words)?;
                link.0.control.finish_writing();
                return Ok(());
            }
            Next::End => return Ok(()),
        }
    }
}

fn next(link: &Link) -> Next {
    let mut state = link.lock();
    let mut silent = false;
    loop {
        if matches!(state.phase, Phase::Ended(_)) {
            return Next::End;
        }
        if std::mem::take(&mut state.handed_over) {
            return Next::Write;
        }
        if !state.writing {
            let nothing = state.urgent.is_empty() && state.queue.is_empty();
            let next = match &state.phase {
                Phase::Ending(_, words) if nothing => Some(Next::Goodbye(words.clone())),
                Phase::Ending(..) => Some(Next::Write),
                _ if state.due => Some(Next::Write),
                _ => silent.then_some(Next::Ping),
            };
            if let Some(next) = next {
                state.writing = true;
                state.due |= !nothing;
                return next;
            }
        }
        silent = false;
        state = match link.0.options.heartbeat {
            None => link.0.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(interval) => {
                let (state, timeout) = link.0.work.wait_timeout(state, interval).unwrap_or_else(PoisonError::into_inner);
                silent = timeout.timed_out();
                state
            }
        };
    }
}
