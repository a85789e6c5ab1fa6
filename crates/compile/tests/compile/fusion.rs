//! What is fused with what.

use crate::engine::{agree_transformed, agree_within, arguments, compiled, f64s, gradient, traced};
use wengert_compile::{Options, Report, compile};
use wengert_core::functions::Padding;
use wengert_core::{Array, Type};
use wengert_kernel::routine::Storage;

fn report(types: &[Type], f: impl FnOnce(Vec<Array>) -> Vec<Array>) -> Report {
    let program = traced(types, f);
    agree_within(&program, &arguments(&program), 1e-12);
    compiled(&program).report
}

#[test]
fn a_chain_is_one_pass() {
    let report = report(&[f64s(&[100])], |x| vec![(&x[0] * 2.5 + x[0].square() * 1.5 - 0.5).sin()]);
    assert_eq!((report.groups, report.passes, report.loops, report.buffers), (1, 1, 0, 0), "{report}");
}

#[test]
fn views_cost_nothing() {
    let report = report(&[f64s(&[4, 6])], |x| {
        let t = x[0].transpose().reshape([3, 2, 4]).flip(1);
        vec![t.exp()]
    });
    assert_eq!((report.groups, report.passes, report.buffers, report.copies), (1, 1, 0, 0), "{report}");
}

#[test]
fn a_softmax_is_one_loop_over_rows() {
    let report = report(&[f64s(&[8, 33])], |x| vec![x[0].softmax(1)]);
    assert_eq!((report.groups, report.loops), (1, 1), "{report}");
    assert!(report.buffer_bytes <= 33 * 8 + 64, "{report}");
}

#[test]
fn a_layer_norm_is_one_loop_over_rows() {
    let report = report(&[f64s(&[8, 33]), f64s(&[33])], |x| {
        let mean = x[0].mean_axis(1).reshape([8, 1]);
        let centred = &x[0] - mean;
        let deviation = (centred.square().mean_axis(1) + 1e-5).sqrt().reshape([8, 1]);
        vec![centred / deviation * &x[1]]
    });
    assert_eq!((report.groups, report.loops), (1, 1), "{report}");
}

#[test]
fn a_dot_of_vectors_is_one_pass() {
    let report = report(&[f64s(&[64]), f64s(&[64])], |x| vec![(&x[0] * 2.0).dot(&x[1].sin())]);
    assert_eq!((report.groups, report.passes, report.buffers), (1, 1, 0), "{report}");
}

#[test]
fn a_result_is_written_where_it_is_wanted() {
    let report = report(&[f64s(&[16, 16]), f64s(&[16, 16])], |x| {
        let y = x[0].dot(&x[1].transpose());
        vec![wengert_core::concatenate(&[x[0].sin(), x[1].cos()], 0), y]
    });
    assert_eq!((report.buffers, report.copies), (0, 0), "{report}");
}

#[test]
fn a_layer_and_its_gradient() {
    let program = traced(&[f64s(&[6, 4]), f64s(&[4, 5]), f64s(&[5])], |x| {
        let h = (x[0].dot(&x[1]) + &x[2]).tanh();
        vec![h.softmax(1).square().sum()]
    });
    agree_transformed(&program);
    let report = compiled(&gradient(&program)).report;
    assert!(report.groups <= 8, "{report}");
}

#[test]
fn rows_and_columns_of_a_square_are_told_apart() {
    let program = traced(&[f64s(&[4, 4])], |x| {
        let greatest = x[0].max_axis(1);
        vec![&x[0] - greatest.expand_dims([1]), &x[0] - greatest.expand_dims([0]), x[0].sum_axis(0) + greatest]
    });
    agree_transformed(&program);
}

#[test]
fn columns_are_summed_in_sweeps_that_make_their_operand() {
    for shape in [[3, 4], [16, 1], [17, 4], [256, 3], [257, 3], [1000, 2], [1, 5]] {
        let program = traced(&[f64s(&shape), f64s(&[shape[1]])], |x| {
            let y = (&x[0] * &x[1]).sin() + 0.5;
            vec![y.sum_axis(0), (&x[0] - 1.0).max_axis(0)]
        });
        agree_within(&program, &arguments(&program), 0.0);
        let report = compiled(&program).report;
        assert_eq!(report.groups, 0, "{report}");
    }
    // Several axes at once, of a permuted array.
    let program = traced(&[f64s(&[5, 3, 7, 2])], |x| {
        let y = x[0].permute([2, 0, 3, 1]).exp();
        vec![y.sum_axis([0, 1]), y.sum_axis([1, 2]), x[0].permute([2, 0, 3, 1]).sum_axis([0, 1])]
    });
    agree_transformed(&program);
}

