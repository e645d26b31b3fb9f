//! Callbacks for descriptors that somebody else owns: asyncio's `add_reader` and its kin.
//!
//! A library may have a descriptor that it wants to have watched, and own it itself. So what is registered
//! is a duplicate: another descriptor of the same open file, which nobody else can close. Each direction
//! has one of its own, so that nothing depends on a number that may stand for another file by now.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::rc::{Rc, Weak};

use ronde_executor::{ExceptionContext, Failure};
use ronde_reactor::{AsSource, BorrowedSource, Direction, Source};

use crate::handle::{LoopHandle, Shared};
use crate::repeated::Repeated;
use crate::sys::{self, RawSource};

impl LoopHandle {
    /// Calls `callback` again and again while `descriptor` has something to read, until it is removed.
    ///
    /// It is called once in each turn of the loop, whether or not it has read all there is, and also when the peer
    /// has hung up. A panic in it goes to the [exception handler](Self::set_exception_handler), and it
    /// stays. It runs in a copy of the context of the caller. An earlier reader of the same descriptor is
    /// replaced.
    ///
    /// This is for a descriptor that somebody else owns and reads from, such as a C library. The mode of
    /// the descriptor is left as it is. The open file is kept open by a duplicate until the callback is
    /// removed: so remove it before the descriptor is closed, else the peer doesn't hear of that. What is
    /// one's own is better [registered](Self::register): then there are
    /// [tasks that wait](Source::io), and [callbacks](Source::set_callback) for one system call less each.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`]:
    ///
    /// - [`Registered`](DescriptorError::Registered) if it belongs to a [`Source`], a stream's for
    ///   example, which would miss what the callback reads.
    /// - [`CannotWait`](DescriptorError::CannotWait) for a regular file.
    /// - [`NotOpen`](DescriptorError::NotOpen) for a number that stands for no open file.
    /// - [`LoopClosed`](DescriptorError::LoopClosed), and [`Io`](DescriptorError::Io) if the system has
    ///   no descriptors or memory left.
    ///
    /// # In asyncio
    ///
    /// `loop.add_reader`. There, nothing keeps the file open, and a number that stands for another file
    /// by then is watched in its place.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::{io::{Read, Write}, os::unix::net::UnixStream};
    /// let event_loop = EventLoop::new()?;
    /// let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    /// theirs.write_all(b"abc").unwrap();
    ///
    /// let mut received = 0;
    /// let reader = event_loop.add_reader(&ours.try_clone().unwrap(), move || {
    ///     // One byte at a time: it is called again for the next.
    ///     received += ours.read(&mut [0]).unwrap();
    ///     if received == 3 {
    ///         get_running_loop().unwrap().stop();
    ///     }
    /// })?;
    /// event_loop.run_forever()?;
    /// drop(reader);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_reader(
        &self,
        descriptor: &impl AsSource,
        callback: impl FnMut() + 'static,
    ) -> Result<Registration, DescriptorError> {
        self.add_callback(descriptor.as_source(), Direction::Read, Repeated::new(callback))
    }

    /// Removes the reader of `descriptor`. Was there one?
    ///
    /// # In asyncio
    ///
    /// `loop.remove_reader`.
    ///
    /// # Examples
    ///
    /// See [`Registration::detach`].
    pub fn remove_reader(&self, descriptor: &impl AsSource) -> bool {
        self.remove_callback(descriptor.as_source(), Direction::Read)
    }

    /// Calls `callback` again and again while `descriptor` takes something to write, until it is removed.
    ///
    /// See [`add_reader`](Self::add_reader). Most descriptors take something nearly always, so add a writer
    /// only while there is something to write.
    ///
    /// # Errors
    ///
    /// As `add_reader`.
    ///
    /// # In asyncio
    ///
    /// `loop.add_writer`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::{io::Write, os::unix::net::UnixStream};
    /// let event_loop = EventLoop::new()?;
    /// let (mut ours, _theirs) = UnixStream::pair().unwrap();
    /// let writer = event_loop.add_writer(&ours.try_clone().unwrap(), move || {
    ///     ours.write_all(b"hello").unwrap();
    ///     get_running_loop().unwrap().stop();
    /// })?;
    /// event_loop.run_forever()?;
    /// drop(writer);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_writer(
        &self,
        descriptor: &impl AsSource,
        callback: impl FnMut() + 'static,
    ) -> Result<Registration, DescriptorError> {
        self.add_callback(descriptor.as_source(), Direction::Write, Repeated::new(callback))
    }

    /// Removes the writer of `descriptor`. Was there one?
    ///
    /// # In asyncio
    ///
    /// `loop.remove_writer`.
    ///
    /// # Examples
    ///
    /// See [`Registration::detach`].
    pub fn remove_writer(&self, descriptor: &impl AsSource) -> bool {
        self.remove_callback(descriptor.as_source(), Direction::Write)
    }

    fn add_callback(
        &self,
        descriptor: BorrowedSource<'_>,
        direction: Direction,
        callback: Repeated,
    ) -> Result<Registration, DescriptorError> {
        if self.is_closed() {
            return Err(DescriptorError::LoopClosed);
        }
        if self.shared.reactor.owns(descriptor) {
            return Err(DescriptorError::Registered);
        }
        let duplicate = sys::duplicate(descriptor).map_err(DescriptorError::of)?;
        let source = self.register_shared(duplicate).map_err(DescriptorError::of)?;
        let place = (sys::raw(descriptor), direction);
        let event_loop = Rc::downgrade(&self.shared);
        let source = RefCell::new(Some(source));
        let watch = Rc::new(Watch { source, callback, place, event_loop });
        watch.listen().map_err(DescriptorError::Io)?;
        let replaced = self.shared.descriptors.table.borrow_mut().insert(place, watch.clone());
        if let Some(replaced) = replaced {
            replaced.remove();
        }
        Ok(Registration { watch: Some(watch) })
    }

    fn remove_callback(&self, descriptor: BorrowedSource<'_>, direction: Direction) -> bool {
        let place = (sys::raw(descriptor), direction);
        let removed = self.shared.descriptors.table.borrow_mut().remove(&place);
        removed.map(|watch| watch.remove()).is_some()
    }
}

