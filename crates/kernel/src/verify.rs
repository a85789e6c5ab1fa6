//! The judge of routines: what passes here, every backend can compile and the interpreter can run.
//!
//! It does not know which elements an index reaches, nor whether the rounds of a pass are independent; the
//! interpreter watches both.

use crate::buffer::ALIGN;
use crate::dtype::DType;
use crate::print::first_line;
use crate::reduce::is_reduction;
use crate::routine::{
    Affine, Block, BufferId, Carried, Count, Fold, Function, FunctionId, MAX_NESTING, Order, Routine, Span, Stmt,
    Storage, Value,
};
use std::collections::{HashMap, HashSet};

/// Checks a routine; the error is a sentence that names the function and the statement.
///
/// ```
/// use wengert_kernel::{routine::Routine, verify::verify};
/// let text = "routine arena 0\nfunction f0 \"main\" () { %0: f64 = neg %0 }";
/// let error = verify(&Routine::parse(text).unwrap()).unwrap_err();
/// assert_eq!(error, "in f0 \"main\" at `%0: f64 = neg %0`: %0 is not defined here");
/// ```
pub fn verify(routine: &Routine) -> Result<(), String> {
    buffers(routine)?;
    let entry = routine.functions.last().ok_or("a routine needs a function")?;
    if !(entry.params.is_empty() && entry.buffer_params.is_empty() && entry.body.yields.is_empty()) {
        return Err("the entry has parameters or results".into());
    }
    let mut facts = Vec::new();
    for (i, function) in routine.functions.iter().enumerate() {
        let checker = Checker::new(routine, function, &facts);
        facts.push(checker.function().map_err(|message| format!("in f{i} {:?}{message}", function.name))?);
    }
    Ok(())
}

type Checked = Result<(), String>;

