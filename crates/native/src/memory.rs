//! Memory: where buffers begin, the addresses of elements, copies and fills.

use crate::emit::Emitter;
use crate::frame::{INPUTS, OUTPUTS};
use crate::host;
use crate::unit::visit;
use cranelift_codegen::ir::{AliasRegionData, Function, InstBuilder, MemFlagsData, Type, Value as Ssa, types};
use std::collections::HashMap;
use wengert_kernel::routine::{Affine, Block, BufferId, Count, Stmt, Storage, Value};

/// More buffers than this are looked up where they are used, not at the head of a function or loop.
const MOST_BASES: usize = 24;

/// Copies and fills of at most this many bytes are written out.
const INLINE_BYTES: u64 = 128;

/// Properties of memory accesses.
#[derive(Clone, Copy)]
pub(crate) struct Flags {
    /// Elements of buffers: any alignment.
    pub element: MemFlagsData,
    /// Words of the call's block.
    pub word: MemFlagsData,
    /// Words that do not change while the function runs.
    pub constant: MemFlagsData,
}

impl Flags {
    /// The kinds of accesses of a function.
    pub fn of(function: &mut Function) -> Flags {
        let mut region = |number, name: &'static str| {
            let data = AliasRegionData { user_id: number, description: name.into() };
            Some(function.dfg.alias_regions.insert(data))
        };
        Flags {
            element: MemFlagsData::new().with_notrap().with_alias_region(region(1, "buffers")),
            word: MemFlagsData::trusted().with_alias_region(region(0, "frame")),
            constant: MemFlagsData::trusted().with_readonly().with_can_move(),
        }
    }
}

/// Buffers whose beginning is at hand.
#[derive(Default)]
pub(crate) struct Bases {
    known: HashMap<BufferId, Ssa>,
    /// In the order of look-up, with the depth of the scope; the end of a scope cuts this list.
    order: Vec<(BufferId, usize)>,
    depth: usize,
}

