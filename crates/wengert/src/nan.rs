//! `find_nan`: the operation that made the first NaN, forward or backward.

use crate::gradient::grad;
use crate::traced::Function;
use crate::user_source::Files;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use wengert_core::interpret::observe;
use wengert_core::program::Equation;
use wengert_core::refusal::refuse;
use wengert_core::source::{Source, UserCall};
use wengert_core::value::{ArrayValue, Value};
use wengert_core::{Array, Program, Tree, Type, tree};
use wengert_kernel::{DType, ScalarOp};

/// Which sweep made it.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::Sweep;
///
/// assert_eq!(find_nan(|x: Array| x.log(), (-1.0).into()).unwrap().sweep, Sweep::Forward);
/// assert_eq!(find_nan(|x: Array| x.square().sqrt(), 0.0.into()).unwrap().sweep, Sweep::Backward);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sweep {
    /// The function itself.
    Forward,
    /// Its gradient.
    Backward,
}

/// Where a NaN, or an infinity if there is no NaN, came from.
///
/// ```
/// use wengert::prelude::*;
///
/// let report = find_nan(|x: Array| x.log().sum(), array![1.0, -1.0]).unwrap();
/// println!("{report}");
/// assert_eq!((report.operation.as_str(), report.element, report.is_nan), ("log", 1, true));
/// ```
#[derive(Clone, Debug)]
pub struct NanReport {
    /// The sweep.
    pub sweep: Sweep,
    /// Whether it is a NaN; else it is an infinity.
    pub is_nan: bool,
    /// The operation that made it, of operands that had none.
    pub operation: String,
    /// The user's line; in the backward sweep that of the operation whose derivative it is.
    pub source: Source,
    /// That line, when the file can be read.
    pub code: Option<String>,
    /// The element of the result, in row-major order.
    pub element: usize,
    /// The operands' elements there, or the whole operands of an operation that is not elementwise.
    pub operands: Vec<String>,
    /// Where the infinity among the operands came from, when there is one.
    pub infinity: Option<(String, Source)>,
    /// The lines that the value went through, from the one that made it to the result.
    pub path: Vec<Source>,
    /// What to do.
    pub advice: String,
    lines: Vec<Option<String>>,
}

/// Looks for the operation that makes the first NaN (or, if there is none, the first infinity) in `f` at `x` or, where `f`
/// gives a float scalar, in its gradient. `None` when all numbers are finite.
///
/// The function is interpreted, so this is slow. What is in `x` already is not reported.
///
/// ```
/// use wengert::prelude::*;
///
/// // The gradient of a `select` sees both sides: log has the slope 1/0 there, and 0 times infinity is NaN.
/// let f = |x: Array| x.gt(0.0).select(x.log(), 0.0).sum();
/// let report = find_nan(f, Array::from([1.0, 0.0])).unwrap();
/// println!("{report}");
/// assert_eq!((report.sweep, report.operation.as_str()), (wengert::Sweep::Backward, "mul"));
/// assert!(report.advice.contains("select"));
/// assert!(find_nan(f, Array::from([1.0, 2.0])).is_none());
/// ```
#[track_caller]
pub fn find_nan<A: Tree + Clone>(f: impl Fn(A) -> Array, x: A) -> Option<NanReport> {
    let call = UserCall::here("find_nan");
    let _called = call.enter();
    let function = Function::<A, Array>::trace(&f, x.clone());
    if function.operands().iter().any(Array::is_traced) {
        refuse("it looks at values, which are not known while tracing; call it outside of `jit`", &[]);
    }
    let real = function.result == tree::Kind::Real;
    let scalar = real
        && matches!(
            function.program.output_types().next(),
            Some(Type::Array(a)) if a.rank() == 0 && a.dtype.is_float()
        );
    let forward = Run::of(&function.program, &function.operands());
    let backward = || {
        let differentiable = scalar && function.float_leaves().contains(&true);
        let gradient = differentiable.then(|| Function::<A, A>::trace(grad(&f), x.clone()))?;
        Some(Run::of(&gradient.program, &gradient.operands()))
    };
    if let Some(maker) = forward.nan.clone() {
        return Some(report(Sweep::Forward, &maker, &forward, &function.program));
    }
    let backward = backward();
    if let Some(run) = &backward
        && let Some(maker) = &run.nan
    {
        return Some(report(Sweep::Backward, maker, run, &function.program));
    }
    let infinity = forward.infinities.first().map(|maker| (Sweep::Forward, maker, &forward));
    let infinity = infinity.or_else(|| {
        let run = backward.as_ref()?;
        run.infinities.first().map(|maker| (Sweep::Backward, maker, run))
    });
    infinity.map(|(sweep, maker, run)| report(sweep, maker, run, &function.program))
}

