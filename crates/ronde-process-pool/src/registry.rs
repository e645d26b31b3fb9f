//! The functions that workers can run.

use std::any::{TypeId, type_name};
use std::env;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ronde_loop::PanicError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::serve;
use crate::wire::{self, Kind, Reply};

/// The first argument of a program that is to be a worker.
///
/// An argument, as the programs that a worker starts in its turn don't inherit it.
pub(crate) const WORKER_ARGUMENT: &str = "--ronde-process-pool-worker";

/// Is this process a worker of a [`ProcessPool`](crate::ProcessPool)?
///
/// Code that shall run at the start of each worker, such as setting up a logger, goes before the call
/// of [`serve_if_worker`](Registry::serve_if_worker).
///
/// # In asyncio
///
/// `multiprocessing.parent_process() is not None`; with it, the `initializer` of a
/// `ProcessPoolExecutor`.
#[must_use]
pub fn is_worker() -> bool {
    env::args_os().nth(1).is_some_and(|argument| argument == WORKER_ARGUMENT)
}

/// The functions that the workers of a [`ProcessPool`](crate::ProcessPool) can run.
///
/// A worker is the same program, started again. As nothing but bytes can be sent to it, it has to know
/// the functions already: both make the same registry, best in a function of its own.
///
/// # In asyncio
///
/// There is none: `pickle` sends the name of a function, and the worker imports its module.
///
/// # Examples
///
/// ```no_run
/// use ronde_process_pool::Registry;
///
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// fn jobs() -> Registry {
///     Registry::new().register(square)
/// }
///
/// fn main() {
///     jobs().serve_if_worker();
///     // The program, which makes a pool with `jobs()`.
/// }
/// ```
#[derive(Default)]
#[must_use]
pub struct Registry {
    functions: Vec<Registered>,
}

struct Registered {
    id: TypeId,
    name: &'static str,
    call: Call,
}

/// Takes encoded arguments.
type Call = Box<dyn Fn(&[u8]) -> Reply>;

impl Registry {
    /// Makes one without functions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function: an `fn`, or a closure that captures nothing. Adding it twice is fine.
    ///
    /// It has one argument; take a tuple for several. Argument and result are sent in the format of
    /// [postcard](https://docs.rs/postcard), which can't hold types that ask what comes next, such as
    /// enums with `#[serde(untagged)]`. Nor may a field be left out (`#[serde(skip_serializing_if)]`): what
    /// follows would be taken for it.
    ///
    /// It doesn't compile with a function pointer or a closure that captures something: which function
    /// that is can't be told from its type.
    pub fn register<F, A, R>(mut self, function: F) -> Self
    where
        F: Fn(A) -> R + 'static,
        A: DeserializeOwned,
        R: Serialize,
    {
        const { assert!(size_of::<F>() == 0, "a job is an `fn`, or a closure without captures") };
        if self.find::<F>().is_none() {
            self.functions.push(Registered {
                id: TypeId::of::<F>(),
                name: type_name::<F>(),
                call: Box::new(move |arguments| call(&function, arguments)),
            });
        }
        self
    }

    /// In a worker, runs jobs until the pool is gone, and ends the process. In all other processes, does
    /// nothing.
    ///
    /// Call it first thing in `main`: what stands before it, each worker does as well.
    ///
    /// Jobs run on the main thread, one after the other. They may print; their standard input is empty.
    /// Ctrl-C doesn't end a worker: its program decides what is to become of it. When the program ends,
    /// however it does, so do its workers, at once.
    ///
    /// # In asyncio
    ///
    /// `if __name__ == "__main__":`, as `multiprocessing` needs it where it starts processes afresh.
    pub fn serve_if_worker(&self) {
        if is_worker() {
            serve::serve(self);
        }
    }

    pub(crate) fn find<F: 'static>(&self) -> Option<u32> {
        let index = self.functions.iter().position(|known| known.id == TypeId::of::<F>())?;
        u32::try_from(index).ok()
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.functions.iter().map(|known| known.name).collect()
    }

    pub(crate) fn call(&self, index: u32, arguments: &[u8]) -> Reply {
        match self.functions.get(index as usize) {
            Some(known) => (known.call)(arguments),
            None => Reply::new(Kind::BadArguments, format!("there is no function {index}")),
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.names()).finish()
    }
}

fn call<A: DeserializeOwned, R: Serialize>(function: &impl Fn(A) -> R, arguments: &[u8]) -> Reply {
    // A panic of the user's `Deserialize` or `Serialize` is one as well.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let arguments =
            wire::decode(arguments).map_err(|problem| Reply::new(Kind::BadArguments, problem))?;
        let result = function(arguments);
        wire::encode(&result).map_err(|problem| Reply::new(Kind::BadResult, problem))
    }));
    match outcome {
        Ok(Ok(result)) => Reply::new(Kind::Value, result),
        Ok(Err(reply)) => reply,
        Err(payload) => Reply::new(Kind::Panicked, PanicError::of(payload).message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(n: u32) -> u32 {
        n * 2
    }

    #[test]
    fn a_function_is_known_by_its_type() {
        let closure = |(a, b): (u32, u32)| a + b;
        let registry = Registry::new().register(double).register(closure).register(double);
        fn index_of<F: 'static>(registry: &Registry, _: F) -> Option<u32> {
            registry.find::<F>()
        }
        assert_eq!(index_of(&registry, double), Some(0));
        assert_eq!(index_of(&registry, closure), Some(1));
        assert_eq!(index_of(&registry, |n: u32| n), None);
        let shown = format!("{registry:?}");
        assert!(shown.starts_with("Registry([\"ronde_process_pool::registry::tests::double\", "));
    }

    #[test]
    fn a_call_that_makes_no_sense_is_answered() {
        let registry = Registry::new().register(double);
        assert_eq!(registry.call(0, &[21]).content, [42]);
        assert_eq!(registry.call(0, &[]).kind, Kind::BadArguments);
        let reply = registry.call(1, &[21]);
        assert_eq!((reply.kind, &*reply.text()), (Kind::BadArguments, "there is no function 1"));
    }

    #[test]
    fn a_test_is_no_worker() {
        assert!(!is_worker());
        Registry::new().serve_if_worker();
    }
}
