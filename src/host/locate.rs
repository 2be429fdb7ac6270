//! Where the threads of a program are when its deadline passes.
//!
//! ```text
//!   watcher ──signal──▶ thread: handler notes the program counter of the interrupted code
//!      ▲                          │ in generated code: that is it
//!      └────── reads ◀────────────┘ elsewhere (a special function, say): the return address into generated code, from the stack
//! ```
//!
//! The compiler's source locations lead from there to an instruction of Code, and its site to a line. A thread inside an `await`
//! notes which one, so that needs no stack. Linux and macOS on x86-64 and AArch64; elsewhere only awaits are known.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// No instruction.
const NONE: u32 = u32::MAX;

/// What one thread of a program lets be known of itself.
#[derive(Debug)]
pub struct Whereabouts {
    /// Whether it is inside a function of the program.
    inside: AtomicBool,
    /// The `await` it is in, or [`NONE`].
    waiting_at: AtomicU32,
    inquiry: Inquiry,
}

/// Where a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It runs code made from this instruction, the address of which is given.
    At(usize),
    /// It waits at this instruction.
    Waits(u32),
    /// It has finished its part, or not begun.
    Outside,
    /// No one can say.
    Unknown,
}

impl Whereabouts {
    /// Of a thread that will run machine code at these addresses.
    pub fn new(code: Range<usize>) -> Whereabouts {
        Whereabouts { inside: AtomicBool::new(false), waiting_at: AtomicU32::new(NONE), inquiry: Inquiry::new(code) }
    }

    /// The thread enters a function of the program.
    pub fn enter(&self) {
        self.inside.store(true, Ordering::Relaxed);
    }

    /// The thread has left the function.
    pub fn leave(&self) {
        self.inside.store(false, Ordering::Relaxed);
    }

    /// The thread waits at an instruction.
    pub fn wait_at(&self, instruction: u32) {
        self.waiting_at.store(instruction, Ordering::Relaxed);
    }

    /// The thread waits no longer, or looks again.
    pub fn go_on(&self) {
        self.waiting_at.store(NONE, Ordering::Relaxed);
    }

    fn is_inside(&self) -> bool {
        self.inside.load(Ordering::Relaxed)
    }

    fn place(&self) -> Place {
        match (self.is_inside(), self.waiting_at.load(Ordering::Relaxed), self.inquiry.address()) {
            (false, _, _) => Place::Outside,
            (true, NONE, Some(address)) => Place::At(address),
            (true, NONE, None) => Place::Unknown,
            (true, instruction, _) => Place::Waits(instruction),
        }
    }
}

/// Asks all threads where they are and gives them half a second to answer.
pub fn locate(threads: &[Arc<Whereabouts>]) -> Vec<Place> {
    for thread in threads {
        thread.inquiry.ask();
    }
    let patience = Instant::now() + Duration::from_millis(500);
    while threads.iter().any(|thread| thread.is_inside() && thread.inquiry.is_open()) && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(1));
    }
    threads.iter().map(|thread| thread.place()).collect()
}

use platform::Inquiry;
pub use platform::Registration;

#[cfg(all(any(target_os = "linux", target_os = "macos"), any(target_arch = "x86_64", target_arch = "aarch64")))]
mod platform {
    use std::cell::Cell;
    use std::ops::Range;
    use std::ptr;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

    use super::Whereabouts;

    const SIGNAL: libc::c_int = libc::SIGUSR2;

    /// A question to a thread and its answer.
    #[derive(Debug)]
    pub struct Inquiry {
        /// The thread's handle while it can be asked.
        handle: Mutex<Option<usize>>,
        /// Where its stack ends (its highest address).
        stack_end: AtomicUsize,
        code: Range<usize>,
        answered: AtomicBool,
        /// An address in generated code, once answered; 0 for none.
        address: AtomicUsize,
    }

    impl Inquiry {
        pub fn new(code: Range<usize>) -> Inquiry {
            Inquiry {
                handle: Mutex::new(None),
                stack_end: AtomicUsize::new(0),
                code,
                answered: AtomicBool::new(false),
                address: AtomicUsize::new(0),
            }
        }

        /// Held while the thread is asked, so that it cannot end meanwhile.
        fn handle(&self) -> MutexGuard<'_, Option<usize>> {
            self.handle.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub fn ask(&self) {
            let handle = self.handle();
            if let Some(handle) = *handle {
                // SAFETY: the thread is alive: its `Registration` takes the handle back before it ends, and waits for the lock to.
                unsafe { libc::pthread_kill(handle as libc::pthread_t, SIGNAL) };
            }
        }

        /// Whether there is no answer yet.
        pub fn is_open(&self) -> bool {
            !self.answered.load(Ordering::Acquire)
        }

        pub fn address(&self) -> Option<usize> {
            Some(self.address.load(Ordering::Acquire)).filter(|&address| address != 0)
        }
    }

