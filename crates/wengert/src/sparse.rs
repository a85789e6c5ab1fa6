//! Sparse Jacobians and Hessians: the pattern is found once, rows or columns that do not meet share one pass.

use crate::gradient::{grad, jvp, vjp};
use crate::traced::Function;
use crate::vectorize::vmap;
use std::sync::Arc;
use wengert_core::array::{zeros, zeros_of};
use wengert_core::refusal::refuse;
use wengert_core::source::{UserCall, called};
use wengert_core::sparsity::pattern;
use wengert_core::value::Value;
use wengert_core::{Array, DType, Error, tree};

/// A sparse matrix by rows: row `i` has `values[k]` in column `indices[k]` for `k` in `indptr[i]..indptr[i + 1]`, columns
/// ascending. The form of SciPy's `csr_matrix`.
///
/// ```
/// use wengert::prelude::*;
///
/// let j = sparse_jacobian(|x: Array| x.square(), array![1.0, 2.0, 3.0]);
/// assert_eq!((j.shape(), j.indptr(), j.indices()), ([3, 3], &[0, 1, 2, 3][..], &[0, 1, 2][..]));
/// assert_eq!(j.values(), &array![2.0, 4.0, 6.0]);
/// assert_eq!(j.dot(&array![1.0, 1.0, 1.0]), array![2.0, 4.0, 6.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Csr {
    pattern: Sparsity,
    values: Array,
}

/// Where a Jacobian may differ from zero, and which of its columns (or rows) are computed together.
///
/// Found at one point, it serves for others at which the same elements depend on each other: where a gather reads, the branch
/// of a `cond` and the rounds of a `while_loop` are those of the point. At a point of other branches or more rounds values
/// would be wrong: ask for its own pattern there.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::Sparsity;
///
/// let f = |x: Array| x.slice(1..) * x.slice(..-1);
/// let pattern = Sparsity::of_jacobian(f, &ones(1000));
/// assert_eq!((pattern.nonzeros(), pattern.passes()), (2 * 999, 2));
/// let values = jit(|x: Array| pattern.jacobian(f, x));
/// assert_eq!(values(arange(0.0, 1000.0, 1.0)).slice(..4), array![1.0, 0.0, 2.0, 1.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Sparsity(Arc<Compressed>);

#[derive(Debug)]
struct Compressed {
    shape: [usize; 2],
    indptr: Vec<usize>,
    indices: Vec<usize>,
    /// Whether columns are computed together, by forward mode; else rows, by reverse mode.
    columns: bool,
    /// The colour of each column (or row). Those of one colour have no row (or column) in common.
    colours: Vec<usize>,
    passes: usize,
}

/// The Jacobian of a function from an array to an array, both taken as vectors in row-major order: its pattern, found at `x`,
/// and its values there. As many passes as it takes colours: three for a band of three, whatever its length. Loops are
/// followed round by round and branches as they are taken at `x`; decompositions are dense within each matrix of a batch.
///
/// # Panics
/// When `x` is traced (find the pattern outside, by [`Sparsity::of_jacobian`]), or argument or result are not of a float
/// dtype.
///
/// ```
/// use wengert::prelude::*;
///
/// // A reaction with its neighbours: a band of three.
/// let f = |x: Array| x.exp() - 2.0 * x.sum_neighbours();
/// # trait Neighbours { fn sum_neighbours(&self) -> Array; }
/// # impl Neighbours for Array {
/// #     fn sum_neighbours(&self) -> Array {
/// #         let zero = zeros(1);
/// #         concatenate(&[&self.slice(1..), &zero], 0) + concatenate(&[&zero, &self.slice(..-1)], 0)
/// #     }
/// # }
/// let j = sparse_jacobian(f, zeros(4));
/// assert_eq!(j.to_dense().at(1), array![-2.0, 1.0, -2.0, 0.0]);
/// ```
#[track_caller]
pub fn sparse_jacobian(f: impl Fn(Array) -> Array, x: Array) -> Csr {
    let _called = called("sparse_jacobian");
    let pattern = Sparsity::of_jacobian(&f, &x);
    let values = pattern.jacobian(&f, x);
    Csr { pattern, values }
}

