//! Time as the model sees it: a moment is a distance from the Unix epoch, and the model's clock is the real one plus the
//! advances. The real clock is read by the caller.

use std::time::Duration;

/// A point in time, since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// The moment this long after the Unix epoch.
    pub const fn since_epoch(distance: Duration) -> Self {
        Self(distance)
    }

    /// Whole seconds since the Unix epoch (`NumericDate`, RFC 7519 §2).
    pub const fn seconds(self) -> u64 {
        self.0.as_secs()
    }

    /// The moment `later`, at most the end of time.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The model's clock: the real one plus what was advanced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    advanced: Duration,
}

impl Clock {
    /// Moves the clock forward. It never goes back.
    pub fn advance(&mut self, by: Duration) {
        self.advanced = self.advanced.saturating_add(by);
    }

    /// The model's time at a real moment.
    pub fn read(self, real: Moment) -> Moment {
        real.plus(self.advanced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advance_adds_to_the_real_clock() {
        let real = Moment::since_epoch(Duration::from_secs(100));
        let mut clock = Clock::default();
        clock.advance(Duration::from_secs(40));
        clock.advance(Duration::MAX);
        assert!(clock.read(real) > real.plus(Duration::from_secs(40)));
        assert_eq!(real.since(real.plus(Duration::from_secs(1))), Duration::ZERO);
    }
}
