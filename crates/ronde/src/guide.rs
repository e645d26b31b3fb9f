#![doc = include_str!("../docs/guide/README.md")]

// The chapters are files of their own, in `docs/guide/` of this crate, so that they can be read
// there too. Each module imports the crate, so that a chapter can link to an item by its name.

pub mod asynchronous {
    #![doc = include_str!("../docs/guide/01-asynchronous.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod first_program {
    #![doc = include_str!("../docs/guide/02-first-program.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod coroutines {
    #![doc = include_str!("../docs/guide/03-coroutines.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod event_loop {
    #![doc = include_str!("../docs/guide/04-event-loop.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod tasks {
    #![doc = include_str!("../docs/guide/05-tasks.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod cancellation {
    #![doc = include_str!("../docs/guide/06-cancellation.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod waiting {
    #![doc = include_str!("../docs/guide/07-waiting.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod task_groups {
    #![doc = include_str!("../docs/guide/08-task-groups.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod blocking {
    #![doc = include_str!("../docs/guide/09-blocking.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod context_variables {
    #![doc = include_str!("../docs/guide/10-context-variables.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod async_iterators {
    #![doc = include_str!("../docs/guide/11-async-iterators.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod generators {
    #![doc = include_str!("../docs/guide/12-generators.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod context_managers {
    #![doc = include_str!("../docs/guide/13-context-managers.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod comprehensions {
    #![doc = include_str!("../docs/guide/14-comprehensions.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod synchronization {
    #![doc = include_str!("../docs/guide/15-synchronization.md")]
    #[cfg(doc)]
    use crate::*;
}

#[cfg(any(unix, not(doctest)))] // Its programs start programs of Unix.
pub mod subprocesses {
    #![doc = include_str!("../docs/guide/16-subprocesses.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod streams {
    #![doc = include_str!("../docs/guide/17-streams.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod testing {
    #![doc = include_str!("../docs/guide/18-testing.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod common_errors {
    #![doc = include_str!("../docs/guide/19-common-errors.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod common_questions {
    #![doc = include_str!("../docs/guide/20-common-questions.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod objections {
    #![doc = include_str!("../docs/guide/21-objections.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod from_asyncio {
    #![doc = include_str!("../docs/guide/22-from-asyncio.md")]
    #[cfg(doc)]
    use crate::*;
}

pub mod debugging {
    #![doc = include_str!("../docs/guide/23-debugging.md")]
    #[cfg(doc)]
    use crate::*;
}
