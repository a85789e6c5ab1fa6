//! `explain`: the evaluation trace of a function and its derivatives, step by step.

use crate::gradient::{jvp, vjp};
use crate::graph::input_names;
use crate::traced::Function;
use crate::user_source::Files;
use std::fmt;
use wengert_core::array::{ones_like, zeros_like};
use wengert_core::primitive::Lowering;
use wengert_core::program::{Equation, Var, simplify};
use wengert_core::refusal::refuse;
use wengert_core::source::{Source, UserCall};
use wengert_core::trace::{concrete, record, trace_closed};
use wengert_core::{Array, Program, Tree, Type, tree};
use wengert_view::{Graph, Table, escape, formula};

/// One line of an evaluation trace: an input, or the result of one operation.
///
/// ```
/// use wengert::prelude::*;
///
/// let trace = explain(|(x, y): (Array, Array)| (x * y).sin(), (2.0.into(), 3.0.into()));
/// let product = &trace.steps[2];
/// assert_eq!((product.name.as_str(), product.expression.as_str()), ("v1", "x * y"));
/// assert_eq!(product.value, 6.0.into());
/// assert_eq!(product.tangents, [Some(3.0.into()), Some(2.0.into())]);
/// ```
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is called in other lines: `x`, `y`, `x.w` of inputs, `c1`, ... of captured arrays, `v1`, ... of results.
    pub name: String,
    /// What it is in terms of earlier lines, such as `v1 * sin(x)`; empty for inputs.
    pub expression: String,
    /// Where in the user's code it stands; `None` for inputs.
    pub source: Option<Source>,
    /// That line, when the file can be read.
    pub code: Option<String>,
    /// The value.
    pub value: Array,
    /// Derivatives by the operands.
    pub partials: Vec<Partial>,
    /// The tangent in the forward sweep of each input, by [`Explanation::directions`]; `None` for what is no float.
    pub tangents: Vec<Option<Array>>,
    /// The adjoint in the backward sweep: the derivative of the result by this value.
    pub adjoint: Option<Array>,
}

/// The derivative of a step by one of its operands.
///
/// ```
/// use wengert::prelude::*;
///
/// let trace = explain(|(x, y): (Array, Array)| (x * y).sin(), (2.0.into(), 3.0.into()));
/// let by_x = &trace.steps[2].partials[0];
/// assert_eq!((by_x.by.as_str(), by_x.formula.as_str()), ("x", "y"));
/// assert_eq!(by_x.value, Some(3.0.into()));
/// ```
#[derive(Clone, Debug)]
pub struct Partial {
    /// The operand.
    pub by: String,
    /// The derivative as a formula. Of an operation that is not elementwise it is the tangent of the step, given the
    /// operand's tangent `dx`, as in `reduce_sum(dx)`.
    pub formula: String,
    /// Its value, of elementwise operations.
    pub value: Option<Array>,
}

/// The evaluation trace of a function at a point, with both sweeps: a table by `{}`, [`Explanation::markdown`] or
/// [`Explanation::html`], data in [`Explanation::steps`], and a graph.
///
/// ```
/// use wengert::prelude::*;
///
/// let trace = explain(|(x, y): (Array, Array)| (x * y).sin(), (2.0.into(), 3.0.into()));
/// println!("{trace}");
/// assert_eq!(trace.directions, ["x", "y"]);
/// assert_eq!(trace.steps.len(), 4);
/// ```
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Inputs, then operations in order.
    pub steps: Vec<Step>,
    /// The float inputs: the forward sweep runs once for each, with the tangent 1 there and 0 at the others.
    pub directions: Vec<String>,
    /// The step that is the result, unless that is a number.
    pub result: Option<usize>,
    program: std::sync::Arc<Program>,
    /// The step of each variable, and of literals none.
    place: Vec<Option<usize>>,
}

