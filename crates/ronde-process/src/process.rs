//! A child process.

use std::fmt;
use std::sync::Arc;

use ronde_loop::get_running_loop;
use ronde_streams::{StreamReader, StreamWriter};

use crate::communicate::Communicate;
use crate::error::SignalError;
use crate::reap::Reaped;
use crate::returncode::ReturnCode;
use ronde_loop::Signal;

/// A child process.
///
/// Made by [`create_subprocess_exec`](crate::create_subprocess_exec) and
/// [`create_subprocess_shell`](crate::create_subprocess_shell). Its streams are there if they were
/// [piped](crate::Stdio::piped). A child that writes more than a pipe holds waits until somebody reads:
/// [`communicate`](Self::communicate) reads both outputs at once.
///
/// Dropping it closes our ends of its pipes, and leaves the child running, unless
/// [`kill_on_drop`](crate::CreateSubprocess::kill_on_drop) was asked for. However that may be, the child
/// is reaped as soon as it ends, also when the loop is busy or closed by then: no zombie is left.
///
/// # In asyncio
///
/// `asyncio.subprocess.Process`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_process::{Stdio, create_subprocess_exec};
///
/// # EventLoop::new()?.run_until_complete(async {
/// let process = create_subprocess_exec("cat")
///     .stdin(Stdio::piped())
///     .stdout(Stdio::piped())
///     .await?;
/// let (stdin, stdout) = (process.stdin().unwrap(), process.stdout().unwrap());
///
/// stdin.write("hello\n");
/// assert_eq!(stdout.readline().await?, "hello\n");
/// assert_eq!(process.returncode(), None);
///
/// stdin.close();
/// assert!(process.wait().await.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[doc(alias = "Child")]
#[doc(alias = "Popen")]
pub struct Process {
    reaped: Arc<Reaped>,
    stdin: Option<StreamWriter>,
    stdout: Option<StreamReader>,
    stderr: Option<StreamReader>,
    own_group: bool,
    kill_on_drop: bool,
}

impl Process {
    pub(crate) fn new(
        reaped: Arc<Reaped>,
        stdin: Option<StreamWriter>,
        stdout: Option<StreamReader>,
        stderr: Option<StreamReader>,
        own_group: bool,
        kill_on_drop: bool,
    ) -> Self {
        Self { reaped, stdin, stdout, stderr, own_group, kill_on_drop }
    }