/// The Hessian of a function from an array to a scalar, as [`sparse_jacobian`] of its gradient.
///
/// # Panics
/// As [`sparse_jacobian`], and when the result is no scalar.
///
/// ```
/// use wengert::prelude::*;
///
/// let h = sparse_hessian(|x: Array| (x.slice(1..) - x.slice(..-1)).square().sum(), zeros(4));
/// assert_eq!(h.to_dense().at(1), array![-2.0, 4.0, -2.0, 0.0]);
/// ```
#[track_caller]
pub fn sparse_hessian(f: impl Fn(Array) -> Array, x: Array) -> Csr {
    let _called = called("sparse_hessian");
    sparse_jacobian(grad(f), x)
}

impl Sparsity {
    /// The pattern of the Jacobian of `f` at `x`.
    ///
    /// # Panics
    /// As [`sparse_jacobian`].
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let pattern = wengert::Sparsity::of_jacobian(|x: Array| x.sum(), &ones(5));
    /// // One row: a pass of reverse mode.
    /// assert_eq!((pattern.shape(), pattern.passes()), ([1, 5], 1));
    /// ```
    #[track_caller]
    pub fn of_jacobian(f: impl Fn(Array) -> Array, x: &Array) -> Sparsity {
        let _called = called("Sparsity::of_jacobian");
        let function = Function::<Array, Array>::trace(f, x.clone());
        let result = function.program.output_types().next().expect("it returns an array").clone();
        let complex = function.result == tree::Kind::Complex;
        if complex || !(x.dtype().is_float() && result.dtype().is_float()) {
            let result = if complex { "complex numbers".to_owned() } else { result.to_string() };
            refuse(format!("the function maps {} to {result}, but only floats have derivatives here", x.ty()), &[x]);
        }
        let operands: Result<Vec<Value>, Error> = function.operands().iter().map(|x| x.value("its pattern")).collect();
        let rows = operands.and_then(|operands| {
            let last = operands.len() - 1;
            pattern(&function.program, operands, last)
        });
        let rows = rows
            .unwrap_or_else(|error| error.or_at(UserCall::here("Sparsity::of_jacobian").source().clone()).raise())
            .remove(0);
        let mut indptr = vec![0];
        let mut indices = Vec::new();
        for row in &rows {
            indices.extend(row.iter().map(|&j| j as usize));
            indptr.push(indices.len());
        }
        Sparsity(Arc::new(Compressed::coloured([rows.len(), x.size()], indptr, indices)))
    }

    /// The pattern of the Hessian of `f` at `x`.
    ///
    /// # Panics
    /// As [`sparse_hessian`].
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let pattern = wengert::Sparsity::of_hessian(|x: Array| x.sin().sum(), &ones(5));
    /// assert_eq!((pattern.nonzeros(), pattern.passes()), (5, 1));
    /// ```
    #[track_caller]
    pub fn of_hessian(f: impl Fn(Array) -> Array, x: &Array) -> Sparsity {
        let _called = called("Sparsity::of_hessian");
        Sparsity::of_jacobian(grad(f), x)
    }

    /// Rows and columns.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let j = sparse_jacobian(|x: Array| x.slice(1..) * 2.0, ones(3));
    /// assert_eq!(j.pattern().shape(), [2, 3]);
    /// ```
    pub fn shape(&self) -> [usize; 2] {
        self.0.shape
    }

    /// The number of elements that may differ from zero.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let j = sparse_jacobian(|x: Array| x.slice(1..) * 2.0, ones(3));
    /// assert_eq!(j.pattern().nonzeros(), 2);
    /// ```
    pub fn nonzeros(&self) -> usize {
        self.0.indices.len()
    }

