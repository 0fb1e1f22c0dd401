//! How long a purge and its undo try again.

use std::time::Duration;

use crate::cluster::ApiError;
use crate::telemetry::clock::Stopwatch;

/// How long to wait before the next try, `pause` if the API server asks for nothing; the error itself when no time will help, or
/// there is none left since `begun`.
pub(super) fn may_pass(
    error: ApiError,
    begun: Stopwatch,
    patience: Duration,
    pause: Duration,
    tell: &dyn Fn(&str),
) -> Result<Duration, ApiError> {
    if error.is_refused() || begun.elapsed() >= patience {
        return Err(error);
    }
    tell(&format!("  once more: {error}"));
    Ok(error.retry_after().unwrap_or(pause).min(patience.saturating_sub(begun.elapsed())))
}
