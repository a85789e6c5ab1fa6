//! The guide prints errors as they are: its texts are those of `errors.txt`.

use std::path::Path;

/// Where `errors.rs` was, `main.rs` is in the guide.
const PLACE: (&str, &str) = ("crates/wengert/tests/errors.rs:_:_", "main.rs:12:9");

#[test]
fn errors_of_the_guide_are_those_that_are_printed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapter = folder.join("src/guide/errors.md");
    let read = |path: &Path| std::fs::read_to_string(path).expect("it is in the repository").replace("\r\n", "\n");
    let (guide, snapshots) = (read(&chapter), read(&folder.join("tests/errors.txt")));
    let mut parts = guide.split("<!-- error: ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut shown = 0;
    for part in parts {
        let (name, rest) = part.split_once(" -->\n```text\n").expect("a block of text follows the name");
        let (_, rest) = rest.split_once("```\n").expect("the block ends");
        text += &format!("<!-- error: {name} -->\n```text\n{}\n```\n{rest}", printed(&snapshots, name));
        shown += 1;
    }
    assert!(shown >= 10, "the chapter has its errors");
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|v| v == "1") {
        std::fs::write(&chapter, text).expect("the chapter can be written");
    } else {
        assert!(guide == text, "the guide's errors are not those of errors.txt; UPDATE_EXPECT=1 writes them anew");
    }
}

/// An error of the snapshots, without its kind.
fn printed(snapshots: &str, name: &str) -> String {
    let entry = snapshots
        .split("\n== ")
        .map(|e| e.trim_start_matches("== "))
        .find_map(|e| e.strip_prefix(name)?.strip_prefix('\n'));
    let entry = entry.unwrap_or_else(|| panic!("errors.txt has no entry `{name}`"));
    let (_kind, message) = entry.split_once(": ").expect("an entry begins with the kind of the error");
    message.trim_end().replace(PLACE.0, PLACE.1)
}
