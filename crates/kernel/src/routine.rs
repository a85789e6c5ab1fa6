//! The loop language. A [`Routine`] is one compiled program: buffers, scalar SSA values, loops, branches and
//! calls of the runtime. It knows nothing of arrays or derivatives; shapes have become loop bounds and strides.
//!
//! Meaning, shared by the interpreter and every backend:
//! * A [`Value`] is a scalar of one dtype, defined once, visible in the block that defines it and the blocks inside.
//! * Indices and addresses count elements and are `i64`. No statement traps; an access outside its buffer is a
//!   defect of the compiler and is reported by the interpreter.
//! * A routine ends with a [`Status`]: fine, a failed check, or memory refused.

use crate::dtype::{DType, Scalar};
use crate::scalar::{Binary, ScalarOp};
use smallvec::SmallVec;
use std::borrow::Cow;

/// A scalar SSA value of a [`Function`].
///
/// ```
/// use wengert_kernel::{DType, routine::{Function, Value}};
///
/// let mut function = Function::default();
/// assert_eq!(function.value(DType::F64), Value(0));
/// assert_eq!(Value(0).to_string(), "%0");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Value(pub u32);

/// A buffer of a [`Routine`].
///
/// ```
/// use wengert_kernel::routine::{BufferId, Routine, Storage};
///
/// let routine = Routine::parse("routine arena 0  buffer b0: f64[3] input 0  buffer b1: f64[3] output 0").unwrap();
/// let id = BufferId(1);
/// assert_eq!(id.to_string(), "b1");
/// assert_eq!(routine.buffers[id.0 as usize].storage, Storage::Output(0));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BufferId(pub u32);

/// A function of a [`Routine`].
///
/// ```
/// assert_eq!(wengert_kernel::routine::FunctionId(2).to_string(), "f2");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FunctionId(pub u32);

/// A whole compiled program.
///
/// ```
/// use wengert_kernel::{DType, Scalar, verify::verify};
/// use wengert_kernel::routine::{Affine, Block, Buffer, BufferId, Function, Routine, Stmt, Storage};
///
/// let mut main = Function { name: "main".into(), ..Function::default() };
/// let out = main.value(DType::F64);
/// let constant = Stmt::Const { out, value: Scalar::new(2.0) };
/// let store = Stmt::Store { buffer: BufferId(0), at: Affine::constant(0), value: out };
/// main.body = Block { stmts: vec![constant, store], yields: Vec::new() };
/// let result = Buffer { dtype: DType::F64, len: 1, storage: Storage::Output(0) };
/// let routine = Routine { buffers: vec![result], functions: vec![main], ..Routine::default() };
/// assert_eq!(verify(&routine), Ok(()));
/// assert!(routine.to_string().contains("store b0[0] = %0"));
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Routine {
    /// All buffers, whoever provides them.
    pub buffers: Vec<Buffer>,
    /// Callees before callers; the last one is the entry, which has neither parameters nor results.
    pub functions: Vec<Function>,
    /// Bytes of the arena that one call needs (64-byte aligned).
    pub arena: usize,
    /// Bytes that each thread in a parallel loop needs for itself (64-byte aligned).
    pub local: usize,
}

/// A stretch of elements of one dtype.
///
/// ```
/// use wengert_kernel::{DType, routine::{Buffer, Routine, Storage}};
///
/// let routine = Routine::parse("routine arena 64  buffer b0: i32[16] arena 0").unwrap();
/// assert_eq!(routine.buffers, [Buffer { dtype: DType::I32, len: 16, storage: Storage::Arena(0) }]);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buffer {
    /// Element type.
    pub dtype: DType,
    /// Elements; 0 for [`Storage::Growable`].
    pub len: usize,
    /// Who provides the memory.
    pub storage: Storage,
}

/// Who provides a buffer's memory.
///
/// ```
/// use wengert_kernel::routine::Storage;
///
/// assert_eq!(Storage::Input(2).to_string(), "input 2");
/// assert_eq!(Storage::Growable.to_string(), "growable");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Storage {
    /// The i-th argument of the call; read only, aligned to one byte only.
    Input(u32),
    /// The i-th result of the call; written before it is read. Distinct from every other buffer, but for an argument over
    /// which it may be written, see [`crate::in_place`].
    Output(u32),
    /// At this byte offset of the arena. Buffers may share bytes when their uses do not overlap in time.
    Arena(usize),
    /// At this byte offset of the memory that a thread in a parallel loop has for itself: only one such loop touches it, and
    /// a round finds nothing there that another has left.
    Local(usize),
    /// Grown by [`Stmt::Reserve`], kept until the call ends. Contents survive growth.
    Growable,
    /// The i-th buffer parameter of the function whose body names it; bound by [`Stmt::Call`].
    Param(u32),
}

