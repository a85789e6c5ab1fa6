//! Statements as instructions: one function of a routine becomes one machine function.
//!
//! Every machine function takes the address of the call's block and its scalar parameters, and returns a status.
//! Scalars are SSA values. Addresses are a base, the varying terms and a constant that goes into the instruction.

use crate::frame::{ARENA, CAPACITY, CHECK, CHECK_NUMBER, FINE, LANE};
use crate::host;
use crate::memory::{Bases, Flags};
use crate::scalar::scalar_type;
use crate::unit::Unit;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block as Label, BlockArg, ExtFuncData, ExternalName, FuncRef, InstBuilder, SigRef, Signature, SourceLoc,
    StackSlotData, StackSlotKind, Type, UserExternalName, Value as Ssa, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::FunctionBuilder;
use std::collections::HashMap;
use wengert_kernel::Scalar;
use wengert_kernel::routine::{
    Block, BufferId, Carried, Count, Function, FunctionId, Order, Span, Stmt, Storage, Value,
};

/// One machine function in the making.
pub(crate) struct Emitter<'a, 'f> {
    /// Where instructions go.
    pub b: FunctionBuilder<'f>,
    /// The routine.
    pub unit: &'a Unit<'a>,
    /// The function.
    pub function: &'a Function,
    /// Its number.
    pub id: FunctionId,
    /// The call's block, or the thread's.
    pub frame: Ssa,
    /// Where the arena begins, in functions that several threads may be in.
    pub arena: Option<Ssa>,
    /// The rounds of a parallel loop that the function runs: the first and the end.
    range: Option<(Ssa, Ssa)>,
    values: Vec<Option<Ssa>>,
    constants: HashMap<Value, Scalar>,
    /// Buffers whose beginning is at hand.
    pub bases: Bases,
    callees: HashMap<FunctionId, FuncRef>,
    signatures: HashMap<(Vec<Type>, Option<Type>), SigRef>,
    failure: Option<Label>,
    /// How memory is accessed.
    pub flags: Flags,
    target: TargetFrontendConfig,
}

/// The signature of a function of the routine.
pub(crate) fn signature(unit: &Unit<'_>, id: FunctionId, call_conv: CallConv) -> Signature {
    let function = unit.function(id);
    let mut signature = Signature::new(call_conv);
    signature.params.push(AbiParam::new(types::I64));
    if unit.is_range(id) {
        signature.params.extend([AbiParam::new(types::I64); 2]);
    }
    signature.params.extend(function.params.iter().map(|&p| AbiParam::new(scalar_type(function.dtype(p)))));
    signature.returns.push(AbiParam::new(types::I32));
    signature
}

/// Emits a whole function.
pub(crate) fn emit(mut b: FunctionBuilder<'_>, unit: &Unit<'_>, id: FunctionId, target: TargetFrontendConfig) {
    let function = unit.function(id);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let params = b.block_params(entry).to_vec();
    let flags = Flags::of(b.func);
    let mut emitter = Emitter {
        b,
        unit,
        function,
        id,
        frame: params[0],
        arena: None,
        range: unit.is_range(id).then(|| (params[1], params[2])),
        values: vec![None; function.types.len()],
        constants: HashMap::new(),
        bases: Bases::default(),
        callees: HashMap::new(),
        signatures: HashMap::new(),
        failure: None,
        flags,
        target,
    };
    if unit.is_spread(id) {
        let arena = emitter.b.ins().load(types::I64, emitter.flags.constant, emitter.frame, ARENA as i32);
        emitter.arena = Some(arena);
    }
    let own = &params[if unit.is_range(id) { 3 } else { 1 }..];
    for (&param, &ssa) in function.params.iter().zip(own) {
        emitter.set(param, ssa);
    }
    emitter.finish();
}

