//! Snapshots kept in one text file, rewritten when `UPDATE_EXPECT=1` is set.

use std::path::Path;

/// Compares named texts with those of a file in the folder of tests; of the first that differs the lines that do are shown.
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
            "{file} differs (- what it says, + what was found); UPDATE_EXPECT=1 accepts what was found\n\n{}",
            difference(expected, found.trim_end())
        );
    }
    assert_eq!(found.len(), expected.len(), "{file} has entries that nothing makes; UPDATE_EXPECT=1 drops them");
}

/// The lines of both texts in order: those of the first alone after `-`, those of the second alone after `+`.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // By where each text is entered: how many lines the rests have in common.
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            let kept = if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { 0 };
            common[i][j] = common[i + 1][j].max(common[i][j + 1]).max(kept);
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        let (mark, line) = if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            (' ', old[i - 1])
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', old[i - 1])
        } else {
            j += 1;
            ('+', new[j - 1])
        };
        text += &format!("{mark} {line}\n");
    }
    text
}

#[test]
fn differences_are_shown_line_by_line() {
    assert_eq!(difference("a\nb\nc", "a\nd\nc\ne"), "  a\n- b\n+ d\n  c\n+ e\n");
    assert_eq!(difference("", "a"), "+ a\n");
}
