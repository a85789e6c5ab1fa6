//! Elementwise work is done in the order in which its operands lie in memory.
//!
//! `f(permute x)` is `permute (f x)`: an elementwise operation whose operands are all permuted in the same way, or broadcast, is
//! done on what they were before, and its result is permuted, which costs nothing here (a view). So loops go along the rows of
//! `x`, and permutations that meet their inverse are gone. (Batching moves axes to the front and back again, around everything.)

use crate::rewrite::{Memo, Writer, with_programs};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;
use wengert_core::ops::{Broadcast, Op, Permute, Reshape};
use wengert_core::primitive::Lowering;
use wengert_core::program::{Args, Equation, Program, Var};
use wengert_core::{ArrayType, Shape};

/// Elements below which the order does not matter.
const LEAST: usize = 1024;

/// The program with permutations after elementwise work.
pub(crate) fn arranged(program: &Arc<Program>) -> Arc<Program> {
    whole(program, &mut Memo::new())
}

fn whole(program: &Arc<Program>, memo: &mut Memo) -> Arc<Program> {
    if let Some(done) = memo.get(program) {
        return done.clone();
    }
    let mut views = HashMap::new();
    let result = Writer::rewrite(program, |writer, e, args| match &e.op {
        op if op.programs().is_empty() => Arranger { writer, views: &mut views }.equation(program, e, args),
        op => writer.push(with_programs(op, |body| whole(body, memo)), &args),
    });
    let result = Arc::new(result);
    memo.insert(program.clone(), result.clone());
    result
}

/// A variable as another one with its axes in another order. Axes of length 1 do not count.
#[derive(Clone, PartialEq, Debug)]
struct Turned {
    of: Var,
    /// For each axis that counts, which of those of `of` it is.
    order: SmallVec<[usize; 4]>,
}

/// A variable that is a broadcast one: which, and for each of its axes that count, which of the result's it becomes.
#[derive(Clone, Debug)]
struct Spread {
    of: Var,
    axes: SmallVec<[usize; 4]>,
}

#[derive(Clone, Debug)]
enum View {
    Turned(Turned),
    Spread(Spread),
}

struct Arranger<'w> {
    writer: &'w mut Writer,
    views: &'w mut HashMap<Var, View>,
}

