//! Where lanes lie. A loop or branch under `vmap` has a lane mask; here it is told which part of a value in its body
//! belongs to which lane.
//!
//! Shapes do not tell: an array of three that all lanes share looks like one number for each of three lanes. `vmap` knows,
//! and after it the place is followed through every operation, by the same data that the loop compiler goes by.

use crate::error::TypeError;
use crate::primitive::{Attribute, Lowering};
use crate::program::Program;
use crate::transform::memoised;
use crate::types::{ArrayType, Type};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// Where a value has the axes of a lane mask. One entry for each axis of the mask: how many blocks of it there are in the
/// value in row-major order, which is the product of the lengths before it and is not changed by a reshape; or `None`
/// when all lanes of the axis share the value. An axis of one lane has no place. In a list it is the place in every row.
///
/// ```
/// use wengert_core::lanes::Lanes;
///
/// // Two lanes, whose rows of three numbers lie one after the other.
/// assert_eq!(Lanes::leading(&[2]).0.as_slice(), [Some(1)]);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Lanes(pub SmallVec<[Option<usize>; 2]>);

impl Lanes {
    /// Those of a value that all lanes share.
    ///
    /// ```
    /// use wengert_core::lanes::Lanes;
    ///
    /// assert!(Lanes::shared(&[2]).is_shared());
    /// ```
    pub fn shared(mask: &[usize]) -> Lanes {
        Lanes(mask.iter().map(|_| None).collect())
    }

    /// Those of a value whose leading axes are those of the mask.
    ///
    /// ```
    /// use wengert_core::lanes::Lanes;
    ///
    /// assert_eq!(Lanes::leading(&[2, 3]).0.as_slice(), [Some(1), Some(2)]);
    /// ```
    pub fn leading(mask: &[usize]) -> Lanes {
        let mut blocks = 1;
        let place = |&n: &usize| {
            let here = (n > 1).then_some(blocks);
            blocks *= n;
            here
        };
        Lanes(mask.iter().map(place).collect())
    }

    /// Whether all lanes share the value.
    ///
    /// ```
    /// use wengert_core::lanes::Lanes;
    ///
    /// assert!(!Lanes::leading(&[2]).is_shared());
    /// ```
    pub fn is_shared(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Whether it has a place for every axis of more than one lane, so that no element belongs to two lanes.
    ///
    /// ```
    /// use wengert_core::lanes::Lanes;
    ///
    /// assert!(Lanes::leading(&[2]).is_complete(&[2]));
    /// assert!(!Lanes::shared(&[2]).is_complete(&[2]));
    /// ```
    pub fn is_complete(&self, mask: &[usize]) -> bool {
        self.0.iter().zip(mask).all(|(place, &n)| place.is_some() || n == 1)
    }

    /// With one more axis of `size` lanes in front of the mask, which the value has in front or not at all.
    ///
    /// ```
    /// use wengert_core::lanes::Lanes;
    ///
    /// assert_eq!(Lanes::shared(&[2]).batched(true, 5).0.as_slice(), [Some(1), None]);
    /// ```
    pub fn batched(&self, mapped: bool, size: usize) -> Lanes {
        let blocks = if mapped { size } else { 1 };
        let first = (mapped && size > 1).then_some(1);
        Lanes([first].into_iter().chain(self.0.iter().map(|p| p.map(|p| p * blocks))).collect())
    }

    /// The place by either of two values of one shape.
    ///
    /// ```
    /// use wengert_core::lanes::Lanes;
    ///
    /// assert_eq!(Lanes::shared(&[2]).or(&Lanes::leading(&[2])), Lanes::leading(&[2]));
    /// ```
    pub fn or(&self, other: &Lanes) -> Lanes {
        Lanes(self.0.iter().zip(&other.0).map(|(a, b)| a.or(*b)).collect())
    }

    /// The same with every place moved.
    ///
    /// ```
    /// use wengert_core::lanes::Lanes;
    ///
    /// assert_eq!(Lanes::leading(&[2]).moved(|place| Some(3 * place)).0.as_slice(), [Some(3)]);
    /// ```
    pub fn moved(&self, mut place: impl FnMut(usize) -> Option<usize>) -> Lanes {
        Lanes(self.0.iter().map(|p| p.and_then(&mut place)).collect())
    }

    /// A value's lane axes in the order of their places: which axis of the mask, and the place.
    ///
    /// ```
    /// use wengert_core::lanes::Lanes;
    ///
    /// assert_eq!(Lanes([Some(3), Some(1)].into_iter().collect()).in_order().as_slice(), [(1, 1), (0, 3)]);
    /// ```
    pub fn in_order(&self) -> SmallVec<[(usize, usize); 2]> {
        let mut axes: SmallVec<[(usize, usize); 2]> =
            self.0.iter().enumerate().filter_map(|(l, p)| p.map(|p| (l, p))).collect();
        axes.sort_by_key(|&(_, place)| place);
        axes
    }
}

/// Lanes of the operands and of the results of an operation with bodies; none of them when its mask has no axes.
///
/// ```
/// use wengert_core::lanes::{Lanes, OpLanes};
///
/// let lanes = OpLanes::new(&[2], vec![Lanes::leading(&[2]), Lanes::shared(&[2])], vec![Lanes::leading(&[2])]);
/// assert_eq!((lanes.operands.len(), lanes.results.len()), (2, 1));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct OpLanes {
    /// By operand.
    pub operands: Vec<Lanes>,
    /// By result.
    pub results: Vec<Lanes>,
}

