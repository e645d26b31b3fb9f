//! The examples, run as a user runs them, and what they print.
//!
//! `cargo test` builds the examples before it runs the tests, but `cargo test --test examples`
//! doesn't.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use program::{Run, example};

#[path = "common/program.rs"]
mod program;

/// Examples that have tests of their own, and where.
const TESTED_ELSEWHERE: &[&str] = &[
    "explore_orders", // below: it shows a failure
    "website_status", // tests/website_status.rs
];

/// Makes a test of each row: the example ends well, complains of nothing, and prints these lines.
///
/// In a line, `{number}` stands for a number, and `{any}` for anything.
macro_rules! examples {
    ($($(#[$attribute:meta])* $name:ident: [$($line:expr),* $(,)?];)*) => {
        const ROWS: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            $(#[$attribute])*
            fn $name() {
                check(stringify!($name), &[$($line),*]);
            }
        )*
    };
}

examples! {
    all_tasks: [
        "main coroutine started",
        "task 0 is running",
        "task 1 is running",
        "task 2 is running",
        "task 3 is running",
        "task 4 is running",
        "task 5 is running",
        "task 6 is running",
        "task 7 is running",
        "task 8 is running",
        "task 9 is running",
        "> Task-1, all_tasks::main",
        "> Task-2, all_tasks::work",
        "> Task-3, all_tasks::work",
        "> Task-4, all_tasks::work",
        "> Task-5, all_tasks::work",
        "> Task-6, all_tasks::work",
        "> Task-7, all_tasks::work",
        "> Task-8, all_tasks::work",
        "> Task-9, all_tasks::work",
        "> Task-10, all_tasks::work",
        "> Task-11, all_tasks::work",
    ];
    async_generator: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    async_iterator: ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
    background_tasks: [
        "main waits for 3 tasks",
        "task 1 is done",
        "task 2 is done",
        "task 3 is done",
        "main waits for 3 tasks",
        "the helper of task 1 is done",
        "the helper of task 2 is done",
        "the helper of task 3 is done",
        "all tasks are done",
    ];
    callbacks: [
        "a callback was removed: true",
        "the second was cancelled",
        "the first is done",
        "and this callback runs after the other",
        "main gives way",
        "the first was done before",
    ];
    cancel_task: [
        "main coroutine started",
        "executing the task",
        "was canceled: true",
        "canceled: true",
        "main coroutine done",
    ];
    chat_server: [
        "Anna reads: Welcome, Anna.",
        "Otto reads: Welcome, Otto.",
        "Anna reads: Otto has come",
        "Otto reads: Anna: Good morning!",
        "Anna reads: Otto: Is it?",
        "Otto reads: Anna has left",
    ];
    clean_up: ["tidied up", "Err(Cancelled({any}))"];
    comprehensions: [
        "long: [\"not\"]",
        "loud: [\"TO\", \"BE\", \"OR\", \"NOT\", \"TO\", \"BE\"]",
        "set: {\"be\", \"not\", \"or\", \"to\"}",
        "lengths: {\"be\": 2, \"not\": 3, \"or\": 2, \"to\": 2}",
        "squares: [1, 4, 9, 16, 25]",
    ];
    context_manager: [
        ">entering the context manager",
        "within the manager",
        ">exiting the context manager",
    ];
    current_task: ["main coroutine started", "<Task pending name='Task-1' coro=<current_task::main>{any}>"];
    delay: [
        "main starts a report that is due later",
        "main works, step 1",
        "main works, step 2",
        "main works, step 3",
        "report: it is time",
        "the report had 10 characters",
    ];
    echo_server: ["message 1", "message 2", "message 3"];
    event_loop: ["<EventLoop running=false closed=false debug=false>"];
    first: ["soup is ready, bread is ready"];
    follow_up: [
        "downloading maps",
        "unpacking 4000 bytes",
        "unpacked",
        "downloading music",
        "Task-3 is done",
        "main got 5000 bytes",
        "unpacking 5000 bytes",
        "unpacked",
    ];
    gather_many: [
        "main starting",
        ">task 0 executing",
        ">task 1 executing",
        ">task 2 executing",
        ">task 3 executing",
        ">task 4 executing",
        ">task 5 executing",
        ">task 6 executing",
        ">task 7 executing",
        ">task 8 executing",
        ">task 9 executing",
        "main done",
    ];
    graceful_shutdown: [
        "client 100: that took 100 ms",
        "no more clients; 2 connections are open",
        "client 700: that took 700 ms",
        "time is up; connections that are cut off: 1",
        "client 60000: no answer",
        "the server has ended",
    ];
    #[cfg(unix)] // There its host can wait for it.
    guest_loop: ["hello, guest 1", "hello, guest 2"];
    #[cfg(all(unix, feature = "process-pool"))] // Processes are pooled there only.
    loop_per_core: ["64 clients of several loops have read: milk, bread"];
    process_pool: [
        "17984 primes below 200000, counted here in {any}",
        "17984 primes below 200000, counted in processes in {any}",
    ];
    producer_consumer: [
        "the soup is on the counter, with 1 in all",
        "the bread is on the counter, with 2 in all",
        "the fish is on the counter, with 3 in all",
        "the rice is on the counter, with 2 in all",
        "the cake is on the counter, with 3 in all",
        "Anna has served the soup",
        "Otto has served the bread",
        "the tea is on the counter, with 2 in all",
        "the cook is done",
        "Anna has served the fish",
        "Otto has served the rice",
        "Anna has served the cake",
        "Otto has served the tea",
        "all guests have eaten",
        "Anna goes home",
        "Otto goes home",
    ];
    progress: ["....................", "All done"];
    #[cfg(unix)]
    redis: [
        r#"Some("hello")"#,
        "counted to 100",
        "Err(TimeoutError)",
        "0 in flight",
        "the server refuses: ERR value is not an integer or out of range",
        "2 deleted",
        "it works",
    ];
    run_coroutine: ["nothing has run yet", "hello from a coroutine", "and it returned this"];
    run_in_executor: [
        "in a pool of our own: ours_0",
        "in rayon's: 332833500 and 333283335000",
    ];
    shield: [
        "cancelled: true",
        "shielded was cancelled",
        "shielded: <Task cancelled name='Task-3' coro=<ronde::shield::Shield<u32>>{any}>",
        "task: <Task finished name='Task-2' coro=<shield::work>{any} result=1>",
    ];
    #[cfg(unix)] // There the program `echo` is found everywhere.
    subprocess_exec: ["Hello World", "subprocess: <Process {number}>"];
    #[cfg(unix)]
    subprocess_shell: ["Hello World", "subprocess: <Process {number}>"];
    to_thread: [
        "Main running the blocking task",
        "Main doing other things",
        "Task starting",
        "Task done",
    ];
    wait_all: [
        ">task {number} done with 0.{number}",
        ">task {number} done with 0.{number}",
        ">task {number} done with 0.{number}",
        ">task {number} done with 0.{number}",
        ">task {number} done with 0.{number}",
        ">task {number} done with 0.{number}",
        ">task {number} done with 0.{number}",
        ">task {number} done with 0.{number}",
        ">task {number} done with 0.{number}",
        ">task {number} done with 0.{number}",
        "All done",
    ];
    wait_for_timeout: [">task got 1.{number}", "Gave up waiting, task canceled"];
}

#[test]
fn every_example_has_a_row() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let examples: BTreeSet<_> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let tested = ROWS.iter().chain(TESTED_ELSEWHERE).map(|name| (*name).to_owned());
    assert_eq!(examples, tested.collect());
}

#[test]
fn wait_all_ends_its_tasks_in_the_order_of_their_times() {
    let run = Run::of(&mut Command::new(example("wait_all")));
    let lines = run.output.lines().filter_map(|line| line.strip_prefix(">task "));
    let (tasks, times): (BTreeSet<u32>, Vec<f64>) = lines
        .map(|line| {
            let (task, time) = line.split_once(" done with ").unwrap();
            (task.parse::<u32>().unwrap(), time.parse::<f64>().unwrap())
        })
        .unzip();
    assert_eq!(tasks, (0..10).collect());
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn explore_orders_says_the_seed_that_breaks_the_program_and_that_one_does_it_alone() {
    let run = Run::of(&mut Command::new(example("explore_orders")));
    assert_eq!(run.output, "with the lock, no order of 100 loses money\n");
    assert_eq!(run.code, Some(0));
    let (_, line) = run.complaints.split_once("failed with seed ").unwrap();
    let (seed, _) = line.split_once(' ').unwrap();

    let again = Run::of(Command::new(example("explore_orders")).env("RONDE_SEED", seed));
    assert!(again.complaints.contains(&format!("failed with seed {seed} ")));
    assert_eq!(again.complaints.matches("money was lost").count(), 1);
}

/// With a port the servers serve for real, until Ctrl-C.
#[cfg(unix)]
mod servers {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpStream;
    use std::process::Command;

    use super::program::{DEADLINE, Server, example};

    /// A client of such a server.
    struct Client(BufReader<TcpStream>);

    impl Client {
        fn say(&mut self, line: &str) {
            self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
        }

        /// The next line, without its end. Nothing at the end of the stream.
        fn read(&mut self) -> String {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        }
    }

    /// Starts the server on a port that the system chooses, which it tells.
    fn start(name: &str) -> (Server, impl Fn() -> Client) {
        let server = Server::start(Command::new(example(name)).arg("0"));
        let line = server.lines.recv_timeout(DEADLINE).unwrap();
        let address = line.strip_prefix("listening on ").unwrap().to_owned();
        let connect = move || {
            let stream = TcpStream::connect(&address).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            Client(BufReader::new(stream))
        };
        (server, connect)
    }

    #[test]
    fn the_echo_server_serves_until_ctrl_c() {
        let (mut server, connect) = start("echo_server");
        let mut client = connect();
        client.say("hello");
        assert_eq!(client.read(), "hello");
        drop(client);
        assert_eq!(server.process.ctrl_c(), Some(130));
    }

    #[test]
    fn the_chat_server_lets_nobody_in_twice() {
        let (mut server, connect) = start("chat_server");
        let (mut anna, mut twin) = (connect(), connect());
        assert_eq!([anna.read(), twin.read()], ["Your name?", "Your name?"]);
        anna.say("Anna");
        assert_eq!(anna.read(), "Welcome, Anna.");
        twin.say("Anna");
        assert_eq!(twin.read(), "Somebody here has that name already.");
        assert_eq!(twin.read(), "");
        drop((anna, twin));
        assert_eq!(server.process.ctrl_c(), Some(130));
    }

    #[test]
    fn the_server_that_ends_gracefully_lets_a_client_finish() {
        let (mut server, connect) = start("graceful_shutdown");
        let mut client = connect();
        client.say("soon");
        assert_eq!(client.read(), "soon: invalid digit found in string");

        let mut client = connect();
        client.say("800");
        // Once this one is answered, the server has long got the other's request as well.
        let mut another = connect();
        another.say("1");
        assert_eq!(another.read(), "that took 1 ms");
        assert_eq!(another.read(), "");
        assert_eq!(server.process.ctrl_c(), Some(130));
        assert_eq!(client.read(), "that took 800 ms");
        let told: Vec<_> = server.lines.iter().collect();
        assert_eq!(told, ["no more clients; 1 connections are open", "all of them have finished"]);
    }
}

/// Runs an example without arguments and compares what it prints with `expected`, line by line.
fn check(name: &str, expected: &[&str]) {
    let run = Run::of(&mut Command::new(example(name)));
    assert_eq!((&*run.complaints, run.code), ("", Some(0)), "{name} printed:\n{}", run.output);
    let lines: Vec<_> = run.output.lines().collect();
    let same = lines.len() == expected.len()
        && lines.iter().zip(expected).all(|(line, pattern)| is_like(line, pattern));
    assert!(same, "{name} printed:\n{}\nexpected:\n{}", run.output, expected.join("\n"));
}

/// What may stand in a pattern for some characters, one at least, and for which.
type Wildcard = (&'static str, fn(char) -> bool);

const WILDCARDS: [Wildcard; 2] = [("{number}", |c| c.is_ascii_digit()), ("{any}", |_| true)];

/// Does the line have the form of the pattern?
fn is_like(line: &str, pattern: &str) -> bool {
    let found = WILDCARDS.iter().filter_map(|it| Some((pattern.find(it.0)?, it)));
    let Some((at, (wildcard, fits))) = found.min_by_key(|(at, _)| *at) else {
        return line == pattern;
    };
    let (literal, rest) = (&pattern[..at], &pattern[at + wildcard.len()..]);
    let Some(line) = line.strip_prefix(literal) else { return false };
    let most = line.find(|character| !fits(character)).unwrap_or(line.len());
    let ends = line.char_indices().map(|(index, character)| index + character.len_utf8());
    ends.take_while(|end| *end <= most).any(|end| is_like(&line[end..], rest))
}

#[test]
fn a_line_is_like_its_pattern_or_not() {
    assert!(is_like("task 12 of 3", "task {number} of {number}"));
    assert!(is_like("<Task name=x {}>", "<{any} {}>"));
    assert!(!is_like("task x", "task {number}"));
    assert!(!is_like("task ", "task {any}"), "something must stand there");
    assert!(!is_like("task 1 or so", "task {number}"));
    assert!(!is_like("a task 1", "task {number}"));
}
