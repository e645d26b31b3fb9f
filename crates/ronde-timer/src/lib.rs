//! Timers for one event loop.
//!
//! A [`TimerQueue`] answers two questions: when must the loop wake next, and what is due now.
//! It reads no clock and never blocks. The loop passes the time in, so a test decides what time
//! it is.
//!
//! A *timer* is a value with a *deadline*, the instant from which it is *due*. It is *live* from
//! its insertion until it is popped or removed. While it is live, its [`TimerKey`] finds it;
//! afterwards the key is *stale* and finds nothing, ever.
//!
//! ```
//! use ronde_timer::TimerQueue;
//! use std::time::{Duration, Instant};
//!
//! let start = Instant::now();
//! let mut queue = TimerQueue::new();
//! let later = queue.insert(start + Duration::from_secs(1), "later");
//! queue.insert(start, "now");
//!
//! assert_eq!(queue.pop_due(start), Some("now"));
//! assert_eq!(queue.pop_due(start), None);
//!
//! assert_eq!(queue.next_deadline(), Some(start + Duration::from_secs(1)));
//! assert_eq!(queue.remove(later), Some("later"));
//! assert_eq!(queue.next_deadline(), None);
//! ```
//!
//! # Order
//!
//! Timers come out by deadline. Equal deadlines come out in the order they went in, and
//! rescheduling a timer counts as putting it in again. There is no granularity: one nanosecond
//! earlier is earlier.
//!
//! # Cost
//!
//! Most timers of a network program are timeouts, inserted late in the order and removed before
//! they fire. That is the case to be fast in: a timer that is inserted behind all others, and
//! removed again before more come, costs the same however many there are. Whatever else changes the
//! order takes at most logarithmic time, and usually much less for late timers than for early ones.
//! Looking takes constant time.
//!
//! A removed timer leaves nothing behind. Memory follows the largest number of timers that were
//! ever live at once. It is reused and not given back before the queue is dropped, so a queue that
//! has reached its usual size allocates nothing more.
//!
//! # Inside
//!
//! Two structures that share an index, the *slot*:
//!
//! ```text
//!             TimerKey { slot: 2, id: 7 }
//!                              |
//!  slots      0: value   1: -  2: value, id 7     a slab: vacant slots are chained and reused
//!                              |
//!  positions  0: 1       1: -  2: 0               where in the heap the slot's entry is
//!                              |
//!  heap       [ (deadline, sequence, slot 2), (deadline, sequence, slot 0) ]
//! ```
//!
//! - The slots own the values. Each insertion gets a number that the queue never uses again; slot
//!   and key both hold it, so a key is recognized as stale when its slot has another tenant or none.
//! - The heap has four children per node, which makes it half as deep as a binary one and puts
//!   the children that are compared with each other side by side in memory. Because each entry's
//!   position is known, a timer is taken out where it is, instead of being marked as dead and
//!   swept up later: the earliest deadline is always a live one.
//!
//! # Elsewhere
//!
//! The clock and `call_later` belong to `ronde-loop`; `sleep` and `timeout` to `ronde`.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod queue;

mod slots;

mod heap;

pub use queue::{TimerKey, TimerQueue};

/// Makes the example of the README a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
