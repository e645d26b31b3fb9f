//! What each task waits for, who must act, and what all of them are doing.

mod common;

use common::SECOND;
use ronde::low_level::{Direction, EventLoop, SimulatedClock};
use ronde::{
    Barrier, Condition, Event, IoDirection, Lock, Promise, Queue, RunError, Semaphore, Task,
    TaskRef, WaitKind, as_completed, create_task, current_task, find_cycles, format_task_tree,
    format_tasks, gather, get_running_loop, shield, sleep, task_group, timeout, to_thread, wait,
    yield_now,
};
use std::future::{Future, pending};
use std::rc::Rc;

/// A task that has run until it waits.
async fn started<F: Future + 'static>(future: F) -> Task<F::Output> {
    let task = create_task(future);
    yield_now().await;
    yield_now().await;
    task
}

async fn kind_of<F: Future + 'static>(future: F) -> WaitKind {
    let task = started(future).await;
    let info = task.info();
    task.cancel();
    let waiting = info.waiting.expect("it says what it waits for");
    assert!(!waiting.description.is_empty());
    waiting.kind
}

#[ronde::test(simulated)]
async fn every_primitive_says_what_it_is_that_is_waited_for() {
    let lock = Rc::new(Lock::new(()));
    let _guard = lock.try_acquire().unwrap();
    let (waits, event) = (lock.clone(), Rc::new(Event::new()));
    assert_eq!(kind_of(async move { drop(waits.acquire().await) }).await, WaitKind::Lock);
    assert_eq!(kind_of(async move { event.wait().await }).await, WaitKind::Event);
    let condition = Condition::new(());
    let notified = async move { drop(condition.acquire().await.wait().await) };
    assert_eq!(kind_of(notified).await, WaitKind::Condition);
    let semaphore = Semaphore::new(0);
    let slot = async move { drop(semaphore.acquire().await) };
    assert_eq!(kind_of(slot).await, WaitKind::Semaphore);
    let barrier = Barrier::new(2).unwrap();
    let met = async move { _ = barrier.wait().await };
    assert_eq!(kind_of(met).await, WaitKind::Barrier);
    let queue = Rc::new(Queue::new(1));
    let (get, put, join) = (queue.clone(), queue.clone(), queue.clone());
    assert_eq!(kind_of(async move { get.get().await }).await, WaitKind::QueueGet);
    queue.put_nowait(1).unwrap();
    assert_eq!(kind_of(async move { put.put(2).await }).await, WaitKind::QueuePut);
    assert_eq!(kind_of(async move { join.join().await }).await, WaitKind::QueueJoin);
    let promise = Promise::<()>::new();
    assert_eq!(kind_of(promise.into_future()).await, WaitKind::Promise);
    assert_eq!(kind_of(create_task(pending::<()>()).into_future()).await, WaitKind::Task);
    let two = async { futures_lite::future::zip(sleep(SECOND), sleep(2 * SECOND)).await };
    assert_eq!(kind_of(two).await, WaitKind::Several);
    let foreign = started(pending::<()>()).await;
    assert!(foreign.info().waiting.is_none(), "nothing known");
    foreign.cancel();
}

#[ronde::test(simulated)]
async fn a_timer_tells_its_deadline_also_inside_a_time_limit() {
    let deadline = get_running_loop().unwrap().time() + 5 * SECOND;
    let expected = WaitKind::Timer { deadline };
    assert_eq!(kind_of(sleep(5 * SECOND)).await, expected);
    assert_eq!(kind_of(timeout(SECOND, sleep(5 * SECOND))).await, expected);
}

#[ronde::test]
async fn a_descriptor_tells_its_number_and_its_direction() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let source = get_running_loop().unwrap().register(socket).unwrap();
    source.mark_blocked(Direction::Read);
    let expected = WaitKind::Descriptor { number: source.number(), direction: IoDirection::Read };
    let reading = started(async move { source.ready(Direction::Read).await }).await;
    assert_eq!(reading.waiting_for().unwrap().kind(), expected);
    let told = format!("{:?}", reading.waiting_for().unwrap());
    assert!(told.starts_with("descriptor ") && told.ends_with(" to be readable"), "{told}");
    reading.cancel();
}

#[ronde::test]
async fn a_stream_that_is_read_is_a_descriptor() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (reader, _writer) = ronde::open_connection("127.0.0.1", address.port()).await.unwrap();
    let kind = kind_of(async move { reader.read(1).await }).await;
    let WaitKind::Descriptor { direction: IoDirection::Read, .. } = kind else {
        panic!("{kind:?}")
    };
}

