//! Circles of tasks that wait for one another.

use std::collections::{HashMap, HashSet};
use std::fmt;

use ronde_context::Wait;

use super::waits_on;
use crate::executor::Executor;
use crate::task::TaskRef;

/// Tasks that wait for one another in a circle: none of them goes on unless something breaks it, such
/// as a timeout or a cancellation. Made by [`find_cycles`].
///
/// Each link waits for the next one's task, and the last for the first's. `Display` writes a line for
/// each:
///
/// ```text
/// 'transfer' waits for <Lock [locked, owner:<Task 'audit'>, waiters:1]>
/// 'audit' waits for <Lock [locked, owner:<Task 'transfer'>, waiters:1]>
/// ```
#[derive(Clone, Debug)]
pub struct WaitCycle {
    links: Vec<WaitLink>,
}

/// A task in a [`WaitCycle`], and what it waits for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitLink {
    /// The task.
    pub task: TaskRef,
    /// What it waits for.
    pub wait: Wait,
}

impl WaitCycle {
    /// The links, beginning with the task that was created first.
    pub fn links(&self) -> &[WaitLink] {
        &self.links
    }

    /// The tasks, in the order of the links.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskRef> {
        self.links.iter().map(|link| &link.task)
    }

    /// Of tasks each of which waits for the next. `None` if one has gone on meanwhile.
    fn of(tasks: &[TaskRef]) -> Option<Self> {
        let link =
            |task: &TaskRef| Some(WaitLink { task: task.clone(), wait: task.waiting_for()? });
        let mut links = tasks.iter().map(link).collect::<Option<Vec<_>>>()?;
        let first = links.iter().enumerate().min_by_key(|(_, link)| link.task.id())?.0;
        links.rotate_left(first);
        Some(Self { links })
    }
}

impl fmt::Display for WaitCycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, WaitLink { task, wait }) in self.links.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}'{}' waits for {wait:?}", task.name())?;
        }
        Ok(())
    }
}

/// Finds the circles among `tasks`: those that wait for one another, directly, or by way of locks, of
/// `gather` and its like.
///
/// Every task that is caught in a circle is in one that is returned, though of circles that share
/// tasks not all are listed. Who waits for one of them from outside isn't in it. A wait for "any of
/// these", such as `wait` for the first of several tasks, counts as a wait for each.
///
/// # Examples
///
/// ```
/// use ronde_executor::{Executor, Task, TaskRef, find_cycles};
/// use std::{cell::RefCell, rc::Rc};
///
/// let executor = Executor::new(|| {});
/// let other = Rc::new(RefCell::new(None::<Task<()>>));
/// let first = executor.spawn({
///     let other = other.clone();
///     async move {
///         let other = other.take().unwrap();
///         let _ = other.await;
///     }
/// });
/// let second = executor.spawn(async move { drop(first.await) });
/// let tasks = executor.all_tasks();
/// other.replace(Some(second));
/// executor.run_batch();
///
/// let cycles = find_cycles(&tasks);
/// assert_eq!(cycles.len(), 1);
/// assert!(cycles[0].tasks().eq(&tasks));
/// assert_eq!(
///     cycles[0].to_string(),
///     "'Task-1' waits for <Task 'Task-2'>\n'Task-2' waits for <Task 'Task-1'>"
/// );
/// ```
pub fn find_cycles(tasks: &[TaskRef]) -> Vec<WaitCycle> {
    let mut search = Search::default();
    for task in tasks {
        search.walk(task);
    }
    search.found.sort_by_key(|cycle| cycle.links[0].task.id());
    search.found
}

impl Executor {
    /// The circles among the executor's tasks: see [`find_cycles`].
    pub fn find_cycles(&self) -> Vec<WaitCycle> {
        find_cycles(&self.all_tasks())
    }
}

/// A depth-first search that is no recursion: chains of tasks may be long.
#[derive(Default)]
struct Search {
    /// Where a task is on the path, or `None` once all that it leads to has been looked at.
    seen: HashMap<TaskRef, Option<usize>>,
    path: Vec<Step>,
    caught: HashSet<TaskRef>,
    found: Vec<WaitCycle>,
}

struct Step {
    task: TaskRef,
    /// What it waits for and hasn't been looked at, last first.
    left: Vec<TaskRef>,
}

impl Search {
    fn walk(&mut self, start: &TaskRef) {
        if self.seen.contains_key(start) {
            return;
        }
        self.enter(start.clone());
        while let Some(step) = self.path.last_mut() {
            match step.left.pop() {
                None => {
                    self.seen.insert(step.task.clone(), None);
                    self.path.pop();
                }
                Some(next) => match self.seen.get(&next) {
                    None => self.enter(next),
                    Some(None) => {}
                    Some(Some(place)) => self.close(*place),
                },
            }
        }
    }

    fn enter(&mut self, task: TaskRef) {
        let mut left = task.waiting_for().map_or_else(Vec::new, |wait| waits_on(&wait));
        left.reverse();
        self.seen.insert(task.clone(), Some(self.path.len()));
        self.path.push(Step { task, left });
    }

    /// The path has come back to `place`. A circle of tasks that are all known to be caught is old.
    fn close(&mut self, place: usize) {
        let tasks: Vec<_> = self.path[place..].iter().map(|step| step.task.clone()).collect();
        let mut is_new = false;
        for task in &tasks {
            is_new |= self.caught.insert(task.clone());
        }
        if is_new && let Some(cycle) = WaitCycle::of(&tasks) {
            self.found.push(cycle);
        }
    }
}
