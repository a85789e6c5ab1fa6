//! What came out of compiling a program, in numbers: for snapshots and for the curious.

use std::fmt;

/// Counts of one compilation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Fused groups of elementwise work and row reductions.
    pub groups: usize,
    /// Loops that are no passes.
    pub loops: usize,
    /// Passes.
    pub passes: usize,
    /// Functions, the entry among them.
    pub functions: usize,
    /// Buffers in the arena.
    pub buffers: usize,
    /// Bytes of these buffers if none shared memory with another.
    pub buffer_bytes: usize,
    /// Bytes of the arena.
    pub arena_bytes: usize,
    /// Buffers that grow.
    pub growable: usize,
    /// Arrays copied because they could not be made where they were wanted.
    pub copies: usize,
    /// Elementwise equations computed again in a later pass over the same row.
    pub recomputed: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "groups {}, loops {}, passes {}, functions {}",
            self.groups, self.loops, self.passes, self.functions
        )?;
        write!(f, "buffers {} of {} bytes in an arena of {}, ", self.buffers, self.buffer_bytes, self.arena_bytes)?;
        write!(f, "{} growable, {} copies, {} recomputed", self.growable, self.copies, self.recomputed)
    }
}