impl OpLanes {
    /// Those of an operation under a mask of this shape.
    ///
    /// ```
    /// use wengert_core::lanes::OpLanes;
    ///
    /// assert!(OpLanes::new(&[], Vec::new(), Vec::new()).is_empty());
    /// ```
    pub fn new(mask: &[usize], operands: Vec<Lanes>, results: Vec<Lanes>) -> OpLanes {
        if mask.is_empty() { OpLanes::default() } else { OpLanes { operands, results } }
    }

    /// Whether the mask has no axes.
    ///
    /// ```
    /// use wengert_core::lanes::{Lanes, OpLanes};
    ///
    /// let lanes = OpLanes::new(&[2], vec![Lanes::leading(&[2]), Lanes::shared(&[2])], vec![Lanes::leading(&[2])]);
    /// assert!(!lanes.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.operands.is_empty()
    }

    /// Of these operands.
    ///
    /// ```
    /// use wengert_core::lanes::{Lanes, OpLanes};
    ///
    /// let lanes = OpLanes::new(&[2], vec![Lanes::leading(&[2]), Lanes::shared(&[2])], vec![Lanes::leading(&[2])]);
    /// assert!(lanes.of_operands([1])[0].is_shared());
    /// ```
    pub fn of_operands(&self, positions: impl IntoIterator<Item = usize>) -> Vec<Lanes> {
        positions.into_iter().map(|i| self.operands.get(i).cloned().unwrap_or_default()).collect()
    }

    /// Of these results.
    ///
    /// ```
    /// use wengert_core::lanes::{Lanes, OpLanes};
    ///
    /// let lanes = OpLanes::new(&[2], vec![Lanes::leading(&[2]), Lanes::shared(&[2])], vec![Lanes::leading(&[2])]);
    /// assert!(!lanes.of_results([0])[0].is_shared());
    /// ```
    pub fn of_results(&self, positions: impl IntoIterator<Item = usize>) -> Vec<Lanes> {
        positions.into_iter().map(|i| self.results.get(i).cloned().unwrap_or_default()).collect()
    }

    /// Of an operation with these operands and results only.
    ///
    /// ```
    /// use wengert_core::lanes::{Lanes, OpLanes};
    ///
    /// let lanes = OpLanes::new(&[2], vec![Lanes::leading(&[2]), Lanes::shared(&[2])], vec![Lanes::leading(&[2])]);
    /// assert_eq!(lanes.picked(&[1], &[]).operands.len(), 1);
    /// ```
    pub fn picked(&self, operands: &[usize], results: &[usize]) -> OpLanes {
        let keep = |lanes: Vec<Lanes>| if self.is_empty() { Vec::new() } else { lanes };
        OpLanes {
            operands: keep(self.of_operands(operands.iter().copied())),
            results: keep(self.of_results(results.iter().copied())),
        }
    }

    /// With one more axis of `size` lanes in front of the mask, which these operands and results have.
    ///
    /// ```
    /// use wengert_core::lanes::{Lanes, OpLanes};
    ///
    /// let lanes = OpLanes::new(&[2], vec![Lanes::leading(&[2]), Lanes::shared(&[2])], vec![Lanes::leading(&[2])]);
    /// assert_eq!(lanes.batched(&[true, false], &[true], 5).operands[0].0.len(), 2);
    /// ```
    pub fn batched(&self, operands: &[bool], results: &[bool], size: usize) -> OpLanes {
        let batched = |lanes: Vec<Lanes>, mapped: &[bool]| {
            lanes.iter().zip(mapped).map(|(lanes, &mapped)| lanes.batched(mapped, size)).collect()
        };
        OpLanes {
            operands: batched(self.of_operands(0..operands.len()), operands),
            results: batched(self.of_results(0..results.len()), results),
        }
    }

    /// As an attribute, when there are any: by operand and result, the place of each axis of the mask or -1.
    ///
    /// ```
    /// use wengert_core::lanes::{Lanes, OpLanes};
    ///
    /// let lanes = OpLanes::new(&[2], vec![Lanes::leading(&[2]), Lanes::shared(&[2])], vec![Lanes::leading(&[2])]);
    /// use wengert_core::primitive::Attribute;
    /// assert_eq!(lanes.attribute(), Some(("lanes", Attribute::Ints(vec![1, -1, 1]))));
    /// ```
    pub fn attribute(&self) -> Option<(&'static str, Attribute)> {
        let place = |p: &Option<usize>| p.map_or(-1, |p| p as i64);
        let all = self.operands.iter().chain(&self.results).flat_map(|lanes| lanes.0.iter().map(place));
        (!self.is_empty()).then(|| ("lanes", Attribute::Ints(all.collect())))
    }

    /// From that attribute, for so many operands and a mask of so many axes.
    ///
    /// # Errors
    /// When they are not one for each axis of the mask, or too few.
    ///
    /// ```
    /// use wengert_core::lanes::{Lanes, OpLanes};
    ///
    /// let lanes = OpLanes::new(&[2], vec![Lanes::leading(&[2]), Lanes::shared(&[2])], vec![Lanes::leading(&[2])]);
    /// assert_eq!(OpLanes::from_attribute(&[1, -1, 1], 2, 1), Ok(lanes));
    /// ```
    pub fn from_attribute(places: &[i64], operands: usize, rank: usize) -> Result<OpLanes, TypeError> {
        if rank == 0 || !places.len().is_multiple_of(rank) || places.len() / rank < operands {
            return Err(TypeError::new("attribute `lanes` is not one place for each axis of the mask"));
        }
        let lanes = |places: &[i64]| Lanes(places.iter().map(|&p| usize::try_from(p).ok()).collect());
        let mut operand_lanes: Vec<Lanes> = places.chunks(rank).map(lanes).collect();
        let results = operand_lanes.split_off(operands);
        Ok(OpLanes { operands: operand_lanes, results })
    }

    /// Whether they fit the types of an operation under a mask of this shape.
    ///
    /// # Errors
    /// When a place is not one in its type.
    ///
    /// ```
    /// use wengert_core::lanes::{Lanes, OpLanes};
    /// use wengert_core::{DType, Type};
    ///
    /// let lanes = OpLanes::new(&[2], vec![Lanes::leading(&[2])], Vec::new());
    /// assert!(lanes.check(&[2], &[Type::array(DType::F64, &[2, 3])], &[]).is_ok());
    /// assert!(lanes.check(&[2], &[Type::array(DType::F64, &[5])], &[]).is_err());
    /// ```
    pub fn check(&self, mask: &[usize], operands: &[Type], results: &[Type]) -> Result<(), TypeError> {
        if mask.is_empty() && self.is_empty() && self.results.is_empty() {
            return Ok(());
        }
        if mask.is_empty() || self.operands.len() != operands.len() || self.results.len() != results.len() {
            return Err(TypeError::new("`lanes` tells the places of other operands and results"));
        }
        for (lanes, ty) in self.operands.iter().chain(&self.results).zip(operands.iter().chain(results)) {
            let shape = &leaf(ty).shape;
            let fits = |(place, &n): (&Option<usize>, &usize)| {
                place.is_none_or(|place| shape.contains(&0) || axis_of(shape, place, n).is_some())
            };
            if lanes.0.len() != mask.len() || !lanes.0.iter().zip(mask).all(fits) {
                return Err(TypeError::new(format!("`lanes` gives {ty} places that it has not")));
            }
        }
        Ok(())
    }

    /// With the lanes of what is computed before a loop from the operands `args`, which come next in the order of operands.
    pub(crate) fn with_hoisted(&self, before: &Program, args: Range<usize>, mask: &[usize]) -> OpLanes {
        if self.is_empty() {
            return OpLanes::default();
        }
        let results = of_outputs(&Arc::new(before.clone()), &self.of_operands(args.clone()), mask);
        let mut operands = self.operands.clone();
        operands.splice(args.end..args.end, results);
        OpLanes { operands, results: self.results.clone() }
    }

    /// With one operand more.
    pub(crate) fn with_operand(&self, place: usize, lanes: Lanes) -> OpLanes {
        let mut more = self.clone();
        if !more.is_empty() {
            more.operands.insert(place, lanes);
        }
        more
    }

    /// Of the results, in a body under the leading axes of this operation's mask.
    pub(crate) fn outside(&self, mask: &[usize]) -> Option<Vec<Lanes>> {
        let leading = |lanes: &Lanes| Lanes(lanes.0[..mask.len()].into());
        (!self.is_empty()).then(|| self.results.iter().map(leading).collect())
    }
}

