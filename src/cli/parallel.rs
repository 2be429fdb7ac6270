//! Simulations side by side: `--jobs`. Results come back in the order of the questions, whoever was first.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::answer::Failure;
use crate::experiment::sweep::Executor;

/// Does `work` for each item on `jobs` threads of this computer (all of them where `None`); `done` hears of each that is ready.
pub fn each<I: Sync, T: Send>(
    jobs: Option<u32>,
    items: &[I],
    work: impl Fn(&I) -> T + Sync,
    mut done: impl FnMut(&I),
) -> Result<Vec<T>, Failure> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs.map_or(0, |jobs| jobs as usize))
        .build()
        .map_err(|error| Failure::input(format!("cannot start threads: {error}")))?;
    let (sender, receiver) = mpsc::channel();
    let mut results: Vec<Option<T>> = items.iter().map(|_| None).collect();
    pool.in_place_scope(|scope| {
        for (index, item) in items.iter().enumerate() {
            let (sender, work) = (sender.clone(), &work);
            scope.spawn(move |_| {
                // Nobody listens only if the listener has panicked.
                let _ = sender.send((index, work(item)));
            });
        }
        drop(sender);
        for (index, result) in receiver {
            results[index] = Some(result);
            done(&items[index]);
        }
    });
    Ok(results.into_iter().flatten().collect())
}

/// The threads of this computer that an experiment's points run on.
pub struct Workers {
    pool: rayon::ThreadPool,
}

impl Workers {
    /// So many, or one for each core where `None`.
    pub fn new(jobs: Option<u32>) -> Result<Workers, Failure> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.map_or(0, |jobs| jobs as usize)).build();
        Ok(Workers { pool: pool.map_err(|error| Failure::input(format!("cannot start threads: {error}")))? })
    }
}

impl Executor for Workers {
    fn each<T: Send>(&self, n: usize, work: impl Fn(usize) -> T + Sync, mut done: impl FnMut(usize, T)) -> Result<(), String> {
        let (sender, receiver) = mpsc::channel();
        // Each thread takes the next number when it is free. The last come first: the largest values of a sweep mostly stand there, and
        // a long run that begins last would run alone.
        let left = AtomicUsize::new(n);
        self.pool.in_place_scope(|scope| {
            for _ in 0..self.pool.current_num_threads().min(n) {
                let (sender, work, left) = (sender.clone(), &work, &left);
                scope.spawn(move |_| {
                    let take = |left: usize| left.checked_sub(1);
                    while let Ok(taken) = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
                        // Nobody listens only if the listener has panicked.
                        let _ = sender.send((taken - 1, work(taken - 1)));
                    }
                });
            }
            drop(sender);
            for (number, result) in receiver {
                done(number, result);
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_questions() {
        for jobs in [Some(1), Some(4), None] {
            let mut heard = 0;
            let items: Vec<u64> = (0..50).collect();
            let squares = each(jobs, &items, |&i| i * i, |_| heard += 1).unwrap();
            assert_eq!(squares, items.iter().map(|i| i * i).collect::<Vec<_>>());
            assert_eq!(heard, 50);
        }
    }
}
