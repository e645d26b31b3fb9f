//! Callbacks for descriptors that somebody else owns: `add_reader` and its kin.
#![cfg(unix)]

mod common;

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use common::Log;
use ronde_context::ContextVar;
use ronde_loop::{DescriptorError, Direction, EventLoop, Registration, yield_now};
use rustix::fs::{OFlags, fcntl_getfl};

/// Two connected sockets, of which the first has something to read.
fn readable_pair() -> (UnixStream, UnixStream) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"0123456789").unwrap();
    (ours, theirs)
}

/// Has the loop look for I/O some sixteen times, and runs what became ready. It looks whenever 61 entries
/// have run.
fn look(event_loop: &EventLoop) {
    let yields = async {
        for _ in 0..1000 {
            yield_now().await;
        }
    };
    event_loop.run_until_complete(yields).unwrap();
}

#[test]
fn a_reader_is_called_in_each_turn_while_there_is_something() {
    let event_loop = EventLoop::new().unwrap();
    let (mut ours, mut theirs) = readable_pair();
    let log = Log::default();
    let (logger, mut reads) = (log.clone(), ours.try_clone().unwrap());
    let mut calls = 0;
    let reader = event_loop
        .add_reader(&ours, move || {
            calls += 1;
            let mut three = [0; 3];
            let count = reads.read(&mut three).unwrap();
            logger.push(format!("{calls}: {}", String::from_utf8_lossy(&three[..count])));
        })
        .unwrap();
    look(&event_loop);
    assert_eq!(log.take(), ["1: 012", "2: 345", "3: 678", "4: 9"]);
    look(&event_loop);
    assert!(log.take().is_empty());
    theirs.write_all(b"more").unwrap();
    look(&event_loop);
    assert_eq!(log.take(), ["5: mor", "6: e"]);

    assert!(reader.is_registered());
    drop(reader);
    theirs.write_all(b"unseen").unwrap();
    look(&event_loop);
    assert!(log.take().is_empty());
    assert_eq!(ours.read(&mut [0; 10]).unwrap(), 6);
}

#[test]
fn a_reader_that_reads_nothing_is_called_again_and_the_loop_goes_on() {
    let event_loop = EventLoop::new().unwrap();
    let (ours, _theirs) = readable_pair();
    let calls = Rc::new(Cell::new(0));
    let counter = calls.clone();
    let _reader = event_loop.add_reader(&ours, move || counter.set(counter.get() + 1)).unwrap();
    look(&event_loop);
    assert!(calls.get() > 10);
}

#[test]
fn a_hang_up_is_told_to_readers() {
    let event_loop = EventLoop::new().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut reads = ours.try_clone().unwrap();
    let handle = event_loop.handle();
    let reader = event_loop.add_reader(&ours, move || {
        assert_eq!(reads.read(&mut [0; 10]).unwrap(), 0);
        handle.stop();
    });
    drop(theirs);
    event_loop.run_forever().unwrap();
    drop(reader);
}

#[test]
fn a_reader_and_a_writer_of_one_descriptor_do_not_disturb_each_other() {
    let event_loop = EventLoop::new().unwrap();
    let (ours, mut theirs) = readable_pair();
    let log = Log::default();
    let (reads, writes) = (log.clone(), log.clone());
    let mut socket = ours.try_clone().unwrap();
    let reader = event_loop.add_reader(&ours, move || {
        let count = socket.read(&mut [0; 100]).unwrap();
        reads.push(format!("read {count}"));
    });
    let reader = reader.unwrap();
    let handle = event_loop.handle();
    let ours = Rc::new(ours);
    let socket = ours.clone();
    let writer = event_loop.add_writer(&*ours, move || {
        writes.push("write");
        (&*socket).write_all(b"!").unwrap();
        assert!(handle.remove_writer(&*socket));
    });
    writer.unwrap().detach();
    look(&event_loop);
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["read 10", "write"]);
    assert!(!event_loop.remove_writer(&*ours));

    theirs.write_all(b"abc").unwrap();
    look(&event_loop);
    assert_eq!(log.take(), ["read 3"]);
    drop(reader);
}

#[test]
fn a_second_reader_replaces_the_first_and_its_end_does_not_remove_the_second() {
    let event_loop = EventLoop::new().unwrap();
    let (ours, _theirs) = readable_pair();
    let log = Log::default();
    let dropped = log.on_drop("the first is dropped");
    let first = event_loop
        .add_reader(&ours, move || {
            let _ = &dropped;
            unreachable!("it is replaced before the loop runs")
        })
        .unwrap();
    let (second_log, mut reads) = (log.clone(), ours.try_clone().unwrap());
    let second = event_loop.add_reader(&ours, move || {
        reads.read_exact(&mut [0; 10]).unwrap();
        second_log.push("second");
    });
    assert_eq!(log.take(), ["the first is dropped"]);
    assert!(!first.is_registered());
    drop(first);
    look(&event_loop);
    assert_eq!(log.take(), ["second"]);
    assert!(event_loop.remove_reader(&ours));
    assert!(!second.unwrap().is_registered());
}

