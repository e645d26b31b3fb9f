//! What a coroutine returns, and what it raises.

use std::fmt;

use ronde::{CancelledError, Origin, TaskError};

/// How a task or a plain future ends, if it isn't cancelled.
pub(crate) type Outcome = Result<Value, Exc>;

/// A value, or what a trace prints in the place of one.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Int(i64),
    Bool(bool),
    List(Vec<Value>),
    None,
    /// What `exception` and a `gather` that returns exceptions give.
    Exc(Exc),
    /// The result of an operation that has none.
    Ok,
    /// What an operation prints that gives no value.
    Text(String),
}

/// An exception.
#[derive(Clone, Debug)]
pub(crate) enum Exc {
    /// The user's, with its code.
    Error(i64),
    /// It is never a task's outcome: where it leaves a statement, it is raised.
    Cancelled(CancelledError),
    Timeout,
    InvalidState,
    RuntimeError,
    ValueError,
    BrokenBarrier,
    QueueFull,
    QueueEmpty,
    /// Those of a task group, sorted by what they print.
    Group(Vec<Exc>),
}

impl std::error::Error for Exc {}

impl Exc {
    /// The word by which handlers name it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Exc::Error(_) => "Error",
            Exc::Cancelled(error) if error.origin() == Origin::Close => "Closed",
            Exc::Cancelled(_) => "Cancelled",
            Exc::Timeout => "Timeout",
            Exc::InvalidState => "InvalidState",
            Exc::RuntimeError => "RuntimeError",
            Exc::ValueError => "ValueError",
            Exc::BrokenBarrier => "BrokenBarrier",
            Exc::QueueFull => "QueueFull",
            Exc::QueueEmpty => "QueueEmpty",
            Exc::Group(_) => "Group",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(number) => number.fmt(f),
            Value::Bool(truth) => truth.fmt(f),
            Value::List(values) => {
                let values: Vec<_> = values.iter().map(Value::to_string).collect();
                write!(f, "[{}]", values.join(" "))
            }
            Value::Exc(error) => error.fmt(f),
            Value::None => f.write_str("none"),
            Value::Ok => f.write_str("ok"),
            Value::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Exc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exc::Error(code) => write!(f, "Error({code})"),
            Exc::Cancelled(error) => match error.message() {
                Some(message) if !message.is_empty() => write!(f, "Cancelled({message})"),
                _ => f.write_str("Cancelled"),
            },
            Exc::Group(members) => {
                let members: Vec<_> = members.iter().map(Exc::to_string).collect();
                write!(f, "Group[{}]", members.join(" "))
            }
            _ => f.write_str(self.kind()),
        }
    }
}

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Self {
        Value::List(values)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::Int(number.into())
    }
}

impl From<CancelledError> for Exc {
    fn from(error: CancelledError) -> Self {
        Exc::Cancelled(error)
    }
}

/// What ronde gives in place of an outcome is an exception like others in asyncio.
impl From<TaskError> for Exc {
    fn from(error: TaskError) -> Self {
        use ronde::InvalidStateError as Invalid;
        match error {
            TaskError::Cancelled(error) => Exc::Cancelled(error),
            TaskError::InvalidState(Invalid::AwaitsItself) => Exc::RuntimeError,
            TaskError::InvalidState(_) => Exc::InvalidState,
            TaskError::Panicked(panic) => panic.resume(),
            other => panic!("an unknown kind of outcome: {other}"),
        }
    }
}

/// An outcome as traces print it: the value, or the exception after an exclamation mark.
pub(crate) fn shown<T: fmt::Display, E: fmt::Display>(outcome: &Result<T, E>) -> String {
    match outcome {
        Ok(value) => value.to_string(),
        Err(error) => format!("!{error}"),
    }
}
