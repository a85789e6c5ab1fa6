//! The processor that machine code is made for: one shared target description per way of compiling.

use crate::Error;
use crate::wide::Level;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use std::sync::OnceLock;
use target_lexicon::{Endianness, PointerWidth, Triple};

/// How hard Cranelift works on one machine function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Effort {
    /// Optimise before selecting instructions.
    pub optimize: bool,
    /// The register allocator of linear cost.
    pub single_pass: bool,
    /// Check Cranelift's own work.
    pub verify: bool,
}

/// What the processor has beyond the scalar operations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features {
    /// 128-bit vectors without library calls.
    pub vector: bool,
    /// Multiply-add with one rounding as an instruction.
    pub fma: bool,
    /// The widest vectors that kernels of `wide` are made of.
    pub wide: Option<Level>,
}

/// The target for an effort, made once in a process.
pub(crate) fn isa(effort: Effort) -> Result<&'static OwnedTargetIsa, Error> {
    static ISAS: [OnceLock<Result<OwnedTargetIsa, String>>; 8] = [const { OnceLock::new() }; 8];
    let index = effort.optimize as usize | (effort.single_pass as usize) << 1 | (effort.verify as usize) << 2;
    ISAS[index].get_or_init(|| build(effort)).as_ref().map_err(|text| Error::Target(text.clone()))
}

/// What this processor has.
pub(crate) fn features() -> Features {
    #[cfg(target_arch = "x86_64")]
    {
        let fma = std::is_x86_feature_detected!("fma") && std::is_x86_feature_detected!("avx");
        let avx512 = std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512vl")
            && std::is_x86_feature_detected!("avx512dq")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("bmi2");
        let avx2 = fma && std::is_x86_feature_detected!("avx2");
        let wide = avx2.then_some(if avx512 { Level::Avx512 } else { Level::Avx2 });
        Features { vector: std::is_x86_feature_detected!("sse4.2"), fma, wide }
    }
    #[cfg(not(target_arch = "x86_64"))]
    Features { vector: cfg!(target_arch = "aarch64"), fma: cfg!(target_arch = "aarch64"), wide: None }
}

fn build(effort: Effort) -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    let mut set = |name: &str, value: &str| flags.set(name, value).map_err(|e| format!("setting {name}: {e}"));
    set("opt_level", if effort.optimize { "speed" } else { "none" })?;
    set("regalloc_algorithm", if effort.single_pass { "single_pass" } else { "backtracking" })?;
    set("enable_verifier", if effort.verify { "true" } else { "false" })?;
    set("regalloc_checker", if effort.verify { "true" } else { "false" })?;
    set("is_pic", "false")?;
    set("use_colocated_libcalls", "false")?;
    set("unwind_info", "false")?;
    // A frame of spilled values may be larger than the guard page below the stack.
    set("enable_probestack", "true")?;
    set("probestack_strategy", "inline")?;
    let triple = Triple::host();
    if (triple.endianness(), triple.pointer_width()) != (Ok(Endianness::Little), Ok(PointerWidth::U64)) {
        return Err(format!(
            "{triple} has not 64-bit pointers and the low byte first, which the code made here relies on"
        ));
    }
    let host = cranelift_native::builder().map_err(str::to_owned)?;
    host.finish(settings::Flags::new(flags)).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_target_per_effort() {
        let effort = Effort { optimize: true, single_pass: false, verify: true };
        let other = Effort { single_pass: true, ..effort };
        assert!(std::ptr::eq(isa(effort).unwrap(), isa(effort).unwrap()));
        assert!(!std::ptr::eq(isa(effort).unwrap(), isa(other).unwrap()));
    }
}
