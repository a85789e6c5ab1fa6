//! Routines of any shape are printed and read back; spoilt texts are refused.

use super::*;

/// A linear congruential generator (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    fn many<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| make(self)).collect()
    }
}

/// Makes routines of any shape; most would not pass the verifier.
struct Maker {
    random: Random,
    function: Function,
}

impl Maker {
    fn routine(seed: u64) -> Routine {
        let mut maker = Maker { random: Random(seed), function: Function::default() };
        let arena = maker.random.below(1000);
        let buffers = maker.random.many(|random| {
            let n = random.below(100);
            let i = n as u32;
            let storages = [
                Storage::Input(i),
                Storage::Output(i),
                Storage::Arena(n),
                Storage::Local(n),
                Storage::Growable,
                Storage::Param(i),
            ];
            Buffer { dtype: random.of(&DType::ALL), len: n * n, storage: random.of(&storages) }
        });
        let functions = (0..1 + maker.random.below(3)).map(|_| maker.function()).collect();
        Routine { buffers, functions, arena, local: maker.random.below(2) * 64 }
    }

    fn function(&mut self) -> Function {
        self.function =
            Function { name: self.random.of(&["main", "", "a \"b\"\n\\ü\u{7f}"]).into(), ..Function::default() };
        self.function.params = self.defs();
        self.function.buffer_params = self.buffers();
        self.new_value(DType::U8); // Defined by nothing.
        self.function.body = self.block(3);
        std::mem::take(&mut self.function)
    }

    fn new_value(&mut self, dtype: DType) -> Value {
        self.function.value(dtype)
    }

    fn def(&mut self) -> Value {
        let dtype = self.random.of(&DType::ALL);
        self.new_value(dtype)
    }

    fn defs(&mut self) -> Vec<Value> {
        (0..self.random.below(3)).map(|_| self.def()).collect()
    }

    fn value(&mut self) -> Value {
        Value(self.random.below(self.function.types.len()) as u32)
    }

    fn values(&mut self) -> Vec<Value> {
        (0..self.random.below(3)).map(|_| self.value()).collect()
    }

    fn buffer(&mut self) -> BufferId {
        BufferId(self.random.below(9) as u32)
    }

    fn buffers(&mut self) -> Vec<BufferId> {
        (0..self.random.below(3)).map(|_| self.buffer()).collect()
    }

    fn affine(&mut self) -> Affine {
        let mut at = Affine::constant(self.random.of(&[0, 0, 7, -3, i64::MAX, i64::MIN]));
        for _ in 0..self.random.below(4) {
            let (value, c) = (self.value(), self.random.of(&[1, 1, -1, 4, -4, i64::MAX, i64::MIN]));
            if at.coefficient(value) == 0 {
                at = at.plus(value, c);
            }
        }
        at
    }

    fn count(&mut self) -> Count {
        match self.random.below(3) {
            0 => Count::Value(self.value()),
            1 => Count::Const(u64::MAX),
            _ => Count::Const(self.random.below(100) as u64),
        }
    }

    fn scalar(&mut self) -> Scalar {
        let dtype = self.random.of(&DType::ALL);
        let bits = [
            0,
            1,
            u64::MAX,
            0x7ff8_0000_0000_0000,
            0x7ff8_0000_7fc0_0000,
            0xfff0_0000_ff80_0000,
            0x3ff0_1234_5678_9abc,
        ];
        let mask = if dtype == DType::Bool { 1 } else { u64::MAX >> (64 - 8 * dtype.size()) };
        Scalar { dtype, bits: self.random.of(&bits) & mask }
    }

    fn op(&mut self) -> ScalarOp {
        let of_lists = [
            ScalarOp::Unary(self.random.of(Unary::ALL)),
            ScalarOp::Binary(self.random.of(Binary::ALL)),
            ScalarOp::Compare(self.random.of(Comparison::ALL)),
            ScalarOp::Convert(self.random.of(&DType::ALL)),
            ScalarOp::Bitcast(self.random.of(&DType::ALL)),
            ScalarOp::Select,
            ScalarOp::Fma,
        ];
        self.random.of(&of_lists)
    }

