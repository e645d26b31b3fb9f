//! What tasks and callbacks inherit: the values of context variables, and the span of `tracing`.

mod common;

use common::{Log, SECOND, after, run, runner};
use ronde::{
    Context, ContextVar, Promise, ResetError, copy_context, create_task, get_running_loop, sleep,
    task_builder, task_group, to_thread, yield_now,
};
use std::cell::RefCell;
use std::rc::Rc;

static USER: ContextVar<String> = ContextVar::new("user");

fn user() -> String {
    USER.get().unwrap_or_else(|| "nobody".to_owned())
}

fn log_in(user: &str) {
    USER.set(user.to_owned());
}

#[test]
fn a_task_has_a_copy_of_the_context_it_was_created_in() {
    run(async {
        log_in("Ada");
        let child = create_task(async {
            let inherited = user();
            yield_now().await;
            log_in("child");
            yield_now().await;
            (inherited, user())
        });
        log_in("Grace");
        assert_eq!(child.await.unwrap(), ("Ada".into(), "child".into()));
        assert_eq!(user(), "Grace");
    });
    assert_eq!(user(), "nobody");
}

#[test]
fn tasks_that_take_turns_keep_their_values_apart() {
    run(async {
        let session = |name: &'static str| async move {
            log_in(name);
            for _ in 0..3 {
                yield_now().await;
                assert_eq!(user(), name);
            }
        };
        ronde::gather((session("a"), session("b"))).await.unwrap();
        assert_eq!(user(), "nobody");
    });
}

#[test]
fn a_token_of_another_task_is_refused() {
    run(async {
        let token = USER.set("Ada".into());
        let child = create_task(async move { USER.reset(token) });
        assert!(matches!(child.await.unwrap(), Err(ResetError::OtherContext { .. })));

        let token = USER.set("Grace".into());
        sleep(SECOND).await;
        USER.reset(token).unwrap();
        assert_eq!(user(), "Ada");
    });
}

#[test]
fn a_callback_runs_in_a_copy_of_the_context_it_was_registered_in() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let event_loop = get_running_loop().unwrap();
            let callback = |what: &'static str| {
                let log = log.clone();
                move || {
                    log.push(format!("{what}: {}", user()));
                    // Seen by nobody, this callback's successors included.
                    log_in("a callback");
                }
            };
            log_in("soon");
            event_loop.call_soon(callback("call_soon"));
            log_in("later");
            event_loop.call_later(SECOND, callback("call_later"));
            log_in("threadsafe");
            let remote = event_loop.remote();
            let (sender, seen) = std::sync::mpsc::channel();
            remote.call_soon_threadsafe(move || sender.send(user()).unwrap()).unwrap();
            let task = create_task(after(1, ()));
            let promise = Promise::<()>::new();
            log_in("done callback");
            let done = callback("task is done");
            task.add_done_callback(move |_| done());
            let done = callback("promise is done");
            promise.add_done_callback(move |_| done());
            promise.set_result(()).unwrap();
            log_in("too late");
            yield_now().await;
            assert_eq!(user(), "too late");
            task.await.unwrap();
            sleep(SECOND).await;
            assert_eq!(seen.recv().unwrap(), "threadsafe");

            // Of what is done already, too.
            log_in("afterwards");
            let done = callback("promise was done");
            promise.add_done_callback(move |_| done());
            log_in("too late");
            sleep(SECOND).await;
        }
    });
    assert_eq!(
        log.take(),
        [
            "call_soon: soon",
            "promise is done: done callback",
            "call_later: later",
            "task is done: done callback",
            "promise was done: afterwards",
        ]
    );
}

#[test]
fn a_callback_of_another_thread_runs_in_the_context_of_that_thread() {
    run(async {
        log_in("the loop");
        let remote = get_running_loop().unwrap().remote();
        let (sender, seen) = std::sync::mpsc::channel();
        to_thread(move || {
            log_in("the thread");
            remote.call_soon_threadsafe(move || sender.send(user()).unwrap()).unwrap();
        })
        .await
        .unwrap();
        // The loop looks for what came from other threads once in a while.
        let seen = loop {
            match seen.try_recv() {
                Ok(seen) => break seen,
                Err(_) => yield_now().await,
            }
        };
        assert_eq!(seen, "the thread");
        assert_eq!(user(), "the loop");
    });
}

#[test]
fn a_task_may_be_given_a_context_and_asked_for_it() {
    run(async {
        log_in("Ada");
        let mut context = Context::new();
        context.run(|| log_in("Grace"));
        let task = task_builder().context(context.clone()).create_task(async {
            let given = user();
            log_in("changed");
            assert_eq!(ronde::current_task().unwrap().context().get(&USER), Some("changed".into()));
            yield_now().await;
            given
        });
        yield_now().await;
        assert_eq!(task.context().get(&USER).as_deref(), Some("changed"));
        assert_eq!((&task).await.unwrap(), "Grace");
        assert_eq!(task.context().get(&USER).as_deref(), Some("changed"));
        assert_eq!(context.get(&USER).as_deref(), Some("Grace"));

        let nobody = task_group(async |group| {
            let builder = group.task_builder().context(Context::new());
            builder.create_task(async { user() }).unwrap().await.unwrap()
        });
        assert_eq!(nobody.await.unwrap(), "nobody");
    });
}

#[test]
fn an_eager_task_runs_in_its_own_context_as_well() {
    run(async {
        log_in("outside");
        let task = task_builder().eager().create_task(async {
            let inherited = user();
            log_in("inside");
            inherited
        });
        assert_eq!(user(), "outside");
        assert_eq!(task.context().get(&USER).as_deref(), Some("inside"));
        assert_eq!(task.await.unwrap(), "outside");
    });
}

#[test]
fn to_thread_carries_the_context_over() {
    run(async {
        log_in("Ada");
        let seen = to_thread(|| {
            let seen = user();
            log_in("the thread");
            seen
        });
        assert_eq!(seen.await.unwrap(), "Ada");
        assert_eq!(user(), "Ada");
        // The thread has kept nothing.
        let own = get_running_loop().unwrap().run_in_executor(None, user).unwrap();
        assert_eq!(own.await.unwrap(), "nobody");
    });
}

#[test]
fn the_main_tasks_of_a_runner_share_one_context() {
    log_in("the thread");
    let runner = runner();
    log_in("changed");
    assert_eq!(runner.run(async { user() }).unwrap(), "the thread");
    runner.run(async { log_in("first") }).unwrap();
    assert_eq!(runner.run(async { user() }).unwrap(), "first");
    assert_eq!(user(), "changed");
    runner.close().unwrap();
}

#[test]
fn destructors_of_a_task_that_is_cancelled_see_its_context() {
    struct Says(Rc<RefCell<String>>);
    impl Drop for Says {
        fn drop(&mut self) {
            *self.0.borrow_mut() = user();
        }
    }
    let said = Rc::new(RefCell::new(String::new()));
    run({
        let said = Says(said.clone());
        async move {
            let task = create_task(async move {
                let _said = said;
                log_in("the task");
                std::future::pending::<()>().await;
            });
            yield_now().await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            assert!(copy_context().is_empty());
        }
    });
    assert_eq!(*said.borrow(), "the task");
}
