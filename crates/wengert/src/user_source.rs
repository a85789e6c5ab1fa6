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
        self.line_of(l.file(), l.line() as usize)
    }

    /// The line of a place in the form `file:line:column`.
    pub(crate) fn line_at(&mut self, place: &str) -> Option<String> {
        let line = line_of_place(place)?;
        let (file, line) = line.rsplit_once(':')?;
        self.line_of(file, line.parse().ok()?)
    }

    fn line_of(&mut self, file: &str, line: usize) -> Option<String> {
        Some(self.lines(file)?.get(line.checked_sub(1)?)?.trim().to_owned())
    }

    /// All lines of a file.
    pub(crate) fn lines(&mut self, file: &str) -> Option<&[String]> {
        self.0.entry(file.to_owned()).or_insert_with(|| read(file)).as_deref()
    }
}

/// `file:line` of `file:line:column`.
pub(crate) fn line_of_place(place: &str) -> Option<String> {
    let (line, column) = place.rsplit_once(':')?;
    column.parse::<usize>().ok()?;
    line.rsplit_once(':')?.1.parse::<usize>().ok()?;
    Some(line.to_owned())
}

/// The compiler names files as seen from the root of the workspace; the program may run in a folder below.
fn read(file: &str) -> Option<Vec<String>> {
    let here = std::env::current_dir().ok()?;
    let places = here.ancestors().map(|folder| folder.join(Path::new(file)));
    let found: PathBuf = places.into_iter().find(|path| path.is_file())?;
    Some(std::fs::read_to_string(found).ok()?.lines().map(str::to_owned).collect())
}
