//! Progress on long work: one line on standard error, drawn only for a person at a terminal and only once the work has taken a while.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::console::Console;

/// Work shorter than this draws nothing.
const PATIENCE: Duration = Duration::from_millis(400);
/// Parts of the whole the bar counts.
const RESOLUTION: u64 = 1000;

/// One line that says what is done and how far it is. It vanishes when dropped.
pub struct Progress {
    since: Instant,
    shown: bool,
    bar: Option<ProgressBar>,
    message: String,
}

impl Progress {
    /// Nothing is drawn yet.
    pub fn new(console: &Console) -> Progress {
        Progress { since: Instant::now(), shown: console.shows_progress(), bar: None, message: String::new() }
    }

    /// What is done now.
    pub fn message(&mut self, message: impl Into<String>) {
        self.message = message.into();
        if let Some(bar) = self.bar() {
            bar.set_message(self.message.clone());
        }
    }

    /// How far it is, from 0 to 1.
    pub fn fraction(&mut self, done: f64) {
        if let Some(bar) = self.bar() {
            bar.set_position((done.clamp(0.0, 1.0) * RESOLUTION as f64) as u64);
        }
    }

    fn bar(&mut self) -> Option<ProgressBar> {
        if self.shown && self.bar.is_none() && self.since.elapsed() >= PATIENCE {
            let bar = ProgressBar::with_draw_target(Some(RESOLUTION), ProgressDrawTarget::stderr_with_hz(8));
            if let Ok(style) = ProgressStyle::with_template("  {bar:24} {percent:>3}%  {elapsed}  {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(self.message.clone());
            self.bar = Some(bar);
        }
        self.bar.clone()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
