//! Long functions are cut into pieces, for Cranelift's cost grows with the square of a function's length.
//!
//! A routine becomes a routine of the same meaning. A run of statements, of the body or of any block inside, becomes a
//! function of its own, called in its place. Values that cross from one piece to another go through the arena: stored
//! where they are defined, loaded before the first statement that needs them, as far outside of loops as the value is
//! visible. (No function is active twice in a call, so one place per value is enough.)
//!
//! A parallel loop becomes a function too, which its threads call for some of its rounds. What is defined in it and crosses
//! goes through memory that each thread has for itself.

use crate::unit::{inner_blocks, is_parallel};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use wengert_kernel::DType;
use wengert_kernel::routine::{
    Affine, Block, Buffer, BufferId, Count, Function, FunctionId, Routine, Stmt, Storage, Value,
};
use wengert_kernel::{Binary, Scalar, ScalarOp, Unary};

/// The routine with no function much above `limit` instructions, as far as single statements allow.
pub(crate) fn split(routine: &Routine, limit: usize) -> Cow<'_, Routine> {
    let is_whole = |f: &Function| {
        let mut parallel = false;
        crate::unit::visit(&f.body, &mut |stmt| parallel |= is_parallel(stmt));
        !parallel && block_cost(&f.body) <= limit
    };
    if routine.functions.iter().all(is_whole) {
        return Cow::Borrowed(routine);
    }
    let mut out = Routine { buffers: routine.buffers.clone(), functions: Vec::new(), ..*routine };
    let mut spills = Spills::default();
    let mut ids = Vec::new();
    for function in &routine.functions {
        let mut cutter = Cutter { limit, known: routine.functions.len(), pieces: Vec::new() };
        let body = cutter.cut(function.body.clone()).0;
        cutter.pieces.push(body);
        rewrite(function, cutter, &mut out, &mut spills, &ids);
        ids.push(FunctionId(out.functions.len() as u32 - 1));
    }
    spills.place(&mut out);
    Cow::Owned(out)
}

/// About how many instructions a block takes.
pub(crate) fn block_cost(block: &Block) -> usize {
    let mut cost = 0;
    crate::unit::visit(block, &mut |stmt| cost += own_cost(stmt));
    cost
}

/// About how many instructions a statement takes, without the blocks inside.
fn own_cost(stmt: &Stmt) -> usize {
    match stmt {
        Stmt::Const { .. } => 1,
        Stmt::Let { op, .. } => match op {
            ScalarOp::Binary(Binary::Div | Binary::Rem | Binary::Max | Binary::Min) => 6,
            ScalarOp::Binary(
                Binary::Pow
                | Binary::Atan2
                | Binary::Hypot
                | Binary::Xlogy
                | Binary::Xlog1py
                | Binary::Threefry
                | Binary::Shl
                | Binary::Shr,
            ) => 4,
            ScalarOp::Unary(Unary::Sign | Unary::IsFinite) => 4,
            _ => 1,
        },
        Stmt::Index { at, .. } => 1 + at.terms.len(),
        Stmt::Load { at, .. } | Stmt::Store { at, .. } => 1 + 2 * at.terms.len(),
        Stmt::For { carried, .. } | Stmt::While { carried, .. } => 8 + carried.len(),
        Stmt::Pass { body, folds, .. } => 20 + 8 * body.len() + 60 * folds.len(),
        Stmt::If { results, .. } => 4 + results.len(),
        Stmt::Fill { .. } | Stmt::Copy { .. } => 10,
        Stmt::Reserve { .. } | Stmt::Fail { .. } => 8,
        Stmt::Call { args, buffers, results, .. } => 4 + args.len() + buffers.len() + results.len(),
        Stmt::Runtime { inputs, outputs, .. } => 8 + 4 * (inputs.len() + outputs.len()),
    }
}

/// Cuts blocks, the innermost first. Piece `k` is called as function `known + k` until all are in place.
struct Cutter {
    limit: usize,
    known: usize,
    pieces: Vec<Block>,
}

