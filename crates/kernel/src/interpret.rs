//! The slow, obviously right way to run a [`Routine`]: the oracle that machine code is held against.
//!
//! It panics with a sentence when the routine does what only a defect of the compiler can make it do: reach outside a
//! buffer, let the rounds of a pass depend on each other, copy between stretches that overlap. Memory that nobody has
//! written holds [`POISON`], so a value that depends on it shows.

use crate::dtype::{DType, Element, Scalar};
use crate::reduce::{Stream, identity};
use crate::routine::{
    Affine, Block, BufferId, Carried, Count, Fold, Function, Library, Order, Routine, Span, Status, Stmt, Storage,
    Value,
};
use crate::scalar::{Binary, binary_fn};
use crate::with_element;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::ops::Range;

/// The byte that fills the arena and the outputs before the routine starts.
///
/// ```
/// use wengert_kernel::interpret::{POISON, interpret};
/// # use wengert_kernel::routine::{Library, Routine};
/// # struct Nothing;
/// # impl Library for Nothing {
/// #     fn call(&self, _: &str, _: &[i64], _: &[&[u8]], _: &mut [&mut [u8]]) -> bool { false }
/// # }
///
/// let routine = Routine::parse(r#"
///     routine arena 0
///     buffer b0: u8[2] output 0
///     function f0 "half" () { %0: u8 = const 1  store b0[0] = %0 }"#).unwrap();
/// let mut y = [0; 2];
/// interpret(&routine, &[], &mut [&mut y], &Nothing);
/// assert_eq!(y, [1, POISON], "the second element is not written");
/// ```
pub const POISON: u8 = 0xa5;

/// Runs a routine that [`verify`](crate::verify::verify) has passed. Inputs and outputs are the bytes of the arguments
/// and results, by number.
///
/// # Panics
/// On a defect of the compiler, see the module; on an unknown runtime function; when inputs or outputs do not fit.
///
/// ```
/// use wengert_kernel::{interpret::interpret, routine::{Library, Routine, Status}};
/// struct Nothing;
/// impl Library for Nothing {
///     fn call(&self, _: &str, _: &[i64], _: &[&[u8]], _: &mut [&mut [u8]]) -> bool { false }
/// }
/// let routine = Routine::parse(r#"
///     routine arena 0
///     buffer b0: u8[3] input 0
///     buffer b1: u8[1] output 0
///     function f0 "sum" () {
///       pass %0 in 0..3 { %1: u8 = load b0[%0] } fold add %1 -> %2: u8
///       store b1[0] = %2
///     }"#).unwrap();
/// let mut sum = [0];
/// assert_eq!(interpret(&routine, &[&[1, 2, 4]], &mut [&mut sum], &Nothing), Status::Fine);
/// assert_eq!(sum, [7]);
/// ```
pub fn interpret(routine: &Routine, inputs: &[&[u8]], outputs: &mut [&mut [u8]], library: &dyn Library) -> Status {
    let entry = routine.functions.last().expect("a routine has an entry");
    let outputs = outputs.iter_mut().map(|output| &mut **output).collect();
    let mut machine = Machine { routine, library, memory: Memory::new(routine, inputs, outputs), watched: Vec::new() };
    match machine.call(entry, Vec::new(), &[]) {
        Ok(_) => Status::Fine,
        Err(status) => status,
    }
}

/// `Err` is the status of a routine that ended early.
type Run<T> = Result<T, Status>;

struct Machine<'a> {
    routine: &'a Routine,
    library: &'a dyn Library,
    memory: Memory<'a>,
    /// Of the parallel loop and the pass being run, the latter if it writes.
    watched: Vec<Rounds>,
}

/// One call of a function.
struct Frame<'a> {
    function: &'a Function,
    /// Bits of the values, by number.
    values: Vec<u64>,
    /// What the buffer parameters are bound to; never a parameter itself.
    bound: Vec<BufferId>,
}

