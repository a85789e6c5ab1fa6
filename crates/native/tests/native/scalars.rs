//! Every scalar operation on every dtype at all pairs of special values, in every way of compiling.

use crate::agreement::{agree, agree_in, by_rule, bytes, checked, scalar, specials};
use wengert_kernel::routine::{Affine, Block, Buffer, BufferId, Count, Function, Order, Routine, Stmt, Storage, Value};
use wengert_kernel::{Binary, Comparison, DType, Scalar, ScalarOp, Unary};
use wengert_native::Options;

/// All operations that take these dtypes.
fn ops(dtypes: &[DType]) -> Vec<ScalarOp> {
    let unary = Unary::ALL.iter().map(|&op| ScalarOp::Unary(op));
    let binary = Binary::ALL.iter().map(|&op| ScalarOp::Binary(op));
    let compare = Comparison::ALL.iter().map(|&op| ScalarOp::Compare(op));
    let convert = DType::ALL.iter().flat_map(|&to| [ScalarOp::Convert(to), ScalarOp::Bitcast(to)]);
    let all = unary.chain(binary).chain(compare).chain(convert).chain([ScalarOp::Select, ScalarOp::Fma]);
    all.filter(|op| op.infer(dtypes).is_some()).collect()
}

/// Applies operations to all elements, by a loop of single rounds or by passes; one output per operation.
fn elementwise(ops: &[ScalarOp], dtypes: &[DType], n: usize, pass: bool) -> Routine {
    let mut routine = Routine::default();
    for (i, &dtype) in dtypes.iter().enumerate() {
        routine.buffers.push(Buffer { dtype, len: n, storage: Storage::Input(i as u32) });
    }
    let mut function = Function { name: "main".into(), ..Function::default() };
    for (k, &op) in ops.iter().enumerate() {
        let out_dtype = op.infer(dtypes).unwrap();
        routine.buffers.push(Buffer { dtype: out_dtype, len: n, storage: Storage::Output(k as u32) });
        let index = function.value(DType::I64);
        let at = Affine::value(index);
        let mut stmts = Vec::new();
        let mut args = smallvec::SmallVec::new();
        for (i, &dtype) in dtypes.iter().enumerate() {
            let out = function.value(dtype);
            stmts.push(Stmt::Load { out, buffer: BufferId(i as u32), at: at.clone() });
            args.push(out);
        }
        let out = function.value(out_dtype);
        stmts.push(Stmt::Let { out, op, args });
        stmts.push(Stmt::Store { buffer: BufferId((dtypes.len() + k) as u32), at, value: out });
        function.body.stmts.push(if pass {
            Stmt::Pass { index, count: n as u64, body: stmts, folds: Vec::new() }
        } else {
            let body = Block { stmts, yields: Vec::new() };
            Stmt::For {
                index,
                count: Count::Const(n as u64),
                order: Order::Forward,
                carried: vec![],
                body,
                results: vec![],
            }
        });
    }
    routine.functions.push(function);
    routine
}

fn check(dtypes: &[DType], columns: &[Vec<Scalar>]) {
    let all = ops(dtypes);
    let inputs: Vec<Vec<u8>> = columns.iter().map(|c| bytes(c)).collect();
    for some in all.chunks(8) {
        for pass in [false, true] {
            agree(&elementwise(some, dtypes, columns[0].len(), pass), &inputs);
        }
    }
}

#[test]
fn one_operand() {
    for dtype in DType::ALL {
        check(&[dtype], &[specials(dtype)]);
    }
}

#[test]
fn two_operands() {
    for dtype in DType::ALL {
        let values = specials(dtype);
        let left = values.iter().flat_map(|&x| vec![x; values.len()]).collect();
        let right = values.repeat(values.len());
        check(&[dtype, dtype], &[left, right]);
    }
}

#[test]
fn three_operands() {
    for dtype in DType::ALL {
        let values = specials(dtype);
        let n = values.len();
        let pairs = n * n * 2;
        let first: Vec<Scalar> = (0..pairs).map(|i| Scalar::new(i % 2 == 0)).collect();
        let x = (0..pairs).map(|i| values[i / 2 % n]).collect();
        let y = (0..pairs).map(|i| values[i / 2 / n]).collect();
        check(&[DType::Bool, dtype, dtype], &[first, x, y]);
    }
    for dtype in [DType::F32, DType::F64] {
        let values = specials(dtype);
        let n = values.len();
        let column = |stride: usize| (0..3 * n * n).map(|i| values[i / stride % n]).collect();
        check(&[dtype; 3], &[column(1), column(n), column(7 * n / 3)]);
    }
}

