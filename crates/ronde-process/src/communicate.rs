//! Talking to a child until it has ended.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io::ErrorKind;
use std::pin::Pin;

use bytes::Bytes;
use futures_lite::future::{poll_once, try_zip};
use ronde_streams::{ReadError, StreamReader, StreamWriter};

use crate::error::CommunicateError;
use crate::process::Process;
use crate::reap::not_cancelled;
use crate::returncode::ReturnCode;

/// What a child said, and how it ended.
///
/// # In asyncio
///
/// The pair that `Process.communicate` returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// All of its standard output, if that is a pipe and was not taken.
    pub stdout: Option<Bytes>,
    /// All of its error output, if that is a pipe and was not taken.
    pub stderr: Option<Bytes>,
    /// How it ended.
    pub returncode: ReturnCode,
}

/// Talks to a child until it has ended: see [`Process::communicate`].
#[must_use = "nothing happens until it is awaited"]
pub struct Communicate<'a> {
    process: &'a Process,
    input: Option<Box<dyn AsRef<[u8]> + 'a>>,
}

impl<'a> Communicate<'a> {
    pub(crate) fn with(process: &'a Process) -> Self {
        Self { process, input: None }
    }

    /// Gives the child this to read from its standard input.
    pub fn input(mut self, input: impl AsRef<[u8]> + 'a) -> Self {
        self.input = Some(Box::new(input));
        self
    }

    async fn run(self) -> Result<Output, CommunicateError> {
        not_cancelled().await;
        self.give_input().await?;
        let process = self.process;
        let stdout = Pipe { pid: process.pid(), stream: "stdout", reader: process.stdout() };
        let stderr = Pipe { pid: process.pid(), stream: "stderr", reader: process.stderr() };
        // All stays in the buffers until all is there: a cancellation takes nothing away.
        let outputs = try_zip(stdout.end(), stderr.end());
        let ended = async { Ok(process.wait().await) };
        let (_, returncode) = try_zip(outputs, ended).await?;
        let (stdout, stderr) = (stdout.take().await?, stderr.take().await?);
        Ok(Output { stdout, stderr, returncode })
    }

    /// Writes the input, once, and ends it. The loop sends it, whatever becomes of this future.
    async fn give_input(&self) -> Result<(), CommunicateError> {
        let pid = self.process.pid();
        let stdin = match (self.process.stdin(), &self.input) {
            (None, None) => return Ok(()),
            (None, Some(_)) => return Err(CommunicateError::NoStdin { pid }),
            (Some(stdin), _) => stdin,
        };
        if let Some(input) = &self.input {
            if stdin.is_closing() && !is_broken(stdin).await {
                return Err(CommunicateError::InputEnded { pid });
            }
            stdin.write((**input).as_ref());
        }
        stdin.write_eof();
        Ok(())
    }
}

/// Is it closed because the child doesn't read it any more, and not because we have closed it?
async fn is_broken(stdin: &StreamWriter) -> bool {
    matches!(poll_once(stdin.drain()).await, Some(Err(error)) if error.kind() == ErrorKind::BrokenPipe)
}

/// An output of a child.
struct Pipe<'a> {
    pid: u32,
    stream: &'static str,
    reader: Option<&'a StreamReader>,
}

impl Pipe<'_> {
    /// Waits until it has ended, and takes nothing.
    async fn end(&self) -> Result<(), CommunicateError> {
        let Some(reader) = self.reader else { return Ok(()) };
        reader.buffer_to_end().await.map_err(|source| self.failed(source))
    }

    /// Takes all of it. After its end this doesn't wait.
    async fn take(&self) -> Result<Option<Bytes>, CommunicateError> {
        let Some(reader) = self.reader else { return Ok(None) };
        reader.read_to_end().await.map(Some).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: ReadError) -> CommunicateError {
        CommunicateError::Read { pid: self.pid, stream: self.stream, source }
    }
}

impl<'a> IntoFuture for Communicate<'a> {
    type Output = Result<Output, CommunicateError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Communicate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let input = self.input.as_ref().map(|input| (**input).as_ref().len());
        f.debug_struct("Communicate").field("process", self.process).field("input", &input).finish()
    }
}
