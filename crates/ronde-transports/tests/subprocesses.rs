//! Child processes with a protocol.

#![cfg(unix)]

mod support;

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use ronde_loop::{EventLoop, get_running_loop};
use ronde_process::{ReturnCode, Signal, SignalError, SpawnError, Stdio};
use ronde_transports::{
    Pipe, ProtocolHandle, SubprocessProtocol, SubprocessTransport, subprocess_exec,
    subprocess_shell,
};
use support::{Reports, poll_and_drop, run, run_on, settle, spawn, until};

type OnData = Box<dyn FnMut(&SubprocessTransport, Pipe)>;

/// Takes records of what it is called with.
#[derive(Default)]
struct Recorder {
    transport: Option<SubprocessTransport>,
    log: Rc<RefCell<Vec<String>>>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    on_data: Option<OnData>,
}

impl Recorder {
    fn push(&self, line: impl Into<String>) {
        self.log.borrow_mut().push(line.into());
    }
}

impl SubprocessProtocol for Recorder {
    fn connection_made(&mut self, transport: &SubprocessTransport) {
        self.push("made");
        self.transport = Some(transport.clone());
    }

    fn pipe_data_received(&mut self, pipe: Pipe, data: &[u8]) {
        assert!(self.transport.is_some(), "the child is told of first");
        match pipe {
            Pipe::Stdin => panic!("nothing comes from there"),
            Pipe::Stdout => self.stdout.extend(data),
            Pipe::Stderr => self.stderr.extend(data),
        }
        if let (Some(on_data), Some(transport)) = (&mut self.on_data, &self.transport) {
            on_data(transport, pipe);
        }
    }

    fn pipe_connection_lost(&mut self, pipe: Pipe, error: Option<io::Error>) {
        let how = error.map(|error| format!(" with {:?}", error.kind())).unwrap_or_default();
        self.push(format!("{pipe} lost{how}"));
    }

    fn process_exited(&mut self) {
        let returncode = self.transport.as_ref().unwrap().returncode().unwrap();
        self.push(format!("exited: {returncode}"));
    }

    fn pause_writing(&mut self) {
        self.push("pause");
    }

    fn resume_writing(&mut self) {
        self.push("resume");
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        self.push(if error.is_some() { "lost with an error" } else { "lost" });
    }
}

type Child = (SubprocessTransport, ProtocolHandle<Recorder>);

async fn shell(command: &str) -> Child {
    subprocess_shell(Recorder::default, command).await.unwrap()
}

fn log(protocol: &ProtocolHandle<Recorder>) -> Vec<String> {
    protocol.with(|recorder| recorder.log.borrow().clone())
}

fn sorted(mut log: Vec<String>) -> Vec<String> {
    log.sort();
    log
}

#[test]
fn output_of_both_kinds_arrives_and_the_end_comes_last() {
    run(async {
        let (transport, protocol) = shell("echo fine; echo bad >&2; exit 3").await;
        assert_eq!(log(&protocol), ["made"], "before the function returns");
        assert!(transport.pid() > 0);
        transport.wait_closed().await;
        protocol.with(|recorder| {
            assert_eq!(recorder.stdout, b"fine\n");
            assert_eq!(recorder.stderr, b"bad\n");
        });
        let log = log(&protocol);
        assert_eq!(log.first().unwrap(), "made");
        assert_eq!(log.last().unwrap(), "lost");
        assert_eq!(log.len(), 6);
        let expected =
            ["exited: exit code 3", "lost", "made", "stderr lost", "stdin lost", "stdout lost"];
        assert_eq!(sorted(log), expected);
        assert_eq!(transport.returncode(), Some(ReturnCode::Exited(3)));
        assert!(transport.is_closing() && transport.pipe_transport(Pipe::Stdout).is_none());
        assert!(transport.protocol::<Recorder>().is_none());
        transport.close();
    });
}

