//! The standard streams, of programs that a shell starts.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rustix::fs::{OFlags, fcntl_getfl};

/// Cargo builds a package's examples with its tests, into the folder beside theirs.
fn upper() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples/upper");
    assert!(program.exists(), "build the examples first: {}", program.display());
    program
}

/// Runs a script, for which `$upper` is the program.
fn shell(script: &str, folder: &std::path::Path) -> Output {
    let output = Command::new("sh")
        .args(["-ec", script])
        .env("upper", upper())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn start(input: impl Into<Stdio>, output: impl Into<Stdio>) -> Child {
    Command::new(upper()).stdin(input).stdout(output).stderr(Stdio::piped()).spawn().unwrap()
}

fn is_nonblocking(fd: impl AsFd) -> bool {
    fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
}

/// The first line that the program sends shows that it runs.
fn line(input: impl Read) -> String {
    let mut text = String::new();
    BufReader::with_capacity(1, input).read_line(&mut text).unwrap();
    text
}

fn ends_well(mut child: Child) -> String {
    let mut report = String::new();
    child.stderr.take().unwrap().read_to_string(&mut report).unwrap();
    assert!(child.wait().unwrap().success(), "{report}");
    report
}

#[test]
fn a_program_reads_from_a_pipe_and_writes_to_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = shell(r"printf 'one\ntwo' | $upper | cat", folder.path());
    assert_eq!(texts(&output), ("ONE\nTWO".into(), "2 lines\n".into()));
}

#[test]
fn much_goes_through_a_pipe_whole() {
    let folder = tempfile::tempdir().unwrap();
    let script = "seq -f 'line %g' 300000 | $upper | { sleep 0.2; cat; } | cksum; \
                  seq -f 'LINE %g' 300000 | cksum";
    let (sums, count) = texts(&shell(script, folder.path()));
    let (ours, expected) = sums.trim_end().split_once('\n').unwrap();
    assert_eq!(ours, expected);
    assert_eq!(count, "300000 lines\n");
}

#[test]
fn a_program_reads_a_file_where_others_have_stopped_and_writes_where_they_go_on() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in"), "first\nsecond\nthird\n").unwrap();
    fs::write(folder.path().join("out"), "before\n").unwrap();
    let script = "{ read line; echo $line; $upper; echo last; } < in >> out; cat out";
    let (output, count) = texts(&shell(script, folder.path()));
    assert_eq!(output, "before\nfirst\nSECOND\nTHIRD\nlast\n");
    assert_eq!(count, "2 lines\n");
}

#[test]
fn there_may_be_nothing_to_read_and_nobody_to_write_to() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        shell("$upper < /dev/null > /dev/null; echo x | $upper > /dev/null", folder.path());
    assert_eq!(texts(&output), (String::new(), "0 lines\n1 lines\n".into()));
}

#[test]
fn a_disk_that_is_full_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo x | $upper > /dev/full && exit 1 || exit 0";
    let (_, error) = texts(&shell(script, folder.path()));
    assert!(error.contains("No space left on device") || error.contains("StorageFull"), "{error}");
}

#[test]
fn a_reader_that_has_gone_is_an_error() {
    let (ours, theirs) = std::io::pipe().unwrap();
    drop(ours);
    let (input, mut feed) = std::io::pipe().unwrap();
    let child = start(input, theirs);
    feed.write_all(b"x\n").unwrap();
    drop(feed);
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("BrokenPipe"), "{error}");
}

#[test]
fn the_mode_of_pipes_stays_as_it_is_for_others_who_have_them() {
    let (their_input, mut feed) = std::io::pipe().unwrap();
    let (output, their_output) = std::io::pipe().unwrap();
    let shared = [their_input.as_fd(), their_output.as_fd()].map(|it| it.try_clone_to_owned());
    let child = start(their_input, their_output);
    feed.write_all(b"hello\n").unwrap();
    assert_eq!(line(&output), "HELLO\n");
    for end in &shared {
        assert!(!is_nonblocking(end.as_ref().unwrap()), "while the program runs");
    }
    drop(feed);
    assert_eq!(ends_well(child), "1 lines\n");
    for end in &shared {
        assert!(!is_nonblocking(end.as_ref().unwrap()), "when it has ended");
    }
}

#[test]
fn a_program_speaks_through_a_socket_whose_mode_stays_as_it_is() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let shared = theirs.try_clone().unwrap();
    let output = theirs.try_clone().unwrap();
    let child = start(OwnedFd::from(theirs), OwnedFd::from(output));
    // More than the buffers of the socket take at once.
    let mut feed = ours.try_clone().unwrap();
    let feeding = std::thread::spawn(move || {
        feed.write_all(b"hello\n").unwrap();
        for _ in 0..100_000 {
            feed.write_all(b"and many more lines\n").unwrap();
        }
        feed.shutdown(std::net::Shutdown::Write).unwrap();
    });
    assert_eq!(line(&ours), "HELLO\n");
    assert!(!is_nonblocking(&shared));
    let mut rest = vec![0; 100_000 * 20];
    ours.read_exact(&mut rest).unwrap();
    assert!(rest.chunks(20).all(|line| line == b"AND MANY MORE LINES\n"));
    feeding.join().unwrap();
    assert_eq!(ends_well(child), "100001 lines\n");
    assert!(!is_nonblocking(&shared));
}

#[test]
fn a_program_speaks_to_a_terminal_whose_mode_stays_as_it_is() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal =
        rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, 0.into()).unwrap();
    let child = start(terminal.try_clone().unwrap(), terminal.try_clone().unwrap());
    let mut master = File::from(master);
    // Two lines at once: a read gives one of them, and the other one must not be overlooked.
    master.write_all(b"one\ntwo\n").unwrap();
    let mut seen = String::new();
    while !(seen.contains("ONE\r\n") && seen.contains("TWO\r\n")) {
        seen += &line(&master);
    }
    assert!(!is_nonblocking(&terminal));
    // Ctrl-D ends the input.
    master.write_all(b"\x04").unwrap();
    assert_eq!(ends_well(child), "2 lines\n");
    assert!(!is_nonblocking(&terminal));
}

#[test]
fn what_cannot_be_opened_again_is_read_by_a_thread() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    // To open the other side of a terminal again would give another terminal.
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let mut terminal = File::from(
        rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, 0.into()).unwrap(),
    );
    let (output, their_output) = std::io::pipe().unwrap();
    let mut child = start(master.try_clone().unwrap(), their_output);
    for word in ["one", "two"] {
        writeln!(terminal, "{word}").unwrap();
        assert_eq!(line(&output), format!("{}\r\n", word.to_uppercase()));
    }
    assert!(!is_nonblocking(&master));
    // The end of the terminal is a failure of its other side.
    drop(terminal);
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(!child.wait().unwrap().success() && error.contains("Input/output error"), "{error}");
}