impl Frame<'_> {
    fn scalar(&self, value: Value) -> Scalar {
        Scalar { dtype: self.function.dtype(value), bits: self.bits(value) }
    }

    fn bits(&self, value: Value) -> u64 {
        self.values[value.0 as usize]
    }

    fn all(&self, values: &[Value]) -> Vec<u64> {
        values.iter().map(|&v| self.bits(v)).collect()
    }

    fn int(&self, value: Value) -> i64 {
        self.bits(value) as i64
    }

    fn set(&mut self, value: Value, bits: u64) {
        self.values[value.0 as usize] = bits;
    }

    fn set_all(&mut self, values: impl Iterator<Item = Value>, bits: &[u64]) {
        values.zip(bits).for_each(|(value, &bits)| self.set(value, bits));
    }

    fn affine(&self, at: &Affine) -> i64 {
        let term = |&(value, coefficient): &(Value, i64)| coefficient.wrapping_mul(self.int(value));
        at.terms.iter().map(term).fold(at.offset, i64::wrapping_add)
    }

    fn count(&self, count: Count) -> i64 {
        match count {
            Count::Const(n) => i64::try_from(n).expect("counts fit i64"),
            Count::Value(value) => self.int(value).max(0),
        }
    }
}

impl Machine<'_> {
    fn call(&mut self, function: &Function, args: Vec<u64>, buffers: &[BufferId]) -> Run<Vec<u64>> {
        let mut frame = Frame { function, values: vec![0; function.types.len()], bound: buffers.to_vec() };
        frame.set_all(function.params.iter().copied(), &args);
        self.block(&mut frame, &function.body)
    }

    /// Runs a block and returns what it yields.
    fn block(&mut self, frame: &mut Frame, block: &Block) -> Run<Vec<u64>> {
        block.stmts.iter().try_for_each(|stmt| self.stmt(frame, stmt))?;
        Ok(frame.all(&block.yields))
    }

    fn stmt(&mut self, frame: &mut Frame, stmt: &Stmt) -> Run<()> {
        match stmt {
            Stmt::Const { out, value } => frame.set(*out, value.bits),
            Stmt::Let { out, op, args } => {
                let args: SmallVec<[Scalar; 3]> = args.iter().map(|&v| frame.scalar(v)).collect();
                frame.set(*out, op.eval(&args).bits);
            }
            Stmt::Index { out, at } => frame.set(*out, frame.affine(at) as u64),
            Stmt::Load { out, buffer, at } => {
                let place = self.place(frame, *buffer, frame.affine(at), 1);
                self.watch(&place, false);
                frame.set(*out, self.memory.load(&place));
            }
            Stmt::Store { buffer, at, value } => {
                let place = self.place(frame, *buffer, frame.affine(at), 1);
                self.watch(&place, true);
                self.memory.store(&place, frame.bits(*value));
            }
            Stmt::For { index, count, order: Order::Parallel { .. }, body, .. } => {
                self.run_parallel(frame, *index, frame.count(*count), body)?;
            }
            Stmt::For { index, count, order, carried, body, results } => {
                let n = frame.count(*count);
                let mut state = initial(frame, carried);
                for round in 0..n {
                    frame.set(*index, if *order == Order::Reverse { n - 1 - round } else { round } as u64);
                    frame.set_all(carried.iter().map(|c| c.param), &state);
                    state = self.block(frame, body)?;
                }
                frame.set_all(results.iter().copied(), &state);
            }
            Stmt::Pass { index, count, body, folds } => self.run_pass(frame, *index, *count, body, folds)?,
            Stmt::While { carried, test, body, results } => {
                let mut state = initial(frame, carried);
                loop {
                    frame.set_all(carried.iter().map(|c| c.param), &state);
                    if self.block(frame, test)? != [1] {
                        break;
                    }
                    state = self.block(frame, body)?;
                }
                frame.set_all(results.iter().copied(), &state);
            }
            Stmt::If { cond, then, otherwise, results } => {
                let chosen = if frame.bits(*cond) == 1 { then } else { otherwise };
                let state = self.block(frame, chosen)?;
                frame.set_all(results.iter().copied(), &state);
            }
            Stmt::Fill { buffer, at, len, value } => {
                let place = self.place(frame, *buffer, frame.affine(at), frame.count(*len));
                self.watch(&place, true);
                self.memory.fill(&place, frame.bits(*value));
            }
            Stmt::Copy { to, to_at, from, from_at, len } => {
                let len = frame.count(*len);
                let to = self.place(frame, *to, frame.affine(to_at), len);
                let from = self.place(frame, *from, frame.affine(from_at), len);
                assert!(!to.overlaps(&from), "{stmt:?} copies between stretches that overlap");
                self.watch(&from, false);
                self.watch(&to, true);
                let data = self.memory.bytes(&from).to_vec();
                self.memory.bytes_mut(&to).copy_from_slice(&data);
            }
            Stmt::Reserve { buffer, len } => {
                self.memory.reserve(self.routine, root(self.routine, frame, *buffer), frame.int(*len))?;
            }
            Stmt::Call { function, args, buffers, results } => {
                let buffers: Vec<BufferId> = buffers.iter().map(|&b| root(self.routine, frame, b)).collect();
                let state = self.call(&self.routine.functions[function.0 as usize], frame.all(args), &buffers)?;
                frame.set_all(results.iter().copied(), &state);
            }
            Stmt::Runtime { name, ints, inputs, outputs } => self.runtime(frame, name, ints, inputs, outputs),
            Stmt::Fail { when, check, lane } => {
                if frame.bits(*when) == 1 {
                    return Err(Status::Check { check: *check, lane: frame.int(*lane) });
                }
            }
        }
        Ok(())
    }

    /// The last round first, and each on local memory of its own.
    fn run_parallel(&mut self, frame: &mut Frame, index: Value, count: i64, body: &Block) -> Run<()> {
        self.watched.push(Rounds::of("a parallel loop"));
        for round in (0..count).rev() {
            self.watched[0].now = round as u64;
            self.memory.local.fill(POISON);
            frame.set(index, round as u64);
            self.block(frame, body)?;
        }
        self.watched.pop();
        Ok(())
    }

    fn run_pass(&mut self, frame: &mut Frame, index: Value, count: u64, body: &[Stmt], folds: &[Fold]) -> Run<()> {
        let mut results: Vec<_> = folds.iter().map(|f| accumulator(f.op, frame.function.dtype(f.result))).collect();
        let writes = body.iter().any(|stmt| matches!(stmt, Stmt::Store { .. }));
        self.watched.extend(writes.then(|| Rounds::of("a pass")));
        for round in 0..count {
            if writes && let Some(rounds) = self.watched.last_mut() {
                rounds.now = round;
            }
            frame.set(index, round);
            body.iter().try_for_each(|stmt| self.stmt(frame, stmt))?;
            folds.iter().zip(&mut results).for_each(|(fold, result)| result.push(frame.bits(fold.item)));
        }
        self.watched.truncate(self.watched.len() - writes as usize);
        folds.iter().zip(results).for_each(|(fold, result)| frame.set(fold.result, result.finish()));
        Ok(())
    }

    fn runtime(&mut self, frame: &Frame, name: &str, ints: &[i64], inputs: &[Span], outputs: &[Span]) {
        let place = |span: &Span| {
            let len = i64::try_from(span.len).expect("a span's length fits i64");
            self.place(frame, span.buffer, frame.affine(&span.at), len)
        };
        let inputs: Vec<Place> = inputs.iter().map(place).collect();
        let outputs: Vec<Place> = outputs.iter().map(place).collect();
        for (i, output) in outputs.iter().enumerate() {
            let mut others = inputs.iter().chain(&outputs[..i]);
            assert!(others.all(|other| !other.overlaps(output)), "{name} is handed spans that overlap");
        }
        inputs.iter().for_each(|place| self.watch(place, false));
        outputs.iter().for_each(|place| self.watch(place, true));
        let read: Vec<&[u8]> = inputs.iter().map(|place| self.memory.bytes(place)).collect();
        let mut written: Vec<Vec<u8>> = outputs.iter().map(|place| self.memory.bytes(place).to_vec()).collect();
        let mut slices: Vec<&mut [u8]> = written.iter_mut().map(Vec::as_mut_slice).collect();
        assert!(self.library.call(name, ints, &read, &mut slices), "the runtime has no function {name}");
        outputs.iter().zip(&written).for_each(|(place, data)| self.memory.bytes_mut(place).copy_from_slice(data));
    }

    /// Where `len` elements of a buffer are, from element `at` on.
    fn place(&self, frame: &Frame, id: BufferId, at: i64, len: i64) -> Place {
        let buffer = &self.routine.buffers[id.0 as usize];
        let root = root(self.routine, frame, id);
        let size = buffer.dtype.size();
        let (region, start, elements) = match self.routine.buffers[root.0 as usize].storage {
            Storage::Input(i) => (Region::Input(i), 0, buffer.len),
            Storage::Output(i) => (Region::Output(i), 0, buffer.len),
            Storage::Arena(start) => (Region::Arena, start, buffer.len),
            Storage::Local(start) => (Region::Local, start, buffer.len),
            Storage::Growable => (Region::Growable(root), 0, self.memory.growable[&root].len() / size),
            Storage::Param(_) => unreachable!("parameters are bound to other storage"),
        };
        let inside = at >= 0 && at.checked_add(len).is_some_and(|end| end as u64 <= elements as u64);
        assert!(inside, "elements {at} + 0..{len} of {id}, which has {elements}, in f \"{}\"", frame.function.name);
        let start = start + at as usize * size;
        Place { dtype: buffer.dtype, region, bytes: start..start + len as usize * size }
    }

    /// Notes an access in what is being run.
    fn watch(&mut self, place: &Place, write: bool) {
        self.watched.iter_mut().for_each(|rounds| rounds.access(place, write));
    }
}

