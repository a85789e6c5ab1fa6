//! The primitives: one file each (or one table for each elementwise family), and this list.

mod axes;
pub(crate) mod bodies;
mod custom;
mod elementwise;
mod implicit;
pub(crate) mod matrix;
mod operands;
mod rule;
pub(crate) mod rules;
mod samples;
mod scan;
mod view;

pub use argsort::sort_together;
pub use axes::{Axes, Integers, KeepDims, keepdims};
pub(crate) use axes::{distinct_axes, lengths, one_axis};
pub use cholesky::cholesky;
pub use concatenate::{concatenate, stack};
pub use det::det;
pub use eig::{eig, eigvals};
pub use eigh::{eigh, eigvalsh};
pub(crate) use gather::inside;
pub use gather::{Index, Indices};
pub use lu::{lu, lu_factor};
pub use pinv::{pinv, pinv_rtol};
pub use qr::qr;
pub(crate) use recurrence::each_in_turn;
pub use samples::Sample;
pub use slice::{Span, Spans};
pub use solve::{inv, solve};
pub use svd::{Vectors, svd, svdvals};
pub use triangular_solve::{Triangle, solve_triangular};

use crate::array::Array;
use crate::error::TypeError;
use crate::lanes::OpLanes;
use crate::primitive::{Attribute, Primitive};
use crate::program::Program;
use crate::types::Type;
use std::ops::Deref;
use std::sync::Arc;
use wengert_kernel::{Binary, DType, Scalar};

pub use call::{call, checkpoint, checkpoint_keeping};
pub use check::check;
pub use cond::cond;
pub use custom::{custom_jvp, custom_vjp, custom_vmap};
pub use fft::Transform;
pub use host_call::{callback, debug_callback, debug_print, extern_call, io_callback};
pub use implicit::{custom_root, linear_solve};
pub use rule::{Backward, BatchRule, Keep, Rule};
pub use scan::{Bound, fori_loop, scan, scan_reverse};
pub use while_loop::while_loop;

/// What a primitive is besides its behaviour: its names, how it is read back, and what its laws are checked on.
///
/// ```
/// use wengert_core::ops::{Definition, Select};
///
/// assert_eq!(Select::NAMES, ["select"]);
/// assert!(!Select::samples().is_empty());
/// ```
pub trait Definition: Primitive + Sized {
    /// Every name it prints under.
    const NAMES: &'static [&'static str];

    /// From its printed name and attributes.
    ///
    /// ```
    /// use wengert_core::ops::{Attributes, Definition, Select};
    ///
    /// assert_eq!(Select::parse("select", &Attributes(Vec::new())), Ok(Select));
    /// ```
    fn parse(name: &str, attributes: &Attributes) -> Result<Self, TypeError>;

    /// What the laws are checked on; at least one for each behaviour worth a law.
    ///
    /// ```
    /// use wengert_core::ops::{Definition, Dot};
    ///
    /// assert!(Dot::samples().len() >= 12);
    /// ```
    fn samples() -> Vec<Sample>;

    /// The same with operands of a length, for every length around the width of vectors: hard values and ties wherever
    /// elements are looked at, smooth points beside them. None where no operand has a length.
    ///
    /// ```
    /// use wengert_core::ops::{Definition, Select};
    ///
    /// assert!(!Select::samples_of_length(17).is_empty());
    /// ```
    fn samples_of_length(_: usize) -> Vec<Sample> {
        Vec::new()
    }
}

/// The attributes of an operation that is being parsed.
///
/// ```
/// use wengert_core::{ops::Attributes, primitive::Attribute};
///
/// let attributes = Attributes(vec![("axis".into(), Attribute::Int(1)), ("sizes".into(), Attribute::Ints(vec![2, 3]))]);
/// assert_eq!(attributes.int("axis"), Ok(1));
/// assert!(attributes.ints("axis").is_err());
/// ```
pub struct Attributes(pub Vec<(String, Attribute)>);

macro_rules! attribute_getters {
    ($($(#[$doc:meta])* $name:ident -> $t:ty, $variant:ident, $word:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self, key: &str) -> Result<$t, TypeError> {
            match self.get(key)? {
                Attribute::$variant(x) => Ok(x.clone()),
                _ => Err(TypeError::new(format!(concat!("attribute `{}` is not ", $word), key))),
            }
        }
    )*};
}

