//! The text form of programs: printing, reading back, and what the reader and the verifier refuse.

use std::sync::Arc;
use wengert_core::ops::{Call, samples};
use wengert_core::program::{Args, Builder, parse};
use wengert_core::source::Source;
use wengert_core::{DType, Program, Type};

fn message(text: &str) -> String {
    parse(text).unwrap_err().message
}

/// Parsing what is printed gives the same program, and the same text.
fn round_trip(program: &Program) -> String {
    let text = program.to_string();
    let again = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(&again, program, "{text}");
    assert_eq!(again.to_string(), text);
    assert_eq!(again.structural_hash(), program.structural_hash());
    again.verify().unwrap();
    text
}

#[test]
fn canonical_text_is_kept() {
    let text = "\
program (%0: f64[3], %1: i32[]) {
  %2: f64[3] = sin %0                                    # src/main.rs:3:5
  %3: f64[] = reduce_sum[start=0, end=1] %2
  %4: f64[] = literal[value=-0.0f64]
  return %3, %3, %4, %1
}
";
    assert_eq!(parse(text).unwrap().to_string(), text);
    let without_sources = text.replace("                                    # src/main.rs:3:5", "");
    assert_eq!(format!("{:#}", parse(text).unwrap()), without_sources);
    assert_eq!(parse(text), parse(&without_sources), "sources take no part in equality");
}

/// The program of one equation for each sample of each operation.
#[test]
fn every_operation_is_read_back() {
    for sample in samples() {
        let mut b = Builder::new();
        let args: Args = sample.args.iter().map(|x| b.input(x.ty())).collect();
        let types: Vec<Type> = sample.args.iter().map(|x| x.ty()).collect();
        let results = sample.op.infer(&types).unwrap();
        let e = b.push(sample.op, args, results, Source::here());
        round_trip(&b.finish(&e.results().collect::<Vec<_>>()));
    }
}

#[test]
fn free_form_text_is_read() {
    let text =
        "# a comment\nprogram(%7:f64[2 , 3],%3:list(f64[]; 4)){%1:f64[2,3]=sin %7 #here\n # there\n return %1,%3}#end";
    let program = parse(text).unwrap();
    assert_eq!(program.equations()[0].source, Source::Text("here".into()));
    assert_eq!(program.input_types()[1], Type::list(Type::scalar(DType::F64), Some(4)));
    round_trip(&program);
}

#[test]
fn literals_keep_their_bits() {
    let values = [
        "0.1f64",
        "-0.0f32",
        "inff64",
        "-inff32",
        "nanf64",
        "nan:7ff8000000000001f64",
        "nan:fff8000000000000f64",
        "nan:7fc00001f32",
        "5e-324f64",
        "1.7976931348623157e308f64",
        "3.4028235e38f32",
        "truebool",
        "255u8",
        "-2147483648i32",
        "-9223372036854775808i64",
        "4294967295u32",
        "18446744073709551615u64",
    ];
    for value in values {
        let dtype =
            DType::ALL.into_iter().filter(|d| value.ends_with(d.name())).max_by_key(|d| d.name().len()).unwrap();
        let text = format!("program () {{\n  %0: {dtype}[] = literal[value={value}]\n  return %0\n}}\n");
        assert_eq!(round_trip(&parse(&text).unwrap()), text);
    }
}

fn call(body: &Arc<Program>) -> Call {
    Call::of(body.clone())
}

/// A program that calls another twice, one after the other.
fn twice(body: &Arc<Program>) -> Program {
    let mut b = Builder::new();
    let mask = b.input(Type::scalar(DType::Bool));
    let mut x = b.input(Type::scalar(DType::F64));
    for _ in 0..2 {
        let args = Args::from_slice(&[mask, x]);
        x = b.push(call(body).into(), args, [Type::scalar(DType::F64)], Source::Unknown).first;
    }
    b.finish(&[x])
}

fn leaf() -> Arc<Program> {
    Arc::new(parse("program (%0: bool[], %1: f64[]) { %2: f64[] = sin %1 return %2 }").unwrap())
}

