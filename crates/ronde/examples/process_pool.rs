//! Counts primes, first in this process, then in several at once.

use std::error::Error;
use std::ops::Range;
use std::time::Instant;

use ronde::{ProcessPool, Registry, gather_all};

fn count_primes(range: Range<u64>) -> usize {
    range.filter(|n| *n > 1 && (2..).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count()
}

/// What the workers can do. Each is this program, started again.
fn jobs() -> Registry {
    Registry::new().register(count_primes)
}

fn main() -> Result<(), Box<dyn Error>> {
    jobs().serve_if_worker(); // In a worker, this doesn't return.
    ronde::run(count_twice())?
}

async fn count_twice() -> Result<(), Box<dyn Error>> {
    let ranges = (0..8).map(|n| n * 25_000..(n + 1) * 25_000);

    let began = Instant::now();
    let primes: usize = ranges.clone().map(count_primes).sum();
    println!("{primes} primes below 200000, counted here in {:.0?}", began.elapsed());

    let began = Instant::now();
    let pool = ProcessPool::builder(jobs()).build()?;
    let counts = gather_all(ranges.map(|range| pool.run(count_primes, range))).await?;
    let primes = counts.into_iter().sum::<Result<usize, _>>()?;
    println!("{primes} primes below 200000, counted in processes in {:.0?}", began.elapsed());

    pool.shutdown().await;
    Ok(())
}