#[test]
fn input_is_written_with_flow_control_and_its_end_is_the_childs() {
    run(async {
        let (transport, protocol) = shell("read start; cat | wc -c").await;
        let stdin = transport.pipe_transport(Pipe::Stdin).unwrap();
        stdin.write(vec![b'x'; 1_000_000]);
        until(|| log(&protocol).contains(&"pause".to_owned())).await;
        assert!(stdin.write_buffer_size() > 0);
        stdin.write("\n12345");
        until(|| log(&protocol).contains(&"resume".to_owned())).await;
        stdin.write_eof();
        transport.wait_closed().await;
        assert_eq!(protocol.with(|recorder| recorder.stdout.clone()).trim_ascii(), b"5");
        assert_eq!(log(&protocol)[..4], ["made", "pause", "resume", "stdin lost"]);
    });
}

/// Writes to its child, and ends the input, as soon as it can.
#[derive(Default)]
struct Hasty(Recorder);

impl SubprocessProtocol for Hasty {
    fn connection_made(&mut self, transport: &SubprocessTransport) {
        self.0.connection_made(transport);
        let stdin = transport.pipe_transport(Pipe::Stdin).unwrap();
        stdin.write("hello");
        stdin.write_eof();
        assert!(stdin.is_closing());
    }

    fn pipe_data_received(&mut self, pipe: Pipe, data: &[u8]) {
        self.0.pipe_data_received(pipe, data);
    }

    fn pipe_connection_lost(&mut self, pipe: Pipe, error: Option<io::Error>) {
        self.0.pipe_connection_lost(pipe, error);
    }
}

#[test]
fn its_pipes_can_be_used_and_closed_in_connection_made() {
    run(async {
        let (transport, protocol) = subprocess_exec(Hasty::default, "cat").await.unwrap();
        transport.wait_closed().await;
        protocol.with(|hasty| {
            assert_eq!(hasty.0.stdout, b"hello");
            let log = sorted(hasty.0.log.borrow().clone());
            assert_eq!(log, ["made", "stderr lost", "stdin lost", "stdout lost"]);
        });
    });
}

#[test]
fn an_exit_may_be_told_before_the_pipes_are_closed() {
    run(async {
        // The child's child has the output open.
        let (transport, protocol) = shell("exec 3<&0; (read line <&3; echo late) & exit 0").await;
        until(|| log(&protocol).contains(&"exited: exit code 0".to_owned())).await;
        settle().await;
        assert!(!log(&protocol).contains(&"lost".to_owned()));
        transport.pipe_transport(Pipe::Stdin).unwrap().write("go\n");
        transport.wait_closed().await;
        assert_eq!(protocol.with(|recorder| recorder.stdout.clone()), b"late\n");
        assert_eq!(log(&protocol).last().unwrap(), "lost");
    });
}

#[test]
fn input_that_nobody_reads_is_a_broken_pipe() {
    run(async {
        let (transport, protocol) = shell("read line; exec <&-; exec sleep 1000").await;
        let stdin = transport.pipe_transport(Pipe::Stdin).unwrap();
        stdin.write("a line\n");
        stdin.write(vec![b'x'; 1_000_000]);
        stdin.wait_closed().await;
        // Whether the buffer was seen to be full before that is up to the child.
        let log = log(&protocol);
        let others: Vec<_> = log.iter().filter(|line| *line != "pause").collect();
        assert_eq!(others, ["made", "stdin lost with BrokenPipe"]);
        transport.close();
        transport.wait_closed().await;
    });
}

#[test]
fn input_that_the_child_closes_is_closed_here_as_well() {
    run(async {
        let (transport, protocol) = shell("exec <&-; exec sleep 1000").await;
        let stdin = transport.pipe_transport(Pipe::Stdin).unwrap();
        stdin.wait_closed().await;
        assert_eq!(log(&protocol), ["made", "stdin lost"]);
        transport.close();
        transport.wait_closed().await;
    });
}

#[test]
fn closing_kills_and_closes_everything() {
    run(async {
        let (transport, protocol) = shell("echo started; exec sleep 1000").await;
        until(|| !protocol.with(|recorder| recorder.stdout.is_empty())).await;
        assert!(!transport.is_closing() && transport.returncode().is_none());
        transport.close();
        transport.close();
        assert!(transport.is_closing());
        assert_eq!(log(&protocol), ["made"], "not called inside of close");
        transport.wait_closed().await;
        assert_eq!(transport.returncode(), Some(ReturnCode::Signaled(Signal::KILL)));
        let log = log(&protocol);
        assert_eq!(log.last().unwrap(), "lost");
        assert_eq!(log.len(), 6);
    });
}

