//! Locks, events, conditions, semaphores, barriers and queues.

use ronde::{
    AnyQueue, Barrier, BoundedSemaphore, BrokenBarrierError, Condition, Event, GetError, LifoQueue,
    Lock, NotLockedError, PriorityQueue, PutError, Queue, QueueShutDown, Semaphore, Storage,
    TaskDoneTooOftenError,
};

use crate::interp::{Activation, Run, catch};
use crate::parse::{Decl, QueueKind, Stmt, Test};
use crate::value::{Exc, Outcome, Value};

/// Those of one program. It refers to them by index.
pub(crate) struct Primitives {
    locks: Vec<Lock>,
    events: Vec<Event>,
    conditions: Vec<Condition>,
    semaphores: Vec<AnySemaphore>,
    barriers: Vec<Barrier>,
    queues: Vec<NumberQueue>,
}

enum AnySemaphore {
    Plain(Semaphore),
    Bounded(BoundedSemaphore),
}

enum NumberQueue {
    Fifo(Queue<i64>),
    Lifo(LifoQueue<i64>),
    Priority(PriorityQueue<i64>),
}

/// Does the same with any kind of queue.
macro_rules! with_queue {
    ($queue:expr, $name:ident => $do:expr) => {
        match $queue {
            NumberQueue::Fifo($name) => $do,
            NumberQueue::Lifo($name) => $do,
            NumberQueue::Priority($name) => $do,
        }
    };
}

impl Primitives {
    pub(crate) fn new(decl: &Decl) -> Self {
        let semaphores = decl.sems.iter().map(|sem| match sem.bounded {
            true => AnySemaphore::Bounded(BoundedSemaphore::new(sem.value)),
            false => AnySemaphore::Plain(Semaphore::new(sem.value)),
        });
        let queues = decl.queues.iter().map(|queue| match queue.kind {
            QueueKind::Fifo => NumberQueue::Fifo(Queue::new(queue.max)),
            QueueKind::Lifo => NumberQueue::Lifo(LifoQueue::new(queue.max)),
            QueueKind::Priority => NumberQueue::Priority(PriorityQueue::new(queue.max)),
        });
        let barrier = |&parties: &usize| Barrier::new(parties).expect("a barrier has parties");
        Self {
            locks: (0..decl.locks).map(|_| Lock::default()).collect(),
            events: (0..decl.events).map(|_| Event::new()).collect(),
            conditions: (0..decl.conds).map(|_| Condition::default()).collect(),
            semaphores: semaphores.collect(),
            barriers: decl.barriers.iter().map(barrier).collect(),
            queues: queues.collect(),
        }
    }
}

