//! One file per runtime: how it does what the scenarios ask for.
//!
//! Each file includes the scenarios' text, `src/text`, as modules of its own: they find `spawn`,
//! `sleep` and so on in the runtime's file. Generic code would not do: one runtime wants futures that
//! are `Send`, another has none. What a runtime does not have, it leaves out.

#[cfg(feature = "peers")]
mod compio;
#[cfg(feature = "peers")]
mod monoio;
pub(crate) mod ronde;
#[cfg(feature = "peers")]
mod smol;
#[cfg(feature = "peers")]
mod tokio;
#[cfg(feature = "peers")]
mod tokio_common;
#[cfg(feature = "peers")]
mod tokio_threads;

use crate::scenario::Scenario;
use crate::serve::Service;

/// A runtime, and what it can be measured with.
pub(crate) struct Runtime {
    pub(crate) name: &'static str,
    /// Called once in a process, before all else; or why the runtime can't be measured here.
    pub(crate) prepare: fn() -> Result<(), String>,
    pub(crate) scenarios: &'static [&'static [Scenario]],
    pub(crate) services: &'static [Service],
    /// Runs a server, for as long as the process lives.
    pub(crate) serve: fn(Service),
}

/// All of them, in the order of the table's columns.
pub(crate) const RUNTIMES: &[Runtime] = &[
    ronde::RUNTIME,
    #[cfg(feature = "peers")]
    tokio::RUNTIME,
    #[cfg(feature = "peers")]
    tokio_threads::RUNTIME,
    #[cfg(feature = "peers")]
    smol::RUNTIME,
    #[cfg(feature = "peers")]
    monoio::EPOLL,
    #[cfg(feature = "peers")]
    monoio::IO_URING,
    #[cfg(feature = "peers")]
    compio::RUNTIME,
];

/// The runtime that the others are compared with.
pub(crate) const REFERENCE: &str = "tokio";

impl Runtime {
    pub(crate) fn scenarios(&self) -> impl Iterator<Item = &'static Scenario> + use<> {
        self.scenarios.iter().copied().flatten()
    }

    pub(crate) fn scenario(&self, name: &str) -> Option<&'static Scenario> {
        self.scenarios().find(|scenario| scenario.name == name)
    }
}
