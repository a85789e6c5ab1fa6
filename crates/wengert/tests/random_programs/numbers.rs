//! Pseudo-random numbers, and the arrays made of them.

use wengert::{Array, DType};

/// What may stand in a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Anything, of all dtypes, with NaN, infinities, -0 and denormal numbers. Products are of small integers, that their
    /// sums be exact in every order.
    Any,
    /// Smooth functions of moderate numbers in f64; integers choose rows, branches and numbers of rounds.
    Smooth,
}

/// The generator splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `n - 1`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.word() % n as u64) as usize
    }

    /// Evenly in [-1, 1).
    pub fn signed(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn float(&mut self, style: Style) -> f64 {
        const SPECIAL: [f64; 10] =
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, 5e-324, -1e-310, 1e-40, f64::MAX, 1e19];
        match style {
            Style::Any if self.below(10) < 3 => self.choose(&SPECIAL),
            Style::Any => (self.signed() * 32.0).round() / 8.0 + self.choose(&[0.0, 0.1]),
            Style::Smooth => 1.5 * self.signed(),
        }
    }

    pub fn integer(&mut self, style: Style) -> i64 {
        match style {
            Style::Any if self.below(10) < 3 => self.choose(&[i64::MIN, i64::MAX, -1, 0, 1 << 33]),
            _ => self.below(24) as i64 - 8,
        }
    }
}

/// An array of numbers of a style.
pub fn data(r: &mut Random, style: Style, dtype: DType, shape: &[usize]) -> Array {
    let n = shape.iter().product();
    match dtype {
        DType::F64 => Array::from_slice(shape, &(0..n).map(|_| r.float(style)).collect::<Vec<f64>>()),
        DType::F32 => Array::from_slice(shape, &(0..n).map(|_| r.float(style) as f32).collect::<Vec<f32>>()),
        DType::I64 => Array::from_slice(shape, &(0..n).map(|_| r.integer(style)).collect::<Vec<i64>>()),
        DType::Bool => Array::from_slice(shape, &(0..n).map(|_| r.below(2) == 0).collect::<Vec<bool>>()),
        other => unreachable!("no input is {other}"),
    }
}
