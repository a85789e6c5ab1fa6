//! Machine code as text.

use cranelift_codegen::CompiledCode;

/// What a routine was compiled to, for readers.
#[derive(Clone, Default, Debug)]
pub struct Listing {
    /// Cranelift's input, function by function.
    pub clif: String,
    /// The instructions, after a heading for each function.
    pub assembly: Vec<Instruction>,
}

/// A line of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instruction {
    /// The instruction.
    pub text: String,
    /// The origin of the value that it is for; see `Function::origin`.
    pub origin: Option<u32>,
}

impl Listing {
    pub(crate) fn add(&mut self, name: &str, code: &CompiledCode) {
        self.assembly.push(Instruction { text: format!("{name}:"), origin: None });
        self.assembly.extend(instructions(code));
    }
}

/// The instructions of one function. Addresses of functions elsewhere are not known yet and stand as 0.
#[cfg(target_arch = "x86_64")]
fn instructions(code: &CompiledCode) -> Vec<Instruction> {
    use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};
    let mut origins = code.buffer.get_srclocs_sorted().iter().peekable();
    let mut decoder = Decoder::new(64, code.code_buffer(), DecoderOptions::NONE);
    let mut formatter = IntelFormatter::new();
    let mut lines = Vec::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        let at = instruction.ip() as u32;
        while origins.next_if(|o| o.end <= at).is_some() {}
        let origin = origins.peek().filter(|o| o.start <= at && !o.loc.is_default()).map(|o| o.loc.bits());
        let mut text = format!("  {at:5x}  ");
        formatter.format(&instruction, &mut text);
        lines.push(Instruction { text, origin });
    }
    lines
}

/// The instructions of one function as Cranelift prints them; it does not say where they stem from.
#[cfg(not(target_arch = "x86_64"))]
fn instructions(code: &CompiledCode) -> Vec<Instruction> {
    let text = code.vcode.as_deref().unwrap_or_default();
    text.lines().map(|line| Instruction { text: line.to_owned(), origin: None }).collect()
}