#[test]
fn signals_reach_it_until_it_has_ended() {
    run(async {
        for (signal, expected) in [
            (None, Signal::TERM),
            (Some(Signal::USR1), Signal::USR1),
            (Some(Signal::KILL), Signal::KILL),
        ] {
            let (transport, _) =
                subprocess_exec(Recorder::default, "sleep").arg("1000").await.unwrap();
            match signal {
                None => transport.terminate().unwrap(),
                Some(Signal::KILL) => transport.kill().unwrap(),
                Some(signal) => transport.send_signal(signal).unwrap(),
            }
            transport.wait_closed().await;
            assert_eq!(transport.returncode(), Some(ReturnCode::Signaled(expected)));
            assert!(matches!(transport.kill(), Err(SignalError::Ended { .. })));
            assert!(format!("{transport:?}").contains("ended"));
        }
    });
}

#[test]
fn streams_that_are_no_pipes_have_no_transports() {
    run(async {
        let (transport, protocol) = subprocess_exec(Recorder::default, "sh")
            .args(["-c", "cat; echo $GREETING; pwd"])
            .env("GREETING", "hello")
            .current_dir("/")
            .stdin(Stdio::null())
            .stderr(Stdio::stdout())
            .await
            .unwrap();
        assert!(transport.pipe_transport(Pipe::Stdin).is_none());
        assert!(transport.pipe_transport(Pipe::Stderr).is_none());
        transport.wait_closed().await;
        assert_eq!(protocol.with(|recorder| recorder.stdout.clone()), b"hello\n/\n");
        assert_eq!(log(&protocol).len(), 4);

        let starting = subprocess_exec(Recorder::default, "true");
        let without = starting.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (transport, protocol) = without.await.unwrap();
        transport.wait_closed().await;
        assert_eq!(log(&protocol), ["made", "exited: exit code 0", "lost"]);
    });
}

#[test]
fn output_can_be_paused() {
    run(async {
        let (transport, protocol) = shell("yes | head -c 1000000; echo done >&2").await;
        let stdout = transport.pipe_transport(Pipe::Stdout).unwrap();
        stdout.pause_reading();
        settle().await;
        let before = protocol.with(|recorder| recorder.stdout.len());
        settle().await;
        assert_eq!(protocol.with(|recorder| recorder.stdout.len()), before);
        assert!(protocol.with(|recorder| recorder.stderr.is_empty()), "it is held up");
        stdout.resume_reading();
        transport.wait_closed().await;
        protocol.with(|recorder| {
            assert_eq!(recorder.stdout.len(), 1_000_000);
            assert_eq!(recorder.stderr, b"done\n");
        });
    });
}

#[test]
fn methods_may_be_called_inside_of_the_protocols_own() {
    run(async {
        let (transport, protocol) = shell("read line; echo $line; exec sleep 1000").await;
        let log = protocol.with(|recorder| recorder.log.clone());
        protocol.with(|recorder| {
            recorder.on_data = Some(Box::new(move |transport, pipe| {
                assert_eq!(pipe, Pipe::Stdout);
                transport.pipe_transport(Pipe::Stdout).unwrap().pause_reading();
                transport.close();
                log.borrow_mut().push("closed".to_owned());
            }));
        });
        transport.pipe_transport(Pipe::Stdin).unwrap().write("go\n");
        transport.wait_closed().await;
        assert_eq!(self::log(&protocol)[..2], ["made", "closed"]);
        assert_eq!(self::log(&protocol).last().unwrap(), "lost");
    });
}

