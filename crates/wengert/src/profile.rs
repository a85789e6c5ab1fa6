//! `profile`: where the time goes, by the user's functions; and the names that `perf` shows for machine code.

use crate::execute::Executable;
use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::time::{Duration, Instant};
use wengert_core::source::Source;
use wengert_view::Table;

/// What a stretch of time was spent on.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::profile;
///
/// let f = jit(|x: Array| x.sin());
/// let (_, profile) = profile(|| f(ones(3)));
/// assert!(profile.events.iter().any(|e| e.activity == wengert::Activity::Tracing));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Activity {
    /// A closure was traced.
    Tracing,
    /// Loops were made of a program.
    Loops,
    /// Machine code was made of loops.
    MachineCode,
    /// Machine code ran.
    Call,
}

impl Activity {
    fn name(self) -> &'static str {
        match self {
            Activity::Tracing => "tracing",
            Activity::Loops => "loops",
            Activity::MachineCode => "machine code",
            Activity::Call => "call",
        }
    }
}

/// A stretch of time.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::profile;
///
/// let f = jit(|x: Array| x.sin());
/// let (_, profile) = profile(|| f(ones(3)));
/// let event = profile.events.last().unwrap();
/// assert!(event.source.to_string().contains(':'));
/// ```
#[derive(Clone, Debug)]
pub struct Event {
    /// What it was spent on.
    pub activity: Activity,
    /// Where the function's `jit` was called.
    pub source: Source,
    /// When it began, from the beginning of the profile.
    pub start: Duration,
    /// How long it took.
    pub took: Duration,
}

/// What jitted functions did on one thread. `{}` sums it up by function.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::profile;
///
/// let f = jit(|x: Array| x.sin());
/// let (_, profile) = profile(|| f(ones(3)));
/// println!("{profile}");
/// assert!(!profile.events.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Profile {
    /// In the order in which they ended.
    pub events: Vec<Event>,
}

struct Recording {
    since: Instant,
    events: Vec<Event>,
}

thread_local! {
    static RECORDING: RefCell<Option<Recording>> = const { RefCell::new(None) };
}

/// Runs `f` and tells what the jitted functions called in it spent their time on, on this thread.
///
/// ```
/// use wengert::{prelude::*, profile};
///
/// let step = jit(|x: Array| x.sin() * 0.99);
/// let (x, profile) = profile(|| (0..10).fold(ones(1000), |x, _| step(x)));
/// println!("{profile}");
/// std::fs::write(std::env::temp_dir().join("trace.json"), profile.chrome())?; // for chrome://tracing or Perfetto
/// assert_eq!(profile.events.len(), 13); // traced, made loops of, made machine code of, called ten times
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn profile<T>(f: impl FnOnce() -> T) -> (T, Profile) {
    struct Restore(Option<Recording>);
    impl Drop for Restore {
        fn drop(&mut self) {
            RECORDING.set(self.0.take());
        }
    }
    let restore = Restore(RECORDING.replace(Some(Recording { since: Instant::now(), events: Vec::new() })));
    let value = crate::report::watched(f);
    let events = RECORDING.take().map_or(Vec::new(), |recording| recording.events);
    drop(restore);
    (value, Profile { events })
}

/// Notes what has just ended, if anybody records.
pub(crate) fn ended(activity: Activity, source: &Source, began: Instant, took: Duration) {
    RECORDING.with_borrow_mut(|recording| {
        if let Some(Recording { since, events }) = recording {
            events.push(Event { activity, source: source.clone(), start: began.duration_since(*since), took });
        }
    });
}

impl Profile {
    /// The events in the format of Chrome's tracing, which Perfetto reads too.
    ///
    /// ```
    /// use wengert::prelude::*;
    /// use wengert::profile;
    ///
    /// let f = jit(|x: Array| x.sin());
    /// let (_, profile) = profile(|| f(ones(3)));
    /// assert!(profile.chrome().contains("tracing"));
    /// ```
    pub fn chrome(&self) -> String {
        let event = |e: &Event| {
            let name: String = e.source.to_string().chars().flat_map(char::escape_default).collect();
            format!(
                "{{\"name\":\"{name}\",\"cat\":\"{}\",\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":{},\"dur\":{}}}",
                e.activity.name(),
                e.start.as_nanos() as f64 / 1e3,
                e.took.as_nanos() as f64 / 1e3
            )
        };
        format!("[{}]\n", self.events.iter().map(event).collect::<Vec<_>>().join(",\n"))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sums: Vec<(String, Activity, usize, Duration)> = Vec::new();
        for e in &self.events {
            let source = e.source.to_string();
            match sums.iter_mut().find(|s| s.0 == source && s.1 == e.activity) {
                Some(sum) => (sum.2, sum.3) = (sum.2 + 1, sum.3 + e.took),
                None => sums.push((source, e.activity, 1, e.took)),
            }
        }
        sums.sort_by_key(|s| std::cmp::Reverse(s.3));
        let mut table = Table::new(["jit at", "activity", "times", "in all", "each"]);
        for (source, activity, times, took) in sums {
            let each = took / times as u32;
            table.push([
                source,
                activity.name().into(),
                times.to_string(),
                format!("{took:.1?}"),
                format!("{each:.1?}"),
            ]);
        }
        table.fmt(f)
    }
}

/// With `WENGERT_PERF_MAP=1` tells `perf` the names of machine code, by the map that it reads from the folder for temporary
/// files; see `perf report`. Names are those of the loop language's functions and the user's line.
pub(crate) fn name_for_perf(executable: &Executable, source: &Source) {
    if !wanted() {
        return;
    }
    let functions = &executable.compiled().routine.functions;
    let mut text = String::new();
    for (k, (address, bytes)) in executable.code().stretches().iter().enumerate() {
        // Long functions are split, so that there are more of them.
        let name = functions.get(k).map_or("part", |f| &f.name);
        writeln!(text, "{address:x} {bytes:x} wengert {name} (jit at {source})").expect("text takes text");
    }
    let file = format!("/tmp/perf-{}.map", std::process::id());
    // A profile without names is better than a program that stops for them.
    _ = std::fs::OpenOptions::new().create(true).append(true).open(file).and_then(|mut f| f.write_all(text.as_bytes()));
}

/// Whether `WENGERT_PERF_MAP=1` is set; read once.
fn wanted() -> bool {
    static WANTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *WANTED.get_or_init(|| std::env::var_os("WENGERT_PERF_MAP").is_some_and(|v| v == "1"))
}
