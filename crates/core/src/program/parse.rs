//! Reads the text form of programs.
//!
//! Total: any text gives a program that verifies, or an error with line and column. Every stated type is compared
//! with what `infer` says.

use super::{Args, Builder, Program, Var};
use crate::error::{Error, ErrorKind};
use crate::ops::{Attributes, parse_op};
use crate::primitive::Attribute;
use crate::source::Source;
use crate::types::{ArrayType, Shape, Type};
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use wengert_kernel::{DType, Scalar};

/// How deep lists, or programs, may be nested in each other.
const MAX_NESTING: usize = 256;

/// How long a name may be; messages repeat it.
const MAX_NAME: usize = 64;

/// The value of an attribute whose program is still being read.
const PLACEHOLDER: Attribute = Attribute::Bool(false);

/// The program of a text such as `println!("{program}")` prints.
///
/// Variables may have any numbers; `#` begins a comment, after an equation it is its [`Source`].
///
/// ```
/// let program = wengert_core::program::parse("
///     program (%0: f64[3]) {
///       %1: f64[3] = sin %0            # src/main.rs:3:5
///       return %1
///     }
/// ")?;
/// assert_eq!(program.equations().len(), 1);
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn parse(text: &str) -> Result<Program, Error> {
    let mut parser = Parser { text, position: 0, named: HashMap::new() };
    while parser.eat("@") {
        let start = parser.position;
        let name = parser.number()?;
        parser.expect("=")?;
        parser.keyword("program")?;
        let (program, depth) = parser.program()?;
        if parser.named.insert(name, (Arc::new(program), depth)).is_some() {
            return Err(parser.error_at(start, format!("@{name} is defined twice")));
        }
    }
    parser.keyword("program")?;
    let (program, _) = parser.program()?;
    parser.skip_space();
    if parser.position < text.len() {
        return Err(parser.error("text after the end of the program"));
    }
    Ok(program)
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    /// The programs defined so far, and how deep programs are nested in them.
    named: HashMap<u64, (Arc<Program>, usize)>,
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// A program of which a part has been read. A stack of these stands for the nesting, so that it costs no call stack.
#[derive(Default)]
struct Frame<'a> {
    builder: Builder,
    /// The variables by the number they have in the text.
    scope: HashMap<u64, Var>,
    /// The equation that is being read, while its attributes are.
    equation: Option<Head<'a>>,
    /// How deep programs are nested in this one.
    depth: usize,
}

/// An equation as far as its attributes.
struct Head<'a> {
    start: usize,
    stated: Vec<(u64, Type)>,
    name: &'a str,
    attributes: Attributes,
}

/// What comes after a part of a frame's program.
enum Next<'a> {
    /// A program that is the value of the last attribute of the equation.
    Inner(Frame<'a>),
    /// Its end.
    End(Program),
}

impl<'a> Parser<'a> {
    /// `(inputs) { equations return outputs }`, and how deep programs are nested in it.
    fn program(&mut self) -> Result<(Program, usize)> {
        let mut stack = vec![self.inputs()?];
        loop {
            match self.advance(stack.last_mut().expect("the outermost program is not finished"))? {
                Next::Inner(inner) if stack.len() < MAX_NESTING => stack.push(inner),
                Next::Inner(_) => return Err(self.too_deep()),
                Next::End(program) => {
                    let depth = stack.pop().expect("the program that ends").depth;
                    let Some(outer) = stack.last_mut() else { return Ok((program, depth)) };
                    self.set_program(outer, Arc::new(program), depth)?;
                }
            }
        }
    }

