//! Many measurements of the same thing.

use std::time::Duration;

/// Measurements in one unit, sorted.
#[derive(Debug, Clone, Default)]
pub struct Series(Vec<f64>);

impl Series {
    /// Of plain numbers. What is no number is left out.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// Of times, in milliseconds.
    pub fn millis(times: impl IntoIterator<Item = Duration>) -> Self {
        Self::new(times.into_iter().map(|time| time.as_secs_f64() * 1e3))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Half are less.
    pub fn median(&self) -> Option<f64> {
        let middle = self.0.len() / 2;
        let upper = *self.0.get(middle)?;
        if self.0.len() % 2 == 1 {
            return Some(upper);
        }
        let lower = self.0.get(middle.checked_sub(1)?)?;
        Some(f64::midpoint(*lower, upper))
    }

    /// The smallest.
    pub fn least(&self) -> Option<f64> {
        self.0.first().copied()
    }

    /// The largest.
    pub fn most(&self) -> Option<f64> {
        self.0.last().copied()
    }

    /// All, smallest first.
    pub fn values(&self) -> &[f64] {
        &self.0
    }
}

/// A count as a measurement.
pub fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
