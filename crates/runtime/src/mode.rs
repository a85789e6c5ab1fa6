//! The floating-point mode of the thread: machine code runs with gradual underflow and rounding to nearest, whatever
//! foreign code has set; the caller's mode comes back afterwards.

/// Runs `f` in the default mode.
///
/// ```
/// let tiny = wengert_runtime::in_default_mode(|| std::hint::black_box(f64::MIN_POSITIVE) / 2.0);
/// assert!(tiny > 0.0, "whatever the mode was before");
/// ```
#[inline(always)]
pub fn in_default_mode<R>(f: impl FnOnce() -> R) -> R {
    let found = read();
    if found & MODE == DEFAULT {
        return f();
    }
    write(found & !MODE | DEFAULT);
    let result = f();
    write(found);
    result
}

/// Rounding, flush to zero, denormals are zero, and the masks that keep exceptions quiet.
#[cfg(target_arch = "x86_64")]
const MODE: u64 = 0xffc0;
#[cfg(target_arch = "x86_64")]
const DEFAULT: u64 = 0x1f80;
/// Rounding, flush to zero, default NaN and the exception traps.
#[cfg(target_arch = "aarch64")]
const MODE: u64 = 0x07c0_9f00;
#[cfg(target_arch = "aarch64")]
const DEFAULT: u64 = 0;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const MODE: u64 = 0;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const DEFAULT: u64 = 0;

#[inline(always)]
fn read() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        let mut register = 0u32;
        // SAFETY: stores the register in a local.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut register, options(nostack, preserves_flags)) };
        register as u64
    }
    #[cfg(target_arch = "aarch64")]
    {
        let register: u64;
        // SAFETY: reads a register.
        unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) register, options(nomem, nostack, preserves_flags)) };
        register
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    0
}

#[inline(always)]
fn write(register: u64) {
    #[cfg(target_arch = "x86_64")]
    {
        let register = register as u32;
        // SAFETY: a value that was read, with the default mode in its place or as it was.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &register, options(nostack, preserves_flags)) };
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a value that was read, with the default mode in its place or as it was.
    unsafe {
        std::arch::asm!("msr fpcr, {}", in(reg) register, options(nomem, nostack, preserves_flags))
    };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = register;
}

#[cfg(test)]
#[cfg(target_arch = "x86_64")]
mod tests {
    use super::*;

    #[test]
    fn foreign_modes_are_put_aside_and_put_back() {
        let before = read();
        // Flush to zero, denormals are zero, round up.
        write(before | 0x8040 | 0x4000);
        let inside = in_default_mode(read);
        let after = read();
        write(before);
        assert_eq!(inside & MODE, DEFAULT);
        assert_eq!(after & MODE, DEFAULT | 0xc040);
    }
}