#[test]
fn products_over_many_rows_are_done_in_blocks() {
    // x' (d (x v)): a block of rows of the inner product is scaled and summed up while it is near.
    let program = traced(&[f64s(&[960, 20]), f64s(&[20, 20]), f64s(&[960])], |x| {
        let scaled = x[0].dot(&x[1]) * x[2].reshape([960, 1]);
        vec![x[0].transpose().dot(&scaled)]
    });
    agree_within(&program, &arguments(&program), 1e-12);
    let options = Options { verify: true, parallel: u64::MAX, blocks: 1 << 16 };
    let text = compile(&program, &options).routine.to_string();
    assert!(text.contains("dot_add_f64") && text.matches("dot_f64").count() == 1, "{text}");
    // The temporaries are of one block, and each unit of blocks has a sum of its own.
    let largest = compile(&program, &options).report.arena_bytes;
    assert!(largest < 960 * 20 * 8, "{largest} bytes\n{text}");
    // A result that is wanted elsewhere is stored whole.
    let program = traced(&[f64s(&[960, 20]), f64s(&[20, 20])], |x| {
        let inner = x[0].dot(&x[1]).exp();
        vec![x[0].transpose().dot(&inner), inner]
    });
    agree_within(&program, &arguments(&program), 1e-12);
    assert!(compile(&program, &options).routine.to_string().contains("dot_add_f64"));
}

#[test]
fn products_are_not_done_in_blocks_where_that_costs_more() {
    let options = Options { verify: true, parallel: u64::MAX, blocks: 1 << 16 };
    // The sum is as large as the operands.
    let outer = traced(&[f64s(&[200, 100]), f64s(&[100, 200])], |x| vec![x[0].exp().dot(&x[1].exp())]);
    assert!(!compile(&outer, &options).routine.to_string().contains("dot_add"));
    // Nothing is read twice.
    let alone = traced(&[f64s(&[960, 20]), f64s(&[20, 20])], |x| vec![x[0].dot(&x[1])]);
    assert!(!compile(&alone, &options).routine.to_string().contains("for "));
    // What is read across rows waits.
    let across = traced(&[f64s(&[960, 20]), f64s(&[20, 960])], |x| vec![x[0].dot(&x[1]).transpose().exp().dot(&x[0])]);
    agree_within(&across, &arguments(&across), 1e-9);
}

#[test]
fn work_on_permuted_products_goes_in_their_order() {
    // As batches leave it: the axes of a product are turned round, worked on with what is broadcast, and turned back.
    let program = traced(&[f64s(&[960, 20]), f64s(&[20, 20]), f64s(&[960])], |x| {
        let turned = x[0].dot(&x[1]).reshape([960, 20, 1]).permute([1, 0, 2]).reshape([20, 960]);
        let scaled = (turned * x[2].reshape([1, 960])).sin();
        vec![x[0].transpose().dot(&scaled.transpose())]
    });
    agree_within(&program, &arguments(&program), 1e-12);
    let options = Options { verify: true, parallel: u64::MAX, blocks: 1 << 16 };
    let text = compile(&program, &options).routine.to_string();
    assert!(
        text.contains("dot_add_f64"),
        "the work keeps to the rows of the products, so all is done in blocks\n{text}"
    );
}

#[test]
fn convolutions_go_image_by_image() {
    // As `conv_general_dilated` is traced: the windows of every image in a matrix of their own.
    let (images, channels, features) = (16, 8, 10);
    let program = traced(&[f64s(&[images, channels, 18, 18]), f64s(&[features, channels, 3, 3])], |x| {
        vec![x[0].conv2d(&x[1], [1, 1], Padding::Valid).sin()]
    });
    agree_within(&program, &arguments(&program), 1e-12);
    let options = Options { verify: true, parallel: u64::MAX, blocks: 1 << 16 };
    let routine = compile(&program, &options).routine;
    let windows = channels * 9 * 16 * 16;
    let own = routine.buffers.iter().filter(|b| matches!(b.storage, Storage::Arena(_) | Storage::Local(_)));
    let largest = own.map(|b| b.len).max().unwrap();
    assert_eq!(largest, windows, "no more than the windows of one image\n{routine}");
}