/// All pairs of bytes, for there are few enough.
#[test]
fn all_u8_pairs() {
    let left: Vec<Scalar> = (0..65536u32).map(|i| Scalar::new((i >> 8) as u8)).collect();
    let right: Vec<Scalar> = (0..65536u32).map(|i| Scalar::new(i as u8)).collect();
    check(&[DType::U8, DType::U8], &[left, right]);
}

/// All halves become what they become, and whatever is half way between two of them, or beside that.
#[test]
fn all_halves() {
    for dtype in [DType::F16, DType::BF16] {
        check(&[dtype], &[(0..65536).map(|bits| Scalar { dtype, bits }).collect()]);
        let single = |half: u64| ScalarOp::Convert(DType::F32).eval(&[Scalar { dtype, bits: half }]);
        let dropped = if dtype == DType::F16 { 1 << 12 } else { 1 << 15 };
        let around: Vec<Scalar> = (0..65536)
            .flat_map(|half| {
                let bits = single(half).bits as u32;
                [0, 1, dropped - 1, dropped, dropped + 1]
                    .map(|more| Scalar::new(f32::from_bits(bits.wrapping_add(more))))
            })
            .collect();
        for pass in [false, true] {
            agree(&elementwise(&[ScalarOp::Convert(dtype)], &[DType::F32], around.len(), pass), &[bytes(&around)]);
        }
    }
}

/// A shift by one amount for all lanes is another instruction than by an amount per lane.
#[test]
fn uniform_shifts() {
    for dtype in DType::ALL.into_iter().filter(|d| d.is_integer()) {
        let values = specials(dtype);
        for op in [Binary::Shl, Binary::Shr] {
            for &amount in &values {
                let mut routine = elementwise(&[ScalarOp::Binary(op)], &[dtype, dtype], values.len(), true);
                routine.buffers[1].len = 1;
                let Stmt::Pass { body, .. } = &mut routine.functions[0].body.stmts[0] else { panic!("a pass") };
                let Stmt::Load { at, .. } = &mut body[1] else { panic!("a load") };
                *at = Affine::constant(0);
                agree(&routine, &[bytes(&values), bytes(&[amount])]);
            }
        }
    }
}

/// Constants in every place an operation has one, for code generators fold those.
#[test]
fn constant_operands() {
    for dtype in [DType::I32, DType::I64, DType::U8, DType::F32, DType::F64] {
        let values = specials(dtype);
        for side in [0, 1] {
            for some in values.chunks(6) {
                let mut routine = Routine::default();
                routine.buffers.push(Buffer { dtype, len: values.len(), storage: Storage::Input(0) });
                let mut function = Function { name: "main".into(), ..Function::default() };
                for (constant, op) in some.iter().flat_map(|&c| ops(&[dtype, dtype]).into_iter().map(move |op| (c, op)))
                {
                    use Binary::{Atan2, Hypot, Pow, Xlog1py, Xlogy};
                    if matches!(op, ScalarOp::Binary(Pow | Atan2 | Hypot | Xlogy | Xlog1py)) {
                        continue;
                    }
                    let out_dtype = op.infer(&[dtype, dtype]).unwrap();
                    let number = routine.buffers.len() as u32;
                    let storage = Storage::Output(number - 1);
                    routine.buffers.push(Buffer { dtype: out_dtype, len: values.len(), storage });
                    let [index, x, c] = [DType::I64, dtype, dtype].map(|d| function.value(d));
                    let y = function.value(out_dtype);
                    let at = Affine::value(index);
                    let args: [Value; 2] = if side == 0 { [c, x] } else { [x, c] };
                    let body = vec![
                        Stmt::Const { out: c, value: constant },
                        Stmt::Load { out: x, buffer: BufferId(0), at: at.clone() },
                        Stmt::Let { out: y, op, args: args.into_iter().collect() },
                        Stmt::Store { buffer: BufferId(number), at, value: y },
                    ];
                    let count = values.len() as u64;
                    function.body.stmts.push(Stmt::Pass { index, count, body, folds: Vec::new() });
                }
                routine.functions.push(function);
                let options = [by_rule(), vec![scalar(), Options { wide: 0, widest: 256, ..checked() }]].concat();
                agree_in(&options, &routine, &[bytes(&values)]);
            }
        }
    }
}
