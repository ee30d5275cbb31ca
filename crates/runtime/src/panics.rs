//! Panics of user code, caught at the border of the task, with the place where they happened.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Once,
    task::{Context, Poll},
};

/// A panic that was caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaughtPanic {
    /// What it said.
    pub message: String,
    /// File, line and column.
    pub location: Option<String>,
}

impl CaughtPanic {
    /// Whether it is that of `println!` and the like, whose output nobody reads any more.
    pub fn is_closed_output(&self) -> bool {
        self.message.starts_with("failed printing to std") && self.message.contains("os error 32")
    }
}

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; a panic in it becomes an error. Its message is not printed: whoever reports the error does that.
///
/// # Errors
/// [`CaughtPanic`].
pub fn catching<R>(work: impl FnOnce() -> R) -> Result<R, CaughtPanic> {
    install_hook();
    let before = WATCHED.replace(true);
    // Whatever `work` has left half-done is not used again, but for being closed.
    let result = catch_unwind(AssertUnwindSafe(work));
    WATCHED.set(before);
    result.map_err(|payload| {
        let message = match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => {
                payload.downcast::<&'static str>().map_or_else(|_| "a panic without a message".to_owned(), |text| (*text).to_owned())
            }
        };
        CaughtPanic { message, location: LOCATION.take() }
    })
}

/// A hook is the only way to learn where a panic happened. Panics outside of tasks go to the hook that was there before.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if WATCHED.get() {
                LOCATION.set(info.location().map(ToString::to_string));
            } else {
                previous(info);
            }
        }));
    });
}

/// A future whose panics become errors.
pub(crate) struct Catching<F>(pub(crate) Pin<Box<F>>);

impl<F: Future> Future for Catching<F> {
    type Output = Result<F::Output, CaughtPanic>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.0.as_mut();
        match catching(move || future.poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_message_and_place() {
        let caught = catching(|| panic!("no {}", "luck")).unwrap_err();
        assert_eq!(caught.message, "no luck");
        assert!(caught.location.unwrap().contains("panics.rs"));
        assert_eq!(catching(|| 7), Ok(7));
    }
}
