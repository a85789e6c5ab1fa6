//! Machine code as text.

use crate::wide::Kernel;
use cranelift_codegen::CompiledCode;

/// What a routine was compiled to, for readers.
///
/// ```
/// use wengert_kernel::routine::Routine;
/// use wengert_native::{Options, compile};
///
/// let routine = Routine::parse("routine arena 0  function f0 \"main\" () { }").unwrap();
/// let code = compile(&routine, &Options { listing: true, ..Options::default() }).unwrap();
/// let listing = code.listing().unwrap();
/// assert!(listing.clif.starts_with("; main\nfunction"));
/// assert!(listing.assembly.iter().any(|line| line.text.contains("ret")));
/// ```
#[derive(Clone, Default, Debug)]
pub struct Listing {
    /// Cranelift's input, function by function.
    pub clif: String,
    /// The instructions, after a heading for each function.
    pub assembly: Vec<Instruction>,
}

/// A line of a listing.
///
/// ```
/// use wengert_kernel::routine::{Routine, Value};
/// use wengert_native::{Options, compile};
///
/// let mut routine = Routine::parse(r#"
///     routine arena 0
///     buffer b0: f64[1] input 0
///     buffer b1: f64[1] output 0
///     function f0 "root" () { %0: f64 = load b0[0]  %1: f64 = sqrt %0  store b1[0] = %1 }"#).unwrap();
/// routine.functions[0].set_origin(Value(1), 5);
/// let code = compile(&routine, &Options { listing: true, ..Options::default() }).unwrap();
/// let root = code.listing().unwrap().assembly.iter().find(|line| line.text.contains("sqrt")).unwrap();
/// # #[cfg(target_arch = "x86_64")]
/// assert_eq!(root.origin, Some(5));
/// ```
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

    pub(crate) fn add_kernel(&mut self, number: usize, kernel: &Kernel) {
        self.assembly.push(Instruction { text: format!("wide loop {number}:"), origin: None });
        self.assembly.extend(kernel_instructions(kernel));
    }
}

/// The instructions of one function. Addresses of functions elsewhere are not known yet and stand as 0.
#[cfg(target_arch = "x86_64")]
fn instructions(code: &CompiledCode) -> Vec<Instruction> {
    let mut origins = code.buffer.get_srclocs_sorted().iter().peekable();
    decoded(code.code_buffer(), |at| {
        while origins.next_if(|o| o.end <= at as u32).is_some() {}
        origins.peek().filter(|o| o.start <= at as u32 && !o.loc.is_default()).map(|o| o.loc.bits())
    })
}

/// The instructions of a kernel.
#[cfg(target_arch = "x86_64")]
fn kernel_instructions(kernel: &Kernel) -> Vec<Instruction> {
    decoded(&kernel.bytes[..kernel.instructions], |at| {
        let after = kernel.origins.partition_point(|origin| origin.0 <= at);
        kernel.origins[..after].last().and_then(|origin| origin.1)
    })
}

/// Instructions with the origin of each, by its place.
#[cfg(target_arch = "x86_64")]
fn decoded(bytes: &[u8], mut origin: impl FnMut(usize) -> Option<u32>) -> Vec<Instruction> {
    use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};
    let mut decoder = Decoder::new(64, bytes, DecoderOptions::NONE);
    let mut formatter = IntelFormatter::new();
    let mut lines = Vec::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        let at = instruction.ip() as usize;
        let origin = origin(at);
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

#[cfg(not(target_arch = "x86_64"))]
fn kernel_instructions(_: &Kernel) -> Vec<Instruction> {
    unreachable!("there are kernels on x86-64 only")
}
