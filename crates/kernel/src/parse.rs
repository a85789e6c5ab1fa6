//! Reads the text that [`Routine`]'s `Display` prints. Any other text is an error with its line, never a panic.
//!
//! Line breaks are spaces, `//` starts a comment. Nothing but the shape of the text is checked: [`verify`] judges the
//! routine.
//!
//! [`verify`]: crate::verify::verify

use crate::dtype::{DType, Scalar};
use crate::routine::{
    Affine, Block, Buffer, BufferId, Carried, Count, Fold, Function, FunctionId, MAX_NESTING, Routine, Span, Stmt,
    Storage, Value,
};
use crate::scalar::{Binary, Comparison, ScalarOp, Unary};
use std::collections::BTreeMap;
use std::str::FromStr;

impl Routine {
    /// Reads a routine; the error is a sentence that starts with the line's number.
    ///
    /// ```
    /// use wengert_kernel::routine::Routine;
    /// let text = "routine arena 0\n\nfunction f0 \"main\" () {\n}\n";
    /// assert_eq!(Routine::parse(text).unwrap().to_string(), text);
    /// assert_eq!(Routine::parse("routine\nareno").unwrap_err(), "line 2: expected `arena`, found `areno`");
    /// ```
    pub fn parse(text: &str) -> Result<Routine, String> {
        let mut parser = Parser { text, at: 0, depth: 0, types: BTreeMap::new() };
        parser.routine().map_err(|message| {
            let line = 1 + text[..parser.at].matches('\n').count();
            format!("line {line}: {message}")
        })
    }
}

type Parsed<T> = Result<T, String>;

struct Parser<'a> {
    text: &'a str,
    /// A byte position on a character's border.
    at: usize,
    depth: usize,
    /// Values of the function being read.
    types: BTreeMap<u32, DType>,
}

