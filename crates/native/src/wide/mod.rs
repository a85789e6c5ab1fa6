//! Natively wide vector loops: one small machine function for each loop, called with a block of words.
//!
//! Cranelift's vectors have 128 bits. Where the processor has wider ones and the loop is long enough, a range of rounds
//! becomes a call of a kernel that is put together here, instruction by instruction. A [`Loop`] says all about a kernel
//! and nothing about where it is called, so equal loops share one.
//!
//! A kernel takes the address of a block of words: the number of rounds, then what [`Loop`] numbers as words (addresses,
//! scalars, beginnings of counters), as the caller knows them.

#[cfg(target_arch = "x86_64")]
mod assembler;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod emit;
#[cfg(target_arch = "x86_64")]
mod instructions;
#[cfg(target_arch = "x86_64")]
mod interleaved;
mod level;
#[cfg(target_arch = "x86_64")]
mod memory;
#[cfg(target_arch = "x86_64")]
mod operands;
#[cfg(target_arch = "x86_64")]
mod registers;

pub(crate) use level::Level;

use crate::emit::Emitter;
use crate::fold::State;
use crate::plan::{self, Plan};
use crate::tile;
use crate::vector::{BYTES, vector_type};
use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, InstBuilder, Signature, UserExternalName, Value as Ssa, types,
};
use cranelift_codegen::isa::CallConv;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::HashMap;
use wengert_kernel::reduce::{LANE_BYTES, identity};
use wengert_kernel::routine::{Affine, Fold, Value};
use wengert_kernel::{Binary, DType, ScalarOp};

/// The namespace of kernels among the names that machine code refers to.
pub(crate) const NAMESPACE: u32 = 1;

/// Values of the round that a linear form may have: each takes registers while it is added up.
const MOST_TERMS: usize = 3;

/// Elements between the rounds of a stream up to which all distances within a turn have 32 bits.
const FARTHEST: u64 = 1 << 22;

/// A vector loop as a kernel sees it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Loop {
    /// Rounds done at once.
    pub lanes: usize,
    /// What every round does, in order.
    pub steps: Vec<Step>,
    /// The reductions: operation, dtype, element, and the word with the address of the accumulators.
    pub folds: Vec<(Binary, DType, Operand, u32)>,
}

/// What a round does; the value it defines, if any, has its number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Step {
    /// Computes, from operands of which the last has dtype `of`.
    Op { op: ScalarOp, of: DType, out: DType, args: SmallVec<[Operand; 3]> },
    /// `word + stride * round + terms`, as `i64`.
    Index { word: u32, stride: i64, terms: Vec<(u32, i64)> },
    /// Reads an element.
    Read { dtype: DType, stream: Stream },
    /// Writes an element.
    Write { dtype: DType, value: Operand, stream: Stream },
}

/// What a step works on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Operand {
    /// What the step of that number defines.
    Step(u32),
    /// The same scalar in all rounds: the word of that number.
    Word(u32),
    /// A constant's bits.
    Constant(u64),
}

/// The element of a round: at the address in a word, `stride` elements on from round to round, and further by values of
/// the round with their coefficients.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Stream {
    pub word: u32,
    pub stride: i64,
    pub varying: Vec<(u32, i64)>,
}

impl Stream {
    /// One element after the other.
    #[cfg(target_arch = "x86_64")]
    fn is_contiguous(&self) -> bool {
        self.stride == 1 && self.varying.is_empty()
    }
}

/// The kernels of a routine.
#[derive(Default)]
pub(crate) struct Kernels {
    numbers: HashMap<Loop, Option<u32>>,
    /// By number.
    pub code: Vec<Kernel>,
}

/// A finished kernel.
pub(crate) struct Kernel {
    /// Its bytes, to be placed at a multiple of 64.
    pub bytes: Vec<u8>,
    /// How many of them are instructions; constants follow.
    pub instructions: usize,
    /// Where the instructions of a step begin, and its origin.
    pub origins: Vec<(usize, Option<u32>)>,
}

