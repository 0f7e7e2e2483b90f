//! Times as people read them: three digits that matter, at most seven columns.

use std::time::Duration;

/// A time, rounded down: `35ms`, `1.20s`, `31.2s`, `2m05s`, `1h02m`, `3d04h`.
pub(super) fn short(time: Duration) -> String {
    let (milliseconds, seconds) = (time.as_millis(), time.as_secs());
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match milliseconds {
        0..1_000 => format!("{milliseconds}ms"),
        1_000..10_000 => format!("{seconds}.{:02}s", time.subsec_millis() / 10),
        10_000..60_000 => format!("{seconds}.{}s", time.subsec_millis() / 100),
        60_000..3_600_000 => format!("{minutes}m{:02}s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let shown = [0, 999, 1_000, 1_204, 9_999, 31_250, 59_999, 125_000, 3_725_000, 273_600_000];
        let shown: Vec<_> = shown.iter().map(|time| short(Duration::from_millis(*time))).collect();
        assert_eq!(shown, ["0ms", "999ms", "1.00s", "1.20s", "9.99s", "31.2s", "59.9s", "2m05s", "1h02m", "3d04h"]);
    }
}
