//! All that the system may ask of a primitive.
//!
//! Names here and in every rule: `x` primal operands, `dx` their tangents, `y` results, `ct` cotangents of results.
//! A tangent or cotangent that is `None` is zero.

use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::lanes::{Lanes, Places};
use crate::program::Program;
use crate::refusal::not_linear;
use crate::types::Type;
use crate::value::Value;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;
use wengert_kernel::{Binary, DType, Scalar, ScalarOp};

/// Results, and their coefficients after the first: by order, then by result.
///
/// ```
/// let (y, dy): wengert_core::primitive::Jet = (vec![2.0.into()], vec![vec![None]]);
/// assert_eq!((y.len(), dy[0].len()), (1, 1));
/// ```
pub type Jet = (Vec<Array>, Vec<Vec<Option<Array>>>);

/// What an operation is to the system. Rules are written in the user's language, on [`Array`]s of an open trace.
///
/// ```
/// use wengert_core::{DType, Type, ops::{Op, UnaryOp}, primitive::Primitive};
/// use wengert_kernel::Unary;
///
/// let sin = Op::from(UnaryOp(Unary::Sin));
/// assert_eq!(sin.name(), "sin");
/// assert_eq!(sin.infer(&[Type::array(DType::F32, &[3])]), Ok(vec![Type::array(DType::F32, &[3])]));
/// assert!(sin.infer(&[Type::array(DType::I32, &[3])]).is_err());
/// ```
pub trait Primitive {
    /// The name in printed programs.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert_eq!(sin.name(), "sin");
    /// ```
    fn name(&self) -> &'static str;