/// An equation that made something of operands that had nothing of the kind.
#[derive(Clone)]
struct Maker {
    operation: String,
    source: Source,
    is_nan: bool,
    element: usize,
    operands: Vec<String>,
    /// An operand is zero there, another one infinite.
    zero_times_infinity: bool,
}

/// What was seen in a run.
#[derive(Default)]
struct Run {
    nan: Option<Maker>,
    infinities: Vec<Maker>,
    /// Lines of equations with a NaN in the result, in the order in which they ran.
    tainted: Vec<Source>,
}

impl Run {
    fn of(program: &Arc<Program>, operands: &[Array]) -> Run {
        let run = Rc::new(RefCell::new(Run::default()));
        let seen = run.clone();
        let values = operands.iter().map(|x| x.value("looking for NaN")).collect::<Result<Vec<Value>, _>>();
        let observer = move |e: &Equation, x: &[Value], y: &[Value]| seen.borrow_mut().see(e, x, y);
        // A failed check ends the run; what was seen until then stays.
        _ = values.and_then(|values| observe(program, values, Rc::new(observer)));
        run.take()
    }

    fn see(&mut self, e: &Equation, x: &[Value], y: &[Value]) {
        let is_nan = |x: f64| x.is_nan();
        let is_infinite = |x: f64| x.is_infinite();
        if let Some(element) = y.iter().find_map(|y| position(y, is_nan)) {
            self.tainted.push(e.source.clone());
            if self.nan.is_none() && !x.iter().any(|x| position(x, is_nan).is_some()) {
                self.nan = Some(Maker::new(e, x, y, element, true));
            }
        } else if let Some(element) = y.iter().find_map(|y| position(y, is_infinite)) {
            // A literal infinity is wanted.
            if !e.args.is_empty() && !x.iter().any(|x| position(x, is_infinite).is_some()) {
                self.infinities.push(Maker::new(e, x, y, element, false));
            }
        }
    }
}

impl Maker {
    fn new(e: &Equation, x: &[Value], y: &[Value], element: usize, is_nan: bool) -> Maker {
        let size = |v: &Value| match v {
            Value::Array(a) => a.size(),
            Value::List(_) => 0,
        };
        let elementwise = y.len() == 1 && x.iter().all(|x| size(x) == size(&y[0]));
        let show = |v: &Value| match v {
            Value::Array(a) if elementwise => a.get(element).to_string(),
            Value::Array(a) if a.size() <= 8 => Array::from_value(v.clone()).to_string().replace('\n', " "),
            _ => v.ty().to_string(),
        };
        let at = |v: &Value| if elementwise { number(v, element) } else { None };
        let any = |test: fn(f64) -> bool| x.iter().filter_map(at).any(test);
        Maker {
            operation: e.op.name().to_owned(),
            source: e.source.clone(),
            is_nan,
            element,
            operands: x.iter().map(show).collect(),
            zero_times_infinity: e.op.name() == "mul" && any(|x| x == 0.0) && any(f64::is_infinite),
        }
    }
}

/// An element of a float array.
fn number(v: &Value, element: usize) -> Option<f64> {
    match v {
        Value::Array(a) if a.dtype().is_float() && element < a.size() => Some(as_f64(a, element)),
        _ => None,
    }
}

fn as_f64(a: &ArrayValue, element: usize) -> f64 {
    f64::from_bits(ScalarOp::Convert(DType::F64).eval(&[a.get(element)]).bits)
}

