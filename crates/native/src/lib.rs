//! From loops to machine code: a [`Routine`] of `wengert-kernel` becomes instructions of this processor, by Cranelift.
//!
//! ```
//! use wengert_kernel::routine::{Routine, Status};
//! use wengert_native::{Options, compile};
//!
//! let routine = Routine::parse(r#"
//!     routine arena 0
//!     buffer b0: f64[3] input 0
//!     buffer b1: f64[3] output 0
//!     function f0 "double" () {
//!       pass %0 in 0..3 { %1: f64 = load b0[%0]  %2: f64 = add %1, %1  store b1[%0] = %2 }
//!     }"#).unwrap();
//! let code = compile(&routine, &Options::default()).unwrap();
//! #[repr(align(64))]
//! struct Aligned([f64; 3]);
//! let (x, mut y) = ([1.0f64, 2.0, 3.0], Aligned([0.0; 3]));
//! // SAFETY: three elements each, as the routine says, and the output is aligned.
//! let status = unsafe { code.call(&[x.as_ptr().cast()], &[y.0.as_mut_ptr().cast()]) };
//! assert_eq!((status, y.0), (Status::Fine, [2.0, 4.0, 6.0]));
//! ```
//!
//! What machine code gives is what `kernel::interpret` gives, bit for bit (NaN payloads aside), but for the runtime's
//! matrix products. It contains no instruction that can trap.
//!
//! The way of a routine: `split` cuts long functions, `unit` studies what functions do to each other, `emit` turns
//! statements into Cranelift's input with `scalar` and `memory`; a vector loop goes through `plan`, then `tile` or
//! `pass`, with `vector` and `fold`, or becomes a kernel of `wide`. `code` owns the result and calls it; `frame` is what
//! both sides of the call agree on, `host` what machine code calls back.

mod checked;
mod code;
mod emit;
mod fold;
mod frame;
mod halves;
mod host;
mod isa;
mod listing;
mod memory;
mod pass;
mod plan;
mod scalar;
mod split;
mod tile;
mod unit;
mod vector;
mod wide;

pub use checked::{Checked, Given, Results};
pub use code::{Code, calls};
pub use listing::{Instruction, Listing};

use code::{Interface, Object};
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{FuncId, ModuleReloc};
use isa::Effort;
use std::fmt;
use unit::Unit;
use wengert_kernel::routine::{FunctionId, Routine, Stmt, Storage};

/// A routine of more instructions than this is compiled in haste where there are no loops.
const HUGE: usize = 20_000;

/// How hard Cranelift works.
///
/// ```
/// use wengert_kernel::routine::Routine;
/// use wengert_native::{OptLevel, Options, compile};
///
/// let routine = Routine::parse(r#"
///     routine arena 0
///     buffer b0: f64[1] input 0
///     buffer b1: f64[1] output 0
///     function f0 "roots" () {
///       %0: f64 = load b0[0]  %1: f64 = sqrt %0  %2: f64 = sqrt %0  %3: f64 = add %1, %2  store b1[0] = %3
///     }"#).unwrap();
/// let bytes = |opt_level| compile(&routine, &Options { opt_level, ..Options::default() }).unwrap().code_bytes();
/// assert!(bytes(OptLevel::Speed) < bytes(OptLevel::None), "the same is not computed twice");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OptLevel {
    /// Selects instructions and no more.
    None,
    /// Removes what is redundant and moves what is constant out of loops.
    #[default]
    Speed,
}

/// The register allocator.
///
/// ```
/// use wengert_native::{Allocator, Options};
///
/// let quick = Options { allocator: Allocator::SinglePass, ..Options::default() };
/// assert_ne!(quick.allocator, Allocator::default());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Allocator {
    /// The careful one; the fast one for the straight parts of huge routines, which are not optimised either.
    #[default]
    Automatic,
    /// Slow in long functions, for good code.
    Backtracking,
    /// Linear, for code that is about half as fast.
    SinglePass,
}

