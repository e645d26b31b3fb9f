//! Runs programs that may hang or panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::parse::Program;
use crate::run::run;

/// What became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Played {
    /// It ended, with this trace.
    Trace(Vec<String>),
    /// It is no program, for this reason.
    Malformed(String),
    /// The interpreter, or ronde, panicked with this message.
    Panicked(String),
    /// It was still running when its time was over.
    Hung(Duration),
}

/// Runs programs one after the other, on a thread of its own.
///
/// A thread that hangs is left behind, and the next program gets a new one.
///
/// ```
/// use ronde_conformance::{Played, Player};
///
/// let mut player = Player::default();
/// let played = player.play(r#"{"coroutines": {"main": [{"op": "yield"}]}}"#);
/// assert!(matches!(played, Played::Trace(lines) if lines[0] == "0 T1 yield ok"));
/// assert!(matches!(player.play("{}"), Played::Malformed(_)));
/// ```
#[derive(Debug)]
pub struct Player {
    limit: Duration,
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Thread {
    programs: Sender<String>,
    outcomes: Receiver<Played>,
}

impl Default for Player {
    fn default() -> Self {
        Self::new(Duration::from_secs(10))
    }
}

impl Player {
    /// Makes a player that gives each program `limit` of real time.
    pub fn new(limit: Duration) -> Self {
        Self { limit, thread: None }
    }

    /// Runs a program, given as its text.
    pub fn play(&mut self, program: &str) -> Played {
        let thread = self.thread.take().unwrap_or_else(Thread::start);
        // If it has ended, there is no outcome either.
        let _ = thread.programs.send(program.to_owned());
        match thread.outcomes.recv_timeout(self.limit) {
            Ok(played) => {
                self.thread = Some(thread);
                played
            }
            Err(RecvTimeoutError::Timeout) => Played::Hung(self.limit),
            Err(RecvTimeoutError::Disconnected) => {
                Played::Panicked("the thread has ended".to_owned())
            }
        }
    }
}

impl Thread {
    fn start() -> Self {
        let (programs, received) = channel::<String>();
        let (sender, outcomes) = channel();
        thread::spawn(move || {
            for program in received {
                if sender.send(play(&program)).is_err() {
                    return;
                }
            }
        });
        Self { programs, outcomes }
    }
}

fn play(program: &str) -> Played {
    let program = match Program::parse(program) {
        Ok(program) => program,
        Err(error) => return Played::Malformed(error.to_string()),
    };
    match catch_unwind(AssertUnwindSafe(|| run(&program))) {
        Ok(trace) => Played::Trace(trace),
        Err(payload) => Played::Panicked(match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => payload.downcast_ref::<&str>().copied().unwrap_or("no text").to_owned(),
        }),
    }
}
