//! Programs, as they are read from JSON.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use serde::Deserialize;

/// A program that has been read.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) code: Rc<Code>,
}

/// The text is no program.
#[derive(Debug)]
pub struct ParseError {
    source: serde_json::Error,
}

impl Program {
    /// Reads a program.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if the text isn't JSON, or has a statement that the language doesn't know.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let code = serde_json::from_str(text).map_err(|source| ParseError { source })?;
        Ok(Self { code: Rc::new(code) })
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a program: {}", self.source)
    }
}

impl std::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Statements that run one after the other. Callbacks and tasks keep theirs alive.
pub(crate) type Body = Rc<[Stmt]>;

/// A program as the interpreter runs it.
#[derive(Debug, Deserialize)]
pub(crate) struct Code {
    #[serde(default)]
    pub(crate) decl: Decl,
    pub(crate) coroutines: HashMap<String, Body>,
    #[serde(default)]
    pub(crate) generators: HashMap<String, Body>,
    #[serde(default)]
    pub(crate) managers: HashMap<String, Rc<Manager>>,
}

/// A context manager.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Manager {
    pub(crate) enter: Body,
    pub(crate) exit: Body,
    /// The kinds of exceptions that its exit swallows.
    pub(crate) suppress: Vec<String>,
}

impl Default for Manager {
    fn default() -> Self {
        Self { enter: Rc::new([]), exit: Rc::new([]), suppress: Vec::new() }
    }
}

