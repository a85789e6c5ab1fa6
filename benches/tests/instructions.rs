//! The instructions of a call of each compiled workload, counted by valgrind and compared with `instructions.txt`: so that a slower
//! program is seen without a clock. `UPDATE_EXPECT=1` writes the file. Without valgrind there is nothing to compare.
//!
//! Valgrind knows no AVX-512, so that the code is that of AVX2 on every x86-64 processor.

use std::collections::BTreeMap;
use std::process::Command;
use wengert_benches::all;

/// More than this is a regression.
const SLACK: f64 = 1.05;

/// Instructions of the whole process.
fn counted(name: &str, calls: u64) -> u64 {
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            env!("CARGO_BIN_EXE_counts"),
            name,
            &calls.to_string(),
        ])
        // Threads that wait for work count as they please.
        .env("WENGERT_NUM_THREADS", "1")
        .output()
        .expect("valgrind runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {text}");
    let line = text.lines().find_map(|line| line.split_once("Collected :")).expect("a count");
    line.1.trim().parse().expect("a number")
}

/// Instructions of all calls counted, beside which the differences between two compilations are nothing.
const ENOUGH: u64 = 5_000_000;

#[test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "the counts are those of x86-64")]
fn a_call_takes_no_more_instructions_than_it_did() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("valgrind is not here: no instructions are counted");
        return;
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let known = std::fs::read_to_string(path).unwrap_or_default();
    let known: BTreeMap<&str, u64> = known
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once("  ").expect("a count and a name"))
        .map(|(count, name)| (name, count.trim().parse().expect("a count")))
        .collect();
    let mut lines = vec![
        "# Instructions of a call, by `UPDATE_EXPECT=1 cargo test --release -p wengert-benches --test instructions`"
            .to_owned(),
    ];
    let mut wrong = Vec::new();
    for workload in all() {
        let name = workload.name;
        // The first calls trace and compile, which takes more or less as hashing has it: many calls make that small.
        let first = counted(name, 3);
        let estimate = counted(name, 5).abs_diff(first) / 2;
        let calls = (ENOUGH / estimate.max(1)).clamp(2, 2000);
        let count = counted(name, 3 + calls).abs_diff(first) / calls;
        lines.push(format!("{count}  {name}"));
        match known.get(name) {
            Some(&known) if (count as f64) <= known as f64 * SLACK => {}
            Some(&known) => wrong.push(format!("{name}: {count} instructions a call, it was {known}")),
            None => wrong.push(format!("{name}: {count} instructions a call, of which the file knows nothing")),
        }
    }
    if update {
        std::fs::write(path, lines.join("\n") + "\n").expect("the file can be written");
    } else {
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
