//! The judge of routines: what passes here, every backend can compile and the interpreter can run.
//!
//! It does not know which elements an index reaches, nor whether the rounds of a pass are independent; the
//! interpreter watches both.

use crate::buffer::ALIGN;
use crate::dtype::DType;
use crate::print::first_line;
use crate::reduce::is_reduction;
use crate::routine::{
    Affine, Block, BufferId, Carried, Count, Fold, Function, FunctionId, MAX_NESTING, Routine, Span, Stmt, Storage,
    Value,
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
            Stmt::For { index, count, carried, body, results, .. } => {
                self.count(count)?;
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