/// A descriptor by its number, and a direction of it.
type Place = (RawSource, Direction);

/// The callbacks of one loop.
#[derive(Default)]
pub(crate) struct Descriptors {
    table: RefCell<HashMap<Place, Rc<Watch>>>,
}

impl Descriptors {
    pub(crate) fn close(&self) {
        let table = self.table.take();
        table.into_values().for_each(|watch| watch.remove());
    }
}

/// One direction of a descriptor that is watched.
struct Watch {
    /// A duplicate of the descriptor, until the callback is removed.
    source: RefCell<Option<Source>>,
    callback: Repeated,
    place: Place,
    event_loop: Weak<Shared>,
}

impl Watch {
    /// Has the reactor tell this when there is something.
    fn listen(self: &Rc<Self>) -> io::Result<()> {
        let weak = Rc::downgrade(self);
        let callback = move || {
            if let Some(watch) = weak.upgrade() {
                watch.call();
            }
        };
        match &*self.source.borrow() {
            Some(source) => source.set_callback(self.place.1, Some(Rc::new(callback))).map(drop),
            None => Ok(()),
        }
    }

    fn call(&self) {
        // The descriptor may still be ready, of which the reactor has told. Also if the callback panics.
        let _again = Again(self);
        self.callback.call();
    }

    /// To be called while nothing is borrowed: the callback may own anything.
    fn remove(&self) {
        self.callback.remove();
        let source = self.source.take();
        drop(source);
    }

    /// The system refuses to look again: nobody would ever be called.
    fn fail(&self, error: io::Error) {
        self.remove();
        if let Some(event_loop) = self.event_loop.upgrade() {
            event_loop.descriptors.take_out(self);
            let message = "a descriptor can no longer be watched, and its callback is removed";
            let failure = Failure::Error(Box::new(error));
            event_loop.executor.call_exception_handler(&ExceptionContext::new(message, failure));
        }
    }
}

