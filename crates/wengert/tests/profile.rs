//! Profiles: what is recorded, and the names that `perf` gets.

use std::process::Command;
use wengert::{Activity, prelude::*, profile};

#[test]
fn events_by_function() {
    let (inner, outer) = (jit(|x: Array| x.sin() * 0.321), jit(|x: Array| x.cos() * 0.321));
    let (_, found) = profile(|| {
        (0..3).for_each(|_| {
            inner(wengert::ones(4));
        });
        outer(wengert::ones(4))
    });
    let count = |activity: Activity| found.events.iter().filter(|e| e.activity == activity).count();
    assert_eq!([Activity::Tracing, Activity::Loops, Activity::MachineCode, Activity::Call].map(count), [2, 2, 2, 4]);
    let calls: Vec<_> = found.events.iter().filter(|e| e.activity == Activity::Call).collect();
    assert!(calls.windows(2).all(|pair| pair[0].start + pair[0].took <= pair[1].start), "one after the other");
    assert_eq!(calls[0].source, calls[2].source);
    assert_ne!(calls[0].source, calls[3].source);
    let json: serde_json::Value = serde_json::from_str(&found.chrome()).unwrap();
    assert_eq!(json.as_array().unwrap().len(), found.events.len());
    assert!(json[0]["name"].as_str().unwrap().starts_with("crates/wengert/tests/profile.rs:"));
    assert!(found.to_string().contains("machine code"));
    // Nothing is recorded outside.
    let (_, empty) = profile(|| ());
    inner(wengert::ones(4));
    assert!(empty.events.is_empty());
}

/// In a process of its own, for the variable is read once.
#[test]
fn perf_finds_names_of_machine_code() {
    if std::env::var_os("WENGERT_PERF_MAP").is_some() {
        jit(|x: Array| x.exp().sum())(wengert::ones(100));
        let file = format!("/tmp/perf-{}.map", std::process::id());
        print!("{}", std::fs::read_to_string(&file).unwrap());
        std::fs::remove_file(file).unwrap();
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["perf_finds_names_of_machine_code", "--exact", "--nocapture"])
        .env("WENGERT_PERF_MAP", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|l| l.contains("wengert main (jit at crates/wengert/tests/profile.rs:"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    let mut words = line.split(' ').map(|w| usize::from_str_radix(w, 16));
    assert!(words.next().unwrap().unwrap() > 0 && words.next().unwrap().unwrap() > 16, "{line}");
}
