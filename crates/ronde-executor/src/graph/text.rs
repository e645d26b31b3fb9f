//! All tasks, as a table and as a tree.

use std::collections::HashSet;
use std::fmt::Write;

use super::{AwaitedBy, find_cycles};
use crate::executor::Executor;
use crate::task::TaskRef;

impl Executor {
    /// A table of all tasks that are not done, in the order of their creation: for people to read.
    ///
    /// Its columns are the number, the name, how far the task is, how many steps it has made, how long
    /// they took if that was [measured](Self::set_timing), the task that created it, the function that
    /// it comes from, what it waits for, and the tasks that wait for it.
    ///
    /// ```
    /// # use ronde_executor::Executor;
    /// let executor = Executor::new(|| {});
    /// executor.spawn(std::future::pending::<()>()).named("idle").detach();
    /// executor.run_batch();
    /// let table = executor.format_tasks();
    /// assert!(table.starts_with("id  name  state      steps  "), "{table}");
    /// assert!(table.lines().nth(1).unwrap().starts_with("1   idle  suspended  1      "), "{table}");
    /// ```
    pub fn format_tasks(&self) -> String {
        let tasks = self.all_tasks();
        let awaited_by = AwaitedBy::of(&tasks);
        let mut rows = vec![COLUMNS.map(String::from)];
        rows.extend(tasks.iter().map(|task| row(task, &awaited_by)));
        let mut table = write_table(&rows);
        write_cycles(&mut table, &tasks);
        table
    }

    /// All tasks that are not done as a tree: below each task stands what it waits for.
    ///
    /// It begins with the tasks that nobody waits for. Tasks that wait for one another in a circle, which
    /// have no such beginning, follow, and the circles are listed at the end. A task that several others
    /// wait for stands below each of them, though what it waits for only once.
    ///
    /// ```
    /// # use ronde_executor::Executor;
    /// let executor = Executor::new(|| {});
    /// let query = executor.spawn(std::future::pending::<()>()).named("query");
    /// executor.spawn(async move { query.await }).named("request").detach();
    /// executor.run_batch();
    /// let tree = executor.format_task_tree();
    /// let lines: Vec<_> = tree.lines().collect();
    /// assert!(lines[0].starts_with("└── 'request' "), "{tree}");
    /// assert!(lines[1].starts_with("    └── 'query' "), "{tree}");
    /// ```
    pub fn format_task_tree(&self) -> String {
        let tasks = self.all_tasks();
        let awaited_by = AwaitedBy::of(&tasks);
        let mut tree = Tree::default();
        let mut roots: Vec<_> =
            tasks.iter().filter(|task| awaited_by.get(task).is_empty()).cloned().collect();
        let mut reached = reachable(&roots);
        for task in &tasks {
            // Only circles are left, and what they alone lead to.
            if !reached.contains(task) {
                reached.extend(reachable(std::slice::from_ref(task)));
                roots.push(task.clone());
            }
        }
        tree.write(roots);
        write_cycles(&mut tree.text, &tasks);
        tree.text
    }
}

const COLUMNS: [&str; 9] =
    ["id", "name", "state", "steps", "busy", "parent", "coroutine", "waits for", "awaited by"];

fn row(task: &TaskRef, awaited_by: &AwaitedBy) -> [String; COLUMNS.len()] {
    let info = task.info();
    let names: Vec<_> = awaited_by.get(task).iter().map(|task| task.name().to_string()).collect();
    let busy =
        if info.busy_time.is_zero() { "-".into() } else { format!("{:.1?}", info.busy_time) };
    [
        info.id.to_string(),
        info.name,
        if info.cancelling > 0 { "cancelling".into() } else { info.state.to_string() },
        info.steps.to_string(),
        busy,
        info.parent.map_or_else(|| "-".into(), |parent| parent.to_string()),
        format!("{} ({})", info.coroutine, info.created_at),
        info.waiting.map_or_else(|| "-".into(), |wait| wait.description),
        if names.is_empty() { "-".into() } else { names.join(", ") },
    ]
}

fn write_table(rows: &[[String; COLUMNS.len()]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..COLUMNS.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut table = String::new();
    for row in rows {
        let start = table.len();
        for (cell, width) in row.iter().zip(&widths) {
            _ = write!(table, "{cell:width$}  ");
        }
        table.truncate(start + table[start..].trim_end().len());
        table.push('\n');
    }
    table
}

fn write_cycles(text: &mut String, tasks: &[TaskRef]) {
    for cycle in find_cycles(tasks) {
        _ = writeln!(text, "\na circle, in which none can go on:");
        for line in cycle.to_string().lines() {
            _ = writeln!(text, "  {line}");
        }
    }
}

fn reachable(from: &[TaskRef]) -> HashSet<TaskRef> {
    let mut reached: HashSet<_> = from.iter().cloned().collect();
    let mut open = from.to_vec();
    while let Some(task) = open.pop() {
        for next in task.waits_on() {
            if reached.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    reached
}

#[derive(Default)]
struct Tree {
    text: String,
    /// What these wait for has been written.
    written: HashSet<TaskRef>,
}

/// A task that is still to be written, and what stands before it.
struct Branch {
    task: TaskRef,
    indent: String,
    is_last: bool,
}

impl Tree {
    /// It is no recursion: chains of tasks may be long.
    fn write(&mut self, roots: Vec<TaskRef>) {
        let mut open = branches(roots, "");
        while let Some(Branch { task, indent, is_last }) = open.pop() {
            let (joint, below) =
                if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
            _ = write!(self.text, "{indent}{joint}{}", line(&task));
            let next = task.waits_on();
            if next.is_empty() || self.written.insert(task) {
                open.extend(branches(next, &format!("{indent}{below}")));
            } else {
                self.text.push_str(" (see above)");
            }
            self.text.push('\n');
        }
    }
}

/// Last first, as they are taken off the end.
fn branches(tasks: Vec<TaskRef>, indent: &str) -> Vec<Branch> {
    let last = tasks.len().saturating_sub(1);
    let branch = |(index, task)| Branch { task, indent: indent.to_owned(), is_last: index == last };
    tasks.into_iter().enumerate().map(branch).rev().collect()
}

fn line(task: &TaskRef) -> String {
    let mut line = format!("'{}' {} ({})", task.name(), task.coroutine(), task.created_at());
    match task.waiting_for() {
        Some(wait) => _ = write!(line, ", waits for {wait:?}"),
        None => _ = write!(line, ", {}", task.state()),
    }
    line
}
