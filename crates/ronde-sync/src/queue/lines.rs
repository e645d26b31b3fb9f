//! The three lines at a queue: for items, for room, and for the end of all work.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::rc::{Rc, Weak};

use ronde_context::WaitKind;

use crate::line::{Gate, Line};
use crate::waiters::{State, Waiters};

/// What all who wait at a queue have to know of it.
pub(super) struct Lines {
    name: &'static str,
    pub(super) maxsize: usize,
    pub(super) len: Cell<usize>,
    pub(super) unfinished: Cell<usize>,
    pub(super) is_shut_down: Cell<bool>,
    getters: OnceCell<Rc<Line<Getters>>>,
    putters: OnceCell<Rc<Line<Putters>>>,
    joiners: OnceCell<Rc<Line<Joiners>>>,
    this: Weak<Self>,
}

/// They wait until there is an item.
pub(super) struct Getters(Weak<Lines>);
/// They wait until there is room.
pub(super) struct Putters(Weak<Lines>);
/// They wait until everything is done.
pub(super) struct Joiners(Weak<Lines>);

impl Lines {
    pub(super) fn new(name: &'static str, maxsize: usize) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            name,
            maxsize,
            len: Cell::new(0),
            unfinished: Cell::new(0),
            is_shut_down: Cell::new(false),
            getters: OnceCell::new(),
            putters: OnceCell::new(),
            joiners: OnceCell::new(),
            this: this.clone(),
        })
    }

    pub(super) fn full(&self) -> bool {
        self.maxsize != 0 && self.len.get() >= self.maxsize
    }

    // Each line is made when somebody waits in it.

    pub(super) fn getters(&self) -> &Rc<Line<Getters>> {
        self.getters.get_or_init(|| Line::new(Getters(self.this.clone())))
    }

    pub(super) fn putters(&self) -> &Rc<Line<Putters>> {
        self.putters.get_or_init(|| Line::new(Putters(self.this.clone())))
    }

    pub(super) fn joiners(&self) -> &Rc<Line<Joiners>> {
        self.joiners.get_or_init(|| Line::new(Joiners(self.this.clone())))
    }

    pub(super) fn wake_getter(&self) {
        self.getters.get().map(|line| line.wake_next());
    }

    pub(super) fn wake_putter(&self) {
        self.putters.get().map(|line| line.wake_next());
    }

    pub(super) fn wake_joiners(&self) {
        self.joiners.get().inspect(|line| line.wake_all());
    }

    /// All must look again: the queue was shut down.
    pub(super) fn wake_getters_and_putters(&self) {
        self.getters.get().inspect(|line| line.wake_all());
        self.putters.get().inspect(|line| line.wake_all());
    }

    pub(super) fn getting(&self) -> usize {
        self.getters.get().map_or(0, |line| line.ask(Waiters::len))
    }

    pub(super) fn putting(&self) -> usize {
        self.putters.get().map_or(0, |line| line.ask(Waiters::len))
    }

    pub(super) fn joining(&self) -> usize {
        self.joiners.get().map_or(0, |line| line.ask(Waiters::len))
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} maxsize={} qsize={}", self.name, self.maxsize, self.len.get())?;
        for (what, count) in [("getters", self.getting()), ("putters", self.putting())] {
            if count > 0 {
                write!(f, " {what}[{count}]")?;
            }
        }
        if self.unfinished.get() > 0 {
            write!(f, " tasks={}", self.unfinished.get())?;
        }
        f.write_str(if self.is_shut_down.get() { " shutdown>" } else { ">" })
    }
}

fn describe(lines: &Weak<Lines>, what: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match lines.upgrade() {
        Some(lines) => write!(f, "{what} {lines:?}"),
        None => write!(f, "{what} a queue that is gone"),
    }
}

/// Who is woken looks again, so all that passing means is to leave the line.
impl Gate for Getters {
    const KIND: WaitKind = WaitKind::QueueGet;

    fn enter(_line: &Line<Self>, _amount: usize) -> bool {
        false
    }

    fn enter_woken(_line: &Line<Self>) {}

    fn enter_again(_line: &Line<Self>, _amount: usize) -> bool {
        true
    }

    fn gave_up(line: &Line<Self>, was: State, _amount: usize) {
        let has_item = || line.gate.0.upgrade().is_some_and(|lines| lines.len.get() > 0);
        if was == State::Woken && has_item() {
            line.wake_next();
        }
    }

    fn describe(line: &Line<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(&line.gate.0, "an item of", f)
    }
}

impl Gate for Putters {
    const KIND: WaitKind = WaitKind::QueuePut;

    fn enter(_line: &Line<Self>, _amount: usize) -> bool {
        false
    }

    fn enter_woken(_line: &Line<Self>) {}

    fn enter_again(_line: &Line<Self>, _amount: usize) -> bool {
        true
    }

    fn gave_up(line: &Line<Self>, was: State, _amount: usize) {
        let has_room = || line.gate.0.upgrade().is_some_and(|lines| !lines.full());
        if was == State::Woken && has_room() {
            line.wake_next();
        }
    }

    fn describe(line: &Line<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(&line.gate.0, "room in", f)
    }
}

impl Gate for Joiners {
    const KIND: WaitKind = WaitKind::QueueJoin;

    fn enter(line: &Line<Self>, _amount: usize) -> bool {
        line.gate.0.upgrade().is_none_or(|lines| lines.unfinished.get() == 0)
    }

    fn enter_woken(_line: &Line<Self>) {}

    fn gave_up(_line: &Line<Self>, _was: State, _amount: usize) {}

    fn describe(line: &Line<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(&line.gate.0, "the end of the work in", f)
    }
}