#[ronde::test]
async fn a_job_in_a_thread_tells_the_function() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let job = started(to_thread(move || _ = receiver.recv())).await;
    let WaitKind::Thread { function } = job.waiting_for().unwrap().kind() else { panic!() };
    assert!(function.contains("a_job_in_a_thread_tells_the_function"), "{function}");
    drop(sender);
    job.await.unwrap().unwrap();
}

fn names(tasks: &[TaskRef]) -> Vec<String> {
    tasks.iter().map(|task| task.name().to_string()).collect()
}

#[ronde::test(simulated)]
async fn who_waits_for_a_lock_waits_on_its_holder() {
    let lock = Rc::new(Lock::new(()));
    current_task().unwrap().set_name("holder");
    let guard = lock.acquire().await;
    let wants = lock.clone();
    let waiting = started(async move { drop(wants.acquire().await) }).await;
    assert_eq!(names(&waiting.waits_on()), ["holder"]);
    assert!(current_task().unwrap().call_graph().awaited_by[0].future == *waiting);
    drop(guard);
    waiting.await.unwrap();
}

#[ronde::test(simulated)]
async fn gather_and_its_like_lead_to_their_children() {
    let nap = |name: &str| create_task(sleep(SECOND)).named(name);
    let gathering = started(gather((nap("a"), nap("b")))).await;
    assert_eq!(names(&gathering.waits_on()), ["a", "b"]);
    let waiting = started(wait([nap("c"), nap("d")])).await;
    assert_eq!(names(&waiting.waits_on()), ["c", "d"]);
    let shielded = nap("e");
    let shielding = started(shield(shielded)).await;
    assert_eq!(names(&shielding.waits_on()), ["e"]);
    let first = as_completed([nap("f"), nap("g")]);
    let completing = started(async move {
        let mut first = first;
        first.next().await.unwrap().await.unwrap();
    })
    .await;
    assert_eq!(names(&completing.waits_on()), ["f", "g"]);
    let group = started(task_group(async |group| {
        group.create_task(sleep(SECOND)).set_name("h");
    }))
    .await;
    assert_eq!(names(&group.waits_on()), ["h"]);
    sleep(2 * SECOND).await;
    assert!(gathering.done() && waiting.done() && shielding.done() && group.done());
    completing.await.unwrap();
}

/// Two tasks, each of which has the lock that the other one wants.
async fn embrace() -> [Task<()>; 2] {
    let (first, second) = (Rc::new(Lock::new(())), Rc::new(Lock::new(())));
    let take_both = |one: &Rc<Lock>, other: &Rc<Lock>| {
        let (one, other) = (one.clone(), other.clone());
        create_task(async move {
            let _one = one.acquire().await;
            yield_now().await;
            let _other = other.acquire().await;
        })
    };
    let both = [take_both(&first, &second).named("a"), take_both(&second, &first).named("b")];
    for _ in 0..4 {
        yield_now().await;
    }
    both
}

const CIRCLE: &str = "'a' waits for <Lock [locked, owner:<Task 'b'>, waiters:1]>\n\
                      'b' waits for <Lock [locked, owner:<Task 'a'>, waiters:1]>";

#[ronde::test(simulated)]
async fn a_deadly_embrace_is_found_and_a_cancellation_ends_it() {
    let [a, b] = embrace().await;
    let cycles = find_cycles().unwrap();
    assert_eq!(cycles.iter().map(ToString::to_string).collect::<Vec<_>>(), [CIRCLE]);
    assert_eq!(cycles[0].links()[0].wait.kind(), WaitKind::Lock);
    let indented = CIRCLE.replace('\n', "\n  ");
    assert!(format_tasks().unwrap().ends_with(&format!("go on:\n  {indented}\n")));
    let tree = format_task_tree().unwrap();
    assert!(tree.contains("└── 'a' introspection::embrace"), "{tree}");
    a.cancel();
    b.await.unwrap();
    assert!(find_cycles().unwrap().is_empty());
}

#[test]
fn the_error_of_a_deadlock_names_the_circle() {
    let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build().unwrap();
    let outcome = event_loop.run_until_complete(async {
        let [a, b] = embrace().await;
        a.await.unwrap();
        b.await.unwrap();
    });
    let Err(RunError::Deadlock(deadlock)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(deadlock.cycles, [CIRCLE]);
    assert_eq!(deadlock.tasks.len(), 3);
    assert!(deadlock.to_string().contains("\n  in a circle:\n    'a' waits for"), "{deadlock}");
}

#[test]
fn where_no_loop_runs_there_is_nothing_to_report() {
    assert!(format_tasks().is_err());
    assert!(format_task_tree().is_err());
    assert!(find_cycles().is_err());
}