#[test]
fn a_callback_may_remove_or_replace_itself() {
    let event_loop = EventLoop::new().unwrap();
    let (ours, _theirs) = readable_pair();
    let log = Log::default();
    let own: Rc<RefCell<Option<Registration>>> = Rc::default();
    let (itself, logger) = (own.clone(), log.clone());
    let (handle, socket) = (event_loop.handle(), ours.try_clone().unwrap());
    let descriptor = ours.try_clone().unwrap();
    let reader = event_loop.add_reader(&descriptor, move || {
        logger.push("first");
        let (itself, next) = (itself.clone(), logger.clone());
        let replace = handle.add_reader(&socket, {
            let itself = itself.clone();
            move || {
                next.push("second");
                itself.take();
            }
        });
        itself.replace(Some(replace.unwrap()));
    });
    own.replace(Some(reader.unwrap()));
    look(&event_loop);
    assert_eq!(log.take(), ["first", "second"]);
}

#[test]
fn a_panic_is_reported_and_the_callback_stays() {
    let event_loop = EventLoop::new().unwrap();
    let log = Log::default();
    let reports = log.clone();
    event_loop.set_exception_handler(Some(Rc::new(move |context| reports.push(context))));
    let (ours, _theirs) = readable_pair();
    let mut reads = ours.try_clone().unwrap();
    let _reader = event_loop.add_reader(&ours, move || {
        let mut five = [0; 5];
        reads.read_exact(&mut five).unwrap();
        panic!("after {}", String::from_utf8_lossy(&five));
    });
    look(&event_loop);
    let lines = log.take();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("after 01234") && lines[1].contains("after 56789"), "{lines:?}");
}

#[test]
fn a_callback_runs_in_the_context_of_whoever_added_it() {
    static NAME: ContextVar<&str> = ContextVar::new("name");
    let event_loop = EventLoop::new().unwrap();
    let (ours, _theirs) = readable_pair();
    let seen = Rc::new(Cell::new(None));
    let (sees, handle) = (seen.clone(), event_loop.handle());
    NAME.set("added here");
    let reader = event_loop.add_reader(&ours, move || {
        sees.set(NAME.get());
        handle.stop();
    });
    NAME.set("changed since");
    event_loop.run_forever().unwrap();
    assert_eq!(seen.get(), Some("added here"));
    drop(reader);
}

#[test]
fn a_descriptor_that_is_closed_while_it_is_watched_does_no_harm() {
    let event_loop = EventLoop::new().unwrap();
    let log = Log::default();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let logger = log.clone();
    let handle = event_loop.handle();
    let reader = event_loop.add_reader(&ours, move || {
        logger.push("the old one");
        handle.stop();
    });
    let reader = reader.unwrap();

    // The number stands for another file from here on, which must not be taken for the old one.
    let (another, _peer) = readable_pair();
    let mut other = OwnedFd::from(ours);
    rustix::io::dup2(&another, &mut other).unwrap();
    look(&event_loop);
    assert!(log.take().is_empty());
    theirs.write_all(b"for the old one").unwrap();
    event_loop.run_forever().unwrap();
    assert_eq!(log.take(), ["the old one"]);

    // A reader of the new one replaces that of the old one.
    let logger = log.clone();
    let handle = event_loop.handle();
    let another = event_loop.add_reader(&other, move || {
        logger.push("the new one");
        handle.stop();
    });
    assert!(!reader.is_registered());
    event_loop.run_forever().unwrap();
    assert_eq!(log.take(), ["the new one"]);
    // Nothing keeps the old file open any more.
    assert_eq!(theirs.write(b"?").unwrap_err().kind(), ErrorKind::BrokenPipe);
    drop(another);
}