/// What the name of a buffer stands for in a call.
fn root(routine: &Routine, frame: &Frame, id: BufferId) -> BufferId {
    match routine.buffers[id.0 as usize].storage {
        Storage::Param(i) => frame.bound[i as usize],
        _ => id,
    }
}

fn initial(frame: &Frame, carried: &[Carried]) -> Vec<u64> {
    carried.iter().map(|c| frame.bits(c.init)).collect()
}

/// A reduction in the fixed order, over elements of any dtype.
trait Accumulator {
    fn push(&mut self, bits: u64);
    fn finish(self: Box<Self>) -> u64;
}

impl<T: Element> Accumulator for Stream<T> {
    fn push(&mut self, bits: u64) {
        Stream::push(self, T::from_bits(bits));
    }

    fn finish(self: Box<Self>) -> u64 {
        Stream::finish(*self).to_bits()
    }
}

fn accumulator(op: Binary, dtype: DType) -> Box<dyn Accumulator> {
    with_element!(dtype, T => {
        let identity = <T as Element>::from_bits(identity(op, dtype).bits);
        Box::new(Stream::<T>::new(identity, binary_fn::<T>(op).expect("reductions are operations")))
    })
}

/// A stretch of memory.
struct Place {
    dtype: DType,
    region: Region,
    bytes: Range<usize>,
}

