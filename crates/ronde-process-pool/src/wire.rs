//! What goes through the socket between the program and a worker.
//!
//! ```text
//!   worker:  Hello(names of the functions)
//!   program:                    index of a function, arguments
//!   worker:  Begun
//!   worker:  Value(result), or what went wrong
//!   program:                    the next one ...
//!   program:                    (end of the stream)
//!   worker:  (ends)
//! ```
//!
//! Everything is in frames: a length of eight bytes, least first, and that many bytes. Arguments and
//! results are in the format of postcard, which is compact, and the same for both sides as they are
//! the same program.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How many bytes the length of a frame takes.
pub(crate) const HEAD: usize = 8;

pub(crate) fn frame(parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut frame = Vec::with_capacity(HEAD + length);
    frame.extend_from_slice(&(length as u64).to_le_bytes());
    parts.iter().for_each(|part| frame.extend_from_slice(part));
    frame
}

/// The length of a frame that begins so. `None` if no memory could hold it.
pub(crate) fn length(head: &[u8]) -> Option<usize> {
    let head = head.try_into().ok()?;
    usize::try_from(u64::from_le_bytes(head)).ok().filter(|length| isize::try_from(*length).is_ok())
}

/// A call of the function that was registered as the `index`th.
pub(crate) fn request(index: u32, arguments: &[u8]) -> Vec<u8> {
    frame(&[&index.to_le_bytes(), arguments])
}

pub(crate) fn split_request(request: &[u8]) -> Option<(u32, &[u8])> {
    let (index, arguments) = request.split_first_chunk()?;
    Some((u32::from_le_bytes(*index), arguments))
}

/// What a worker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The names of its functions follow.
    Hello,
    /// It has the request whole, and begins.
    Begun,
    /// The result follows.
    Value,
    /// For these three, a text follows.
    Panicked,
    BadArguments,
    BadResult,
}

impl Kind {
    const ALL: &[Self] = &[
        Self::Hello,
        Self::Begun,
        Self::Value,
        Self::Panicked,
        Self::BadArguments,
        Self::BadResult,
    ];
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) kind: Kind,
    pub(crate) content: Vec<u8>,
}

impl Reply {
    pub(crate) fn new(kind: Kind, content: impl Into<Vec<u8>>) -> Self {
        Self { kind, content: content.into() }
    }

    pub(crate) fn to_frame(&self) -> Vec<u8> {
        frame(&[&[self.kind as u8], &self.content])
    }

    pub(crate) fn of_frame(frame: &[u8]) -> Option<Self> {
        let (kind, content) = frame.split_first()?;
        let kind = *Kind::ALL.get(usize::from(*kind))?;
        Some(Self { kind, content: content.to_vec() })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }
}

pub(crate) fn encode(value: &impl Serialize) -> Result<Vec<u8>, String> {
    postcard::to_stdvec(value).map_err(|error| format!("can't be encoded: {error}"))
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("can't be decoded: {} bytes are left over", rest.len())),
        Err(error) => Err(format!("can't be decoded: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_its_length_first() {
        let frame = frame(&[b"ab", b"c"]);
        assert_eq!(frame, b"\x03\0\0\0\0\0\0\0abc");
        assert_eq!(length(&frame[..HEAD]), Some(3));
        assert_eq!(length(&[0xff; HEAD]), None);
        assert_eq!(length(b"short"), None);
    }

    #[test]
    fn what_a_worker_says_comes_back_as_it_was() {
        for kind in Kind::ALL {
            let frame = Reply::new(*kind, "text").to_frame();
            let reply = Reply::of_frame(&frame[HEAD..]).unwrap();
            assert_eq!((reply.kind, reply.text()), (*kind, "text".to_owned()));
        }
        assert!(Reply::of_frame(&[]).is_none());
        assert!(Reply::of_frame(&[200]).is_none());
    }

    #[test]
    fn a_request_names_its_function() {
        let request = request(7, b"args");
        assert_eq!(split_request(&request[HEAD..]), Some((7, &b"args"[..])));
        assert_eq!(split_request(b"abc"), None);
    }

    #[test]
    fn values_are_decoded_whole_or_not_at_all() {
        let bytes = encode(&("text", 7_u32)).unwrap();
        assert_eq!(decode::<(String, u32)>(&bytes).unwrap(), ("text".to_owned(), 7));
        assert_eq!(
            decode::<String>(&bytes).unwrap_err(),
            "can't be decoded: 1 bytes are left over"
        );
        assert!(decode::<(String, u32, u32)>(&bytes).is_err());
    }
}