impl Cutter {
    /// The block within the limit, and its cost.
    fn cut(&mut self, mut block: Block) -> (Block, usize) {
        let mut costs = Vec::with_capacity(block.stmts.len());
        for stmt in &mut block.stmts {
            let mut cost = own_cost(stmt);
            for inner in inner_blocks_mut(stmt).into_iter().flatten() {
                let (cut, inner_cost) = self.cut(std::mem::take(inner));
                *inner = cut;
                cost += inner_cost;
            }
            if is_parallel(stmt) {
                let function = FunctionId((self.known + self.pieces.len()) as u32);
                let call = Stmt::Call { function, args: Vec::new(), buffers: Vec::new(), results: Vec::new() };
                self.pieces.push(Block { stmts: vec![std::mem::replace(stmt, call)], yields: Vec::new() });
                cost = own_cost(stmt);
            }
            costs.push(cost);
        }
        while costs.iter().sum::<usize>() > self.limit && costs.len() > 1 {
            let before = costs.len();
            (block.stmts, costs) = self.group(block.stmts, costs);
            if costs.len() == before {
                break;
            }
        }
        (block, costs.iter().sum())
    }

    /// Replaces runs of statements by calls.
    fn group(&mut self, stmts: Vec<Stmt>, costs: Vec<usize>) -> (Vec<Stmt>, Vec<usize>) {
        let (mut out, mut out_costs) = (Vec::new(), Vec::new());
        let mut run: Vec<Stmt> = Vec::new();
        let mut run_cost = 0;
        let mut end_run = |pieces: &mut Vec<Block>, run: &mut Vec<Stmt>, run_cost: &mut usize| {
            let worth = run.len() > 1 || run.iter().any(|s| inner_blocks(s)[0].is_some());
            if worth {
                let function = FunctionId((self.known + pieces.len()) as u32);
                pieces.push(Block { stmts: std::mem::take(run), yields: Vec::new() });
                out.push(Stmt::Call { function, args: Vec::new(), buffers: Vec::new(), results: Vec::new() });
                out_costs.push(4);
            } else {
                out_costs.extend((!run.is_empty()).then_some(*run_cost));
                out.append(run);
            }
            *run_cost = 0;
        };
        for (stmt, cost) in stmts.into_iter().zip(costs) {
            if run_cost + cost > self.limit {
                end_run(&mut self.pieces, &mut run, &mut run_cost);
            }
            run.push(stmt);
            run_cost += cost;
        }
        end_run(&mut self.pieces, &mut run, &mut run_cost);
        (out, out_costs)
    }
}

fn inner_blocks_mut(stmt: &mut Stmt) -> [Option<&mut Block>; 2] {
    match stmt {
        Stmt::For { body, .. } => [Some(body), None],
        Stmt::While { test, body, .. } => [Some(test), Some(body)],
        Stmt::If { then, otherwise, .. } => [Some(then), Some(otherwise)],
        _ => [None, None],
    }
}

/// The places of crossing values: one buffer per dtype, in the arena or local.
#[derive(Default)]
struct Spills {
    buffers: HashMap<(DType, bool), (BufferId, usize)>,
}

impl Spills {
    fn slot(&mut self, dtype: DType, local: bool, out: &mut Routine) -> (BufferId, Affine) {
        let (buffer, count) = self.buffers.entry((dtype, local)).or_insert_with(|| {
            out.buffers.push(Buffer { dtype, len: 0, storage: Storage::Arena(0) });
            (BufferId(out.buffers.len() as u32 - 1), 0)
        });
        *count += 1;
        (*buffer, Affine::constant(*count as i64 - 1))
    }

    fn place(self, out: &mut Routine) {
        for ((dtype, local), (buffer, count)) in self.buffers {
            let end = if local { &mut out.local } else { &mut out.arena };
            let at = end.next_multiple_of(64);
            *end = at + count * dtype.size();
            let storage = if local { Storage::Local(at) } else { Storage::Arena(at) };
            out.buffers[buffer.0 as usize] = Buffer { dtype, len: count, storage };
        }
    }
}

