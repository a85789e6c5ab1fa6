//! Every primitive on its own samples: the routine gives what the reference gives.

use crate::engine::agree_within;
use wengert_core::ops::samples;
use wengert_core::primitive::Lowering;
use wengert_core::program::{Builder, Var};
use wengert_core::source::Source;
use wengert_core::types::Type;

fn is_array(ty: &Type) -> bool {
    match ty {
        Type::Array(_) => true,
        Type::List(l) => l.length.is_some() && is_array(&l.element),
    }
}

#[test]
fn every_sample() {
    let (mut done, mut left) = (0, 0);
    for sample in samples() {
        let types: Vec<Type> = sample.args.iter().map(|x| x.ty()).collect();
        let Ok(results) = sample.op.infer(&types) else { continue };
        if !types.iter().chain(&results).all(is_array) {
            left += 1;
            continue;
        }
        let mut b = Builder::new();
        let args: Vec<Var> = types.iter().map(|ty| b.input(ty.clone())).collect();
        let e = b.push(sample.op.clone(), args.into_iter().collect(), results, Source::Unknown);
        let outputs: Vec<Var> = e.results().collect();
        let program = b.finish(&outputs);
        let dot = matches!(sample.op.lower(), Lowering::Dot { .. }) || !sample.op.programs().is_empty();
        agree_within(&program, &sample.args, if dot { 1e-5 } else { 0.0 });
        done += 1;
    }
    assert!(done > 500, "{done} samples, {left} with lists");
}
