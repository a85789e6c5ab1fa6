//! One routine on its way to machine code: what all of its functions share.

use crate::Options;
use crate::frame::Layout;
use crate::isa::Features;
use crate::wide::{Kernels, Level};
use std::cell::{Cell, RefCell};
use wengert_kernel::routine::{Block, Buffer, BufferId, Function, FunctionId, Order, Routine, Stmt, Storage};

/// A routine, its layout, and what its functions may do.
pub(crate) struct Unit<'a> {
    /// The routine.
    pub routine: &'a Routine,
    /// Where things stand in a call's block.
    pub layout: Layout,
    /// How to compile.
    pub options: &'a Options,
    /// What the processor has.
    pub features: Features,
    /// The vectors that kernels are made of.
    pub wide: Option<Level>,
    /// By buffer: its address may change during the call.
    moving: Vec<bool>,
    /// By function: what it and its callees may do.
    effects: Vec<Effects>,
    /// By function: it is a parallel loop, whose rounds from one to another a call runs; it may run in several threads at once.
    ranges: Vec<bool>,
    spread: Vec<bool>,
    /// Bytes of scratch memory that the passes so far need.
    scratch: Cell<usize>,
    /// Integer arguments of runtime calls; machine code holds their addresses.
    pub constants: RefCell<Vec<Box<[i64]>>>,
    /// The kernels of wide loops so far.
    pub kernels: RefCell<Kernels>,
}

/// What a stretch of code may do, calls included.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Effects {
    /// End the routine.
    pub fails: bool,
    /// Move a growable buffer.
    pub reserves: bool,
}

impl<'a> Unit<'a> {
    /// Studies a routine.
    pub fn new(routine: &'a Routine, options: &'a Options, features: Features) -> Self {
        let mut effects = Vec::with_capacity(routine.functions.len());
        for function in &routine.functions {
            let mut own = Effects::default();
            visit(&function.body, &mut |stmt| {
                let theirs = stmt_effects(stmt, &effects);
                own = Effects { fails: own.fails | theirs.fails, reserves: own.reserves | theirs.reserves };
            });
            effects.push(own);
        }
        let mut moving: Vec<bool> = routine.buffers.iter().map(|b| b.storage == Storage::Growable).collect();
        // Callers stand after callees, so one sweep from the last reaches every parameter.
        for function in routine.functions.iter().rev() {
            visit(&function.body, &mut |stmt| {
                if let Stmt::Call { function, buffers, .. } = stmt {
                    let params = &routine.functions[function.0 as usize].buffer_params;
                    for (param, bound) in params.iter().zip(buffers) {
                        moving[param.0 as usize] |= moving[bound.0 as usize];
                    }
                }
            });
        }
        let ranges: Vec<bool> = routine.functions.iter().map(|f| f.body.stmts.iter().any(is_parallel)).collect();
        let mut spread = ranges.clone();
        for (number, function) in routine.functions.iter().enumerate().rev() {
            visit(&function.body, &mut |stmt| {
                if let Stmt::Call { function: callee, .. } = stmt {
                    spread[callee.0 as usize] |= spread[number];
                }
            });
        }
        Unit {
            routine,
            layout: Layout::new(routine),
            options,
            features,
            wide: features.wide.and_then(|level| level.within(options.widest)),
            moving,
            effects,
            ranges,
            spread,
            scratch: Cell::default(),
            constants: RefCell::default(),
            kernels: RefCell::default(),
        }
    }

    /// A function.
    pub fn function(&self, id: FunctionId) -> &'a Function {
        &self.routine.functions[id.0 as usize]
    }

    /// A buffer.
    pub fn buffer(&self, id: BufferId) -> &'a Buffer {
        &self.routine.buffers[id.0 as usize]
    }

    /// The buffer's address may change during the call.
    pub fn moves(&self, id: BufferId) -> bool {
        self.moving[id.0 as usize]
    }

    /// What a call of the function may do.
    pub fn effects(&self, id: FunctionId) -> Effects {
        self.effects[id.0 as usize]
    }

    /// The function is a parallel loop: it takes the first round and the end of its rounds.
    pub fn is_range(&self, id: FunctionId) -> bool {
        self.ranges[id.0 as usize]
    }

    /// Several threads may be in the function.
    pub fn is_spread(&self, id: FunctionId) -> bool {
        self.spread[id.0 as usize]
    }

    /// Makes room for a pass.
    pub fn need_scratch(&self, bytes: usize) {
        self.scratch.set(self.scratch.get().max(bytes));
    }

    /// Bytes of scratch memory, once all functions are emitted.
    pub fn scratch_bytes(&self) -> usize {
        self.scratch.get()
    }

    /// What a block may do.
    pub fn block_effects(&self, block: &Block) -> Effects {
        let mut all = Effects::default();
        visit(block, &mut |stmt| {
            let one = stmt_effects(stmt, &self.effects);
            all = Effects { fails: all.fails | one.fails, reserves: all.reserves | one.reserves };
        });
        all
    }
}

fn stmt_effects(stmt: &Stmt, functions: &[Effects]) -> Effects {
    match stmt {
        Stmt::Fail { .. } => Effects { fails: true, reserves: false },
        Stmt::Reserve { .. } => Effects { fails: true, reserves: true },
        Stmt::Call { function, .. } => functions[function.0 as usize],
        _ => Effects::default(),
    }
}

/// Whether a statement is a parallel loop.
pub(crate) fn is_parallel(stmt: &Stmt) -> bool {
    matches!(stmt, Stmt::For { order: Order::Parallel { .. }, .. })
}

/// Calls `see` with every statement of a block and of the blocks inside; the bodies of passes are left out.
pub(crate) fn visit<'s>(block: &'s Block, see: &mut impl FnMut(&'s Stmt)) {
    let mut rest = vec![block.stmts.iter()];
    while let Some(top) = rest.last_mut() {
        let Some(stmt) = top.next() else {
            rest.pop();
            continue;
        };
        see(stmt);
        rest.extend(inner_blocks(stmt).into_iter().flatten().map(|b| b.stmts.iter()));
    }
}

/// The blocks inside a statement.
pub(crate) fn inner_blocks(stmt: &Stmt) -> [Option<&Block>; 2] {
    match stmt {
        Stmt::For { body, .. } => [Some(body), None],
        Stmt::While { test, body, .. } => [Some(test), Some(body)],
        Stmt::If { then, otherwise, .. } => [Some(then), Some(otherwise)],
        _ => [None, None],
    }
}