/// Where a value is defined, and how the other pieces come by it.
struct Home {
    piece: usize,
    constant: Option<Scalar>,
    slot: Option<(BufferId, Affine)>,
}

/// Appends the pieces of a function to the routine, the function itself last.
fn rewrite(source: &Function, cutter: Cutter, out: &mut Routine, spills: &mut Spills, ids: &[FunctionId]) {
    let Cutter { pieces, known, .. } = cutter;
    let main = pieces.len() - 1;
    let parents = parents(&pieces, known);
    // Callers stand after their callees.
    let mut spread: Vec<bool> = pieces.iter().map(|piece| piece.stmts.iter().any(is_parallel)).collect();
    for piece in (0..pieces.len()).rev() {
        spread[piece] |= parents[piece].is_some_and(|parent| spread[parent]);
    }
    let mut homes: Vec<Option<Home>> = source.types.iter().map(|_| None).collect();
    for (piece, body) in pieces.iter().enumerate() {
        crate::unit::visit(body, &mut |stmt| {
            let constant = if let Stmt::Const { value, .. } = stmt { Some(*value) } else { None };
            for value in definitions(stmt) {
                homes[value.0 as usize] = Some(Home { piece, constant, slot: None });
            }
        });
    }
    for param in &source.params {
        homes[param.0 as usize] = Some(Home { piece: main, constant: None, slot: None });
    }
    for (piece, body) in pieces.iter().enumerate() {
        let mut uses = HashSet::new();
        block_uses(body, &mut uses);
        let mut uses: Vec<Value> = uses.into_iter().collect();
        uses.sort();
        for value in uses {
            // Values of a pass's body have no home: they never leave it.
            if let Some(home) = &mut homes[value.0 as usize]
                && home.piece != piece
                && home.constant.is_none()
                && home.slot.is_none()
            {
                home.slot = Some(spills.slot(source.dtype(value), spread[home.piece], out));
            }
        }
    }
    let mut placed: Vec<(FunctionId, Vec<BufferId>)> = Vec::new();
    for (piece, body) in pieces.iter().enumerate() {
        let is_main = piece == main;
        let mut writer = PieceWriter {
            source,
            piece,
            known,
            ids,
            parents: &parents,
            homes: &homes,
            placed: &placed,
            names: HashMap::new(),
            buffers: source.buffer_params.iter().map(|&b| (b, is_main.then_some(b))).collect(),
            buffer_order: if is_main { source.buffer_params.clone() } else { Vec::new() },
            routine: out,
            function: Function { name: source.name.clone(), ..Function::default() },
        };
        let mut block = Block::default();
        if is_main {
            writer.function.params = source.params.iter().map(|&p| writer.define(p)).collect();
            source.params.iter().for_each(|&p| writer.spill(p, &mut block.stmts));
        } else {
            writer.function.name = format!("{}.{piece}", source.name);
        }
        let mut added = Vec::new();
        writer.fill_block(body, &mut block, &mut added);
        let PieceWriter { mut function, buffers, buffer_order, .. } = writer;
        function.body = block;
        function.buffer_params = buffer_order.iter().filter_map(|b| buffers[b]).collect();
        out.functions.push(function);
        placed.push((FunctionId(out.functions.len() as u32 - 1), buffer_order));
    }
}

/// Which piece calls which.
fn parents(pieces: &[Block], known: usize) -> Vec<Option<usize>> {
    let mut parents = vec![None; pieces.len()];
    for (piece, body) in pieces.iter().enumerate() {
        crate::unit::visit(body, &mut |stmt| {
            if let Stmt::Call { function, .. } = stmt
                && let Some(child) = (function.0 as usize).checked_sub(known)
            {
                parents[child] = Some(piece);
            }
        });
    }
    parents
}

/// One piece becomes a function with values and buffer parameters of its own.
struct PieceWriter<'s> {
    source: &'s Function,
    piece: usize,
    known: usize,
    ids: &'s [FunctionId],
    parents: &'s [Option<usize>],
    homes: &'s [Option<Home>],
    /// The pieces written so far: their functions, and the source's buffers they take.
    placed: &'s [(FunctionId, Vec<BufferId>)],
    /// The source's values as they are called here.
    names: HashMap<Value, Value>,
    /// The source's buffer parameters as they are called here; none until used.
    buffers: HashMap<BufferId, Option<BufferId>>,
    buffer_order: Vec<BufferId>,
    routine: &'s mut Routine,
    function: Function,
}

