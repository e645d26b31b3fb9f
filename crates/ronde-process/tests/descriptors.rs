//! No descriptors left. A test binary of its own, for the limit is that of the whole process.

#![cfg(target_os = "linux")]

mod support;

use std::fs::File;

use ronde_process::{SpawnError, Stdio, create_subprocess_exec};
use rustix::process::{Resource, getrlimit, setrlimit};
use support::{gone, run};

/// The processes that this one has started and that are still there.
fn children() -> Vec<u32> {
    let ours = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        after_name.split_whitespace().nth(1) == Some(&ours)
    };
    pids.filter(is_child).collect()
}

#[test]
fn without_descriptors_nothing_is_started_and_nothing_left_behind() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(300);
    setrlimit(Resource::Nofile, limit).unwrap();
    run(async {
        let mut taken = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        // With each number of descriptors that are left, from none to enough.
        let mut failures = 0;
        let process = loop {
            let command = create_subprocess_exec("cat").stdin(Stdio::piped());
            match command.stdout(Stdio::piped()).stderr(Stdio::null()).await {
                Ok(process) => break process,
                Err(SpawnError::Stdio { source, .. } | SpawnError::Io { source, .. }) => {
                    assert_eq!(source.raw_os_error(), Some(24), "EMFILE: {source}");
                }
                Err(error) => panic!("{error:?}"),
            }
            failures += 1;
            let _one = taken.pop().expect("all descriptors are free, and it still fails");
        };
        assert!(failures >= 7, "two pipes and what reaping needs: {failures}");
        let output = process.communicate().input("fine").await.unwrap();
        assert_eq!(output.stdout.unwrap(), "fine");
        drop(process);

        // And now that the thread runs, once more.
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        let error = create_subprocess_exec("true").await.unwrap_err();
        let text = "starting true: Too many open files";
        assert_eq!(error.to_string(), text);
        loop {
            match create_subprocess_exec("true").stdout(Stdio::null()).await {
                Ok(process) => break gone(process.pid()).await,
                Err(_) => drop(taken.pop().unwrap()),
            }
        }
        drop(taken);
        assert_eq!(children(), []);
    });
}
