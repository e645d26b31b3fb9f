//! Starting programs with a protocol.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;

use ronde_loop::get_running_loop;
use ronde_process::{
    CreateSubprocess, SpawnError, Stdio, create_subprocess_exec, create_subprocess_shell,
};

use super::link::Link;
use super::{SubprocessProtocol, SubprocessTransport};
use crate::protocol::ProtocolHandle;

/// Starts a program, and has a protocol called with its output and its end.
///
/// All three of its standard streams are pipes, unless said otherwise. `factory` makes the protocol, once
/// the program is started. Await the result, after setting options if need be: it gives the transport, and a
/// handle to the protocol. [`connection_made`](SubprocessProtocol::connection_made) has been called by then.
///
/// # Errors
///
/// As [`create_subprocess_exec`]. The factory isn't called then.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict.** Dropped before its end, it leaves no child behind: one that was started already is killed.
///
/// # In asyncio
///
/// `loop.subprocess_exec`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_transports::{Pipe, SubprocessProtocol, SubprocessTransport, subprocess_exec};
///
/// /// Has what it is given sorted.
/// #[derive(Default)]
/// struct Sort(Vec<u8>);
///
/// impl SubprocessProtocol for Sort {
///     fn connection_made(&mut self, transport: &SubprocessTransport) {
///         let stdin = transport.pipe_transport(Pipe::Stdin).unwrap();
///         stdin.write("pear\napple\n");
///         stdin.close();
///     }
///
///     fn pipe_data_received(&mut self, pipe: Pipe, data: &[u8]) {
///         assert_eq!(pipe, Pipe::Stdout);
///         self.0.extend(data);
///     }
/// }
///
/// # EventLoop::new()?.run_until_complete(async {
/// let (transport, protocol) = subprocess_exec(Sort::default, "sort").await?;
/// transport.wait_closed().await;
/// assert!(transport.returncode().unwrap().success());
/// assert_eq!(protocol.with(|sort| sort.0.clone()), b"apple\npear\n");
/// # Ok::<(), ronde_process::SpawnError>(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn subprocess_exec<F, P>(factory: F, program: impl AsRef<OsStr>) -> ConnectSubprocess<F>
where
    F: FnOnce() -> P,
    P: SubprocessProtocol,
{
    ConnectSubprocess::new(factory, create_subprocess_exec(program))
}

/// Starts a command of the shell, and has a protocol called with its output and its end. Otherwise as
/// [`subprocess_exec`]; what to beware of is said at [`create_subprocess_shell`].
///
/// # Errors
///
/// As [`create_subprocess_shell`].
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict.** As [`subprocess_exec`].
///
/// # In asyncio
///
/// `loop.subprocess_shell`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_transports::{Pipe, SubprocessProtocol, subprocess_shell};
///
/// #[derive(Default)]
/// struct Collect(Vec<u8>);
///
/// impl SubprocessProtocol for Collect {
///     fn pipe_data_received(&mut self, _pipe: Pipe, data: &[u8]) {
///         self.0.extend(data);
///     }
/// }
///
/// # EventLoop::new()?.run_until_complete(async {
/// let starting = subprocess_shell(Collect::default, "echo $GREETING");
/// let (transport, protocol) = starting.env("GREETING", "hello").await?;
/// transport.wait_closed().await;
/// assert_eq!(protocol.with(|collect| collect.0.clone()), b"hello\n");
/// # Ok::<(), ronde_process::SpawnError>(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn subprocess_shell<F, P>(factory: F, command: impl AsRef<OsStr>) -> ConnectSubprocess<F>
where
    F: FnOnce() -> P,
    P: SubprocessProtocol,
{
    ConnectSubprocess::new(factory, create_subprocess_shell(command))
}

/// A child process with a protocol that is yet to be started: see [`subprocess_exec`] and
/// [`subprocess_shell`]. The options are those of [`CreateSubprocess`].
#[must_use = "nothing is started until it is awaited"]
pub struct ConnectSubprocess<F> {
    factory: F,
    create: CreateSubprocess,
}

impl<F> ConnectSubprocess<F> {
    /// Starts what `create` says, which may come of a [`std::process::Command`]. Its three streams become
    /// pipes: set them here.
    pub fn new(factory: F, create: CreateSubprocess) -> Self {
        let create = create.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { factory, create }
    }

    fn map(mut self, set: impl FnOnce(CreateSubprocess) -> CreateSubprocess) -> Self {
        self.create = set(self.create);
        self
    }

    /// Adds an argument. No shell looks at it.
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.map(|create| create.arg(arg))
    }

    /// Adds several arguments.
    pub fn args<T: AsRef<OsStr>>(self, args: impl IntoIterator<Item = T>) -> Self {
        self.map(|create| create.args(args))
    }

    /// Sets a variable of the environment.
    pub fn env(self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.map(|create| create.env(name, value))
    }

    /// Removes a variable that the child would inherit.
    pub fn env_remove(self, name: impl AsRef<OsStr>) -> Self {
        self.map(|create| create.env_remove(name))
    }

    /// Starts with an empty environment.
    pub fn env_clear(self) -> Self {
        self.map(CreateSubprocess::env_clear)
    }

    /// Sets the directory that the child starts in: see [`CreateSubprocess::current_dir`].
    #[doc(alias = "cwd")]
    pub fn current_dir(self, directory: impl AsRef<Path>) -> Self {
        self.map(|create| create.current_dir(directory))
    }

    /// Sets the child's standard input. Default: a [pipe](Stdio::piped).
    pub fn stdin(self, stdin: impl Into<Stdio>) -> Self {
        self.map(|create| create.stdin(stdin))
    }

    /// Sets the child's standard output. Default: a [pipe](Stdio::piped).
    pub fn stdout(self, stdout: impl Into<Stdio>) -> Self {
        self.map(|create| create.stdout(stdout))
    }

    /// Sets the child's error output. Default: a [pipe](Stdio::piped).
    pub fn stderr(self, stderr: impl Into<Stdio>) -> Self {
        self.map(|create| create.stderr(stderr))
    }

    async fn start<P>(self) -> Result<(SubprocessTransport, ProtocolHandle<P>), SpawnError>
    where
        F: FnOnce() -> P,
        P: SubprocessProtocol,
    {
        let event_loop = get_running_loop().expect("transports belong to a running event loop");
        // Until the link has it, nobody else ends it.
        let process = self.create.kill_on_drop(true).await?;
        let shared = Rc::new(RefCell::new((self.factory)()));
        let link = Link::new(&event_loop, process, (shared.clone(), shared.clone()));
        let starting = Starting(Some(SubprocessTransport::of(link)));
        starting.transport().link().made().await;
        Ok((starting.succeed(), ProtocolHandle::new(shared)))
    }
}

/// Closes a transport that nobody has been given.
struct Starting(Option<SubprocessTransport>);

impl Starting {
    fn transport(&self) -> &SubprocessTransport {
        self.0.as_ref().expect("it is there until the end")
    }

    fn succeed(mut self) -> SubprocessTransport {
        self.0.take().expect("it is there until the end")
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(transport) = &self.0 {
            transport.close();
        }
    }
}

impl<F, P> IntoFuture for ConnectSubprocess<F>
where
    F: FnOnce() -> P + 'static,
    P: SubprocessProtocol,
{
    type Output = Result<(SubprocessTransport, ProtocolHandle<P>), SpawnError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

impl<F> fmt::Debug for ConnectSubprocess<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectSubprocess").field("create", &self.create).finish_non_exhaustive()
    }
}