/// The evaluation trace of `f` at `x`: what is computed step by step, with the local partial derivatives, the tangents of
/// the forward sweep and the adjoints of the backward sweep.
///
/// The forward sweep runs once for each float array of `x`, whose tangent is 1 (in every element), the others' 0. The
/// backward sweep starts from the adjoint 1 (in every element) of the result. The notation is that of Griewank and
/// Walther, *Evaluating Derivatives* (2008), chapters 2 and 3.
///
/// # Panics
/// As [`grad`](crate::grad) does when a shape or dtype does not fit; when it is called while a function is traced.
///
/// ```
/// use wengert::prelude::*;
///
/// let trace = explain(|(x, y): (Array, Array)| (&x + &y) * (&x - &y), (3.0.into(), 2.0.into()));
/// println!("{trace}");
/// let difference = &trace.steps[3];
/// assert_eq!(difference.expression, "x - y");
/// assert_eq!(difference.adjoint, Some(5.0.into()));
/// assert_eq!(trace.steps[0].adjoint, Some(6.0.into()));
/// ```
#[track_caller]
pub fn explain<A: Tree>(f: impl Fn(A) -> Array, x: A) -> Explanation {
    let call = UserCall::here("explain");
    let _called = call.enter();
    let function = Function::<A, Array>::trace(f, x);
    if function.operands().iter().any(Array::is_traced) {
        refuse("it shows values, which are not known while tracing; call it outside of `jit`", &[]);
    }
    if function.result == tree::Kind::Complex {
        refuse("the function returns complex numbers, which have two derivatives; take `.real()` or `.imag()`", &[]);
    }
    concrete(|| explained(&function))
}

fn explained<A: Tree>(function: &Function<A, Array>) -> Explanation {
    let program = function.program.clone();
    let operands = function.operands();
    let captures = function.captures.len();
    let names = Names::new(&program, input_names(function));
    let value = |env: &[Option<Array>], v: Var| env[v.index()].clone().expect("every variable has a value");
    let values = walk(&program, &operands, &mut |_, y| y);

    // Forward: the tangent of every float variable, for each float input.
    let is_float = |v: &Var| matches!(program.ty(*v), Type::Array(a) if a.dtype.is_float());
    let floats: Vec<Var> = names.shown.iter().copied().filter(is_float).collect();
    let directions: Vec<usize> = (captures..operands.len()).filter(|&i| is_float(&Var(i as u32))).collect();
    let all = |x: Vec<Array>| -> Vec<Array> {
        let env = walk(&program, &x, &mut |_, y| y);
        floats.iter().map(|&v| value(&env, v)).collect()
    };
    let pushed = |&i: &usize| {
        let tangent = |(k, x): (usize, &Array)| if k == i { ones_like(x) } else { zeros_like(x) };
        jvp(all)(operands.clone(), operands.iter().enumerate().map(tangent).collect()).1
    };
    let forward: Vec<Vec<Array>> = directions.iter().map(pushed).collect();

    // Backward: the derivatives by something that is added to each float variable.
    let output = program.outputs()[0];
    let mut position = vec![None; program.vars()];
    floats.iter().enumerate().for_each(|(i, v)| position[v.index()] = Some(i));
    let backward = is_float(&output).then(|| {
        let added = |eps: Vec<Array>| -> Array {
            let mut plus = |v: Var, y: Array| position[v.index()].map_or(y.clone(), |i| y + &eps[i]);
            let x: Vec<Array> = operands.iter().enumerate().map(|(i, x)| plus(Var(i as u32), x.clone())).collect();
            value(&walk(&program, &x, &mut plus), output)
        };
        let (y, pull) = vjp(added, floats.iter().map(|&v| zeros_like(&value(&values, v))).collect());
        pull(ones_like(&y))
    });

    let mut files = Files::default();
    let step = |&v: &Var| {
        let equation = names.equation(v);
        let float = position[v.index()];
        Step {
            name: names.of(v),
            expression: equation.map(|e| names.expression(e, v)).unwrap_or_default(),
            source: equation.map(|e| e.source.clone()),
            code: equation.and_then(|e| files.line(&e.source)),
            value: value(&values, v),
            partials: equation.filter(|_| float.is_some()).map_or(Vec::new(), |e| names.partials(e, &values)),
            tangents: forward.iter().map(|t| float.map(|i| t[i].clone())).collect(),
            adjoint: backward.as_ref().and_then(|b| float.map(|i| b[i].clone())),
        }
    };
    let steps: Vec<Step> = names.shown.iter().map(step).collect();
    let mut place = vec![None; program.vars()];
    names.shown.iter().enumerate().for_each(|(i, v)| place[v.index()] = Some(i));
    let directions = directions.into_iter().map(|i| names.of(Var(i as u32))).collect();
    let result = place[output.index()];
    Explanation { steps, directions, result, place, program: program.clone() }
}

/// All variables of a program run on these inputs, each result changed by `change`.
fn walk(program: &Program, inputs: &[Array], change: &mut dyn FnMut(Var, Array) -> Array) -> Vec<Option<Array>> {
    let mut env: Vec<Option<Array>> = inputs.iter().cloned().map(Some).collect();
    env.resize(program.vars(), None);
    for e in program.equations() {
        let x: Vec<&Array> = e.args.iter().map(|a| env[a.index()].as_ref().expect("defined before use")).collect();
        for (v, y) in e.results().zip(record(e.op.clone(), &x)) {
            env[v.index()] = Some(change(v, y));
        }
    }
    env
}