/// The statements of a file from the outside in.
impl Parser<'_> {
    fn routine(&mut self) -> Parsed<Routine> {
        self.expect_word("routine")?;
        self.expect_word("arena")?;
        let mut routine = Routine { arena: self.number()?, ..Routine::default() };
        while self.eat_word("buffer") {
            self.expect_number_of('b', routine.buffers.len())?;
            routine.buffers.push(self.buffer()?);
        }
        while self.eat_word("function") {
            self.expect_number_of('f', routine.functions.len())?;
            routine.functions.push(self.function()?);
        }
        self.skip_space();
        if self.rest().is_empty() { Ok(routine) } else { self.expected("`function` or the end") }
    }

    fn buffer(&mut self) -> Parsed<Buffer> {
        self.expect(":")?;
        let dtype = self.dtype()?;
        self.expect("[")?;
        let len = self.number()?;
        self.expect("]")?;
        let storage = match self.peek_word() {
            "input" => Storage::Input(self.after_word()?),
            "output" => Storage::Output(self.after_word()?),
            "arena" => Storage::Arena(self.after_word()?),
            "param" => Storage::Param(self.after_word()?),
            "growable" => {
                self.word();
                Storage::Growable
            }
            _ => return self.expected("a storage"),
        };
        Ok(Buffer { dtype, len, storage })
    }

    fn function(&mut self) -> Parsed<Function> {
        self.types.clear();
        let name = self.string()?;
        self.expect("(")?;
        let params = self.list("%", Self::def)?;
        let buffer_params = if self.eat(";") { self.list("b", Self::buffer_id)? } else { Vec::new() };
        self.expect(")")?;
        self.expect("{")?;
        if self.eat_word("spare") {
            self.list("%", Self::def)?;
        }
        let body = self.block_rest()?;
        let types: Vec<DType> = self.types.values().copied().collect();
        match self.types.keys().enumerate().find(|&(i, &value)| i != value as usize) {
            Some((missing, _)) => Err(format!("no statement gives %{missing} a dtype")),
            None => Ok(Function { name, params, buffer_params, types, body, ..Function::default() }),
        }
    }

    fn block(&mut self) -> Parsed<Block> {
        self.expect("{")?;
        self.block_rest()
    }

    /// After the opening brace, through the closing one.
    fn block_rest(&mut self) -> Parsed<Block> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(format!("blocks are nested deeper than {MAX_NESTING}"));
        }
        let mut block = Block::default();
        while !self.peek("}") && self.peek_word() != "yield" {
            let stmt = self.stmt()?;
            block.stmts.push(stmt);
        }
        if self.eat_word("yield") {
            block.yields = self.list("%", Self::value)?;
        }
        self.expect("}")?;
        self.depth -= 1;
        Ok(block)
    }

    fn stmt(&mut self) -> Parsed<Stmt> {
        if self.peek("%") {
            let results = self.list("%", Self::def)?;
            self.expect("=")?;
            return match (self.peek_word(), results.as_slice()) {
                ("for" | "while" | "if" | "call", _) => self.compound(results),
                (_, &[out]) => self.definition(out),
                _ => self.expected("`for`, `while`, `if` or `call`"),
            };
        }
        match self.peek_word() {
            "for" | "while" | "if" | "call" => self.compound(Vec::new()),
            "pass" => self.pass(),
            _ => self.action(),
        }
    }

    /// A statement with one result.
    fn definition(&mut self, out: Value) -> Parsed<Stmt> {
        let word = self.word();
        let op = match word {
            "const" => {
                let dtype = self.types[&out.0];
                let token = self.token(|c| c.is_ascii_alphanumeric() || "+-.:".contains(c));
                return match Scalar::parse(token, dtype) {
                    Some(value) => Ok(Stmt::Const { out, value }),
                    None => Err(format!("`{token}` is no {dtype}")),
                };
            }
            "index" => return Ok(Stmt::Index { out, at: self.affine()? }),
            "load" => {
                let (buffer, at) = self.element()?;
                return Ok(Stmt::Load { out, buffer, at });
            }
            "select" => ScalarOp::Select,
            "fma" => ScalarOp::Fma,
            "convert" => ScalarOp::Convert(self.dtype()?),
            "bitcast" => ScalarOp::Bitcast(self.dtype()?),
            name => {
                let unary = Unary::from_name(name).map(ScalarOp::Unary);
                let binary = || Binary::from_name(name).map(ScalarOp::Binary);
                let compare = || Comparison::from_name(name).map(ScalarOp::Compare);
                unary.or_else(binary).or_else(compare).ok_or_else(|| format!("`{name}` is no operation"))?
            }
        };
        let args = self.list("%", Self::value)?;
        if args.len() != op.arity() {
            return Err(format!("{word} takes {} operands, not {}", op.arity(), args.len()));
        }
        Ok(Stmt::Let { out, op, args: args.into() })
    }

    /// A statement with any number of results.
    fn compound(&mut self, results: Vec<Value>) -> Parsed<Stmt> {
        match self.word() {
            "for" => {
                let (index, count) = self.range(Self::count)?;
                let reverse = self.eat_word("reverse");
                let carried = self.carried()?;
                Ok(Stmt::For { index, count, reverse, carried, body: self.block()?, results })
            }
            "while" => {
                let carried = self.carried()?;
                self.expect_word("test")?;
                let test = self.block()?;
                self.expect_word("do")?;
                Ok(Stmt::While { carried, test, body: self.block()?, results })
            }
            "if" => {
                let cond = self.value()?;
                let then = self.block()?;
                self.expect_word("else")?;
                Ok(Stmt::If { cond, then, otherwise: self.block()?, results })
            }
            _ => {
                let function = FunctionId(self.numbered("f")?);
                self.expect("(")?;
                let args = self.list("%", Self::value)?;
                let buffers = if self.eat(";") { self.list("b", Self::buffer_id)? } else { Vec::new() };
                self.expect(")")?;
                Ok(Stmt::Call { function, args, buffers, results })
            }
        }
    }

    fn pass(&mut self) -> Parsed<Stmt> {
        self.expect_word("pass")?;
        let (index, count) = self.range(Self::number)?;
        let body = self.block()?;
        if !body.yields.is_empty() {
            return Err("a pass yields nothing".into());
        }
        let folds = if self.eat_word("fold") { self.list("", Self::fold)? } else { Vec::new() };
        Ok(Stmt::Pass { index, count, body: body.stmts, folds })
    }

    /// A statement without results.
    fn action(&mut self) -> Parsed<Stmt> {
        match self.peek_word() {
            "store" => {
                self.word();
                let (buffer, at) = self.element()?;
                self.expect("=")?;
                Ok(Stmt::Store { buffer, at, value: self.value()? })
            }
            "fill" => {
                self.word();
                let (buffer, at, len) = self.stretch(Self::count)?;
                self.expect("=")?;
                Ok(Stmt::Fill { buffer, at, len, value: self.value()? })
            }
            "copy" => {
                self.word();
                let (to, to_at, len) = self.stretch(Self::count)?;
                self.expect("=")?;
                let (from, from_at) = self.element()?;
                Ok(Stmt::Copy { to, to_at, from, from_at, len })
            }
            "reserve" => {
                self.word();
                let buffer = self.buffer_id()?;
                self.expect(",")?;
                Ok(Stmt::Reserve { buffer, len: self.value()? })
            }
            "runtime" => {
                self.word();
                let name = self.string()?.into();
                self.expect("(")?;
                let ints = if self.peek(";") { Vec::new() } else { self.list("", Self::number)? };
                self.expect(";")?;
                let inputs = self.list("b", Self::span)?;
                self.expect("->")?;
                let outputs = self.list("b", Self::span)?;
                self.expect(")")?;
                Ok(Stmt::Runtime { name, ints, inputs, outputs })
            }
            "fail" => {
                self.word();
                let when = self.value()?;
                self.expect_word("check")?;
                let check = self.number()?;
                self.expect_word("lane")?;
                Ok(Stmt::Fail { when, check, lane: self.value()? })
            }
            _ => self.expected("a statement"),
        }
    }
}