/// A function: scalar parameters and results, buffers by reference.
///
/// ```
/// use wengert_kernel::routine::{BufferId, Routine, Value};
///
/// let routine = Routine::parse(r#"
///     routine arena 0
///     buffer b0: f64[1] param 0
///     function f0 "double" (%0: f64; b0) { %1: f64 = add %0, %0  yield %1 }"#).unwrap();
/// let double = &routine.functions[0];
/// assert_eq!((&double.params[..], &double.buffer_params[..]), (&[Value(0)][..], &[BufferId(0)][..]));
/// assert_eq!(double.body.yields, [Value(1)]);
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Function {
    /// For print-outs and profiles.
    pub name: String,
    /// Scalar parameters.
    pub params: Vec<Value>,
    /// Buffers of [`Storage::Param`], in order.
    pub buffer_params: Vec<BufferId>,
    /// Dtype of every value, by its number.
    pub types: Vec<DType>,
    /// Where values stem from.
    pub origins: Origins,
    /// The statements; its yields are the function's results.
    pub body: Block,
}

/// Where values stem from, by number of the value: a number that means something to who made the routine. They are for
/// readers: no part of the text, and equal to all others.
///
/// ```
/// use wengert_kernel::{DType, routine::{Function, Origins}};
///
/// let mut function = Function::default();
/// let x = function.value(DType::F64);
/// function.set_origin(x, 7);
/// assert_eq!(function.origins, Origins::default(), "functions that differ in it alone are equal");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<u32>);

impl PartialEq for Origins {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Statements in order, and the values handed to the enclosing statement.
///
/// ```
/// use wengert_kernel::routine::{Block, Routine, Stmt};
///
/// let routine = Routine::parse(r#"
///     routine arena 0
///     function f0 "sign" (%0: bool) {
///       %1: i64 = if %0 { %2: i64 = const 1  yield %2 } else { %3: i64 = const -1  yield %3 }
///       yield %1
///     }"#).unwrap();
/// let Block { stmts, yields } = &routine.functions[0].body;
/// let Stmt::If { then, results, .. } = &stmts[0] else { unreachable!() };
/// assert_eq!((then.stmts.len(), results), (1, yields));
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Block {
    /// In order of execution.
    pub stmts: Vec<Stmt>,
    /// Results of the block.
    pub yields: Vec<Value>,
}

/// A linear form `offset + sum coefficient * value` over `i64` values, in elements.
///
/// ```
/// use wengert_kernel::routine::{Affine, Value};
///
/// let (row, column) = (Value(0), Value(1));
/// let element = Affine::constant(8).plus(row, 4).plus(column, 1);
/// assert_eq!(element.to_string(), "4*%0 + %1 + 8");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Affine {
    /// The constant part.
    pub offset: i64,
    /// The rest; no value stands twice and no coefficient is 0.
    pub terms: SmallVec<[(Value, i64); 3]>,
}

/// How many times a loop runs.
///
/// ```
/// use wengert_kernel::routine::{Count, Value};
///
/// assert_eq!([Count::Const(10), Count::Value(Value(3))].map(|n| n.to_string()), ["10", "%3"]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Count {
    /// Known when compiled.
    Const(u64),
    /// An `i64` value; negative means 0.
    Value(Value),
}

/// In which order the rounds of a loop are run.
///
/// ```
/// use wengert_kernel::routine::{Order, Routine, Stmt};
///
/// let routine = Routine::parse(r#"
///     routine arena 0
///     buffer b0: i64[100] output 0
///     function f0 "count" () { for %0 in 0..100 parallel 25 { store b0[%0] = %0 } }"#).unwrap();
/// let Stmt::For { order, .. } = &routine.functions[0].body.stmts[0] else { unreachable!() };
/// assert_eq!(*order, Order::Parallel { grain: 25 });
/// assert_eq!(order.to_string(), " parallel 25");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Order {
    /// Upwards.
    #[default]
    Forward,
    /// Downwards.
    Reverse,
    /// Any, on several threads: no round reads or writes an element that another round writes.
    Parallel {
        /// Rounds that one thread runs at a time, at least 1: fewer are not worth handing out.
        grain: u64,
    },
}

