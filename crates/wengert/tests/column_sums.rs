//! Reductions over columns of many rows, which are summed in blocks: machine code gives the bits of the interpreter.

use wengert::prelude::*;

#[test]
fn columns_of_any_number_of_rows() {
    let reductions: [fn(Array) -> Array; 4] = [
        |x| x.sum_axis(0),
        |x| x.max_axis(0),
        |x| x.prod_axis(0),
        |x| grad(|x: Array| x.sum_axis(0).square().sum())(x),
    ];
    for rows in
        (1..20).chain([255, 256, 257, 511, 512, 768, 1023, 1024, 1025, 1280, 1536, 2048, 2049, 3072, 4096, 5000])
    {
        for columns in [1, 3, 8, 64, 100] {
            let x = (arange(0.0, (rows * columns) as f64, 1.0) * 0.37).sin().reshape([rows, columns]) + 1.0;
            for f in reductions {
                let found = jit(f)(x.clone());
                assert_eq!(found, interpret(f)(x.clone()), "{rows} rows of {columns}");
            }
        }
    }
}