    /// `(%0: f64[3]) {`.
    fn inputs(&mut self) -> Result<Frame<'a>> {
        let mut frame = Frame::default();
        self.expect("(")?;
        self.separated(")", |p| {
            let (number, ty) = p.definition(&frame.scope)?;
            frame.scope.insert(number, frame.builder.input(ty));
            Ok(())
        })?;
        self.expect("{")?;
        Ok(frame)
    }

    /// Reads up to the end of the program, or to the beginning of one inside it.
    fn advance(&mut self, frame: &mut Frame<'a>) -> Result<Next<'a>> {
        loop {
            match &mut frame.equation {
                None if self.eat_word("return") => {
                    let outputs = self.outputs(&frame.scope)?;
                    return Ok(Next::End(std::mem::take(&mut frame.builder).finish(&outputs)));
                }
                None => frame.equation = Some(self.head(&frame.scope)?),
                Some(head) if self.another_attribute(head)? => {
                    let key = self.word()?.to_owned();
                    self.expect("=")?;
                    if self.eat_word("program") {
                        head.attributes.0.push((key, PLACEHOLDER));
                        return Ok(Next::Inner(self.inputs()?));
                    }
                    if self.rest().starts_with('@') {
                        head.attributes.0.push((key, PLACEHOLDER));
                        let (program, depth) = self.reference()?;
                        self.set_program(frame, program, depth)?;
                    } else {
                        head.attributes.0.push((key, self.attribute()?));
                    }
                }
                Some(_) => {
                    let head = frame.equation.take().expect("it was just seen");
                    self.equation(head, frame)?;
                }
            }
        }
    }

    /// `%2: f64[3], %3: i64[] = name`.
    fn head(&mut self, scope: &HashMap<u64, Var>) -> Result<Head<'a>> {
        let mut stated = Vec::new();
        self.skip_space();
        let start = self.position;
        if self.rest().starts_with('%') {
            loop {
                stated.push(self.definition(scope)?);
                if !self.eat(",") {
                    break;
                }
            }
            self.expect("=")?;
        }
        Ok(Head { start, stated, name: self.word()?, attributes: Attributes(Vec::new()) })
    }

    /// Reads what stands before an attribute, or the end of them.
    fn another_attribute(&mut self, head: &Head<'a>) -> Result<bool> {
        if head.attributes.0.is_empty() {
            return Ok(self.rest().starts_with('[') && self.eat("[") && !self.eat("]"));
        }
        if self.eat(",") {
            return Ok(true);
        }
        self.expect("]").map(|()| false)
    }

    /// The value of the last attribute of the equation is a program.
    fn set_program(&self, frame: &mut Frame<'a>, program: Arc<Program>, depth: usize) -> Result<()> {
        if depth + 1 >= MAX_NESTING {
            return Err(self.too_deep());
        }
        frame.depth = frame.depth.max(depth + 1);
        let attributes = frame.equation.as_mut().and_then(|head| head.attributes.0.last_mut());
        attributes.expect("the attribute of a program has begun").1 = Attribute::Program(program);
        Ok(())
    }

    /// `@1`.
    fn reference(&mut self) -> Result<(Arc<Program>, usize)> {
        self.expect("@")?;
        let start = self.position;
        let name = self.number()?;
        self.named.get(&name).cloned().ok_or_else(|| self.error_at(start, format!("@{name} is not defined")))
    }

    /// The operands and the source of an equation, after which all of it is known.
    fn equation(&mut self, head: Head<'a>, frame: &mut Frame<'a>) -> Result<()> {
        let Head { start, stated, name, attributes } = head;
        let mut args = Args::new();
        self.skip_blanks();
        while self.rest().starts_with('%') {
            args.push(self.variable(&frame.scope)?);
            self.skip_blanks();
        }
        let source = self.source();
        let op = parse_op(name, &attributes).map_err(|e| self.error_at(start, format!("{name}: {e}")))?;
        let types: Vec<Type> = args.iter().map(|&a| frame.builder.ty(a).clone()).collect();
        let inferred = op.infer(&types).map_err(|e| self.error_at(start, format!("{name}: {e}")))?;
        if inferred.len() != stated.len() {
            let message = format!("{name} has {} results, {} are given", inferred.len(), stated.len());
            return Err(self.error_at(start, message));
        }
        for ((number, ty), inferred) in stated.iter().zip(&inferred) {
            if ty != inferred {
                return Err(self.error_at(
                    start,
                    format!("`{name}` gives %{number} the type {inferred}, the text says {ty}; write what it gives"),
                ));
            }
        }
        let results = frame.builder.push(op, args, inferred, source).results();
        for ((number, _), var) in stated.into_iter().zip(results) {
            if frame.scope.insert(number, var).is_some() {
                return Err(self.error_at(start, format!("%{number} is defined twice")));
            }
        }
        Ok(())
    }

    /// `%3, %3 }`.
    fn outputs(&mut self, scope: &HashMap<u64, Var>) -> Result<Vec<Var>> {
        let mut outputs = Vec::new();
        if self.eat("}") {
            return Ok(outputs);
        }
        loop {
            outputs.push(self.variable(scope)?);
            if !self.eat(",") {
                break;
            }
        }
        self.expect("}").map(|()| outputs)
    }

    /// The value of an attribute that holds no program.
    fn attribute(&mut self) -> Result<Attribute> {
        self.skip_space();
        let start = self.position;
        match self.rest().as_bytes().first() {
            Some(b'"') => self.quoted().map(Attribute::Text),
            Some(b'[') => {
                let mut numbers = Vec::new();
                self.expect("[")?;
                self.separated("]", |p| {
                    let start = p.position;
                    let token = p.token();
                    numbers.push(token.parse().map_err(|_| p.error_at(start, "an integer was expected"))?);
                    Ok(())
                })?;
                Ok(Attribute::Ints(numbers))
            }
            _ => {
                let token = self.token();
                match (token, self.rest().as_bytes().first()) {
                    ("", _) => Err(self.error("an attribute's value was expected")),
                    ("list", Some(b'(')) => self.list_type(0).map(Attribute::Type),
                    (name, Some(b'[')) => self.array_type(start, name).map(Attribute::Type),
                    _ => {
                        simple_attribute(token).ok_or_else(|| self.error_at(start, "an attribute's value was expected"))
                    }
                }
            }
        }
    }

    /// `%2: f64[3]`, a variable that is new in `scope`.
    fn definition(&mut self, scope: &HashMap<u64, Var>) -> Result<(u64, Type)> {
        self.expect("%")?;
        let start = self.position;
        let number = self.number()?;
        if scope.contains_key(&number) {
            return Err(self.error_at(start, format!("%{number} is defined twice")));
        }
        self.expect(":")?;
        let start = self.position;
        let ty = self.ty(0)?;
        ty.check_size().map_err(|e| self.error_at(start, e))?;
        Ok((number, ty))
    }

    /// `%2`, a variable that is there.
    fn variable(&mut self, scope: &HashMap<u64, Var>) -> Result<Var> {
        self.expect("%")?;
        let start = self.position;
        let number = self.number()?;
        scope
            .get(&number)
            .copied()
            .ok_or_else(|| self.error_at(start, format!("%{number} is not defined before it is used here")))
    }

    fn ty(&mut self, nesting: usize) -> Result<Type> {
        self.skip_space();
        let start = self.position;
        match self.token() {
            "list" => self.list_type(nesting),
            name => self.array_type(start, name),
        }
    }

    /// `(f64[3])` or `(f64[3]; 10)`.
    fn list_type(&mut self, nesting: usize) -> Result<Type> {
        if nesting == MAX_NESTING {
            return Err(self.too_deep());
        }
        self.expect("(")?;
        let element = self.ty(nesting + 1)?;
        let length = if self.eat(";") { Some(self.size()?) } else { None };
        self.expect(")")?;
        Ok(Type::list(element, length))
    }

    /// `[3,4]` after a dtype's name.
    fn array_type(&mut self, start: usize, name: &str) -> Result<Type> {
        let dtype = DType::from_name(name).ok_or_else(|| self.error_at(start, "a type was expected"))?;
        let mut shape = Shape::new();
        self.expect("[")?;
        self.separated("]", |p| {
            shape.push(p.size()?);
            Ok(())
        })?;
        Ok(Type::Array(ArrayType { dtype, shape }))
    }

    /// Items separated by commas up to a closing bracket.
    fn separated(&mut self, close: &str, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if self.eat(close) {
            return Ok(());
        }
        loop {
            self.skip_space();
            item(self)?;
            if !self.eat(",") {
                return self.expect(close);
            }
        }
    }

    /// The comment at the end of an equation's line.
    fn source(&mut self) -> Source {
        self.skip_blanks();
        let Some(comment) = self.rest().strip_prefix('#') else { return Source::Unknown };
        let comment = comment.lines().next().unwrap_or("");
        self.position += 1 + comment.len();
        match comment.trim() {
            "" => Source::Unknown,
            text => Source::Text(text.into()),
        }
    }

    /// A text in quotes, with the escapes of Rust's `Debug`.
    fn quoted(&mut self) -> Result<String> {
        let start = self.position;
        self.expect("\"")?;
        let mut value = String::new();
        let mut rest = self.rest().chars();
        let unfinished = |p: &Self| p.error_at(start, "a quoted text that does not end, or with an unknown escape");
        loop {
            match rest.next().ok_or_else(|| unfinished(self))? {
                '"' => break,
                '\\' => {
                    let c = escaped(&mut rest).ok_or_else(|| unfinished(self))?;
                    value.push(c);
                }
                c => value.push(c),
            }
        }
        self.position = self.text.len() - rest.as_str().len();
        Ok(value)
    }

    /// Letters, digits and what else words and numbers are made of; empty when there is none.
    fn token(&mut self) -> &'a str {
        self.skip_space();
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | ':');
        let rest = self.rest();
        let token = &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())];
        self.position += token.len();
        token
    }

    fn word(&mut self) -> Result<&'a str> {
        self.skip_space();
        let rest = self.rest();
        let word = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())];
        if word.is_empty() {
            return Err(self.error("a name was expected"));
        }
        if word.len() > MAX_NAME {
            return Err(self.error(format!("a name of more than {MAX_NAME} letters")));
        }
        self.position += word.len();
        Ok(word)
    }

    fn number(&mut self) -> Result<u64> {
        let start = self.position;
        self.word()?.parse().map_err(|_| self.error_at(start, "a number was expected"))
    }

    fn size(&mut self) -> Result<usize> {
        let start = self.position;
        usize::try_from(self.number()?).map_err(|_| self.error_at(start, "the size is too large"))
    }

    fn keyword(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) { Ok(()) } else { Err(self.error(format!("`{word}` was expected"))) }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let found =
            self.rest().strip_prefix(word).is_some_and(|r| !r.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        if found {
            self.position += word.len();
        }
        found
    }

    fn expect(&mut self, punctuation: &str) -> Result<()> {
        if self.eat(punctuation) { Ok(()) } else { Err(self.error(format!("`{punctuation}` was expected"))) }
    }

    fn eat(&mut self, punctuation: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(punctuation);
        if found {
            self.position += punctuation.len();
        }
        found
    }

    /// White space and comments.
    fn skip_space(&mut self) {
        loop {
            let rest = self.rest().trim_start();
            self.position = self.text.len() - rest.len();
            if !rest.starts_with('#') {
                return;
            }
            self.position += rest.find('\n').unwrap_or(rest.len());
        }
    }

    /// White space within the line.
    fn skip_blanks(&mut self) {
        let rest = self.rest().trim_start_matches([' ', '\t']);
        self.position = self.text.len() - rest.len();
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn too_deep(&self) -> Error {
        self.error(format!("more than {MAX_NESTING} levels of nesting"))
    }

    fn error(&self, message: impl Display) -> Error {
        self.error_at(self.position, message)
    }

    fn error_at(&self, position: usize, message: impl Display) -> Error {
        let before = &self.text[..position];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        Error::new(ErrorKind::Parse, format!("line {line}, column {column}: {message}"))
    }
}

