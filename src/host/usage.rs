//! What this process has used of its computer so far.

/// Processor time and memory of this process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Seconds its threads spent in user mode.
    pub user_seconds: f64,
    /// The most memory it ever had resident, in bytes.
    pub peak_memory_bytes: u64,
}

/// The usage so far; `None` where the system does not tell.
#[cfg(unix)]
pub fn usage() -> Option<Usage> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills in the structure it is given and keeps no pointer to it.
    let status = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    if status != 0 {
        return None;
    }
    // SAFETY: an rusage is plain integers, all zero before the call: any bits are a value.
    let usage = unsafe { usage.assume_init() };
    // Linux and the BSDs count in KiB, macOS in bytes (getrusage(2)).
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Some(Usage {
        user_seconds: usage.ru_utime.tv_sec as f64 + usage.ru_utime.tv_usec as f64 * 1e-6,
        peak_memory_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(unit),
    })
}

/// The usage so far; `None` where the system does not tell.
#[cfg(not(unix))]
pub fn usage() -> Option<Usage> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn memory_and_time_are_told() {
        let before = super::usage().unwrap();
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        assert!(block.iter().step_by(4096).map(|&byte| u64::from(byte)).sum::<u64>() > 0);
        let after = super::usage().unwrap();
        assert!(after.peak_memory_bytes >= 64 << 20, "{after:?}");
        assert!(after.user_seconds >= before.user_seconds);
    }
}
