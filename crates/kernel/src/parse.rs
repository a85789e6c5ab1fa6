//! Reads the text that [`Routine`]'s `Display` prints. Any other text is an error with its line, never a panic.
//!
//! Line breaks are spaces, `//` starts a comment. Nothing but the shape of the text is checked: [`verify`] judges the
//! routine.
//!
//! [`verify`]: crate::verify::verify

use crate::dtype::{DType, Scalar};
use crate::routine::{
    Affine, Block, Buffer, BufferId, Carried, Count, Fold, Function, FunctionId, MAX_NESTING, Order, Routine, Span,
    Stmt, Storage, Value,
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
        if self.eat_word("local") {
            routine.local = self.number()?;
        }
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
            "local" => Storage::Local(self.after_word()?),
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

    fn order(&mut self) -> Parsed<Order> {
        if self.eat_word("parallel") {
            return Ok(Order::Parallel { grain: self.number()? });
        }
        Ok(if self.eat_word("reverse") { Order::Reverse } else { Order::Forward })
    }

    /// A statement with any number of results.
    fn compound(&mut self, results: Vec<Value>) -> Parsed<Stmt> {
        match self.word() {
            "for" => {
                let (index, count) = self.range(Self::count)?;
                let order = self.order()?;
                let carried = self.carried()?;
                Ok(Stmt::For { index, count, order, carried, body: self.block()?, results })
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
mod tests;
