//! A progress bar with the time that is left.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of `steps` steps. It is drawn on standard error, and only when that is a terminal.
pub fn bar(steps: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left").expect("the template parses");
    ProgressBar::new(steps).with_style(style).with_message(what)
}