fn buffers(routine: &Routine) -> Checked {
    let mut outputs = HashSet::new();
    for (i, buffer) in routine.buffers.iter().enumerate() {
        let fail = |why: &str| Err(format!("buffer b{i} {why}"));
        let Some(bytes) = buffer.len.checked_mul(buffer.dtype.size()).filter(|&n| n <= isize::MAX as usize) else {
            return fail("is too large");
        };
        match buffer.storage {
            Storage::Arena(at) if at % ALIGN != 0 => return fail("is not aligned in the arena"),
            Storage::Arena(at) if at.checked_add(bytes).is_none_or(|end| end > routine.arena) => {
                return fail("ends outside the arena");
            }
            Storage::Local(at) if at % ALIGN != 0 => return fail("is not aligned in local memory"),
            Storage::Local(at) if at.checked_add(bytes).is_none_or(|end| end > routine.local) => {
                return fail("ends outside local memory");
            }
            Storage::Output(number) if !outputs.insert(number) => return fail("is an output that is another's too"),
            Storage::Growable if buffer.len != 0 => return fail("is growable, so its length must be 0"),
            Storage::Param(_) => {
                let binders = routine.functions.iter().flat_map(|f| &f.buffer_params);
                if binders.filter(|b| b.0 as usize == i).count() != 1 {
                    return fail("must be a parameter of exactly one function");
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a function, with all it calls, does to the buffers of others.
#[derive(Default)]
struct Facts {
    /// By parameter.
    params: Vec<Demand>,
    /// Buffers that it names itself.
    named: HashMap<BufferId, Demand>,
}

/// What is done to a buffer besides reading, so which memory it may be.
#[derive(Clone, Copy, Default)]
struct Demand {
    written: bool,
    grown: bool,
}

impl Demand {
    const READ: Demand = Demand { written: false, grown: false };
    const WRITTEN: Demand = Demand { written: true, grown: false };
    const GROWN: Demand = Demand { written: false, grown: true };

    fn changes(self) -> bool {
        self.written || self.grown
    }

    fn add(&mut self, other: Demand) {
        self.written |= other.written;
        self.grown |= other.grown;
    }
}

struct Checker<'a> {
    routine: &'a Routine,
    function: &'a Function,
    /// Of the functions before.
    callees: &'a [Facts],
    facts: Facts,
    /// By value: defined somewhere before.
    defined: Vec<bool>,
    /// By value: visible here.
    visible: Vec<bool>,
    /// The visible values in order of definition; a block's end cuts it.
    scope: Vec<Value>,
    depth: usize,
    /// In a parallel loop.
    parallel: bool,
}

impl<'a> Checker<'a> {
    fn new(routine: &'a Routine, function: &'a Function, callees: &'a [Facts]) -> Self {
        let values = vec![false; function.types.len()];
        Checker {
            routine,
            function,
            callees,
            facts: Facts { params: vec![Demand::READ; function.buffer_params.len()], named: HashMap::new() },
            defined: values.clone(),
            visible: values,
            scope: Vec::new(),
            depth: 0,
            parallel: false,
        }
    }

    fn function(mut self) -> Result<Facts, String> {
        let header = |message| format!(": {message}");
        for (i, &id) in self.function.buffer_params.iter().enumerate() {
            let buffer = self.routine.buffers.get(id.0 as usize);
            if buffer.is_none_or(|b| b.storage != Storage::Param(i as u32)) {
                return Err(format!(": {id} is not stored as its parameter {i}"));
            }
        }
        let function = self.function;
        function.params.iter().try_for_each(|&v| self.define(v)).map_err(header)?;
        self.block(&function.body, |_, _| Ok(()))?;
        Ok(self.facts)
    }

    /// Checks a block, then its yields, then forgets its values.
    fn block(&mut self, block: &Block, yields: impl FnOnce(&mut Self, &[Value]) -> Checked) -> Checked {
        let outside = self.scope.len();
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(format!(": blocks are nested deeper than {MAX_NESTING}"));
        }
        block.stmts.iter().try_for_each(|stmt| self.located(stmt))?;
        let end = |message| format!(" at the end of a block: {message}");
        block.yields.iter().try_for_each(|&v| self.used(v).map(drop)).map_err(end)?;
        yields(self, &block.yields).map_err(end)?;
        self.depth -= 1;
        self.forget(outside);
        Ok(())
    }

    fn forget(&mut self, outside: usize) {
        for value in self.scope.drain(outside..) {
            self.visible[value.0 as usize] = false;
        }
    }

    fn located(&mut self, stmt: &Stmt) -> Checked {
        // Messages of inner statements say where already: they start with a preposition or a colon.
        self.stmt(stmt).map_err(|message| match message.starts_with([' ', ':']) {
            true => message,
            false => format!(" at `{}`: {message}", first_line(self.function, stmt)),
        })
    }

    fn stmt(&mut self, stmt: &Stmt) -> Checked {
        let alone = match stmt {
            Stmt::Reserve { .. } | Stmt::Call { .. } | Stmt::Fail { .. } => true,
            Stmt::Runtime { name, .. } => name == "host",
            _ => false,
        };
        ensure(!(alone && self.parallel), || "it does not belong in a parallel loop".into())?;
        match stmt {
            Stmt::Const { out, value } => {
                let width = 8 * value.dtype.size() as u32;
                let valid = if value.dtype == DType::Bool { value.bits <= 1 } else { value.bits >> (width - 1) <= 1 };
                ensure(valid, || format!("{:#x} is no {}", value.bits, value.dtype))?;
                self.define_as(*out, value.dtype)
            }
            Stmt::Let { out, op, args } => {
                let dtypes = args.iter().map(|&v| self.used(v)).collect::<Result<Vec<DType>, String>>()?;
                match op.infer(&dtypes) {
                    Some(dtype) => self.define_as(*out, dtype),
                    None => Err(format!("{} does not take {dtypes:?}", op.name())),
                }
            }
            Stmt::Index { out, at } => {
                self.affine(at)?;
                self.define_as(*out, DType::I64)
            }
            Stmt::Load { out, buffer, at } => {
                self.affine(at)?;
                let dtype = self.read(*buffer)?;
                self.define_as(*out, dtype)
            }
            Stmt::Store { buffer, at, value } => {
                self.affine(at)?;
                let dtype = self.written(*buffer)?;
                self.used_as(*value, dtype)
            }
            Stmt::For { index, count, order, carried, body, results } => {
                self.count(count)?;
                if let Order::Parallel { grain } = *order {
                    return self.parallel(*index, *count, grain, carried, body);
                }
                let outside = self.carried(carried)?;
                self.define_as(*index, DType::I64)?;
                self.block(body, |checker, yields| checker.all_used_as(yields, &checker.dtypes(carried)))?;
                self.forget(outside);
                self.define_all(results, &self.dtypes(carried))
            }
            Stmt::Pass { index, count, body, folds } => self.pass(*index, *count, body, folds),
            Stmt::While { carried, test, body, results } => {
                let outside = self.carried(carried)?;
                self.block(test, |checker, yields| checker.all_used_as(yields, &[DType::Bool]))?;
                self.block(body, |checker, yields| checker.all_used_as(yields, &checker.dtypes(carried)))?;
                self.forget(outside);
                self.define_all(results, &self.dtypes(carried))
            }
            Stmt::If { cond, then, otherwise, results } => {
                self.used_as(*cond, DType::Bool)?;
                let dtypes = results.iter().map(|&v| self.dtype(v)).collect::<Result<Vec<DType>, String>>()?;
                self.block(then, |checker, yields| checker.all_used_as(yields, &dtypes))?;
                self.block(otherwise, |checker, yields| checker.all_used_as(yields, &dtypes))?;
                self.define_all(results, &dtypes)
            }
            Stmt::Fill { buffer, at, len, value } => {
                self.affine(at)?;
                self.count(len)?;
                let dtype = self.written(*buffer)?;
                self.used_as(*value, dtype)
            }
            Stmt::Copy { to, to_at, from, from_at, len } => {
                self.affine(to_at)?;
                self.affine(from_at)?;
                self.count(len)?;
                let (to, from) = (self.written(*to)?, self.read(*from)?);
                ensure(to == from, || format!("{from} is copied to {to}"))
            }
            Stmt::Reserve { buffer, len } => {
                self.used_as(*len, DType::I64)?;
                self.read(*buffer)?;
                self.demand(*buffer, Demand::GROWN)
            }
            Stmt::Call { function, args, buffers, results } => self.call(*function, args, buffers, results),
            Stmt::Runtime { inputs, outputs, .. } => {
                for Span { buffer, at, .. } in inputs {
                    self.affine(at)?;
                    self.read(*buffer)?;
                }
                for Span { buffer, at, .. } in outputs {
                    self.affine(at)?;
                    self.written(*buffer)?;
                }
                Ok(())
            }
            Stmt::Fail { when, lane, .. } => {
                self.used_as(*when, DType::Bool)?;
                self.used_as(*lane, DType::I64)
            }
        }
    }

    fn parallel(&mut self, index: Value, count: Count, grain: u64, carried: &[Carried], body: &Block) -> Checked {
        ensure(!self.parallel, || "a parallel loop is inside another".into())?;
        ensure(grain > 0 && matches!(count, Count::Const(_)), || {
            "a parallel loop has a known count and a grain".into()
        })?;
        ensure(carried.is_empty(), || "a parallel loop carries nothing".into())?;
        let outside = self.scope.len();
        self.define_as(index, DType::I64)?;
        self.parallel = true;
        self.block(body, |checker, yields| checker.all_used_as(yields, &[]))?;
        self.parallel = false;
        self.forget(outside);
        Ok(())
    }

    fn pass(&mut self, index: Value, count: u64, body: &[Stmt], folds: &[Fold]) -> Checked {
        self.count(&Count::Const(count))?;
        let outside = self.scope.len();
        self.define_as(index, DType::I64)?;
        for stmt in body {
            let straight = matches!(
                stmt,
                Stmt::Const { .. } | Stmt::Let { .. } | Stmt::Index { .. } | Stmt::Load { .. } | Stmt::Store { .. }
            );
            ensure(straight, || format!("`{}` does not belong in a pass", first_line(self.function, stmt)))?;
            self.located(stmt)?;
        }
        let mut dtypes = Vec::new();
        for fold in folds {
            let dtype = self.used(fold.item)?;
            ensure(is_reduction(fold.op, dtype), || format!("no reduction of {dtype} by {}", fold.op))?;
            dtypes.push(dtype);
        }
        self.forget(outside);
        folds.iter().zip(dtypes).try_for_each(|(fold, dtype)| self.define_as(fold.result, dtype))
    }

    fn call(&mut self, id: FunctionId, args: &[Value], buffers: &[BufferId], results: &[Value]) -> Checked {
        let callees = self.callees;
        let Some(facts) = callees.get(id.0 as usize) else {
            return Err(format!("{id} does not stand before its caller"));
        };
        let callee = &self.routine.functions[id.0 as usize];
        let dtypes = |values: &[Value]| values.iter().map(|&v| callee.dtype(v)).collect::<Vec<DType>>();
        self.all_used_as(args, &dtypes(&callee.params))?;
        ensure(buffers.len() == callee.buffer_params.len(), || {
            format!("{id} takes {} buffers, not {}", callee.buffer_params.len(), buffers.len())
        })?;
        for (i, (&bound, &param)) in buffers.iter().zip(&callee.buffer_params).enumerate() {
            let dtype = self.read(bound)?;
            let (bound_buffer, param) =
                (&self.routine.buffers[bound.0 as usize], &self.routine.buffers[param.0 as usize]);
            ensure(dtype == param.dtype, || format!("{bound} is {dtype}, the parameter {}", param.dtype))?;
            ensure(bound_buffer.storage == Storage::Growable || bound_buffer.len >= param.len, || {
                format!("{bound} has {} elements, the parameter {}", bound_buffer.len, param.len)
            })?;
            self.demand(bound, facts.params[i])?;
            let twice = buffers.iter().zip(&facts.params).enumerate().any(|(j, (&other, demand))| {
                j != i && other == bound && (demand.changes() || facts.params[i].changes())
            });
            let named = facts.named.get(&bound).is_some_and(|d| d.changes() || facts.params[i].changes());
            ensure(!twice && !named, || format!("{bound} goes by two names in {id}, which changes it"))?;
        }
        facts.named.iter().try_for_each(|(&buffer, &demand)| self.demand(buffer, demand))?;
        self.define_all(results, &dtypes(&callee.body.yields))
    }

    /// Checks the carried values' beginnings and defines what they are called inside. Returns where the scope ended.
    fn carried(&mut self, carried: &[Carried]) -> Result<usize, String> {
        let outside = self.scope.len();
        let dtypes = carried.iter().map(|c| self.used(c.init)).collect::<Result<Vec<DType>, String>>()?;
        carried.iter().zip(dtypes).try_for_each(|(c, dtype)| self.define_as(c.param, dtype))?;
        Ok(outside)
    }

    fn dtypes(&self, carried: &[Carried]) -> Vec<DType> {
        carried.iter().map(|c| self.function.dtype(c.param)).collect()
    }

    fn count(&self, count: &Count) -> Checked {
        match *count {
            Count::Const(n) => ensure(i64::try_from(n).is_ok(), || format!("{n} rounds are too many")),
            Count::Value(value) => self.used_as(value, DType::I64),
        }
    }

    fn affine(&self, at: &Affine) -> Checked {
        for (i, &(value, coefficient)) in at.terms.iter().enumerate() {
            self.used_as(value, DType::I64)?;
            ensure(coefficient != 0, || format!("the coefficient of {value} is 0"))?;
            ensure(at.terms[..i].iter().all(|t| t.0 != value), || format!("{value} stands twice in one index"))?;
        }
        Ok(())
    }

    /// The dtype of a buffer that this function may name.
    fn read(&mut self, id: BufferId) -> Result<DType, String> {
        let buffer = self.routine.buffers.get(id.0 as usize).ok_or_else(|| format!("there is no {id}"))?;
        let foreign = matches!(buffer.storage, Storage::Param(_)) && !self.function.buffer_params.contains(&id);
        ensure(!foreign, || format!("{id} is another function's parameter"))?;
        let local = matches!(buffer.storage, Storage::Local(_));
        ensure(!local || self.parallel, || format!("{id} is local, and this is no parallel loop"))?;
        self.demand(id, Demand::READ)?;
        Ok(buffer.dtype)
    }

    fn written(&mut self, id: BufferId) -> Result<DType, String> {
        let dtype = self.read(id)?;
        self.demand(id, Demand::WRITTEN)?;
        Ok(dtype)
    }

    /// Whether the buffer's memory allows it; a parameter hands the demand on to the callers.
    fn demand(&mut self, id: BufferId, demand: Demand) -> Checked {
        let storage = self.routine.buffers[id.0 as usize].storage;
        match storage {
            Storage::Param(i) => self.facts.params[i as usize].add(demand),
            _ => self.facts.named.entry(id).or_default().add(demand),
        }
        match storage {
            Storage::Param(_) | Storage::Growable => Ok(()),
            Storage::Input(_) if demand.written => Err(format!("{id} is an input and read only")),
            _ => ensure(!demand.grown, || format!("{id} is not growable")),
        }
    }

    fn dtype(&self, value: Value) -> Result<DType, String> {
        self.function.types.get(value.0 as usize).copied().ok_or_else(|| format!("{value} has no dtype"))
    }

    fn used(&self, value: Value) -> Result<DType, String> {
        let dtype = self.dtype(value)?;
        if self.visible[value.0 as usize] { Ok(dtype) } else { Err(format!("{value} is not defined here")) }
    }

    fn used_as(&self, value: Value, dtype: DType) -> Checked {
        let found = self.used(value)?;
        ensure(found == dtype, || format!("{value} is {found}, not {dtype}"))
    }

    fn all_used_as(&self, values: &[Value], dtypes: &[DType]) -> Checked {
        ensure(values.len() == dtypes.len(), || format!("{} values, not {}", values.len(), dtypes.len()))?;
        values.iter().zip(dtypes).try_for_each(|(&value, &dtype)| self.used_as(value, dtype))
    }

    fn define(&mut self, value: Value) -> Checked {
        self.dtype(value)?;
        let i = value.0 as usize;
        ensure(!self.defined[i], || format!("{value} is defined twice"))?;
        (self.defined[i], self.visible[i]) = (true, true);
        self.scope.push(value);
        Ok(())
    }

    fn define_as(&mut self, value: Value, dtype: DType) -> Checked {
        let declared = self.dtype(value)?;
        ensure(declared == dtype, || format!("{value} is {dtype}, not {declared}"))?;
        self.define(value)
    }

    fn define_all(&mut self, values: &[Value], dtypes: &[DType]) -> Checked {
        ensure(values.len() == dtypes.len(), || format!("{} results, not {}", dtypes.len(), values.len()))?;
        values.iter().zip(dtypes).try_for_each(|(&value, &dtype)| self.define_as(value, dtype))
    }
}

fn ensure(condition: bool, message: impl FnOnce() -> String) -> Checked {
    if condition { Ok(()) } else { Err(message()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::Scalar;

    const BUFFERS: &str = "routine arena 128
        buffer b0: f64[10] input 0
        buffer b1: f64[10] output 0
        buffer b2: f32[16] arena 64
        buffer b3: f64[0] growable
        buffer b4: f64[5] param 0
        buffer b5: f64[5] param 1
        function f0 \"copy\" (; b4, b5) { copy b4[0; 5] = b5[0] }";

    /// The judgement on the body of an entry that may name the buffers above.
    fn body(text: &str) -> Result<(), String> {
        let text = format!("{BUFFERS} function f1 \"main\" () {{ {text} }}");
        verify(&Routine::parse(&text).expect(&text))
    }

    fn rejected(text: &str, because: &str) {
        let message = body(text).expect_err(text);
        assert!(message.contains(because), "{text}: {message}");
        assert!(message.starts_with("in f1 \"main\" at "), "{message}");
    }

    #[test]
    fn values() {
        assert_eq!(body("%0: f64 = const 1.0 %1: f64 = exp %0"), Ok(()));
        rejected("%0: f64 = exp %1 %1: f64 = const 1.0", "%1 is not defined here");
        rejected("%0: f64 = const 1.0 %0: f64 = const 1.0", "%0 is defined twice");
        rejected("%0: f64 = const 1.0 %1: f32 = exp %0", "%1 is f64, not f32");
        rejected("%0: f64 = const 1.0 %1: f64 = not %0", "not does not take [F64]");
        rejected("%0: bool = const true if %0 { %1: bool = not %0 } else { %2: bool = not %1 }", "%1 is not defined");
        rejected("%0: bool = const true if %0 { %1: bool = not %0 } else { } %2: bool = not %1", "%1 is not defined");
    }

    #[test]
    fn constants_have_the_bits_of_their_dtype() {
        let mut routine = Routine::parse("routine arena 0 function f0 \"f\" () { %0: u8 = const 255 }").unwrap();
        assert_eq!(verify(&routine), Ok(()));
        for (dtype, bits) in [(DType::U8, 256), (DType::Bool, 2), (DType::F32, 1 << 32)] {
            let value = Scalar { dtype, bits };
            routine.functions[0].types = vec![dtype];
            routine.functions[0].body.stmts = vec![Stmt::Const { out: Value(0), value }];
            assert!(verify(&routine).unwrap_err().contains(" is no "), "{dtype}");
            routine.functions[0].body.stmts = vec![Stmt::Const { out: Value(0), value: Scalar { bits: 1, ..value } }];
            assert_eq!(verify(&routine), Ok(()));
        }
    }

    #[test]
    fn buffers_and_indices() {
        assert_eq!(body("%0: f64 = load b0[3] store b1[4] = %0 fill b1[0; 10] = %0 copy b1[0; 9] = b0[1]"), Ok(()));
        rejected("%0: f32 = load b0[3]", "%0 is f64, not f32");
        rejected("%0: f64 = load b9[3]", "there is no b9");
        rejected("%0: f64 = load b4[3]", "b4 is another function's parameter");
        rejected("%0: f64 = load b0[%0]", "%0 is not defined here");
        rejected("%0: f64 = load b0[1] %1: f64 = load b0[%0]", "%0 is f64, not i64");
        rejected("%0: f64 = load b0[1] store b0[1] = %0", "b0 is an input and read only");
        rejected("%0: f64 = load b0[1] store b2[1] = %0", "%0 is f64, not f32");
        rejected("copy b2[0; 4] = b0[0]", "f64 is copied to f32");
        rejected("runtime \"f\" (; -> b0[0; 4])", "b0 is an input and read only");
        rejected("%0: i64 = const 5 reserve b1, %0", "b1 is not growable");
        rejected("%0: f64 = const 5.0 reserve b3, %0", "%0 is f64, not i64");
        let affine = Affine { offset: 0, terms: [(Value(0), 1), (Value(0), 1)].into_iter().collect() };
        let mut routine =
            Routine::parse("routine arena 0 function f0 \"f\" () { %0: i64 = const 0 %1: i64 = index %0 }").unwrap();
        routine.functions[0].body.stmts[1] = Stmt::Index { out: Value(1), at: affine };
        assert!(verify(&routine).unwrap_err().contains("%0 stands twice"));
    }

    #[test]
    fn loops_and_branches() {
        let start = "%0: f64 = const 0.0 %1: i64 = const 3 %2: bool = const true";
        let with = |text: &str| body(&format!("{start} {text}"));
        let rejected = |text: &str, because: &str| rejected(&format!("{start} {text}"), because);
        assert_eq!(with("%3: f64 = for %4 in 0..%1 carry (%5: f64 = %0) { yield %5 } %6: f64 = neg %3"), Ok(()));
        rejected("%3: f64 = for %4 in 0..%1 carry (%5: f64 = %0) { yield %1 }", "%1 is i64, not f64");
        rejected("%3: f64 = for %4 in 0..%1 carry (%5: f64 = %0) { }", "0 values, not 1");
        rejected("for %4 in 0..%1 carry (%3: f64 = %0) { yield %3 }", "1 results, not 0");
        rejected("%3: f32 = for %4 in 0..%1 carry (%5: f64 = %0) { yield %5 }", "%3 is f64, not f32");
        rejected("for %3 in 0..%0 { }", "%0 is f64, not i64");
        rejected("for %3 in 0..9223372036854775808 { }", "rounds are too many");
        rejected("for %3 in 0..3 { } %4: i64 = neg %3", "%3 is not defined here");
        let whole = "%3: f64 = while carry (%4: f64 = %0) test { %5: bool = lt %4, %0 yield %5 } do { yield %4 }";
        assert_eq!(with(whole), Ok(()));
        rejected(&whole.replace("yield %5", "yield %0"), "%0 is f64, not bool");
        rejected(&whole.replace("yield %5", ""), "0 values, not 1");
        rejected(&whole.replace("do { yield %4", "do { yield %5"), "%5 is not defined here");
        assert_eq!(with("%3: f64 = if %2 { yield %0 } else { yield %0 }"), Ok(()));
        rejected("%3: f64 = if %2 { yield %0 } else { yield %1 }", "%1 is i64, not f64");
        rejected("%3: f64 = if %1 { yield %0 } else { yield %0 }", "%1 is i64, not bool");
        rejected("fail %1 check 0 lane %1", "%1 is i64, not bool");
        rejected("fail %2 check 0 lane %0", "%0 is f64, not i64");
    }

    #[test]
    fn passes_are_straight_lines() {
        assert_eq!(body("pass %0 in 0..9 { %1: f64 = load b0[%0] } fold max %1 -> %2: f64 %3: f64 = neg %2"), Ok(()));
        rejected("pass %0 in 0..9 { for %1 in 0..2 { } }", "`for %1 in 0..2 {` does not belong in a pass");
        rejected("pass %0 in 0..9 { } fold sub %0 -> %1: i64", "no reduction of i64 by sub");
        rejected("pass %0 in 0..9 { } fold add %0 -> %1: f64", "%1 is i64, not f64");
        rejected("pass %0 in 0..9 { } fold add %0 -> %1: i64, add %1 -> %2: i64", "%1 is not defined here");
        rejected("pass %0 in 0..9 { %1: f64 = load b0[%0] } %2: f64 = neg %1", "%1 is not defined here");
    }

    #[test]
    fn parallel_loops() {
        assert_eq!(body("for %0 in 0..3 parallel 2 { %1: f64 = load b0[%0] store b1[%0] = %1 }"), Ok(()));
        rejected("for %0 in 0..3 parallel 0 { }", "a known count and a grain");
        rejected("%0: i64 = const 3 for %1 in 0..%0 parallel 1 { }", "a known count and a grain");
        rejected(
            "%0: i64 = const 3 %1: i64 = for %2 in 0..3 parallel 1 carry (%3: i64 = %0) { yield %3 }",
            "carries nothing",
        );
        rejected("for %0 in 0..3 parallel 1 { for %1 in 0..3 parallel 1 { } }", "inside another");
        for alone in ["%1: i64 = const 1 reserve b3, %1", "call f0(; b1, b0)", "runtime \"host\" (; -> )"] {
            rejected(&format!("for %0 in 0..3 parallel 1 {{ {alone} }}"), "does not belong in a parallel loop");
        }
        let local = |body: &str| {
            let text =
                format!("routine arena 0 local 64 buffer b0: f64[8] local 0 function f0 \"main\" () {{ {body} }}");
            verify(&Routine::parse(&text).unwrap())
        };
        assert_eq!(local("for %0 in 0..3 parallel 1 { %1: f64 = const 0.0 store b0[0] = %1 }"), Ok(()));
        assert!(local("%0: f64 = load b0[0]").unwrap_err().contains("b0 is local, and this is no parallel loop"));
    }

    #[test]
    fn calls() {
        assert_eq!(body("call f0(; b1, b0)"), Ok(()));
        assert_eq!(body("call f0(; b3, b1)"), Ok(()));
        rejected("call f0(; b0, b1)", "b0 is an input and read only");
        rejected("call f0(; b1, b1)", "b1 goes by two names in f0, which changes it");
        rejected("call f0(; b1)", "f0 takes 2 buffers, not 1");
        rejected("call f0(; b1, b2)", "b2 is f32, the parameter f64");
        rejected("call f1()", "f1 does not stand before its caller");
        rejected("%0: f64 = call f0(; b1, b0)", "0 results, not 1");
        rejected("%0: i64 = const 1 call f0(%0; b1, b0)", "1 values, not 0");
    }

    #[test]
    fn demands_reach_through_calls() {
        let text = |callee: &str, call: &str| {
            let text = format!(
                "routine arena 0
                 buffer b0: f64[4] input 0
                 buffer b1: f64[0] growable
                 buffer b2: f64[4] param 0
                 buffer b3: f64[4] param 0
                 function f0 \"inner\" (; b2) {{ {callee} }}
                 function f1 \"middle\" (; b3) {{ call f0(; b3) }}
                 function f2 \"main\" () {{ call f1(; {call}) }}"
            );
            verify(&Routine::parse(&text).unwrap())
        };
        let write = "%0: f64 = const 0.0 store b2[0] = %0";
        assert_eq!(text("", "b0"), Ok(()));
        assert_eq!(text(write, "b1"), Ok(()));
        assert!(text(write, "b0").unwrap_err().contains("b0 is an input"));
        let grow = "%0: i64 = const 9 reserve b2, %0";
        assert_eq!(text(grow, "b1"), Ok(()));
        assert!(text(grow, "b0").unwrap_err().contains("b0 is not growable"));
        let by_name = "%0: f64 = load b1[0] store b2[0] = %0";
        assert!(text(by_name, "b1").unwrap_err().contains("b1 goes by two names in f1"));
    }

    #[test]
    fn memory() {
        let of = |buffers: &str| {
            verify(&Routine::parse(&format!("routine arena 128 {buffers} function f0 \"f\" () {{ }}")).unwrap())
        };
        assert_eq!(of("buffer b0: f64[8] arena 0 buffer b1: f64[16] arena 0 buffer b2: f64[8] arena 64"), Ok(()));
        assert!(of("buffer b0: f64[8] arena 8").unwrap_err().contains("not aligned"));
        assert!(of("buffer b0: f64[1] local 0").unwrap_err().contains("ends outside local memory"));
        assert!(of("buffer b0: f64[9] arena 64").unwrap_err().contains("ends outside"));
        assert!(of("buffer b0: u8[0] arena 18446744073709551552").unwrap_err().contains("ends outside"));
        assert!(of("buffer b0: f64[2305843009213693952] input 0").unwrap_err().contains("too large"));
        assert!(of("buffer b0: u8[1] output 0 buffer b1: u8[1] output 0").unwrap_err().contains("another's"));
        assert!(of("buffer b0: u8[1] growable").unwrap_err().contains("length must be 0"));
        assert!(of("buffer b0: u8[1] param 0").unwrap_err().contains("parameter of exactly one"));
        let entry = |text: &str| verify(&Routine::parse(&format!("routine arena 0 {text}")).unwrap());
        assert_eq!(entry(""), Err("a routine needs a function".into()));
        let message = Err("the entry has parameters or results".into());
        assert_eq!(entry("function f0 \"f\" (%0: i64) { }"), message);
        assert_eq!(entry("function f0 \"f\" () { %0: i64 = const 1 yield %0 }"), message);
        let message = entry("buffer b0: u8[1] param 1 function f0 \"g\" (; b0) { } function f1 \"f\" () { }");
        assert_eq!(message, Err("in f0 \"g\": b0 is not stored as its parameter 0".into()));
    }

    #[test]
    fn nesting_is_limited_and_length_is_not() {
        let nested = |n: usize| {
            let mut block = Block::default();
            for _ in 1..n {
                let stmt = Stmt::If { cond: Value(0), then: block, otherwise: Block::default(), results: vec![] };
                block = Block { stmts: vec![stmt], yields: vec![] };
            }
            block.stmts.insert(0, Stmt::Const { out: Value(0), value: Scalar::new(true) });
            let function = Function { types: vec![DType::Bool], body: block, ..Function::default() };
            verify(&Routine { functions: vec![function], ..Routine::default() })
        };
        assert_eq!(nested(MAX_NESTING), Ok(()));
        assert!(nested(MAX_NESTING + 1).unwrap_err().contains("nested deeper than 256"));
        let long: String = (1..50_000).map(|i| format!("%{i}: i64 = neg %{}\n", i - 1)).collect();
        assert_eq!(body(&format!("%0: i64 = const 0 {long}")), Ok(()));
    }
}
