//! The loop's random numbers follow from its seed.

use ronde_loop::EventLoop;

fn numbers(seed: u64) -> Vec<u64> {
    let event_loop = EventLoop::builder().random_seed(seed).build().unwrap();
    (0..20).map(|_| event_loop.random()).collect()
}

#[test]
fn equal_seeds_give_equal_sequences() {
    assert_eq!(numbers(7), numbers(7));
    assert_ne!(numbers(7), numbers(8));
}

#[test]
fn without_a_seed_every_loop_has_another_sequence() {
    let number = || {
        let event_loop = EventLoop::new().unwrap();
        (event_loop.random(), event_loop.random())
    };
    assert_ne!(number(), number());
}
