//! The example `website_status`, run as a user runs it, against servers that are not ours.
//!
//! The tests need `openssl` and `python3`. `cargo test` builds the example before it runs them, but
//! `cargo test --test website_status` doesn't.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use program::{Run, Running, Server, example};

#[path = "common/program.rs"]
mod program;

#[test]
fn without_arguments_it_checks_ten_sites_of_its_own_twice() {
    let run = website_status(&[] as &[&str]);

    let lines: Vec<_> = run.output.lines().collect();
    assert_eq!(lines.len(), 2 + 2 * 10 + 1, "{}", run.output);
    assert_eq!(lines[0], "One after the other:");
    assert_eq!(lines[11], "All at once:");
    assert_eq!(lines[1..11], lines[12..22], "both phases have the same results");
    let results: Vec<_> = lines[1..11].iter().map(|line| result_of(line)).collect();
    let moved = results[2].strip_prefix("301 Moved Permanently -> http://127.0.0.1:").unwrap();
    assert!(moved.ends_with("/new"), "{moved}");
    assert_eq!(results[..2], ["200 OK", "204 No Content"]);
    assert_eq!(results[3..5], ["404 Not Found", "503 Service Unavailable"]);
    assert_eq!(results[5..8], ["200 OK", "500 Internal Server Error", "418 I'm a teapot"]);
    assert_eq!(results[8], "error: connected, but no reply within 1s");
    assert_eq!(results[9], "error: connection refused");
    assert_eq!(lines[1..11].iter().filter(|line| line.starts_with("  https://")).count(), 3);

    let (one_by_one, at_once) = lines[22].split_once("; ").unwrap();
    assert!(one_by_one.starts_with("one after the other: ") && one_by_one.ends_with(" s"));
    assert!(at_once.starts_with("all at once: ") && at_once.ends_with(" s"));

    assert!(!run.output.contains('\x1b') && !run.output.contains('\r'), "{:?}", run.output);
    assert_eq!(run.complaints, "", "nothing but the results goes into a pipe");
    assert_eq!(run.code, Some(1), "two sites don't answer");
}

#[test]
fn wrong_arguments_are_explained() {
    let cases: &[(&[&str], &str)] = &[
        (&["--timeout", "soon"], "\"soon\": not a number of seconds above zero"),
        (&["--timeout", "0"], "\"0\": not a number of seconds above zero"),
        (&["--timeout"], "missing argument for option '--timeout'"),
        (&["--concurrency", "0"], "\"0\": not a whole number above zero"),
        (&["--cafile", "no-such-file", "http://localhost/"], "--cafile no-such-file: "),
        (&["--cafile", "Cargo.toml"], "--cafile is of use only with a URL"),
        (&["--verbose"], "invalid option '--verbose'"),
        (&["localhost"], "\"localhost\": a URL must begin with http:// or https://"),
        (&["ftp://localhost/"], "\"ftp://localhost/\": a URL must begin with http:// or https://"),
        (&["http://localhost:99999/"], "\"http://localhost:99999/\": invalid port number"),
        (&["http://me:secret@localhost/"], "a user name in a URL is not supported"),
    ];
    for (arguments, complaint) in cases {
        let run = website_status(arguments);
        assert!(run.complaints.contains(complaint), "{arguments:?}: {}", run.complaints);
        assert!(run.complaints.ends_with("\nTry --help.\n"), "{}", run.complaints);
        assert_eq!((run.code, &*run.output), (Some(2), ""), "{arguments:?}");
    }

    let run = website_status(&["--help"]);
    assert!(run.output.contains("--concurrency N"), "{}", run.output);
    assert_eq!((run.code, &*run.complaints), (Some(0), ""));
}

#[test]
fn a_web_server_s_replies_are_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let server = Server::start(
        Command::new("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
            .arg(folder.path()),
    );
    let port = server.read_port("Serving HTTP on 127.0.0.1 port ");
    let site = format!("http://127.0.0.1:{port}");

    let urls = [format!("{site}/"), format!("{site}/nothing?at=all"), format!("{site}/sub")];
    let run = website_status(&urls);
    let moved = format!("301 Moved Permanently -> {site}/sub/");
    assert_eq!(run.results(), ["200 OK", "404 File not found", &moved]);
    assert_eq!(run.code, Some(0), "an error that a server tells of is an answer");

    let run = website_status(&[site.replace("http:", "https:")]);
    assert_eq!(run.results(), ["error: the peer does not speak TLS"]);
    assert_eq!(run.code, Some(1));
}

