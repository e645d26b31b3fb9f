//! One file per runtime: how it does what the scenarios ask for.
//!
//! Each file includes the scenarios' text, `src/text`, as modules of its own: they find `spawn`,
//! `sleep` and so on in the runtime's file. Generic code would not do: one runtime wants futures that
//! are `Send`, another has none.

pub(crate) mod ronde;

use crate::scenario::Scenario;

/// A runtime, and what it can be measured with.
pub(crate) struct Runtime {
    pub(crate) name: &'static str,
    pub(crate) scenarios: &'static [&'static [Scenario]],
}

/// All of them, the one that the others are compared with first if it is there.
pub(crate) const RUNTIMES: &[Runtime] = &[ronde::RUNTIME];

impl Runtime {
    pub(crate) fn scenarios(&self) -> impl Iterator<Item = &'static Scenario> + use<> {
        self.scenarios.iter().copied().flatten()
    }

    pub(crate) fn scenario(&self, name: &str) -> Option<&'static Scenario> {
        self.scenarios().find(|scenario| scenario.name == name)
    }
}
