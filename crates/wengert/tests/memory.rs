//! Memory over many compilations. Alone in its file, so that no other test runs beside it in the process.

#![cfg(target_os = "linux")]

use wengert::prelude::*;

/// Resident memory in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: u64 = statm.split(' ').nth(1).and_then(|p| p.parse().ok()).expect("the second number");
    pages * 4096
}

/// What the cycles after the first 2,000 leave behind, in bytes a cycle.
fn left_behind(cycle: &mut dyn FnMut(usize)) -> f64 {
    (0..2000).for_each(&mut *cycle);
    let before = resident();
    (2000..20_000).for_each(cycle);
    resident().saturating_sub(before) as f64 / 18_000.0
}

#[test]
fn compiling_and_dropping_20_000_times_leaves_memory_flat() {
    let program = trace(grad(|x: Array| x.square() + 3.0 * x), &2.0.into());
    let compiled = left_behind(&mut |_| {
        let code = wengert::execute::Executable::new(&program).unwrap();
        assert_eq!(code.run(&[], &mut vec![2.0.into()], |y| y.next()).unwrap(), Some(7.0.into()));
    });
    // A new function each time, whose code the cache takes in and lets go of again.
    let cached = left_behind(&mut |k| {
        let f = jit(grad(|x: Array| x.square() + k as f64 * x));
        assert_eq!(f(2.0.into()), (4.0 + k as f64).into());
    });
    println!("{compiled:.0} bytes a cycle of compiling, {cached:.0} of jit");
    assert!(compiled < 64.0 && cached < 64.0, "{compiled} bytes a cycle of compiling, {cached} of jit");
    // That a leak would show: a page for every tenth cycle.
    let mut kept = Vec::new();
    let leaking = left_behind(&mut |k| kept.extend((k % 10 == 0).then(|| vec![1u8; 4096])));
    assert!(leaking > 256.0, "{leaking}");
}