impl PieceWriter<'_> {
    fn define(&mut self, value: Value) -> Value {
        let new = self.function.value(self.source.dtype(value));
        if let Some(origin) = self.source.origin(value) {
            self.function.set_origin(new, origin);
        }
        self.names.insert(value, new);
        new
    }

    fn buffer(&mut self, buffer: BufferId) -> BufferId {
        match self.buffers.get(&buffer) {
            None => buffer,
            Some(&Some(own)) => own,
            Some(None) => {
                let storage = Storage::Param(self.buffer_order.len() as u32);
                let own = Buffer { storage, ..self.routine.buffers[buffer.0 as usize].clone() };
                self.routine.buffers.push(own);
                let own = BufferId(self.routine.buffers.len() as u32 - 1);
                self.buffers.insert(buffer, Some(own));
                self.buffer_order.push(buffer);
                own
            }
        }
    }

    /// Stores a value that others need, after its definition.
    fn spill(&mut self, value: Value, stmts: &mut Vec<Stmt>) {
        if let Some(Home { slot: Some((buffer, at)), .. }) = &self.homes[value.0 as usize] {
            stmts.push(Stmt::Store { buffer: *buffer, at: at.clone(), value: self.names[&value] });
        }
    }

    /// Makes the foreign ones of `uses` known here, but for those that `inside` defines.
    fn fetch(&mut self, uses: HashSet<Value>, inside: Option<&Stmt>, stmts: &mut Vec<Stmt>, added: &mut Vec<Value>) {
        let mut missing: Vec<Value> = uses.into_iter().filter(|v| !self.names.contains_key(v)).collect();
        missing.sort();
        let mut called = None;
        for value in missing {
            let Some(home) = &self.homes[value.0 as usize] else { continue };
            if home.piece == self.piece {
                continue;
            }
            if let Some(child) = self.child_towards(home.piece)
                && let Some(stmt) = inside
                && called.get_or_insert_with(|| self.children_inside(stmt)).contains(&child)
            {
                continue;
            }
            let out = self.define(value);
            added.push(value);
            stmts.push(match (&home.constant, &home.slot) {
                (Some(constant), _) => Stmt::Const { out, value: *constant },
                (None, Some((buffer, at))) => Stmt::Load { out, buffer: *buffer, at: at.clone() },
                (None, None) => unreachable!("every crossing value has a slot"),
            });
        }
    }

    /// The piece called from here that is `piece` or leads to it.
    fn child_towards(&self, mut piece: usize) -> Option<usize> {
        loop {
            let parent = self.parents[piece]?;
            if parent == self.piece {
                return Some(piece);
            }
            piece = parent;
        }
    }

    /// Pieces called in the blocks inside a statement.
    fn children_inside(&self, stmt: &Stmt) -> HashSet<usize> {
        let mut all = HashSet::new();
        for block in inner_blocks(stmt).into_iter().flatten() {
            crate::unit::visit(block, &mut |stmt| {
                if let Stmt::Call { function, .. } = stmt {
                    all.extend((function.0 as usize).checked_sub(self.known));
                }
            });
        }
        all
    }

    fn fill_block(&mut self, from: &Block, to: &mut Block, added: &mut Vec<Value>) {
        for stmt in &from.stmts {
            let mut uses = HashSet::new();
            stmt_uses(stmt, &mut uses);
            self.fetch(uses, Some(stmt), &mut to.stmts, added);
            let new = self.rename(stmt);
            to.stmts.push(new);
            for value in definitions_after(stmt) {
                self.spill(value, &mut to.stmts);
            }
        }
        self.fetch(from.yields.iter().copied().collect(), None, &mut to.stmts, added);
        to.yields = self.rename_all(&from.yields);
    }

    /// A block inside a statement, which begins by storing `params`.
    fn inner(&mut self, from: &Block, params: &[Value]) -> Block {
        let mut to = Block::default();
        params.iter().for_each(|&p| self.spill(p, &mut to.stmts));
        let mut added = Vec::new();
        self.fill_block(from, &mut to, &mut added);
        // Loaded inside, known inside.
        added.iter().for_each(|v| _ = self.names.remove(v));
        to
    }

    fn name(&self, value: Value) -> Value {
        self.names[&value]
    }

    fn rename_all(&self, values: &[Value]) -> Vec<Value> {
        values.iter().map(|&v| self.name(v)).collect()
    }

    fn define_all(&mut self, values: &[Value]) -> Vec<Value> {
        values.iter().map(|&v| self.define(v)).collect()
    }

    fn affine(&self, at: &Affine) -> Affine {
        Affine { offset: at.offset, terms: at.terms.iter().map(|&(v, c)| (self.name(v), c)).collect() }
    }

    fn count(&self, count: Count) -> Count {
        match count {
            Count::Const(n) => Count::Const(n),
            Count::Value(v) => Count::Value(self.name(v)),
        }
    }

    fn rename(&mut self, stmt: &Stmt) -> Stmt {
        let mut stmt = stmt.clone();
        match &mut stmt {
            Stmt::Const { out, .. } => *out = self.define(*out),
            Stmt::Let { out, args, .. } => {
                args.iter_mut().for_each(|v| *v = self.name(*v));
                *out = self.define(*out);
            }
            Stmt::Index { out, at } => {
                *at = self.affine(at);
                *out = self.define(*out);
            }
            Stmt::Load { out, buffer, at } => {
                (*buffer, *at) = (self.buffer(*buffer), self.affine(at));
                *out = self.define(*out);
            }
            Stmt::Store { buffer, at, value } => {
                (*buffer, *at, *value) = (self.buffer(*buffer), self.affine(at), self.name(*value));
            }
            Stmt::For { index, count, carried, body, results, .. } => {
                *count = self.count(*count);
                let mut params = vec![*index];
                *index = self.define(*index);
                for carried in carried {
                    params.push(carried.param);
                    carried.init = self.name(carried.init);
                    carried.param = self.define(carried.param);
                }
                *body = self.inner(body, &params);
                *results = self.define_all(results);
            }
            Stmt::Pass { index, body, folds, .. } => {
                *index = self.define(*index);
                *body = body.iter().map(|stmt| self.rename(stmt)).collect();
                for fold in folds {
                    fold.item = self.name(fold.item);
                    fold.result = self.define(fold.result);
                }
            }
            Stmt::While { carried, test, body, results } => {
                let mut params = Vec::new();
                for carried in carried {
                    params.push(carried.param);
                    carried.init = self.name(carried.init);
                    carried.param = self.define(carried.param);
                }
                *test = self.inner(test, &params);
                *body = self.inner(body, &[]);
                *results = self.define_all(results);
            }
            Stmt::If { cond, then, otherwise, results } => {
                *cond = self.name(*cond);
                *then = self.inner(then, &[]);
                *otherwise = self.inner(otherwise, &[]);
                *results = self.define_all(results);
            }
            Stmt::Fill { buffer, at, len, value } => {
                (*buffer, *at) = (self.buffer(*buffer), self.affine(at));
                (*len, *value) = (self.count(*len), self.name(*value));
            }
            Stmt::Copy { to, to_at, from, from_at, len } => {
                (*to, *to_at) = (self.buffer(*to), self.affine(to_at));
                (*from, *from_at) = (self.buffer(*from), self.affine(from_at));
                *len = self.count(*len);
            }
            Stmt::Reserve { buffer, len } => (*buffer, *len) = (self.buffer(*buffer), self.name(*len)),
            Stmt::Call { function, args, buffers, results } => {
                match (function.0 as usize).checked_sub(self.known) {
                    Some(child) => {
                        let (id, needed) = &self.placed[child];
                        (*function, *buffers) = (*id, needed.clone());
                    }
                    None => *function = self.ids[function.0 as usize],
                }
                *args = self.rename_all(args);
                buffers.iter_mut().for_each(|b| *b = self.buffer(*b));
                *results = self.define_all(results);
            }
            Stmt::Runtime { inputs, outputs, .. } => {
                for span in inputs.iter_mut().chain(outputs) {
                    (span.buffer, span.at) = (self.buffer(span.buffer), self.affine(&span.at));
                }
            }
            Stmt::Fail { when, lane, .. } => (*when, *lane) = (self.name(*when), self.name(*lane)),
        }
        stmt
    }
}

