//! Routines as text, one statement a line; [`Routine::parse`] reads it back.
//!
//! ```text
//! routine arena 64
//! buffer b0: f64[10] input 0
//! buffer b1: f64[1] output 0
//! buffer b2: f64[8] arena 0
//!
//! function f0 "main" () {
//!   pass %0 in 0..10 {
//!     %1: f64 = load b0[%0]
//!     %2: f64 = mul %1, %1
//!   } fold add %2 -> %3: f64
//!   store b1[0] = %3
//! }
//! ```

use crate::routine::{
    Affine, Block, BufferId, Carried, Count, Function, FunctionId, Order, Routine, Span, Stmt, Storage, Value,
};
use crate::scalar::ScalarOp;
use std::fmt::{self, Arguments, Display, Formatter, Write};

/// Notes are aligned at this column where the line is not longer.
const NOTE_COLUMN: usize = 56;

impl Routine {
    /// The text with a note behind each statement whose origin has one. It does not parse.
    ///
    /// ```
    /// use wengert_kernel::routine::{Routine, Value};
    ///
    /// let mut routine = Routine::parse("routine arena 0  function f0 \"main\" () { %0: i64 = index 7 }").unwrap();
    /// routine.functions[0].set_origin(Value(0), 3);
    /// let text = routine.annotated(&|origin| Some(format!("line {origin}")));
    /// assert!(text.lines().any(|line| line.starts_with("  %0: i64 = index 7 ") && line.ends_with(" # line 3")));
    /// ```
    pub fn annotated(&self, note: &dyn Fn(u32) -> Option<String>) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.print(&mut text, Some(note));
        text
    }

    fn print(&self, f: &mut dyn Write, note: Option<&dyn Fn(u32) -> Option<String>>) -> fmt::Result {
        write!(f, "routine arena {}", self.arena)?;
        if self.local > 0 {
            write!(f, " local {}", self.local)?;
        }
        writeln!(f)?;
        for (i, buffer) in self.buffers.iter().enumerate() {
            writeln!(f, "buffer b{i}: {}[{}] {}", buffer.dtype, buffer.len, buffer.storage)?;
        }
        for (i, function) in self.functions.iter().enumerate() {
            let params = Defs(function, &function.params);
            let buffers = List(&function.buffer_params);
            let sep = if function.buffer_params.is_empty() { "" } else { "; " };
            writeln!(f, "\nfunction f{i} {:?} ({params}{sep}{buffers}) {{", function.name)?;
            let mut printer = Printer { out: f, function, depth: 1, note, at: None };
            let spare = spare_values(function);
            if !spare.is_empty() {
                printer.line(format_args!("spare {}", Defs(function, &spare)))?;
            }
            printer.block(&function.body)?;
            writeln!(f, "}}")?;
        }
        Ok(())
    }
}

impl Display for Routine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.print(f, None)
    }
}

impl Display for Storage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Storage::Input(i) => write!(f, "input {i}"),
            Storage::Output(i) => write!(f, "output {i}"),
            Storage::Arena(at) => write!(f, "arena {at}"),
            Storage::Local(at) => write!(f, "local {at}"),
            Storage::Growable => write!(f, "growable"),
            Storage::Param(i) => write!(f, "param {i}"),
        }
    }
}

impl Display for Order {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Order::Forward => Ok(()),
            Order::Reverse => write!(f, " reverse"),
            Order::Parallel { grain } => write!(f, " parallel {grain}"),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl Display for BufferId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

impl Display for FunctionId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
}

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Count::Const(n) => write!(f, "{n}"),
            Count::Value(v) => write!(f, "{v}"),
        }
    }
}

/// `%1 + 4*%2 - 8`.
impl Display for Affine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return write!(f, "{}", self.offset);
        }
        let sign = |first: bool, negative: bool| match (first, negative) {
            (true, true) => "-",
            (true, false) => "",
            (false, true) => " - ",
            (false, false) => " + ",
        };
        for (i, &(value, coefficient)) in self.terms.iter().enumerate() {
            f.write_str(sign(i == 0, coefficient < 0))?;
            match coefficient.unsigned_abs() {
                1 => write!(f, "{value}")?,
                n => write!(f, "{n}*{value}")?,
            }
        }
        match self.offset {
            0 => Ok(()),
            n => write!(f, "{}{}", sign(false, n < 0), n.unsigned_abs()),
        }
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}; {}]", self.buffer, self.at, self.len)
    }
}

/// A statement of a function as its first line of text, for messages.
pub(crate) fn first_line(function: &Function, stmt: &Stmt) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = Printer { out: &mut text, function, depth: 0, note: None, at: None }.stmt(stmt);
    text.lines().next().unwrap_or_default().to_string()
}

