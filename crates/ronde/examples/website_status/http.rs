//! As much of HTTP/1.1 as it takes to ask for a page and read the head of the reply.

use std::fmt;
use std::io;

use httparse::{EMPTY_HEADER, Response};
use ronde::{ReadError, StreamReader, StreamWriter};
use url::{Position, Url};

const MAX_HEADERS: usize = 100;

/// The head of a reply, as far as it is of interest.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    reason: String,
    /// Where a redirect leads to.
    location: Option<String>,
}

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum ReplyError {
    /// The peer closed the connection early.
    Closed(Place),
    /// The connection broke.
    Broken(Place, ReadError),
    TooLong {
        place: Place,
        limit: usize,
    },
    TooManyHeaders,
    NotHttp {
        line: String,
    },
}

/// How far reading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Start,
    StatusLine,
    Headers,
}

/// Asks for a page and reads the head of the reply. Its body is left to whoever wants it.
pub(crate) async fn get(
    url: &Url,
    reader: &StreamReader,
    writer: &StreamWriter,
) -> Result<Reply, ReplyError> {
    writer.write(request(url));
    loop {
        let head = read_head(reader).await?;
        let reply = parse_head(&head, url)?;
        // 1xx is not the reply: it says that the reply will come. 101 would, if we asked for it.
        if !(100..200).contains(&reply.status) {
            return Ok(reply);
        }
    }
}

fn request(url: &Url) -> String {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let agent = concat!("website_status/", env!("CARGO_PKG_VERSION"));
    format!(
        "GET {target} HTTP/1.1\r\n\
         Host: {host}\r\n\
         User-Agent: {agent}\r\n\
         Accept: */*\r\n\
         Connection: close\r\n\
         \r\n"
    )
}

/// Reads up to and with the empty line that ends the headers.
async fn read_head(reader: &StreamReader) -> Result<Vec<u8>, ReplyError> {
    let mut head = read_line(reader, Place::Start).await?;
    // Say so now, rather than wait for headers that may never come.
    check_status_line(&head)?;
    for _ in 0..=MAX_HEADERS {
        let line = read_line(reader, Place::Headers).await?;
        head.extend_from_slice(&line);
        if matches!(&line[..], b"\r\n" | b"\n") {
            return Ok(head);
        }
    }
    Err(ReplyError::TooManyHeaders)
}

async fn read_line(reader: &StreamReader, place: Place) -> Result<Vec<u8>, ReplyError> {
    match reader.readuntil("\n").await {
        Ok(line) => Ok(line.to_vec()),
        Err(ReadError::Incomplete { partial, .. }) if place == Place::Start => {
            if partial.is_empty() {
                return Err(ReplyError::Closed(Place::Start));
            }
            check_status_line(&partial)?;
            Err(ReplyError::Closed(Place::StatusLine))
        }
        Err(ReadError::Incomplete { .. }) => Err(ReplyError::Closed(place)),
        Err(ReadError::LimitOverrun { limit, .. }) => Err(ReplyError::TooLong { place, limit }),
        // Over TLS a connection that ends without a farewell is an error, and not an end.
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(ReplyError::Closed(place))
        }
        Err(error) => Err(ReplyError::Broken(place, error)),
    }
}

/// Can this be the beginning of a reply?
fn check_status_line(line: &[u8]) -> Result<(), ReplyError> {
    match Response::new(&mut []).parse(line) {
        Ok(_) => Ok(()),
        Err(_) => Err(not_http(line)),
    }
}

fn parse_head(head: &[u8], url: &Url) -> Result<Reply, ReplyError> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    let complete = matches!(response.parse(head), Ok(status) if status.is_complete());
    let (true, Some(status)) = (complete, response.code) else { return Err(not_http(head)) };

    let location = response.headers.iter().find(|it| it.name.eq_ignore_ascii_case("location"));
    Ok(Reply {
        status,
        reason: printable(response.reason.unwrap_or_default().as_bytes()),
        location: location.map(|header| absolute(url, header.value)),
    })
}

/// Where a redirect leads to. It may be given relative to the page that was asked for.
fn absolute(url: &Url, location: &[u8]) -> String {
    let text = printable(location);
    url.join(&text).map_or(text, String::from)
}

fn not_http(head: &[u8]) -> ReplyError {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line: String = printable(line).trim().chars().take(40).collect();
    ReplyError::NotHttp { line }
}

/// What a peer sent, made safe for a terminal.
fn printable(bytes: &[u8]) -> String {
    let replace = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(bytes).trim().chars().map(replace).collect()
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.reason.is_empty() {
            write!(f, " {}", self.reason)?;
        }
        match &self.location {
            Some(location) if (300..400).contains(&self.status) => write!(f, " -> {location}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(place) => write!(f, "the server closed the connection {place}"),
            Self::Broken(place, ReadError::Io(error)) if error.raw_os_error().is_some() => {
                write!(f, "the connection broke {place}: {}", error.kind())
            }
            Self::Broken(place, error) => write!(f, "the connection broke {place}: {error}"),
            Self::TooLong { place: Place::Headers, limit } => {
                write!(f, "a header is longer than {limit} bytes")
            }
            Self::TooLong { limit, .. } => {
                write!(f, "the status line is longer than {limit} bytes")
            }
            Self::TooManyHeaders => write!(f, "the reply has more than {MAX_HEADERS} headers"),
            Self::NotHttp { line } => write!(f, "the reply is not HTTP/1: it begins with {line:?}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "before a reply came",
            Self::StatusLine => "in the middle of the status line",
            Self::Headers => "in the middle of the headers",
        })
    }
}
