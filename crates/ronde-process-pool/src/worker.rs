//! A worker, as the program sees it.

use std::cell::Cell;
use std::env;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ronde_loop::{LoopHandle, timeout};
use ronde_process::{Process, ReturnCode, create_subprocess_exec};
use ronde_streams::{StreamReader, StreamWriter, from_socket};

use crate::error::ProcessPoolError;
use crate::registry::WORKER_ARGUMENT;
use crate::sys;
use crate::wire::{self, Kind, Reply};

/// How long a worker that has closed its socket may take to end.
const GRACE: Duration = Duration::from_secs(1);

/// How workers are started.
#[derive(Debug)]
pub(crate) struct Start {
    /// This program, if none is given.
    pub(crate) program: Option<PathBuf>,
    pub(crate) limit: Duration,
    pub(crate) functions: Vec<&'static str>,
}

/// A process that runs jobs, and is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Process,
    reader: StreamReader,
    writer: StreamWriter,
    /// Its streams are of use on this loop alone.
    event_loop: LoopHandle,
    pub(crate) busy: Cell<bool>,
    /// How many jobs it has been given.
    pub(crate) jobs: Cell<usize>,
}

/// How a job went.
pub(crate) enum Outcome {
    Replied(Reply),
    /// The worker ended, and had not begun.
    NotBegun(ReturnCode),
    /// The worker ended, and had begun.
    Crashed(ReturnCode),
}

impl Worker {
    /// Starts one, which isn't [ready](Self::ready) yet.
    pub(crate) async fn start(
        start: &Start,
        event_loop: &LoopHandle,
    ) -> Result<Self, ProcessPoolError> {
        let program = match &start.program {
            Some(program) => program.clone(),
            None => env::current_exe().map_err(ProcessPoolError::Program)?,
        };
        let (socket, stdin) = sys::socket_and_stdin().map_err(ProcessPoolError::Socket)?;
        let opened = from_socket(socket).await;
        let (reader, writer) =
            opened.map_err(|error| ProcessPoolError::Socket(io::Error::other(error)))?;
        let command = create_subprocess_exec(program).arg(WORKER_ARGUMENT).stdin(stdin);
        let process = command.kill_on_drop(true).await.map_err(ProcessPoolError::Spawn)?;
        let event_loop = event_loop.clone();
        let (busy, jobs) = (Cell::new(true), Cell::new(0));
        Ok(Self { process, reader, writer, event_loop, busy, jobs })
    }

    /// Waits until it has said what it can do.
    pub(crate) async fn ready(&self, start: &Start) -> Result<(), ProcessPoolError> {
        match timeout(start.limit, self.receive()).await {
            Err(_) => Err(ProcessPoolError::NotReady { waited: start.limit }),
            Ok(None) => Err(ProcessPoolError::EndedEarly { returncode: self.returncode().await }),
            Ok(Some(hello)) => {
                let functions: Vec<String> = wire::decode(&hello.content).unwrap_or_default();
                if hello.kind == Kind::Hello && functions == start.functions {
                    Ok(())
                } else {
                    Err(ProcessPoolError::OtherFunctions { functions })
                }
            }
        }
    }

    /// As far as is known: it may have ended just now.
    pub(crate) fn is_of_use_on(&self, event_loop: &LoopHandle) -> bool {
        self.process.returncode().is_none() && self.event_loop == *event_loop
    }

    pub(crate) fn kill(&self) {
        // If it has ended, all is well.
        let _ = self.process.kill();
    }

    /// The process of a worker that is to do no more. It sees the end of its socket, and ends.
    pub(crate) fn dismiss(self) -> Process {
        self.process
    }

    pub(crate) async fn run(&self, request: &[u8]) -> Outcome {
        self.jobs.set(self.jobs.get() + 1);
        // If it is gone, the answer is missing.
        self.writer.write(request);
        match self.receive().await {
            Some(Reply { kind: Kind::Begun, .. }) => {}
            _ => return Outcome::NotBegun(self.returncode().await),
        }
        match self.receive().await {
            Some(reply) => Outcome::Replied(reply),
            None => Outcome::Crashed(self.returncode().await),
        }
    }

    /// `None` if the worker is gone, whatever the system calls it.
    async fn receive(&self) -> Option<Reply> {
        let head = self.reader.readexactly(wire::HEAD).await.ok()?;
        let length = wire::length(&head)?;
        let frame = self.reader.readexactly(length).await.ok()?;
        Reply::of_frame(&frame)
    }

    /// How a worker ended that has closed its socket.
    async fn returncode(&self) -> ReturnCode {
        if let Ok(returncode) = timeout(GRACE, self.process.wait()).await {
            return returncode;
        }
        self.kill();
        self.process.wait().await
    }
}
