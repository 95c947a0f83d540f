//! What this process is and what it stands on: since when, how many workers, its folder, its memory, its disk.

use std::path::{Path, PathBuf};

use types::Timestamp;

/// What was fixed at the start.
#[derive(Clone, Debug)]
pub struct Node {
    /// When the process began to serve.
    pub started: Timestamp,
    /// Threads that carry calls.
    pub workers: usize,
    /// Where everything is kept that the store does not keep.
    pub data_dir: PathBuf,
    /// Bytes of the journal that may wait; beyond them new calls are refused.
    pub backlog_bytes_max: u64,
}

/// Room on a disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What this process may still write.
    pub free: u64,
    /// In all.
    pub total: u64,
}

/// The disk of a folder; `None`: the system does not say.
pub fn disk(folder: &Path) -> Option<Disk> {
    let told = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Some(Disk { free: bytes(told.f_bavail), total: bytes(told.f_blocks) })
}

/// Memory that this process holds, in bytes; `None`: the system does not say.
pub fn memory_bytes() -> Option<u64> {
    resident(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_disk_are_told_in_bytes() {
        assert_eq!(resident("VmPeak:\t  10 kB\nVmRSS:\t   2048 kB\n"), Some(2_097_152));
        assert_eq!((resident("VmRSS:"), resident("")), (None, None));
        let disk = disk(Path::new("/")).unwrap();
        assert!(disk.total > 1_000_000 && disk.free <= disk.total, "{disk:?}");
        assert_eq!(super::disk(Path::new("/no/such/folder")), None);
    }
}
