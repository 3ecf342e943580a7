//! Many runs on all processors, each of which takes the next one when it has finished one: some take ten times as long as
//! others.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Where there are so many, it is told how far they are, at each twentieth.
const MANY: usize = 10_000;

/// What `work` makes of each of these, in their order.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let take = || {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let item = items.get(place)?;
        if items.len() >= MANY && place > 0 && place.is_multiple_of(items.len() / 20) {
            eprintln!("{place} of {}", items.len());
        }
        Some((place, work(item)))
    };
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| std::iter::from_fn(take).collect::<Vec<_>>()))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a run panicked"))
            .collect()
    });
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

#[test]
fn everything_is_done_once_and_comes_back_in_its_order() {
    let items: Vec<usize> = (0..1000).collect();
    let done = AtomicUsize::new(0);
    let results = each(&items, |item| {
        done.fetch_add(1, Ordering::Relaxed);
        item * 2
    });
    assert_eq!(done.into_inner(), items.len());
    assert!(
        results
            .iter()
            .eq(items.iter().map(|item| item * 2).collect::<Vec<_>>().iter())
    );
}
