//! RESP, in which Redis talks: bytes in, values out.
//!
//! Nothing here knows a loop or a socket, so it can be tested with bytes.

use std::fmt;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A short text, as `OK`.
    Simple(String),
    /// The command has failed.
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    /// There is no such thing.
    Nil,
    Array(Vec<Value>),
}

/// What has arrived is no reply. The connection is of no use any more: nobody knows where the next one
/// begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MalformedReply {
    /// It begins with this byte, which no kind of reply does.
    Kind(u8),
    /// It should have a number in this place.
    Number(String),
    /// A text was to end here.
    End,
    /// A line or a text is longer than this many bytes.
    TooLong(usize),
    /// Arrays are nested deeper than this.
    TooDeep(usize),
}

impl fmt::Display for MalformedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed reply: ")?;
        match self {
            Self::Kind(byte) => write!(f, "no kind begins with {:?}", char::from(*byte)),
            Self::Number(text) => write!(f, "{text:?} is no number"),
            Self::End => f.write_str("a text doesn't end where it should"),
            Self::TooLong(limit) => write!(f, "a text of more than {limit} bytes"),
            Self::TooDeep(limit) => write!(f, "arrays in more than {limit} arrays"),
        }
    }
}

impl std::error::Error for MalformedReply {}

const LONGEST_LINE: usize = 64 * 1024;
/// That of the server's `proto-max-bulk-len`.
const LONGEST_TEXT: usize = 512 * 1024 * 1024;
const DEEPEST: usize = 32;

// quote: parser
/// Takes bytes as they arrive, and gives values when they are complete.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
    /// What is before this has been parsed.
    parsed: usize,
    /// No line ends before this.
    searched: usize,
    /// The arrays that are not complete, the outermost first, and how many elements each is to have.
    open: Vec<(Vec<Value>, usize)>,
}
// end quote

/// One element, which may be the beginning of an array.
enum Element {
    Value(Value),
    Array(usize),
}

impl Parser {
    pub(crate) fn feed(&mut self, data: &[u8]) {
        if self.parsed == self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.drain(..self.parsed);
        }
        self.searched -= self.parsed;
        self.parsed = 0;
        self.buffer.extend_from_slice(data);
    }

    /// The next value, or `None` if it is not complete.
    pub(crate) fn next(&mut self) -> Result<Option<Value>, MalformedReply> {
        while let Some(element) = self.element()? {
            let mut value = match element {
                Element::Value(value) => value,
                Element::Array(0) => Value::Array(Vec::new()),
                Element::Array(_) if self.open.len() == DEEPEST => {
                    return Err(MalformedReply::TooDeep(DEEPEST));
                }
                Element::Array(length) => {
                    // Not all the room at once: a peer can ask for any number.
                    self.open.push((Vec::with_capacity(length.min(1024)), length));
                    continue;
                }
            };
            loop {
                let Some((values, length)) = self.open.last_mut() else { return Ok(Some(value)) };
                values.push(value);
                if values.len() < *length {
                    break;
                }
                value = Value::Array(std::mem::take(values));
                self.open.pop();
            }
        }
        Ok(None)
    }

    fn element(&mut self) -> Result<Option<Element>, MalformedReply> {
        let Some(end) = self.line_end()? else { return Ok(None) };
        let line = &self.buffer[self.parsed..end];
        let (kind, text) = (line[0], String::from_utf8_lossy(&line[1..]).into_owned());
        let after = end + 2;
        let value = match kind {
            b'+' => Value::Simple(text),
            b'-' => Value::Error(text),
            b':' => Value::Integer(number(&text)?),
            b'$' | b'*' if number::<i64>(&text)? == -1 => Value::Nil,
            b'$' => {
                let length: usize = number(&text)?;
                if length > LONGEST_TEXT {
                    return Err(MalformedReply::TooLong(LONGEST_TEXT));
                }
                let Some(rest) = self.buffer.get(after + length..after + length + 2) else {
                    return Ok(None);
                };
                if rest != b"\r\n" {
                    return Err(MalformedReply::End);
                }
                let bytes = self.buffer[after..after + length].to_vec();
                self.consume(after + length + 2);
                return Ok(Some(Element::Value(Value::Bulk(bytes))));
            }
            b'*' => {
                self.consume(after);
                return Ok(Some(Element::Array(number(&text)?)));
            }
            other => return Err(MalformedReply::Kind(other)),
        };
        self.consume(after);
        Ok(Some(Element::Value(value)))
    }

    /// Where the line ends, which has one character at least.
    fn line_end(&mut self) -> Result<Option<usize>, MalformedReply> {
        let from = self.searched.max(self.parsed);
        if let Some(at) = self.buffer[from..].windows(2).position(|two| two == b"\r\n") {
            // It stays found until what follows it is complete, too.
            self.searched = from + at;
            return match from + at == self.parsed {
                true => Err(MalformedReply::Kind(b'\r')),
                false => Ok(Some(from + at)),
            };
        }
        if self.buffer.len() - self.parsed > LONGEST_LINE {
            return Err(MalformedReply::TooLong(LONGEST_LINE));
        }
        // The last byte may be the first of the two.
        self.searched = self.buffer.len().saturating_sub(1).max(self.parsed);
        Ok(None)
    }

    fn consume(&mut self, to: usize) {
        self.parsed = to;
        self.searched = to;
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, MalformedReply> {
    text.parse().map_err(|_| MalformedReply::Number(text.to_owned()))
}

/// A command as it is sent: an array of texts.
pub(crate) fn command<T: AsRef<[u8]>>(words: &[T]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