    /// Parameters for print and parse, in a fixed order.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert!(sin.attributes().is_empty());
    /// ```
    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        Vec::new()
    }

    /// The types of the results. The only judge of shapes and dtypes.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert!(sin.infer(&[Type::array(DType::I32, &[3])]).is_err());
    /// ```
    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError>;

    /// The reference: plain and obviously right. Owns its operands, so that an update of the last reference is in place.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// let y = sin.eval(vec![wengert_core::value::Value::scalar(0.0)]).unwrap();
    /// assert_eq!(y[0].array().slice::<f64>(), [0.0]);
    /// ```
    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error>;

    /// What errors call operand `i` of `n`; `None` when it is not the user's own (a lane mask, what a body captures).
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert_eq!(sin.operand(0, 1).as_deref(), Some("operand"));
    /// ```
    fn operand(&self, i: usize, n: usize) -> Option<String> {
        Some(if n == 1 { "operand".to_owned() } else { format!("operand {i}") })
    }

    /// Results and their tangents together.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// let (y, dy) = sin.jvp(&[0.0.into()], &[Some(2.0.into())]);
    /// assert_eq!((&y[0], &dy[0]), (&0.0.into(), &Some(2.0.into())));
    /// ```
    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>);

    /// For operations with programs inside: results and their coefficients together, by the same operation on power series.
    /// `dx[k]` are the coefficients of order `k + 1` by operand, and so are those of the results.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert!(sin.jet(&[0.0.into()], &[vec![Some(2.0.into())]]).is_none()); // its series follow from its `jvp`
    /// ```
    fn jet(&self, x: &[Array], dx: &[Vec<Option<Array>>]) -> Option<Jet> {
        let _ = (x, dx);
        None
    }

    /// For operations linear in some operands: adds to the cotangents of these. At least one `ct` is not zero.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wengert_core::{program::parse, transform::{Mode, transpose}};
    ///
    /// // The rule of `neg`, as the transform calls it.
    /// let program = Arc::new(parse("program (%0: f64[]) {\n  %1: f64[] = neg %0\n  return %1\n}\n")?);
    /// assert!(transpose(&program, &[Mode::Linear], &[true]).to_string().contains("neg"));
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let _ = (ct, x, into);
        not_linear(&format!("`{}`", self.name()))
    }

    /// The operation on operands of which at least one has a batch axis of `size` in front.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// let y = sin.batch(&[Batched::mapped(array![0.0, 0.0])], 2);
    /// assert!(y[0].mapped);
    /// ```
    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched>;

    /// What the operation is to the loop compiler.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert!(matches!(sin.lower(), Lowering::Map(_)));
    /// ```
    fn lower(&self) -> Lowering;

    /// Where the results have the lanes that the operands have. Told by how it lowers, where that is not [`Lowering::Structural`].
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// use wengert_core::lanes::{Lanes, Places};
    /// let (x, ty) = (Lanes::leading(&[2]), Type::array(DType::F64, &[2]));
    /// let at = Places { x: &[x.clone()], types: &[&ty], results: &[&ty], mask: &[2] };
    /// assert_eq!(sin.lanes(&at), [x]);
    /// ```
    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        vec![at.through(&self.lower()); at.results.len()]
    }

    /// Whether running it has an effect besides its results.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert_eq!(sin.effect(), Effect::None);
    /// ```
    fn effect(&self) -> Effect {
        Effect::None
    }

    /// The programs inside.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert!(sin.programs().is_empty());
    /// ```
    fn programs(&self) -> SmallVec<[&Arc<Program>; 2]> {
        SmallVec::new()
    }

    /// The results on complex operands, each a pair of real arrays, in the user's operations on these. `None`: if it only
    /// moves or adds up elements (which its lowering says) it is done to each part, else it is refused.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert!(sin.complex(&[&wengert_core::complex(&array![0.0], &array![1.0])]).is_some());
    /// ```
    fn complex(&self, x: &[&Array]) -> Option<Vec<Array>> {
        let _ = x;
        None
    }

    /// Whether it is a product: one result, linear in each of its two operands while the other stays.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert!(!sin.is_bilinear());
    /// ```
    fn is_bilinear(&self) -> bool {
        false
    }

    /// Whether the backward pass had better compute the result again than keep it. Only for operations that are finite at 0.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert!(!sin.cheap());
    /// ```
    fn cheap(&self) -> bool {
        false
    }

    /// For operations with programs inside: the half that the `unknown` operands do not reach, and the other one.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert!(sin.split(&[true]).is_none()); // it has no program inside
    /// ```
    fn split(&self, unknown: &[bool]) -> Option<crate::transform::SplitEquation> {
        let _ = unknown;
        None
    }

    /// For operations that run a program many times: the operation given what is the same every time.
    ///
    /// ```
    /// use wengert_core::{ops::Op, primitive::Primitive, program::parse};
    ///
    /// let program = parse("program (%0: bool[], %1: f64[], %2: f64[]) {
    ///   %3: f64[] = loop[inv=1, acc=0, carry=1, xs=0, length=9, reverse=false, body=program (%0: bool[], %1: i64[], %2: f64[], %3: f64[]) {
    ///     %4: f64[] = exp %2
    ///     %5: f64[] = mul %3 %4
    ///     return %5
    ///   }] %0 %1 %2
    ///   return %3
    /// }")?;
    /// let hoisted = program.equations()[0].op.hoist().expect("the exponential is always the same");
    /// assert_eq!((hoisted.args, hoisted.place), (1..2, 2));
    /// assert!(hoisted.before.to_string().contains("exp"));
    /// assert!(!hoisted.op.programs()[0].to_string().contains("exp"));
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    fn hoist(&self) -> Option<Hoisted> {
        None
    }

    /// For operations with programs inside: the operation without the results that are not `live`.
    ///
    /// ```
    /// use wengert_core::{DType, Type, array, ops::{Op, UnaryOp}, primitive::*};
    /// use wengert_kernel::Unary;
    ///
    /// let sin = Op::from(UnaryOp(Unary::Sin));
    /// assert!(sin.prune(&[true]).is_none()); // it has no program inside
    /// ```
    fn prune(&self, live: &[bool]) -> Option<Pruned> {
        let _ = live;
        None
    }
}

/// An operation with programs inside, without what is the same each time that they run.
///
/// ```
/// use wengert_core::{ops::{Op, Select}, primitive::Primitive};
///
/// assert!(Op::from(Select).hoist().is_none()); // it has no program inside
/// ```
pub struct Hoisted {
    /// What is computed once.
    pub before: Program,
    /// Its operands, by position among those of the operation.
    pub args: Range<usize>,
    /// The operand of the operation in front of which its results are inserted.
    pub place: usize,
    /// The operation that takes them.
    pub op: crate::ops::Op,
}

/// An operation with fewer operands and results.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{ops::{Call, Op}, primitive::Primitive, program::parse};
///
/// let body = parse("program (%0: bool[], %1: f64[], %2: f64[]) {\n  return %1, %2\n}\n")?;
/// let call = Op::from(Call::of(Arc::new(body)));
/// assert_eq!(call.prune(&[false, true]).expect("one result is not needed").results, [1]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub struct Pruned {
    /// The smaller operation.
    pub op: crate::ops::Op,
    /// Which operands remain, by position.
    pub args: Vec<usize>,
    /// Which results remain, by position; all live ones do.
    pub results: Vec<usize>,
}

