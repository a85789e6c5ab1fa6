//! The order of the crates, and what each may not know.

use std::path::Path;
use std::process::Command;

/// Each crate, and the crates of this workspace that it may depend on.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("wengert-kernel", &[]),
    ("wengert-runtime", &["wengert-kernel"]),
    ("wengert-core", &["wengert-kernel", "wengert-runtime", "wengert-derive"]),
    ("wengert-compile", &["wengert-kernel", "wengert-core", "wengert-runtime"]),
    ("wengert-native", &["wengert-kernel", "wengert-runtime"]),
    ("wengert-derive", &["wengert-core"]),
    ("wengert-view", &["wengert-core"]),
    (
        "wengert",
        &[
            "wengert-kernel",
            "wengert-runtime",
            "wengert-core",
            "wengert-compile",
            "wengert-native",
            "wengert-derive",
            "wengert-view",
        ],
    ),
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn crates_depend_in_one_direction() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    for (name, allowed) in ALLOWED {
        let package = packages.iter().find(|p| p["name"] == name).unwrap_or_else(|| panic!("there is a crate {name}"));
        for dependency in package["dependencies"].as_array().expect("a list") {
            let depends_on = dependency["name"].as_str().expect("a name");
            // Tests may look further: the derive macro is tried on what it derives for.
            let for_tests = dependency["kind"] == "dev";
            let ours = depends_on.starts_with("wengert");
            assert!(!ours || for_tests || allowed.contains(&depends_on), "{name} must not depend on {depends_on}");
            let cranelift = depends_on.starts_with("cranelift");
            assert!(!cranelift || name == "wengert-native", "only wengert-native knows Cranelift, not {name}");
        }
    }
}

/// Calls `f` on every Rust file below a folder.
fn each_source(folder: &Path, f: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            each_source(&path, f);
        } else if path.extension().is_some_and(|e| e == "rs") {
            f(&path, &std::fs::read_to_string(&path).expect("it can be read"));
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    each_source(&root().join("crates"), &mut |path, text| {
        assert!(text.starts_with("//!"), "{} begins with a line that says what it is", path.display());
    });
}

#[test]
fn transforms_name_no_primitive() {
    each_source(&root().join("crates/core/src/transform"), &mut |path, text| {
        assert!(!text.contains("Op::"), "{} names a primitive", path.display());
    });
}

#[test]
fn unsafe_stays_where_it_belongs() {
    for (krate, _) in ALLOWED {
        let folder = krate.strip_prefix("wengert-").unwrap_or(krate);
        if matches!(folder, "native" | "runtime") {
            continue;
        }
        each_source(&root().join("crates").join(folder).join("src"), &mut |path, text| {
            let allowed = path.ends_with("kernel/src/buffer.rs");
            let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
            let found =
                code.filter(|l| l.contains("unsafe {") || l.contains("unsafe fn") || l.contains("unsafe impl")).count();
            assert!(allowed || found == 0, "{} has {found} lines of unsafe code", path.display());
        });
    }
}