/// What one token can be, from the most to the least specific.
fn simple_attribute(token: &str) -> Option<Attribute> {
    let scalar = || {
        let named = DType::ALL.into_iter().filter_map(|d| Some((d, token.strip_suffix(d.name())?)));
        // `bf16` ends as `f16` does.
        let (dtype, number) = named.min_by_key(|(_, number)| number.len())?;
        Scalar::parse(number, dtype).map(Attribute::Scalar)
    };
    match token {
        "true" => return Some(Attribute::Bool(true)),
        "false" => return Some(Attribute::Bool(false)),
        _ => {}
    }
    if let Ok(x) = token.parse() {
        return Some(Attribute::Int(x));
    }
    let is_word = token.starts_with(|c: char| c.is_ascii_alphabetic())
        && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let word = || is_word.then(|| Attribute::Word(token.to_owned()));
    DType::from_name(token).map(Attribute::DType).or_else(scalar).or_else(word)
}

/// The character of an escape, whose backslash has been read.
fn escaped(rest: &mut std::str::Chars<'_>) -> Option<char> {
    match rest.next()? {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '0' => Some('\0'),
        c @ ('"' | '\'' | '\\') => Some(c),
        'u' => {
            let (hex, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
            *rest = after.chars();
            char::from_u32(u32::from_str_radix(hex, 16).ok()?)
        }
        _ => None,
    }
}
