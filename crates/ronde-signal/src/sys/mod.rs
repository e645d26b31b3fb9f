//! The calls of the system that need `unsafe`.

mod unix;

pub(crate) use unix::*;
