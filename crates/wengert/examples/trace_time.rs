use std::time::Instant;
use wengert::prelude::*;
fn main() {
    let n = 100_000;
    let f = |x: Array| (0..n).fold(x, |x, i| if i % 2 == 0 { x * 1.000001 } else { x.sin() });
    for _ in 0..3 {
        let mut best = f64::MAX;
        for _ in 0..7 {
            let s = Instant::now();
            let p = trace(f, &0.5.into());
            best = best.min(s.elapsed().as_secs_f64());
            assert!(p.equations().len() > n / 2);
        }
        println!("trace {:.1} ns/op", best / n as f64 * 1e9);
        let g = |x: Array| (0..n / 10).fold(x, |x, _| x.maximum(0.5).clip(0.1, 0.9).softmax(0).sum_axis(keepdims(0)));
        let s = Instant::now();
        let p = trace(g, &Array::from([0.5, 1.0]));
        println!("composite {:.1} ns/eq", s.elapsed().as_secs_f64() / p.equations().len() as f64 * 1e9);
        let s = Instant::now();
        let p = trace(grad(|x: Array| f(x)), &0.5.into());
        println!("grad {:.1} ns/op", s.elapsed().as_secs_f64() / p.equations().len() as f64 * 1e9);
    }
}