/// The array type of a value, or of the arrays in a list.
pub(crate) fn leaf(ty: &Type) -> &ArrayType {
    match ty {
        Type::Array(a) => a,
        Type::List(l) => leaf(&l.element),
    }
}

/// Lanes of the outputs of a program, given those of its inputs.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{lanes::{Lanes, of_outputs}, program::parse};
///
/// let program = parse("program (%0: f64[2,3]) {\n  %1: f64[2] = reduce_sum[start=1, end=2] %0\n  return %1\n}\n")?;
/// assert_eq!(of_outputs(&Arc::new(program), &[Lanes::leading(&[2])], &[2]), [Lanes::leading(&[2])]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn of_outputs(program: &Arc<Program>, inputs: &[Lanes], mask: &[usize]) -> Vec<Lanes> {
    if mask.is_empty() {
        return vec![Lanes::default(); program.outputs().len()];
    }
    let places = inputs.iter().flat_map(|x| x.0.iter().map(|p| p.map_or(0, |p| p + 1)));
    let sizes: Vec<usize> = mask.iter().copied().chain(places).collect();
    memoised("lanes", program, &[], &sizes, || {
        let mut env = inputs.to_vec();
        env.resize(program.vars(), Lanes::default());
        for e in program.equations() {
            let x: Vec<Lanes> = e.args.iter().map(|a| env[a.index()].clone()).collect();
            let types: Vec<&Type> = e.args.iter().map(|a| program.ty(*a)).collect();
            let results: Vec<&Type> = e.results().map(|v| program.ty(v)).collect();
            let y = e.op.lanes(&Places { x: &x, types: &types, results: &results, mask });
            debug_assert_eq!(y.len(), results.len(), "{}", e.op.name());
            for (v, y) in e.results().zip(y) {
                env[v.index()] = y;
            }
        }
        program.outputs().iter().map(|v| env[v.index()].clone()).collect()
    })
}