/// Values that a statement defines after itself or inside, blocks inside left out.
fn definitions(stmt: &Stmt) -> Vec<Value> {
    let mut all = definitions_after(stmt);
    match stmt {
        Stmt::For { index, carried, .. } => {
            all.push(*index);
            all.extend(carried.iter().map(|c| c.param));
        }
        Stmt::While { carried, .. } => all.extend(carried.iter().map(|c| c.param)),
        _ => {}
    }
    all
}

/// Values visible after a statement.
fn definitions_after(stmt: &Stmt) -> Vec<Value> {
    match stmt {
        Stmt::Const { out, .. } | Stmt::Let { out, .. } | Stmt::Index { out, .. } | Stmt::Load { out, .. } => {
            vec![*out]
        }
        Stmt::For { results, .. }
        | Stmt::While { results, .. }
        | Stmt::If { results, .. }
        | Stmt::Call { results, .. } => results.clone(),
        Stmt::Pass { folds, .. } => folds.iter().map(|f| f.result).collect(),
        _ => Vec::new(),
    }
}

fn block_uses(block: &Block, uses: &mut HashSet<Value>) {
    crate::unit::visit(block, &mut |stmt| {
        own_uses(stmt, uses);
        inner_blocks(stmt).into_iter().flatten().for_each(|b| uses.extend(&b.yields));
    });
    uses.extend(&block.yields);
}

