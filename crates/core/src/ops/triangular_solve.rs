//! `triangular_solve`: linear equations with a triangular matrix.

use super::matrix::{self, product, t};
use super::operands::{arrays, same_dtype};
use super::{Attributes, Definition, Sample, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::lanes::{Lanes, Places};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::source::called;
use crate::trace::apply;
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::DType;

/// `t: [batch.., n, n]`, `b: [batch.., n, k]` to `x` with `op(t) x = b`. Of `t` only one triangle is read, without its
/// diagonal when that is taken for ones. Dividing by a diagonal of 0 gives infinities and NaN, but for a system of nothing
/// but zeros, which has the solution 0.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3,3], %1: f64[3,2]) {
///   %2: f64[3,2] = triangular_solve[batch=0, lower=true, transposed=false, unit=false] %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TriangularSolve {
    /// Number of leading batch axes.
    pub batch: usize,
    /// The lower triangle is read, else the upper one.
    pub lower: bool,
    /// `op(t)` is the transpose.
    pub transposed: bool,
    /// The diagonal is taken for ones.
    pub unit: bool,
}

impl TriangularSolve {
    /// With the upper triangle as it is.
    ///
    /// ```
    /// use wengert_core::ops::TriangularSolve;
    ///
    /// assert!(!TriangularSolve::new(0).lower);
    /// ```
    pub fn new(batch: usize) -> TriangularSolve {
        TriangularSolve { batch, lower: false, transposed: false, unit: false }
    }

    /// The part of `t` that is read.
    fn part(&self, x: &Array) -> Array {
        match (self.lower, self.unit) {
            (true, false) => x.tril(0),
            (true, true) => x.tril(-1),
            (false, false) => x.triu(0),
            (false, true) => x.triu(1),
        }
    }
}

impl Primitive for TriangularSolve {
    fn name(&self) -> &'static str {
        "triangular_solve"
    }

    fn operand(&self, i: usize, _: usize) -> Option<String> {
        Some(["triangle", "right side"][i].to_owned())
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![
            ("batch", Attribute::Int(self.batch as i64)),
            ("lower", Attribute::Bool(self.lower)),
            ("transposed", Attribute::Bool(self.transposed)),
            ("unit", Attribute::Bool(self.unit)),
        ]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [a, b] = arrays(args)?;
        same_dtype(a, b)?;
        let (lanes, n) = matrix::square(a, self.batch)?;
        let (other, [m, _]) = matrix::matrix(b, self.batch)?;
        if lanes != other || m != n {
            return Err(TypeError::new(format!("{a} and {b} are not {n} equations with right sides in equal batches")));
        }
        matrix::results(vec![(b.dtype, b.shape.clone())])
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        matrix::eval(self, &args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = apply(self.clone(), &[&x[0], &x[1]]);
        let moved = dx[0].as_ref().map(|dt| {
            let dt = self.part(dt);
            product(&if self.transposed { t(&dt) } else { dt }, &y)
        });
        let right = match (&dx[1], moved) {
            (Some(db), Some(moved)) => Some(db - moved),
            (Some(db), None) => Some(db.clone()),
            (None, Some(moved)) => Some(-moved),
            (None, None) => None,
        };
        let dy = right.map(|right| apply(self.clone(), &[&x[0], &right]));
        (vec![y], vec![dy])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let back = TriangularSolve { transposed: !self.transposed, ..self.clone() };
        into.add(1, apply(back, &[x[0].known(), ct]));
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        if self.batch == 0 && !x[0].mapped {
            return vec![matrix::lanes_as_columns(self.clone(), x)];
        }
        rules::batch_all(TriangularSolve { batch: self.batch + 1, ..self.clone() }, x, size)
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        matrix::lanes_of_solutions(at, &self.lower(), self.batch)
    }

    fn lower(&self) -> Lowering {
        let ints = [self.lower, self.transposed, self.unit].map(i64::from);
        matrix::lower("triangular_solve", self.batch, &ints)
    }
}