impl Arranger<'_> {
    fn equation(&mut self, program: &Program, e: &Equation, args: Args) -> Vec<Var> {
        let Some(ty) = program.ty(Var(e.results().next().map_or(0, |v| v.0))).as_array().cloned() else {
            return self.writer.copy(program, e, args);
        };
        match &e.op {
            Op::Permute(op) => {
                let from = self.shape(args[0]);
                let order = op.axes.iter().filter(|&&axis| from[axis] != 1);
                let order: SmallVec<[usize; 4]> = order.map(|&axis| counting(&from[..axis])).collect();
                if let Some(View::Spread(spread)) = self.views.get(&args[0]).cloned() {
                    let place = |axis: &usize| order.iter().position(|from| from == axis).expect("it has every axis");
                    let axes = spread.axes.iter().map(place).collect();
                    return self.spread(program, e, args, Spread { of: spread.of, axes });
                }
                let turned = self.turned(args[0]);
                let order = order.iter().map(|&axis| turned.order[axis]).collect();
                vec![self.view(Turned { of: turned.of, order }, &ty)]
            }
            Op::Reshape(_) if counted(&self.shape(args[0])) == counted(&ty.shape) => {
                if let Some(View::Spread(spread)) = self.views.get(&args[0]).cloned() {
                    return self.spread(program, e, args, spread);
                }
                let turned = self.turned(args[0]);
                vec![self.view(turned, &ty)]
            }
            Op::Broadcast(op) => {
                let from = self.shape(args[0]);
                let axes = op.axes.iter().enumerate().filter(|(k, _)| from[*k] != 1);
                let axes = axes.map(|(_, &axis)| counting(&ty.shape[..axis])).collect();
                let of = args[0];
                self.spread(program, e, args, Spread { of, axes })
            }
            op if matches!(op.lower(), Lowering::Map(_)) && ty.size() >= LEAST => {
                match self.order_of(&args).and_then(|order| self.before(&args, &order).map(|args| (args, order))) {
                    Some((args, order)) => {
                        let of = self.writer.one(op.clone(), &args);
                        vec![self.view(Turned { of, order }, &ty)]
                    }
                    None => self.writer.copy(program, e, args),
                }
            }
            _ => self.writer.copy(program, e, args),
        }
    }

    /// The equation as it is, whose result is a broadcast array.
    fn spread(&mut self, program: &Program, e: &Equation, args: Args, spread: Spread) -> Vec<Var> {
        let results = self.writer.copy(program, e, args);
        self.views.insert(results[0], View::Spread(spread));
        results
    }

    fn shape(&self, v: Var) -> Shape {
        self.writer.builder.ty(v).as_array().expect("operands of views and maps are arrays").shape.clone()
    }

    /// The variable as a view of another, of itself if need be.
    fn turned(&self, v: Var) -> Turned {
        match self.views.get(&v) {
            Some(View::Turned(turned)) => turned.clone(),
            _ => Turned { of: v, order: (0..counting(&self.shape(v))).collect() },
        }
    }

    /// The view as an array of this type.
    fn view(&mut self, turned: Turned, ty: &ArrayType) -> Var {
        let mut v = turned.of;
        if turned.order.iter().enumerate().any(|(i, &axis)| i != axis) {
            let counts = counted(&self.shape(v));
            v = self.reshaped(v, &counts);
            v = self.writer.one(Permute { axes: turned.order.clone() }, &[v]);
        }
        v = self.reshaped(v, &ty.shape);
        if v != turned.of {
            self.views.insert(v, View::Turned(turned));
        }
        v
    }

    fn reshaped(&mut self, v: Var, shape: &[usize]) -> Var {
        if self.shape(v)[..] == *shape {
            return v;
        }
        self.writer.one(Reshape { shape: shape.into() }, &[v])
    }

    /// The one order in which all operands that have one are turned.
    fn order_of(&self, args: &[Var]) -> Option<SmallVec<[usize; 4]>> {
        let mut common: Option<SmallVec<[usize; 4]>> = None;
        for v in args {
            if let Some(View::Spread(_)) = self.views.get(v) {
                continue;
            }
            let order = self.turned(*v).order;
            if common.as_ref().is_some_and(|common| *common != order) {
                return None;
            }
            common = Some(order);
        }
        common.filter(|order| order.iter().enumerate().any(|(i, &axis)| i != axis))
    }

    /// The operands as they are before they are turned in this order.
    fn before(&mut self, args: &[Var], order: &[usize]) -> Option<Args> {
        let counts = counted(&self.shape(args[0]));
        let mut shape: Shape = counts.clone();
        for (i, &axis) in order.iter().enumerate() {
            shape[axis] = counts[i];
        }
        let spread = |spread: &Spread| -> Option<SmallVec<[usize; 4]>> {
            let axes: SmallVec<[usize; 4]> = spread.axes.iter().map(|&axis| order[axis]).collect();
            axes.is_sorted().then_some(axes)
        };
        // Nothing is written before all is known to fit.
        for v in args {
            if let Some(View::Spread(view)) = self.views.get(v) {
                spread(view)?;
            }
        }
        let mut before = Args::new();
        for v in args {
            before.push(match self.views.get(v).cloned() {
                Some(View::Spread(view)) => {
                    let axes = spread(&view)?;
                    let of = self.reshaped(view.of, &counted(&self.shape(view.of)));
                    self.writer.one(Broadcast { shape: shape.clone(), axes }, &[of])
                }
                _ => {
                    let of = self.turned(*v).of;
                    self.reshaped(of, &shape)
                }
            });
        }
        Some(before)
    }
}

/// The lengths that count.
fn counted(shape: &[usize]) -> Shape {
    shape.iter().copied().filter(|&n| n != 1).collect()
}

/// How many lengths count.
fn counting(shape: &[usize]) -> usize {
    shape.iter().filter(|&&n| n != 1).count()
}
