//! Stops a thread of another process, copies its registers and the upper end of its stack, lets it go.

use crate::maps::Mapping;
use framehop::UnwindRegsNative;
use nix::{
    errno::Errno,
    sys::{
        ptrace::{self, Options},
        signal::Signal,
        uio::{RemoteIoVec, process_vm_readv},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    fs,
    io::IoSliceMut,
    thread,
    time::{Duration, Instant},
};

/// The most of a stack that is copied. Deeper frames are lost.
const STACK_BYTES: u64 = 256 << 10;
/// How long a thread may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// How often it is looked whether it has.
const STOP_POLL: Duration = Duration::from_micros(20);

/// What the system returns to itself for a call that it has to make again.
#[cfg(target_arch = "x86_64")]
const CALLED_ANEW: std::ops::RangeInclusive<i64> = -516..=-512;

/// Why there is no copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoCopy {
    /// The thread has ended, or is another's.
    Gone,
    /// It waits for a device and cannot be stopped.
    Uninterruptible,
    /// The system does not allow it.
    Denied(String),
}

/// A stopped thread's registers and stack.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) pc: u64,
    pub(crate) registers: UnwindRegsNative,
    /// The address of the first byte of `stack`.
    pub(crate) base: u64,
    pub(crate) stack: Vec<u8>,
    /// Whether it was running, or ready to.
    pub(crate) on_cpu: bool,
}

impl Copy {
    /// The word at an address, if it was copied.
    pub(crate) fn word(&self, address: u64) -> Result<u64, ()> {
        let start = usize::try_from(address.checked_sub(self.base).ok_or(())?).map_err(|_| ())?;
        let bytes = self.stack.get(start..).and_then(|rest| rest.first_chunk::<8>()).ok_or(())?;
        Ok(u64::from_ne_bytes(*bytes))
    }
}

/// Copies what a thread has. It must not be the first of a child of this process.
pub(crate) fn copy(process: u32, thread: u32, mappings: &[Mapping]) -> Result<Copy, NoCopy> {
    let state = state(process, thread).ok_or(NoCopy::Gone)?;
    match state {
        'D' => return Err(NoCopy::Uninterruptible),
        'Z' | 'X' => return Err(NoCopy::Gone),
        _ => {}
    }
    let pid = Pid::from_raw(i32::try_from(thread).map_err(|_| NoCopy::Gone)?);
    ptrace::seize(pid, Options::empty()).map_err(|error| of(error, "stop a thread"))?;
    // From here on the thread has to be let go. If this thread ends before, the system does that.
    let signal = stop(pid)?;
    let copied = copy_stopped(pid, mappings, state == 'R');
    let released = ptrace::detach(pid, signal);
    let copied = copied?;
    released.map_err(|error| of(error, "let a thread go"))?;
    Ok(copied)
}

/// The letter that the system has for what a thread does.
fn state(process: u32, thread: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/task/{thread}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// Stops a thread that is watched. Returns the signal that it was about to get, which it must not lose.
fn stop(pid: Pid) -> Result<Option<Signal>, NoCopy> {
    ptrace::interrupt(pid).map_err(|error| of(error, "stop a thread"))?;
    let start = Instant::now();
    loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) if start.elapsed() < STOP_TIMEOUT => thread::sleep(STOP_POLL),
            Ok(WaitStatus::Stopped(_, signal)) => return Ok(Some(signal)),
            Ok(WaitStatus::PtraceEvent(..) | WaitStatus::PtraceSyscall(_) | WaitStatus::Continued(_)) => return Ok(None),
            // It has begun to wait for a device: whoever watches ends, which lets it go.
            Ok(WaitStatus::StillAlive) => return Err(NoCopy::Uninterruptible),
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::ECHILD | Errno::ESRCH) => return Err(NoCopy::Gone),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(of(error, "wait for a thread to stop")),
        }
    }
}

fn copy_stopped(pid: Pid, mappings: &[Mapping], on_cpu: bool) -> Result<Copy, NoCopy> {
    let registers = ptrace::getregs(pid).map_err(|error| of(error, "read registers"))?;
    // One that waits is woken by every look, and may not have come to wait again when the next one comes: its call is to be made anew.
    #[cfg(target_arch = "x86_64")]
    let on_cpu = on_cpu && !(registers.orig_rax.cast_signed() >= 0 && CALLED_ANEW.contains(&registers.rax.cast_signed()));
    #[cfg(target_arch = "x86_64")]
    let (pc, base, registers) = (registers.rip, registers.rsp, UnwindRegsNative::new(registers.rip, registers.rsp, registers.rbp));
    #[cfg(target_arch = "aarch64")]
    let (pc, base, registers) = (registers.pc, registers.sp, UnwindRegsNative::new(registers.regs[30], registers.sp, registers.regs[29]));
    // Stacks that came up since the list was made are read as far as they go.
    let end = mappings.iter().find(|mapping| mapping.range.contains(&base)).map_or(u64::MAX, |mapping| mapping.range.end);
    let length = usize::try_from(end.saturating_sub(base).min(STACK_BYTES)).unwrap_or(0);
    let mut stack = vec![0; length];
    let remote = RemoteIoVec { base: usize::try_from(base).map_err(|_| NoCopy::Gone)?, len: length };
    let read = process_vm_readv(pid, &mut [IoSliceMut::new(&mut stack)], &[remote]).map_err(|error| of(error, "read a stack"))?;
    stack.truncate(read);
    Ok(Copy { pc, registers, base, stack, on_cpu })
}

fn of(error: Errno, what: &str) -> NoCopy {
    match error {
        Errno::ESRCH => NoCopy::Gone,
        Errno::EPERM | Errno::EACCES | Errno::ENOSYS => NoCopy::Denied(format!(
            "the system does not let Flott {what} ({error}): `kernel.yama.ptrace_scope` must be 0 or 1, and \
             `ptrace` and `process_vm_readv` must be allowed to the container"
        )),
        other => NoCopy::Denied(format!("cannot {what}: {other}")),
    }
}
