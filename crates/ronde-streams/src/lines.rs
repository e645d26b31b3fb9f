//! The lines of a stream.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use crate::error::ReadError;
use crate::reader::StreamReader;

/// The lines of a stream, each with its newline: see [`StreamReader::lines`].
///
/// It is also a [`Stream`], for the combinators of other crates. It keeps nothing to itself: after
/// it is dropped, the reader goes on with the next line.
#[derive(Debug)]
#[must_use = "lines are read when they are asked for"]
pub struct Lines<'a> {
    reader: &'a StreamReader,
    is_done: bool,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(reader: &'a StreamReader) -> Self {
        Self { reader, is_done: false }
    }

    /// Reads the next line; `None` at the end of the stream, and after a failure of the connection.
    ///
    /// # Errors
    ///
    /// Those of [`readline`](StreamReader::readline). After a line over the limit, the next call
    /// goes on behind what the error carries.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** Bytes leave the buffer only once the line is complete.
    ///
    /// # Examples
    ///
    /// See [`StreamReader::lines`].
    #[doc(alias = "__anext__")]
    pub async fn next(&mut self) -> Option<Result<Bytes, ReadError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Lines<'_> {
    type Item = Result<Bytes, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        let reader = self.reader;
        let line = ready!(reader.poll_as_read(|| reader.poll_line(cx, &mut 0)));
        self.is_done = match &line {
            Ok(line) => line.is_empty(),
            Err(error) => matches!(error, ReadError::Io(_)),
        };
        Poll::Ready(match line {
            Ok(line) if line.is_empty() => None,
            line => Some(line),
        })
    }
}
