//! Unix sockets: connecting, listening, and the files that stand for them.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use ronde_loop::{LoopHandle, Source};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::error::{ShownPath, plain};
use crate::happy_eyeballs;

/// Connects to the socket at `path`.
pub(crate) async fn connect(event_loop: &LoopHandle, path: &Path) -> io::Result<Source> {
    let address = address(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    happy_eyeballs::connect_socket(event_loop, socket, &address).await
}

/// Makes a socket at `path`, in place of one that was left behind there.
pub(crate) fn bind(path: &Path) -> io::Result<Socket> {
    let address = address(path)?;
    if !is_abstract(path) {
        remove_old(path, &address)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&address)?;
    Ok(socket)
}

/// Removes what an earlier server has left behind. Of a socket that is in use, binding will tell.
fn remove_old(path: &Path, address: &SockAddr) -> io::Result<()> {
    let removed = match fs::metadata(path) {
        Ok(found) if found.file_type().is_socket() => match is_left_behind(address) {
            Ok(true) => fs::remove_file(path),
            Ok(false) => return Ok(()),
            Err(error) => Err(error),
        },
        Ok(_) => {
            let error = "there is a file of that name, and it is not a socket";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, error));
        }
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            // The directory may allow no more than to make a socket. If it doesn't, binding will tell.
            tracing::debug!(
                target: "ronde",
                path = %ShownPath(path),
                error = plain(&error),
                "can't check for an old socket, or remove it"
            );
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Does nobody listen? That shows only when one tries to connect.
fn is_left_behind(address: &SockAddr) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let outcome = socket.connect(address);
    Ok(outcome.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}

/// Linux knows names that are no files.
fn is_abstract(path: &Path) -> bool {
    path.as_os_str().as_bytes().first() == Some(&0)
}

fn address(path: &Path) -> io::Result<SockAddr> {
    let bytes = path.as_os_str().as_bytes();
    let error = match bytes {
        [] => "the path is empty",
        [0, ..] if !cfg!(any(target_os = "linux", target_os = "android")) => {
            "this system has no abstract sockets"
        }
        [_, rest @ ..] if bytes[0] != 0 && rest.contains(&0) => "there is a NUL in the path",
        _ => {
            return SockAddr::unix(path).map_err(|_| {
                let error = format!(
                    "the path has {} bytes, which is more than the system allows for a socket",
                    bytes.len()
                );
                io::Error::new(io::ErrorKind::InvalidFilename, error)
            });
        }
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// The path that a socket's address has. An abstract name begins with NUL.
pub(crate) fn path_of(address: &SockAddr) -> Option<PathBuf> {
    if let Some(name) = address.as_abstract_namespace() {
        let bytes = [b"\0", name].concat();
        return Some(PathBuf::from(OsStr::from_bytes(&bytes)));
    }
    address.as_pathname().map(Path::to_owned)
}

/// The file of a listening socket, which is removed when this is dropped, unless it is another one by
/// then.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// `None` if the socket has no file.
    pub(crate) fn of(socket: SockRef<'_>) -> Option<Self> {
        let address = socket.local_addr().ok()?;
        // The program may be in another directory when the file is to be removed.
        let path = std::path::absolute(address.as_pathname()?).ok()?;
        let identity = identity(&fs::metadata(&path).ok()?);
        Some(Self { path, identity })
    }

    fn remove(&self) -> io::Result<()> {
        if identity(&fs::metadata(&self.path)?) == self.identity {
            fs::remove_file(&self.path)?;
        }
        Ok(())
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        match self.remove() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::warn!(
                target: "ronde",
                path = %ShownPath(&self.path),
                error = plain(&error),
                "the file of a socket that is closed can't be removed"
            ),
            _ => {}
        }
    }
}

/// What tells a file from another one of the same name.
fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