/// Memory that others do not overlap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Region {
    Input(u32),
    Output(u32),
    Arena,
    Local,
    Growable(BufferId),
}

impl Place {
    fn overlaps(&self, other: &Place) -> bool {
        self.region == other.region && self.bytes.start < other.bytes.end && other.bytes.start < self.bytes.end
    }
}

struct Memory<'a> {
    inputs: &'a [&'a [u8]],
    outputs: Vec<&'a mut [u8]>,
    arena: Vec<u8>,
    local: Vec<u8>,
    growable: HashMap<BufferId, Vec<u8>>,
}

impl<'a> Memory<'a> {
    fn new(routine: &Routine, inputs: &'a [&'a [u8]], mut outputs: Vec<&'a mut [u8]>) -> Self {
        let mut growable = HashMap::new();
        for (i, buffer) in routine.buffers.iter().enumerate() {
            let bytes = buffer.len * buffer.dtype.size();
            match buffer.storage {
                Storage::Input(at) => assert_eq!(inputs[at as usize].len(), bytes, "bytes of input {at}"),
                Storage::Output(at) => assert_eq!(outputs[at as usize].len(), bytes, "bytes of output {at}"),
                Storage::Growable => drop(growable.insert(BufferId(i as u32), Vec::new())),
                Storage::Arena(_) | Storage::Local(_) | Storage::Param(_) => {}
            }
        }
        outputs.iter_mut().for_each(|output| output.fill(POISON));
        let [arena, local] = [routine.arena, routine.local].map(|bytes| vec![POISON; bytes]);
        Memory { inputs, outputs, arena, local, growable }
    }

    fn bytes(&self, place: &Place) -> &[u8] {
        let all = match place.region {
            Region::Input(i) => self.inputs[i as usize],
            Region::Output(i) => self.outputs[i as usize],
            Region::Arena => &self.arena,
            Region::Local => &self.local,
            Region::Growable(id) => &self.growable[&id],
        };
        &all[place.bytes.clone()]
    }

    fn bytes_mut(&mut self, place: &Place) -> &mut [u8] {
        let all = match place.region {
            Region::Input(i) => panic!("input {i} is written"),
            Region::Output(i) => &mut *self.outputs[i as usize],
            Region::Arena => &mut self.arena,
            Region::Local => &mut self.local,
            Region::Growable(id) => self.growable.get_mut(&id).expect("all growable buffers are there"),
        };
        &mut all[place.bytes.clone()]
    }

    fn load(&self, place: &Place) -> u64 {
        let mut bits = [0; 8];
        let bytes = self.bytes(place);
        bits[..bytes.len()].copy_from_slice(bytes);
        // Poison is no `bool`, but its lowest bit is one.
        if place.dtype == DType::Bool { (bits[0] & 1) as u64 } else { u64::from_le_bytes(bits) }
    }

    fn store(&mut self, place: &Place, bits: u64) {
        let size = place.dtype.size();
        self.bytes_mut(place).copy_from_slice(&bits.to_le_bytes()[..size]);
    }

    fn fill(&mut self, place: &Place, bits: u64) {
        let size = place.dtype.size();
        let element = &bits.to_le_bytes()[..size];
        self.bytes_mut(place).chunks_mut(size).for_each(|chunk| chunk.copy_from_slice(element));
    }

    fn reserve(&mut self, routine: &Routine, id: BufferId, len: i64) -> Run<()> {
        let size = routine.buffers[id.0 as usize].dtype.size() as u64;
        let bytes = (len.max(0) as u64).saturating_mul(size);
        let buffer = self.growable.get_mut(&id).expect("only growable buffers grow");
        let refused = Status::Memory { bytes };
        let wanted = usize::try_from(bytes).map_err(|_| refused)?;
        if wanted > buffer.len() {
            buffer.try_reserve(wanted - buffer.len()).map_err(|_| refused)?;
            buffer.resize(wanted, 0);
        }
        Ok(())
    }
}

/// Which round touched which byte.
struct Rounds {
    of: &'static str,
    now: u64,
    bytes: HashMap<(Region, usize), Touched>,
}

#[derive(Clone, Copy, Default)]
struct Touched {
    written: Option<u64>,
    read: Option<u64>,
    /// More rounds than one read it.
    shared: bool,
}

impl Rounds {
    fn of(what: &'static str) -> Rounds {
        Rounds { of: what, now: 0, bytes: HashMap::new() }
    }

    fn access(&mut self, place: &Place, write: bool) {
        // Each round of a parallel loop has local memory of its own; passes are inside of one.
        if place.region == Region::Local && self.of != "a pass" {
            return;
        }
        let now = self.now;
        for byte in place.bytes.clone() {
            let touched = self.bytes.entry((place.region, byte)).or_default();
            let other = |round: Option<u64>| round.is_some_and(|round| round != now);
            let conflict = other(touched.written) || write && (other(touched.read) || touched.shared);
            assert!(!conflict, "round {now} of {} and another meet at byte {byte} of {:?}", self.of, place.region);
            if write {
                touched.written = Some(now);
            } else {
                touched.shared |= other(touched.read);
                touched.read = Some(now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
