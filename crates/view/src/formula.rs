//! Programs as formulas.

use crate::graph::number;
use wengert_core::Program;
use wengert_core::primitive::Lowering;
use wengert_core::program::{Equation, Var};

/// Longer formulas are cut.
const LONGEST: usize = 160;

/// How tightly an operation binds its operands.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Binding {
    Sum,
    Product,
    Sign,
    Power,
    Whole,
}

/// An output of a program as a formula of its inputs, which have these names. Broadcasts, reshapes and conversions are
/// left out, a formula of more than 160 letters is cut.
///
/// ```
/// use wengert_core::program::parse;
/// use wengert_view::formula;
///
/// let program = parse("program (%0: f64[], %1: f64[]) {
///   %2: f64[] = add %0 %1
///   %3: f64[] = sin %2
///   %4: f64[] = mul %2 %3
///   return %4
/// }")?;
/// assert_eq!(formula(&program, 0, &["x".to_owned(), "y".to_owned()]), "(x + y) * sin(x + y)");
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn formula(program: &Program, output: usize, names: &[String]) -> String {
    let mut texts: Vec<(String, Binding)> = names.iter().map(|n| (n.clone(), Binding::Whole)).collect();
    texts.resize(program.vars(), (String::new(), Binding::Whole));
    for e in program.equations() {
        let text = equation(e, &|v: Var| texts[v.index()].clone());
        let cut = (text.0.chars().count() > LONGEST).then(|| (format!("[{}]", e.op.name()), Binding::Whole));
        for (k, v) in e.results().enumerate() {
            let (text, binding) = cut.clone().unwrap_or_else(|| text.clone());
            texts[v.index()] = if e.count > 1 { (format!("{text}.{k}"), Binding::Whole) } else { (text, binding) };
        }
    }
    texts[program.outputs()[output].index()].0.clone()
}

fn equation(e: &Equation, text: &dyn Fn(Var) -> (String, Binding)) -> (String, Binding) {
    use Binding::{Power, Product, Sign, Sum, Whole};
    let within = |i: usize, least: Binding| {
        let (text, binding) = text(e.args[i]);
        if binding < least { format!("({text})") } else { text }
    };
    if let Lowering::Literal(value) = e.op.lower() {
        let text = number(value);
        return if text.starts_with('-') { (text, Sign) } else { (text, Whole) };
    }
    match (e.op.name(), e.args.len()) {
        ("broadcast" | "reshape" | "convert" | "rows" | "stack", 1) => text(e.args[0]),
        ("add", 2) => (format!("{} + {}", within(0, Sum), within(1, Sum)), Sum),
        ("sub", 2) => (format!("{} - {}", within(0, Sum), within(1, Product)), Sum),
        ("mul", 2) if e.args[0] == e.args[1] => (format!("{}²", within(0, Whole)), Power),
        ("mul", 2) => (format!("{} * {}", within(0, Product), within(1, Product)), Product),
        ("div", 2) => (format!("{} / {}", within(0, Product), within(1, Sign)), Product),
        ("pow", 2) => (format!("{}^{}", within(0, Whole), within(1, Power)), Power),
        ("neg", 1) => (format!("-{}", within(0, Sign)), Sign),
        ("gt" | "lt" | "ge" | "le" | "eq" | "ne", 2) => {
            let sign = match e.op.name() {
                "gt" => ">",
                "lt" => "<",
                "ge" => "≥",
                "le" => "≤",
                "eq" => "=",
                _ => "≠",
            };
            (format!("({} {sign} {})", within(0, Sum), within(1, Sum)), Whole)
        }
        (name, n) => {
            let args: Vec<String> = (0..n).map(|i| text(e.args[i]).0).collect();
            (format!("{name}({})", args.join(", ")), Whole)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_core::program::parse;

    #[test]
    fn brackets_stand_where_they_are_needed() {
        let of = |body: &str| {
            let text = format!("program (%0: f64[], %1: f64[]) {{\n{body}\n}}");
            formula(&parse(&text).unwrap(), 0, &["a".to_owned(), "b".to_owned()])
        };
        let difference = "%2: f64[] = sub %0 %1\n";
        assert_eq!(of(&format!("{difference}%3: f64[] = sub %0 %2\nreturn %3")), "a - (a - b)");
        assert_eq!(of(&format!("{difference}%3: f64[] = sub %2 %0\nreturn %3")), "a - b - a");
        assert_eq!(of(&format!("{difference}%3: f64[] = div %0 %2\nreturn %3")), "a / (a - b)");
        assert_eq!(of(&format!("{difference}%3: f64[] = neg %2\nreturn %3")), "-(a - b)");
        assert_eq!(of(&format!("{difference}%3: f64[] = mul %2 %2\nreturn %3")), "(a - b)²");
        assert_eq!(of("%2: f64[] = literal[value=-2.5f64]\n%3: f64[] = pow %0 %2\nreturn %3"), "a^(-2.5)");
        let product = "%2: f64[] = mul %0 %1\n";
        assert_eq!(of(&format!("{product}%3: f64[] = div %0 %2\nreturn %3")), "a / (a * b)");
        let mut long = String::new();
        for k in 2..40 {
            long += &format!("%{k}: f64[] = sin %{}\n", if k == 2 { 0 } else { k - 1 });
        }
        assert!(
            of(&format!("{long}return %39")).contains("sin([sin])")
                || of(&format!("{long}return %39")).contains("[sin]")
        );
    }
}