impl Attributes {
    fn get(&self, key: &str) -> Result<&Attribute, TypeError> {
        let found = self.0.iter().find(|(k, _)| k == key);
        found.map(|(_, a)| a).ok_or_else(|| TypeError::new(format!("attribute `{key}` is missing")))
    }

    /// Whether the attribute is there.
    ///
    /// ```
    /// use wengert_core::{ops::Attributes, primitive::Attribute};
    ///
    /// let attributes = Attributes(vec![("axis".into(), Attribute::Int(1)), ("sizes".into(), Attribute::Ints(vec![2, 3]))]);
    /// assert!(attributes.has("axis") && !attributes.has("shape"));
    /// ```
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_ok()
    }

    attribute_getters! {
        /// An integer.
        ///
        /// ```
        /// use wengert_core::{ops::Attributes, primitive::Attribute};
        ///
        /// let attributes = Attributes(vec![("k".into(), Attribute::Int(1))]);
        /// assert_eq!(attributes.int("k"), Ok(1));
        /// ```
        int -> i64, Int, "an integer";
        /// A list of integers.
        ///
        /// ```
        /// use wengert_core::{ops::Attributes, primitive::Attribute};
        ///
        /// let attributes = Attributes(vec![("k".into(), Attribute::Ints(vec![1]))]);
        /// assert_eq!(attributes.ints("k"), Ok(vec![1]));
        /// ```
        ints -> Vec<i64>, Ints, "a list of integers";
        /// A scalar.
        ///
        /// ```
        /// use wengert_core::{ops::Attributes, primitive::Attribute};
        /// use wengert_core::Scalar;
        ///
        /// let attributes = Attributes(vec![("k".into(), Attribute::Scalar(Scalar::new(1.0)))]);
        /// assert_eq!(attributes.scalar("k"), Ok(Scalar::new(1.0)));
        /// ```
        scalar -> Scalar, Scalar, "a scalar";
        /// A dtype.
        ///
        /// ```
        /// use wengert_core::{ops::Attributes, primitive::Attribute};
        /// use wengert_core::DType;
        ///
        /// let attributes = Attributes(vec![("k".into(), Attribute::DType(DType::F32))]);
        /// assert_eq!(attributes.dtype("k"), Ok(DType::F32));
        /// ```
        dtype -> DType, DType, "a dtype";
        /// `true` or `false`.
        ///
        /// ```
        /// use wengert_core::{ops::Attributes, primitive::Attribute};
        ///
        /// let attributes = Attributes(vec![("k".into(), Attribute::Bool(true))]);
        /// assert_eq!(attributes.bool("k"), Ok(true));
        /// ```
        bool -> bool, Bool, "a truth value";
        /// A bare word.
        ///
        /// ```
        /// use wengert_core::{ops::Attributes, primitive::Attribute};
        ///
        /// let attributes = Attributes(vec![("k".into(), Attribute::Word("clamp".into()))]);
        /// assert_eq!(attributes.word("k"), Ok("clamp".into()));
        /// ```
        word -> String, Word, "a word";
        /// A quoted text.
        ///
        /// ```
        /// use wengert_core::{ops::Attributes, primitive::Attribute};
        ///
        /// let attributes = Attributes(vec![("k".into(), Attribute::Text("x".into()))]);
        /// assert_eq!(attributes.text("k"), Ok("x".into()));
        /// ```
        text -> String, Text, "a text";
        /// A type.
        ///
        /// ```
        /// use wengert_core::{ops::Attributes, primitive::Attribute};
        /// use wengert_core::{DType, Type};
        ///
        /// let attributes = Attributes(vec![("k".into(), Attribute::Type(Type::scalar(DType::F32)))]);
        /// assert_eq!(attributes.ty("k"), Ok(Type::scalar(DType::F32)));
        /// ```
        ty -> Type, Type, "a type";
        /// A program.
        ///
        /// ```
        /// use wengert_core::{ops::Attributes, primitive::Attribute};
        ///
        /// let program = std::sync::Arc::new(wengert_core::program::parse("program () {\n  return\n}\n").unwrap());
        /// let attributes = Attributes(vec![("k".into(), Attribute::Program(program.clone()))]);
        /// assert_eq!(attributes.program("k"), Ok(program));
        /// ```
        program -> Arc<Program>, Program, "a program";
    }

    /// The lanes of an operation of so many operands with this body.
    ///
    /// # Errors
    /// When they are not one for each axis of the mask, or too few.
    ///
    /// ```
    /// use wengert_core::{ops::Attributes, program::parse};
    ///
    /// let body = parse("program (%0: bool[]) {\n  return %0\n}\n")?;
    /// assert!(Attributes(Vec::new()).lanes(&body, 1).unwrap().is_empty());
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn lanes(&self, body: &Program, operands: usize) -> Result<OpLanes, TypeError> {
        match self.get("lanes") {
            Ok(_) => OpLanes::from_attribute(&self.ints("lanes")?, operands, bodies::lane_shape(body).len()),
            Err(_) => Ok(OpLanes::default()),
        }
    }

    /// A size or axis.
    ///
    /// # Errors
    /// When it is missing, no integer, or negative.
    ///
    /// ```
    /// use wengert_core::{ops::Attributes, primitive::Attribute};
    ///
    /// let attributes = Attributes(vec![("axis".into(), Attribute::Int(1)), ("sizes".into(), Attribute::Ints(vec![2, 3]))]);
    /// assert_eq!(attributes.size("axis"), Ok(1));
    /// ```
    pub fn size(&self, key: &str) -> Result<usize, TypeError> {
        usize::try_from(self.int(key)?).map_err(|_| TypeError::new(format!("attribute `{key}` is negative")))
    }

    /// Sizes or axes.
    ///
    /// # Errors
    /// When it is missing, no list of integers, or an entry is negative.
    ///
    /// ```
    /// use wengert_core::{ops::Attributes, primitive::Attribute};
    ///
    /// let attributes = Attributes(vec![("axis".into(), Attribute::Int(1)), ("sizes".into(), Attribute::Ints(vec![2, 3]))]);
    /// assert_eq!(attributes.sizes("sizes"), Ok(vec![2, 3]));
    /// ```
    pub fn sizes(&self, key: &str) -> Result<Vec<usize>, TypeError> {
        let negative = |_| TypeError::new(format!("attribute `{key}` has a negative entry"));
        self.ints(key)?.into_iter().map(|n| usize::try_from(n).map_err(negative)).collect()
    }
}