    /// Its process id. That of the shell, for a command of the shell.
    ///
    /// When it has [ended](Self::returncode), the id is free, and may become another's.
    ///
    /// # In asyncio
    ///
    /// `Process.pid`.
    #[doc(alias = "id")]
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.reaped.pid()
    }

    /// How it ended. `None` while it runs.
    ///
    /// # In asyncio
    ///
    /// `Process.returncode`.
    #[doc(alias = "try_wait")]
    #[doc(alias = "exit_status")]
    #[must_use]
    pub fn returncode(&self) -> Option<ReturnCode> {
        self.reaped.returncode()
    }

    /// Its standard input, if that is a pipe and nobody has [taken](Self::take_stdin) it.
    ///
    /// When the child doesn't read it any more, what is written is lost, and
    /// [`drain`](StreamWriter::drain) gives [`BrokenPipe`](std::io::ErrorKind::BrokenPipe).
    ///
    /// # In asyncio
    ///
    /// `Process.stdin`.
    #[must_use]
    pub fn stdin(&self) -> Option<&StreamWriter> {
        self.stdin.as_ref()
    }

    /// Its standard output, if that is a pipe and nobody has [taken](Self::take_stdout) it.
    ///
    /// # In asyncio
    ///
    /// `Process.stdout`.
    #[must_use]
    pub fn stdout(&self) -> Option<&StreamReader> {
        self.stdout.as_ref()
    }

    /// Its error output, if that is a pipe and nobody has [taken](Self::take_stderr) it.
    ///
    /// # In asyncio
    ///
    /// `Process.stderr`.
    #[must_use]
    pub fn stderr(&self) -> Option<&StreamReader> {
        self.stderr.as_ref()
    }

    /// Takes its standard input, for another task say. Dropping that ends the input.
    pub fn take_stdin(&mut self) -> Option<StreamWriter> {
        self.stdin.take()
    }

    /// Takes its standard output, for another task say.
    pub fn take_stdout(&mut self) -> Option<StreamReader> {
        self.stdout.take()
    }

    /// Takes its error output, for another task say.
    pub fn take_stderr(&mut self) -> Option<StreamReader> {
        self.stderr.take()
    }

    /// Waits until it has ended. Any number of tasks may wait.
    ///
    /// If an output is a pipe that nobody reads, the child may never end: it waits for room in the pipe.
    /// [`communicate`](Self::communicate) reads.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** The child is reaped whether or not somebody waits, and how it ended is kept.
    ///
    /// # In asyncio
    ///
    /// `Process.wait`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// use ronde_process::{ReturnCode, create_subprocess_exec};
    ///
    /// # EventLoop::new()?.run_until_complete(async {
    /// let process = create_subprocess_exec("false").await?;
    /// assert_eq!(process.wait().await, ReturnCode::Exited(1));
    /// assert_eq!(process.returncode(), Some(ReturnCode::Exited(1)));
    /// # Ok::<(), ronde_process::SpawnError>(())
    /// # })?.unwrap();
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "status")]
    #[doc(alias = "join")]
    pub async fn wait(&self) -> ReturnCode {
        self.reaped.ended().await
    }

    /// Gives it input, if there is some to [give](Communicate::input), ends its standard input, reads both
    /// outputs to their ends, and waits until it has ended. Await the result.
    ///
    /// Outputs that aren't pipes, or were taken, are `None`. That the child doesn't read its input is
    /// no error. An output ends when nobody has it open any more: a program that the child has left
    /// running in the background may hold it.
    ///
    /// All is kept in memory, so it is not for outputs without end.
    ///
    /// # Errors
    ///
    /// - [`NoStdin`](crate::CommunicateError::NoStdin) if there is input to give and its standard
    ///   input is no pipe.
    /// - [`InputEnded`](crate::CommunicateError::InputEnded) if there is input to give and an earlier call
    ///   has ended the standard input.
    /// - [`Read`](crate::CommunicateError::Read) if an output can't be read, because another task reads it
    ///   for example.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** The first poll hands all the input over, and the loop sends it, whether or not somebody
    /// waits. What was read stays in the buffers of [`stdout`](Self::stdout) and [`stderr`](Self::stderr):
    /// read it there, or call `communicate` again, without input, which gives all of it from the beginning.
    ///
    /// # In asyncio
    ///
    /// `Process.communicate`. There, what was read is lost when a time limit runs out.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use std::time::Duration;
    /// use ronde_loop::timeout;
    /// use ronde_process::{Signal, Stdio, create_subprocess_shell};
    ///
    /// # EventLoop::new()?.run_until_complete(async {
    /// let process = create_subprocess_shell("echo begun; exec sleep 1000")
    ///     .stdout(Stdio::piped())
    ///     .await?;
    /// let limit = Duration::from_millis(100);
    /// if timeout(limit, process.communicate()).await.is_err() {
    ///     process.kill()?;
    /// }
    /// let output = process.communicate().await?;
    /// assert_eq!(output.stdout.unwrap(), "begun\n");
    /// assert_eq!(output.returncode.signal(), Some(Signal::KILL));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?.unwrap();
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "output")]
    #[doc(alias = "wait_with_output")]
    pub fn communicate(&self) -> Communicate<'_> {
        Communicate::with(self)
    }

    /// Sends it a signal. If it has just died, and is not reaped yet, nothing happens.
    ///
    /// # Errors
    ///
    /// - [`SignalError::Ended`] if it has ended. So its process id is never signalled when it may be
    ///   another's already. (Unless the program ignores `SIGCHLD`: then the system frees the id by itself,
    ///   and tells only afterwards.)
    /// - [`SignalError::Io`] if the system refuses.
    ///
    /// # In asyncio
    ///
    /// `Process.send_signal`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// use ronde_process::{ReturnCode, Signal, SignalError, create_subprocess_exec};
    ///
    /// # EventLoop::new()?.run_until_complete(async {
    /// let process = create_subprocess_exec("sleep").arg("1000").await?;
    /// process.send_signal(Signal::USR1)?;
    /// assert_eq!(process.wait().await, ReturnCode::Signaled(Signal::USR1));
    /// assert!(matches!(process.send_signal(Signal::USR1), Err(SignalError::Ended { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?.unwrap();
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn send_signal(&self, signal: Signal) -> Result<(), SignalError> {
        self.signal(signal, false)
    }

    /// Asks it to end: sends it [`Signal::TERM`], which it may ignore. On Windows, ends it.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Self::send_signal).
    ///
    /// # In asyncio
    ///
    /// `Process.terminate`.
    pub fn terminate(&self) -> Result<(), SignalError> {
        self.send_signal(Signal::TERM)
    }

    /// Ends it: sends it [`Signal::KILL`], which it can't ignore. What it has started runs on.
    ///
    /// It doesn't wait; see [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Self::send_signal).
    ///
    /// # In asyncio
    ///
    /// `Process.kill`.
    pub fn kill(&self) -> Result<(), SignalError> {
        self.send_signal(Signal::KILL)
    }

    /// Ends it with all that it has started: sends [`Signal::KILL`] to its process group, which it must
    /// have been [given](crate::CreateSubprocess::own_process_group).
    ///
    /// What has left the group escapes: daemons, and what an interactive shell has started. So does all
    /// of the group once the child itself has ended, since the group's id may then be another's.
    ///
    /// # Errors
    ///
    /// - [`SignalError::NoGroup`] if it was not given a group of its own.
    /// - Those of [`send_signal`](Self::send_signal). On Windows, it is always refused.
    ///
    /// # In asyncio
    ///
    /// `os.killpg(process.pid, signal.SIGKILL)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// use ronde_process::{ReturnCode, Signal, Stdio, create_subprocess_shell};
    ///
    /// # EventLoop::new()?.run_until_complete(async {
    /// let process = create_subprocess_shell("sleep 1000 & sleep 1000 & echo started; wait")
    ///     .stdout(Stdio::piped())
    ///     .own_process_group(true)
    ///     .await?;
    /// assert_eq!(process.stdout().unwrap().readline().await?, "started\n");
    /// process.kill_tree()?;
    /// // The output ends when the last of them has ended.
    /// let output = process.communicate().await?;
    /// assert_eq!(output.returncode, ReturnCode::Signaled(Signal::KILL));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?.unwrap();
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "killpg")]
    pub fn kill_tree(&self) -> Result<(), SignalError> {
        if !self.own_group {
            return Err(SignalError::NoGroup { pid: self.pid() });
        }
        self.signal(Signal::KILL, true)
    }

    fn signal(&self, signal: Signal, to_group: bool) -> Result<(), SignalError> {
        let pid = self.pid();
        match self.reaped.send_signal(signal, to_group) {
            Ok(sent) => sent.map_err(|source| SignalError::Io { pid, signal, source }),
            Err(returncode) => Err(SignalError::Ended { pid, returncode }),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.kill_on_drop {
            // If it has ended, all is well.
            let _ = self.signal(Signal::KILL, self.own_group);
        } else if let Ok(event_loop) = get_running_loop() {
            event_loop.warn_in_debug(|| {
                let runs = self.returncode().is_none();
                runs.then(|| format!("a child process was dropped while it runs: {self:?}"))
            });
        }
    }
}

/// `<Process 1234>`, as asyncio has it.
impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Process {}>", self.pid())
    }
}