/// What an equation does besides computing results. Ordered by strength.
///
/// ```
/// use wengert_core::primitive::Effect;
///
/// assert!(Effect::None < Effect::Check && Effect::Check < Effect::Ordered);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Effect {
    /// Nothing.
    None,
    /// It may end the program with an error.
    Check,
    /// It is seen outside, in order.
    Ordered,
}

/// A parameter of an operation, as printed programs hold it.
///
/// ```
/// use wengert_core::{ops::{Op, Reduce}, primitive::{Attribute, Primitive}};
/// use wengert_kernel::Binary;
///
/// let op = Op::from(Reduce { op: Binary::Add, start: 0, end: 1 });
/// assert_eq!(op.attributes(), [("start", Attribute::Int(0)), ("end", Attribute::Int(1))]);
/// ```
#[derive(Clone, PartialEq, Debug)]
pub enum Attribute {
    /// `3`
    Int(i64),
    /// `[0, 2]`
    Ints(Vec<i64>),
    /// `2.5f64`
    Scalar(Scalar),
    /// `f32`
    DType(DType),
    /// `true`
    Bool(bool),
    /// A bare name: `clamp`
    Word(String),
    /// `"quoted"`
    Text(String),
    /// `list(f64[])`
    Type(Type),
    /// `{ ... }`
    Program(Arc<Program>),
}

impl Attribute {
    /// Lengths or axes.
    ///
    /// ```
    /// use wengert_core::primitive::Attribute;
    ///
    /// assert_eq!(Attribute::sizes(&[2, 3]), Attribute::Ints(vec![2, 3]));
    /// ```
    pub fn sizes(sizes: &[usize]) -> Attribute {
        Attribute::Ints(sizes.iter().map(|&n| n as i64).collect())
    }
}

/// An operand of an equation that is being transposed.
///
/// ```
/// use wengert_core::{DType, Type, primitive::Operand};
///
/// assert!(Operand::Linear(Type::scalar(DType::F64)).is_linear());
/// ```
#[derive(Clone, Debug)]
pub enum Operand {
    /// Does not depend on the linear inputs.
    Known(Array),
    /// Does; only its type is known.
    Linear(Type),
}

impl Operand {
    /// Whether it depends on the linear inputs.
    ///
    /// ```
    /// assert!(!wengert_core::primitive::Operand::Known(1.0.into()).is_linear());
    /// ```
    pub fn is_linear(&self) -> bool {
        matches!(self, Operand::Linear(_))
    }

    /// The known array; an error at the user's line when it is linear.
    ///
    /// ```
    /// assert_eq!(wengert_core::primitive::Operand::Known(1.0.into()).known(), &1.0.into());
    /// ```
    #[track_caller]
    pub fn known(&self) -> &Array {
        match self {
            Operand::Known(x) => x,
            Operand::Linear(_) => not_linear("the operation at this line"),
        }
    }

    /// The type.
    ///
    /// ```
    /// assert_eq!(wengert_core::primitive::Operand::Known(1.0.into()).ty().to_string(), "f64[]");
    /// ```
    pub fn ty(&self) -> Type {
        match self {
            Operand::Known(x) => x.ty(),
            Operand::Linear(ty) => ty.clone(),
        }
    }
}

/// The cotangents of an equation's operands. Two operands may be one variable and then share one cotangent.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::{Mode, transpose}};
///
/// // `mul` adds to the cotangent of its second operand, which is the linear one here.
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// assert_eq!(transpose(&program, &[Mode::Known, Mode::Linear], &[true]).outputs().len(), 1);
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub struct Cotangents<'a> {
    /// The current cotangents, by variable.
    pub(crate) table: &'a mut [Option<Array>],
    /// The operands' places in the table; `None` for operands that are not linear.
    pub(crate) places: SmallVec<[Option<usize>; 4]>,
}

