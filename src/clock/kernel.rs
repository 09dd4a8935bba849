//! What the kernel reports about its clocks.

use jiff::SignedDuration;

/// Linux's boot clock runs on while the machine is suspended; elsewhere the monotonic clock is the
/// nearest thing.
pub(super) fn uptime() -> SignedDuration {
    #[cfg(target_os = "linux")]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let id = rustix::time::ClockId::Monotonic;
    let t = rustix::time::clock_gettime(id);
    SignedDuration::new(t.tv_sec, i32::try_from(t.tv_nsec).unwrap_or(0))
}

/// An id of the machine's current boot; `None` if the system has none.
pub(super) fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

/// Whether the kernel considers its clock synchronised with a time server; `None` if it can't be
/// asked.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(super) fn is_synchronised() -> Option<bool> {
    // SAFETY: `timex` is a C struct of integers, for which zeros are a value; with `modes` 0 the
    // call changes nothing and only writes into the struct (adjtimex(2)).
    let (state, status) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex.status)
    };
    (state >= 0).then_some(status & libc::STA_UNSYNC == 0)
}

/// Always `None`: the kernel is only asked on Linux.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_synchronised() -> Option<bool> {
    None
}
