//! The writing thread: goes on where whoever has flushed would have had to wait, and shows that this side is alive.

use super::{Link, LinkError, Phase};
use crate::frame::FrameKind;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::PoisonError,
    time::Duration,
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

/// So long a frame waits, about, for somebody to flush.
const TICK: Duration = Duration::from_millis(5);

fn next(link: &Link) -> Next {
    let mut state = link.lock();
    let (mut ticked, mut silent) = (false, false);
    loop {
        if matches!(state.phase, Phase::Ended(_)) {
            return Next::End;
        }
        if std::mem::take(&mut state.handed_over) {
            return Next::Write;
        }
        let nothing = state.urgent.is_empty() && state.queue.is_empty();
        // Whoever writes at the moment goes on with it.
        state.due = !nothing && (state.due || ticked || silent || state.phase != Phase::Running);
        if !state.writing {
            let next = match &state.phase {
                _ if state.due => Some(Next::Write),
                Phase::Ending(_, words) => Some(Next::Goodbye(words.clone())),
                _ => silent.then_some(Next::Ping),
            };
            if let Some(next) = next {
                state.writing = true;
                return next;
            }
        }
        let active = std::mem::take(&mut state.used) || !nothing;
        state.resting = !active;
        let timeout = if active { Some(TICK) } else { link.0.options.heartbeat };
        let timed_out;
        (state, timed_out) = match timeout {
            None => (link.0.work.wait(state).unwrap_or_else(PoisonError::into_inner), false),
            Some(timeout) => {
                let (state, result) = link.0.work.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner);
                (state, result.timed_out())
            }
        };
        state.resting = false;
        (ticked, silent) = (timed_out && active, timed_out && !active);
    }
}