impl Operand {
    /// With another number for a step.
    #[cfg(target_arch = "x86_64")]
    fn renumbered(self, number: impl Fn(u32) -> u32) -> Operand {
        if let Operand::Step(k) = self { Operand::Step(number(k)) } else { self }
    }
}

impl Step {
    /// With other numbers for the steps whose values are needed.
    #[cfg(target_arch = "x86_64")]
    fn renumbered(&self, number: impl Fn(u32) -> u32) -> Step {
        let mut step = self.clone();
        let each = |terms: &mut Vec<(u32, i64)>| terms.iter_mut().for_each(|t| t.0 = number(t.0));
        match &mut step {
            Step::Op { args, .. } => args.iter_mut().for_each(|x| *x = x.renumbered(&number)),
            Step::Index { terms, .. } => each(terms),
            Step::Read { stream, .. } => each(&mut stream.varying),
            Step::Write { value, stream, .. } => {
                *value = value.renumbered(&number);
                each(&mut stream.varying);
            }
        }
        step
    }

    /// The dtype of the value defined.
    pub fn defined(&self) -> Option<DType> {
        match self {
            Step::Op { out, .. } => Some(*out),
            Step::Index { .. } => Some(DType::I64),
            Step::Read { dtype, .. } => Some(*dtype),
            Step::Write { .. } => None,
        }
    }