/// How to compile.
///
/// ```
/// use wengert_native::Options;
///
/// let careful = Options { verify: true, ..Options::default() };
/// assert!(careful.vector && !careful.listing);
/// assert_eq!(careful.growable_limit, 16 << 30);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// How hard Cranelift works.
    pub opt_level: OptLevel,
    /// The register allocator.
    pub allocator: Allocator,
    /// Whether the routine, Cranelift's input and its register allocation are checked.
    pub verify: bool,
    /// Whether passes may become vector loops.
    pub vector: bool,
    /// Steps times rounds of 32 bits from which these are wider than 128 bits, where the processor has such vectors.
    pub wide: u64,
    /// Bits of the widest such vectors: 512, as of AVX-512, or 256, as of AVX2; those that the processor does not have are left.
    pub widest: u32,
    /// Instructions, roughly, above which a function is split.
    pub split: usize,
    /// Bytes that the growable buffers of one call may hold together.
    pub growable_limit: u64,
    /// Whether [`Code::listing`] is kept.
    pub listing: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            opt_level: OptLevel::default(),
            allocator: Allocator::default(),
            verify: false,
            vector: true,
            wide: 384,
            widest: 512,
            split: 1000,
            growable_limit: 16 << 30,
            listing: false,
        }
    }
}

/// Why there is no machine code.
///
/// ```
/// use wengert_kernel::routine::Routine;
/// use wengert_native::{Error, Options, compile};
///
/// let routine = Routine::parse("routine arena 0  function f0 \"main\" () { runtime \"dots\" (; -> ) }").unwrap();
/// let error = compile(&routine, &Options::default()).unwrap_err();
/// assert_eq!(error, Error::Routine("the runtime has no function \"dots\"".into()));
/// assert_eq!(error.to_string(), "the routine is not valid: the runtime has no function \"dots\"");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// Cranelift does not know this processor.
    Target(String),
    /// The routine is not valid, or calls what the runtime does not have.
    Routine(String),
    /// Cranelift refused its input: a defect of this crate.
    Compile(String),
    /// No executable memory.
    Memory(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Target(text) => write!(f, "no machine code for this processor: {text}"),
            Error::Routine(text) => write!(f, "the routine is not valid: {text}"),
            Error::Compile(text) => write!(f, "Cranelift refused a function: {text}"),
            Error::Memory(text) => write!(f, "no memory for machine code: {text}"),
        }
    }
}

impl std::error::Error for Error {}

/// Compiles a routine that `kernel::verify` passes.
///
/// # Errors
/// See [`Error`]. With [`Options::verify`] an invalid routine is an error, else it may panic.
///
/// ```
/// use wengert_kernel::routine::Routine;
/// use wengert_native::{Options, compile};
///
/// let routine = Routine::parse("routine arena 0  function f0 \"main\" () { %0: f64 = neg %0 }").unwrap();
/// let error = compile(&routine, &Options { verify: true, ..Options::default() }).unwrap_err();
/// assert!(error.to_string().ends_with("%0 is not defined here"));
/// ```
pub fn compile(routine: &Routine, options: &Options) -> Result<Code, Error> {
    if options.verify {
        wengert_kernel::verify::verify(routine).map_err(Error::Routine)?;
    }
    check_runtime(routine)?;
    let routine = &*split::split(routine, options.split);
    let unit = Unit::new(routine, options, isa::features());
    let mut compiler = Compiler {
        unit: &unit,
        huge: routine.functions.iter().map(|f| split::block_cost(&f.body)).sum::<usize>() > HUGE,
        context: Context::new(),
        builder: FunctionBuilderContext::new(),
        bytes: Vec::new(),
        relocations: Vec::new(),
        starts: Vec::new(),
        kernels: Vec::new(),
        listing: options.listing.then(Listing::default),
    };
    for id in 0..routine.functions.len() {
        compiler.function(FunctionId(id as u32))?;
    }
    compiler.kernels();
    let Compiler { bytes, relocations, starts, kernels, listing, .. } = compiler;
    let effort = Effort { optimize: true, single_pass: false, verify: false };
    let last = routine.functions.len().checked_sub(1).ok_or_else(|| Error::Routine("there is no function".into()))?;
    let entry = FunctionId(last as u32);
    let signature = emit::signature(&unit, entry, isa::isa(effort)?.default_call_conv());
    let count = |which: fn(Storage) -> Option<u32>| {
        routine.buffers.iter().filter_map(|b| which(b.storage)).max().map_or(0, |last| last as usize + 1)
    };
    let interface = Interface {
        inputs: count(|s| if let Storage::Input(i) = s { Some(i) } else { None }),
        outputs: count(|s| if let Storage::Output(i) = s { Some(i) } else { None }),
        scratch_bytes: unit.scratch_bytes(),
        growable_limit: options.growable_limit,
        constants: unit.constants.take(),
        listing,
        layout: unit.layout,
    };
    Code::place(Object { bytes, relocations, starts, kernels, signature }, interface, effort)
}

