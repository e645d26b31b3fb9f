//! Starting programs.

use std::ffi::OsStr;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Command;

use ronde_streams::DEFAULT_LIMIT;

use crate::error::SpawnError;
use crate::process::Process;
use crate::reap;
use crate::stdio::{self, Kind, Stdio};
use crate::sys;

/// Starts a program.
///
/// Await the result, after setting options if need be. A program without a slash in its name is looked
/// for in the directories of `PATH`. Unless said otherwise, the child has the environment, the directory
/// and the three standard streams of this program.
///
/// # Errors
///
/// [`SpawnError`], which names the program. No child is left behind.
///
/// # Panics
///
/// If a stream is [piped](Stdio::piped) and no event loop is running.
///
/// # Cancel safety
///
/// **Strict.** It doesn't wait, so it can't be cancelled half way.
///
/// # In asyncio
///
/// `asyncio.create_subprocess_exec`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_process::{Stdio, create_subprocess_exec};
///
/// # EventLoop::new()?.run_until_complete(async {
/// let process = create_subprocess_exec("tr")
///     .args(["a-z", "A-Z"])
///     .stdin(Stdio::piped())
///     .stdout(Stdio::piped())
///     .await?;
/// let output = process.communicate().input("hello").await?;
/// assert_eq!(output.stdout.unwrap(), "HELLO");
/// assert!(output.returncode.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[doc(alias = "Popen")]
#[doc(alias = "Command")]
#[doc(alias = "spawn")]
pub fn create_subprocess_exec(program: impl AsRef<OsStr>) -> CreateSubprocess {
    let program = program.as_ref();
    CreateSubprocess::new(Command::new(program)).without_nul("its name", program)
}

/// Starts a command of the shell: `/bin/sh`, or `cmd.exe` on Windows.
///
/// What is put into the command is the shell's to understand: a file name with a space, a quote or a
/// semicolon may well be understood as something else. So give such things as
/// [arguments](CreateSubprocess::arg), which the command sees as `"$0"`, `"$1"` and so on, or use
/// [`create_subprocess_exec`].
///
/// The [process id](Process::pid) is the shell's. Killing it leaves what it has started running; see
/// [`kill_tree`](Process::kill_tree).
///
/// # Errors
///
/// As [`create_subprocess_exec`]. If the shell doesn't find a program, that is no error here: the shell
/// says so, and ends with code 127.
///
/// # Panics
///
/// As [`create_subprocess_exec`].
///
/// # Cancel safety
///
/// **Strict.** It doesn't wait, so it can't be cancelled half way.
///
/// # In asyncio
///
/// `asyncio.create_subprocess_shell`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_process::{Stdio, create_subprocess_shell};
///
/// # EventLoop::new()?.run_until_complete(async {
/// let process = create_subprocess_shell("echo $GREETING | tr a-z A-Z")
///     .env("GREETING", "hello")
///     .stdout(Stdio::piped())
///     .await?;
/// assert_eq!(process.stdout().unwrap().readline().await?, "HELLO\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn create_subprocess_shell(command: impl AsRef<OsStr>) -> CreateSubprocess {
    let command = command.as_ref();
    CreateSubprocess::new(sys::shell(command)).without_nul("the command", command)
}

/// A child process that is yet to be started: see [`create_subprocess_exec`] and
/// [`create_subprocess_shell`].
///
/// A [`std::process::Command`] is turned into one by `from`. That is the way to what only some systems
/// have: another user or group, another name than the program's, a session of its own.
///
/// # In asyncio
///
/// The keyword arguments of `subprocess.Popen`: `stdin`, `stdout`, `stderr`, `cwd`, `env`,
/// `process_group`. What is received is always bytes, and descriptors that are not meant for a child
/// never reach it, so there is no `text`, `encoding`, `bufsize` or `close_fds`.
#[must_use = "nothing is started until it is awaited"]
pub struct CreateSubprocess {
    command: Command,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
    limit: usize,
    kill_on_drop: bool,
    own_group: bool,
    /// The first thing that is wrong with what was asked for.
    problem: Option<String>,
}

impl CreateSubprocess {
    fn new(command: Command) -> Self {
        Self {
            command,
            stdin: Stdio::inherit(),
            stdout: Stdio::inherit(),
            stderr: Stdio::inherit(),
            limit: DEFAULT_LIMIT,
            kill_on_drop: false,
            own_group: false,
            problem: None,
        }
    }