/// The only operand, an array.
pub(crate) fn one_array(args: &[Type]) -> Result<&crate::types::ArrayType, TypeError> {
    let x = one(args)?;
    x.as_array().ok_or_else(|| TypeError::new(format!("an array was expected, this is {x}")))
}

/// The only operand.
pub(crate) fn one(args: &[Type]) -> Result<&Type, TypeError> {
    match args {
        [x] => Ok(x),
        _ => Err(TypeError::new(format!("it takes one operand, not {}", args.len()))),
    }
}

/// No operand.
pub(crate) fn none(args: &[Type]) -> Result<(), TypeError> {
    if args.is_empty() { Ok(()) } else { Err(TypeError::new(format!("it takes no operands, not {}", args.len()))) }
}

/// Adds two arrays, or two lists row by row.
#[track_caller]
pub(crate) fn add_any(x: &Array, y: &Array) -> Array {
    if x.ty().is_list() {
        crate::trace::apply(ListAdd, &[x, y])
    } else {
        crate::trace::apply(BinaryOp(Binary::Add), &[x, y])
    }
}

/// Puts a batch axis of `size` in front of an array, or of every row of a list.
#[track_caller]
pub(crate) fn spread_any(x: &Array, size: usize) -> Array {
    if x.ty().is_list() { crate::trace::apply(ListSpread { size, axis: 0 }, &[x]) } else { rules::add_axis(x, 0, size) }
}

/// Zeros of a type: an array, or a list of zero rows.
#[track_caller]
pub(crate) fn zeros_any(ty: &Type) -> Array {
    match ty {
        Type::Array(a) => rules::constant(Scalar::zero(a.dtype), &a.shape),
        Type::List(_) => crate::trace::apply(Nil { ty: ty.clone() }, &[]),
    }
}

/// How an operation is held in [`Op`].
macro_rules! held {
    ($name:ident) => { $name };
    ($name:ident in $pointer:ident) => { $pointer<$name> };
}

