//! Snapshots kept in one text file, rewritten when `UPDATE_EXPECT=1` is set.

use std::path::Path;

/// Compares named texts with those of a file in this folder; the first that differs is shown beside what is expected.
pub fn compare(file: &str, entries: &[(&str, String)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    let found: Vec<String> = entries.iter().map(|(name, text)| format!("== {name}\n{}\n", text.trim_end())).collect();
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|v| v == "1") {
        std::fs::write(&path, found.join("\n")).expect("the snapshots can be written");
        return;
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let expected: Vec<String> =
        text.split("\n== ").map(|part| format!("== {}", part.trim_start_matches("== "))).collect();
    for (i, found) in found.iter().enumerate() {
        let expected = expected.get(i).map_or("", |text| text.trim_end());
        assert!(
            found.trim_end() == expected,
            "{file} differs; UPDATE_EXPECT=1 accepts what was found\n\nexpected:\n{expected}\n\nfound:\n{found}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{file} has entries that nothing makes; UPDATE_EXPECT=1 drops them");
}
