//! Instructions one after the other, jumps between them, and constants behind them.

use iced_x86::{Code, Encoder, IcedError, Instruction, MemoryOperand, Register};
use std::collections::HashMap;

/// Alignment of constants, and of the kernel they belong to.
pub(super) const ALIGN: usize = 64;

/// Instructions in the making.
pub(super) struct Assembler {
    encoder: Encoder,
    len: usize,
    /// The first instruction that could not be encoded: a defect of this module.
    failed: Option<IcedError>,
    constants: Vec<u8>,
    places: HashMap<Vec<u8>, usize>,
}

/// A jump whose target is not known yet: where its distance stands.
pub(super) struct Jump(usize);

impl Assembler {
    pub fn new() -> Self {
        let encoder = Encoder::new(64);
        Assembler { encoder, len: 0, failed: None, constants: Vec::new(), places: HashMap::new() }
    }

    /// Bytes so far.
    pub fn here(&self) -> usize {
        self.len
    }

    /// The next instruction.
    pub fn put(&mut self, instruction: Result<Instruction, IcedError>) {
        match instruction.and_then(|instruction| self.encoder.encode(&instruction, self.len as u64)) {
            Ok(bytes) => self.len += bytes,
            Err(error) => _ = self.failed.get_or_insert(error),
        }
    }

    /// A jump back to a place.
    pub fn jump_back(&mut self, code: Code, to: usize) {
        self.put(Instruction::with_branch(code, to as u64));
    }

    /// A jump to a place that comes later.
    pub fn jump(&mut self, code: Code) -> Jump {
        // Encoded with a distance of 32 bits, the last of its bytes.
        self.put(Instruction::with_branch(code, self.len as u64));
        Jump(self.len - 4)
    }

    /// Constant bytes, a multiple of their own size from the beginning of all constants.
    pub fn constant(&mut self, bytes: &[u8]) -> usize {
        if let Some(&at) = self.places.get(bytes) {
            return at;
        }
        let at = self.constants.len().next_multiple_of(bytes.len());
        self.constants.resize(at, 0);
        self.constants.extend_from_slice(bytes);
        self.places.insert(bytes.to_vec(), at);
        at
    }

    /// The instructions, with jumps to where they are to go, and the constants.
    pub fn finish(mut self, jumps: Vec<(Jump, usize)>) -> Result<(Vec<u8>, Vec<u8>), IcedError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut bytes = self.encoder.take_buffer();
        for (Jump(at), to) in jumps {
            let distance = (to as i64 - (at as i64 + 4)) as i32;
            bytes[at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        Ok((bytes, self.constants))
    }
}

/// The memory at a register and a distance.
pub(super) fn at(base: Register, distance: i64) -> MemoryOperand {
    element(base, Register::None, 1, distance)
}

/// The memory at `base + index * scale + distance`.
pub(super) fn element(base: Register, index: Register, scale: u32, distance: i64) -> MemoryOperand {
    let size = if distance == 0 { 0 } else { 1 };
    MemoryOperand::new(base, index, scale, distance, size, false, Register::None)
}

/// The scalar at a register and a distance, in every lane.
pub(super) fn broadcast(base: Register, distance: i64) -> MemoryOperand {
    MemoryOperand { is_broadcast: true, ..at(base, distance) }
}
