//! Threads, memory, floating-point modes.

use crate::agreement::{bytes, checked, interpreted, native, noise, parse};
use std::sync::Arc;
use wengert_kernel::DType;
use wengert_native::{Code, Options, compile};

const SOFTMAX: &str = "routine arena 4096\nbuffer b0: f64[500] input 0\nbuffer b1: f64[500] output 0\nbuffer b2: f64[500] arena 64\n\
    buffer b3: f64[0] growable\n\
    function f0 \"main\" () { %0: i64 = const 500 reserve b3, %0\n\
    pass %1 in 0..500 { %2: f64 = load b0[%1] %3: f64 = exp %2 store b2[%1] = %3 store b3[%1] = %3 } fold add %3 -> %4: f64\n\
    pass %5 in 0..500 { %6: f64 = load b2[%5] %7: f64 = load b3[%5] %8: f64 = add %6, %7 %9: f64 = div %8, %4 store b1[%5] = %9 } }";

#[test]
fn sixty_four_threads_call_one_code() {
    let routine = parse(SOFTMAX);
    let code = Arc::new(compile(&routine, &checked()).unwrap());
    std::thread::scope(|scope| {
        for seed in 0..64 {
            let (code, routine) = (code.clone(), &routine);
            scope.spawn(move || {
                let input = [bytes(&noise(DType::F64, 500, seed))];
                let want = interpreted(routine, &input);
                for _ in 0..50 {
                    assert_eq!(native(&code, routine, &input), want);
                }
            });
        }
    });
}

/// Resident and virtual pages of this process.
#[cfg(target_os = "linux")]
fn pages() -> (i64, i64) {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let mut numbers = text.split_whitespace().map(|n| n.parse::<i64>().unwrap());
    let size = numbers.next().unwrap();
    (numbers.next().unwrap(), size)
}

/// Alone in a process of its own, for other tests take memory too.
#[cfg(target_os = "linux")]
#[test]
fn dropping_frees_everything() {
    if std::env::var_os("WENGERT_ALONE").is_none() {
        let name = "lifetime::dropping_frees_everything";
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--test-threads=1"])
            .env("WENGERT_ALONE", "1")
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let routine = parse(SOFTMAX);
    let input = [bytes(&noise(DType::F64, 500, 1))];
    let cycle = || {
        let code = compile(&routine, &Options::default()).unwrap();
        native(&code, &routine, &input);
    };
    (0..200).for_each(|_| cycle());
    let before = pages();
    (0..2000).for_each(|_| cycle());
    let after = pages();
    let (resident, size) = (after.0 - before.0, after.1 - before.1);
    assert!(resident < 128 && size < 512, "{resident} more resident pages, {size} more pages");
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.contains("rwx"), "{maps}");
}

/// Every second of many programs dropped, the others still right.
#[test]
fn fragments_are_harmless() {
    let routine = parse(SOFTMAX);
    let input = [bytes(&noise(DType::F64, 500, 1))];
    let want = interpreted(&routine, &input);
    let mut codes: Vec<Code> = (0..300).map(|_| compile(&routine, &Options::default()).unwrap()).collect();
    let mut keep = false;
    codes.retain(|_| {
        keep = !keep;
        keep
    });
    codes.extend((0..100).map(|_| compile(&routine, &Options::default()).unwrap()));
    assert!(codes.iter().all(|code| native(code, &routine, &input) == want));
}

/// Subnormals are kept although the caller's thread flushes them.
#[cfg(target_arch = "x86_64")]
#[test]
fn foreign_modes_change_nothing() {
    let routine = parse(
        "routine arena 0\nbuffer b0: f32[6] input 0\nbuffer b1: f32[6] output 0\n\
         function f0 \"main\" () { %0: f32 = const 1.5 pass %1 in 0..6 { %2: f32 = load b0[%1] %3: f32 = mul %2, %0\n\
         store b1[%1] = %3 } }",
    );
    let code = compile(&routine, &checked()).unwrap();
    let input: Vec<u8> = [1e-40f32, -1e-45, 1.0, 1e-38, 3e38, 0.1].iter().flat_map(|x| x.to_le_bytes()).collect();
    let want: Vec<u8> =
        [1e-40f32, -1e-45, 1.0, 1e-38, 3e38, 0.1].iter().flat_map(|x| (x * 1.5).to_le_bytes()).collect();
    let (mut found, mut kept) = (0u32, 0u32);
    // SAFETY: the mode is set back before anything else is computed.
    let got = unsafe {
        std::arch::asm!("stmxcsr [{}]", in(reg) &mut found);
        let flushing = found | 0x8040 | 0x4000;
        std::arch::asm!("ldmxcsr [{}]", in(reg) &flushing);
        let got = native(&code, &routine, &[input]).1;
        std::arch::asm!("stmxcsr [{}]", in(reg) &mut kept);
        std::arch::asm!("ldmxcsr [{}]", in(reg) &found);
        got
    };
    assert_eq!(got, [want]);
    assert_eq!(kept & 0xc040, 0xc040);
}