    /// Adds an argument. No shell looks at it.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        let arg = arg.as_ref();
        self.command.arg(arg);
        self.without_nul("an argument", arg)
    }

    /// Adds several arguments.
    pub fn args<T: AsRef<OsStr>>(self, args: impl IntoIterator<Item = T>) -> Self {
        args.into_iter().fold(self, |this, arg| this.arg(arg))
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let (name, value) = (name.as_ref(), value.as_ref());
        self.command.env(name, value);
        if name.is_empty() || sys::has_equals(name) {
            self.object(format!("{name:?} can't be the name of an environment variable"));
        }
        self.without_nul("an environment variable", name)
            .without_nul("the value of an environment variable", value)
    }

    /// Sets several variables of the environment.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        variables.into_iter().fold(self, |this, (name, value)| this.env(name, value))
    }

    /// Removes a variable that the child would inherit.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Starts with an empty environment, and forgets the variables that were set here before.
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Sets the directory that the child starts in.
    ///
    /// A program with a relative path may then be looked for there, or here: give an absolute one.
    #[doc(alias = "cwd")]
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        let directory = directory.as_ref();
        self.command.current_dir(directory);
        self.without_nul("its directory", directory.as_os_str())
    }

    /// Sets the child's standard input. Default: [inherited](Stdio::inherit).
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Sets the child's standard output. Default: [inherited](Stdio::inherit).
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = stdout.into();
        self
    }

    /// Sets the child's error output. Default: [inherited](Stdio::inherit).
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = stderr.into();
        self
    }

    /// The [limit](ronde_streams::StreamReader::limit) of the readers of its outputs, one byte at least.
    /// Default: 64 KiB.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Kills the child when its [`Process`] is dropped while it runs. Default: it runs on.
    ///
    /// With a [process group of its own](Self::own_process_group), its tree is killed.
    ///
    /// # In asyncio
    ///
    /// There is no such option.
    pub fn kill_on_drop(mut self, kill: bool) -> Self {
        self.kill_on_drop = kill;
        self
    }

    /// Has the child lead a process group of its own, so that [`kill_tree`](Process::kill_tree) can end
    /// it with all that it starts. Default: it is in this program's group.
    ///
    /// Ctrl-C in a terminal doesn't reach it then, and it can't read from the terminal.
    ///
    /// # In asyncio
    ///
    /// `process_group=0`.
    #[doc(alias = "process_group")]
    #[doc(alias = "start_new_session")]
    pub fn own_process_group(mut self, own: bool) -> Self {
        self.own_group = own;
        self
    }

    fn without_nul(mut self, what: &str, text: &OsStr) -> Self {
        if sys::has_nul(text) {
            self.object(format!("{what} has a zero byte in it: {text:?}"));
        }
        self
    }

    fn object(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    fn start(mut self) -> Result<Process, SpawnError> {
        let program = PathBuf::from(self.command.get_program());
        for (name, stdio) in [("stdin", &self.stdin), ("stdout", &self.stdout)] {
            if matches!(stdio.0, Kind::Stdout) {
                let problem = format!("its {name} can't be `Stdio::stdout()`: only stderr can");
                self.problem.get_or_insert(problem);
            }
        }
        if self.limit == 0 {
            let problem = "the limit of its readers must be at least one byte".to_owned();
            self.problem.get_or_insert(problem);
        }
        if let Some(problem) = self.problem {
            return Err(SpawnError::Argument { program, problem });
        }
        let failed = |stream| {
            let program = program.clone();
            move |source| SpawnError::Stdio { program, stream, source }
        };
        let (child_stdin, stdin) = stdio::input(self.stdin).map_err(failed("stdin"))?;
        let (child_stdout, stdout) =
            stdio::output(self.stdout, None, self.limit).map_err(failed("stdout"))?;
        let (child_stderr, stderr) = stdio::output(self.stderr, Some(&child_stdout), self.limit)
            .map_err(failed("stderr"))?;
        if self.own_group {
            sys::lead_group(&mut self.command);
        }
        let directory = self.command.get_current_dir().map(Path::to_owned);
        let mut command = async_process::Command::from(self.command);
        // Here and not before: it doesn't look at what the command has already, and inherits.
        command.stdin(child_stdin).stdout(child_stdout).stderr(child_stderr);
        let reaped =
            reap::spawn(command).map_err(|source| explain(program.clone(), directory, source))?;
        Ok(Process::new(reaped, stdin, stdout, stderr, self.own_group, self.kill_on_drop))
    }
}

/// Its three streams are not looked at: set them here.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// # use ronde_loop::EventLoop;
/// use ronde_process::{CreateSubprocess, Stdio};
/// use std::{os::unix::process::CommandExt, process::Command};
///
/// # EventLoop::new()?.run_until_complete(async {
/// let mut command = Command::new("sh");
/// command.arg0("another-name").args(["-c", "echo $0"]);
/// let process = CreateSubprocess::from(command).stdout(Stdio::piped()).await?;
/// assert_eq!(process.communicate().await?.stdout.unwrap(), "another-name\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?.unwrap();
/// # }
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
impl From<Command> for CreateSubprocess {
    fn from(command: Command) -> Self {
        Self::new(command)
    }
}

/// Starts the child at its first poll.
impl IntoFuture for CreateSubprocess {
    type Output = Result<Process, SpawnError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            reap::not_cancelled().await;
            self.start()
        })
    }
}

impl fmt::Debug for CreateSubprocess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateSubprocess")
            .field("command", &self.command)
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}

/// Says what the system's refusal to start a program means.
fn explain(program: PathBuf, directory: Option<PathBuf>, source: io::Error) -> SpawnError {
    // A missing directory gives the same code as a missing program.
    if let Some(directory) = directory
        && let Err(source) = std::fs::metadata(directory.join("."))
    {
        return SpawnError::Directory { program, directory, source };
    }
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            SpawnError::NotFound { program, source }
        }
        io::ErrorKind::PermissionDenied => SpawnError::NotAllowed { program, source },
        _ => SpawnError::Io { program, source },
    }
}