#[test]
fn shared_programs_are_printed_once() {
    let text = twice(&leaf()).to_string();
    assert!(text.starts_with("@1 = program (%0: bool[], %1: f64[]) {\n  %2: f64[] = sin %1\n"), "{text}");
    assert_eq!(text.matches("sin").count(), 1);
    assert_eq!(text.matches("=@1").count(), 2, "{text}");
    // 2^40 calls in all.
    let mut program = leaf();
    for _ in 0..40 {
        program = Arc::new(twice(&program));
    }
    let text = round_trip_of_shared(&program);
    assert!(text.len() < 10_000);
}

/// Equality of two such programs that share nothing would take as long as running them.
fn round_trip_of_shared(program: &Program) -> String {
    let text = program.to_string();
    let again = parse(&text).unwrap();
    assert_eq!(again.to_string(), text);
    assert_eq!(again.structural_hash(), program.structural_hash());
    program.verify().unwrap();
    again.verify().unwrap();
    text
}

#[test]
fn equal_programs_are_printed_once() {
    let mut b = Builder::new();
    let mask = b.input(Type::scalar(DType::Bool));
    let mut x = b.input(Type::scalar(DType::F64));
    for body in [leaf(), leaf()] {
        let args = Args::from_slice(&[mask, x]);
        x = b.push(call(&body).into(), args, [Type::scalar(DType::F64)], Source::Unknown).first;
    }
    let text = round_trip(&b.finish(&[x]));
    assert_eq!(text.matches("sin").count(), 1);
}

#[test]
fn a_program_used_once_stands_where_it_is_used() {
    let mut b = Builder::new();
    let mask = b.input(Type::scalar(DType::Bool));
    let x = b.input(Type::scalar(DType::F64));
    let args = Args::from_slice(&[mask, x]);
    let y = b.push(call(&leaf()).into(), args, [Type::scalar(DType::F64)], Source::Unknown).first;
    let text = round_trip(&b.finish(&[y]));
    assert!(!text.contains('@'), "{text}");
    assert!(
        text.contains("program=program (%0: bool[], %1: f64[]) {\n    %2: f64[] = sin %1\n    return %2\n  }"),
        "{text}"
    );
}

#[test]
fn nesting_is_limited() {
    let nested = |n: usize| {
        let open = "%2: f64[] = call[program=program (%0: bool[], %1: f64[]) { ";
        let close = "return %1 }] %0 %1\n";
        let (open, close) = (open.repeat(n), close.repeat(n));
        format!("program (%0: bool[], %1: f64[]) {{ {open}{close} return %1 }}")
    };
    let deep = parse(&nested(200)).unwrap();
    assert_eq!(parse(&deep.to_string()).unwrap(), deep);
    assert!(message(&nested(300)).ends_with("more than 256 levels of nesting"));
    // Named programs nest too.
    let mut text = "@0 = program (%0: bool[], %1: f64[]) { return %1 }".to_owned();
    for i in 1..100_000 {
        text += &format!(
            "@{i} = program (%0: bool[], %1: f64[]) {{ %2: f64[] = call[program=@{}] %0 %1 return %2 }}",
            i - 1
        );
    }
    assert!(message(&text).ends_with("more than 256 levels of nesting"));
    let lists = |n| format!("program (%0: {}f64[]{}) {{ return }}", "list(".repeat(n), ")".repeat(n));
    assert!(parse(&lists(200)).is_ok());
    assert!(message(&lists(100_000)).ends_with("more than 256 levels of nesting"));
}