/// Parts of statements.
impl Parser<'_> {
    /// `%0 in 0..10`.
    fn range<T>(&mut self, count: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<(Value, T)> {
        let index = self.value()?;
        self.define(index, DType::I64)?;
        self.expect_word("in")?;
        self.expect("0..")?;
        Ok((index, count(self)?))
    }

    /// ` carry (%1: f64 = %0)`, or nothing.
    fn carried(&mut self) -> Parsed<Vec<Carried>> {
        if !self.eat_word("carry") {
            return Ok(Vec::new());
        }
        self.expect("(")?;
        let carried = self.list("%", |parser| {
            let param = parser.def()?;
            parser.expect("=")?;
            Ok(Carried { param, init: parser.value()? })
        })?;
        self.expect(")")?;
        Ok(carried)
    }

    /// `add %1 -> %2: f64`.
    fn fold(&mut self) -> Parsed<Fold> {
        let Some(op) = Binary::from_name(self.peek_word()) else { return self.expected("a binary operation") };
        self.word();
        let item = self.value()?;
        self.expect("->")?;
        Ok(Fold { op, item, result: self.def()? })
    }

    /// `b0[%1]`.
    fn element(&mut self) -> Parsed<(BufferId, Affine)> {
        let buffer = self.buffer_id()?;
        self.expect("[")?;
        let at = self.affine()?;
        self.expect("]")?;
        Ok((buffer, at))
    }

    /// `b0[%1; 100]`.
    fn stretch<T>(&mut self, len: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<(BufferId, Affine, T)> {
        let buffer = self.buffer_id()?;
        self.expect("[")?;
        let at = self.affine()?;
        self.expect(";")?;
        let len = len(self)?;
        self.expect("]")?;
        Ok((buffer, at, len))
    }

    fn span(&mut self) -> Parsed<Span> {
        let (buffer, at, len) = self.stretch(Self::number)?;
        Ok(Span { buffer, at, len })
    }

    fn count(&mut self) -> Parsed<Count> {
        Ok(if self.peek("%") { Count::Value(self.value()?) } else { Count::Const(self.number()?) })
    }

    /// `%1 + 4*%2 - 8`: terms, the constant last.
    fn affine(&mut self) -> Parsed<Affine> {
        let mut affine = Affine::default();
        let mut negative = self.eat("-");
        loop {
            let (magnitude, is_term): (u64, bool) =
                if self.peek("%") { (1, true) } else { (self.number()?, self.eat("*")) };
            let signed = if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
            let signed = signed.ok_or_else(|| format!("{magnitude} is too large"))?;
            if !is_term {
                affine.offset = signed;
                return Ok(affine);
            }
            let value = self.value()?;
            if signed == 0 || affine.coefficient(value) != 0 {
                return Err(format!("{value} stands twice or not at all"));
            }
            affine.terms.push((value, signed));
            negative = self.eat("-");
            if !negative && !self.eat("+") {
                return Ok(affine);
            }
        }
    }

    /// A value where it is defined: `%1: f64`.
    fn def(&mut self) -> Parsed<Value> {
        let value = self.value()?;
        self.expect(":")?;
        let dtype = self.dtype()?;
        self.define(value, dtype)?;
        Ok(value)
    }

    fn define(&mut self, value: Value, dtype: DType) -> Parsed<()> {
        match self.types.insert(value.0, dtype) {
            Some(old) if old != dtype => Err(format!("{value} is {old} and {dtype}")),
            _ => Ok(()),
        }
    }

    fn value(&mut self) -> Parsed<Value> {
        self.numbered("%").map(Value)
    }

    fn buffer_id(&mut self) -> Parsed<BufferId> {
        self.numbered("b").map(BufferId)
    }

    fn dtype(&mut self) -> Parsed<DType> {
        match DType::from_name(self.peek_word()) {
            Some(dtype) => {
                self.word();
                Ok(dtype)
            }
            None => self.expected("a dtype"),
        }
    }

    /// Items with commas between; none when the text does not go on with `start`.
    fn list<T>(&mut self, start: &str, item: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        if self.peek(start) {
            items.push(item(self)?);
            while self.eat(",") {
                items.push(item(self)?);
            }
        }
        Ok(items)
    }
}

/// Letters and digits.
impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The text after the space and comments here.
    fn ahead(&self) -> &'a str {
        let mut rest = self.rest().trim_start();
        while let Some(comment) = rest.strip_prefix("//") {
            rest = comment.find('\n').map_or("", |end| &comment[end..]).trim_start();
        }
        rest
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.ahead().len();
    }

    fn peek(&self, symbol: &str) -> bool {
        self.ahead().starts_with(symbol)
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.peek(symbol);
        if found {
            self.skip_space();
            self.at += symbol.len();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.eat(symbol) { Ok(()) } else { self.expected(&format!("`{symbol}`")) }
    }

    /// The longest run of characters that belong, possibly empty.
    fn token(&mut self, belongs: fn(char) -> bool) -> &'a str {
        self.skip_space();
        let token = prefix(self.rest(), belongs);
        self.at += token.len();
        token
    }

    fn word(&mut self) -> &'a str {
        self.token(of_word)
    }

    fn peek_word(&self) -> &'a str {
        prefix(self.ahead(), of_word)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.peek_word() == word;
        if found {
            self.word();
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.eat_word(word) { Ok(()) } else { self.expected(&format!("`{word}`")) }
    }

    fn number<N: FromStr>(&mut self) -> Parsed<N> {
        self.skip_space();
        let rest = self.rest();
        let sign = rest.starts_with('-') as usize;
        let digits = rest[sign..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - sign);
        match rest[..sign + digits].parse() {
            Ok(number) => {
                self.at += sign + digits;
                Ok(number)
            }
            Err(_) if digits > 0 => Err(format!("the number {} does not fit here", &rest[..sign + digits])),
            Err(_) => self.expected("a number"),
        }
    }

    /// The number after the word in front.
    fn after_word<N: FromStr>(&mut self) -> Parsed<N> {
        self.word();
        self.number()
    }

    /// `%1`, `b1`, `f1`.
    fn numbered(&mut self, prefix: &str) -> Parsed<u32> {
        self.expect(prefix)?;
        let digits = self.rest().starts_with(|c: char| c.is_ascii_digit());
        if digits { self.number() } else { self.expected("a number") }
    }

    fn expect_number_of(&mut self, prefix: char, number: usize) -> Parsed<()> {
        let found = self.numbered(prefix.encode_utf8(&mut [0; 4]))?;
        if found as usize == number {
            Ok(())
        } else {
            Err(format!("expected `{prefix}{number}`, found `{prefix}{found}`"))
        }
    }

    /// A string in quotes with Rust's escapes.
    fn string(&mut self) -> Parsed<String> {
        self.expect("\"")?;
        let mut string = String::new();
        loop {
            match self.char()? {
                '"' => return Ok(string),
                '\\' => {
                    let c = match self.char()? {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        '0' => '\0',
                        'u' => self.escaped_char()?,
                        c @ ('"' | '\'' | '\\') => c,
                        c => return Err(format!("`\\{c}` is no escape")),
                    };
                    string.push(c);
                }
                c => string.push(c),
            }
        }
    }

    /// The braces of `\u{1f600}`.
    fn escaped_char(&mut self) -> Parsed<char> {
        let (digits, after) = match self.rest().strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some(parts) => parts,
            None => return self.expected("`{` and `}`"),
        };
        let c = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        self.at = self.text.len() - after.len();
        c.ok_or_else(|| "no such character".into())
    }

    fn char(&mut self) -> Parsed<char> {
        let c = self.rest().chars().next().ok_or("the text ends in a string")?;
        self.at += c.len_utf8();
        Ok(c)
    }

    fn expected<T>(&mut self, what: &str) -> Parsed<T> {
        self.skip_space();
        let found = match (self.peek_word(), self.rest().chars().next()) {
            (_, None) => "the end".to_string(),
            ("", Some(c)) => format!("`{}`", c.escape_debug()),
            (word, _) => format!("`{}`", word.get(..40).unwrap_or(word)),
        };
        Err(format!("expected {what}, found {found}"))
    }
}

fn of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn prefix(text: &str, belongs: fn(char) -> bool) -> &str {
    &text[..text.find(|c| !belongs(c)).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
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
                let storages =
                    [Storage::Input(i), Storage::Output(i), Storage::Arena(n), Storage::Growable, Storage::Param(i)];
                Buffer { dtype: random.of(&DType::ALL), len: n * n, storage: random.of(&storages) }
            });
            let functions = (0..1 + maker.random.below(3)).map(|_| maker.function()).collect();
            Routine { buffers, functions, arena }
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
                    reverse: self.random.below(2) == 0,
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
        let spoilers =
            ["", " ", "%", "0", "9999999999999999999999", "-", "}", "{", "yield", "\"", "\\u{", "é", ":", ";"];
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
}