impl Definition for TriangularSolve {
    const NAMES: &'static [&'static str] = &["triangular_solve"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(TriangularSolve {
            batch: attributes.size("batch")?,
            lower: attributes.bool("lower")?,
            transposed: attributes.bool("transposed")?,
            unit: attributes.bool("unit")?,
        })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for which in 0..8 {
            let [lower, transposed, unit] = [1, 2, 4].map(|bit| which & bit != 0);
            let mut add = |dtype, lanes: &[usize], n: usize, k: usize| {
                let shape = |of: [usize; 2]| lanes.iter().copied().chain(of).collect::<Vec<usize>>();
                let op = TriangularSolve { batch: lanes.len(), lower, transposed, unit };
                let args = vec![matrix::shifted(dtype, &shape([n, n]), 2.0), Sample::numbers(dtype, &shape([n, k]))];
                let sample = Sample::new(op, args);
                if dtype == DType::F64 {
                    all.extend([sample.clone().smooth(&[0, 1]), sample.linear(&[1])]);
                } else {
                    all.push(sample);
                }
            };
            for (n, k) in [(0, 2), (1, 1), (2, 1), (3, 2), (5, 0), (9, 3)] {
                add(DType::F64, &[], n, k);
            }
            add(DType::F64, &[2], 3, 2);
            add(DType::F64, &[0], 3, 2);
            add(DType::F32, &[2, 1], 3, 2);
            for x in matrix::hard(DType::F64, 2) {
                let op = TriangularSolve { batch: 0, lower, transposed, unit };
                all.push(Sample::new(op, vec![x, Sample::numbers(DType::F64, &[2, 1])]));
            }
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let sample = |dtype, which: usize| {
            let [lower, transposed] = [1, 2].map(|bit| which & bit != 0);
            let op = TriangularSolve { lower, transposed, ..TriangularSolve::new(0) };
            Sample::new(op, vec![matrix::shifted(dtype, &[n, n], 3.0 + n as f64), Sample::numbers(dtype, &[n, 1 + n % 3])])
        };
        vec![sample(DType::F64, n % 4), sample(DType::F32, (n + 1) % 4)]
    }
}

/// Which triangle of a matrix [`solve_triangular`] reads, and how.
///
/// ```
/// use wengert_core::functions::linalg::Triangle;
///
/// assert_ne!(Triangle::LOWER.transposed(), Triangle::UPPER); // the upper triangle of a', not of a
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Triangle {
    lower: bool,
    transposed: bool,
    unit: bool,
}

impl Triangle {
    /// The lower triangle.
    ///
    /// ```
    /// use wengert_core::{array, functions::linalg::{Triangle, solve_triangular}};
    ///
    /// // What stands above the diagonal is not read.
    /// let a = array![[2.0, 9.0], [1.0, 4.0]];
    /// assert_eq!(solve_triangular(&a, &array![2.0, 5.0], Triangle::LOWER), array![1.0, 1.0]);
    /// ```
    pub const LOWER: Triangle = Triangle { lower: true, transposed: false, unit: false };
    /// The upper triangle.
    ///
    /// ```
    /// use wengert_core::{array, functions::linalg::{Triangle, solve_triangular}};
    ///
    /// let a = array![[2.0, 1.0], [9.0, 4.0]];
    /// assert_eq!(solve_triangular(&a, &array![3.0, 4.0], Triangle::UPPER), array![1.0, 1.0]);
    /// ```
    pub const UPPER: Triangle = Triangle { lower: false, transposed: false, unit: false };

    /// The equations with its transpose.
    ///
    /// ```
    /// use wengert_core::functions::linalg::Triangle;
    ///
    /// assert_eq!(Triangle::LOWER.transposed().transposed(), Triangle::LOWER);
    /// ```
    pub fn transposed(self) -> Triangle {
        Triangle { transposed: !self.transposed, ..self }
    }

    /// With a diagonal of ones, whatever the matrix has there.
    ///
    /// ```
    /// use wengert_core::{array, functions::linalg::{Triangle, solve_triangular}};
    ///
    /// let x = solve_triangular(&array![[9.0, 0.0], [2.0, 9.0]], &array![1.0, 5.0], Triangle::LOWER.unit());
    /// assert_eq!(x, array![1.0, 3.0]);
    /// ```
    pub fn unit(self) -> Triangle {
        Triangle { unit: true, ..self }
    }
}

/// The solutions `x` of `t x = b`, where `t` is a triangle of `a: [.., n, n]`; `b` is `[.., n, k]`, or one vector `[n]`. Batch
/// axes broadcast, dtypes promote. A 0 on the diagonal gives infinities or NaN.
///
/// # Panics
/// When the shapes do not fit.
///
/// ```
/// use wengert_core::{array, functions::linalg::{Triangle, solve_triangular}};
///
/// let x = solve_triangular(&array![[2.0, 0.0], [1.0, 4.0]], &array![2.0, 9.0], Triangle::LOWER);
/// assert_eq!(x, array![1.0, 2.0]);
/// ```
#[track_caller]
pub fn solve_triangular(a: &Array, b: &Array, triangle: Triangle) -> Array {
    let _called = called("solve_triangular");
    let (a, b, vector) = matrix::together(a, b);
    let Triangle { lower, transposed, unit } = triangle;
    let x = apply(TriangularSolve { batch: matrix::batch(&a), lower, transposed, unit }, &[&a, &b]);
    if vector { x.squeeze(-1) } else { x }
}
