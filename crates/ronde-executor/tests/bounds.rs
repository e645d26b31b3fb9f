//! Which types may leave their thread. One table, checked by the compiler.

use ronde_context::CancelledError;
use ronde_executor::{
    ClosedError, Executor, Handle, InvalidStateError, PanicError, Promise, Remote, RemoteHandle,
    Task, TaskError, TaskRef, WeakExecutor,
};

fn both<T: Send + Sync>() {}

/// Compiles only if the type is not `Send`: else both implementations of the trait would fit.
macro_rules! not_send {
    ($($type:ty),* $(,)?) => {$({
        trait Ambiguous<A> {
            fn name() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        impl<T: ?Sized + Send> Ambiguous<u8> for T {}
        <$type as Ambiguous<_>>::name();
    })*};
}

macro_rules! not_sync {
    ($($type:ty),* $(,)?) => {$({
        trait Ambiguous<A> {
            fn name() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        impl<T: ?Sized + Sync> Ambiguous<u8> for T {}
        <$type as Ambiguous<_>>::name();
    })*};
}

#[test]
fn what_points_into_the_executor_stays_on_its_thread() {
    not_send!(Executor, WeakExecutor, Task<()>, TaskRef, Promise<()>, Handle);
    not_sync!(Executor, WeakExecutor, Task<()>, TaskRef, Promise<()>, Handle);
}

#[test]
fn what_talks_to_it_from_elsewhere_and_all_errors_go_anywhere() {
    both::<Remote>();
    both::<RemoteHandle>();
    both::<ClosedError>();
    both::<CancelledError>();
    both::<TaskError>();
    both::<PanicError>();
    both::<InvalidStateError>();
}
