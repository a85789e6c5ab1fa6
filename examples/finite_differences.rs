//! Why not just divide differences? The derivative of x² + 3x + 5 at 2, by quotients with smaller and smaller h, beside
//! the exact 7.
//!
//! The forward quotient leaves out terms of the size of h, the central one terms of the size of h² (of a parabola: none).
//! Both subtract two nearly equal numbers, which costs digits in proportion to 1/h. So no h is good for all, and no quotient
//! of this one is exact; the derivative of the program is, and needs no h.

use wengert::prelude::*;
use wengert_examples::plot::{self, Axis, Curve, Plot};

fn f(x: Array) -> Array {
    x.square() + 3.0 * &x + 5.0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x = Array::from(2.0);
    let exact = grad(f)(x.clone());

    // All step sizes at once: arithmetic on arrays goes element by element.
    let steps: Vec<f64> = (1..=15).map(|k| 10f64.powi(-k)).collect();
    let h = Array::from(steps.clone());
    let forward = (f(&x + &h) - f(x.clone())) / &h;
    let central = (f(&x + &h) - f(&x - &h)) / (2.0 * &h);

    let (forward, central) = (forward.to_vec::<f64>()?, central.to_vec::<f64>()?);
    println!("The derivative of x² + 3x + 5 at 2, and how far off it is:\n");
    println!("    h   (f(x+h) - f(x)) / h     error   (f(x+h) - f(x-h)) / 2h     error");
    for ((h, forward), central) in steps.iter().zip(&forward).zip(&central) {
        let (off, off_central) = ((forward - 7.0).abs(), (central - 7.0).abs());
        println!("{h:5.0e} {forward:21.16} {off:9.1e} {central:24.16} {off_central:9.1e}");
    }
    println!(" grad {:>21} {:9.1e}", exact.to_string(), exact.item::<f64>()? - 7.0);

    let curve = |quotients: &[f64]| steps.iter().zip(quotients).map(|(&h, q)| (h, (q - 7.0).abs())).collect::<Vec<_>>();
    let (forward, central) = (curve(&forward), curve(&central));
    let digits_lost = |curve: &[(f64, f64)]| curve.iter().map(|p| p.1.max(1e-17).log10()).collect::<Vec<_>>();
    println!("\nerror from h = 1e-1 to 1e-15, by orders of magnitude:");
    println!(
        "  forward {}\n  central {}",
        plot::sparkline(&digits_lost(&forward)),
        plot::sparkline(&digits_lost(&central))
    );

    assert_eq!(exact, Array::from(7.0));
    let (best_h, best) = forward.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).expect("there are steps");
    assert!(
        (1e-9..1e-6).contains(&best_h) && best > 0.0,
        "the best step is near the square root of the rounding error"
    );
    assert!((forward[0].1 / forward[3].1 - 1e3).abs() < 1.0, "at first the error is h");
    assert!(forward[14].1 > 0.1 && central[14].1 > 0.1, "at last no digit is right");
    println!("\nThe best forward quotient, at h = {best_h:.0e}, is wrong by {best:.1e}; the gradient is exact.");

    let title = "Error of difference quotients of x² + 3x + 5 at 2";
    let curves = vec![Curve::new("forward", forward), Curve::new("central", central)];
    let file = Plot::new(title, Axis::log("h"), Axis::log("absolute error"), curves)?.save("finite_differences")?;
    println!("The error curves are in {}.", file.display());
    Ok(())
}
