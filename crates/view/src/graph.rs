//! The graph of a program: operations as nodes, arrays on the edges.

use crate::layout::Layout;
use crate::svg;
use std::collections::HashMap;
use std::fmt::Write;
use wengert_core::notebook::content;
use wengert_core::primitive::{Attribute, Lowering};
use wengert_core::program::{Equation, Var};
use wengert_core::{Program, Scalar};

/// What a node stands for.
///
/// ```
/// use wengert_view::{Graph, Kind};
/// # let program = wengert_core::program::parse("program (%0: f64[3]) {\n  %1: f64[3] = sin %0\n  return %1\n}\n")?;
///
/// let graph = Graph::of(&program);
/// let kinds: Vec<Kind> = graph.nodes.iter().map(|n| n.kind).collect();
/// assert_eq!(kinds, [Kind::Input, Kind::Operation, Kind::Output]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// An input of the program.
    Input,
    /// A number in the program.
    Literal,
    /// An equation.
    Operation,
    /// An output.
    Output,
}

impl Kind {
    /// The name of its class in SVG.
    ///
    /// ```
    /// assert_eq!(wengert_view::Kind::Operation.name(), "operation");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Kind::Input => "input",
            Kind::Literal => "literal",
            Kind::Operation => "operation",
            Kind::Output => "output",
        }
    }
}

/// A node: a title, and lines under it.
///
/// ```
/// use wengert_view::Graph;
/// # let program = wengert_core::program::parse("program (%0: f64[3]) {\n  %1: f64[3] = sin %0\n  return %1\n}\n")?;
///
/// let graph = Graph::of(&program);
/// assert_eq!((graph.nodes[1].title.as_str(), graph.nodes[1].equation), ("sin", Some(0)));
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// What it stands for.
    pub kind: Kind,
    /// The operation, input or number.
    pub title: String,
    /// What is said of it besides: values, adjoints.
    pub lines: Vec<String>,
    /// The user's line.
    pub source: Option<String>,
    /// The equation, by number.
    pub equation: Option<usize>,
    /// The variable whose value it is; of an output the variable returned.
    pub var: Option<Var>,
}

/// An array that goes from one node to another.
///
/// ```
/// use wengert_view::Graph;
/// # let program = wengert_core::program::parse("program (%0: f64[3]) {\n  %1: f64[3] = sin %0\n  return %1\n}\n")?;
///
/// let graph = Graph::of(&program);
/// assert_eq!((graph.edges[0].from, graph.edges[0].to, graph.edges[0].label.as_str()), (0, 1, "f64[3]"));
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Edge {
    /// Where it is made, by number of the node.
    pub from: usize,
    /// Where it is read.
    pub to: usize,
    /// Its type, or its value.
    pub label: String,
}

/// A computational graph. Programs inside of loops, branches and calls are graphs of their own.
///
/// ```
/// use wengert_core::program::parse;
/// use wengert_view::Graph;
///
/// let program = parse("program (%0: f64[3]) {
///   %1: f64[3] = sin %0
///   %2: f64[3] = mul %0 %1
///   return %2
/// }")?;
/// let graph = Graph::of(&program);
/// assert_eq!((graph.nodes.len(), graph.edges.len()), (4, 4));
/// assert!(graph.dot().contains("sin"));
/// assert!(graph.svg().starts_with("<svg"));
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Graph {
    /// What it is the graph of.
    pub title: String,
    /// Inputs, then literals and operations in the order of the program, then outputs.
    pub nodes: Vec<Node>,
    /// In the order of the nodes that they end in.
    pub edges: Vec<Edge>,
    /// The graphs of the bodies of operations, each with its operation's name.
    pub inner: Vec<Graph>,
}

