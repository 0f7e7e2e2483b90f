//! What Linux says of a process: processor time and resident memory.

use super::Fallible;
use std::time::Duration;

/// The unit of times in `/proc/PID/stat`: 100 a second on every Linux that people use.
const TICK: Duration = Duration::from_millis(10);

/// The processor time of all threads so far.
pub fn cpu(pid: u32) -> Fallible<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').ok_or("no process name")?;
    // proc_pid_stat(5): utime and stime are fields 14 and 15, the name is the second.
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}

/// A line of `/proc/PID/status` in MiB, such as `VmRSS`.
pub fn mebibytes(pid: u32, line: &str) -> Fallible<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')).ok_or("no such line")?;
    Ok(value.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