fn check_runtime(routine: &Routine) -> Result<(), Error> {
    let mut missing = None;
    for function in &routine.functions {
        unit::visit(&function.body, &mut |stmt| {
            if let Stmt::Runtime { name, .. } = stmt
                && wengert_runtime::lookup(name).is_none()
            {
                missing.get_or_insert_with(|| name.to_string());
            }
        });
    }
    missing.map_or(Ok(()), |name| Err(Error::Routine(format!("the runtime has no function {name:?}"))))
}

/// Compiles function after function.
struct Compiler<'a> {
    unit: &'a Unit<'a>,
    huge: bool,
    context: Context,
    builder: FunctionBuilderContext,
    bytes: Vec<u8>,
    relocations: Vec<ModuleReloc>,
    starts: Vec<usize>,
    kernels: Vec<usize>,
    listing: Option<Listing>,
}

impl Compiler<'_> {
    fn function(&mut self, id: FunctionId) -> Result<(), Error> {
        let isa = isa::isa(self.effort(id))?;
        let target = isa.frontend_config();
        self.context.clear();
        self.context.set_disasm(self.listing.is_some());
        self.context.func.signature = emit::signature(self.unit, id, target.default_call_conv);
        let builder = FunctionBuilder::new(&mut self.context.func, &mut self.builder);
        emit::emit(builder, self.unit, id, target);
        if let Some(listing) = &mut self.listing {
            let name = &self.unit.function(id).name;
            listing.clif += &format!("; {name}\n{}\n", self.context.func.display());
        }
        self.context
            .compile(&**isa, &mut ControlPlane::default())
            .map_err(|e| Error::Compile(cranelift_codegen::print_errors::pretty_error(e.func, e.inner)))?;
        let Some(code) = self.context.compiled_code() else {
            return Err(Error::Compile("no code".into()));
        };
        self.bytes.resize(self.bytes.len().next_multiple_of(frame::ALIGN), 0);
        let start = self.bytes.len();
        self.starts.push(start);
        self.bytes.extend_from_slice(code.code_buffer());
        for relocation in code.buffer.relocs() {
            let owner = FuncId::from_u32(id.0);
            let mut relocation = ModuleReloc::from_mach_reloc(relocation, &self.context.func, owner);
            relocation.offset += start as u32;
            self.relocations.push(relocation);
        }
        if let Some(listing) = &mut self.listing {
            listing.add(&self.unit.function(id).name, code);
        }
        Ok(())
    }

    /// The kernels that the functions call.
    fn kernels(&mut self) {
        for (number, kernel) in self.unit.kernels.take().code.iter().enumerate() {
            self.bytes.resize(self.bytes.len().next_multiple_of(frame::ALIGN), 0);
            self.kernels.push(self.bytes.len());
            self.bytes.extend_from_slice(&kernel.bytes);
            if let Some(listing) = &mut self.listing {
                listing.add_kernel(number, kernel);
            }
        }
    }

    fn effort(&self, id: FunctionId) -> Effort {
        let options = self.unit.options;
        let mut loops = false;
        unit::visit(&self.unit.function(id).body, &mut |stmt| {
            loops |= matches!(stmt, Stmt::For { .. } | Stmt::While { .. } | Stmt::Pass { .. });
        });
        let hasty = options.allocator == Allocator::Automatic && self.huge && !loops;
        Effort {
            optimize: options.opt_level == OptLevel::Speed && !hasty,
            single_pass: hasty || options.allocator == Allocator::SinglePass,
            verify: options.verify,
        }
    }
}
