//! Long functions: split pieces agree, compile in linear time, on a small stack.

use crate::agreement::{agree_in, bytes, checked, noise, parse, variants};
use std::fmt::Write;
use std::time::Instant;
use wengert_kernel::{DType, Scalar};
use wengert_native::{Options, compile};

/// Scalar operations each of which reads the last result and one far back.
fn chain(n: usize) -> String {
    let mut text =
        "routine arena 0\nbuffer b0: f64[4] input 0\nbuffer b1: f64[1] output 0\nfunction f0 \"main\" () {\n\
        %0: f64 = load b0[0] %1: f64 = load b0[1] %2: f64 = const 0.5\n"
            .to_string();
    for k in 3..n + 3 {
        let op = ["add", "mul", "sub", "max"][k % 4];
        let other = if k % 5 == 0 { k / 2 } else { 2 };
        writeln!(text, "%{k}: f64 = {op} %{}, %{other}", k - 1).unwrap();
    }
    write!(text, "store b1[0] = %{} }}", n + 2).unwrap();
    text
}

#[test]
fn chains_agree_at_every_split() {
    for n in [1usize, 10, 100, 700] {
        let some: Vec<Options> = [1, 2, 3, 5, 17, 100, 10_000].map(|split| Options { split, ..checked() }).into();
        agree_in(&some, &parse(&chain(n)), &[bytes(&noise(DType::F64, 4, 1))]);
    }
}

/// A program of 30 random nested statements over everything that can cross a cut.
fn tangle(seed: u64) -> String {
    let mut writer = Tangle { text: String::new(), next: 1, seed, visible: vec![0], depth: 0, budget: 60 };
    writer.text =
        "routine arena 64\nbuffer b0: i64[16] input 0\nbuffer b1: i64[16] output 0\nbuffer b2: i64[0] growable\n\
        buffer b3: i64[0] param 0\nbuffer b4: i64[8] arena 0\n\
        function f0 \"push\" (%0: i64, %1: i64; b3) { %2: i64 = const 7 %3: i64 = and %0, %2 %4: i64 = index %3 + 1\n\
          reserve b3, %4 %5: i64 = load b3[%3] %6: i64 = xor %5, %1 store b3[%3] = %6 yield %6, %3 }\n\
        function f1 \"main\" () { %0: i64 = load b0[0] fill b4[0; 8] = %0 fill b1[0; 16] = %0\n"
            .into();
    writer.stmts(12);
    let last = *writer.visible.last().unwrap();
    write!(writer.text, "store b1[0] = %{last} }}").unwrap();
    writer.text
}

struct Tangle {
    text: String,
    next: usize,
    seed: u64,
    visible: Vec<usize>,
    depth: usize,
    budget: usize,
}

impl Tangle {
    fn random(&mut self, n: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.seed >> 33) as usize % n
    }

    fn any(&mut self) -> usize {
        let i = self.random(self.visible.len());
        self.visible[i]
    }

    fn fresh(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn define(&mut self) -> usize {
        let value = self.fresh();
        self.visible.push(value);
        value
    }

    fn stmts(&mut self, n: usize) {
        for _ in 0..n {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            self.stmt();
        }
    }

    /// A block's statements and yields; its values are forgotten.
    fn inner(&mut self, yields: usize) {
        let mark = self.visible.len();
        self.depth += 1;
        let n = 1 + self.random(5);
        self.stmts(n);
        let yields: Vec<String> = (0..yields).map(|_| format!("%{}", self.any())).collect();
        if !yields.is_empty() {
            writeln!(self.text, "yield {}", yields.join(", ")).unwrap();
        }
        self.depth -= 1;
        self.visible.truncate(mark);
    }

    fn stmt(&mut self) {
        let (x, y) = (self.any(), self.any());
        match self.random(if self.depth < 4 { 12 } else { 7 }) {
            0 => {
                let (k, out) = (self.random(100), self.define());
                writeln!(self.text, "%{out}: i64 = const {k}").unwrap();
            }
            1 | 2 => {
                let op = ["add", "mul", "sub", "xor", "max"][self.random(5)];
                let out = self.define();
                writeln!(self.text, "%{out}: i64 = {op} %{x}, %{y}").unwrap();
            }
            3 => {
                let at = self.random(16);
                writeln!(self.text, "store b1[{at}] = %{x}").unwrap();
            }
            4 => {
                let (at, out) = (self.random(16), self.define());
                writeln!(self.text, "%{out}: i64 = load b0[{at}]").unwrap();
            }
            5 => {
                let (a, b) = (self.define(), self.define());
                writeln!(self.text, "%{a}: i64, %{b}: i64 = call f0(%{x}, %{y}; b2)").unwrap();
            }
            6 => {
                let (i, a, b) = (self.fresh(), self.fresh(), self.fresh());
                let out = self.define();
                let body = format!("%{a}: i64 = load b4[%{i}] %{b}: i64 = add %{a}, %{x} store b4[%{i}] = %{b}");
                writeln!(self.text, "pass %{i} in 0..8 {{ {body} }} fold add %{b} -> %{out}: i64").unwrap();
            }
            7 | 8 => {
                let (i, param, count) = (self.fresh(), self.fresh(), self.random(4));
                let out = self.fresh();
                let reverse = if self.random(2) == 0 { "reverse" } else { "" };
                writeln!(self.text, "%{out}: i64 = for %{i} in 0..{count} {reverse} carry (%{param}: i64 = %{x}) {{")
                    .unwrap();
                self.visible.extend([i, param]);
                self.inner(1);
                self.visible.truncate(self.visible.len() - 2);
                self.text += "}\n";
                self.visible.push(out);
            }
            9 => {
                let [p, q, one, next, test] = [(); 5].map(|()| self.fresh());
                let (out, out2) = (self.fresh(), self.fresh());
                let start = self.random(4);
                let init = self.fresh();
                writeln!(self.text, "%{init}: i64 = const {start}").unwrap();
                writeln!(
                    self.text,
                    "%{out}: i64, %{out2}: i64 = while carry (%{p}: i64 = %{init}, %{q}: i64 = %{x}) test {{ %{one}: i64 = const 1\n\
                     %{test}: bool = ge %{p}, %{one} yield %{test} }} do {{ %{next}: i64 = index %{p} - 1"
                )
                .unwrap();
                let mark = self.visible.len();
                self.visible.extend([p, q, next]);
                self.depth += 1;
                let n = self.random(4);
                self.stmts(n);
                self.depth -= 1;
                let last = self.any();
                writeln!(self.text, "yield %{next}, %{last} }}").unwrap();
                self.visible.truncate(mark);
                self.visible.extend([out, out2]);
            }
            _ => {
                let test = self.fresh();
                let (out, out2) = (self.fresh(), self.fresh());
                writeln!(self.text, "%{test}: bool = lt %{x}, %{y}").unwrap();
                writeln!(self.text, "%{out}: i64, %{out2}: i64 = if %{test} {{").unwrap();
                self.inner(2);
                self.text += "} else {\n";
                self.inner(2);
                self.text += "}\n";
                self.visible.extend([out, out2]);
            }
        }
    }
}