    /// The numbers of the steps whose values are needed.
    pub fn uses(&self) -> SmallVec<[u32; 3]> {
        let step = |operand: &Operand| if let Operand::Step(k) = operand { Some(*k) } else { None };
        match self {
            Step::Op { args, .. } => args.iter().filter_map(step).collect(),
            Step::Index { terms, .. } => terms.iter().map(|t| t.0).collect(),
            Step::Read { stream, .. } => stream.varying.iter().map(|t| t.0).collect(),
            Step::Write { value, stream, .. } => {
                step(value).into_iter().chain(stream.varying.iter().map(|t| t.0)).collect()
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
use emit::kernel;
#[cfg(not(target_arch = "x86_64"))]
fn kernel(_: Level, _: &Loop, _: impl Fn(usize) -> Option<u32>) -> Option<Kernel> {
    None
}

fn has_vectors(dtype: DType) -> bool {
    !(dtype.is_half() || dtype.is_complex() || dtype == DType::U8)
}

impl<'a> Emitter<'a, '_> {
    /// Whether the ranges of a pass become calls of kernels. (Operations that the runtime has for tiles do not count.)
    pub fn is_wide(&self, plan: &Plan<'a>, count: u64) -> bool {
        let (Some(lanes), Some(level)) = (plan.lanes, self.unit.wide) else { return false };
        let dtype = |v: Value| self.function.dtype(v);
        let width = lanes.width.max(4);
        let work = count.saturating_mul((plan.steps.len() + plan.folds.len()) as u64 * width as u64 / 4);
        if work < self.unit.options.wide
            || plan.folds.len() > level.most_folds()
            || plan.folds.iter().any(|(_, f)| dtype(f.item).size() != width || !has_vectors(dtype(f.item)))
        {
            return false;
        }
        plan.steps.iter().all(|step| match step {
            plan::Step::Op { op, out, args } => {
                tile::kernel(*op, dtype(*out)).is_some()
                    || args.iter().chain([out]).all(|&v| has_vectors(dtype(v)))
                        && level.supports(*op, dtype(args[args.len() - 1]), dtype(*out))
            }
            plan::Step::Index { at, .. } => at.terms.len() <= MOST_TERMS,
            plan::Step::Read { out, stream } => {
                has_vectors(dtype(*out))
                    && stream.varying.len() <= MOST_TERMS
                    && (stream.is_contiguous() || dtype(*out) != DType::Bool && stream.stride.unsigned_abs() < FARTHEST)
            }
            plan::Step::Write { value, stream } => has_vectors(dtype(*value)) && stream.is_contiguous(),
        })
    }

    /// The rounds `base..base + len` of a plan by a kernel; false when it has none.
    pub fn wide_range(&mut self, plan: &Plan<'a>, base: Option<Ssa>, len: u64, states: &mut [State]) -> bool {
        let Some(level) = self.unit.wide else { return false };
        let first = base.unwrap_or_else(|| self.b.ins().iconst(types::I64, 0));
        let rounds = self.b.ins().iconst(types::I64, len as i64);
        let mut builder = Builder::new(plan.index, first, rounds);
        let lanes = level.bytes() / plan.lanes.map_or(8, |lanes| lanes.width.max(4));
        let addresses = self.addresses(plan, first);
        self.lower(plan, &addresses, &mut builder);
        let mut folds = Vec::new();
        for &(k, fold) in &plan.folds {
            let State::Memory(slot) = states[k] else { unreachable!("accumulators of kernels are in memory") };
            let address = self.b.ins().stack_addr(types::I64, slot, 0);
            let item = self.wide_operand(fold.item, &mut builder);
            folds.push((fold.op, self.function.dtype(fold.item), item, builder.word(address)));
        }
        let Builder { words, steps, origins, .. } = builder;
        let wide = Loop { lanes, steps, folds };
        let Some(number) = Kernels::number(&self.unit.kernels, level, wide, &origins) else { return false };
        let slot = self.stack_slot(words.len() * 8);
        let block = self.b.ins().stack_addr(types::I64, slot, 0);
        for (k, word) in words.into_iter().enumerate() {
            self.store_element(word, block, k as i32 * 8);
        }
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params.push(AbiParam::new(types::I64));
        let signature = self.b.import_signature(signature);
        let name = self.b.func.declare_imported_user_function(UserExternalName { namespace: NAMESPACE, index: number });
        let data = ExtFuncData { name: ExternalName::user(name), signature, colocated: true, patchable: false };
        let callee = self.b.import_function(data);
        self.b.ins().call(callee, &[block]);
        true
    }

    /// The steps of a plan.
    fn lower(&mut self, plan: &Plan<'a>, addresses: &[Ssa], builder: &mut Builder) {
        let mut addresses = addresses.iter();
        for step in &plan.steps {
            let lowered = match step {
                plan::Step::Op { out, op, args } => {
                    let operands = args.iter().map(|&v| self.wide_operand(v, builder)).collect();
                    let of = self.function.dtype(args[args.len() - 1]);
                    Step::Op { op: *op, of, out: self.function.dtype(*out), args: operands }
                }
                plan::Step::Index { at, .. } => self.wide_index(at, builder),
                plan::Step::Read { out, stream } => {
                    let address = addresses.next().copied().unwrap_or(stream.address);
                    let stream = self.wide_stream(stream, address, builder);
                    Step::Read { dtype: self.function.dtype(*out), stream }
                }
                plan::Step::Write { value, stream } => {
                    let address = addresses.next().copied().unwrap_or(stream.address);
                    let stream = self.wide_stream(stream, address, builder);
                    let operand = self.wide_operand(*value, builder);
                    Step::Write { dtype: self.function.dtype(*value), value: operand, stream }
                }
            };
            builder.step(lowered, step.defined(), self.function.origin(step.subject()));
        }
    }

    /// A linear form: what is the same in all rounds is a word, for the first round.
    fn wide_index(&mut self, at: &Affine, builder: &mut Builder) -> Step {
        let stride = at.coefficient(builder.index);
        let numbers = &builder.numbers;
        let (inside, outside): (Vec<_>, Vec<_>) =
            at.terms.iter().copied().filter(|t| t.0 != builder.index).partition(|t| numbers.contains_key(&t.0));
        let terms = inside.iter().map(|(value, c)| (numbers[value], *c)).collect();
        let base = self.affine(&Affine { offset: at.offset, terms: outside.into_iter().collect() });
        let before = self.scale(builder.first, stride);
        let base = self.b.ins().iadd(base, before);
        Step::Index { word: builder.word(base), stride, terms }
    }

    fn wide_stream(&mut self, stream: &plan::Stream, address: Ssa, builder: &mut Builder) -> Stream {
        let address = self.plus(address, stream.offset as i64);
        let mut varying = Vec::new();
        for &(value, coefficient) in &stream.varying {
            match self.wide_operand(value, builder) {
                Operand::Step(k) => varying.push((k, coefficient)),
                _ => unreachable!("what varies is computed in the round"),
            }
        }
        Stream { word: builder.word(address), stride: stream.stride, varying }
    }

    fn wide_operand(&mut self, value: Value, builder: &mut Builder) -> Operand {
        if let Some(&k) = builder.numbers.get(&value) {
            return Operand::Step(k);
        }
        if value == builder.index {
            let step = self.wide_index(&Affine::value(value), builder);
            builder.step(step, Some(value), None);
            return Operand::Step(builder.numbers[&value]);
        }
        if let Some(&operand) = builder.scalars.get(&value) {
            return operand;
        }
        let operand = match self.constant_of(value) {
            Some(constant) => Operand::Constant(constant.bits),
            None => {
                let mut x = self.get(value);
                let size = self.function.dtype(value).size();
                if size < 4 {
                    x = self.b.ins().uextend(types::I64, x);
                }
                Operand::Word(builder.word(x))
            }
        };
        builder.scalars.insert(value, operand);
        operand
    }

    /// The accumulators of a kernel, in memory.
    pub fn wide_accumulators(&mut self, fold: &Fold) -> State {
        let dtype = self.function.dtype(fold.item);
        let slot = self.stack_slot(LANE_BYTES);
        let address = self.b.ins().stack_addr(types::I64, slot, 0);
        let identity = self.constant(identity(fold.op, dtype));
        let vector = self.b.ins().splat(vector_type(dtype), identity);
        for at in (0..LANE_BYTES).step_by(BYTES) {
            self.store_element(vector, address, at as i32);
        }
        State::Memory(slot)
    }
}

/// A loop in the making, and the block of words for its call.
struct Builder {
    /// The counter.
    index: Value,
    /// The first round of the call.
    first: Ssa,
    words: Vec<Ssa>,
    /// The steps that define values.
    numbers: HashMap<Value, u32>,
    /// What is the same in all rounds.
    scalars: HashMap<Value, Operand>,
    steps: Vec<Step>,
    /// By step.
    origins: Vec<Option<u32>>,
}

impl Builder {
    fn new(index: Value, first: Ssa, rounds: Ssa) -> Self {
        Builder {
            index,
            first,
            words: vec![rounds],
            numbers: HashMap::new(),
            scalars: HashMap::new(),
            steps: Vec::new(),
            origins: Vec::new(),
        }
    }

    fn word(&mut self, x: Ssa) -> u32 {
        self.words.push(x);
        self.words.len() as u32 - 1
    }

    fn step(&mut self, step: Step, defines: Option<Value>, origin: Option<u32>) {
        self.numbers.extend(defines.map(|value| (value, self.steps.len() as u32)));
        self.steps.push(step);
        self.origins.push(origin);
    }
}

impl Kernels {
    /// The number of a loop's kernel, which is made if there is none yet.
    pub fn number(this: &RefCell<Kernels>, level: Level, wide: Loop, origins: &[Option<u32>]) -> Option<u32> {
        let mut kernels = this.borrow_mut();
        if let Some(&number) = kernels.numbers.get(&wide) {
            return number;
        }
        let number = kernel(level, &wide, |step| origins[step]).map(|kernel| {
            kernels.code.push(kernel);
            kernels.code.len() as u32 - 1
        });
        kernels.numbers.insert(wide, number);
        number
    }
}