impl<'a> Emitter<'a, '_> {
    /// Runs `emit` with look-ups that hold inside only.
    pub fn in_scope(&mut self, emit: impl FnOnce(&mut Self)) {
        self.bases.depth += 1;
        emit(self);
        self.bases.depth -= 1;
        let Bases { known, order, depth } = &mut self.bases;
        while let Some((buffer, _)) = order.pop_if(|(_, found)| *found > *depth) {
            known.remove(&buffer);
        }
    }

    /// See [`Stmt::Fill`].
    pub fn fill(&mut self, buffer: BufferId, at: &Affine, len: Count, value: Value) {
        let (address, offset) = self.address(buffer, at);
        let size = self.unit.buffer(buffer).dtype.size() as u64;
        let value = self.get(value);
        let n = match len {
            Count::Const(n) if n * size <= INLINE_BYTES && n <= 16 => {
                for i in 0..n {
                    self.store_element(value, address, offset + (i * size) as i32);
                }
                return;
            }
            Count::Const(n) => self.b.ins().iconst(types::I64, n as i64),
            Count::Value(v) => self.get(v),
        };
        let (function, bits) = match size {
            1 => (host::fill::<u8> as *const u8, types::I8),
            2 => (host::fill::<u16> as *const u8, types::I16),
            4 => (host::fill::<u32> as *const u8, types::I32),
            _ => (host::fill::<u64> as *const u8, types::I64),
        };
        let ty = self.b.func.dfg.value_type(value);
        let mut value = if ty == bits { value } else { self.b.ins().bitcast(bits, MemFlagsData::new(), value) };
        if bits == types::I8 || bits == types::I16 {
            value = self.b.ins().uextend(types::I32, value);
        }
        let address = self.plus(address, offset as i64);
        self.call_host(function, &[address, value, n], None);
    }

    /// See [`Stmt::Copy`].
    pub fn copy(&mut self, to: BufferId, to_at: &Affine, from: BufferId, from_at: &Affine, len: Count) {
        let (to_address, to_offset) = self.address(to, to_at);
        let (from_address, from_offset) = self.address(from, from_at);
        let size = self.unit.buffer(to).dtype.size() as u64;
        let n = match len {
            Count::Const(n) if n.saturating_mul(size) <= INLINE_BYTES => {
                let mut done = 0;
                let vector = if self.unit.features.vector { &[(16, types::I64X2)][..] } else { &[] };
                let scalar = [(8, types::I64), (4, types::I32), (2, types::I16), (1, types::I8)];
                for &(bytes, ty) in vector.iter().chain(&scalar) {
                    while n * size - done >= bytes {
                        let x = self.load_element(ty, from_address, from_offset + done as i32);
                        self.store_element(x, to_address, to_offset + done as i32);
                        done += bytes;
                    }
                }
                return;
            }
            Count::Const(n) => self.b.ins().iconst(types::I64, n as i64),
            Count::Value(v) => self.get(v),
        };
        let to = self.plus(to_address, to_offset as i64);
        let from = self.plus(from_address, from_offset as i64);
        let size = self.b.ins().iconst(types::I64, size as i64);
        self.call_host(host::copy as *const u8, &[to, from, n, size], None);
    }

    /// Reads an element or a vector of them.
    pub fn load_element(&mut self, ty: Type, address: Ssa, offset: i32) -> Ssa {
        self.b.ins().load(ty, self.flags.element, address, offset)
    }

    /// Writes an element or a vector of them.
    pub fn store_element(&mut self, value: Ssa, address: Ssa, offset: i32) {
        self.b.ins().store(self.flags.element, value, address, offset);
    }

    /// Reads a word of the block.
    pub fn load_word(&mut self, ty: Type, at: usize) -> Ssa {
        self.b.ins().load(ty, self.flags.word, self.frame, at as i32)
    }

    /// Writes a word of the block.
    pub fn store_word(&mut self, value: Ssa, at: usize) {
        self.b.ins().store(self.flags.word, value, self.frame, at as i32);
    }

    /// A linear form, in elements.
    pub fn affine(&mut self, at: &Affine) -> Ssa {
        let mut sum = None;
        for &(value, coefficient) in &at.terms {
            let term = self.scaled(value, coefficient);
            sum = Some(sum.map_or(term, |sum| self.b.ins().iadd(sum, term)));
        }
        match sum {
            Some(sum) if at.offset == 0 => sum,
            Some(sum) => self.plus(sum, at.offset),
            None => self.b.ins().iconst(types::I64, at.offset),
        }
    }

    fn scaled(&mut self, value: Value, factor: i64) -> Ssa {
        let x = self.get(value);
        self.scale(x, factor)
    }

    /// `x + n`.
    pub fn plus(&mut self, x: Ssa, n: i64) -> Ssa {
        if n == 0 { x } else { self.b.ins().iadd_imm_s(x, n) }
    }

    /// `x * factor`.
    pub fn scale(&mut self, x: Ssa, factor: i64) -> Ssa {
        match factor {
            1 => x,
            -1 => self.b.ins().ineg(x),
            f if f > 0 && f.count_ones() == 1 => self.b.ins().ishl_imm_u(x, f.trailing_zeros() as i64),
            f => self.b.ins().imul_imm_s(x, f),
        }
    }

    /// An element's address, as a value and an offset that an instruction can hold.
    pub fn address(&mut self, buffer: BufferId, at: &Affine) -> (Ssa, i32) {
        let size = self.unit.buffer(buffer).dtype.size() as i64;
        let (mut address, mut offset) = self.base(buffer);
        offset = offset.wrapping_add(at.offset.wrapping_mul(size));
        for &(value, coefficient) in &at.terms {
            let term = self.scaled(value, coefficient.wrapping_mul(size));
            address = self.b.ins().iadd(address, term);
        }
        // Room for the offsets of unrolled rounds.
        if offset.unsigned_abs() < 1 << 30 { (address, offset as i32) } else { (self.plus(address, offset), 0) }
    }

    /// Where a buffer begins: a value and a constant to add.
    fn base(&mut self, buffer: BufferId) -> (Ssa, i64) {
        match (self.unit.buffer(buffer).storage, self.arena) {
            (Storage::Arena(at), Some(arena)) => return (arena, at as i64),
            (Storage::Arena(at), None) => return (self.frame, (self.unit.layout.arena + at) as i64),
            (Storage::Local(at), _) => return (self.frame, (self.unit.layout.local + at) as i64),
            _ => {}
        }
        if let Some(&base) = self.bases.known.get(&buffer) {
            return (base, 0);
        }
        let base = self.find_base(buffer);
        self.bases.known.insert(buffer, base);
        self.bases.order.push((buffer, self.bases.depth));
        (base, 0)
    }

    /// Where a buffer begins, as one value.
    pub fn begin(&mut self, buffer: BufferId) -> Ssa {
        let (base, offset) = self.base(buffer);
        self.plus(base, offset)
    }

    fn find_base(&mut self, buffer: BufferId) -> Ssa {
        let Flags { word, constant, .. } = self.flags;
        let (table, i) = match self.unit.buffer(buffer).storage {
            Storage::Input(i) => (INPUTS, i),
            Storage::Output(i) => (OUTPUTS, i),
            Storage::Param(_) if self.unit.moves(buffer) => {
                let cell = self.cell(buffer);
                return self.b.ins().load(types::I64, word, cell, 0);
            }
            Storage::Param(i) => {
                let at = self.unit.layout.param(self.id, i) as i32;
                return self.b.ins().load(types::I64, constant, self.frame, at);
            }
            Storage::Growable => {
                let at = self.unit.layout.descriptor(buffer);
                return self.load_word(types::I64, at);
            }
            Storage::Arena(_) | Storage::Local(_) => unreachable!("the block needs no look-up"),
        };
        let table = self.b.ins().load(types::I64, constant, self.frame, table as i32);
        self.b.ins().load(types::I64, constant, table, i as i32 * 8)
    }

    /// Before a loop: addresses that may change inside are forgotten, the others looked up once.
    pub fn enter_loop(&mut self, blocks: &[&'a Block]) {
        if blocks.iter().any(|b| self.unit.block_effects(b).reserves) {
            self.forget_moving_bases();
        } else {
            blocks.iter().for_each(|b| self.find_bases(b));
        }
    }

    /// Looks up the buffers that a block uses, when they are few.
    pub fn find_bases(&mut self, block: &'a Block) {
        let reserves = self.unit.block_effects(block).reserves;
        let mut used: Vec<BufferId> = Vec::new();
        let mut see = |stmt: &Stmt| match stmt {
            Stmt::Load { buffer, .. } | Stmt::Store { buffer, .. } | Stmt::Fill { buffer, .. } => used.push(*buffer),
            Stmt::Copy { to, from, .. } => used.extend([*to, *from]),
            _ => {}
        };
        visit(block, &mut |stmt| match stmt {
            Stmt::Pass { body, .. } => body.iter().for_each(&mut see),
            _ => see(stmt),
        });
        used.sort();
        used.dedup();
        used.retain(|&b| !(reserves && self.unit.moves(b)));
        if used.len() <= MOST_BASES {
            used.into_iter().for_each(|b| _ = self.base(b));
        }
    }

    /// After what may have moved growable buffers.
    pub fn forget_moving_bases(&mut self) {
        let unit = self.unit;
        self.bases.known.retain(|&buffer, _| !unit.moves(buffer));
        self.bases.order.retain(|&(buffer, _)| !unit.moves(buffer));
    }
}
