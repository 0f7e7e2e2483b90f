//! Spans of time as people write them: `90s`, `15m`, `13h`, `30d`. A bare number is seconds.

use std::time::Duration;

/// How long a span may be.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Reads a span of at least a second.
///
/// # Errors
/// Another spelling, nothing, or more than ten years.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "expected a time such as 90, 90s, 5m, 13h or 30d".to_owned())?;
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err("expected one unit: s, m, h or d".to_owned()),
    };
    let span = Duration::from_secs(number.saturating_mul(unit));
    match span {
        Duration::ZERO => Err("a time of nothing".to_owned()),
        span if span > LONGEST => Err("a time may be ten years at most".to_owned()),
        span => Ok(span),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn a_time_has_one_unit() {
        for (text, seconds) in [("90", 90), ("2m", 120), ("13h", 46_800), ("30d", 2_592_000)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0", "-1", "1.5h", "2ms", "2H", "9999999999999999h", "3651d", "1h30m", "h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