/// A value carried by a loop: `param` is `init` in the first round and what the body yielded after it.
///
/// ```
/// use wengert_kernel::routine::{Carried, Routine, Stmt, Value};
///
/// let routine = Routine::parse(r#"
///     routine arena 0
///     function f0 "power" (%0: f64, %1: i64) {
///       %2: f64 = for %3 in 0..%1 carry (%4: f64 = %0) { %5: f64 = mul %4, %4  yield %5 }
///       yield %2
///     }"#).unwrap();
/// let Stmt::For { carried, .. } = &routine.functions[0].body.stmts[0] else { unreachable!() };
/// assert_eq!(carried[..], [Carried { param: Value(4), init: Value(0) }]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Carried {
    /// The name inside.
    pub param: Value,
    /// The value before the first round.
    pub init: Value,
}

/// One reduction carried by a [`Stmt::Pass`]: the elements `item` over all rounds, combined by `op` in the fixed
/// order of [`crate::reduce`].
///
/// ```
/// use wengert_kernel::{Binary, routine::{Fold, Routine, Stmt, Value}};
///
/// let routine = Routine::parse(r#"
///     routine arena 0
///     buffer b0: f64[9] input 0
///     function f0 "largest" () { pass %0 in 0..9 { %1: f64 = load b0[%0] } fold max %1 -> %2: f64 }"#).unwrap();
/// let Stmt::Pass { folds, .. } = &routine.functions[0].body.stmts[0] else { unreachable!() };
/// assert_eq!(folds[..], [Fold { op: Binary::Max, item: Value(1), result: Value(2) }]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fold {
    /// `Add`, `Mul`, `Max`, `Min`, `And` or `Or`.
    pub op: Binary,
    /// The element of the round, defined in the pass's body or outside it.
    pub item: Value,
    /// The result, visible after the pass. An empty pass gives the identity.
    pub result: Value,
}

/// A stretch of a buffer handed to the runtime: `len` elements from `at`.
///
/// ```
/// use wengert_kernel::routine::{Affine, BufferId, Span, Value};
///
/// let row = Span { buffer: BufferId(1), at: Affine::default().plus(Value(0), 8), len: 8 };
/// assert_eq!(row.to_string(), "b1[8*%0; 8]");
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Span {
    /// Where.
    pub buffer: BufferId,
    /// First element.
    pub at: Affine,
    /// Elements.
    pub len: usize,
}

