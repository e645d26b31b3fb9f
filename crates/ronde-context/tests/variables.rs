//! Context variables, by themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use ronde_context::{Context, ContextVar, ResetError, copy_context};

static NAME: ContextVar<String> = ContextVar::new("name");
static COUNT: ContextVar<u32> = ContextVar::with_default("count", 7);

#[test]
fn a_variable_has_its_default_until_it_is_set() {
    assert_eq!(NAME.get(), None);
    assert_eq!(COUNT.get(), Some(7));
    let _ = COUNT.set(8);
    assert_eq!(COUNT.get(), Some(8));
    assert_eq!(COUNT.with(|count| count.copied()), Some(8));
    assert_eq!(COUNT.name(), "count");
    assert_eq!(format!("{COUNT:?}"), "<ContextVar 'count'>");
}

#[test]
fn tokens_bring_back_what_was_there() {
    let first = NAME.set("a".into());
    assert_eq!(format!("{first:?}"), "<Token of 'name'>");
    let second = NAME.set("b".into());
    NAME.reset(second).unwrap();
    assert_eq!(NAME.get().as_deref(), Some("a"));
    NAME.reset(first).unwrap();
    assert_eq!(NAME.get(), None);
    assert!(!copy_context().contains(&NAME));
}

#[test]
fn a_token_of_another_variable_or_context_is_refused_and_changes_nothing() {
    static OTHER: ContextVar<String> = ContextVar::new("other");
    let error = NAME.reset(OTHER.set("x".into())).unwrap_err();
    assert_eq!(error.to_string(), "'name' can't be reset with a token of 'other'");
    assert!(matches!(error, ResetError::OtherVariable { .. }));
    assert_eq!(OTHER.get().as_deref(), Some("x"));

    // A copy is another context, whichever of the two the token is from.
    let token = NAME.set("outside".into());
    let error = copy_context().run(|| NAME.reset(token)).unwrap_err();
    assert_eq!(error.to_string(), "the token of 'name' was made in another context");
    assert!(matches!(error, ResetError::OtherContext { .. }));
    let token = copy_context().run(|| NAME.set("inside".into()));
    assert!(NAME.reset(token).is_err());
    assert_eq!(NAME.get().as_deref(), Some("outside"));
}

#[test]
fn what_is_set_in_a_context_stays_there_and_is_seen_nowhere_else() {
    let mut context = copy_context();
    let token = context.run(|| NAME.set("first".into()));
    let mut copy = context.clone();
    context.run(|| {
        assert_eq!(NAME.get().as_deref(), Some("first"));
        let _ = NAME.set("second".into());
        let _ = COUNT.set(1);
    });
    assert_eq!(context.get(&NAME).as_deref(), Some("second"));
    assert_eq!(copy.run(|| NAME.get()).as_deref(), Some("first"));
    assert_eq!(NAME.get(), None);
    // Running in it again is running in the same context.
    context.run(|| NAME.reset(token)).unwrap();
    assert_eq!(context.get(&NAME), None);
    assert_eq!((context.get(&COUNT), copy.get(&COUNT)), (Some(1), Some(7)));
}

#[test]
fn contexts_nest_and_are_left_also_by_a_panic() {
    let mut outer = Context::new();
    let mut inner = Context::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        outer.run(|| {
            let _ = NAME.set("outer".into());
            inner.run(|| {
                assert_eq!(NAME.get(), None);
                let _ = NAME.set("inner".into());
                panic!("out of both");
            })
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(NAME.get(), None);
    assert_eq!(outer.get(&NAME).as_deref(), Some("outer"));
    assert_eq!(inner.get(&NAME).as_deref(), Some("inner"));
}

#[test]
fn a_context_lists_its_variables() {
    let mut context = Context::new();
    assert!(context.is_empty());
    context.run(|| {
        let _ = NAME.set("a".into());
        let _ = COUNT.set(1);
        let _ = NAME.set("b".into());
    });
    assert_eq!(context.names().collect::<Vec<_>>(), ["name", "count"]);
    assert_eq!(context.len(), 2);
    assert!(context.contains(&NAME));
    assert_eq!(format!("{context:?}"), r#"Context {"name", "count"}"#);
}

#[test]
fn each_thread_has_a_context_of_its_own_and_one_can_be_carried_over() {
    let _ = NAME.set("here".into());
    let mut context = copy_context();
    let (own, carried) = thread::spawn(move || {
        let own = NAME.get();
        (own, context.run(|| NAME.get()))
    })
    .join()
    .unwrap();
    assert_eq!((own, carried.as_deref()), (None, Some("here")));
}

#[test]
fn a_threads_values_are_dropped_with_the_thread() {
    struct Counted(Arc<AtomicU32>);
    impl Drop for Counted {
        fn drop(&mut self) {
            // A destructor may look around.
            let _ = COUNT.get();
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    static COUNTED: ContextVar<Counted> = ContextVar::new("counted");
    let dropped = Arc::new(AtomicU32::new(0));
    let counted = Counted(dropped.clone());
    thread::spawn(move || drop(COUNTED.set(counted))).join().unwrap();
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn a_variable_may_be_set_while_it_is_read() {
    let _ = NAME.set("before".into());
    NAME.with(|name| {
        let _ = NAME.set("after".into());
        assert_eq!(name.map(String::as_str), Some("before"));
    });
    assert_eq!(NAME.get().as_deref(), Some("after"));
}
