//! Reading: what the connection has for the protocol.

use std::io;

use ronde_streams::{ReadError, StreamReader};

use super::{Link, Stage};
use crate::protocol::Target;
use crate::scratch::with_scratch;

/// How much room a buffer of a protocol's own should have.
const SIZE_HINT: usize = 64 * 1024;

/// What a look for input came to.
pub(super) enum Input {
    /// There may be more.
    Some,
    /// There is nothing now.
    Nothing,
}

impl Link {
    /// Reads once, and calls the protocol with it.
    pub(super) fn read(&self) -> Input {
        let (Some(reader), Some(target)) = (self.reader(), self.target()) else {
            return Input::Nothing;
        };
        match target {
            Target::Plain(protocol, _) => self.read_plain(&reader, |data| {
                self.caller.call("data_received", || protocol.borrow_mut().data_received(data))
            }),
            Target::Buffered(protocol, _) => {
                let read = self.caller.call("get_buffer", || {
                    let mut protocol = protocol.borrow_mut();
                    let buffer = protocol.get_buffer(SIZE_HINT);
                    (buffer.is_empty(), reader.try_read_into(buffer))
                });
                match read {
                    Ok((false, read)) => self.take(read, |bytes| {
                        self.caller
                            .call("buffer_updated", || protocol.borrow_mut().buffer_updated(bytes))
                    }),
                    Ok((true, _)) => {
                        let error = "the protocol's `get_buffer` gave an empty buffer";
                        self.fail(io::Error::new(io::ErrorKind::InvalidInput, error));
                        Input::Some
                    }
                    Err(error) => {
                        self.fail(error);
                        Input::Some
                    }
                }
            }
        }
    }

    fn read_plain(
        &self,
        reader: &StreamReader,
        data_received: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> Input {
        if self.is_tls.get() {
            // It is in a buffer already, and can be had without another copy.
            return match reader.try_read(usize::MAX) {
                Ok(Some(data)) => self.take(Ok(Some(data.len())), |_| data_received(&data)),
                Ok(None) => Input::Nothing,
                Err(error) => self.take(Err(error), |_| Ok(())),
            };
        }
        with_scratch(|scratch| {
            let read = reader.try_read_into(scratch);
            self.take(read, |bytes| data_received(&scratch[..bytes]))
        })
    }

    /// Something was read: calls `received` with its size, or tells of the end.
    fn take(
        &self,
        read: Result<Option<usize>, ReadError>,
        received: impl FnOnce(usize) -> io::Result<()>,
    ) -> Input {
        match read {
            Ok(None) => return Input::Nothing,
            Ok(Some(0)) => self.input_ends(),
            Ok(Some(bytes)) => received(bytes).unwrap_or_else(|error| self.fail(error)),
            // Somebody else reads from it: a change to TLS.
            Err(ReadError::Busy) => return Input::Nothing,
            // The connection has failed, and there is no more to read: the next step sees that.
            Err(error) => {
                self.has_ended.set(true);
                self.call_back_for_input(false);
                if !self.has_failed() {
                    self.fail(error.into());
                } else if self.writer().is_none() {
                    self.stage.set(Stage::Closing);
                }
            }
        }
        Input::Some
    }

    /// The peer will send no more.
    fn input_ends(&self) {
        self.has_ended.set(true);
        self.call_back_for_input(false);
        if self.has_failed() || self.is_closing() {
            return;
        }
        let Some(target) = self.target() else { return };
        match self.caller.call("eof_received", || target.eof_received()) {
            Ok(true) if !self.is_tls.get() && self.writer.is_some() => {}
            Ok(_) => self.close(),
            Err(error) => self.fail(error),
        }
    }
}