    /// How many columns (rows) of a dense Jacobian it costs to compute.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let j = sparse_jacobian(|x: Array| x.slice(1..) * 2.0, ones(3));
    /// assert_eq!(j.pattern().passes(), 1);
    /// ```
    pub fn passes(&self) -> usize {
        self.0.passes
    }

    /// The values of the Jacobian of `f` at `x`, one for each element of the pattern, row by row. May be traced.
    ///
    /// # Panics
    /// When argument or result are of another size than those of the pattern.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let pattern = wengert::Sparsity::of_jacobian(|x: Array| x.square(), &ones(2));
    /// assert_eq!(pattern.jacobian(|x: Array| x.square(), array![3.0, 4.0]), array![6.0, 8.0]);
    /// ```
    #[track_caller]
    pub fn jacobian(&self, f: impl Fn(Array) -> Array, x: Array) -> Array {
        let _called = called("Sparsity::jacobian");
        let c = &*self.0;
        if x.size() != c.shape[1] {
            refuse(format!("the pattern is of a function of {} numbers", c.shape[1]), &[&x]);
        }
        if c.passes == 0 {
            return zeros_of(x.dtype(), 0);
        }
        let (m, n) = (c.shape[0], c.shape[1]);
        let colours = Array::from(c.colours.iter().map(|&c| c as i64).collect::<Vec<i64>>());
        let colour = Array::iota(DType::I64, &[c.passes], 0).reshape((c.passes, 1));
        let seeds = colours.reshape((1, c.colours.len())).eq(&colour).convert(x.dtype());
        // Of the passes, stacked: rows by colour, elements by row or column.
        let (compressed, width) = if c.columns {
            let shape = x.shape();
            let push = |seed: Array| jvp(&f)(x.clone(), seed.reshape(shape.clone())).1.flatten();
            (vmap(push)(seeds), m)
        } else {
            let (y, pull) = vjp(&f, x.clone());
            let shape = y.shape();
            (vmap(|seed: Array| pull(seed.reshape(shape.clone())).flatten())(seeds), n)
        };
        if compressed.size() != c.passes * width {
            refuse(format!("the pattern is of a function to {m} numbers"), &[&compressed]);
        }
        let place = |(row, column): (usize, usize)| {
            let (coloured, other) = if c.columns { (column, row) } else { (row, column) };
            (c.colours[coloured] * width + other) as i64
        };
        let places: Vec<i64> = c.entries().map(place).collect();
        compressed.flatten().take(Array::from(places), 0)
    }
}

impl Compressed {
    fn coloured(shape: [usize; 2], indptr: Vec<usize>, indices: Vec<usize>) -> Compressed {
        let rows: Vec<&[usize]> = indptr.windows(2).map(|w| &indices[w[0]..w[1]]).collect();
        let mut columns = vec![Vec::new(); shape[1]];
        for (i, row) in rows.iter().enumerate() {
            row.iter().for_each(|&j| columns[j].push(i));
        }
        let columns: Vec<&[usize]> = columns.iter().map(Vec::as_slice).collect();
        // Lines that all meet take a square of their number to colour, so both ways are given up early, and later in turn.
        let mut most = 8;
        let (columns, (colours, passes)) = loop {
            match (colours(&columns, &rows, most), colours(&rows, &columns, most)) {
                (Some(forward), Some(reverse)) if reverse.1 < forward.1 => break (false, reverse),
                (Some(forward), _) => break (true, forward),
                (None, Some(reverse)) => break (false, reverse),
                (None, None) => most *= 8,
            }
        };
        Compressed { shape, indptr, indices, columns, colours, passes }
    }

    fn entries(&self) -> impl Iterator<Item = (usize, usize)> {
        let rows = self.indptr.windows(2).enumerate();
        rows.flat_map(|(i, w)| self.indices[w[0]..w[1]].iter().map(move |&j| (i, j)))
    }
}