/// What variables are called, and which are lines of the table.
struct Names<'a> {
    program: &'a Program,
    /// Inputs and results, but no lists, literals, nor what only repeats or reshapes literals.
    shown: Vec<Var>,
    /// By variable, of those that are shown.
    name: Vec<Option<String>>,
    /// By variable, the number of the equation.
    made_by: Vec<Option<usize>>,
}

impl<'a> Names<'a> {
    fn new(program: &'a Program, inputs: Vec<String>) -> Self {
        let shown = (0..inputs.len()).map(|i| Var(i as u32)).collect();
        let first = inputs.len();
        let mut name: Vec<Option<String>> = inputs.into_iter().map(Some).collect();
        name.resize(program.vars(), None);
        let mut names = Names { program, shown, name, made_by: vec![None; program.vars()] };
        for (k, e) in program.equations().iter().enumerate() {
            let silent = match e.op.lower() {
                Lowering::Literal(_) => true,
                Lowering::View(_) | Lowering::Reshape => names.name[e.args[0].index()].is_none(),
                _ => false,
            };
            for v in e.results() {
                names.made_by[v.index()] = Some(k);
                if !silent && !program.ty(v).is_list() {
                    names.shown.push(v);
                    names.name[v.index()] = Some(format!("v{}", names.shown.len() - first));
                }
            }
        }
        names
    }

    fn equation(&self, v: Var) -> Option<&'a Equation> {
        self.made_by[v.index()].map(|k| &self.program.equations()[k])
    }

    /// The name, or of a literal the number.
    fn of(&self, v: Var) -> String {
        match (&self.name[v.index()], self.equation(v)) {
            (Some(name), _) => name.clone(),
            (None, Some(e)) => self.expression(e, v),
            (None, None) => format!("%{}", v.0),
        }
    }

    /// A result in terms of the equation's operands.
    fn expression(&self, e: &Equation, v: Var) -> String {
        let names: Vec<String> = e.args.iter().map(|&a| self.of(a)).collect();
        let alone = trace_closed(&self.types(e), |x| record(e.op.clone(), &x.iter().collect::<Vec<_>>()));
        formula(&alone, (v.0 - e.first.0) as usize, &names)
    }

    fn types(&self, e: &Equation) -> Vec<Type> {
        e.args.iter().map(|a| self.program.ty(*a).clone()).collect()
    }

    /// The derivatives of an equation by its float operands that are no literals.
    fn partials(&self, e: &Equation, values: &[Option<Array>]) -> Vec<Partial> {
        let elementwise = matches!(e.op.lower(), Lowering::Map(_));
        let mut seen: Vec<Var> = Vec::new();
        let mut partials = Vec::new();
        for &v in &e.args {
            let float = matches!(self.program.ty(v), Type::Array(a) if a.dtype.is_float());
            if !float || self.name[v.index()].is_none() || seen.contains(&v) {
                continue;
            }
            seen.push(v);
            let types = [self.types(e), vec![self.program.ty(v).clone()]].concat();
            let tangent = simplify(&trace_closed(&types, |mut x| {
                let dx = x.pop().expect("the tangent comes last");
                let dx = if elementwise { ones_like(&dx) } else { dx };
                // Of an operand that stands twice the tangent is in both places.
                let tangents: Vec<Option<Array>> = e.args.iter().map(|a| (*a == v).then(|| dx.clone())).collect();
                let (y, dy) = e.op.jvp(&x, &tangents);
                vec![dy[0].clone().unwrap_or_else(|| zeros_like(&y[0]))]
            }));
            let mut names: Vec<String> = e.args.iter().map(|&a| self.of(a)).collect();
            names.push(format!("d{}", self.of(v)));
            let value = elementwise.then(|| {
                let known = e.args.iter().chain([&v]).map(|a| values[a.index()].clone().expect("it has a value"));
                let env = walk(&tangent, &known.collect::<Vec<Array>>(), &mut |_, y| y);
                env[tangent.outputs()[0].index()].clone().expect("the output has a value")
            });
            partials.push(Partial { by: self.of(v), formula: formula(&tangent, 0, &names), value });
        }
        partials
    }
}

