//! `graph`: the computational graph of a function.

use crate::traced::Function;
use wengert_core::program::Var;
use wengert_core::source::called;
use wengert_core::{Tree, tree};
use wengert_view::Graph;

/// The computational graph of a function at arguments like these: operations as nodes, types of arrays on the edges. Of
/// derivatives too: `graph(grad(f), &x)`. With values, tangents and adjoints it is [`Explanation::graph`](crate::Explanation::graph).
///
/// ```
/// use wengert::{graph, prelude::*};
///
/// let f = |x: Array| x.sin() * x;
/// let graph = graph(f, &array![1.0, 2.0]);
/// assert!(graph.dot().contains("sin"));
/// std::fs::write(std::env::temp_dir().join("graph.svg"), graph.svg())?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn graph<A: Tree + Clone, R: Tree>(f: impl Fn(A) -> R, args: &A) -> Graph {
    let _called = called("graph");
    let function = Function::trace(f, args.clone());
    let names = input_names(&function);
    Graph::named(&function.program, "program", &|v: Var| names[v.index()].clone())
}

/// What the inputs of a function's program are called: captures `c1`, `c2`, ..., the argument `x` or by the paths of its
/// leaves such as `x.w`; a pair or triple of arrays `x`, `y`, `z`.
pub(crate) fn input_names<A: Tree, R: Tree>(function: &Function<A, R>) -> Vec<String> {
    let paths = tree::leaf_paths::<A>(&function.arguments, "x");
    let tuple = paths.len() <= 3 && paths.iter().enumerate().all(|(i, path)| *path == format!("x.{i}"));
    let captures = (1..=function.captures.len()).map(|i| format!("c{i}"));
    let letters = || ["x", "y", "z"].map(str::to_owned).into_iter().take(paths.len()).collect();
    captures.chain(if tuple { letters() } else { paths.clone() }).collect()
}