/// One statement.
///
/// ```
/// use wengert_kernel::{ScalarOp, Unary, routine::{Routine, Stmt, Value}};
///
/// let text = "routine arena 0  function f0 \"f\" (%0: f64) { %1: f64 = exp %0  yield %1 }";
/// let routine = Routine::parse(text).unwrap();
/// let exp = Stmt::Let { out: Value(1), op: ScalarOp::Unary(Unary::Exp), args: [Value(0)].into_iter().collect() };
/// assert_eq!(routine.functions[0].body.stmts, [exp]);
/// ```
#[derive(Clone, PartialEq, Debug)]
pub enum Stmt {
    /// A constant.
    Const {
        /// The value defined.
        out: Value,
        /// The constant.
        value: Scalar,
    },
    /// A pure scalar operation.
    Let {
        /// The value defined.
        out: Value,
        /// What is computed.
        op: ScalarOp,
        /// Operands.
        args: SmallVec<[Value; 3]>,
    },
    /// A linear form as an `i64` value.
    Index {
        /// The value defined.
        out: Value,
        /// The form.
        at: Affine,
    },
    /// Reads one element.
    Load {
        /// The value defined.
        out: Value,
        /// From where.
        buffer: BufferId,
        /// Element index.
        at: Affine,
    },
    /// Writes one element.
    Store {
        /// To where.
        buffer: BufferId,
        /// Element index.
        at: Affine,
        /// What.
        value: Value,
    },
    /// `for index in 0..count`. When it is parallel, the count is known, nothing is carried, and no round ends the routine,
    /// grows a buffer, calls the host or a function, or runs another parallel loop.
    For {
        /// The counter, `i64`.
        index: Value,
        /// Rounds.
        count: Count,
        /// From 0 up, from `count - 1` down, or any.
        order: Order,
        /// Carried scalars.
        carried: Vec<Carried>,
        /// Yields the carried values of the next round.
        body: Block,
        /// The carried values after the last round.
        results: Vec<Value>,
    },
    /// The vector loop: `count` independent rounds of straight-line code (`Const`, `Let`, `Index`, `Load`, `Store`
    /// only), which a backend may run in any order and in lanes, with reductions in the fixed order beside it.
    /// No round reads or writes an element that another round writes.
    Pass {
        /// The counter, `i64`, 0 to `count - 1`.
        index: Value,
        /// Rounds.
        count: u64,
        /// Straight-line statements.
        body: Vec<Stmt>,
        /// Reductions over the rounds.
        folds: Vec<Fold>,
    },
    /// While `test` yields true: `carried = body`.
    While {
        /// Carried scalars, visible in `test` and `body`.
        carried: Vec<Carried>,
        /// Yields one `bool`.
        test: Block,
        /// Yields the carried values of the next round.
        body: Block,
        /// The carried values when `test` gave false.
        results: Vec<Value>,
    },
    /// Runs one of two blocks.
    If {
        /// A `bool`.
        cond: Value,
        /// When true.
        then: Block,
        /// When false.
        otherwise: Block,
        /// What the block that ran yields.
        results: Vec<Value>,
    },
    /// Sets `len` elements from `at` to one value.
    Fill {
        /// Where.
        buffer: BufferId,
        /// First element.
        at: Affine,
        /// Elements.
        len: Count,
        /// What.
        value: Value,
    },
    /// Copies `len` elements; the stretches do not overlap, unless they are the same.
    Copy {
        /// To where.
        to: BufferId,
        /// First element written.
        to_at: Affine,
        /// From where.
        from: BufferId,
        /// First element read.
        from_at: Affine,
        /// Elements.
        len: Count,
    },
    /// Makes a growable buffer hold at least `len` elements (amortised doubling; new elements are zero).
    /// Refused memory ends the routine with [`Status::Memory`].
    Reserve {
        /// A buffer of [`Storage::Growable`] (or a parameter bound to one).
        buffer: BufferId,
        /// Elements, `i64`.
        len: Value,
    },
    /// Calls a function of this routine.
    Call {
        /// Which; it stands before the caller.
        function: FunctionId,
        /// Scalars.
        args: Vec<Value>,
        /// Buffers; inside, they are distinct unless both are only read.
        buffers: Vec<BufferId>,
        /// The callee's yields.
        results: Vec<Value>,
    },
    /// Calls a function of the runtime by name.
    Runtime {
        /// Its name in [`Library`].
        name: Cow<'static, str>,
        /// Integer arguments: sizes, strides.
        ints: Vec<i64>,
        /// Read.
        inputs: Vec<Span>,
        /// Written (and read, when the function accumulates).
        outputs: Vec<Span>,
    },
    /// Ends the routine with [`Status::Check`] when `when` is true.
    Fail {
        /// A `bool`.
        when: Value,
        /// Number of the check.
        check: u32,
        /// Lane of the batch that failed, `i64`.
        lane: Value,
    },
}

/// How a call ended.
///
/// ```
/// use wengert_kernel::interpret::interpret;
/// use wengert_kernel::routine::{Library, Routine, Status};
/// # struct Nothing;
/// # impl Library for Nothing {
/// #     fn call(&self, _: &str, _: &[i64], _: &[&[u8]], _: &mut [&mut [u8]]) -> bool { false }
/// # }
///
/// let routine = Routine::parse(r#"
///     routine arena 0
///     function f0 "main" () { %0: bool = const true  %1: i64 = const 0  fail %0 check 3 lane %1 }"#).unwrap();
/// assert_eq!(interpret(&routine, &[], &mut [], &Nothing), Status::Check { check: 3, lane: 0 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// All outputs are written.
    Fine,
    /// A [`Stmt::Fail`] fired; outputs are unspecified.
    Check {
        /// Number of the check.
        check: u32,
        /// Lane.
        lane: i64,
    },
    /// A growable buffer of this many bytes could not be had.
    Memory {
        /// Bytes asked for.
        bytes: u64,
    },
}

