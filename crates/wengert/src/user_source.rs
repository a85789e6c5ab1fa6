//! Lines of the user's source files, shown beside what they became.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use wengert_core::source::Source;

/// Source files that have been looked for; those that are not here have no lines.
#[derive(Default)]
pub(crate) struct Files(HashMap<String, Option<Vec<String>>>);

impl Files {
    /// The line that a source names, without the space around it.
    pub(crate) fn line(&mut self, source: &Source) -> Option<String> {
        let Source::Location(l) = source else { return None };
        let lines = self.0.entry(l.file().to_owned()).or_insert_with(|| read(l.file())).as_ref()?;
        Some(lines.get(l.line() as usize - 1)?.trim().to_owned())
    }
}

/// The compiler names files as seen from the root of the workspace; the program may run in a folder below.
fn read(file: &str) -> Option<Vec<String>> {
    let here = std::env::current_dir().ok()?;
    let places = here.ancestors().map(|folder| folder.join(Path::new(file)));
    let found: PathBuf = places.into_iter().find(|path| path.is_file())?;
    Some(std::fs::read_to_string(found).ok()?.lines().map(str::to_owned).collect())
}