    thread_local! {
        /// The question to this thread, for the handler. Constant and without a destructor, so that reading it is only that.
        static OWN: Cell<*const Inquiry> = const { Cell::new(ptr::null()) };
    }

    /// While it lives, the thread that made it can be asked.
    pub struct Registration(Arc<Whereabouts>);

    impl Registration {
        /// Makes the calling thread answer for these whereabouts. To be called at the base of the thread's stack.
        pub fn new(whereabouts: Arc<Whereabouts>) -> Registration {
            static HANDLER: Once = Once::new();
            HANDLER.call_once(install);
            let base = 0_u64;
            whereabouts.inquiry.stack_end.store(&raw const base as usize, Ordering::Relaxed);
            OWN.set(&raw const whereabouts.inquiry);
            // SAFETY: it has no preconditions.
            let handle = unsafe { libc::pthread_self() };
            *whereabouts.inquiry.handle() = Some(handle as usize);
            Registration(whereabouts)
        }
    }

    impl Drop for Registration {
        fn drop(&mut self) {
            *self.0.inquiry.handle() = None;
            OWN.set(ptr::null());
        }
    }

    fn install() {
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = answer;
        // SAFETY: `action` is a valid zeroed structure with its fields set; the handler only reads its own thread's registers and
        // stack and writes atomics, which is async-signal-safe.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(SIGNAL, &raw const action, ptr::null_mut());
        }
    }

    extern "C" fn answer(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
        let own = OWN.get();
        if own.is_null() || context.is_null() {
            return;
        }
        // SAFETY: `Registration` keeps the inquiry alive, in its `Arc`, while `OWN` points to them.
        let own = unsafe { &*own };
        // SAFETY: the kernel passes a `ucontext_t` to a handler installed with SA_SIGINFO.
        let (program_counter, stack_pointer) = unsafe { registers(context.cast::<libc::ucontext_t>()) };
        let address = if own.code.contains(&program_counter) {
            program_counter
        } else {
            // SAFETY: from the interrupted stack pointer to the base of this thread's own stack all words are mapped.
            unsafe { return_address(own, stack_pointer) }
        };
        own.address.store(address, Ordering::Relaxed);
        own.answered.store(true, Ordering::Release);
    }

    /// The innermost word of the stack that points into generated code: the return address of the function it called. 0 if none.
    ///
    /// # Safety
    ///
    /// `stack_pointer` is that of the calling thread below the base noted in `own`.
    unsafe fn return_address(own: &Inquiry, stack_pointer: usize) -> usize {
        let end = own.stack_end.load(Ordering::Relaxed);
        let mut at = stack_pointer.next_multiple_of(size_of::<usize>());
        while at < end {
            // SAFETY: as the caller promises; volatile, as the words belong to frames of other functions.
            let word = unsafe { ptr::read_volatile(at as *const usize) };
            if own.code.contains(&word) {
                // The call is what ends just before the address it returns to.
                return word - 1;
            }
            at += size_of::<usize>();
        }
        0
    }

    /// Program counter and stack pointer of the interrupted code.
    ///
    /// # Safety
    ///
    /// `context` points to the context the kernel gave the handler.
    unsafe fn registers(context: *const libc::ucontext_t) -> (usize, usize) {
        // SAFETY: as the caller promises.
        let machine = unsafe { &(*context).uc_mcontext };
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        let pair = (machine.gregs[libc::REG_RIP as usize] as usize, machine.gregs[libc::REG_RSP as usize] as usize);
        #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
        let pair = (machine.pc as usize, machine.sp as usize);
        // SAFETY: on macOS the context points to the saved registers.
        #[cfg(all(target_os = "macos", target_arch = "x86_64"))]
        let pair = unsafe { ((**machine).__ss.__rip as usize, (**machine).__ss.__rsp as usize) };
        // SAFETY: on macOS the context points to the saved registers.
        #[cfg(all(target_os = "macos", target_arch = "aarch64"))]
        let pair = unsafe { ((**machine).__ss.__pc as usize, (**machine).__ss.__sp as usize) };
        pair
    }
}

#[cfg(not(all(any(target_os = "linux", target_os = "macos"), any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod platform {
    use std::ops::Range;
    use std::sync::Arc;

    use super::Whereabouts;

    /// A question that no thread here can answer.
    #[derive(Debug)]
    pub struct Inquiry;

    impl Inquiry {
        pub fn new(_: Range<usize>) -> Inquiry {
            Inquiry
        }

        pub fn ask(&self) {}

        pub fn is_open(&self) -> bool {
            false
        }

        pub fn address(&self) -> Option<usize> {
            None
        }
    }

    /// A thread that cannot be asked.
    pub struct Registration;

    impl Registration {
        pub fn new(_: Arc<Whereabouts>) -> Registration {
            Registration
        }
    }
}