/// The runtime as the routine's interpreter sees it.
///
/// ```
/// use wengert_kernel::{interpret::interpret, routine::{Library, Routine, Status}};
///
/// struct Swap;
/// impl Library for Swap {
///     fn call(&self, name: &str, _: &[i64], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> bool {
///         if name == "swap" {
///             outputs[0].copy_from_slice(&[inputs[0][1], inputs[0][0]]);
///         }
///         name == "swap"
///     }
/// }
/// let routine = Routine::parse(r#"
///     routine arena 0
///     buffer b0: u8[2] input 0
///     buffer b1: u8[2] output 0
///     function f0 "main" () { runtime "swap" (; b0[0; 2] -> b1[0; 2]) }"#).unwrap();
/// let mut y = [0, 0];
/// assert_eq!(interpret(&routine, &[&[1, 2]], &mut [&mut y], &Swap), Status::Fine);
/// assert_eq!(y, [2, 1]);
/// ```
pub trait Library {
    /// Runs the function `name`; `false` when there is none of that name. Spans are given as the bytes they cover.
    ///
    /// ```
    /// use wengert_kernel::routine::Library;
    ///
    /// struct Nothing;
    /// impl Library for Nothing {
    ///     fn call(&self, _: &str, _: &[i64], _: &[&[u8]], _: &mut [&mut [u8]]) -> bool { false }
    /// }
    /// assert!(!Nothing.call("dot_f64", &[], &[], &mut []));
    /// ```
    fn call(&self, name: &str, ints: &[i64], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> bool;
}

/// Blocks inside blocks that a routine may have; passes may recurse over them (never over the length of a block).
pub(crate) const MAX_NESTING: usize = 256;

impl Block {
    /// Visits every value defined in the block and the blocks inside, in order of the text.
    pub(crate) fn for_each_definition(&self, visit: &mut dyn FnMut(Value)) {
        self.stmts.iter().for_each(|stmt| stmt.for_each_definition(visit));
    }
}

impl Stmt {
    /// Visits every value the statement defines, the blocks inside included.
    pub(crate) fn for_each_definition(&self, visit: &mut dyn FnMut(Value)) {
        match self {
            Stmt::Const { out, .. } | Stmt::Let { out, .. } | Stmt::Index { out, .. } | Stmt::Load { out, .. } => {
                visit(*out);
            }
            Stmt::For { index, carried, body, results, .. } => {
                visit(*index);
                carried.iter().for_each(|c| visit(c.param));
                body.for_each_definition(visit);
                results.iter().for_each(|&v| visit(v));
            }
            Stmt::Pass { index, body, folds, .. } => {
                visit(*index);
                body.iter().for_each(|stmt| stmt.for_each_definition(visit));
                folds.iter().for_each(|f| visit(f.result));
            }
            Stmt::While { carried, test, body, results } => {
                carried.iter().for_each(|c| visit(c.param));
                test.for_each_definition(visit);
                body.for_each_definition(visit);
                results.iter().for_each(|&v| visit(v));
            }
            Stmt::If { then, otherwise, results, .. } => {
                then.for_each_definition(visit);
                otherwise.for_each_definition(visit);
                results.iter().for_each(|&v| visit(v));
            }
            Stmt::Call { results, .. } => results.iter().for_each(|&v| visit(v)),
            Stmt::Store { .. }
            | Stmt::Fill { .. }
            | Stmt::Copy { .. }
            | Stmt::Reserve { .. }
            | Stmt::Runtime { .. }
            | Stmt::Fail { .. } => {}
        }
    }
}

impl Affine {
    /// A constant.
    ///
    /// ```
    /// use wengert_kernel::routine::Affine;
    ///
    /// assert!(Affine::constant(7).terms.is_empty());
    /// ```
    pub fn constant(offset: i64) -> Self {
        Affine { offset, terms: SmallVec::new() }
    }

    /// One value.
    ///
    /// ```
    /// use wengert_kernel::routine::{Affine, Value};
    ///
    /// assert_eq!(Affine::value(Value(1)).to_string(), "%1");
    /// ```
    pub fn value(value: Value) -> Self {
        Affine::constant(0).plus(value, 1)
    }

    /// `self + coefficient * value`.
    ///
    /// ```
    /// use wengert_kernel::routine::{Affine, Value};
    ///
    /// let x = Value(0);
    /// assert_eq!(Affine::value(x).plus(x, 2).to_string(), "3*%0");
    /// assert_eq!(Affine::value(x).plus(x, -1), Affine::constant(0));
    /// ```
    pub fn plus(mut self, value: Value, coefficient: i64) -> Self {
        match self.terms.iter_mut().find(|t| t.0 == value) {
            Some(term) => term.1 += coefficient,
            None => self.terms.push((value, coefficient)),
        }
        self.terms.retain(|t| t.1 != 0);
        self
    }

    /// `self + coefficient * other`.
    ///
    /// ```
    /// use wengert_kernel::routine::{Affine, Value};
    ///
    /// let row = Affine::value(Value(0)).shifted(1);
    /// assert_eq!(Affine::value(Value(1)).plus_affine(&row, 10).to_string(), "%1 + 10*%0 + 10");
    /// ```
    pub fn plus_affine(mut self, other: &Affine, coefficient: i64) -> Self {
        self.offset += coefficient * other.offset;
        for &(v, c) in &other.terms {
            self = self.plus(v, c * coefficient);
        }
        self
    }