macro_rules! primitives {
    ($($module:ident: $($name:ident $(in $pointer:ident)?),+;)*) => {
        $(mod $module;)*
        $(pub use $module::{$($name),+};)*

        /// An operation of a program: one of the closed set of primitives.
        ///
        /// ```
        /// use wengert_core::ops::{Op, Select};
        ///
        /// assert_eq!(Op::from(Select).name(), "select");
        /// assert_eq!(Op::from(Select), Op::Select(Select)); // equal and hashed by what it does
        /// ```
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        #[allow(missing_docs)]
        pub enum Op { $($($name(held!($name $(in $pointer)?)),)+)* }

        impl Deref for Op {
            type Target = dyn Primitive;
            fn deref(&self) -> &(dyn Primitive + 'static) {
                match self { $($(Op::$name(op) => { let op: &$name = op; op })+)* }
            }
        }

        impl Op {
            /// See [`Primitive::infer`]. Besides, operations that compute take no `f16` and `bf16`: what is recorded on
            /// arrays of these is recorded on their `f32`.
            ///
            /// # Errors
            /// Why the operands do not fit.
            ///
            /// ```
            /// use wengert_core::{DType, Type, ops::{Op, UnaryOp}};
            /// use wengert_kernel::Unary;
            ///
            /// let exp = Op::from(UnaryOp(Unary::Exp));
            /// assert_eq!(exp.infer(&[Type::scalar(DType::F32)]), Ok(vec![Type::scalar(DType::F32)]));
            /// assert!(exp.infer(&[Type::scalar(DType::F16)]).is_err());
            /// ```
            pub fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
                crate::halves::accept(self, args)?;
                (**self).infer(args)
            }
        }

        $($(impl From<$name> for Op { fn from(op: $name) -> Op { Op::$name(op.into()) } })+)*

        /// The operation of that printed name.
        pub(crate) fn parse_op(name: &str, attributes: &Attributes) -> Result<Op, TypeError> {
            $($(if $name::NAMES.contains(&name) { return $name::parse(name, attributes).map(Op::from); })+)*
            let shared = |other: &str| name.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
            let near = names().into_iter().filter(|other| shared(other) > 1).max_by_key(|other| shared(other));
            let advice = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Err(TypeError::new(format!("there is no operation of that name{advice}")))
        }

        /// The samples of every primitive.
        ///
        /// ```
        /// assert!(wengert_core::ops::samples().iter().any(|sample| sample.op.name() == "dot"));
        /// ```
        pub fn samples() -> Vec<Sample> {
            let mut all = Vec::new();
            $($({
                let samples = $name::samples();
                assert!(!samples.is_empty(), concat!(stringify!($name), " has samples"));
                all.extend(samples);
            })+)*
            all
        }

        /// The samples of every primitive with operands of a length.
        ///
        /// ```
        /// assert!(wengert_core::ops::samples_of_length(17).len() > 100);
        /// ```
        pub fn samples_of_length(n: usize) -> Vec<Sample> {
            let mut all = Vec::new();
            $($(all.extend($name::samples_of_length(n));)+)*
            all
        }

        /// The names of all operations.
        ///
        /// ```
        /// assert!(wengert_core::ops::names().contains(&"reduce_sum"));
        /// ```
        pub fn names() -> Vec<&'static str> {
            let mut all = Vec::new();
            $($(all.extend_from_slice($name::NAMES);)+)*
            all
        }
    };
}

// A new primitive is a file beside this one and a line here. Those that hold shapes or bodies stand behind pointers: a long
// program is many small operations.
primitives! {
    literal: Literal;
    iota: Iota in Arc;
    unary: UnaryOp;
    binary: BinaryOp;
    compare: CompareOp;
    select: Select;
    convert: Convert;
    bitcast: Bitcast;
    stop_gradient: StopGradient;
    named: Named;
    broadcast: Broadcast in Arc;
    reshape: Reshape in Arc;
    permute: Permute in Arc;
    reverse: Reverse in Arc;
    slice: Slice in Arc, SliceAdd in Arc;
    windows: Windows;
    pad: Pad in Arc;
    concatenate: Concatenate;
    reduce: Reduce;
    arg_reduce: ArgReduce;
    argsort: Argsort;
    recurrence: Recurrence;
    cumulative: Cumulative;
    dot: Dot;
    cholesky: Cholesky;
    triangular_solve: TriangularSolve;
    lu: Lu;
    solve: Solve;
    qr: Qr;
    eigh: Eigh;
    svd: Svd;
    det: Det, Cofactors;
    pinv: Pinv;
    eig: Eig;
    fft: Fft;
    gather: Gather;
    accumulate: Accumulate;
    scatter_set: ScatterSet;
    dynamic_slice: DynamicSlice in Arc, DynamicUpdate;
    rows: Rows, Stack, Nil in Arc, ListAdd, ListSpread, ListSum;
    rounds: Loop in Arc;
    while_loop: While in Arc;
    cond: Cond in Arc;
    call: Call in Arc;
    check: Check;
    host_call: HostCall;
}
