//! Who waits for whom: found out when somebody asks, from what each task says it waits for.

mod call_graph;
mod cycles;
mod text;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use ronde_context::{Awaited, Wait};

pub use call_graph::{FrameCallGraphEntry, FutureCallGraph};
pub use cycles::{WaitCycle, WaitLink, find_cycles};

use crate::task::TaskRef;

/// The tasks that must do something for `wait` to end. What is no task, such as the promise that a
/// `gather` waits for, is looked through.
pub(crate) fn waits_on(wait: &Wait) -> Vec<TaskRef> {
    let mut tasks = Vec::new();
    let mut seen = HashSet::new();
    let mut open = wait.waits_on();
    open.reverse();
    while let Some(next) = open.pop() {
        if !seen.insert(Rc::as_ptr(&next).cast::<()>()) {
            continue;
        }
        match as_task(&next) {
            Some(task) if !task.done() => tasks.push(task),
            Some(_) => {}
            None => open.extend(next.waits_on().into_iter().rev()),
        }
    }
    tasks
}

fn as_task(awaited: &Rc<dyn Awaited>) -> Option<TaskRef> {
    awaited.clone().task()?.downcast_ref::<TaskRef>().cloned()
}

/// For each task those that wait for it, in the order of their creation.
struct AwaitedBy(HashMap<TaskRef, Vec<TaskRef>>);

impl AwaitedBy {
    fn of(tasks: &[TaskRef]) -> Self {
        let mut awaited_by = HashMap::<_, Vec<_>>::new();
        for task in tasks {
            for on in task.waits_on() {
                awaited_by.entry(on).or_default().push(task.clone());
            }
        }
        Self(awaited_by)
    }

    fn get(&self, task: &TaskRef) -> &[TaskRef] {
        self.0.get(task).map_or(&[], Vec::as_slice)
    }
}
