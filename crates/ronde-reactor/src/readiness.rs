//! The two directions of a source and what is known about each.

/// A direction of a source: what flows in, or what flows out.
///
/// # Examples
///
/// ```
/// use ronde_reactor::Direction;
///
/// assert_eq!(Direction::BOTH, [Direction::Read, Direction::Write]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Reading, receiving, accepting.
    Read,
    /// Writing, sending, connecting.
    Write,
}

impl Direction {
    /// Both directions, in the order in which their listeners are told.
    ///
    /// # Examples
    ///
    /// See [`Direction`].
    pub const BOTH: [Self; 2] = [Self::Read, Self::Write];
}

/// What is known about one direction of a source.
///
/// The order is the order of strength: of two reports the greater one holds.
///
/// # Examples
///
/// ```
/// use ronde_reactor::Readiness;
///
/// assert!(Readiness::Blocked < Readiness::Ready);
/// assert!(Readiness::Ready < Readiness::Lasting);
/// assert_eq!(Readiness::default(), Readiness::Ready, "unknown, so worth a try");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Readiness {
    /// The system said that it would block; in an [`Event`](crate::Event): nothing to report.
    Blocked,
    /// It may succeed, and nothing speaks against it.
    #[default]
    Ready,
    /// It will not block although a short read or write may suggest it: the peer hung up, an
    /// error is pending, or urgent data stands in the way.
    Lasting,
}
