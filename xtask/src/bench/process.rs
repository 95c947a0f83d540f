//! What the kernel says about a process: CPU time and memory.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

/// A tick of `/proc` is a hundredth of a second on every Linux that we know.
const TICK_US: u64 = 10_000;

/// User and system time of a process and its children's, microseconds.
pub fn cpu_us(pid: u32) -> u64 {
    let own = fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| ticks(&stat)).unwrap_or(0);
    own * TICK_US + children(pid).into_iter().map(cpu_us).sum::<u64>()
}

/// Takes a file out of the page cache; nothing may have it open or mapped.
pub fn forget(path: &Path) -> Result<()> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}

/// Resident memory of a process and its children, KiB.
pub fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    resident(&status).unwrap_or(0) + children(pid).into_iter().map(resident_kib).sum::<u64>()
}

fn children(pid: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent_of = |pid: u32| parent(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    pids.filter(|child| parent_of(*child) == Some(pid)).collect()
}

/// The fields after the program's name, which may hold anything but ends at the last parenthesis.
fn fields(stat: &str) -> Option<Vec<&str>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace().collect())
}

fn ticks(stat: &str) -> Option<u64> {
    let fields = fields(stat)?;
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

fn parent(stat: &str) -> Option<u32> {
    fields(stat)?.get(1)?.parse().ok()
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{parent, resident, ticks};

    #[test]
    fn proc_files_are_read() {
        let stat = "42 (a (b) c) S 7 42 42 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 3 0 1000 1 2";
        assert_eq!((ticks(stat), parent(stat)), (Some(175), Some(7)));
        assert_eq!(resident("Name:\ta\nVmRSS:\t   39424 kB\n"), Some(39424));
        assert_eq!(ticks("42 (a"), None);
    }
}