#[test]
fn the_file_is_closed_when_the_callback_is_removed() {
    let event_loop = EventLoop::new().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let reader = event_loop.add_reader(&ours, || {}).unwrap();
    drop(ours);
    theirs.set_nonblocking(true).unwrap();
    assert_eq!((&theirs).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(reader);
    assert_eq!((&theirs).read(&mut [0]).unwrap(), 0);
}

#[test]
fn what_belongs_to_a_source_is_refused() {
    let event_loop = EventLoop::new().unwrap();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let source = event_loop.register(ours).unwrap();
    let error = event_loop.add_reader(&source, || {}).unwrap_err();
    assert!(matches!(error, DescriptorError::Registered));
    assert_eq!(
        error.to_string(),
        "watching a descriptor: it belongs to a registered source: use that source's callbacks"
    );
    assert!(error.source().is_none());
    assert!(matches!(
        event_loop.add_writer(&source.as_fd(), || {}),
        Err(DescriptorError::Registered)
    ));
    assert!(!event_loop.remove_reader(&source));

    // When it no longer does, it is not.
    let ours = source.into_inner().unwrap();
    assert!(event_loop.add_reader(&ours, || {}).is_ok());
}

#[test]
fn one_file_can_be_registered_through_two_descriptors() {
    let event_loop = EventLoop::new().unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let log = Log::default();
    let (first, second) = (log.clone(), log.clone());
    let one = event_loop.register(ours.try_clone().unwrap()).unwrap();
    let two = event_loop.register(ours).unwrap();
    one.set_callback(Direction::Read, Some(Rc::new(move || first.push("one")))).unwrap();
    two.set_callback(Direction::Read, Some(Rc::new(move || second.push("two")))).unwrap();
    theirs.write_all(b"hello").unwrap();
    look(&event_loop);
    // Nobody reads, so not every poller tells it once.
    let mut lines = log.take();
    lines.sort();
    lines.dedup();
    assert_eq!(lines, ["one", "two"]);
    drop(one);
    theirs.write_all(b"hello").unwrap();
    look(&event_loop);
    let mut lines = log.take();
    lines.dedup();
    assert_eq!(lines, ["two"]);
}

#[test]
fn a_regular_file_is_an_error_that_says_so() {
    let event_loop = EventLoop::new().unwrap();
    let file = tempfile::tempfile().unwrap();
    let error = event_loop.add_reader(&file, || {}).unwrap_err();
    assert!(matches!(error, DescriptorError::CannotWait(_)));
    assert!(error.to_string().contains("a regular file or directory is always ready"), "{error}");
    assert!(error.source().is_some());
    assert!(!event_loop.remove_reader(&file));

    let error = event_loop.register(file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let directory = File::open("/").unwrap();
    let error = event_loop.add_writer(&directory, || {}).unwrap_err();
    assert!(matches!(error, DescriptorError::CannotWait(_)));
}

#[test]
fn the_mode_of_the_descriptor_is_left_as_it_is() {
    let event_loop = EventLoop::new().unwrap();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let _reader = event_loop.add_reader(&ours, || {}).unwrap();
    assert!(!fcntl_getfl(&ours).unwrap().contains(OFlags::NONBLOCK));
}

#[test]
fn a_pipe_and_a_terminal_can_be_watched() {
    let event_loop = EventLoop::new().unwrap();
    let (reader, mut writer) = io::pipe().unwrap();
    let terminal = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR).unwrap();
    rustix::pty::grantpt(&terminal).unwrap();
    rustix::pty::unlockpt(&terminal).unwrap();
    let log = Log::default();
    let (pipe_log, terminal_log) = (log.clone(), log.clone());
    let handle = event_loop.handle();
    let of_pipe = event_loop.add_reader(&reader, move || {
        pipe_log.push("pipe");
        handle.stop();
    });
    let handle = event_loop.handle();
    writer.write_all(b"hello").unwrap();
    event_loop.run_forever().unwrap();
    drop(of_pipe);
    let of_terminal = event_loop.add_writer(&terminal, move || {
        terminal_log.push("terminal");
        handle.stop();
    });
    event_loop.run_forever().unwrap();
    drop(of_terminal);
    assert_eq!(log.take(), ["pipe", "terminal"]);
}

#[test]
fn closing_the_loop_drops_the_callbacks_and_a_closed_loop_takes_none() {
    let event_loop = EventLoop::new().unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let log = Log::default();
    let captured = log.on_drop("dropped");
    let reader = event_loop.add_reader(&ours, move || captured.hold()).unwrap();
    let kept = log.on_drop("dropped as well");
    event_loop.add_writer(&ours, move || kept.hold()).unwrap().detach();
    event_loop.close().unwrap();
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["dropped", "dropped as well"]);
    assert!(!reader.is_registered());
    drop(ours);
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0, "no duplicate is left");

    let error = event_loop.add_reader(&theirs, || {}).unwrap_err();
    assert!(matches!(error, DescriptorError::LoopClosed));
    assert_eq!(error.to_string(), "watching a descriptor: the event loop is closed");
    assert!(!event_loop.remove_reader(&theirs));
    drop(reader);
}

/// Lets a callback hold a value without using it up.
trait Hold {
    fn hold(&self) {}
}

impl Hold for common::OnDrop {}
