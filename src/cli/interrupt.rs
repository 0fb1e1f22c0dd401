//! Ctrl-C, a closed terminal and SIGTERM: the write under way ends, the next one does not begin.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use super::greeting::say;

/// Whether somebody asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on; a second signal ends the program at once. Must be called on a runtime.
    pub fn listen() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        for mut signals in signals().context("cannot listen for signals")? {
            let told = Arc::clone(&interrupt.0);
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    if told.swap(true, Ordering::Relaxed) {
                        std::process::exit(130);
                    }
                    say("stopping after the write that is under way; once more to stop at once");
                }
            });
        }
        Ok(interrupt)
    }

    /// Whether to stop now.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(unix)]
fn signals() -> std::io::Result<[tokio::signal::unix::Signal; 3]> {
    use tokio::signal::unix::{SignalKind, signal};
    let [interrupt, terminate, hangup] =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    Ok([interrupt?, terminate?, hangup?])
}

/// A window that is closed ends the program at once: Windows lets nobody finish.
#[cfg(windows)]
fn signals() -> std::io::Result<[tokio::signal::windows::CtrlC; 1]> {
    Ok([tokio::signal::windows::ctrl_c()?])
}
