//! `counts NAME CALLS` makes so many calls of a compiled workload and nothing else: `tests/instructions.rs` counts their instructions.

use wengert_benches::all;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, calls] = &words[..] else { panic!("it takes the name of a workload and a number of calls") };
    let calls: usize = calls.parse().expect("a number of calls");
    let workload = all().into_iter().find(|w| w.name == name).expect("a workload of that name");
    (0..calls).for_each(|_| workload.run.compiled());
}
