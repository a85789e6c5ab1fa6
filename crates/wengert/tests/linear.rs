//! The gradient of a loop that reads a table costs as much a step however long the table is, at orders one and two: in
//! operations of the loops it is compiled to, in the memory planned for them, and in the memory that the interpreter takes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use wengert::execute::Executable;
use wengert::prelude::*;
use wengert::{arange, zeros};
use wengert_kernel::routine::{Block, Count, Routine, Stmt};

/// The system's allocator, which counts the bytes that each thread asks for.
struct Counted;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + layout.size() as u64);
        // SAFETY: the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the same contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTED: Counted = Counted;

/// The bytes that `f` asks for, those given back among them.
fn asked(f: impl FnOnce()) -> u64 {
    let before = ASKED.get();
    f();
    ASKED.get() - before
}

/// How many statements run, in a routine whose loops all have a length that is known.
fn executed(routine: &Routine) -> u64 {
    fn known(count: &Count) -> u64 {
        match count {
            Count::Const(n) => *n,
            Count::Value(_) => panic!("every length is known here"),
        }
    }
    fn statements(routine: &Routine, stmts: &[Stmt]) -> u64 {
        let inside = |block: &Block| statements(routine, &block.stmts);
        let cost = |stmt: &Stmt| match stmt {
            Stmt::For { count, body, .. } => known(count) * inside(body),
            Stmt::Pass { count, body, .. } => count * statements(routine, body),
            Stmt::Fill { len, .. } | Stmt::Copy { len, .. } => known(len),
            Stmt::If { then, otherwise, .. } => inside(then).max(inside(otherwise)),
            Stmt::While { .. } | Stmt::Runtime { .. } | Stmt::Reserve { .. } => panic!("there is none here: {stmt:?}"),
            Stmt::Call { function, .. } => inside(&routine.functions[function.0 as usize].body),
            _ => 1,
        };
        stmts.iter().map(cost).sum()
    }
    let entry = routine.functions.last().expect("a routine has an entry");
    statements(routine, &entry.body.stmts)
}

fn total(table: Array) -> Array {
    let n = table.shape()[0];
    let i = arange(0i64, n as i64, 1);
    scan(|acc: Array, i: Array| (acc + table.at(&i).sin(), ()), zeros([0usize; 0]), i).0
}

/// The gradient of the gradient's squared length: `-2 cos(x) sin(x)`.
fn second(table: Array) -> Array {
    grad(|t: Array| grad(total)(t).square().sum())(table)
}

/// The growth of a cost with n: 1 is linear, 2 quadratic.
fn slopes(costs: &[(usize, u64)]) -> Vec<f64> {
    let slope = |w: &[(usize, u64)]| (w[1].1 as f64 / w[0].1 as f64).ln() / (w[1].0 as f64 / w[0].0 as f64).ln();
    costs.windows(2).map(slope).collect()
}

fn assert_linear(what: &str, costs: &[(usize, u64)]) {
    let slopes = slopes(costs);
    println!("{what}: {costs:?}, slopes {slopes:.3?}");
    assert!(slopes.iter().all(|&s| s <= 1.05), "{what}: {costs:?} grow with exponents {slopes:?}");
}

#[test]
fn the_gradient_of_a_table_read_in_a_scan_is_linear_in_its_length() {
    type Order = (&'static str, fn(Array) -> Array, fn(f64) -> f64);
    let orders: [Order; 2] =
        [("order one", |t| grad(total)(t), f64::cos), ("order two", second, |x| -2.0 * x.cos() * x.sin())];
    for (name, g, wanted) in orders {
        let [mut statements, mut planned, mut interpreted] = [const { Vec::new() }; 3];
        // Short enough that no memory is kept for later, which would not be asked for again.
        for n in [250, 1000, 4000] {
            let table = Array::from((0..n).map(|i| (0.37 * i as f64).sin()).collect::<Vec<f64>>());
            let right = |found: Array| {
                let x = table.to_vec::<f64>().unwrap();
                for (found, x) in found.to_vec::<f64>().unwrap().into_iter().zip(x) {
                    assert!((found - wanted(x)).abs() < 1e-14, "{name} of {n}: {found} at {x}");
                }
            };
            // The program has as many equations for every length; it is run by both engines.
            let code = Executable::new(&trace(g, &table)).unwrap();
            let found = code.run(&[], &mut vec![table.clone()], |y| y.next()).unwrap().unwrap();
            right(found);
            statements.push((n, executed(&code.compiled().routine)));
            let report = code.compiled().report;
            assert_eq!(report.growable, 0, "{name}: {report}");
            planned.push((n, report.buffer_bytes as u64));
            interpreted.push((n, asked(|| right(interpret(g)(table.clone())))));
        }
        assert_linear(&format!("{name}, statements executed"), &statements);
        assert_linear(&format!("{name}, planned bytes"), &planned);
        assert_linear(&format!("{name}, bytes taken by the interpreter"), &interpreted);
    }
}

#[test]
fn quadratic_costs_would_show() {
    // A copy of the table in every step.
    let routine = |n: usize| {
        let text = format!(
            "routine arena {size}\nbuffer b0: f64[{n}] input 0\nbuffer b1: f64[{n}] arena 0\nbuffer b2: f64[{n}] output 0\n\
             function f0 \"main\" () {{ for %0 in 0..{n} {{ copy b1[0; {n}] = b0[0] }} }}",
            size = 8 * n
        );
        Routine::parse(&text).unwrap()
    };
    let costs = [100, 200, 400].map(|n| (n, executed(&routine(n))));
    assert!(slopes(&costs).iter().all(|s| (s - 2.0).abs() < 0.01), "{costs:?}");
}
