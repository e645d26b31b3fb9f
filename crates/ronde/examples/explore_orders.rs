//! A test that runs under many orders finds a mistake which first in, first out hides.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use ronde::low_level::{Builder, explore};
use ronde::{Lock, Runner, create_task, gather_all, yield_now};

/// An account in some database: to read it and to write it takes a turn each.
#[derive(Default)]
struct Account {
    balance: Cell<i64>,
    lock: Lock,
}

impl Account {
    async fn pay_in(&self, amount: i64) {
        let balance = self.balance.get();
        yield_now().await;
        self.balance.set(balance + amount);
    }

    async fn pay_in_alone(&self, amount: i64) {
        let _alone = self.lock.acquire().await;
        self.pay_in(amount).await;
    }
}

/// Two customers, of whom the second comes a turn later.
fn two_payments(builder: Builder, locked: bool) {
    let runner = Runner::builder().event_loop(builder).build().unwrap();
    let account = Rc::new(Account::default());
    let paying = account.clone();
    let paid = runner.run(async move {
        let customers = (0..2).map(|customer| {
            let account = paying.clone();
            create_task(async move {
                for _ in 0..customer {
                    yield_now().await;
                }
                match locked {
                    true => account.pay_in_alone(100).await,
                    false => account.pay_in(100).await,
                }
            })
        });
        gather_all(customers.collect::<Vec<_>>()).await.unwrap();
    });
    paid.unwrap();
    runner.close().unwrap();
    assert_eq!(account.balance.get(), 200, "money was lost");
}

fn main() {
    // In the usual order the first customer is always done before the second comes.
    two_payments(Builder::new(), false);

    let found = catch_unwind(AssertUnwindSafe(|| {
        explore(100, |builder| two_payments(builder, false));
    }));
    assert!(found.is_err());

    explore(100, |builder| two_payments(builder, true));
    println!("with the lock, no order of 100 loses money");
}
