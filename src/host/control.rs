//! What generated code and its host say to each other: the block each thread carries, and the functions generated code calls.
//!
//! ```text
//!   run.rs ──calls──▶ generated code ──calls──▶ wait, sin, exp, ...
//!             ▲              │
//!             └── return code + Control.fault_*
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::host::locate::Whereabouts;

/// What a function returns when the thread's part is over.
pub const FINISHED: i64 = 0;
/// An index was out of range: [`Control::fault_instruction`] names the check, [`Control::fault_index`] the index.
pub const INDEX_OUT_OF_RANGE: i64 = 1;
/// A divisor was 0: [`Control::fault_instruction`] names the check.
pub const DIVISION_BY_ZERO: i64 = 2;
/// The run was given up while the thread awaited something.
pub const ABANDONED: i64 = 3;

/// One thread's side of the conversation. Generated code writes the first two fields, by their offsets.
#[repr(C)]
pub struct Control {
    /// The instruction that found the fault.
    pub fault_instruction: i64,
    /// The index it found.
    pub fault_index: i64,
    /// Failed looks at an awaited place before the thread offers its core to others.
    pub looks_before_yielding: i64,
    /// Where the thread notes that it waits.
    pub whereabouts: Arc<Whereabouts>,
    /// Set when the run is given up.
    pub abandoned: Arc<AtomicBool>,
}

/// Pauses after a failed look at an awaited place: `look` counts them from 0. A look reads the core's own cached copy, so there is
/// no traffic to back off from, and longer pauses would only notice a change later. After [`Control::looks_before_yielding`] looks
/// the thread yields its core instead. Returns 1 once the run is given up.
///
/// # Safety
///
/// `control` points to a live [`Control`] that no one holds mutably; generated code passes on the one it was called with.
pub unsafe extern "C" fn wait(control: *const Control, look: i64, instruction: i64) -> i64 {
    // SAFETY: as the caller promises; only shared fields are read, and atomics written.
    let control = unsafe { &*control };
    control.whereabouts.wait_at(instruction as u32);
    if look < control.looks_before_yielding {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
    control.whereabouts.go_on();
    i64::from(control.abandoned.load(Ordering::Relaxed))
}

pub extern "C" fn sine_f64(x: f64) -> f64 {
    libm::sin(x)
}
pub extern "C" fn cosine_f64(x: f64) -> f64 {
    libm::cos(x)
}
pub extern "C" fn exponential_f64(x: f64) -> f64 {
    libm::exp(x)
}
pub extern "C" fn logarithm_f64(x: f64) -> f64 {
    libm::log(x)
}
pub extern "C" fn sine_f32(x: f32) -> f32 {
    libm::sinf(x)
}
pub extern "C" fn cosine_f32(x: f32) -> f32 {
    libm::cosf(x)
}
pub extern "C" fn exponential_f32(x: f32) -> f32 {
    libm::expf(x)
}
pub extern "C" fn logarithm_f32(x: f32) -> f32 {
    libm::logf(x)
}
pub extern "C" fn fma_f64(a: f64, b: f64, c: f64) -> f64 {
    a.mul_add(b, c)
}
pub extern "C" fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}
