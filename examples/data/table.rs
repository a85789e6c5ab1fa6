//! Small tables of numbers: one heading line, then one row a line.

use wengert::Array;

/// `f64[16, 7]`: employment, then the six variables that are to explain it, the year last.
pub fn longley() -> Array {
    table(include_str!("longley.txt"))
}

/// `f64[24, 4]`: year, production, labour, capital.
pub fn cobb_douglas() -> Array {
    table(include_str!("cobb_douglas.txt"))
}

fn table(text: &str) -> Array {
    let rows: Vec<&str> = text.lines().skip(1).collect();
    let numbers: Vec<f64> =
        rows.iter().flat_map(|row| row.split_whitespace()).map(|n| n.parse().expect("a table holds numbers")).collect();
    let columns = numbers.len() / rows.len();
    Array::from(numbers).reshape([rows.len(), columns])
}