    fn carried(&mut self) -> Vec<Carried> {
        let inits = self.values();
        inits.into_iter().map(|init| Carried { param: self.def(), init }).collect()
    }

    fn spans(&mut self) -> Vec<Span> {
        (0..self.random.below(3))
            .map(|_| Span { buffer: self.buffer(), at: self.affine(), len: self.random.below(100) })
            .collect()
    }

    fn stmts(&mut self, depth: usize) -> Vec<Stmt> {
        (0..self.random.below(5)).map(|_| self.stmt(depth)).collect()
    }

    fn block(&mut self, depth: usize) -> Block {
        Block { stmts: self.stmts(depth), yields: self.values() }
    }

    fn stmt(&mut self, depth: usize) -> Stmt {
        let kinds = if depth == 0 { 11 } else { 15 };
        match self.random.below(kinds) {
            0 => {
                let value = self.scalar();
                Stmt::Const { out: self.new_value(value.dtype), value }
            }
            1 | 2 => {
                let op = self.op();
                Stmt::Let { out: self.def(), op, args: (0..op.arity()).map(|_| self.value()).collect() }
            }
            3 => Stmt::Index { out: self.def(), at: self.affine() },
            4 => Stmt::Load { out: self.def(), buffer: self.buffer(), at: self.affine() },
            5 => Stmt::Store { buffer: self.buffer(), at: self.affine(), value: self.value() },
            6 => Stmt::Fill { buffer: self.buffer(), at: self.affine(), len: self.count(), value: self.value() },
            7 => Stmt::Copy {
                to: self.buffer(),
                to_at: self.affine(),
                from: self.buffer(),
                from_at: self.affine(),
                len: self.count(),
            },
            8 => Stmt::Reserve { buffer: self.buffer(), len: self.value() },
            9 => Stmt::Runtime {
                name: self.random.of(&["gemm", "", "\"->\""]).into(),
                ints: self.random.many(|random| random.of(&[0, -1, i64::MIN, i64::MAX])),
                inputs: self.spans(),
                outputs: self.spans(),
            },
            10 => Stmt::Fail { when: self.value(), check: self.random.below(99) as u32, lane: self.value() },
            11 => Stmt::For {
                index: self.new_value(DType::I64),
                count: self.count(),
                order: self.random.of(&[Order::Forward, Order::Reverse, Order::Parallel { grain: 7 }]),
                carried: self.carried(),
                body: self.block(depth - 1),
                results: self.defs(),
            },
            12 => Stmt::While {
                carried: self.carried(),
                test: self.block(depth - 1),
                body: self.block(depth - 1),
                results: self.defs(),
            },
            13 => Stmt::If {
                cond: self.value(),
                then: self.block(depth - 1),
                otherwise: self.block(depth - 1),
                results: self.defs(),
            },
            _ if self.random.below(2) == 0 => Stmt::Call {
                function: FunctionId(self.random.below(9) as u32),
                args: self.values(),
                buffers: self.buffers(),
                results: self.defs(),
            },
            _ => {
                let (index, body) = (self.new_value(DType::I64), self.stmts(depth - 1));
                let op = self.random.of(Binary::ALL);
                let folds = self.values().into_iter().map(|item| Fold { op, item, result: self.def() }).collect();
                Stmt::Pass { index, count: self.random.below(1000) as u64, body, folds }
            }
        }
    }
}

#[test]
fn what_is_printed_reads_back() {
    for seed in 0..2000 {
        let routine = Maker::routine(seed);
        let text = routine.to_string();
        assert_eq!(Routine::parse(&text).as_ref(), Ok(&routine), "{text}");
    }
}

