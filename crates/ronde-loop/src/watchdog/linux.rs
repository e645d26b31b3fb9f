//! Linux: `proc(5)` tells of a thread what the kernel knows.

use std::fs;
use std::path::PathBuf;

use super::report::BlockedThread;

/// A thread, as another one of the same process sees it.
pub(super) struct Thread {
    /// `/proc/PID/task/TID`. `None` where there is no `/proc`.
    folder: Option<PathBuf>,
}

impl Thread {
    pub(super) fn current() -> Self {
        let folder = fs::read_link("/proc/thread-self").ok();
        Self { folder: folder.map(|folder| PathBuf::from("/proc").join(folder)) }
    }

    pub(super) fn state(&self) -> BlockedThread {
        let stat = self.read("stat").unwrap_or_default();
        match state_letter(&stat) {
            Some('R') => BlockedThread::Running,
            Some('S' | 'D' | 'I') => BlockedThread::Sleeping {
                system_call: self.read("syscall").as_deref().and_then(system_call),
                kernel_function: self.read("wchan").filter(|name| !matches!(&**name, "" | "0")),
            },
            Some('T' | 't') => BlockedThread::Stopped,
            _ => BlockedThread::Unknown,
        }
    }

    fn read(&self, file: &str) -> Option<String> {
        let text = fs::read_to_string(self.folder.as_ref()?.join(file)).ok()?;
        Some(text.trim().to_owned())
    }
}

/// The third field of `stat`. The second is the thread's name, in parentheses, and may contain any.
fn state_letter(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// The first field of `syscall`: a number; or `running`; or -1, if it sleeps in no system call.
fn system_call(text: &str) -> Option<u64> {
    text.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_last_parenthesis() {
        assert_eq!(state_letter("7 (a) name) R 1 7"), Some('R'));
        assert_eq!(state_letter(""), None);
    }

    #[test]
    fn a_system_call_has_a_number() {
        assert_eq!(system_call("230 0x0 0x0"), Some(230));
        assert_eq!(system_call("running"), None);
        assert_eq!(system_call("-1 0x7ff 0x7ff"), None);
    }

    #[test]
    fn a_thread_that_looks_at_itself_runs() {
        assert_eq!(Thread::current().state(), BlockedThread::Running);
    }
}
