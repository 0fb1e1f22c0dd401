//! Whether a series grows: the line of least squares through it, and how sure its slope is.
//!
//! A single difference of two readings says nothing, since memory of a server goes up and down by what it did last. The
//! slope's 90 % interval (Student's t, n - 2 degrees of freedom) says both: what growth is proven (its lower end), and
//! what growth can be excluded (its upper end), each with 95 % confidence.

/// A slope per hour with both ends of its interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slope {
    pub(crate) low: f64,
    pub(crate) per_hour: f64,
    pub(crate) high: f64,
}

/// Of readings at hours; `None` of fewer than four.
#[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn slope(readings: &[(f64, f64)]) -> Option<Slope> {
    if readings.len() < 4 {
        return None;
    }
    let n = readings.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| readings.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|(x, _)| *x), mean(|(_, y)| *y));
    let spread: f64 = readings.iter().map(|(at, _)| (at - x).powi(2)).sum();
    let per_hour = readings.iter().map(|(at, value)| (at - x) * (value - y)).sum::<f64>() / spread;
    let left: f64 = readings.iter().map(|(at, value)| (value - y - per_hour * (at - x)).powi(2)).sum();
    let error = (left / (n - 2.0) / spread).sqrt();
    let reach = student(n - 2.0) * error;
    Some(Slope { low: per_hour - reach, per_hour, high: per_hour + reach })
}

/// The 95 % quantile of Student's t (Cornish and Fisher's series, right to 2 % from two degrees of freedom on).
fn student(degrees: f64) -> f64 {
    let z: f64 = 1.644_85;
    z + (z.powi(3) + z) / (4.0 * degrees)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * degrees.powi(2))
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * degrees.powi(3))
}
