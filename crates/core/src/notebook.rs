//! Rich output in notebooks: what the Jupyter kernel of evcxr shows for a value.
//!
//! The kernel calls `evcxr_display` on the value of a cell, if its type has such a method, and looks in what that
//! prints for content between two marks. There is nothing to depend on.

use crate::array::Array;
use crate::program::Program;

/// One value in several forms, each with its media type; the notebook shows the richest that it can.
///
/// ```
/// use wengert_core::notebook::content;
///
/// assert_eq!(
///     content(&[("text/plain", "2".into()), ("text/html", "<b>2</b>".into())]),
///     "EVCXR_BEGIN_CONTENT text/plain\n2\nEVCXR_END_CONTENT\n\
///      EVCXR_BEGIN_CONTENT text/html\n<b>2</b>\nEVCXR_END_CONTENT\n"
/// );
/// ```
pub fn content(forms: &[(&str, String)]) -> String {
    let form = |(media, text): &(&str, String)| {
        format!("EVCXR_BEGIN_CONTENT {media}\n{}\nEVCXR_END_CONTENT\n", text.trim_end_matches('\n'))
    };
    forms.iter().map(form).collect()
}

/// Text as HTML that keeps its lines and spaces.
///
/// ```
/// assert_eq!(wengert_core::notebook::preformatted("a < b"), "<pre>a &lt; b</pre>");
/// ```
pub fn preformatted(text: &str) -> String {
    format!("<pre>{}</pre>", text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

impl Array {
    /// Shows the array in a notebook of the evcxr kernel: text and, of a matrix, a table under its dtype and shape.
    ///
    /// ```
    /// wengert_core::array![[1, 2], [3, 4]].evcxr_display();
    /// ```
    pub fn evcxr_display(&self) {
        print!("{}", content(&array_forms(self)));
    }
}

impl Program {
    /// Shows the program's text in a notebook of the evcxr kernel.
    ///
    /// ```
    /// wengert_core::program::parse("program (%0: f64[]) {\n  return %0\n}\n")?.evcxr_display();
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn evcxr_display(&self) {
        let text = self.to_string();
        print!("{}", content(&[("text/html", preformatted(&text)), ("text/plain", text)]));
    }
}

fn array_forms(x: &Array) -> Vec<(&'static str, String)> {
    let mut forms = vec![("text/plain", x.to_string())];
    if let Some(rows) = x.shown_rows() {
        let row = |cells: &Vec<String>| {
            let cells: String = cells.iter().map(|c| format!("<td style=\"text-align:right\">{c}</td>")).collect();
            format!("<tr>{cells}</tr>\n")
        };
        let rows: String = rows.iter().map(row).collect();
        forms.push(("text/html", format!("<table>\n<caption>{}</caption>\n{rows}</table>", x.ty())));
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{ones, zeros};

    #[test]
    fn a_matrix_is_a_table_too() {
        let forms = array_forms(&crate::array![[1.0, 2.5], [10.0, 4.0]]);
        assert_eq!(forms[0], ("text/plain", "[[ 1.   2.5]\n [10.   4. ]]".into()));
        let (media, html) = &forms[1];
        assert_eq!(*media, "text/html");
        assert!(html.contains("<caption>f64[2,2]</caption>"), "{html}");
        assert!(
            html.contains("<tr><td style=\"text-align:right\">1.</td><td style=\"text-align:right\">2.5</td></tr>")
        );
    }

    #[test]
    fn other_arrays_are_text() {
        for x in [Array::from(1.0), ones(3), ones((2, 2, 2)), zeros((0, 3))] {
            assert_eq!(array_forms(&x).len(), 1, "{x:?}");
        }
    }

    #[test]
    fn a_large_matrix_is_cut() {
        let html = array_forms(&ones((100, 100)))[1].1.clone();
        assert_eq!((html.matches("<tr>").count(), html.matches("<td").count()), (7, 49));
        let html = array_forms(&ones((2, 1000)))[1].1.clone();
        assert_eq!((html.matches("<tr>").count(), html.matches("<td").count()), (2, 14));
    }
}
