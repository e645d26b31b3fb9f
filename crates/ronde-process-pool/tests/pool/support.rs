//! What several tests need.

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use ronde::{sleep, timeout};
use ronde_process_pool::{ProcessPool, ProcessPoolError};
use tempfile::TempDir;

use crate::jobs::jobs;

/// After this time something hangs. It is never waited for otherwise.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn run<T: 'static>(test: impl Future<Output = T> + 'static) -> T {
    let test = async {
        // Those of the test before are killed, but may not be gone.
        no_children().await;
        test.await
    };
    ronde::run(async { timeout(DEADLINE, test).await.expect("a test hangs") }).unwrap()
}

pub(crate) fn pool(workers: usize) -> ProcessPool {
    ProcessPool::builder(jobs()).workers(workers).build().unwrap()
}

/// Two files: one that a job makes when it has begun, and one that it waits for.
pub(crate) struct Gate {
    _directory: TempDir,
    pub(crate) begun: PathBuf,
    pub(crate) end: PathBuf,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (begun, end) = (directory.path().join("begun"), directory.path().join("end"));
        Self { _directory: directory, begun, end }
    }

    pub(crate) fn files(&self) -> (PathBuf, PathBuf) {
        (self.begun.clone(), self.end.clone())
    }

    /// Waits until the job has begun, and gives the process id of its worker.
    pub(crate) async fn begins(&self) -> u32 {
        until(|| fs::read_to_string(&self.begun).ok()?.parse().ok()).await
    }

    pub(crate) fn open(&self) {
        fs::write(&self.end, "").unwrap();
    }
}

/// Looks again and again, while the loop runs.
pub(crate) async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// The children of this process, also those that are zombies.
pub(crate) fn children() -> Vec<u32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let lists = tasks.filter_map(|task| {
        // A thread may have ended.
        fs::read_to_string(task.ok()?.path().join("children")).ok()
    });
    lists
        .flat_map(|list| {
            list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>()
        })
        .collect()
}

/// Waits until no child is left, not even a zombie.
pub(crate) async fn no_children() {
    until(|| children().is_empty().then_some(())).await;
}

pub(crate) fn text(error: &ProcessPoolError) -> String {
    error.to_string()
}