impl Cotangents<'_> {
    /// Adds to the cotangent of operand `i`; nothing happens when it is not linear.
    ///
    /// ```
    /// use wengert_core::{Array, primitive::Cotangents};
    ///
    /// fn of_neg(ct: &Array, into: &mut Cotangents<'_>) {
    ///     into.add(0, -ct);
    /// }
    /// ```
    pub fn add(&mut self, i: usize, ct: Array) {
        let Some(place) = self.places[i] else { return };
        let sum = match self.table[place].take() {
            Some(old) => crate::ops::add_any(&old, &ct),
            None => ct,
        };
        self.table[place] = Some(sum);
    }

    /// Takes the current cotangent of operand `i`, to be updated in place and given back by [`Cotangents::add`].
    ///
    /// ```
    /// use wengert_core::{Array, primitive::Cotangents};
    ///
    /// fn of_row(ct: &Array, into: &mut Cotangents<'_>) {
    ///     let sum = into.take(0).unwrap_or_else(|| wengert_core::zeros(3));
    ///     into.add(0, sum.scatter_add(wengert_core::array![1i64], &ct.reshape(1)));
    /// }
    /// ```
    pub fn take(&mut self, i: usize) -> Option<Array> {
        self.places[i].and_then(|place| self.table[place].take())
    }

    /// Whether the equation is linear in operand `i`.
    ///
    /// ```
    /// use wengert_core::{Array, primitive::Cotangents};
    ///
    /// fn of_product(ct: &Array, other: &Array, into: &mut Cotangents<'_>) {
    ///     if into.wants(0) {
    ///         into.add(0, ct * other);
    ///     }
    /// }
    /// ```
    pub fn wants(&self, i: usize) -> bool {
        self.places[i].is_some()
    }
}

/// An operand or result under `vmap`.
///
/// ```
/// use wengert_core::{array, primitive::Batched};
///
/// assert_eq!(Batched::shared(array![1.0, 2.0]).spread(2), array![[1.0, 2.0], [1.0, 2.0]]);
/// ```
#[derive(Clone, Debug)]
pub struct Batched {
    /// The array, or list.
    pub array: Array,
    /// Whether it has the batch axis in front; else all lanes share it.
    pub mapped: bool,
}

impl Batched {
    /// With a batch axis in front.
    ///
    /// ```
    /// use wengert_core::{array, primitive::Batched};
    ///
    /// assert_eq!(Batched::mapped(array![1.0, 2.0]).spread(2), array![1.0, 2.0]);
    /// ```
    pub fn mapped(array: Array) -> Self {
        Batched { array, mapped: true }
    }

    /// Shared by all lanes.
    ///
    /// ```
    /// use wengert_core::{array, primitive::Batched};
    ///
    /// assert!(!Batched::shared(array![1.0]).mapped);
    /// ```
    pub fn shared(array: Array) -> Self {
        Batched { array, mapped: false }
    }

    /// With the batch axis, made by broadcasting where there is none.
    ///
    /// ```
    /// use wengert_core::{array, primitive::Batched};
    ///
    /// assert_eq!(Batched::shared(1.0.into()).spread(2), array![1.0, 1.0]);
    /// ```
    pub fn spread(&self, size: usize) -> Array {
        if self.mapped { self.array.clone() } else { crate::ops::spread_any(&self.array, size) }
    }
}