/// The primitives that a program has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Decl {
    pub(crate) locks: usize,
    pub(crate) events: usize,
    pub(crate) conds: usize,
    pub(crate) sems: Vec<SemaphoreDecl>,
    pub(crate) barriers: Vec<usize>,
    pub(crate) queues: Vec<QueueDecl>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SemaphoreDecl {
    pub(crate) value: usize,
    #[serde(default)]
    pub(crate) bounded: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct QueueDecl {
    pub(crate) kind: QueueKind,
    pub(crate) max: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum QueueKind {
    Fifo,
    Lifo,
    Priority,
}

/// A statement. The language's README says what each does and prints.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Stmt {
    Log {
        msg: String,
    },
    Set {
        g: String,
        v: i64,
    },
    Add {
        g: String,
        v: i64,
    },
    Get {
        g: String,
    },
    If {
        #[serde(flatten)]
        test: Test,
        then: Body,
        #[serde(default, rename = "else")]
        otherwise: Body,
    },
    Repeat {
        n: u32,
        body: Body,
    },
    Break {},
    Return {
        v: i64,
    },
    Raise {
        #[serde(default)]
        kind: RaiseKind,
        #[serde(default)]
        code: i64,
    },
    Try {
        body: Body,
        #[serde(default)]
        handlers: Rc<[Handler]>,
        finally: Option<Body>,
    },

    Sleep {
        ms: u64,
    },
    Yield {},
    Call {
        coro: String,
    },
    Spawn {
        coro: String,
        var: Option<String>,
        name: Option<String>,
    },
    Await {
        var: String,
    },
    Cancel {
        var: String,
        msg: Option<String>,
    },
    Done {
        var: String,
    },
    Cancelled {
        var: String,
    },
    Result {
        var: String,
    },
    Exception {
        var: String,
    },
    Cancelling {
        var: String,
    },
    Uncancel {
        var: String,
    },
    Current {},
    AllTasks {},

    AddDoneCallback {
        var: String,
        msg: String,
        #[serde(default, rename = "do")]
        body: Body,
    },
    RemoveDoneCallback {
        var: String,
        msg: String,
    },
    CallSoon {
        #[serde(flatten)]
        callback: Callback,
    },
    CallLater {
        ms: u64,
        #[serde(flatten)]
        callback: Callback,
    },
    HandleCancel {
        handle: String,
    },

    NewFuture {
        var: String,
    },
    SetResult {
        var: String,
        v: i64,
    },
    SetException {
        var: String,
        code: i64,
    },

    Gather {
        items: Vec<Item>,
        #[serde(default)]
        return_exceptions: bool,
        into: Option<String>,
    },
    Wait {
        vars: Vec<String>,
        timeout: Option<u64>,
        #[serde(default)]
        when: When,
    },
    WaitFor {
        #[serde(flatten)]
        item: Item,
        timeout: Option<u64>,
    },
    Shield {
        #[serde(flatten)]
        item: Item,
        into: Option<String>,
    },
    AsCompleted {
        items: Vec<Item>,
        timeout: Option<u64>,
    },
    Timeout {
        ms: Option<u64>,
        body: Body,
    },
    Reschedule {
        ms: Option<u64>,
    },

    Lock {
        lock: usize,
        body: Body,
    },
    LockAcquire {
        lock: usize,
    },
    LockRelease {
        lock: usize,
    },
    LockLocked {
        lock: usize,
    },
    Sem {
        sem: usize,
        body: Body,
    },
    SemAcquire {
        sem: usize,
    },
    SemRelease {
        sem: usize,
    },
    SemLocked {
        sem: usize,
    },
    EventSet {
        event: usize,
    },
    EventClear {
        event: usize,
    },
    EventWait {
        event: usize,
    },
    EventIsSet {
        event: usize,
    },
    Cond {
        cond: usize,
        body: Body,
    },
    CondWait {
        cond: usize,
    },
    CondWaitFor {
        cond: usize,
        #[serde(flatten)]
        test: Test,
    },
    Notify {
        cond: usize,
        n: usize,
    },
    NotifyAll {
        cond: usize,
    },
    BarrierWait {
        barrier: usize,
    },
    BarrierAbort {
        barrier: usize,
    },
    BarrierReset {
        barrier: usize,
    },
    QPut {
        queue: usize,
        v: i64,
    },
    QGet {
        queue: usize,
    },
    QPutNowait {
        queue: usize,
        v: i64,
    },
    QGetNowait {
        queue: usize,
    },
    QTaskDone {
        queue: usize,
    },
    QJoin {
        queue: usize,
    },
    QSize {
        queue: usize,
    },
    TaskGroup {
        body: Body,
    },
    TgSpawn {
        coro: String,
        var: Option<String>,
        name: Option<String>,
    },

    GenYield {
        v: i64,
    },
    AsyncFor {
        #[serde(rename = "gen")]
        generator: String,
        body: Body,
        limit: Option<u32>,
        #[serde(default = "yes")]
        aclose: bool,
    },
    With {
        mgr: String,
        body: Body,
    },
}

fn yes() -> bool {
    true
}

/// What `call_soon` and `call_later` queue.
#[derive(Debug, Deserialize)]
pub(crate) struct Callback {
    pub(crate) msg: String,
    pub(crate) handle: Option<String>,
    #[serde(default, rename = "do")]
    pub(crate) body: Body,
}

/// A coroutine that is to become a task, or a task.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Item {
    Coro(String),
    Var(String),
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum When {
    #[default]
    AllCompleted,
    FirstCompleted,
    FirstException,
}

/// A comparison of a global with a number.
#[derive(Debug, Deserialize)]
pub(crate) struct Test {
    pub(crate) g: String,
    pub(crate) cmp: Cmp,
    pub(crate) v: i64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) enum Cmp {
    #[serde(rename = "==")]
    Eq,
    #[serde(rename = "!=")]
    Ne,
    #[serde(rename = "<")]
    Lt,
    #[serde(rename = "<=")]
    Le,
    #[serde(rename = ">")]
    Gt,
    #[serde(rename = ">=")]
    Ge,
}

impl Cmp {
    pub(crate) fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Cmp::Eq => left == right,
            Cmp::Ne => left != right,
            Cmp::Lt => left < right,
            Cmp::Le => left <= right,
            Cmp::Gt => left > right,
            Cmp::Ge => left >= right,
        }
    }
}

impl fmt::Display for Cmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cmp::Eq => "==",
            Cmp::Ne => "!=",
            Cmp::Lt => "<",
            Cmp::Le => "<=",
            Cmp::Gt => ">",
            Cmp::Ge => ">=",
        })
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) enum RaiseKind {
    #[default]
    Error,
    Cancelled,
    Timeout,
}

/// An `except` clause.
#[derive(Debug, Deserialize)]
pub(crate) struct Handler {
    pub(crate) kind: String,
    pub(crate) body: Body,
    #[serde(default)]
    pub(crate) reraise: bool,
}

impl Handler {
    pub(crate) fn matches(&self, kind: &str) -> bool {
        // Nothing catches the closing of a generator.
        (self.kind == "Any" && kind != "Closed") || self.kind == kind
    }
}
