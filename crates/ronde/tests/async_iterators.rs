//! Async iterators and their adaptors: comprehensions.

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::pin;

use common::{Log, SECOND, after, run};
use futures_lite::future::{block_on, poll_once};
use futures_lite::stream;
use ronde::async_iter::{from_iter, from_stream};
use ronde::{
    AsyncIterator, as_completed, await_all, catch_cancelled, create_task, generator, sleep,
    yield_now,
};

/// What a user writes: counts up to `last`, one each second.
struct Count {
    now: u32,
    last: u32,
}

impl Count {
    fn to(last: u32) -> Self {
        Self { now: 0, last }
    }
}

impl AsyncIterator for Count {
    type Item = u32;

    async fn next(&mut self) -> Option<u32> {
        if self.now == self.last {
            return None;
        }
        sleep(SECOND).await;
        self.now += 1;
        Some(self.now)
    }
}

#[test]
fn a_loop_over_an_iterator_waits_for_each_item() {
    let (seen, seconds) = run(async {
        let mut seen = Vec::new();
        let mut count = Count::to(3);
        while let Some(number) = count.next().await {
            seen.push(number);
        }
        seen
    });
    assert_eq!((seen, seconds), (vec![1, 2, 3], 3));
}

#[test]
fn lists_sets_and_maps_can_be_collected() {
    run(async {
        let list: Vec<u32> = Count::to(4).map(|x| x % 2).collect().await;
        assert_eq!(list, [1, 0, 1, 0]);
        let set: BTreeSet<u32> = Count::to(4).map(|x| x % 2).collect().await;
        assert_eq!(set, BTreeSet::from([0, 1]));
        let map: HashMap<u32, u32> = Count::to(2).map(|x| (x, x * x)).collect().await;
        assert_eq!(map, HashMap::from([(1, 1), (2, 4)]));
        let text: String = Count::to(3).map(|x| x.to_string()).collect().await;
        assert_eq!(text, "123");
    });
}

#[test]
fn a_comprehension_may_await_in_its_expression_and_in_its_condition() {
    let (list, seconds) = run(async {
        let limit = 2;
        Count::to(4)
            .filter_async(async |x| after(1, *x > limit).await)
            .map_async(async |x| after(10, x * 10).await)
            .collect::<Vec<_>>()
            .await
    });
    assert_eq!((list, seconds), (vec![30, 40], 4 + 4 + 20));
}

#[test]
fn adaptors_do_what_their_names_say() {
    run(async {
        let filtered: Vec<_> = Count::to(5).filter(|x| x % 2 == 1).collect().await;
        assert_eq!(filtered, [1, 3, 5]);
        let parsed: Vec<i32> =
            from_iter(["1", "x", "3"]).filter_map(|text| text.parse::<i32>().ok()).collect().await;
        assert_eq!(parsed, [1, 3]);
        let taken: Vec<_> = Count::to(5).take(2).collect().await;
        assert_eq!(taken, [1, 2]);
        let before: Vec<_> = from_iter([1, 2, 9, 1]).take_while(|x| *x < 5).collect().await;
        assert_eq!(before, [1, 2]);
        let counted: Vec<_> = from_iter(["a", "b"]).enumerate().collect().await;
        assert_eq!(counted, [(0, "a"), (1, "b")]);
        let chained: Vec<_> = Count::to(2).chain(from_iter([7])).collect().await;
        assert_eq!(chained, [1, 2, 7]);
        let zipped: BTreeMap<_, _> = Count::to(9).zip(from_iter(["a", "b"])).collect().await;
        assert_eq!(zipped, BTreeMap::from([(1, "a"), (2, "b")]));
    });
}

#[test]
fn take_asks_for_no_more_than_it_gives() {
    let ((), seconds) = run(async {
        let mut count = Count::to(9);
        assert_eq!((&mut count).take(2).collect::<Vec<_>>().await, [1, 2]);
        assert_eq!(count.next().await, Some(3));
    });
    assert_eq!(seconds, 3);
}