/// A value in a cell: a number, the numbers of a small array, or its type and the ends of it.
fn short(x: &Array) -> String {
    let digits = |x: &Array| {
        let text = if x.dtype().is_float() { format!("{x:.6}") } else { x.to_string() };
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let number = |text: String| match text.contains('.') && !text.contains(['[', 'e']) {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    match x.size() {
        1 if x.rank() == 0 => number(digits(x)),
        n if n <= 6 => digits(x),
        _ => format!("{} ...", x.ty()),
    }
}

/// A value in a node of a graph: what [`short`] says, unless that is long.
fn brief(x: &Array) -> String {
    if x.rank() == 0 || (x.rank() == 1 && x.size() <= 3) { short(x) } else { x.ty().to_string() }
}

impl Explanation {
    pub(crate) fn table(&self) -> Table {
        let mut heading = vec!["step".to_owned(), "is".into(), "line".into(), "value".into(), "partials".into()];
        heading.extend(self.directions.iter().map(|d| format!("tangent d/d{d}")));
        heading.push("adjoint".into());
        let mut table = Table::new(heading);
        for step in &self.steps {
            let partial = |p: &Partial| {
                let value = p.value.as_ref().map(short).filter(|v| *v != p.formula);
                let value = value.map_or(String::new(), |v| format!(" = {v}"));
                format!("d/d{}: {}{value}", p.by, p.formula)
            };
            let cell = |x: &Option<Array>| x.as_ref().map_or(String::new(), short);
            let mut row = vec![step.name.clone(), step.expression.clone()];
            row.push(match &step.source {
                Some(source) => {
                    // The file's name without its folders.
                    let place = source.to_string();
                    place.rsplit('/').next().unwrap_or_default().to_owned()
                }
                None => String::new(),
            });
            row.push(short(&step.value));
            row.push(step.partials.iter().map(partial).collect::<Vec<_>>().join("\n"));
            row.extend(step.tangents.iter().map(cell));
            row.push(cell(&step.adjoint));
            table.push(row);
        }
        table
    }

    /// The table in Markdown.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let trace = explain(|(x, y): (Array, Array)| (x * y).sin(), (2.0.into(), 3.0.into()));
    /// assert!(trace.markdown().starts_with("| step | is |"));
    /// ```
    pub fn markdown(&self) -> String {
        self.table().markdown()
    }

    /// The table as a page of HTML that needs nothing else. The user's line is the tooltip of a row.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let trace = explain(|(x, y): (Array, Array)| (x * y).sin(), (2.0.into(), 3.0.into()));
    /// assert!(trace.html().contains("<table>"));
    /// ```
    pub fn html(&self) -> String {
        let attributes = |i: usize| match &self.steps[i].code {
            Some(code) => format!("title=\"{}\"", escape(code)),
            None => String::new(),
        };
        format!(
            "<!DOCTYPE html>\n<meta charset=\"utf-8\"><title>Evaluation trace</title>\n<style>{STYLE}</style>\n{}",
            self.table().html(attributes)
        )
    }

    /// Shows the table in a notebook of the evcxr kernel.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// explain(|x: Array| x.sin(), 1.0.into()).evcxr_display();
    /// ```
    pub fn evcxr_display(&self) {
        self.table().evcxr_display();
    }

    /// The computational graph, with values, tangents and adjoints in the nodes.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let trace = explain(|(x, y): (Array, Array)| (x * y).sin(), (2.0.into(), 3.0.into()));
    /// assert!(trace.graph().svg().contains("x * y"));
    /// ```
    pub fn graph(&self) -> Graph {
        let names = |v: Var| self.place[v.index()].map_or(format!("%{}", v.0), |i| self.steps[i].name.clone());
        let mut graph = Graph::named(&self.program, "evaluation trace", &names);
        for node in &mut graph.nodes {
            let Some(step) = node.var.and_then(|v| self.place[v.index()]).map(|i| &self.steps[i]) else { continue };
            if node.kind == wengert_view::Kind::Output {
                continue;
            }
            if !step.expression.is_empty() {
                node.title = format!("{} = {}", step.name, step.expression);
            }
            node.lines.push(format!("value {}", brief(&step.value)));
            let tangents = self.directions.iter().zip(&step.tangents);
            node.lines.extend(tangents.filter_map(|(d, t)| Some(format!("d/d{d} {}", brief(t.as_ref()?)))));
            node.lines.extend(step.adjoint.iter().map(|a| format!("adjoint {}", brief(a))));
            if let (Some(source), Some(code)) = (&step.source, &step.code) {
                node.source = Some(format!("{source}\n{code}"));
            }
        }
        graph
    }
}

const STYLE: &str = "table{border-collapse:collapse;font:14px ui-sans-serif,system-ui,sans-serif}\
th,td{padding:.3em .7em;border-bottom:1px solid #8884;text-align:left;vertical-align:top}th{border-bottom-width:2px}\
td{font-variant-numeric:tabular-nums}:root{color-scheme:light dark}";

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}