#[test]
fn a_protocol_that_panics_has_its_child_killed() {
    run(async {
        let reports = Reports::collect();
        let (transport, protocol) = shell("read line; echo $line; exec sleep 1000").await;
        protocol.with(|recorder| recorder.on_data = Some(Box::new(|_, _| panic!("no luck"))));
        transport.pipe_transport(Pipe::Stdin).unwrap().write("go\n");
        transport.wait_closed().await;
        assert_eq!(transport.returncode(), Some(ReturnCode::Signaled(Signal::KILL)));
        assert_eq!(log(&protocol).last().unwrap(), "lost with an error");
        let [report] = &reports.take()[..] else { panic!("one report") };
        assert!(report.starts_with("a protocol has failed in `pipe_data_received`"), "{report}");
    });
}

#[test]
fn another_protocol_can_take_over() {
    run(async {
        let (transport, first) = shell("read line; echo $line").await;
        let second = transport.set_protocol(Recorder::default());
        second.with(|recorder| recorder.transport = Some(transport.clone()));
        assert!(transport.protocol::<Recorder>().is_some());
        transport.pipe_transport(Pipe::Stdin).unwrap().write("hello\n");
        transport.wait_closed().await;
        assert_eq!(second.with(|recorder| recorder.stdout.clone()), b"hello\n");
        assert_eq!(log(&first), ["made"]);
        assert_eq!(log(&second).last().unwrap(), "lost");
    });
}

#[test]
fn a_program_that_can_not_be_started_is_an_error_and_no_protocol_is_made() {
    run(async {
        let factory = || -> Recorder { panic!("there is nothing to make one for") };
        let error = subprocess_exec(factory, "no-such-program").await.unwrap_err();
        assert!(matches!(error, SpawnError::NotFound { .. }));
        assert_eq!(io::Error::from(error).kind(), ErrorKind::NotFound);
    });
}

#[cfg(target_os = "linux")]
/// Has a process with this number ended?
fn has_ended(pid: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::test_kill_process(pid).is_err()
}

#[cfg(target_os = "linux")]
#[test]
fn a_start_that_is_given_up_leaves_no_child_behind() {
    run(async {
        let pids = Rc::new(RefCell::new(Vec::new()));
        let starting = |pids: &Rc<RefCell<Vec<u32>>>| {
            let pids = pids.clone();
            let factory = move || {
                let children = std::fs::read_to_string("/proc/thread-self/children");
                let children = children.unwrap_or_default();
                pids.borrow_mut()
                    .extend(children.split(' ').filter_map(|it| it.parse::<u32>().ok()));
                Recorder::default()
            };
            subprocess_exec(factory, "sleep").arg("1000")
        };
        assert!(poll_and_drop(starting(&pids)).await);
        let task = starting(&pids);
        let task = spawn(async move { task.await.map(drop) });
        ronde_loop::yield_now().await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(!pids.borrow().is_empty());
        until(|| pids.borrow().iter().all(|pid| has_ended(*pid))).await;
    });
}

#[test]
fn waiting_for_the_end_can_be_given_up() {
    run(async {
        let (transport, protocol) = shell("exec sleep 1000").await;
        assert!(poll_and_drop(transport.wait_closed()).await);
        let waiter = transport.clone();
        let waiting = spawn(async move { waiter.wait_closed().await });
        settle().await;
        waiting.cancel();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(log(&protocol), ["made"]);
        transport.close();
        transport.wait_closed().await;
    });
}

#[test]
fn the_task_that_waits_is_named_and_its_end_is_the_childs() {
    run(async {
        let (transport, protocol) = shell("exec sleep 1000").await;
        let name = format!("subprocess {}", transport.pid());
        let tasks = get_running_loop().unwrap().all_tasks();
        let task = tasks.iter().find(|task| *task.name() == name).unwrap();
        task.cancel();
        until(|| transport.returncode().is_some()).await;
        assert_eq!(transport.returncode(), Some(ReturnCode::Signaled(Signal::KILL)));
        assert!(transport.is_closing());
        drop(protocol);
    });
}

#[test]
fn a_child_does_not_outlive_its_loop() {
    let event_loop = EventLoop::new().unwrap();
    let (transport, protocol) = run_on(&event_loop, shell("exec sleep 1000"));
    event_loop.close().unwrap();
    while transport.returncode().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(log(&protocol), ["made"]);
    assert!(transport.protocol::<Recorder>().is_none(), "it has let go");
}