impl Graph {
    /// The graph of a program, inputs named `%0`, `%1`, and so on. Edges are labelled with types.
    ///
    /// ```
    /// use wengert_view::Graph;
    /// # let program = wengert_core::program::parse("program (%0: f64[3]) {\n  %1: f64[3] = sin %0\n  return %1\n}\n")?;
    ///
    /// let graph = Graph::of(&program);
    /// assert_eq!(graph.nodes.len(), 3);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn of(program: &Program) -> Graph {
        Graph::named(program, "program", &|v| format!("%{}", v.0))
    }

    /// The same with a title and with names for the inputs.
    ///
    /// ```
    /// use wengert_view::Graph;
    /// # let program = wengert_core::program::parse("program (%0: f64[3]) {\n  %1: f64[3] = sin %0\n  return %1\n}\n")?;
    ///
    /// let graph = Graph::named(&program, "a sine", &|_| "angle".into());
    /// assert_eq!(graph.nodes[0].title, "angle");
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn named(program: &Program, title: &str, input: &dyn Fn(Var) -> String) -> Graph {
        let mut graph = Graph { title: title.to_owned(), nodes: Vec::new(), edges: Vec::new(), inner: Vec::new() };
        // The node that makes each variable. A literal has one for each reader, so that no edge crosses the page for it.
        let mut made = vec![usize::MAX; program.vars()];
        let mut literals: HashMap<Var, (Scalar, usize)> = HashMap::new();
        let used = used(program);
        for i in (0..program.inputs()).filter(|&i| used[i]) {
            let v = Var(i as u32);
            made[i] = graph.nodes.len();
            graph.nodes.push(Node {
                kind: Kind::Input,
                title: input(v),
                lines: Vec::new(),
                source: None,
                equation: None,
                var: Some(v),
            });
        }
        for (number, e) in program.equations().iter().enumerate() {
            if let Lowering::Literal(value) = e.op.lower() {
                literals.insert(e.first, (value, number));
                continue;
            }
            let args: Vec<usize> = e.args.iter().map(|&a| graph.source_of(a, &made, &literals, program)).collect();
            let node = graph.nodes.len();
            graph.nodes.push(Node {
                kind: Kind::Operation,
                title: title_of(e),
                lines: Vec::new(),
                source: Some(e.source.to_string()),
                equation: Some(number),
                var: (e.count > 0).then_some(e.first),
            });
            e.results().for_each(|v| made[v.index()] = node);
            for (from, a) in args.into_iter().zip(&e.args) {
                graph.edges.push(Edge { from, to: node, label: program.ty(*a).to_string() });
            }
            for (name, attribute) in e.op.attributes() {
                if let Attribute::Program(body) = attribute {
                    let title = format!("{name} of {} (equation {number})", e.op.name());
                    graph.inner.push(Graph::named(&body, &title, &|v| format!("%{}", v.0)));
                }
            }
        }
        for (k, &v) in program.outputs().iter().enumerate() {
            let from = graph.source_of(v, &made, &literals, program);
            let to = graph.nodes.len();
            graph.nodes.push(Node {
                kind: Kind::Output,
                title: if program.outputs().len() == 1 { "result".into() } else { format!("result {k}") },
                lines: Vec::new(),
                source: None,
                equation: None,
                var: Some(v),
            });
            graph.edges.push(Edge { from, to, label: program.ty(v).to_string() });
        }
        graph
    }

    /// The node that a variable comes from; of a literal a new one.
    fn source_of(
        &mut self,
        v: Var,
        made: &[usize],
        literals: &HashMap<Var, (Scalar, usize)>,
        program: &Program,
    ) -> usize {
        let Some(&(value, equation)) = literals.get(&v) else { return made[v.index()] };
        self.nodes.push(Node {
            kind: Kind::Literal,
            title: number(value),
            lines: Vec::new(),
            source: Some(program.equations()[equation].source.to_string()),
            equation: Some(equation),
            var: Some(v),
        });
        self.nodes.len() - 1
    }

    /// In the language of Graphviz.
    ///
    /// ```
    /// use wengert_view::Graph;
    /// # let program = wengert_core::program::parse("program (%0: f64[3]) {\n  %1: f64[3] = sin %0\n  return %1\n}\n")?;
    ///
    /// let graph = Graph::of(&program);
    /// assert!(graph.dot().contains("n0 -> n1"));
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn dot(&self) -> String {
        let mut text =
            String::from("digraph {\n  rankdir=TB; node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
        let mut count = 0;
        self.dot_into(&mut text, &mut count);
        text += "}\n";
        text
    }

    fn dot_into(&self, text: &mut String, count: &mut usize) {
        let quoted = |s: &str| format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
        let first = *count;
        *count += self.nodes.len();
        for (i, node) in self.nodes.iter().enumerate() {
            let shape = match node.kind {
                Kind::Input | Kind::Output => ", shape=ellipse",
                Kind::Literal => ", shape=plaintext",
                Kind::Operation => "",
            };
            let label = [std::slice::from_ref(&node.title), &node.lines[..]].concat().join("\n");
            let tip = node.source.iter().map(|s| format!(", tooltip={}", quoted(s))).collect::<String>();
            writeln!(text, "  n{} [label={}{shape}{tip}];", first + i, quoted(&label)).expect("text takes text");
        }
        for e in &self.edges {
            writeln!(text, "  n{} -> n{} [label={}];", first + e.from, first + e.to, quoted(&e.label))
                .expect("text takes text");
        }
        for inner in &self.inner {
            writeln!(text, "  subgraph cluster_{count} {{\n  label={};", quoted(&inner.title))
                .expect("text takes text");
            inner.dot_into(text, count);
            *text += "  }\n";
        }
    }

    /// As a picture that needs nothing else: nodes in layers from inputs to outputs, the bodies of operations below. A
    /// node has the class of its kind and, of an equation, the attribute `data-equation`; its tooltip is the user's line.
    ///
    /// ```
    /// use wengert_view::Graph;
    /// # let program = wengert_core::program::parse("program (%0: f64[3]) {\n  %1: f64[3] = sin %0\n  return %1\n}\n")?;
    ///
    /// let graph = Graph::of(&program);
    /// assert!(graph.svg().starts_with("<svg") && graph.svg().trim_end().ends_with("</svg>"));
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn svg(&self) -> String {
        let mut panels = vec![(self, Layout::of(self))];
        let mut open: Vec<&Graph> = self.inner.iter().rev().collect();
        while let Some(graph) = open.pop() {
            panels.push((graph, Layout::of(graph)));
            open.extend(graph.inner.iter().rev());
        }
        svg::picture(&panels)
    }

    /// Shows the picture in a notebook of the evcxr kernel.
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[]) {\n  return %0\n}\n")?;
    /// wengert_view::Graph::of(&program).evcxr_display();
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn evcxr_display(&self) {
        // As HTML: a notebook gives SVG alone no place for its tooltips.
        print!("{}", content(&[("text/html", self.svg())]));
    }
}

/// Which inputs something reads.
fn used(program: &Program) -> Vec<bool> {
    let mut used = vec![false; program.vars()];
    program.equations().iter().flat_map(|e| &e.args).chain(program.outputs()).for_each(|v| used[v.index()] = true);
    used
}

/// The name of an operation, with what it is told besides shapes and programs.
fn title_of(e: &Equation) -> String {
    let told = e.op.attributes().into_iter().filter_map(|(name, attribute)| match (name, attribute) {
        ("shape" | "sizes" | "lanes" | "inv" | "carry" | "acc" | "xs" | "gated", _) | (_, Attribute::Program(_)) => {
            None
        }
        (name, Attribute::Int(i)) => Some(format!("{name}={i}")),
        (name, Attribute::Ints(i)) => Some(format!("{name}={i:?}")),
        (name, Attribute::Bool(true)) => Some(name.to_owned()),
        (name, Attribute::DType(d)) => Some(format!("{name}={d}")),
        _ => None,
    });
    [e.op.name().to_owned()].into_iter().chain(told).collect::<Vec<_>>().join(" ")
}

/// A number as short as it is read back, whole ones without a point.
pub(crate) fn number(value: Scalar) -> String {
    let text = value.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