#[test]
fn errors_have_a_place() {
    let expected = [
        ("", "line 1, column 1: `program` was expected"),
        ("program (%0: f64[]) {\n  return %1\n}", "line 2, column 11: %1 is not defined before it is used here"),
        ("program (%0: f64[], %0: f64[]) { return }", "line 1, column 22: %0 is defined twice"),
        ("program (%0: f65[]) { return }", "line 1, column 14: a type was expected"),
        ("program (%0: f64[-1]) { return }", "line 1, column 18: a name was expected"),
        ("program () { return } x", "line 1, column 23: text after the end of the program"),
        (
            "program () { %0: f64[] = nothing return }",
            "line 1, column 14: nothing: there is no operation of that name; did you mean `not`?",
        ),
        (
            "program () {\n\n %0: f32[] = literal[value=2.0f64]\n return }",
            "line 3, column 2: `literal` gives %0 the type f64[], the text says f32[]; write what it gives",
        ),
        ("program () { literal[value=2.0f64] return }", "line 1, column 14: literal has 1 results, 0 are given"),
        ("@1 = program () { return } @1 = program () { return }", "line 1, column 29: @1 is defined twice"),
        ("program () { x[a=@2] return }", "line 1, column 19: @2 is not defined"),
        (
            "program () { x[a=\"b return }",
            "line 1, column 18: a quoted text that does not end, or with an unknown escape",
        ),
        ("program () { x[a=99999999999999999999] return }", "line 1, column 18: an attribute's value was expected"),
    ];
    for (text, message) in expected {
        assert_eq!(self::message(text), message, "{text}");
    }
    assert!(message("program (%0: f64[4294967296,4294967296]) { return }").contains("is larger than memory can be"));
    assert!(message(&format!("program () {{ {} return }}", "x".repeat(1 << 20))).len() < 100);
}

/// Any text gives a program that verifies, or an error.
#[test]
fn parsing_is_total() {
    let text = round_trip(&twice(&leaf())) + "# é";
    for end in (0..text.len()).filter(|&i| text.is_char_boundary(i)) {
        let _ = parse(&text[..end]);
    }
    let mut state = 1u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    let mut parsed = 0;
    for _ in 0..5_000 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..1 + random(3) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = b" %@[](){}=,:;#\"0159abf"[random(22)],
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[random(bytes.len())]),
            }
        }
        if let Ok(program) = parse(&String::from_utf8_lossy(&bytes)) {
            program.verify().unwrap();
            parsed += 1;
        }
    }
    assert!(parsed > 50, "some mutants are programs: {parsed}");
}

#[test]
fn long_programs_need_no_stack() {
    let run = || {
        let mut b = Builder::new();
        let ty = Type::scalar(DType::F64);
        let mut x = b.input(ty.clone());
        let sin = parse("program (%0: f64[]) { %1: f64[] = sin %0 return %1 }").unwrap();
        for _ in 0..100_000 {
            x = b.push(sin.equations()[0].op.clone(), Args::from_slice(&[x]), [ty.clone()], Source::Unknown).first;
        }
        round_trip(&b.finish(&[x]));
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}

#[test]
fn the_verifier_finds_wrong_types() {
    let sin = parse("program (%0: f64[]) { %1: f64[] = sin %0 return %1 }").unwrap().equations()[0].op.clone();
    let build = |operand: Type, result: Type| {
        let mut b = Builder::new();
        let x = b.input(operand);
        let y = b.push(sin.clone(), Args::from_slice(&[x]), [result], Source::Text("here".into())).first;
        b.finish(&[y])
    };
    let [f32, f64, i32] = [DType::F32, DType::F64, DType::I32].map(Type::scalar);
    assert!(build(f64.clone(), f64.clone()).verify().is_ok());
    let error = build(f64.clone(), f32).verify().unwrap_err();
    assert_eq!(error.message, "equation 0 (sin): %1 is f64[], not f32[]");
    assert_eq!(error.source, Some(Source::Text("here".into())));
    assert!(build(i32.clone(), i32).verify().is_err(), "no sine of integers");
    // A fault inside a body is found too.
    let mut b = Builder::new();
    let inputs = [DType::Bool, DType::F64].map(|d| b.input(Type::scalar(d)));
    let y = b.push(sin.clone(), Args::from_slice(&inputs[..1]), [f64], Source::Unknown).first;
    let program = twice(&Arc::new(b.finish(&[y])));
    assert!(program.verify().unwrap_err().message.starts_with("equation 0 (sin)"));
}