/// Colours of lines (columns, or rows), given which crossing lines each meets and the other way about: no two of one colour
/// meet the same. Each in turn takes the first colour that is free (A. R. Curtis, M. J. D. Powell, J. K. Reid, "On the
/// estimation of sparse Jacobian matrices", 1974). `None` when that takes more than `most` colours.
fn colours(lines: &[&[usize]], crossing: &[&[usize]], most: usize) -> Option<(Vec<usize>, usize)> {
    const NONE: usize = usize::MAX;
    let mut colours = vec![NONE; lines.len()];
    // By colour, the last line that may not have it; by crossing line, how far the colours on it are known to be taken.
    let mut taken: Vec<usize> = Vec::new();
    for (j, line) in lines.iter().enumerate() {
        for &i in line.iter() {
            for &other in crossing[i] {
                if colours[other] != NONE {
                    taken[colours[other]] = j;
                }
            }
        }
        let free = taken.iter().position(|&last| last != j).unwrap_or(taken.len());
        if free == taken.len() {
            taken.push(NONE);
        }
        if taken.len() > most {
            return None;
        }
        colours[j] = free;
    }
    Some((colours, taken.len()))
}

impl Csr {
    /// Rows and columns.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let j = sparse_jacobian(|x: Array| x.slice(1..) * 2.0, ones(3));
    /// assert_eq!(j.shape(), [2, 3]);
    /// ```
    pub fn shape(&self) -> [usize; 2] {
        self.pattern.shape()
    }

    /// Where each row begins in `indices` and `values`, and where the last one ends.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let j = sparse_jacobian(|x: Array| x.slice(1..) * 2.0, ones(3));
    /// assert_eq!(j.indptr(), [0, 1, 2]);
    /// ```
    pub fn indptr(&self) -> &[usize] {
        &self.pattern.0.indptr
    }

    /// Columns, row by row.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let j = sparse_jacobian(|x: Array| x.slice(1..) * 2.0, ones(3));
    /// assert_eq!(j.indices(), [1, 2]);
    /// ```
    pub fn indices(&self) -> &[usize] {
        &self.pattern.0.indices
    }

    /// Values, row by row.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let j = sparse_jacobian(|x: Array| x.slice(1..) * 2.0, ones(3));
    /// assert_eq!(j.values(), &array![2.0, 2.0]);
    /// ```
    pub fn values(&self) -> &Array {
        &self.values
    }

    /// What is known of the pattern.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let j = sparse_jacobian(|x: Array| x.slice(1..) * 2.0, ones(3));
    /// assert_eq!(j.pattern().nonzeros(), j.indices().len());
    /// ```
    pub fn pattern(&self) -> &Sparsity {
        &self.pattern
    }

    /// All elements.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// assert_eq!(sparse_jacobian(|x: Array| 2.0 * x, ones(2)).to_dense(), 2.0 * eye(2));
    /// ```
    #[track_caller]
    pub fn to_dense(&self) -> Array {
        let _called = called("Csr::to_dense");
        let [m, n] = self.shape();
        let places: Vec<i64> = self.pattern.0.entries().map(|(i, j)| (i * n + j) as i64).collect();
        let zero = zeros_of(self.values.dtype(), m * n);
        zero.scatter_add(Array::from(places), &self.values).reshape((m, n))
    }

    /// The product with a vector of as many elements as there are columns.
    ///
    /// # Panics
    /// When it has another shape.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// assert_eq!(sparse_jacobian(|x: Array| 2.0 * x, ones(2)).dot(&array![3.0, 4.0]), array![6.0, 8.0]);
    /// ```
    #[track_caller]
    pub fn dot(&self, x: &Array) -> Array {
        let _called = called("Csr::dot");
        let [m, n] = self.shape();
        if x.shape().as_slice() != [n] {
            refuse(format!("the matrix has {n} columns"), &[x]);
        }
        let columns: Vec<i64> = self.indices().iter().map(|&j| j as i64).collect();
        let rows: Vec<i64> = self.pattern.0.entries().map(|(i, _)| i as i64).collect();
        let products = &self.values * x.take(Array::from(columns), 0);
        zeros(m).convert(products.dtype()).scatter_add(Array::from(rows), &products)
    }
}