    /// `self + offset`.
    ///
    /// ```
    /// use wengert_kernel::routine::{Affine, Value};
    ///
    /// assert_eq!(Affine::value(Value(0)).shifted(-1).to_string(), "%0 - 1");
    /// ```
    pub fn shifted(mut self, offset: i64) -> Self {
        self.offset += offset;
        self
    }

    /// The coefficient of a value.
    ///
    /// ```
    /// use wengert_kernel::routine::{Affine, Value};
    ///
    /// let at = Affine::constant(5).plus(Value(0), 4);
    /// assert_eq!((at.coefficient(Value(0)), at.coefficient(Value(1))), (4, 0));
    /// ```
    pub fn coefficient(&self, value: Value) -> i64 {
        self.terms.iter().find(|t| t.0 == value).map_or(0, |t| t.1)
    }
}

impl Function {
    /// A fresh value of a dtype.
    ///
    /// ```
    /// use wengert_kernel::{DType, routine::Function};
    ///
    /// let mut function = Function::default();
    /// let (x, y) = (function.value(DType::F64), function.value(DType::Bool));
    /// assert_ne!(x, y);
    /// assert_eq!(function.types, [DType::F64, DType::Bool]);
    /// ```
    pub fn value(&mut self, dtype: DType) -> Value {
        self.types.push(dtype);
        Value(self.types.len() as u32 - 1)
    }

    /// Says where a value stems from.
    ///
    /// ```
    /// use wengert_kernel::{DType, routine::Function};
    ///
    /// let mut function = Function::default();
    /// let x = function.value(DType::F64);
    /// function.set_origin(x, 4);
    /// function.set_origin(x, 5);
    /// assert_eq!(function.origin(x), Some(5));
    /// ```
    pub fn set_origin(&mut self, value: Value, origin: u32) {
        let origins = &mut self.origins.0;
        origins.resize(origins.len().max(value.0 as usize + 1), u32::MAX);
        origins[value.0 as usize] = origin;
    }

    /// Where a value stems from, if anybody said.
    ///
    /// ```
    /// use wengert_kernel::{DType, routine::Function};
    ///
    /// let mut function = Function::default();
    /// let [x, y] = [DType::F64, DType::F64].map(|dtype| function.value(dtype));
    /// function.set_origin(y, 4);
    /// assert_eq!((function.origin(x), function.origin(y)), (None, Some(4)));
    /// ```
    pub fn origin(&self, value: Value) -> Option<u32> {
        self.origins.0.get(value.0 as usize).copied().filter(|&o| o != u32::MAX)
    }

    /// Where a statement stems from: that of the value that it defines, stores or tests.
    ///
    /// ```
    /// use wengert_kernel::{DType, routine::{Affine, BufferId, Function, Stmt}};
    ///
    /// let mut function = Function::default();
    /// let value = function.value(DType::F64);
    /// function.set_origin(value, 4);
    /// let store = Stmt::Store { buffer: BufferId(0), at: Affine::constant(0), value };
    /// assert_eq!(function.origin_of(&store), Some(4));
    /// ```
    pub fn origin_of(&self, stmt: &Stmt) -> Option<u32> {
        let value = match stmt {
            Stmt::Const { .. } => None,
            Stmt::Let { out, .. } | Stmt::Index { out, .. } | Stmt::Load { out, .. } => Some(*out),
            Stmt::Store { value, .. } | Stmt::Fill { value, .. } => Some(*value),
            Stmt::For { results, .. } | Stmt::While { results, .. } | Stmt::If { results, .. } => {
                results.first().copied()
            }
            Stmt::Call { results, .. } => results.first().copied(),
            Stmt::Fail { when, .. } => Some(*when),
            Stmt::Pass { .. } | Stmt::Copy { .. } | Stmt::Reserve { .. } | Stmt::Runtime { .. } => None,
        };
        value.and_then(|v| self.origin(v))
    }

    /// The dtype of a value.
    ///
    /// ```
    /// use wengert_kernel::{DType, routine::Function};
    ///
    /// let mut function = Function::default();
    /// let p = function.value(DType::Bool);
    /// assert_eq!(function.dtype(p), DType::Bool);
    /// ```
    pub fn dtype(&self, value: Value) -> DType {
        self.types[value.0 as usize]
    }
}