#[test]
fn certificates_are_verified() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let good = authority.serve("good", "DNS:localhost,IP:127.0.0.1", ["-days", "7"]);
    let strange = authority.serve("strange", "DNS:example.org", ["-days", "7"]);
    let expired = authority.serve("expired", "IP:127.0.0.1", ["-enddate", "20200102000000Z"]);
    let [good, strange, expired] =
        [&good, &strange, &expired].map(|it| it.read_port("ACCEPT 127.0.0.1:"));

    let cafile = authority.certificate();
    let run = website_status(&[
        "--cafile",
        cafile.to_str().unwrap(),
        &format!("https://127.0.0.1:{good}/"),
        &format!("https://127.0.0.1:{strange}/"),
        &format!("https://127.0.0.1:{expired}/"),
        &format!("https://localhost:{good}/"),
    ]);
    let another_name = "error: the certificate is for another name: \
                        127.0.0.1 was asked for, it is for example.org";
    let results = ["200 ok", another_name, "error: the certificate has expired", "200 ok"];
    assert_eq!(run.results(), results);
    assert_eq!(run.code, Some(1));

    // Without `--cafile` the platform decides, and it has never heard of our authority.
    let run = website_status(&[format!("https://127.0.0.1:{good}/")]);
    assert_eq!(run.results(), ["error: the certificate is from an issuer that we don't know"]);
}

#[test]
fn a_host_that_is_not_there_is_told_in_plain_words() {
    let refused = refused_port();
    let run = website_status(&[
        format!("http://127.0.0.1:{refused}/"),
        format!("https://127.0.0.1:{refused}/"),
        "http://something.invalid/".to_owned(),
    ]);
    let results = run.results();
    assert_eq!(results[..2], ["error: connection refused", "error: connection refused"]);
    assert!(results[2].starts_with("error: unknown host: "), "{}", results[2]);
    assert_eq!(run.code, Some(1));
}

