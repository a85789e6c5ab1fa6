//! Work in several threads: one pool for the process, whose threads and the caller take stretches of rounds until none are left.
//!
//! Which thread runs a round changes nothing, so results are the same for any number of threads. Work inside such work runs
//! in the thread it is asked for in.

use crate::mode::in_default_mode;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// More threads than this are not made, whatever is asked for.
const MOST: usize = 256;

/// How many threads work may use; 0 until someone says, or asks.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// What [`with_num_threads`] allows here; 0 without it.
    static ALLOWED: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread runs a part of such work now.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// How many threads a compiled program may use: what [`with_num_threads`] allows, else what [`set_num_threads`] said, else
/// `WENGERT_NUM_THREADS` where the environment has it, else as many as the processor runs at once. Results are the same for any
/// number, bit for bit; work of less than some 60 µs stays in one thread.
///
/// ```
/// assert!(wengert_runtime::num_threads() >= 1);
/// ```
pub fn num_threads() -> usize {
    match (ALLOWED.get(), THREADS.load(Ordering::Relaxed)) {
        (0, 0) => {
            let n = from_environment().unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
            set_num_threads(n);
            n.clamp(1, MOST)
        }
        (0, n) | (n, _) => n,
    }
}

/// Programs may use `n` threads from now on, 1 to 256, in the whole process.
///
/// ```
/// use wengert_runtime::{num_threads, set_num_threads};
///
/// let before = num_threads();
/// set_num_threads(3);
/// assert_eq!(num_threads(), 3);
/// set_num_threads(before);
/// ```
pub fn set_num_threads(n: usize) {
    THREADS.store(n.clamp(1, MOST), Ordering::Relaxed);
}

/// Runs `f`; programs that it calls from this thread may use `n` threads, 1 to 256.
///
/// ```
/// use wengert_runtime::{num_threads, with_num_threads};
///
/// let n = with_num_threads(2, || with_num_threads(1, || 10 * num_threads()) + num_threads());
/// assert_eq!(n, 12);
/// ```
pub fn with_num_threads<R>(n: usize, f: impl FnOnce() -> R) -> R {
    let _restore = Set::new(&ALLOWED, n.clamp(1, MOST));
    f()
}

/// What `WENGERT_NUM_THREADS` says; what is no number is reported and ignored.
fn from_environment() -> Option<usize> {
    let wanted = std::env::var_os("WENGERT_NUM_THREADS")?;
    parse(&wanted.to_string_lossy()).map_err(|message| eprintln!("wengert: {message}")).ok()
}

/// The number of threads that a text asks for.
fn parse(text: &str) -> Result<usize, String> {
    let shown: String = text.chars().take(40).flat_map(char::escape_default).collect();
    match text.trim().parse::<usize>() {
        Ok(0) | Err(_) => Err(format!("WENGERT_NUM_THREADS is \"{shown}\", no number from 1 on; it is ignored")),
        Ok(n) => Ok(n),
    }
}

/// A thread's variable, put back at the end whatever happens.
struct Set<T: Copy + 'static> {
    cell: &'static std::thread::LocalKey<Cell<T>>,
    before: T,
}

impl<T: Copy> Set<T> {
    fn new(cell: &'static std::thread::LocalKey<Cell<T>>, value: T) -> Set<T> {
        Set { cell, before: cell.replace(value) }
    }
}

impl<T: Copy> Drop for Set<T> {
    fn drop(&mut self) {
        self.cell.set(self.before);
    }
}

/// Runs `work` on stretches that make up `0..count`, each of `grain` rounds or more (but the last), in any order and in several
/// threads where there is more than one stretch. `work` must not mind where the borders lie.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let sum = AtomicUsize::new(0);
/// wengert_runtime::parallel(1000, 10, &|rounds| _ = sum.fetch_add(rounds.sum(), Ordering::Relaxed));
/// assert_eq!(sum.into_inner(), 999 * 1000 / 2);
/// ```
pub fn parallel(count: usize, grain: usize, work: &(dyn Fn(Range<usize>) + Sync)) {
    let grain = grain.max(1);
    let stretches = count.div_ceil(grain);
    let threads = num_threads().min(stretches);
    let pool = if threads > 1 && !INSIDE.get() { pool(threads - 1) } else { None };
    let Some(pool) = pool else {
        return work(0..count);
    };
    let next = AtomicUsize::new(0);
    let take = || {
        let _inside = Set::new(&INSIDE, true);
        in_default_mode(|| {
            loop {
                let stretch = next.fetch_add(1, Ordering::Relaxed);
                if stretch >= stretches {
                    break;
                }
                work(stretch * grain..((stretch + 1) * grain).min(count));
            }
        });
    };
    pool.in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| take());
        }
        take();
    });
}