#[test]
fn what_has_ended_stays_ended() {
    block_on(async {
        let mut one = from_iter([1, 9, 1]).take_while(|x| *x < 5);
        assert_eq!(one.next().await, Some(1));
        assert_eq!(one.next().await, None);
        assert_eq!(one.next().await, None);
        let mut none = from_iter([1]).take(0);
        assert_eq!(none.next().await, None);
    });
}

#[test]
fn for_each_waits_for_each() {
    let log = Log::default();
    let ((), seconds) = run({
        let log = log.clone();
        async move {
            Count::to(2)
                .for_each(async |x| {
                    sleep(SECOND).await;
                    log.push(x);
                })
                .await;
        }
    });
    assert_eq!((log.take(), seconds), (vec!["1".to_string(), "2".to_string()], 4));
}

#[test]
fn try_collect_ends_at_the_first_err() {
    run(async {
        let good: Result<Vec<u32>, ()> = Count::to(2).map(Ok).try_collect().await;
        assert_eq!(good, Ok(vec![1, 2]));
        let mut count = Count::to(9);
        let bad: Result<Vec<u32>, u32> =
            (&mut count).map(|x| if x < 3 { Ok(x) } else { Err(x) }).try_collect().await;
        assert_eq!(bad, Err(3));
        assert_eq!(count.next().await, Some(4));
    });
}

#[test]
fn awaitables_are_awaited_in_order() {
    let log = Log::default();
    let (results, seconds) = run({
        let log = log.clone();
        async move {
            let slow = |seconds| {
                let log = log.clone();
                async move {
                    sleep(seconds * SECOND).await;
                    log.push(seconds);
                    seconds
                }
            };
            await_all([slow(3), slow(1)]).await
        }
    });
    assert_eq!((results, seconds), (vec![3, 1], 4));
    assert_eq!(log.take(), ["3", "1"]);
}

#[test]
fn awaiting_tasks_in_order_takes_as_long_as_the_slowest() {
    let (results, seconds) = run(async {
        let tasks: Vec<_> = [3, 1].map(|s| create_task(after(s, s))).into_iter().collect();
        await_all(&tasks).await.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    });
    assert_eq!((results, seconds), (vec![3, 1], 3));
}

#[test]
fn a_cancelled_await_all_cancels_the_one_it_waits_for() {
    run(async {
        let (first, second) = (create_task(after(5, 1)), create_task(after(5, 2)));
        let one = first.as_ref().clone();
        let waiting = create_task(async move {
            let all = catch_cancelled(await_all([first])).await;
            all.is_err()
        });
        yield_now().await;
        waiting.cancel();
        assert!(waiting.await.unwrap());
        assert!(one.cancelled());
        assert_eq!(second.await.unwrap(), 2);
    });
}

#[test]
fn what_is_cancelled_between_two_items_goes_on_where_it_was() {
    let (seen, _) = run(async {
        let task = create_task(async {
            let mut count = Count::to(3);
            let mut seen = Vec::new();
            // Cancelled in `collect`, the iterator itself lives on.
            assert!(catch_cancelled((&mut count).collect::<Vec<_>>()).await.is_err());
            while let Some(number) = count.next().await {
                seen.push(number);
            }
            seen
        });
        sleep(SECOND * 3 / 2).await;
        task.cancel();
        task.await.unwrap()
    });
    assert_eq!(seen, [2, 3]);
}

#[test]
fn a_cancelled_for_each_and_try_collect_leave_the_iterator_where_it_was() {
    run(async {
        let task = create_task(async {
            let mut count = Count::to(4);
            let each = (&mut count).for_each(async |_| sleep(9 * SECOND).await);
            assert!(catch_cancelled(each).await.is_err());
            let rest = (&mut count).map(Ok::<_, ()>).try_collect::<Vec<_>, _, _>();
            assert!(catch_cancelled(rest).await.is_err());
            count.next().await
        });
        sleep(SECOND * 3 / 2).await;
        task.cancel(); // In the body for 1.
        sleep(SECOND * 3 / 2).await;
        task.cancel(); // Waiting for 3.
        assert_eq!(task.await.unwrap(), Some(3));
    });
}

