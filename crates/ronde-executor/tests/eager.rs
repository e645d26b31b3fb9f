//! Tasks that begin at once, and what else a `TaskBuilder` can say.

mod support;

use futures_lite::future::{pending, yield_now};
use ronde_context::{CancelledError, catch_cancelled};
use ronde_executor::{Executor, TaskBuilder, TaskError, TaskRef, current_task};
use std::cell::RefCell;
use std::rc::Rc;
use support::{executor, run};

fn eager() -> TaskBuilder {
    TaskBuilder::new().eager()
}

/// Runs `body` in a task, and what it leaves behind. Returns its output.
fn inside<T: 'static>(executor: &Executor, body: impl Future<Output = T> + 'static) -> T {
    let task = executor.spawn(body);
    run(executor);
    task.take_result().unwrap()
}

#[test]
fn what_does_not_wait_is_done_when_create_task_returns() {
    let executor = executor();
    inside(&executor, async {
        let task = eager().named("quick").create_task(async {
            assert_eq!(&*current_task().unwrap().name(), "quick");
            7
        });
        assert!(task.done());
        assert_eq!(&*current_task().unwrap().name(), "Task-1");
        // Awaiting it doesn't suspend either.
        assert_eq!(task.await.unwrap(), 7);
    });
    assert_eq!(executor.statistics().created, 2);
}

#[test]
fn what_waits_goes_on_as_any_task() {
    let executor = executor();
    let order = Rc::new(RefCell::new(Vec::new()));
    inside(&executor, {
        let order = order.clone();
        async move {
            let inner = order.clone();
            let task = eager().create_task(async move {
                inner.borrow_mut().push("first step");
                yield_now().await;
                inner.borrow_mut().push("second step");
            });
            order.borrow_mut().push("created");
            assert!(!task.done());
            task.await.unwrap();
            order.borrow_mut().push("awaited");
        }
    });
    assert_eq!(*order.borrow(), ["first step", "created", "second step", "awaited"]);
}

#[test]
fn it_is_among_all_tasks_during_its_first_step() {
    let executor = executor();
    let weak = executor.downgrade();
    inside(&executor, async move {
        let task = eager().create_task(async move {
            weak.upgrade().unwrap().all_tasks().iter().map(TaskRef::name).collect::<Vec<_>>()
        });
        let names = task.take_result().unwrap();
        assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["Task-1", "Task-2"]);
    });
}

#[test]
fn a_panic_is_its_outcome_and_not_the_creators() {
    let executor = executor();
    inside(&executor, async {
        let task = eager().create_task(async { panic!("at once") });
        assert!(task.panicked());
        match task.await {
            Err(TaskError::Panicked(panic)) => assert_eq!(panic.message(), "at once"),
            other => unreachable!("{other:?}"),
        }
    });
}

#[test]
fn done_callbacks_go_through_the_queue() {
    let executor = executor();
    let called = Rc::new(RefCell::new(false));
    inside(&executor, {
        let called = called.clone();
        async move {
            let task = eager().create_task(async {});
            let seen = called.clone();
            task.add_done_callback(move |task| *seen.borrow_mut() = task.done());
            assert!(!*called.borrow());
            yield_now().await;
            assert!(*called.borrow());
        }
    });
}

#[test]
fn eager_tasks_nest_and_each_is_the_current_one_in_its_turn() {
    fn nest(depth: u64) -> std::pin::Pin<Box<dyn Future<Output = u64>>> {
        Box::pin(async move {
            let me = current_task().unwrap();
            let below = match depth {
                0 => 0,
                _ => eager().create_task(nest(depth - 1)).take_result().unwrap(),
            };
            assert_eq!(current_task().unwrap(), me);
            below + 1
        })
    }
    let executor = executor();
    assert_eq!(inside(&executor, nest(20)), 21);
}

#[test]
fn a_cancellation_of_the_creator_during_the_first_step_is_the_creators() {
    let executor = executor();
    let creator = executor.spawn(async {
        let me = current_task().unwrap();
        let task = eager().create_task(async move {
            me.cancel_msg("you");
            "unharmed"
        });
        assert_eq!(task.take_result().unwrap(), "unharmed");
        pending::<()>().await;
    });
    run(&executor);
    assert_eq!(creator.result().unwrap_err().to_string(), "cancelled: you");
}

#[test]
fn a_task_that_cancels_itself_in_its_first_step_is_cancelled_where_it_suspends() {
    let executor = executor();
    inside(&executor, async {
        let task = eager().create_task(async {
            current_task().unwrap().cancel();
            let caught = catch_cancelled(pending::<()>()).await;
            caught.unwrap_err().raise::<()>().await;
        });
        assert!(!task.done());
        assert!(task.await.unwrap_err().is_cancelled());
        // The creator is not touched.
        yield_now().await;
    });
}

#[test]
fn a_cancellation_that_is_being_delivered_is_not_taken_by_an_eager_task() {
    struct StartsOne(Rc<RefCell<Option<u8>>>);
    impl Drop for StartsOne {
        fn drop(&mut self) {
            let task = eager().create_task(catch_cancelled(async { 7 }));
            *self.0.borrow_mut() = task.take_result().unwrap().ok();
        }
    }
    let executor = executor();
    let value = Rc::new(RefCell::new(None));
    let starts = StartsOne(value.clone());
    let creator = executor.spawn(async move {
        let _starts = starts;
        pending::<()>().await;
    });
    run(&executor);
    creator.cancel();
    run(&executor);
    assert!(creator.cancelled());
    assert_eq!(*value.borrow(), Some(7));
}

#[test]
fn where_nothing_runs_it_begins_in_the_first_turn() {
    let executor = executor();
    let task = eager().create_task_on(&executor, async { 7 });
    assert!(!task.done());
    run(&executor);
    assert_eq!(task.result().unwrap(), 7);
}

#[test]
#[should_panic(expected = "a task was created outside a running event loop")]
fn it_needs_an_executor() {
    let _ = eager().create_task(async {});
}

#[test]
#[should_panic(expected = "a task was created on a closed event loop")]
fn it_needs_one_that_is_open() {
    let executor = executor();
    executor.close();
    let _ = eager().create_task_on(&executor, async {});
}

#[test]
fn a_refused_task_is_cancelled_and_has_its_name() {
    let executor = executor();
    inside(&executor, async {
        let error = CancelledError::new("no room");
        let task = TaskBuilder::new().named("late").cancelled_task::<u8>(error);
        assert!(task.cancelled() && !task.cancel());
        assert_eq!(&*task.name(), "late");
        assert_eq!(task.await.unwrap_err().to_string(), "cancelled: no room");
    });
    assert!(executor.all_tasks().is_empty());
}

#[test]
fn a_failure_is_remembered_when_its_value_is_gone_if_that_was_asked_for() {
    let executor = executor();
    let (forgotten, remembered) =
        (executor.spawn(async { Err::<(), _>(1) }), executor.spawn(async { Err::<(), _>(2) }));
    remembered.remember_failure();
    run(&executor);
    assert!(forgotten.failed() && remembered.failed());
    assert_eq!(forgotten.take_result().unwrap(), Err(1));
    assert_eq!(remembered.take_result().unwrap(), Err(2));
    assert!(!forgotten.failed());
    assert!(remembered.failed());
}