impl Descriptors {
    /// Takes this out of the table, if it hasn't been replaced.
    fn take_out(&self, watch: &Watch) {
        let taken = {
            let mut table = self.table.borrow_mut();
            let is_there = table.get(&watch.place).is_some_and(|it| std::ptr::eq(&**it, watch));
            is_there.then(|| table.remove(&watch.place))
        };
        drop(taken);
    }
}

/// Has the reactor look again when a callback has run.
struct Again<'a>(&'a Watch);

impl Drop for Again<'_> {
    fn drop(&mut self) {
        let Self(watch) = self;
        let looked = watch.source.borrow().as_ref().map(|source| source.recheck(watch.place.1));
        if let Some(Err(error)) = looked {
            watch.fail(error);
        }
    }
}

/// The callback of a descriptor, which is removed when this is dropped. From
/// [`add_reader`](LoopHandle::add_reader) and [`add_writer`](LoopHandle::add_writer).
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// # use ronde_loop::EventLoop;
/// # use std::os::unix::net::UnixStream;
/// # let event_loop = EventLoop::new()?;
/// # let (ours, _theirs) = UnixStream::pair().unwrap();
/// let reader = event_loop.add_reader(&ours, || {})?;
/// assert!(reader.is_registered());
/// let another = event_loop.add_reader(&ours, || {})?;
/// assert!(!reader.is_registered(), "it was replaced");
///
/// drop(another);
/// assert!(!event_loop.remove_reader(&ours));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the callback is removed when this is dropped: call `detach` to leave it there"]
pub struct Registration {
    /// `None` when it was detached.
    watch: Option<Rc<Watch>>,
}

impl Registration {
    /// May it still be called? Not after it was replaced, removed, or its loop closed.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| !watch.callback.is_removed())
    }

    /// Leaves the callback where it is, until [`remove_reader`](LoopHandle::remove_reader) or
    /// [`remove_writer`](LoopHandle::remove_writer), or until the loop is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::EventLoop;
    /// # use std::os::unix::net::UnixStream;
    /// # let event_loop = EventLoop::new()?;
    /// # let (ours, _theirs) = UnixStream::pair().unwrap();
    /// event_loop.add_reader(&ours, || {})?.detach();
    /// assert!(event_loop.remove_reader(&ours));
    /// assert!(!event_loop.remove_reader(&ours));
    /// assert!(!event_loop.remove_writer(&ours));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn detach(mut self) {
        self.watch = None;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let Some(watch) = self.watch.take() else { return };
        if let Some(event_loop) = watch.event_loop.upgrade() {
            event_loop.descriptors.take_out(&watch);
        }
        watch.remove();
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Registration");
        if let Some(watch) = &self.watch {
            shown.field("descriptor", &watch.place.0).field("direction", &watch.place.1);
        }
        shown.field("is_registered", &self.is_registered()).finish()
    }
}

/// Why a descriptor can't be watched.
#[derive(Debug)]
#[non_exhaustive]
pub enum DescriptorError {
    /// It belongs to a [`Source`] of this loop, which would miss what others read.
    Registered,
    /// The system can't wait for it: it is a regular file, say.
    CannotWait(io::Error),
    /// Its number stands for no open file.
    NotOpen(io::Error),
    /// The loop is closed.
    LoopClosed,
    /// The system has no descriptors or memory left.
    Io(io::Error),
}

impl DescriptorError {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::Unsupported => Self::CannotWait(error),
            _ if sys::is_not_open(&error) => Self::NotOpen(error),
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for DescriptorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason: &dyn fmt::Display = match self {
            Self::Registered => &"it belongs to a registered source: use that source's callbacks",
            Self::LoopClosed => &"the event loop is closed",
            Self::CannotWait(error) | Self::NotOpen(error) | Self::Io(error) => error,
        };
        write!(f, "watching a descriptor: {reason}")
    }
}

impl std::error::Error for DescriptorError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::CannotWait(error) | Self::NotOpen(error) | Self::Io(error) => Some(error),
            Self::Registered | Self::LoopClosed => None,
        }
    }
}