#[test]
fn zip_loses_nothing_when_it_is_dropped_half_way() {
    run(async {
        let mut zipped = from_iter([1, 2]).zip(Count::to(2));
        assert!(poll_once(zipped.next()).await.is_none());
        assert_eq!(zipped.next().await, Some((1, 1)));
        assert_eq!(zipped.next().await, Some((2, 2)));
    });
}

#[test]
fn adaptors_lose_nothing_when_next_is_dropped_half_way_but_what_a_function_has_got() {
    run(async {
        let mapped = Count::to(9).map(|x| x).filter(|_| true).filter_map(Some);
        let mut adapted =
            mapped.take_while(|_| true).enumerate().take(2).chain(from_iter([(7, 7)]));
        assert!(poll_once(adapted.next()).await.is_none());
        assert_eq!(adapted.collect::<Vec<_>>().await, [(0, 1), (1, 2), (7, 7)]);

        let mut mapped = from_iter([1, 2, 3]).map_async(async |x| after(1, x).await);
        assert!(poll_once(mapped.next()).await.is_none());
        assert_eq!(mapped.collect::<Vec<_>>().await, [2, 3]);
        let mut filtered = from_iter([1, 2, 3]).filter_async(async |_| after(1, true).await);
        assert!(poll_once(filtered.next()).await.is_none());
        assert_eq!(filtered.collect::<Vec<_>>().await, [2, 3]);
    });
}

// ---- Streams ----

#[test]
fn a_stream_becomes_an_iterator() {
    run(async {
        let doubled: Vec<i32> = from_stream(stream::iter([1, 2])).map(|x| x * 2).collect().await;
        assert_eq!(doubled, [2, 4]);
        let unfolded = pin!(stream::unfold(3, |n| async move { (n > 0).then_some((n, n - 1)) }));
        assert_eq!(from_stream(unfolded).collect::<Vec<i32>>().await, [3, 2, 1]);
    });
}

#[test]
fn an_iterator_becomes_a_stream() {
    use futures_lite::StreamExt;
    let (seen, seconds) = run(async {
        let mut stream = AsyncIterator::into_stream(Count::to(3));
        let mut seen = Vec::new();
        while let Some(number) = stream.next().await {
            seen.push(number);
        }
        assert_eq!(stream.next().await, None);
        seen
    });
    assert_eq!((seen, seconds), (vec![1, 2, 3], 3));
}

#[test]
fn there_and_back_again() {
    run(async {
        let local = String::from("x");
        let borrowing = from_iter([1, 2]).map(|n| local.repeat(n));
        let back = from_stream(borrowing.into_stream());
        assert_eq!(back.collect::<Vec<_>>().await, ["x", "xx"]);
    });
}

#[test]
fn a_stream_of_an_iterator_loses_nothing_when_next_is_dropped() {
    use futures_lite::StreamExt;
    run(async {
        let mut stream = AsyncIterator::into_stream(Count::to(2));
        assert!(poll_once(stream.next()).await.is_none());
        assert_eq!(stream.next().await, Some(1));
        assert_eq!(stream.next().await, Some(2));
    });
}

#[test]
fn what_the_facade_gives_is_an_iterator_too() {
    run(async {
        let tasks = as_completed([after(2, "slow"), after(1, "fast")]);
        let order: Vec<_> = tasks.map_async(async |task| task.await.unwrap()).collect().await;
        assert_eq!(order, ["fast", "slow"]);
        let numbers = generator(async |y| y.yield_(1).await);
        assert_eq!(numbers.map(|x| x + 1).collect::<Vec<_>>().await, [2]);
    });
}