/// What an operation is to the loop compiler: how to compute element `i` of the result, or a structure it knows.
///
/// ```
/// use wengert_core::{ops::{Op, UnaryOp}, primitive::{Lowering, Primitive}};
/// use wengert_kernel::{ScalarOp, Unary};
///
/// assert_eq!(Op::from(UnaryOp(Unary::Sin)).lower(), Lowering::Map(ScalarOp::Unary(Unary::Sin)));
/// ```
#[derive(Clone, PartialEq, Debug)]
pub enum Lowering {
    /// Every element is this.
    Literal(Scalar),
    /// Element `i` is `i[axis]`, in the result's dtype.
    Iota {
        /// The axis counted.
        axis: usize,
    },
    /// Elementwise on operands of equal shape.
    Map(ScalarOp),
    /// Element `i` is `x[view(i)]`.
    View(View),
    /// Axis `axis` of the operand becomes two: element `i, k` of these is element `stride i + dilation k` of it.
    Windows {
        /// The axis.
        axis: usize,
        /// How far one window begins after the one before.
        stride: usize,
        /// How far apart the elements of a window are.
        dilation: usize,
    },
    /// The elements in row-major order under another shape.
    Reshape,
    /// The operands one after the other along an axis.
    Concatenate {
        /// The axis joined.
        axis: usize,
    },
    /// Operands `x, value`: `x[i - low]` where that is inside, else the scalar `value`.
    Pad {
        /// Elements before, by axis.
        low: SmallVec<[usize; 4]>,
    },
    /// Combines the axes `start..end` in the order of `kernel::reduce`.
    Reduce {
        /// `Add`, `Mul`, `Max`, `Min`, `And` or `Or`.
        op: Binary,
        /// First axis.
        start: usize,
        /// One past the last axis.
        end: usize,
    },
    /// Index of the first greatest (or smallest) element along an axis; the first NaN wins.
    ArgReduce {
        /// Greatest, else smallest.
        max: bool,
        /// The axis searched.
        axis: usize,
    },
    /// `[batch.., m, k] x [batch.., k, n] -> [batch.., m, n]`.
    Dot {
        /// Number of leading batch axes.
        batch: usize,
    },
    /// `x: [batch.., n, rest..]`, `i: [batch.., index..]` to `[batch.., index.., rest..]`; indices clamped to `0..n`.
    Gather {
        /// Number of leading batch axes.
        batch: usize,
    },
    /// `c, i, u`: `c[b, i[b, k], ..] += u[b, k, ..]`, or `=`, in row-major order of `u`; in place when `c` dies here.
    Accumulate {
        /// Number of leading batch axes.
        batch: usize,
        /// What becomes of indices outside `0..n`.
        mode: IndexMode,
        /// Add rather than replace.
        add: bool,
    },
    /// `x, start_0, ...`: a window of `sizes` at starts clamped so that it fits; starts have the batch shape.
    DynamicSlice {
        /// Number of leading batch axes.
        batch: usize,
        /// Window lengths of the axes after the batch axes.
        sizes: SmallVec<[usize; 4]>,
    },
    /// `x, u, start_0, ...`: `x` with the window (starts clamped) added to, or replaced by, `u`; in place when `x` dies here.
    DynamicUpdate {
        /// Number of leading batch axes.
        batch: usize,
        /// Add rather than replace.
        add: bool,
    },
    /// `c, u`: `c[start + stride * i] += u[i]`; in place when `c` dies here.
    SliceAdd {
        /// First element by axis.
        start: SmallVec<[usize; 4]>,
        /// Step by axis.
        stride: SmallVec<[usize; 4]>,
    },
    /// A function of the runtime over a batch: every operand and result is handed to it dense, as one part for each element
    /// of the leading `batch` axes. It gets the integers `[parts, ints.., lengths..]`, the lengths being those of every
    /// operand's axes after the batch, one operand after the other.
    Call {
        /// Its name in the runtime, without `_` and the dtype of operand 0.
        function: &'static str,
        /// Number of leading batch axes, of every operand and result.
        batch: usize,
        /// What else it is told.
        ints: SmallVec<[i64; 4]>,
    },
    /// The operand itself. It still means something to transforms, so simplification keeps it.
    Identity,
    /// Loops, branches, calls, lists, checks: the compiler knows them by name.
    Structural,
}

/// What becomes of an index outside its axis.
///
/// ```
/// use wengert_core::array;
///
/// // `at` clamps, `scatter_add` drops.
/// assert_eq!(array![1, 2].at(9), 2.into());
/// assert_eq!(array![1, 2].scatter_add(array![9], &array![5]), array![1, 2]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IndexMode {
    /// It is moved to the nearest end.
    Clamp,
    /// Reads give 0, updates are dropped.
    Drop,
}

/// An index map: operand axis `a` is read at `offset + sum stride * i[axis]` over at most one result axis.
///
/// ```
/// use wengert_core::{ops::{Op, Reverse}, primitive::{Lowering, Primitive}};
///
/// let reverse = Op::from(Reverse { shape: [3].as_slice().into(), axes: [0].as_slice().into() });
/// let Lowering::View(view) = reverse.lower() else { unreachable!() };
/// assert_eq!(view.axes.len(), 1);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct View {
    /// One for each operand axis.
    pub axes: SmallVec<[ViewAxis; 4]>,
}

/// Where one operand axis is read.
///
/// ```
/// use wengert_core::{ops::{Op, Reverse}, primitive::{Lowering, Primitive}};
///
/// let reverse = Op::from(Reverse { shape: [3].as_slice().into(), axes: [0].as_slice().into() });
/// let Lowering::View(view) = reverse.lower() else { unreachable!() };
/// // Element i is read at 2 - i.
/// assert_eq!((view.axes[0].offset, view.axes[0].from), (2, Some((0, -1))));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ViewAxis {
    /// The constant part.
    pub offset: i64,
    /// The result axis that moves it, and by how much.
    pub from: Option<(usize, i64)>,
}