impl<'a> Emitter<'a, '_> {
    fn finish(mut self) {
        let body = &self.function.body;
        self.find_bases(body);
        self.block(body);
        for (i, &result) in body.yields.iter().enumerate() {
            let (ssa, at) = (self.get(result), self.unit.layout.result(self.id, i));
            self.store_word(ssa, at);
        }
        let fine = self.b.ins().iconst(types::I32, FINE as i64);
        self.b.ins().return_(&[fine]);
        if let Some(failure) = self.failure {
            self.b.switch_to_block(failure);
            let status = self.b.block_params(failure)[0];
            self.b.ins().return_(&[status]);
        }
        self.b.seal_all_blocks();
        self.b.finalize(self.target);
    }

    /// The instruction value of a scalar.
    pub fn get(&self, value: Value) -> Ssa {
        self.values[value.0 as usize].unwrap_or_else(|| panic!("v{} is used before its definition", value.0))
    }

    /// Binds a scalar.
    pub fn set(&mut self, value: Value, ssa: Ssa) {
        self.values[value.0 as usize] = Some(ssa);
    }

    /// What a scalar is, if it is a constant.
    pub fn constant_of(&self, value: Value) -> Option<Scalar> {
        self.constants.get(&value).copied()
    }

    fn get_all(&self, values: &[Value]) -> Vec<Ssa> {
        values.iter().map(|&v| self.get(v)).collect()
    }

    fn block(&mut self, block: &'a Block) {
        self.stmts(&block.stmts);
    }

    fn stmts(&mut self, stmts: &'a [Stmt]) {
        for stmt in stmts {
            self.stmt(stmt);
        }
    }

    /// A block whose finds of buffer addresses hold inside only.
    fn scoped(&mut self, block: &'a Block) {
        self.in_scope(|emitter| emitter.block(block));
    }

    /// The instructions that follow are those of a value, for listings.
    pub fn stems_from(&mut self, value: Value) {
        self.set_origin(self.function.origin(value));
    }

    fn set_origin(&mut self, origin: Option<u32>) {
        if self.unit.options.listing {
            self.b.set_srcloc(origin.map_or(SourceLoc::default(), SourceLoc::new));
        }
    }

    /// One statement.
    pub fn stmt(&mut self, stmt: &'a Stmt) {
        self.set_origin(self.function.origin_of(stmt));
        match stmt {
            Stmt::Const { out, value } => {
                let ssa = self.constant(*value);
                self.set(*out, ssa);
                self.constants.insert(*out, *value);
            }
            Stmt::Let { out, op, args } => {
                let dtype = self.function.dtype(args[args.len() - 1]);
                let operands: smallvec::SmallVec<[Ssa; 3]> = args.iter().map(|&v| self.get(v)).collect();
                let ssa = self.scalar_op(*op, dtype, &operands);
                self.set(*out, ssa);
            }
            Stmt::Index { out, at } => {
                let ssa = self.affine(at);
                self.set(*out, ssa);
            }
            Stmt::Load { out, buffer, at } => {
                let (address, offset) = self.address(*buffer, at);
                let ty = scalar_type(self.unit.buffer(*buffer).dtype);
                let ssa = self.load_element(ty, address, offset);
                self.set(*out, ssa);
            }
            Stmt::Store { buffer, at, value } => {
                let (address, offset) = self.address(*buffer, at);
                let ssa = self.get(*value);
                self.store_element(ssa, address, offset);
            }
            Stmt::For { index, order: Order::Parallel { .. }, body, .. } => self.range_loop(*index, body),
            Stmt::For { index, count, order, carried, body, results } => {
                self.for_loop(*index, *count, *order == Order::Reverse, carried, body, results)
            }
            Stmt::Pass { index, count, body, folds } => self.pass(*index, *count, body, folds),
            Stmt::While { carried, test, body, results } => self.while_loop(carried, test, body, results),
            Stmt::If { cond, then, otherwise, results } => self.branch(*cond, then, otherwise, results),
            Stmt::Fill { buffer, at, len, value } => self.fill(*buffer, at, *len, *value),
            Stmt::Copy { to, to_at, from, from_at, len } => self.copy(*to, to_at, *from, from_at, *len),
            Stmt::Reserve { buffer, len } => self.reserve(*buffer, *len),
            Stmt::Call { function, args, buffers, results } => self.call(*function, args, buffers, results),
            Stmt::Runtime { name, ints, inputs, outputs } => self.runtime(name, ints, inputs, outputs),
            Stmt::Fail { when, check, lane } => self.fail(*when, *check, *lane),
        }
    }

    // Control flow.

    fn for_loop(
        &mut self,
        index: Value,
        count: Count,
        reverse: bool,
        carried: &[Carried],
        body: &'a Block,
        results: &[Value],
    ) {
        let mut state: Vec<Ssa> = carried.iter().map(|c| self.get(c.init)).collect();
        let rounds = match count {
            Count::Const(0) => {
                self.bind(results, &state);
                return;
            }
            Count::Const(1) => {
                let zero = self.b.ins().iconst(types::I64, 0);
                self.set(index, zero);
                self.bind_params(carried, &state);
                self.block(body);
                let state = self.get_all(&body.yields);
                self.bind(results, &state);
                return;
            }
            Count::Const(n) => self.b.ins().iconst(types::I64, n as i64),
            Count::Value(v) => self.get(v),
        };
        self.enter_loop(&[body]);
        let (head, exit) = (self.b.create_block(), self.b.create_block());
        let first = if reverse { self.plus(rounds, -1) } else { self.b.ins().iconst(types::I64, 0) };
        let i = self.b.append_block_param(head, types::I64);
        let inner = self.state_params(head, carried);
        let after = self.state_params(exit, carried);
        let mut args = vec![first];
        args.extend(&state);
        if matches!(count, Count::Const(_)) {
            self.jump(head, &args);
        } else {
            let any = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, rounds, 0);
            self.branch_to(any, head, &args, exit, &state);
        }
        self.b.switch_to_block(head);
        self.set(index, i);
        self.bind_params(carried, &inner);
        self.scoped(body);
        state = self.get_all(&body.yields);
        let next = self.plus(i, if reverse { -1 } else { 1 });
        let again = if reverse {
            self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, next, 0)
        } else {
            self.b.ins().icmp(IntCC::SignedLessThan, next, rounds)
        };
        let mut args = vec![next];
        args.extend(&state);
        self.branch_to(again, head, &args, exit, &state);
        self.b.switch_to_block(exit);
        self.bind(results, &after);
    }

    /// The rounds of a parallel loop that this function is called for; there is one at least.
    fn range_loop(&mut self, index: Value, body: &'a Block) {
        let (first, end) = self.range.expect("a parallel loop is a function of its own");
        self.enter_loop(&[body]);
        let (head, exit) = (self.b.create_block(), self.b.create_block());
        let i = self.b.append_block_param(head, types::I64);
        self.jump(head, &[first]);
        self.b.switch_to_block(head);
        self.set(index, i);
        self.scoped(body);
        let next = self.plus(i, 1);
        let again = self.b.ins().icmp(IntCC::SignedLessThan, next, end);
        self.branch_to(again, head, &[next], exit, &[]);
        self.b.switch_to_block(exit);
    }

    fn while_loop(&mut self, carried: &[Carried], test: &'a Block, body: &'a Block, results: &[Value]) {
        self.enter_loop(&[test, body]);
        let (head, round, exit) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let init: Vec<Ssa> = carried.iter().map(|c| self.get(c.init)).collect();
        self.jump(head, &init);
        let state = self.state_params(head, carried);
        self.b.switch_to_block(head);
        self.bind_params(carried, &state);
        self.scoped(test);
        let again = self.get(test.yields[0]);
        self.branch_to(again, round, &[], exit, &[]);
        self.b.switch_to_block(round);
        self.scoped(body);
        let next = self.get_all(&body.yields);
        self.jump(head, &next);
        self.b.switch_to_block(exit);
        self.bind(results, &state);
    }

    fn branch(&mut self, cond: Value, then: &'a Block, otherwise: &'a Block, results: &[Value]) {
        let (yes, no, join) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let after: Vec<Ssa> =
            results.iter().map(|&r| self.b.append_block_param(join, scalar_type(self.function.dtype(r)))).collect();
        let cond = self.get(cond);
        self.branch_to(cond, yes, &[], no, &[]);
        for (label, block) in [(yes, then), (no, otherwise)] {
            self.b.switch_to_block(label);
            self.scoped(block);
            let yields = self.get_all(&block.yields);
            self.jump(join, &yields);
        }
        self.b.switch_to_block(join);
        self.bind(results, &after);
    }

    fn fail(&mut self, when: Value, check: u32, lane: Value) {
        let (failed, go_on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(failed);
        let when = self.get(when);
        self.branch_to(when, failed, &[], go_on, &[]);
        self.b.switch_to_block(failed);
        let lane = self.get(lane);
        self.store_word(lane, LANE);
        let number = self.b.ins().iconst(types::I32, check as i64);
        self.store_word(number, CHECK_NUMBER);
        let status = self.b.ins().iconst(types::I32, CHECK as i64);
        self.b.ins().return_(&[status]);
        self.b.switch_to_block(go_on);
    }

    /// Returns a status that is not fine.
    fn propagate(&mut self, status: Ssa) {
        let failure = *self.failure.get_or_insert_with(|| {
            let label = self.b.create_block();
            self.b.set_cold_block(label);
            self.b.append_block_param(label, types::I32);
            label
        });
        let go_on = self.b.create_block();
        self.branch_to(status, failure, &[status], go_on, &[]);
        self.b.switch_to_block(go_on);
    }

    fn bind(&mut self, values: &[Value], ssa: &[Ssa]) {
        for (&value, &ssa) in values.iter().zip(ssa) {
            self.set(value, ssa);
        }
    }

    fn bind_params(&mut self, carried: &[Carried], ssa: &[Ssa]) {
        for (carried, &ssa) in carried.iter().zip(ssa) {
            self.set(carried.param, ssa);
        }
    }

    fn state_params(&mut self, label: Label, carried: &[Carried]) -> Vec<Ssa> {
        let types = carried.iter().map(|c| scalar_type(self.function.dtype(c.param)));
        types.map(|ty| self.b.append_block_param(label, ty)).collect()
    }

    /// An unconditional jump.
    pub fn jump(&mut self, label: Label, args: &[Ssa]) {
        let args: Vec<BlockArg> = args.iter().map(|&a| a.into()).collect();
        self.b.ins().jump(label, &args);
    }

    /// A conditional jump.
    pub fn branch_to(&mut self, cond: Ssa, yes: Label, yes_args: &[Ssa], no: Label, no_args: &[Ssa]) {
        let yes_args: Vec<BlockArg> = yes_args.iter().map(|&a| a.into()).collect();
        let no_args: Vec<BlockArg> = no_args.iter().map(|&a| a.into()).collect();
        self.b.ins().brif(cond, yes, &yes_args, no, &no_args);
    }

    // Calls.

    fn call(&mut self, callee: FunctionId, args: &[Value], buffers: &[BufferId], results: &[Value]) {
        self.bind_buffers(callee, buffers);
        let reference = match self.callees.get(&callee) {
            Some(&reference) => reference,
            None => {
                let signature = signature(self.unit, callee, self.target.default_call_conv);
                let signature = self.b.import_signature(signature);
                let name = UserExternalName { namespace: 0, index: callee.0 };
                let name = ExternalName::user(self.b.func.declare_imported_user_function(name));
                let data = ExtFuncData { name, signature, colocated: true, patchable: false };
                let reference = self.b.import_function(data);
                self.callees.insert(callee, reference);
                reference
            }
        };
        if self.unit.is_range(callee) {
            return self.parallel(callee, reference);
        }
        let mut operands = vec![self.frame];
        operands.extend(self.get_all(args));
        let call = self.b.ins().call(reference, &operands);
        let status = self.b.inst_results(call)[0];
        let effects = self.unit.effects(callee);
        if effects.fails {
            self.propagate(status);
        }
        if effects.reserves {
            self.forget_moving_bases();
        }
        for (i, &result) in results.iter().enumerate() {
            let ty = scalar_type(self.function.dtype(result));
            let ssa = self.load_word(ty, self.unit.layout.result(callee, i));
            self.set(result, ssa);
        }
    }

    /// Runs a parallel loop, which is a function.
    fn parallel(&mut self, callee: FunctionId, reference: FuncRef) {
        let is_loop = |stmt: &Stmt| match stmt {
            Stmt::For { count: Count::Const(count), order: Order::Parallel { grain }, .. } => Some((*count, *grain)),
            _ => None,
        };
        let (count, grain) = self.unit.function(callee).body.stmts.iter().find_map(is_loop).expect("it is a loop");
        if count > 0 {
            let address = self.b.ins().func_addr(types::I64, reference);
            let [count, grain] = [count, grain].map(|n| self.b.ins().iconst(types::I64, n as i64));
            self.call_host(host::spread as *const u8, &[self.frame, address, count, grain], None);
        }
    }

    fn bind_buffers(&mut self, callee: FunctionId, buffers: &[BufferId]) {
        let layout = &self.unit.layout;
        let params = &self.unit.function(callee).buffer_params;
        for (i, (&param, &bound)) in params.iter().zip(buffers).enumerate() {
            let at = layout.param(callee, i as u32);
            let word = if !self.unit.moves(param) {
                self.begin(bound)
            } else if self.unit.moves(bound) {
                self.cell(bound)
            } else {
                let (base, own) = (self.begin(bound), layout.param_own_cell(callee, i as u32));
                self.store_word(base, own);
                self.plus(self.frame, own as i64)
            };
            self.store_word(word, at);
        }
    }

    /// The address of the word that holds the address of a buffer that moves.
    pub fn cell(&mut self, buffer: BufferId) -> Ssa {
        match self.unit.buffer(buffer).storage {
            Storage::Param(i) => {
                let at = self.unit.layout.param(self.id, i) as i32;
                self.b.ins().load(types::I64, self.flags.constant, self.frame, at)
            }
            _ => {
                let at = self.unit.layout.descriptor(buffer) as i64;
                self.plus(self.frame, at)
            }
        }
    }

    fn reserve(&mut self, buffer: BufferId, len: Value) {
        let cell = self.cell(buffer);
        let len = self.get(len);
        let (grow, go_on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(grow);
        let capacity = self.b.ins().load(types::I64, self.flags.word, cell, CAPACITY as i32);
        let short = self.b.ins().icmp(IntCC::SignedGreaterThan, len, capacity);
        self.branch_to(short, grow, &[], go_on, &[]);
        self.b.switch_to_block(grow);
        let size = self.b.ins().iconst(types::I64, self.unit.buffer(buffer).dtype.size() as i64);
        let status = self.call_host(host::reserve as *const u8, &[self.frame, cell, len, size], Some(types::I32));
        self.propagate(status);
        self.jump(go_on, &[]);
        self.b.switch_to_block(go_on);
        self.forget_moving_bases();
    }

    fn runtime(&mut self, name: &str, ints: &[i64], inputs: &[Span], outputs: &[Span]) {
        let function = wengert_runtime::lookup(name).unwrap_or_else(|| panic!("no function {name} in the runtime"));
        let ints: Box<[i64]> = ints.into();
        let ints_at = self.b.ins().iconst(types::I64, ints.as_ptr() as i64);
        self.unit.constants.borrow_mut().push(ints);
        let mut addresses = |spans: &[Span]| {
            let slot = self.stack_slot((spans.len() * 8).max(8));
            let list = self.b.ins().stack_addr(types::I64, slot, 0);
            for (i, span) in spans.iter().enumerate() {
                let (address, offset) = self.address(span.buffer, &span.at);
                let address = self.plus(address, offset as i64);
                self.store_element(address, list, (i * 8) as i32);
            }
            list
        };
        let (inputs, outputs) = (addresses(inputs), addresses(outputs));
        self.call_host(function as *const u8, &[ints_at, inputs, outputs], None);
    }

    /// A place in the machine function's own stack frame, aligned for vectors.
    pub fn stack_slot(&mut self, bytes: usize) -> cranelift_codegen::ir::StackSlot {
        self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes as u32, 4))
    }

    /// Calls a function of the host. Operands are 32 bits wide or more.
    pub fn call_host(&mut self, function: *const u8, args: &[Ssa], result: Option<Type>) -> Ssa {
        let params: Vec<Type> = args.iter().map(|&a| self.b.func.dfg.value_type(a)).collect();
        let key = (params, result);
        let signature = match self.signatures.get(&key) {
            Some(&signature) => signature,
            None => {
                let mut signature = Signature::new(self.target.default_call_conv);
                signature.params.extend(key.0.iter().map(|&ty| AbiParam::new(ty)));
                signature.returns.extend(result.map(AbiParam::new));
                let reference = self.b.import_signature(signature);
                self.signatures.insert(key, reference);
                reference
            }
        };
        let address = self.b.ins().iconst(types::I64, function as i64);
        let call = self.b.ins().call_indirect(signature, address, args);
        self.b.inst_results(call).first().copied().unwrap_or(address)
    }
}