/// Values of the function that no statement defines: they keep their dtype in the text.
fn spare_values(function: &Function) -> Vec<Value> {
    let mut defined = vec![false; function.types.len()];
    let mut define = |value: Value| {
        if let Some(defined) = defined.get_mut(value.0 as usize) {
            *defined = true;
        }
    };
    function.params.iter().copied().for_each(&mut define);
    function.body.for_each_definition(&mut define);
    (0..defined.len()).filter(|&i| !defined[i]).map(|i| Value(i as u32)).collect()
}

/// Things with commas between.
struct List<'a, T>(&'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, x) in self.0.iter().enumerate() {
            write!(f, "{}{x}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A value where it is defined: with its dtype.
struct Def<'a>(&'a Function, Value);

impl Display for Def<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Def(function, value) = *self;
        match function.types.get(value.0 as usize) {
            Some(dtype) => write!(f, "{value}: {dtype}"),
            None => write!(f, "{value}: ?"),
        }
    }
}

/// Several values where they are defined.
struct Defs<'a>(&'a Function, &'a [Value]);

impl Display for Defs<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let defs: Vec<Def> = self.1.iter().map(|&v| Def(self.0, v)).collect();
        List(&defs).fmt(f)
    }
}

/// `%1: f64, %2: f64 = `, or nothing.
struct Results<'a>(&'a Function, &'a [Value]);

impl Display for Results<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.1.is_empty() { Ok(()) } else { write!(f, "{} = ", Defs(self.0, self.1)) }
    }
}

/// ` carry (%1: f64 = %0)`, or nothing.
struct Carry<'a>(&'a Function, &'a [Carried]);

impl Display for Carry<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.1.is_empty() {
            return Ok(());
        }
        f.write_str(" carry (")?;
        for (i, carried) in self.1.iter().enumerate() {
            write!(f, "{}{} = {}", if i == 0 { "" } else { ", " }, Def(self.0, carried.param), carried.init)?;
        }
        f.write_str(")")
    }
}

struct Printer<'a, 'w> {
    out: &'w mut dyn Write,
    function: &'a Function,
    depth: usize,
    note: Option<&'a dyn Fn(u32) -> Option<String>>,
    /// The origin of the statement whose first line comes next.
    at: Option<u32>,
}

impl Printer<'_, '_> {
    fn line(&mut self, text: Arguments<'_>) -> fmt::Result {
        let indent = 2 * self.depth;
        match self.at.take().zip(self.note).and_then(|(origin, note)| note(origin)) {
            Some(note) => {
                let text = format!("{:indent$}{text}", "");
                writeln!(self.out, "{text:<NOTE_COLUMN$} # {note}")
            }
            None => writeln!(self.out, "{:indent$}{text}", ""),
        }
    }

    fn block(&mut self, block: &Block) -> fmt::Result {
        self.stmts(&block.stmts)?;
        if block.yields.is_empty() { Ok(()) } else { self.line(format_args!("yield {}", List(&block.yields))) }
    }