#[test]
fn a_peer_that_is_no_web_server_is_told_in_plain_words() {
    let headers = "X: y\r\n".repeat(200);
    let cases: &[(&str, &str)] = &[
        ("", "error: the server closed the connection before a reply came"),
        ("HTTP/1.1 2", "error: the server closed the connection in the middle of the status line"),
        (
            "HTTP/1.1 200 OK\r\nServer: x",
            "error: the server closed the connection in the middle of the headers",
        ),
        (
            "SSH-2.0-OpenSSH_9.9\r\n",
            "error: the reply is not HTTP/1: it begins with \"SSH-2.0-OpenSSH_9.9\"",
        ),
        (
            "\x1b[2Jgarbage without a line's end",
            "error: the reply is not HTTP/1: it begins with \"\u{fffd}[2Jgarbage without a line's end\"",
        ),
        (
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "error: the reply is not HTTP/1: it begins with \"HTTP/1.1 200 OK\"",
        ),
        (
            &format!("HTTP/1.1 200 {}\r\n\r\n", "O".repeat(100_000)),
            "error: the status line is longer than 16384 bytes",
        ),
        (
            &format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(100_000)),
            "error: a header is longer than 16384 bytes",
        ),
        (
            &format!("HTTP/1.1 200 OK\r\n{headers}\r\n"),
            "error: the reply has more than 100 headers",
        ),
        // And some that look odd, but are fine.
        ("HTTP/1.1 200\r\n\r\n", "200"),
        ("HTTP/1.0 200 Fine\n\n", "200 Fine"),
        ("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "200 OK"),
        (
            "HTTP/1.1 302 \x08Found\r\nLocation: //a.example/\r\n\r\n",
            "error: the reply is not HTTP/1: it begins with \"HTTP/1.1 302 \u{fffd}Found\"",
        ),
        ("HTTP/1.1 302 Found\r\nLocation: //a.example/\r\n\r\n", "302 Found -> http://a.example/"),
    ];
    let urls: Vec<_> =
        cases.iter().map(|(reply, _)| format!("http://{}/", replying(reply))).collect();
    let run = website_status(&urls);
    let expected: Vec<_> = cases.iter().map(|(_, result)| *result).collect();
    assert_eq!(run.results(), expected);
    assert_eq!(run.code, Some(1));

    let run = website_status(&[format!("https://{}/", replying(""))]);
    assert_eq!(run.results(), ["error: the peer ended the connection during the handshake"]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A socket that is closed with something unread resets its connection.
    serve_each(listener, |stream| {
        let _ = stream.peek(&mut [0]);
    });
    let run = website_status(&[format!("http://{address}/"), format!("https://{address}/")]);
    let broken = [
        "error: the connection broke before a reply came: connection reset",
        "error: the connection broke during the TLS handshake: connection reset",
    ];
    assert_eq!(run.results(), broken);
}

#[test]
fn a_host_that_never_answers_is_given_up() {
    // The system accepts connections for a listener, which never takes them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();

    // slow: the time has to pass
    let run = website_status(&["--timeout", "0.4", &format!("http://{address}/")]);
    assert_eq!(run.results(), ["error: connected, but no reply within 400ms"]);
    assert_eq!(run.code, Some(1));

    // slow: the same, with time enough to connect on a machine that is busy
    let folder = tempfile::tempdir().unwrap();
    let cafile = Authority::new(folder.path()).certificate();
    let cafile = cafile.to_str().unwrap();
    let url = format!("https://{address}/");
    let run = website_status(&["--timeout", "3", "--cafile", cafile, &url]);
    assert_eq!(run.results(), ["error: connected, but no TLS handshake within 1.5s"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_host_that_does_not_even_accept_is_given_up() {
    // Linux ignores whoever wants to connect while a listener's queue is full.
    let script = "import socket, sys\n\
                  listener = socket.socket()\n\
                  listener.bind(('127.0.0.1', 0))\n\
                  listener.listen(0)\n\
                  print('port', listener.getsockname()[1], flush=True)\n\
                  sys.stdin.read()";
    let server = Server::start(Command::new("python3").args(["-c", script]).stdin(Stdio::piped()));
    let address = SocketAddr::from(([127, 0, 0, 1], server.read_port("port ")));
    let mut queue = Vec::new();
    // slow: that a connection is ignored shows only by waiting
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queue.push(stream);
        assert!(queue.len() < 100, "the queue is never full");
    }

    let urls = [format!("http://{address}/"), format!("https://{address}/")];
    let run = website_status(&["--timeout", "0.4", &urls[0], &urls[1]]);
    let expected = "error: no connection within 400ms";
    assert_eq!(run.results(), [expected, expected]);
}

#[test]
fn no_more_checks_run_at_once_than_are_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let open = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    // Each request waits for a second one. So if there were less than two at once, none would end.
    let two = Arc::new(Barrier::new(2));
    let serve = {
        let most = most.clone();
        move |stream| {
            most.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
            two.wait();
            open.fetch_sub(1, SeqCst);
            answer(stream, "HTTP/1.1 200 OK\r\n\r\n");
        }
    };
    serve_each(listener, serve);

    let mut arguments = vec!["--concurrency".to_owned(), "2".to_owned()];
    arguments.extend((0..6).map(|_| url.clone()));
    let run = website_status(&arguments);
    assert_eq!(run.results(), ["200 OK"; 6]);
    assert_eq!(most.load(SeqCst), 2);
    assert_eq!(run.code, Some(0));
}

#[cfg(unix)]
#[test]
fn on_a_terminal_a_line_tells_how_far_it_is() {
    // A program under `pty.spawn` has a terminal, of which this is what can be seen.
    let script = "import os, pty, sys\n\
                  sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let run = Run::of(Command::new("python3").args(["-c", script]).arg(program()));

    let [before, after] = run.output.split("\r\x1b[K").collect::<Vec<_>>()[..] else {
        panic!("the line is not erased, or not once: {:?}", run.output)
    };
    let (before, progress) = before.split_once("All at once:\r\n").unwrap();
    let steps: Vec<_> = (0..=10).map(|done| format!("\r{done} of 10 done")).collect();
    assert_eq!(progress, steps.concat());
    assert_eq!(before.lines().count(), 1 + 10);
    assert_eq!(after.lines().count(), 10 + 1);
    assert!(!before.contains(" done") && !after.contains(" done"), "{}", run.output);
    assert_eq!(run.code, Some(1));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_with_status_130() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("http://{}/", silent.local_addr().unwrap());
    let failing_url = format!("http://127.0.0.1:{}/", refused_port());
    let mut command = Command::new(program());
    command.args(["--concurrency", "1", &failing_url, &silent_url]);
    let mut child = Running::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
    // Once it has connected, the first check has failed, and the second waits for the reply.
    let (stream, _) = silent.accept().unwrap();
    assert_eq!(child.ctrl_c(), Some(130));

    let mut complaints = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!(complaints, "");
    drop(stream);
}

fn website_status(arguments: &[impl AsRef<OsStr>]) -> Run {
    Run::of(Command::new(program()).args(arguments))
}

fn program() -> PathBuf {
    example("website_status")
}

impl Run {
    /// What is said of each URL.
    fn results(&self) -> Vec<&str> {
        self.output.lines().map(result_of).collect()
    }
}

/// What a line says after its URL.
fn result_of(line: &str) -> &str {
    let (_url, result) = line.trim_start().split_once("  ").expect("a URL and a result");
    result.trim_start()
}

/// A certificate authority, made with the command line of OpenSSL.
struct Authority {
    folder: PathBuf,
}

impl Authority {
    const CONFIG: &str = "
[req]
distinguished_name = name
prompt = no
[name]
commonName = A test
[authority]
basicConstraints = critical, CA:TRUE
[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
rand_serial = yes
certificate = authority.pem
private_key = authority.key
default_md = sha256
policy = policy
[policy]
commonName = supplied
";

    fn new(folder: &Path) -> Self {
        let authority = Self { folder: folder.to_owned() };
        fs::write(folder.join("config"), Self::CONFIG).unwrap();
        fs::write(folder.join("index.txt"), "").unwrap();
        fs::write(folder.join("index.txt.attr"), "unique_subject = no\n").unwrap();
        authority.openssl(&format!(
            "req -x509 -config config -extensions authority -days 7 -subj /CN=An.authority \
             {NEW_KEY} -keyout authority.key -out authority.pem"
        ));
        authority
    }

    fn certificate(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// Starts a server with a certificate for `names`. `until` says for how long it is valid.
    fn serve(&self, file: &str, names: &str, until: [&str; 2]) -> Server {
        fs::write(self.folder.join("names"), format!("subjectAltName = {names}\n")).unwrap();
        let [option, until] = until;
        self.openssl(&format!(
            "req -new -config config {NEW_KEY} -keyout {file}.key -out {file}.csr"
        ));
        self.openssl(&format!(
            "ca -batch -config config -notext -extfile names -startdate 20200101000000Z \
             {option} {until} -in {file}.csr -out {file}.pem"
        ));
        let arguments =
            format!("s_server -www -accept 127.0.0.1:0 -cert {file}.pem -key {file}.key");
        Server::start(self.command(&arguments).stdin(Stdio::null()))
    }

    fn openssl(&self, arguments: &str) {
        let mut command = self.command(arguments);
        let output = command.output();
        let output = output.unwrap_or_else(|e| panic!("`openssl` can't be started: {e}"));
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {complaints}");
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace()).current_dir(&self.folder);
        command
    }
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// A port that nobody listens on.
fn refused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that answers each request with `reply`, whatever that is, and closes the connection.
fn replying(reply: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reply = reply.to_owned();
    serve_each(listener, move |stream| answer(stream, &reply));
    address
}

/// Serves each connection in a thread of its own, for as long as the test process lives.
fn serve_each(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Clone + 'static) {
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
}

/// Reads what comes first and sends `reply`. A client that has heard enough may hang up before its end.
fn answer(mut stream: TcpStream, reply: &str) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request);
    let _ = stream.write_all(reply.as_bytes());
}