#[test]
fn random_programs_agree_at_every_split() {
    for seed in 0..150 {
        let mut some: Vec<Options> = [1, 3, 6, 12, 40].map(|split| Options { split, ..checked() }).into();
        some.extend(variants().into_iter().filter(|options| options.wide == 0));
        let input: Vec<Scalar> = (0..16).map(|i| Scalar::new((i * i) as i64 - 20)).collect();
        agree_in(&some, &parse(&tangle(seed)), &[bytes(&input)]);
    }
}

#[test]
fn a_long_loop_body_is_split() {
    let mut text =
        "routine arena 0\nbuffer b0: f64[4] input 0\nbuffer b1: f64[1] output 0\nfunction f0 \"main\" () {\n\
        %0: f64 = load b0[0] %1: f64 = for %2 in 0..7 carry (%3: f64 = %0) {\n"
            .to_string();
    for k in 4..5004 {
        writeln!(text, "%{k}: f64 = {} %{}, %{}", ["add", "mul", "sub"][k % 3], k - 1, k.saturating_sub(700).max(3))
            .unwrap();
    }
    text += "yield %5003 } store b1[0] = %1 }";
    let routine = parse(&text);
    agree_in(&[Options { verify: false, ..checked() }], &routine, &[bytes(&noise(DType::F64, 4, 3))]);
    let start = Instant::now();
    compile(&routine, &Options::default()).unwrap();
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

/// Linear time, and no recursion over statements.
#[test]
fn a_hundred_thousand_operations_on_a_small_stack() {
    let compile_time = |n: usize| {
        let routine = parse(&chain(n));
        let thread = std::thread::Builder::new().stack_size(256 << 10);
        let work = move || {
            let start = Instant::now();
            let code = compile(&routine, &Options::default()).unwrap();
            (start.elapsed(), code)
        };
        thread.spawn(work).unwrap().join().unwrap().0
    };
    let (quarter, whole) = (compile_time(25_000), compile_time(100_000));
    assert!(whole.as_secs() < 8, "{whole:?}");
    assert!(whole < 12 * quarter, "{quarter:?} for a quarter, {whole:?} for the whole");
    let input = [bytes(&[0.3, 0.7, 0.0, 0.0].map(Scalar::new))];
    agree_in(&[Options::default()], &parse(&chain(100_000)), &input);
}

#[test]
fn thousands_of_loops() {
    let mut text =
        "routine arena 64\nbuffer b0: i64[8] arena 0\nbuffer b1: i64[1] output 0\nfunction f0 \"main\" () {\n\
        %0: i64 = const 3 fill b0[0; 8] = %0\n"
            .to_string();
    for k in 0..4000 {
        let v = 3 * k + 1;
        writeln!(
            text,
            "for %{v} in 0..5 {{ %{}: i64 = load b0[%{v}] %{}: i64 = add %{}, %0 store b0[%{v} + 1] = %{} }}",
            v + 1,
            v + 2,
            v + 1,
            v + 2
        )
        .unwrap();
    }
    text += "%12001: i64 = load b0[3] store b1[0] = %12001 }";
    let routine = parse(&text);
    let start = Instant::now();
    compile(&routine, &Options::default()).unwrap();
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    agree_in(&[Options::default()], &routine, &[]);
}
