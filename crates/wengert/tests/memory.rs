//! Memory over many compilations. Alone in its file, so that no other test runs beside it in the process.

#![cfg(target_os = "linux")]

use wengert::prelude::*;

/// Resident memory in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: u64 = statm.split(' ').nth(1).and_then(|p| p.parse().ok()).expect("the second number");
    pages * 4096
}

#[test]
fn compiling_and_dropping_20_000_times_leaves_memory_flat() {
    let program = trace(grad(|x: Array| x.square() + 3.0 * x), &2.0.into());
    let cycle = || {
        let code = wengert::execute::Executable::new(&program).unwrap();
        assert_eq!(code.run(&[], &mut vec![2.0.into()], |y| y.next()).unwrap(), Some(7.0.into()));
    };
    (0..2000).for_each(|_| cycle());
    let before = resident();
    (0..18_000).for_each(|_| cycle());
    let grown = resident().saturating_sub(before);
    // A leak of a page a cycle would be 72 MiB.
    assert!(grown < 4 << 20, "{grown} bytes more after 18,000 cycles");
}
