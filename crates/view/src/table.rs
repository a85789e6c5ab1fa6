//! Tables of text: aligned for the terminal, as Markdown and as HTML.

use crate::svg::escape;
use std::fmt;
use wengert_core::notebook::content;

/// Rows of cells under a heading. `{}` aligns the columns for a terminal.
///
/// ```
/// use wengert_view::Table;
///
/// let mut table = Table::new(["x", "sin x"]);
/// table.push(["0.0", "0"]);
/// table.push(["1.0", "0.8414709848"]);
/// assert_eq!(table.to_string(), "\
/// x    sin x
/// ---  ------------
/// 0.0  0
/// 1.0  0.8414709848
/// ");
/// assert!(table.markdown().starts_with("| x | sin x |\n| --- | --- |\n"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    ///
    /// ```
    /// assert!(wengert_view::Table::new(["n", "n²"]).rows().is_empty());
    /// ```
    pub fn new<S: Into<String>>(heading: impl IntoIterator<Item = S>) -> Table {
        Table { heading: heading.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Appends a row; cells that are missing are empty.
    ///
    /// ```
    /// use wengert_view::Table;
    ///
    /// let mut table = Table::new(["n", "n²"]);
    /// table.push(["2", "4"]);
    /// table.push(["3"]);
    /// assert_eq!(table.rows()[1], ["3", ""]);
    /// ```
    pub fn push<S: Into<String>>(&mut self, row: impl IntoIterator<Item = S>) {
        let mut row: Vec<String> = row.into_iter().map(Into::into).collect();
        row.resize(self.heading.len().max(row.len()), String::new());
        self.rows.push(row);
    }

    /// The cells, row by row.
    ///
    /// ```
    /// use wengert_view::Table;
    ///
    /// let mut table = Table::new(["n", "n²"]);
    /// table.push(["2", "4"]);
    /// assert_eq!(table.rows(), [["2", "4"]]);
    /// ```
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// As a table of Markdown.
    ///
    /// ```
    /// use wengert_view::Table;
    ///
    /// let mut table = Table::new(["n", "n²"]);
    /// table.push(["2", "4"]);
    /// assert_eq!(table.markdown(), "| n | n² |\n| --- | --- |\n| 2 | 4 |\n");
    /// ```
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|c| c.replace('|', "\\|").replace('\n', "<br>")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule = vec!["---".to_owned(); self.heading.len()];
        [&self.heading, &rule].into_iter().chain(&self.rows).map(|row| line(row)).collect()
    }

    /// As a `<table>`, each row with the attributes that `attributes` says for its number.
    ///
    /// ```
    /// use wengert_view::Table;
    ///
    /// let mut table = Table::new(["n", "n²"]);
    /// table.push(["2", "4"]);
    /// assert!(table.html(|_| "class=\"odd\"".into()).contains("<tr class=\"odd\"><td>2</td>"));
    /// ```
    pub fn html(&self, attributes: impl Fn(usize) -> String) -> String {
        let cells = |tag: &str, cells: &[String]| -> String {
            cells.iter().map(|c| format!("<{tag}>{}</{tag}>", escape(c).replace('\n', "<br>"))).collect()
        };
        let row = |(i, row): (usize, &Vec<String>)| {
            let attributes = attributes(i);
            let space = if attributes.is_empty() { "" } else { " " };
            format!("<tr{space}{attributes}>{}</tr>\n", cells("td", row))
        };
        let rows: String = self.rows.iter().enumerate().map(row).collect();
        format!("<table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n", cells("th", &self.heading))
    }

    /// Shows the table in a notebook of the evcxr kernel.
    ///
    /// ```
    /// wengert_view::Table::new(["x", "sin x"]).evcxr_display();
    /// ```
    pub fn evcxr_display(&self) {
        print!("{}", content(&[("text/html", self.html(|_| String::new())), ("text/plain", self.to_string())]));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |cell: &String| cell.lines().map(|l| l.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.heading.len())
            .map(|c| [&self.heading].into_iter().chain(&self.rows).map(|row| length(&row[c])).max().unwrap_or(0))
            .collect();
        let rule: Vec<String> = widths.iter().map(|&w| "-".repeat(w)).collect();
        for row in [&self.heading, &rule].into_iter().chain(&self.rows) {
            let height = row.iter().map(|c| c.lines().count()).max().unwrap_or(1).max(1);
            for line in 0..height {
                let cell =
                    |(cell, &width): (&String, &usize)| format!("{:<width$}", cell.lines().nth(line).unwrap_or(""));
                let cells: Vec<String> = row.iter().zip(&widths).map(cell).collect();
                writeln!(f, "{}", cells.join("  ").trim_end())?;
            }
        }
        Ok(())
    }
}
