//! Async generators.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ronde::{AsyncGenerator, Yielder, catch_cancelled, generator};

use crate::interp::{Activation, Run, Stop, catch};
use crate::parse::Stmt;
use crate::runtime::Runtime;
use crate::value::{Exc, Outcome, Value};

/// A generator, and what it has raised: in Rust a generator's body has no `Err`.
pub(crate) struct Generator {
    values: AsyncGenerator<i64>,
    raised: Rc<RefCell<Option<Exc>>>,
}

impl Generator {
    fn new(rt: &Rc<Runtime>, name: &str) -> Self {
        let body = rt.code.generators[name].clone();
        let raised: Rc<RefCell<Option<Exc>>> = Rc::default();
        let (rt, exception) = (rt.clone(), Rc::clone(&raised));
        let values = generator(async move |yielder: &mut Yielder<i64>| {
            let yielder = Cell::new(Some(yielder));
            let inside = Activation { yielder: Some(&yielder), ..Activation::new(rt) };
            if let Err(Stop::Raise(error)) = inside.body(&body).await {
                exception.replace(Some(error));
            }
        });
        Self { values, raised }
    }

    async fn next(&mut self) -> Result<Option<i64>, Exc> {
        match self.values.next().await {
            Some(value) => Ok(Some(value)),
            None => self.raised.take().map_or(Ok(None), Err),
        }
    }

    pub(crate) async fn close(&mut self) -> Outcome {
        self.values.aclose().await.map_err(|_| Exc::RuntimeError)?;
        self.raised.take().map_or(Ok(Value::Ok), Err)
    }
}

impl Activation<'_> {
    pub(crate) async fn async_for(
        &self,
        name: &str,
        body: &[Stmt],
        limit: Option<u32>,
        aclose: bool,
    ) -> Run {
        let mut generator = Generator::new(&self.rt, name);
        let run = catch(self.iterate(name, &mut generator, body, limit)).await;
        if let Err(Stop::Raise(error)) = &run {
            self.line(&format!("async_for {name} !{error}"));
        }
        if aclose {
            self.op(&format!("aclose {name}"), generator.close()).await?;
        } else {
            self.rt.generators.borrow_mut().push(generator);
        }
        match run {
            Err(Stop::Break) => Ok(()),
            run => run,
        }
    }

    async fn iterate(
        &self,
        name: &str,
        generator: &mut Generator,
        body: &[Stmt],
        limit: Option<u32>,
    ) -> Run {
        let mut left = limit;
        while let Some(value) = generator.next().await? {
            self.line(&format!("item {name} {value}"));
            self.body(body).await?;
            left = left.map(|left| left - 1);
            if left == Some(0) {
                self.line("break");
                return Err(Stop::Break);
            }
        }
        self.line(&format!("async_for {name} end"));
        Ok(())
    }

    pub(crate) async fn gen_yield(&self, value: i64) -> Run {
        self.line(&format!("gen_yield {value}"));
        let cell = self.yielder.expect("`gen_yield` is inside a generator");
        let yielder = cell.take().expect("it isn't yielding already");
        let closed = catch_cancelled(yielder.yield_(value)).await;
        cell.set(Some(yielder));
        if let Err(close) = closed {
            self.line("gen_yield closed");
            return Err(Exc::Cancelled(close).into());
        }
        Ok(())
    }
}