/// The first element of a value for which the test holds; in a list the first of the first such row.
fn position(v: &Value, test: fn(f64) -> bool) -> Option<usize> {
    match v {
        Value::Array(a) => match a.dtype() {
            DType::F64 => a.slice::<f64>().iter().position(|&x| test(x)),
            DType::F32 => a.slice::<f32>().iter().position(|&x| test(x.into())),
            half if half.is_half() => (0..a.size()).find(|&i| test(as_f64(a, i))),
            _ => None,
        },
        Value::List(l) => l.rows.iter().find_map(|row| position(row, test)),
    }
}

fn report(sweep: Sweep, maker: &Maker, run: &Run, function: &Program) -> NanReport {
    let infinite = maker.operands.iter().any(|x| x == "inf" || x == "-inf");
    let infinity = run.infinities.iter().rfind(|_| maker.is_nan && infinite);
    let mut seen = HashSet::new();
    let lines = [maker.source.clone()].into_iter().chain(run.tainted.iter().cloned());
    let path: Vec<Source> = lines.filter(|source| seen.insert(source.to_string())).take(12).collect();
    // Whether the result of the line goes into a `select`: then its other side is taken where this is not finite.
    let behind = |source: &Source| reaches_select(function, source);
    let selected = behind(&maker.source).or_else(|| infinity.and_then(|i| behind(&i.source)));
    let advice = match (sweep, maker.zero_times_infinity, selected) {
        (Sweep::Backward, true, Some(select)) => format!(
            "the `select` at {select} sends the cotangent 0 to the side that it does not take, and the derivative of that side is infinite here: 0 times infinity. Use `cond`, or `select` a harmless operand before the operation as well: `mask.select(x, 1.0).log()`"
        ),
        (_, true, _) => "0 times infinity: a factor is infinite where the other one is 0".to_owned(),
        (Sweep::Backward, ..) => {
            format!("the derivative of `{}`'s line is not finite at these operands", maker.operation)
        }
        (Sweep::Forward, ..) => {
            format!(
                "`{}` is not finite at these operands; keep them in its domain, with `maximum`, `select` or a `check`",
                maker.operation
            )
        }
    };
    let mut files = Files::default();
    NanReport {
        sweep,
        is_nan: maker.is_nan,
        operation: maker.operation.clone(),
        code: files.line(&maker.source),
        source: maker.source.clone(),
        element: maker.element,
        operands: maker.operands.clone(),
        infinity: infinity.map(|i| (i.operation.clone(), i.source.clone())),
        lines: path.iter().map(|source| files.line(source)).collect(),
        path,
        advice,
    }
}

/// The first `select` that reads, directly or not, what an equation of this line makes.
fn reaches_select(program: &Program, source: &Source) -> Option<Source> {
    let mut reached = vec![false; program.vars()];
    for e in program.equations() {
        let reads = e.args.iter().any(|a| reached[a.index()]);
        if reads && e.op.name() == "select" {
            return Some(e.source.clone());
        }
        if reads || e.source == *source {
            e.results().for_each(|v| reached[v.index()] = true);
        }
    }
    None
}

/// The report in sentences.
impl fmt::Display for NanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_nan { "NaN" } else { "infinity" };
        let sweep = match self.sweep {
            Sweep::Forward => "the function",
            Sweep::Backward => "the gradient",
        };
        write!(f, "the first {what} in {sweep} is made by `{}` at {}", self.operation, self.source)?;
        if let Some(code) = &self.code {
            write!(f, "\n    {code}")?;
        }
        write!(f, "\n  element {} of the result, operands {}", self.element, self.operands.join(", "))?;
        if let Some((operation, source)) = &self.infinity {
            write!(f, "\n  the infinity comes from `{operation}` at {source}")?;
        }
        for (source, line) in self.path.iter().zip(&self.lines).skip(1) {
            write!(f, "\n  then through {source}{}", line.as_ref().map_or(String::new(), |l| format!("  {l}")))?;
        }
        write!(f, "\n  {}", self.advice)
    }
}
