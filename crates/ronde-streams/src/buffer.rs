//! The two buffers of a connection.

use std::io;

use bytes::{Buf, Bytes, BytesMut};

/// How much room the first reads of a connection get. An idle connection keeps this much memory.
const FIRST_ROOM: usize = 8 * 1024;

/// How much room reads get in the end, if each fills what the last one got.
const FULL_ROOM: usize = 128 * 1024;

/// What was received and not taken yet.
///
/// Without `unsafe`, a system call can only fill bytes that are initialised, and to clear some before
/// each read would cost more than a small read. So the buffer is initialised further than it is
/// filled, and what lies behind stays initialised as data is taken from the front. When the end is
/// near, the memory is used again if nobody holds a part of it any more.
#[derive(Debug)]
pub(crate) struct InputBuffer {
    /// Invariant: the first `filled` bytes are data, what follows is room.
    bytes: BytesMut,
    filled: usize,
    /// How much room the next read should get.
    room: usize,
}

impl InputBuffer {
    pub(crate) fn new() -> Self {
        Self { bytes: BytesMut::new(), filled: 0, room: FIRST_ROOM }
    }

    pub(crate) fn len(&self) -> usize {
        self.filled
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    pub(crate) fn data(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Room for a read.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        // A read into a small rest of room would be short of what is there.
        if self.bytes.len() - self.filled < self.room / 2 {
            self.make_room(self.room);
        }
        &mut self.bytes[self.filled..]
    }

    fn make_room(&mut self, room: usize) {
        self.bytes.truncate(self.filled);
        self.bytes.reserve(room);
        self.bytes.resize(self.filled + room, 0);
    }

    /// Takes note that the first `count` bytes of the room were filled.
    pub(crate) fn fill(&mut self, count: usize) {
        self.filled += count;
        if self.filled == self.bytes.len() {
            self.room = (self.room * 2).min(FULL_ROOM);
        }
    }

    /// Appends a copy of `data`.
    pub(crate) fn extend(&mut self, data: &[u8]) {
        if self.bytes.len() - self.filled < data.len() {
            self.make_room(data.len().max(self.room));
        }
        self.bytes[self.filled..self.filled + data.len()].copy_from_slice(data);
        self.filled += data.len();
    }

    /// Takes the first `count` bytes out, without copying them.
    pub(crate) fn take(&mut self, count: usize) -> Bytes {
        assert!(count <= self.filled, "only what is there can be taken");
        if count == 0 {
            return Bytes::new();
        }
        self.filled -= count;
        self.bytes.split_to(count).freeze()
    }

    /// Copies as much as fits into `target`, and takes it out.
    pub(crate) fn copy_to(&mut self, target: &mut [u8]) -> usize {
        let count = self.filled.min(target.len());
        target[..count].copy_from_slice(&self.bytes[..count]);
        self.skip(count);
        count
    }

    /// Puts `data`, which was taken out last, back to the front.
    pub(crate) fn put_back(&mut self, data: &[u8]) {
        let behind = self.take(self.filled);
        self.extend(data);
        self.extend(&behind);
    }

    /// Throws the first `count` bytes away.
    pub(crate) fn skip(&mut self, count: usize) {
        self.bytes.advance(count);
        self.filled -= count;
    }
}

/// What is to be sent.
#[derive(Debug, Default)]
pub(crate) struct OutputBuffer {
    bytes: Vec<u8>,
    /// Invariant: the first `sent` bytes are gone; less than all of them, unless there are none.
    sent: usize,
}

impl OutputBuffer {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn data(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(crate) fn extend(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }

    /// Takes note that the first `count` bytes are gone.
    pub(crate) fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.bytes.len() {
            self.clear();
        } else if self.sent > self.bytes.len() / 2 {
            // At least as much was sent as is moved, so the moving costs no more than the writing.
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.sent = 0;
        self.bytes.clear();
        // A burst does not hold its memory for the rest of the connection's life.
        if self.bytes.capacity() > 4 * FULL_ROOM {
            self.bytes = Vec::new();
        }
    }
}

/// Takes everything: for what encrypts into the buffer.
impl io::Write for OutputBuffer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.bytes.write(data)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.bytes.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(buffer: &mut InputBuffer, data: &[u8]) {
        buffer.room()[..data.len()].copy_from_slice(data);
        buffer.fill(data.len());
    }

    #[test]
    fn what_was_received_comes_out_in_pieces_of_any_size() {
        let mut buffer = InputBuffer::new();
        receive(&mut buffer, b"hello, ");
        buffer.extend(b"world");
        assert_eq!(buffer.take(5), b"hello"[..]);
        let mut rest = [0; 16];
        assert_eq!(buffer.copy_to(&mut rest), 7);
        assert_eq!(rest[..7], b", world"[..]);
        assert!(buffer.is_empty());
    }

    #[test]
    fn the_same_memory_serves_again_once_nobody_holds_it() {
        let mut buffer = InputBuffer::new();
        receive(&mut buffer, b"x");
        let memory = buffer.data().as_ptr();
        buffer.skip(1);
        let mut reused = 0;
        for _ in 0..FIRST_ROOM * 3 {
            receive(&mut buffer, b"0123456789");
            reused += usize::from(buffer.data().as_ptr() == memory);
            drop(buffer.take(10));
        }
        assert!(reused > 10, "{reused}");
    }

    #[test]
    fn bytes_that_are_held_are_never_overwritten() {
        let mut buffer = InputBuffer::new();
        let mut held = Vec::new();
        for round in 0..=u8::MAX {
            receive(&mut buffer, &[round; 1000]);
            held.push(buffer.take(1000));
        }
        for (round, bytes) in (0..=u8::MAX).zip(&held) {
            assert!(bytes.iter().all(|byte| *byte == round));
        }
    }

    #[test]
    fn reads_that_fill_their_room_get_more() {
        let mut buffer = InputBuffer::new();
        for _ in 0..10 {
            let room = buffer.room().len();
            buffer.fill(room);
            buffer.skip(room);
        }
        assert_eq!(buffer.room().len(), FULL_ROOM);
    }

    #[test]
    fn what_was_sent_in_part_goes_on_where_it_stopped() {
        let mut buffer = OutputBuffer::default();
        buffer.extend(b"hello");
        buffer.advance(2);
        assert_eq!(buffer.data(), b"llo");
        buffer.extend(b" you");
        buffer.advance(4);
        assert_eq!(buffer.data(), b"you");
        assert_eq!(buffer.len(), 3);
        buffer.advance(3);
        assert!(buffer.is_empty());
    }
}