    fn stmts(&mut self, stmts: &[Stmt]) -> fmt::Result {
        stmts.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    fn inside(&mut self, block: &Block) -> fmt::Result {
        self.depth += 1;
        self.block(block)?;
        self.depth -= 1;
        Ok(())
    }

    fn stmt(&mut self, stmt: &Stmt) -> fmt::Result {
        let function = self.function;
        let def = |value: &Value| Def(function, *value);
        self.at = function.origin_of(stmt);
        match stmt {
            Stmt::Const { out, value } => self.line(format_args!("{} = const {value}", def(out))),
            Stmt::Let { out, op, args } => match op {
                ScalarOp::Bitcast(to) => self.line(format_args!("{} = bitcast {to} {}", def(out), List(args))),
                ScalarOp::Convert(to) => self.line(format_args!("{} = convert {to} {}", def(out), List(args))),
                _ => self.line(format_args!("{} = {} {}", def(out), op.name(), List(args))),
            },
            Stmt::Index { out, at } => self.line(format_args!("{} = index {at}", def(out))),
            Stmt::Load { out, buffer, at } => self.line(format_args!("{} = load {buffer}[{at}]", def(out))),
            Stmt::Store { buffer, at, value } => self.line(format_args!("store {buffer}[{at}] = {value}")),
            Stmt::For { index, count, order, carried, body, results } => {
                let (results, carry) = (Results(function, results), Carry(function, carried));
                self.line(format_args!("{results}for {index} in 0..{count}{order}{carry} {{"))?;
                self.inside(body)?;
                self.line(format_args!("}}"))
            }
            Stmt::Pass { index, count, body, folds } => {
                self.line(format_args!("pass {index} in 0..{count} {{"))?;
                self.depth += 1;
                self.stmts(body)?;
                self.depth -= 1;
                let folds: Vec<String> =
                    folds.iter().map(|f| format!("{} {} -> {}", f.op, f.item, def(&f.result))).collect();
                let fold = if folds.is_empty() { "" } else { " fold " };
                self.line(format_args!("}}{fold}{}", List(&folds)))
            }
            Stmt::While { carried, test, body, results } => {
                let (results, carry) = (Results(function, results), Carry(function, carried));
                self.line(format_args!("{results}while{carry} test {{"))?;
                self.inside(test)?;
                self.line(format_args!("}} do {{"))?;
                self.inside(body)?;
                self.line(format_args!("}}"))
            }
            Stmt::If { cond, then, otherwise, results } => {
                self.line(format_args!("{}if {cond} {{", Results(function, results)))?;
                self.inside(then)?;
                self.line(format_args!("}} else {{"))?;
                self.inside(otherwise)?;
                self.line(format_args!("}}"))
            }
            Stmt::Fill { buffer, at, len, value } => self.line(format_args!("fill {buffer}[{at}; {len}] = {value}")),
            Stmt::Copy { to, to_at, from, from_at, len } => {
                self.line(format_args!("copy {to}[{to_at}; {len}] = {from}[{from_at}]"))
            }
            Stmt::Reserve { buffer, len } => self.line(format_args!("reserve {buffer}, {len}")),
            Stmt::Call { function: callee, args, buffers, results } => {
                let sep = if buffers.is_empty() { "" } else { "; " };
                let (results, args, buffers) = (Results(function, results), List(args), List(buffers));
                self.line(format_args!("{results}call {callee}({args}{sep}{buffers})"))
            }
            Stmt::Runtime { name, ints, inputs, outputs } => {
                let (ints, inputs, outputs) = (List(ints), List(inputs), List(outputs));
                self.line(format_args!("runtime {name:?} ({ints}; {inputs} -> {outputs})"))
            }
            Stmt::Fail { when, check, lane } => self.line(format_args!("fail {when} check {check} lane {lane}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn indices_read_like_formulas() {
        let (x, y) = (Value(1), Value(2));
        let of = |offset| Affine::constant(offset);
        assert_eq!(of(0).to_string(), "0");
        assert_eq!(of(-3).to_string(), "-3");
        assert_eq!(of(8).plus(x, 1).plus(y, 4).to_string(), "%1 + 4*%2 + 8");
        assert_eq!(of(-8).plus(x, -1).plus(y, -4).to_string(), "-%1 - 4*%2 - 8");
        assert_eq!(of(i64::MIN).plus(x, i64::MIN).to_string(), format!("-{0}*%1 - {0}", 1u64 << 63));
    }

    /// The text of the whole language, as people see it.
    #[test]
    fn every_statement_in_print() {
        let text = r#"routine arena 192
buffer b0: f64[100] input 0
buffer b1: f64[100] output 0
buffer b2: f64[16] arena 64
buffer b3: f64[0] growable
buffer b4: f64[0] param 0

function f0 "push" (%0: i64, %1: f64; b4) {
  %2: i64 = index %0 + 1
  reserve b4, %2
  store b4[%0] = %1
  yield %2
}

function f1 "main" () {
  spare %30: u8
  %0: i64 = const 0
  %1: f64 = const -2.5
  %2: bool = is_finite %1
  fail %2 check 3 lane %0
  %3: i64 = call f0(%0, %1; b3)
  fill b2[0; 16] = %1
  copy b2[%0 + 8; %3] = b0[%0]
  pass %4 in 0..100 {
    %5: f64 = load b0[%4]
    %6: f64 = fma %5, %5, %1
    store b1[%4] = %6
  } fold add %5 -> %7: f64, max %6 -> %8: f64
  %9: f64, %10: i64 = for %11 in 0..%3 reverse carry (%12: f64 = %7, %13: i64 = %0) {
    %14: i64 = convert i64 %12
    yield %8, %14
  }
  %15: f64 = while carry (%16: f64 = %9) test {
    %17: bool = lt %16, %1
    yield %17
  } do {
    %18: f64 = add %16, %9
    yield %18
  }
  %19: f64 = if %2 {
    yield %15
  } else {
    yield %9
  }
  for %20 in 0..4 {
    runtime "gemm" (2, -8; b0[4*%20; 4], b0[0; 8] -> b2[0; 8])
  }
}
"#;
        let text = text.replace("%30", "%21");
        let routine = Routine::parse(&text).unwrap();
        assert_eq!(routine.to_string(), text);
        assert_eq!(crate::verify::verify(&routine), Ok(()));
    }

    #[test]
    fn broken_routines_print_too() {
        let out = Value(7);
        let body = Block { stmts: vec![Stmt::Index { out, at: Affine::value(Value(9)) }], yields: vec![] };
        let function = Function { name: "f".into(), types: vec![DType::Bool], body, ..Function::default() };
        let routine = Routine { functions: vec![function], ..Routine::default() };
        assert!(routine.to_string().contains("%7: ? = index %9"));
        assert!(crate::verify::verify(&routine).is_err());
    }
}
