//! Where memory cannot be fenced: plain bytes, aligned to nothing.

/// A copy of bytes.
pub struct Fenced(Vec<u8>);

impl Fenced {
    /// A copy of the bytes.
    pub fn new(bytes: &[u8]) -> Fenced {
        Fenced([&[0], bytes].concat())
    }

    /// Where the bytes begin.
    pub fn address(&self) -> *const u8 {
        self.0[1..].as_ptr()
    }
}
