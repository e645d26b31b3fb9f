//! Who waits for whom: circles, call graphs, the table and the tree of all tasks.

mod support;

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;

use ronde_executor::{Executor, Promise, Task, TaskRef, find_cycles};
use support::executor;

/// Tasks each of which awaits the next, and the last the first.
fn circle(executor: &Executor, names: &[&'static str]) -> Vec<TaskRef> {
    let last: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    let mut next: Option<Task<()>> = None;
    let mut tasks = Vec::new();
    for name in names {
        let awaited = next.take();
        let last = last.clone();
        let task = executor.spawn(async move {
            let awaited = awaited.unwrap_or_else(|| last.take().unwrap());
            let _cancelled = awaited.await;
        });
        tasks.push(TaskRef::from(&task));
        next = Some(task.named(*name));
    }
    last.replace(next);
    executor.run_batch();
    tasks
}

fn names<'a>(tasks: impl IntoIterator<Item = &'a TaskRef>) -> Vec<String> {
    tasks.into_iter().map(|task| task.name().to_string()).collect()
}

#[test]
fn tasks_that_wait_for_one_another_are_a_circle_and_those_around_it_are_not() {
    let executor = executor();
    let tasks = circle(&executor, &["a", "b", "c"]);
    let watched = tasks[1].clone();
    executor.spawn(async move { drop(watched.await) }).named("outside").detach();
    executor.spawn(pending::<()>()).detach();
    executor.run_batch();

    let cycles = executor.find_cycles();
    assert_eq!(cycles.len(), 1);
    assert_eq!(names(cycles[0].tasks()), ["a", "c", "b"]);
    assert_eq!(cycles[0].links().len(), 3);
    let told = "'a' waits for <Task 'c'>\n'c' waits for <Task 'b'>\n'b' waits for <Task 'a'>";
    assert_eq!(cycles[0].to_string(), told);
    assert!(find_cycles(&[]).is_empty());
    executor.close();
}

#[test]
fn circles_apart_are_each_found_and_a_broken_one_is_not() {
    let executor = executor();
    let first = circle(&executor, &["a", "b"]);
    circle(&executor, &["x", "y", "z"]);
    let cycles = executor.find_cycles();
    let found: Vec<_> = cycles.iter().map(|cycle| names(cycle.tasks())).collect();
    assert_eq!(found, [vec!["a", "b"], vec!["x", "z", "y"]]);
    // The cancellation goes round the circle, and back to where it began.
    first[0].cancel();
    support::run(&executor);
    assert_eq!(executor.find_cycles().len(), 1);
    executor.close();
}

#[test]
fn of_circles_that_share_a_task_every_caught_task_is_in_one() {
    let executor = executor();
    let hub = Promise::<()>::new();
    let wheel: Vec<_> = (0..3)
        .map(|n| {
            let waits = hub.clone().wait_done();
            TaskRef::from(&executor.spawn(async move { drop(waits.await) }).named(format!("s{n}")))
        })
        .collect();
    let spokes = wheel.clone();
    hub.set_waits_on(move || spokes.iter().map(TaskRef::to_awaited).collect());
    executor.run_batch();
    let cycles = executor.find_cycles();
    let mut caught: Vec<_> = cycles.iter().flat_map(|cycle| names(cycle.tasks())).collect();
    caught.sort();
    caught.dedup();
    assert_eq!(caught, ["s0", "s1", "s2"]);
    executor.close();
}

#[test]
fn a_chain_of_a_hundred_thousand_tasks_has_no_circle_and_overflows_nothing() {
    let executor = executor();
    let mut next = executor.spawn(pending::<()>());
    let last = TaskRef::from(&next);
    for _ in 0..100_000 {
        next = executor.spawn(async move { next.await.unwrap() });
    }
    executor.run_batch();
    assert!(executor.find_cycles().is_empty());
    let mut graph = &last.call_graph();
    let mut depth = 0;
    while let Some(waiter) = graph.awaited_by.first() {
        (graph, depth) = (waiter, depth + 1);
    }
    assert_eq!(depth, 300, "there it is cut");
    executor.close();
}

