//! What the command line asks for.

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};
use url::{ParseError, Url};

pub(crate) const HELP: &str = "\
Tells what websites answer, without reading their pages or following redirects.

Usage: website_status [OPTIONS] [URL]...

Without a URL it starts ten small sites of its own, and checks them twice: one
after the other, and all at once.

Options:
  --timeout SECONDS   How long a check may take, and half of that for the TLS
                      handshake (default: 10; own sites: 1)
  --concurrency N     How many checks may run at once (default: 100)
  --cafile PEM        Trust only the certificate authorities in this file
  --help              Print this text

Exit status: 0 if all sites have answered, whatever they said; 1 if one has not;
2 if the arguments are wrong; 130 after Ctrl-C.
";

/// What to do.
pub(crate) enum Command {
    Help,
    Check(Options),
}

/// What to check, and how.
pub(crate) struct Options {
    /// Empty: the program's own sites.
    pub(crate) urls: Vec<Url>,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: NonZeroUsize,
    /// Certificates of authorities, in PEM form.
    pub(crate) trusted: Option<String>,
}

/// Reads the arguments of the process.
pub(crate) fn parse() -> Result<Command, lexopt::Error> {
    let mut urls = Vec::new();
    let mut timeout = None;
    let mut concurrency = const { NonZeroUsize::new(100).unwrap() };
    let mut trusted = None;

    let mut arguments = Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("timeout") => timeout = Some(arguments.value()?.parse_with(seconds)?),
            Arg::Long("concurrency") => concurrency = arguments.value()?.parse_with(count)?,
            Arg::Long("cafile") => trusted = Some(read(arguments.value()?.into())?),
            Arg::Value(url) => urls.push(url.parse_with(website)?),
            other => return Err(other.unexpected()),
        }
    }
    if urls.is_empty() && trusted.is_some() {
        return Err("--cafile is of use only with a URL".into());
    }
    let default_timeout = Duration::from_secs(if urls.is_empty() { 1 } else { 10 });
    let timeout = timeout.unwrap_or(default_timeout);
    Ok(Command::Check(Options { urls, timeout, concurrency, trusted }))
}

fn read(path: PathBuf) -> Result<String, String> {
    fs::read_to_string(&path).map_err(|error| format!("--cafile {}: {error}", path.display()))
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|it| Duration::try_from_secs_f64(it).ok());
    seconds.filter(|it| !it.is_zero()).ok_or("not a number of seconds above zero")
}

fn count(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "not a whole number above zero")
}

fn website(text: &str) -> Result<Url, String> {
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        Ok(_) | Err(ParseError::RelativeUrlWithoutBase) => {
            return Err("a URL must begin with http:// or https://".to_owned());
        }
        Err(error) => return Err(error.to_string()),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name in a URL is not supported".to_owned());
    }
    Ok(url)
}