impl Activation<'_> {
    fn primitives(&self) -> &Primitives {
        &self.rt.primitives
    }

    /// Runs an operation that may wait. `None` if it is none of these.
    pub(crate) async fn wait_for_primitive(&self, statement: &Stmt) -> Option<Run> {
        let all = self.primitives();
        Some(match statement {
            Stmt::Lock { lock, body } => {
                let acquire = async { acquire(&all.locks[*lock]).await };
                let release = || Ok(all.locks[*lock].release()?);
                self.held(&format!("lock {lock}"), acquire, release, body).await
            }
            Stmt::Cond { cond, body } => {
                let condition = &all.conditions[*cond];
                let acquire = async { acquire(condition.lock()).await };
                let release = || Ok(condition.release()?);
                self.held(&format!("cond {cond}"), acquire, release, body).await
            }
            Stmt::Sem { sem, body } => {
                let semaphore = &all.semaphores[*sem];
                let release = || semaphore.release();
                self.held(&format!("sem {sem}"), semaphore.acquire(), release, body).await
            }
            Stmt::LockAcquire { lock } => {
                self.op(&format!("lock_acquire {lock}"), acquire(&all.locks[*lock])).await
            }
            Stmt::SemAcquire { sem } => {
                self.op(&format!("sem_acquire {sem}"), all.semaphores[*sem].acquire()).await
            }
            Stmt::EventWait { event } => {
                let wait = async {
                    all.events[*event].wait().await;
                    Ok(Value::Ok)
                };
                self.op(&format!("event_wait {event}"), wait).await
            }
            Stmt::CondWait { cond } => {
                let wait = async {
                    all.conditions[*cond].wait_raw().await?;
                    Ok(Value::Ok)
                };
                self.op(&format!("cond_wait {cond}"), wait).await
            }
            Stmt::CondWaitFor { cond, test } => {
                let wait = self.wait_until(&all.conditions[*cond], test);
                self.op(&format!("cond_wait_for {cond}"), wait).await
            }
            Stmt::BarrierWait { barrier } => {
                let wait = async {
                    let index = all.barriers[*barrier].wait().await?.index();
                    Ok(Value::Int(i64::try_from(index).expect("a small number")))
                };
                self.op(&format!("barrier_wait {barrier}"), wait).await
            }
            Stmt::QPut { queue, v } => {
                let put = async {
                    with_queue!(&all.queues[*queue], queue => queue.put(*v).await)?;
                    Ok(Value::Ok)
                };
                self.op(&format!("q_put {queue} {v}"), put).await
            }
            Stmt::QGet { queue } => {
                let get = async {
                    let item = with_queue!(&all.queues[*queue], queue => queue.get().await)?;
                    Ok(Value::Int(item))
                };
                self.op(&format!("q_get {queue}"), get).await
            }
            Stmt::QJoin { queue } => {
                let join = async {
                    with_queue!(&all.queues[*queue], queue => queue.join().await);
                    Ok(Value::Ok)
                };
                self.op(&format!("q_join {queue}"), join).await
            }
            _ => return None,
        })
    }

    /// Runs an operation that doesn't wait. `None` if it is none of these.
    pub(super) fn use_primitive(&self, statement: &Stmt) -> Option<Result<(), Exc>> {
        let all = self.primitives();
        Some(match statement {
            Stmt::LockRelease { lock } => {
                self.done(&format!("lock_release {lock}"), all.locks[*lock].release())
            }
            Stmt::LockLocked { lock } => {
                self.say(&format!("lock_locked {lock} {}", all.locks[*lock].locked()))
            }
            Stmt::SemRelease { sem } => {
                self.done(&format!("sem_release {sem}"), all.semaphores[*sem].release())
            }
            Stmt::SemLocked { sem } => {
                self.say(&format!("sem_locked {sem} {}", all.semaphores[*sem].locked()))
            }
            Stmt::EventSet { event } => {
                all.events[*event].set();
                self.say(&format!("event_set {event} ok"))
            }
            Stmt::EventClear { event } => {
                all.events[*event].clear();
                self.say(&format!("event_clear {event} ok"))
            }
            Stmt::EventIsSet { event } => {
                self.say(&format!("event_is_set {event} {}", all.events[*event].is_set()))
            }
            Stmt::Notify { cond, n } => {
                self.done(&format!("notify {cond} {n}"), all.conditions[*cond].notify(*n))
            }
            Stmt::NotifyAll { cond } => {
                self.done(&format!("notify_all {cond}"), all.conditions[*cond].notify_all())
            }
            Stmt::BarrierAbort { barrier } => {
                all.barriers[*barrier].abort();
                self.say(&format!("barrier_abort {barrier} ok"))
            }
            Stmt::BarrierReset { barrier } => {
                all.barriers[*barrier].reset();
                self.say(&format!("barrier_reset {barrier} ok"))
            }
            Stmt::QPutNowait { queue, v } => {
                let put = with_queue!(&all.queues[*queue], queue => put_nowait(queue, *v));
                self.done(&format!("q_put_nowait {queue} {v}"), put)
            }
            Stmt::QGetNowait { queue } => {
                let got = with_queue!(&all.queues[*queue], queue => queue.get_nowait());
                let got = got.map(Value::Int).map_err(Exc::from);
                self.report(&format!("q_get_nowait {queue}"), got)
            }
            Stmt::QTaskDone { queue } => {
                let done = with_queue!(&all.queues[*queue], queue => queue.task_done());
                self.done(&format!("q_task_done {queue}"), done)
            }
            Stmt::QSize { queue } => {
                let size = with_queue!(&all.queues[*queue], queue => queue.qsize());
                self.say(&format!("q_size {queue} {size}"))
            }
            _ => return None,
        })
    }

    /// As `async with`: acquires, runs the body, and releases however it ends.
    async fn held(
        &self,
        label: &str,
        acquire: impl Future<Output = Outcome>,
        release: impl FnOnce() -> Result<(), Exc>,
        body: &[Stmt],
    ) -> Run {
        self.op(label, acquire).await?;
        let run = catch(self.body(body)).await;
        self.done(&format!("un{label}"), release())?;
        run
    }

    async fn wait_until(&self, condition: &Condition, test: &Test) -> Outcome {
        while !test.cmp.holds(self.rt.global(&test.g), test.v) {
            condition.wait_raw().await?;
        }
        Ok(Value::Ok)
    }

    fn done<E: Into<Exc>>(&self, label: &str, result: Result<(), E>) -> Result<(), Exc> {
        self.report(label, result.map(|()| Value::Ok).map_err(E::into))
    }

    fn say(&self, text: &str) -> Result<(), Exc> {
        self.line(text);
        Ok(())
    }
}

async fn acquire(lock: &Lock) -> Outcome {
    lock.acquire_raw().await;
    Ok(Value::Ok)
}

fn put_nowait<S: Storage<Item = i64>>(queue: &AnyQueue<S>, item: i64) -> Result<(), Exc> {
    Ok(queue.put_nowait(item)?)
}

impl AnySemaphore {
    async fn acquire(&self) -> Outcome {
        match self {
            AnySemaphore::Plain(semaphore) => semaphore.acquire().await.forget(),
            AnySemaphore::Bounded(semaphore) => semaphore.acquire().await.forget(),
        }
        Ok(Value::Ok)
    }

    fn release(&self) -> Result<(), Exc> {
        match self {
            AnySemaphore::Plain(semaphore) => semaphore.release(),
            AnySemaphore::Bounded(semaphore) => {
                semaphore.release().map_err(|_| Exc::ValueError)?;
            }
        }
        Ok(())
    }

    fn locked(&self) -> bool {
        match self {
            AnySemaphore::Plain(semaphore) => semaphore.locked(),
            AnySemaphore::Bounded(semaphore) => semaphore.locked(),
        }
    }
}

impl From<NotLockedError> for Exc {
    fn from(_: NotLockedError) -> Self {
        Exc::RuntimeError
    }
}

impl From<BrokenBarrierError> for Exc {
    fn from(_: BrokenBarrierError) -> Self {
        Exc::BrokenBarrier
    }
}

impl From<TaskDoneTooOftenError> for Exc {
    fn from(_: TaskDoneTooOftenError) -> Self {
        Exc::ValueError
    }
}

impl<T> From<QueueShutDown<T>> for Exc {
    fn from(_: QueueShutDown<T>) -> Self {
        unreachable!("the language has no `shutdown`")
    }
}

impl<T> From<PutError<T>> for Exc {
    fn from(error: PutError<T>) -> Self {
        assert!(error.is_full(), "the language has no `shutdown`");
        Exc::QueueFull
    }
}

impl From<GetError> for Exc {
    fn from(error: GetError) -> Self {
        assert!(error.is_empty(), "the language has no `shutdown`");
        Exc::QueueEmpty
    }
}