#[test]
fn a_call_graph_goes_up_to_all_who_wait() {
    let executor = executor();
    let line = line!() + 1;
    let query = executor.spawn(pending::<()>()).named("query");
    let reference = TaskRef::from(&query);
    let (again, third) = (reference.clone(), reference.clone());
    executor.spawn(async move { drop(query.await) }).named("first").detach();
    let second = executor.spawn(async move { drop(again.await) }).named("second");
    executor.spawn(async move { drop(second.await) }).named("top").detach();
    executor.run_batch();

    let graph = reference.call_graph();
    assert_eq!(graph.future, third);
    assert_eq!(names(graph.awaited_by.iter().map(|it| &it.future)), ["first", "second"]);
    assert_eq!(names(graph.awaited_by[1].awaited_by.iter().map(|it| &it.future)), ["top"]);
    assert_eq!(graph.call_stack.len(), 1);
    assert_eq!(graph.call_stack[0].waiting_for, None);
    let text = graph.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "* Task(name='query', id=1)");
    assert_eq!(lines[1], "  + Call stack:");
    let place = format!("created at {}:{line}:26, is about to run", file!());
    assert!(lines[2].starts_with("  |   ") && lines[2].contains(&place), "{text}");
    assert_eq!(lines[3], "  + Awaited by:");
    assert_eq!(lines[4], "    * Task(name='first', id=2)");
    assert!(lines[6].ends_with(", waits for <Task 'query'>"), "{text}");
    assert_eq!(lines[11], "        * Task(name='top', id=4)");
    assert_eq!(lines.len(), 14, "{text}");
    executor.close();
}

#[test]
fn a_call_graph_of_a_circle_ends_where_it_began_and_that_of_a_finished_task_is_bare() {
    let executor = executor();
    let tasks = circle(&executor, &["a", "b"]);
    let graph = tasks[0].call_graph();
    assert_eq!(graph.awaited_by[0].future, tasks[1]);
    assert_eq!(graph.awaited_by[0].awaited_by[0].future, tasks[0]);
    assert!(graph.awaited_by[0].awaited_by[0].awaited_by.is_empty());
    executor.close();
    let graph = tasks[0].call_graph();
    assert!(graph.call_stack.is_empty() && graph.awaited_by.is_empty());
    assert_eq!(graph.to_string(), "* Task(name='a', id=1)");
}

#[test]
fn the_table_has_a_row_for_each_task_and_tells_of_circles() {
    let executor = executor();
    executor.spawn(pending::<()>()).named("idle").detach();
    circle(&executor, &["a", "b"]);
    executor.spawn(async {}).named("new").detach();
    let table = executor.format_tasks();
    let lines: Vec<_> = table.lines().collect();
    let columns: Vec<_> = lines[0].split_whitespace().collect();
    let expected = "id name state steps busy parent coroutine waits for awaited by";
    assert_eq!(columns.join(" "), expected);
    let row = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(row(lines[1])[..6], ["1", "idle", "suspended", "1", "-", "-"]);
    assert_eq!(row(lines[2])[..2], ["2", "a"]);
    assert!(lines[2].ends_with(" <Task 'b'>  b"), "{table}");
    assert_eq!(row(lines[4])[..4], ["4", "new", "new", "0"]);
    let told = "\n\na circle, in which none can go on:\n  'a' waits for <Task 'b'>\n  \
                'b' waits for <Task 'a'>\n";
    assert!(table.ends_with(told), "{table}");
    executor.close();
    assert_eq!(executor.format_tasks().lines().count(), 1);
}

#[test]
fn the_tree_goes_from_those_nobody_waits_for_to_what_they_wait_for() {
    let executor = executor();
    let query = executor.spawn(pending::<()>()).named("query");
    let again = TaskRef::from(&query);
    let middle = executor.spawn(async move { drop(query.await) }).named("middle");
    let other = TaskRef::from(&middle);
    executor.spawn(async move { drop(middle.await) }).named("one").detach();
    executor.spawn(async move { drop(other.await) }).named("two").detach();
    circle(&executor, &["a", "b"]);
    drop(again);
    let tree = executor.format_task_tree();
    let shape: Vec<_> = tree
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_once("' ").unwrap().0.to_owned())
        .collect();
    let expected = [
        "├── 'one",
        "│   └── 'middle",
        "│       └── 'query",
        "├── 'two",
        "│   └── 'middle",
        "└── 'a",
        "    └── 'b",
        "        └── 'a",
    ];
    assert_eq!(shape, expected, "{tree}");
    let lines: Vec<_> = tree.lines().collect();
    assert!(lines[4].ends_with(", waits for <Task 'query'> (see above)"), "{tree}");
    assert!(lines[7].ends_with(" (see above)"), "{tree}");
    assert!(tree.contains("a circle, in which none can go on:"), "{tree}");
    executor.close();
    assert_eq!(executor.format_task_tree(), "");
}
