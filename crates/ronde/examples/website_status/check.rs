//! One check of one site: connect, ask, and see what comes back.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::time::Duration;

use ronde::{ConnectError, TaskError, TlsError, TlsOptions, open_connection, timeout};
use url::{Host, Url};

use crate::http::{self, Reply, ReplyError};

/// No line of a reply's head may be longer than this.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// What became of a check.
pub(crate) type Outcome = Result<Reply, Problem>;

/// Why a site has not answered.
#[derive(Debug)]
pub(crate) enum Problem {
    Connect(ConnectError),
    Reply(ReplyError),
    /// The time was up.
    Timeout {
        stage: Stage,
        limit: Duration,
    },
    /// The task that checks has panicked, or was cancelled.
    Task(TaskError),
}

/// What a check is doing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    Connecting,
    Waiting,
}

/// Checks sites, all in the same way.
#[derive(Clone)]
pub(crate) struct Checker {
    tls: TlsOptions,
    limit: Duration,
}

impl Checker {
    /// `trusted` are certificates of authorities, in PEM form, to be trusted instead of the platform's.
    pub(crate) fn new(limit: Duration, trusted: Option<&str>) -> Self {
        let tls = TlsOptions::new();
        let tls = if let Some(pem) = trusted { tls.root_certificates_pem(pem) } else { tls };
        Self { tls, limit }
    }

    /// Checks one site. It takes no longer than the checker's limit.
    pub(crate) async fn check(&self, url: &Url) -> Outcome {
        let stage = Cell::new(Stage::Connecting);
        match timeout(self.limit, self.visit(url, &stage)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Problem::Timeout { stage: stage.get(), limit: self.limit }),
        }
    }

    async fn visit(&self, url: &Url, stage: &Cell<Stage>) -> Outcome {
        let port = url.port_or_known_default().unwrap_or_default();
        let mut connecting = open_connection(host(url), port).limit(MAX_LINE_BYTES);
        if url.scheme() == "https" {
            // Half of the time, so that a handshake that hangs is told from a connection that does.
            connecting = connecting.tls(self.tls.clone()).tls_handshake_timeout(self.limit / 2);
        }
        let (reader, writer) = connecting.await?;
        stage.set(Stage::Waiting);
        // The rest of the reply is of no interest: dropping both halves closes the connection.
        Ok(http::get(url, &reader, &writer).await?)
    }
}

/// The host to connect to. An IPv6 address in a URL is in brackets, and here it isn't.
fn host(url: &Url) -> String {
    match url.host() {
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => url.host_str().unwrap_or_default().to_owned(),
    }
}

impl From<ConnectError> for Problem {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<ReplyError> for Problem {
    fn from(error: ReplyError) -> Self {
        Self::Reply(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write_connect_error(f, error),
            Self::Reply(error) => error.fmt(f),
            Self::Timeout { stage, limit } => write!(f, "{stage} within {limit:?}"),
            Self::Task(error) => write!(f, "the check itself went wrong: {error}"),
        }
    }
}

/// Whose error it is stands in front of it already, so it can be said in fewer words than ronde's.
fn write_connect_error(f: &mut fmt::Formatter<'_>, error: &ConnectError) -> fmt::Result {
    match error {
        ConnectError::Resolve { source, .. } => {
            // "failed to lookup address information: Name or service not known"
            let reason = source.to_string();
            write!(f, "unknown host: {}", reason.rsplit(": ").next().unwrap_or(&reason))
        }
        ConnectError::Connect { attempts, .. }
            if attempts.iter().all(|(_, it)| it.kind() == io::ErrorKind::ConnectionRefused) =>
        {
            f.write_str("connection refused")
        }
        ConnectError::Tls { source: TlsError::Io(error), .. } => {
            write!(f, "the connection broke during the TLS handshake: {}", error.kind())
        }
        ConnectError::Tls { source, .. } => write!(f, "{source}"),
        ConnectError::HandshakeTimeout { limit, .. } => {
            write!(f, "connected, but no TLS handshake within {limit:?}")
        }
        other => write!(f, "{other}"),
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "no connection",
            Self::Waiting => "connected, but no reply",
        })
    }
}