/// Elements of which threads write different ranges.
pub(crate) struct Shared<'a, T> {
    data: *mut T,
    len: usize,
    _borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: what it lends are ranges that by the contract of `range` no two threads have at once.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn new(all: &'a mut [T]) -> Shared<'a, T> {
        Shared { data: all.as_mut_ptr(), len: all.len(), _borrowed: PhantomData }
    }

    /// # Safety
    /// No range that overlaps it is in use.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn range(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} elements", self.len);
        // SAFETY: inside, and the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(range.start), range.len()) }
    }
}

/// The grain of rounds that take about this many nanoseconds each.
pub(crate) fn grain(each: f64) -> usize {
    const STRETCH: f64 = 20_000.0;
    (STRETCH / each.max(0.01)).ceil() as usize
}

/// The pool with this many threads or more; `None` when the system gives none.
fn pool(threads: usize) -> Option<Arc<ThreadPool>> {
    struct Pool {
        threads: usize,
        /// A process that was forked off has no threads but the one that forked.
        process: u32,
        pool: Option<Arc<ThreadPool>>,
    }
    static POOL: Mutex<Option<Pool>> = Mutex::new(None);
    let mut current = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some(found) = &*current {
        if found.process != process {
            return None;
        }
        if found.threads >= threads {
            return found.pool.clone();
        }
    }
    let made = ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("wengert {i}")).build();
    let pool = made.ok().map(Arc::new);
    *current = Some(Pool { threads, process, pool: pool.clone() });
    pool
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_round_is_run_once_whatever_the_threads() {
        for (count, grain) in [(0, 1), (1, 1), (7, 3), (1000, 1), (1000, 999), (1000, 1001), (64, 0)] {
            for n in [1, 2, 3, 8] {
                let runs: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                with_num_threads(n, || {
                    parallel(count, grain, &|rounds| {
                        for round in rounds {
                            runs[round].fetch_add(1, Ordering::Relaxed);
                        }
                    });
                });
                assert!(runs.iter().all(|r| r.load(Ordering::Relaxed) == 1), "{count} by {grain} on {n}");
            }
        }
    }

    #[test]
    fn several_threads_take_part() {
        let seen = Mutex::new(HashSet::new());
        let together = std::sync::Barrier::new(3);
        with_num_threads(3, || {
            parallel(3, 1, &|_| {
                // None goes on before all three are here, so each is in a thread of its own.
                together.wait();
                seen.lock().unwrap().insert(std::thread::current().id());
            });
        });
        assert_eq!(seen.into_inner().unwrap().len(), 3);
    }

    #[test]
    fn work_inside_of_work_stays_in_its_thread() {
        with_num_threads(4, || {
            parallel(8, 1, &|_| {
                let outer = std::thread::current().id();
                parallel(8, 1, &|rounds| {
                    assert_eq!((rounds, std::thread::current().id()), (0..8, outer));
                });
            });
        });
        assert!(!INSIDE.get());
    }

    #[test]
    fn a_panic_comes_out_and_the_pool_goes_on() {
        let caught = std::panic::catch_unwind(|| {
            with_num_threads(2, || parallel(10, 1, &|rounds| assert!(!rounds.contains(&5), "round five")));
        });
        assert!(caught.is_err());
        assert_eq!((INSIDE.get(), ALLOWED.get()), (false, 0));
        every_round_is_run_once_whatever_the_threads();
    }

    #[test]
    fn what_is_no_number_of_threads_is_said() {
        assert_eq!([parse("1"), parse(" 8 "), parse("1000000000")], [Ok(1), Ok(8), Ok(1_000_000_000)]);
        for text in ["", "0", "-1", "two", "3.5", "1e9", "99999999999999999999999", "\u{1b}[2J", "٣"] {
            let message = parse(text).unwrap_err();
            assert!(message.contains("is ignored") && !message.contains('\u{1b}'), "{message}");
        }
        assert!(parse(&"9".repeat(1 << 20)).unwrap_err().len() < 200);
    }

    #[test]
    fn many_callers_at_once() {
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let sum = AtomicUsize::new(0);
                        with_num_threads(3, || parallel(100, 7, &|r| _ = sum.fetch_add(r.sum(), Ordering::Relaxed)));
                        assert_eq!(sum.into_inner(), 4950);
                    }
                });
            }
        });
    }
}