/// An equation whose results' lanes are asked for.
///
/// ```
/// use wengert_core::{DType, Type, lanes::{Lanes, Places}, primitive::Lowering};
///
/// let (x, ty) = (Lanes::leading(&[2]), Type::array(DType::F64, &[2]));
/// let at = Places { x: &[x.clone()], types: &[&ty], results: &[&ty], mask: &[2] };
/// assert_eq!(at.through(&Lowering::Identity), x);
/// ```
pub struct Places<'a> {
    /// Lanes of the operands.
    pub x: &'a [Lanes],
    /// Types of the operands.
    pub types: &'a [&'a Type],
    /// Types of the results.
    pub results: &'a [&'a Type],
    /// Lengths of the axes of the mask.
    pub mask: &'a [usize],
}

impl Places<'_> {
    /// Lanes of the result of an operation that lowers so; of every result, when there are several.
    ///
    /// ```
    /// use wengert_core::{DType, Type, lanes::{Lanes, Places}, primitive::Lowering};
    ///
    /// let (x, ty) = (Lanes::leading(&[2]), Type::array(DType::F64, &[2]));
    /// let at = Places { x: &[x.clone()], types: &[&ty], results: &[&ty], mask: &[2] };
    /// assert_eq!(at.through(&Lowering::Identity), x);
    /// ```
    pub fn through(&self, lowering: &Lowering) -> Lanes {
        let mut y = Lanes::shared(self.mask);
        for (j, x) in self.x.iter().enumerate() {
            let places = x.0.iter().zip(self.mask).map(|(place, &n)| self.carried(lowering, j, (*place)?, n));
            y = y.or(&Lanes(places.collect()));
        }
        y
    }

    /// Where the result has a lane axis of length `n` that operand `j` has at `place`.
    fn carried(&self, lowering: &Lowering, j: usize, place: usize, n: usize) -> Option<usize> {
        let (from, to) = (&leaf(self.types[j]).shape, &leaf(self.results[0]).shape);
        if matches!(lowering, Lowering::Map(_) | Lowering::Identity | Lowering::Reshape) {
            return Some(place);
        }
        let (a, within) = axis_of(from, place, n)?;
        let index_rank = || leaf(self.types[1]).rank();
        let axis = match lowering {
            Lowering::View(view) => match view.axes[a] {
                crate::primitive::ViewAxis { offset: 0, from: Some((r, 1)) } => r,
                _ => return None,
            },
            Lowering::Reduce { start, end, .. } => without(a, *start, *end)?,
            Lowering::ArgReduce { axis, .. } => without(a, *axis, axis + 1)?,
            Lowering::Dot { batch } => match (j, a) {
                (0, a) if a <= *batch => a,
                (1, a) if a != *batch => a,
                _ => return None,
            },
            Lowering::Gather { batch } => match (j, a) {
                (0, a) if a > *batch => a + index_rank() - batch - 1,
                (0, a) if a == *batch => return None,
                _ => a,
            },
            Lowering::Accumulate { batch, .. } => match (j, a) {
                (1 | 2, a) if a >= *batch && (j == 1 || a < index_rank()) => return None,
                (2, a) if a >= index_rank() => a + batch + 1 - index_rank(),
                _ => a,
            },
            Lowering::Windows { axis, .. } => match a {
                a if a == *axis => return None,
                a => a + (a > *axis) as usize,
            },
            Lowering::Call { batch, .. } => (a < *batch).then_some(a)?,
            Lowering::Concatenate { .. }
            | Lowering::Pad { .. }
            | Lowering::DynamicSlice { .. }
            | Lowering::DynamicUpdate { .. }
            | Lowering::SliceAdd { .. } => a,
            Lowering::Map(_) | Lowering::Identity | Lowering::Reshape => unreachable!("they were seen to"),
            Lowering::Literal(_) | Lowering::Iota { .. } => unreachable!("they have no operands"),
            Lowering::Structural => unreachable!("such operations say themselves where lanes lie"),
        };
        // An axis of which a part is taken, or that is joined with others, is no axis of lanes any more.
        (to.get(axis) == Some(&from[a])).then(|| to[..axis].iter().product::<usize>() * within)
    }
}

/// The axis that holds a lane axis of length `n` at `place`, and its place within that axis. An empty array has none.
///
/// ```
/// use wengert_core::lanes::axis_of;
///
/// assert_eq!(axis_of(&[4, 2], 4, 2), Some((1, 1)));
/// ```
pub fn axis_of(shape: &[usize], place: usize, n: usize) -> Option<(usize, usize)> {
    let mut before = 1usize;
    for (a, &length) in shape.iter().enumerate() {
        if 0 < place && place < before.saturating_mul(length) {
            let within = place / before;
            return (place.is_multiple_of(before) && length.is_multiple_of(within.saturating_mul(n)))
                .then_some((a, within));
        }
        before = before.saturating_mul(length);
    }
    None
}

/// The number of an axis when the axes `start..end` are gone.
fn without(axis: usize, start: usize, end: usize) -> Option<usize> {
    match axis {
        a if a < start => Some(a),
        a if a >= end => Some(a - (end - start)),
        _ => None,
    }
}
