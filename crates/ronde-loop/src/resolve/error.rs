//! What can go wrong with names.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a name or an address could not be looked up.
///
/// # In asyncio
///
/// `socket.gaierror`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::{EventLoop, get_running_loop};
/// use ronde_loop::ResolveErrorKind;
///
/// # EventLoop::new()?.run_until_complete(async {
/// let event_loop = get_running_loop().unwrap();
/// let error = event_loop.getaddrinfo("a.name", 80).numeric_host(true).await.unwrap_err();
/// assert_eq!(error.kind(), ResolveErrorKind::NotFound);
/// assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::NotFound);
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Debug)]
pub struct ResolveError {
    kind: ResolveErrorKind,
    subject: String,
    reason: Box<dyn Error + Send + Sync>,
}

impl ResolveError {
    /// Makes one for a [`Resolver`](crate::Resolver) to give. `subject` is what was looked up: the request.
    pub fn new(
        kind: ResolveErrorKind,
        subject: &impl ToString,
        reason: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, subject: subject.to_string(), reason: reason.into() }
    }

    /// What went wrong, as far as a program can react to it.
    #[must_use]
    pub fn kind(&self) -> ResolveErrorKind {
        self.kind
    }
}

/// What went wrong with a look-up. Systems differ in what they call what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResolveErrorKind {
    /// There is no such name, or it has no address of the kind that was asked for.
    #[doc(alias = "EAI_NONAME")]
    #[doc(alias = "EAI_NODATA")]
    NotFound,
    /// No name server has answered: it may go well later.
    #[doc(alias = "EAI_AGAIN")]
    TryAgain,
    /// A name server has refused to answer.
    #[doc(alias = "EAI_FAIL")]
    Failed,
    /// The options don't go together, or the system doesn't know one of them.
    #[doc(alias = "EAI_BADFLAGS")]
    #[doc(alias = "EAI_FAMILY")]
    #[doc(alias = "EAI_SOCKTYPE")]
    InvalidRequest,
    /// The socket's type has no such service.
    #[doc(alias = "EAI_SERVICE")]
    UnknownService,
    /// There is nothing to look it up with: the loop is closed, or no thread could be started.
    Unavailable,
    /// Something else.
    Other,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "looking up {}: {}", self.subject, self.reason)
    }
}

impl Error for ResolveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.reason)
    }
}

/// The reason, without what was looked up.
impl From<ResolveError> for io::Error {
    fn from(error: ResolveError) -> Self {
        let kind = match error.kind {
            ResolveErrorKind::NotFound => io::ErrorKind::NotFound,
            ResolveErrorKind::InvalidRequest | ResolveErrorKind::UnknownService => {
                io::ErrorKind::InvalidInput
            }
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error.reason)
    }
}
