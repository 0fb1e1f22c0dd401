//! Leaving without losing a review.
//!
//! The API server goes on using the connections it has (kubernetes#127335), so closing at once loses what is just
//! being sent. The order is: readiness says no and every answer says `Connection: close` while new connections are
//! still taken; then the door closes and what is in flight is finished; then the process ends. A second signal ends it
//! at once.

#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How far leaving has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Open for everybody.
    Serving,
    /// Still open, but telling everybody to go elsewhere.
    Leaving,
    /// No new connections; what is in flight is finished.
    Closed,
}

/// Moves the stage forward; there is no way back.
#[derive(Debug)]
pub struct Lever(watch::Sender<Stage>);

/// Sees the stage.
#[derive(Debug, Clone)]
pub struct Drain(watch::Receiver<Stage>);

/// A lever, and what sees it.
pub fn drain() -> (Lever, Drain) {
    let (lever, stage) = watch::channel(Stage::Serving);
    (Lever(lever), Drain(stage))
}

impl Lever {
    /// Moves on to `stage`.
    pub fn advance(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let forward = *now < stage;
            *now = stage.max(*now);
            forward
        });
    }
}

impl Drain {
    /// The stage now.
    pub fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    /// Waits until it is time to leave. A lost lever says so too.
    pub async fn leaving(&self) {
        drop(self.0.clone().wait_for(|stage| *stage > Stage::Serving).await);
    }

    /// Waits until the door is closed. A lost lever closes it too.
    pub async fn closed(&self) {
        drop(self.0.clone().wait_for(|stage| *stage == Stage::Closed).await);
    }
}

/// SIGTERM and SIGINT. Made before serving: as process 1 a program without a handler ignores SIGTERM.
#[cfg(unix)]
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

#[cfg(unix)]
impl Signals {
    /// Takes the signals over from the default handlers.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was in flight is answered.
    Finished,
    /// So many connections were cut while they were still being served.
    Cut(usize),
    /// A second signal asked not to wait.
    Hurried,
}

/// Serves until a signal comes, then leaves in order. `serving` ends once the stage is `Closed` and says how many
/// connections it had to cut.
#[cfg(unix)]
pub async fn conduct(
    signals: &mut Signals,
    lever: &Lever,
    lame_duck: Duration,
    serving: impl Future<Output = usize>,
) -> Ended {
    tokio::pin!(serving);
    let name = tokio::select! {
        cut = &mut serving => return ended(cut),
        name = signals.next() => name,
    };
    tracing::info!(signal = name, lame_duck = ?lame_duck, "leaving; a second signal stops at once");
    lever.advance(Stage::Leaving);
    tokio::select! {
        () = tokio::time::sleep(lame_duck) => {}
        cut = &mut serving => return ended(cut),
        _ = signals.next() => return Ended::Hurried,
    }
    lever.advance(Stage::Closed);
    tokio::select! {
        cut = &mut serving => ended(cut),
        _ = signals.next() => Ended::Hurried,
    }
}

#[cfg(unix)]
fn ended(cut: usize) -> Ended {
    if cut == 0 { Ended::Finished } else { Ended::Cut(cut) }
}