/// Values that a statement reads, the blocks inside included.
fn stmt_uses(stmt: &Stmt, uses: &mut HashSet<Value>) {
    own_uses(stmt, uses);
    inner_blocks(stmt).into_iter().flatten().for_each(|b| block_uses(b, uses));
}

fn own_uses(stmt: &Stmt, uses: &mut HashSet<Value>) {
    let affine = |at: &Affine, uses: &mut HashSet<Value>| uses.extend(at.terms.iter().map(|t| t.0));
    let count = |count: &Count| if let Count::Value(v) = count { Some(*v) } else { None };
    match stmt {
        Stmt::Const { .. } => {}
        Stmt::Let { args, .. } => uses.extend(args),
        Stmt::Index { at, .. } | Stmt::Load { at, .. } => affine(at, uses),
        Stmt::Store { at, value, .. } => {
            affine(at, uses);
            uses.insert(*value);
        }
        Stmt::For { count: n, carried, .. } => {
            uses.extend(count(n));
            uses.extend(carried.iter().map(|c| c.init));
        }
        Stmt::While { carried, .. } => uses.extend(carried.iter().map(|c| c.init)),
        Stmt::Pass { body, folds, .. } => {
            body.iter().for_each(|stmt| own_uses(stmt, uses));
            uses.extend(folds.iter().map(|f| f.item));
        }
        Stmt::If { cond, .. } => drop(uses.insert(*cond)),
        Stmt::Fill { at, len, value, .. } => {
            affine(at, uses);
            uses.extend(count(len));
            uses.insert(*value);
        }
        Stmt::Copy { to_at, from_at, len, .. } => {
            affine(to_at, uses);
            affine(from_at, uses);
            uses.extend(count(len));
        }
        Stmt::Reserve { len, .. } => drop(uses.insert(*len)),
        Stmt::Call { args, .. } => uses.extend(args),
        Stmt::Runtime { inputs, outputs, .. } => inputs.iter().chain(outputs).for_each(|s| affine(&s.at, uses)),
        Stmt::Fail { when, lane, .. } => uses.extend([*when, *lane]),
    }
}