/// Any text is an error or a routine that prints and reads back.
#[test]
fn spoilt_text_is_no_panic() {
    let mut random = Random(1);
    let (mut good, mut bad) = (0, 0);
    let spoilers = ["", " ", "%", "0", "9999999999999999999999", "-", "}", "{", "yield", "\"", "\\u{", "é", ":", ";"];
    for seed in 0..3000 {
        let mut text = Maker::routine(seed % 100).to_string();
        for _ in 0..1 + random.below(2) {
            let border = |at: usize| (at..=text.len()).find(|&i| text.is_char_boundary(i)).unwrap();
            let start = border(random.below(text.len()));
            let end = border((start + random.below(6)).min(text.len()));
            text.replace_range(start..end, random.of(&spoilers));
        }
        match Routine::parse(&text) {
            Ok(routine) => {
                good += 1;
                assert_eq!(Routine::parse(&routine.to_string()).as_ref(), Ok(&routine), "{text}");
            }
            Err(message) => {
                bad += 1;
                assert!(message.starts_with("line "), "{message}");
            }
        }
    }
    assert!(good > 50 && bad > 1000, "{good} {bad}");
}

#[test]
fn errors_name_the_line_and_what_was_expected() {
    let of = |text: &str| Routine::parse(text).unwrap_err();
    assert_eq!(of(""), "line 1: expected `routine`, found the end");
    assert_eq!(of("routine arena -1"), "line 1: the number -1 does not fit here");
    assert_eq!(of("routine arena 0 // b\n\nbuffer b1"), "line 3: expected `b0`, found `b1`");
    let body = |text: &str| of(&format!("routine arena 0 function f0 \"f\" () {{\n{text}\n}}"));
    assert_eq!(body("%0: f64 = const two"), "line 2: `two` is no f64");
    assert_eq!(body("%0: f64 = bend %0"), "line 2: `bend` is no operation");
    assert_eq!(body("%0: f64 = add %0"), "line 2: add takes 2 operands, not 1");
    assert_eq!(body("%1: f64 = const 1.0"), "line 3: no statement gives %0 a dtype");
    assert_eq!(body("%0: i64 = index %0 + %0"), "line 2: %0 stands twice or not at all");
    assert_eq!(body("%0: f64 = const 1.0 %0: f32 = const 1.0"), "line 2: %0 is f64 and f32");
    assert_eq!(body("%4294967296: f64"), "line 2: the number 4294967296 does not fit here");
}

#[test]
fn indices_without_terms_end_at_the_next_statement() {
    let text =
        "routine arena 0 function f0 \"f\" () { %0: i64 = index 8 %1: i64 = index -%0 %2: i64 = index 2 * %1-1 }";
    let function = Routine::parse(text).unwrap().functions.remove(0);
    let index = |out, at| Stmt::Index { out: Value(out), at };
    let affine = |v, c| Affine::constant(0).plus(Value(v), c);
    assert_eq!(
        function.body.stmts,
        [index(0, Affine::constant(8)), index(1, affine(0, -1)), index(2, affine(1, 2).shifted(-1))]
    );
}

#[test]
fn nesting_is_limited() {
    let nested = |n: usize| {
        let text = format!("{}{}", "if %0 { ".repeat(n), "} else { }".repeat(n));
        Routine::parse(&format!("routine arena 0 function f0 \"f\" (%0: bool) {{ {text} }}"))
    };
    let routine = nested(MAX_NESTING - 1).unwrap();
    assert_eq!(Routine::parse(&routine.to_string()), Ok(routine));
    assert_eq!(nested(MAX_NESTING).unwrap_err(), "line 1: blocks are nested deeper than 256");
    assert!(nested(100_000).is_err());
}

#[test]
fn long_blocks_are_no_recursion() {
    let line = "%0: f64 = neg %0\n";
    let text = format!("routine arena 0\nfunction f0 \"f\" () {{\n{}}}", line.repeat(100_000));
    assert_eq!(Routine::parse(&text).unwrap().functions[0].body.stmts.len(), 100_000);
}
