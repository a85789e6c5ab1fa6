//! The parts of complex numbers, and complex Rust numbers as elements.

use crate::array::Array;
use crate::error::Error;
use crate::ops::rules;
use crate::source::called;
use num_complex::Complex;
use wengert_kernel::{Element, Scalar};

/// Parts of complex numbers. Real arrays are complex ones whose imaginary part is 0, but stay real.
impl Array {
    /// The real part, of the float dtype; real arrays as they are.
    ///
    /// ```
    /// use wengert_core::{array, complex};
    ///
    /// assert_eq!(complex(&array![1.0], &array![2.0]).real(), array![1.0]);
    /// ```
    #[track_caller]
    pub fn real(&self) -> Array {
        self.complex_parts().map_or_else(|| self.clone(), |[re, _]| re.clone())
    }

    /// The imaginary part, of the float dtype; of real arrays zeros.
    ///
    /// ```
    /// use wengert_core::{array, complex};
    ///
    /// assert_eq!(complex(&array![1.0], &array![2.0]).imag(), array![2.0]);
    /// assert_eq!(array![1, 2].imag(), array![0, 0]);
    /// ```
    #[track_caller]
    pub fn imag(&self) -> Array {
        let _called = called("imag");
        match self.complex_parts() {
            Some([_, im]) => im.clone(),
            None => rules::constant(Scalar::zero(self.dtype()), &self.shape()),
        }
    }

    /// The complex conjugate; real arrays as they are.
    ///
    /// ```
    /// use wengert_core::{array, complex};
    ///
    /// assert_eq!(complex(&array![1.0], &array![2.0]).conj().imag(), array![-2.0]);
    /// ```
    #[track_caller]
    pub fn conj(&self) -> Array {
        let _called = called("conj");
        match self.complex_parts() {
            Some([re, im]) => Array::of_parts(re.clone(), -im),
            None => self.clone(),
        }
    }

    /// The angle in [-π, π]: `atan2(imag, real)`. The derivative at 0 is NaN.
    ///
    /// ```
    /// use wengert_core::{array, complex};
    ///
    /// assert_eq!(complex(&array![0.0], &array![2.0]).angle(), array![std::f64::consts::FRAC_PI_2]);
    /// ```
    #[track_caller]
    pub fn angle(&self) -> Array {
        let _called = called("angle");
        let x = super::float(self);
        x.imag().atan2(x.real())
    }

    /// The elements of a complex array in row-major order, `f32` ones of `c64` and `f64` ones of `c128`.
    ///
    /// ```
    /// use num_complex::Complex;
    /// use wengert_core::Array;
    ///
    /// let z = Array::from([Complex::new(1.0, 2.0)]);
    /// assert_eq!(z.to_complex::<f64>()?, [Complex::new(1.0, 2.0)]);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the parts have another dtype, or the array is traced so that its elements are not known yet.
    #[track_caller]
    pub fn to_complex<T: Element>(&self) -> Result<Vec<Complex<T>>, Error> {
        let _called = called("to_complex");
        let [re, im] = self.parts();
        let (re, im) = (re.to_vec::<T>()?, im.to_vec::<T>()?);
        Ok(re.into_iter().zip(im).map(|(re, im)| Complex::new(re, im)).collect())
    }
}

fn of_elements<T: Element>(shape: &[usize], elements: &[Complex<T>]) -> Array {
    let of = |part: fn(&Complex<T>) -> T| Array::from_slice(shape, &elements.iter().map(part).collect::<Vec<T>>());
    Array::of_parts(of(|z| z.re), of(|z| z.im))
}

macro_rules! from_complex {
    ($($t:ty),*) => {$(
        impl From<Complex<$t>> for Array {
            #[track_caller]
            fn from(z: Complex<$t>) -> Array {
                of_elements(&[], &[z])
            }
        }

        impl<const N: usize> From<[Complex<$t>; N]> for Array {
            #[track_caller]
            fn from(z: [Complex<$t>; N]) -> Array {
                of_elements(&[N], &z)
            }
        }

        impl From<&[Complex<$t>]> for Array {
            #[track_caller]
            fn from(z: &[Complex<$t>]) -> Array {
                of_elements(&[z.len()], z)
            }
        }

        impl From<Vec<Complex<$t>>> for Array {
            #[track_caller]
            fn from(z: Vec<Complex<$t>>) -> Array {
                of_elements(&[z.len()], &z)
            }
        }
    )*};
}

from_complex!(f32, f64);

#[cfg(test)]
mod tests {
    use crate::trace::door;
    use crate::{Array, DType, array, complex, promote_types, zeros_of};
    use num_complex::Complex;

    #[test]
    fn a_complex_array_has_its_own_dtype() {
        let z = Array::from([Complex::new(1.0, 2.0), Complex::new(0.0, -1.0)]);
        assert_eq!((z.dtype(), z.ty().to_string().as_str()), (DType::C128, "c128[2]"));
        assert_eq!(Array::from(Complex::new(1f32, 2.0)).dtype(), DType::C64);
        assert_eq!(complex(&array![1], &array![2]).dtype(), DType::C128);
        assert_eq!(zeros_of(DType::C64, 3).dtype(), DType::C64);
        assert_eq!((&z + 1).dtype(), DType::C128);
        assert_eq!((&z + array![1.0, 2.0]).real(), array![2.0, 2.0]);
        assert_eq!(z.sum().to_complex::<f64>().unwrap(), [Complex::new(1.0, 1.0)]);
        assert_eq!(z.convert(DType::F64), array![1.0, 0.0]);
        assert_eq!(z.convert(DType::Bool), array![true, true]);
        assert_eq!(z, z.clone());
        assert_ne!(z, z.conj());
    }

    /// JAX 0.10.2, `jax.numpy.promote_types` with 64-bit types.
    #[test]
    fn dtypes_meet_as_in_jax() {
        use DType::*;
        for (d, with) in [(F64, [C128, C128]), (F32, [C64, C128]), (I32, [C64, C128]), (U64, [C64, C128])] {
            assert_eq!([C64, C128].map(|c| promote_types(d, c)), with);
            assert_eq!([C64, C128].map(|c| promote_types(c, d)), with);
        }
        assert_eq!(promote_types(C64, C128), C128);
    }

    #[test]
    fn what_has_no_complex_meaning_is_refused() {
        let z = || complex(&array![1.0, 2.0], &array![3.0, 4.0]);
        let message = |f: &dyn Fn() -> Array| door(f).unwrap_err().message;
        let text = message(&|| z().lt(z()));
        assert!(text.starts_with("lt: it is not defined for c128; take `.abs()`"), "{text}");
        assert!(text.contains("c128[2]"), "{text}");
        assert!(message(&|| z().sort(0)).contains("not defined for c128"));
        assert!(message(&|| z().floor()).contains("not defined for c128"));
        assert!(message(&|| z().max()).contains("not defined for c128"));
        let text = door(|| z().value("a test").map(|_| ())).unwrap().unwrap_err().message;
        assert!(text.contains("`.real()`"), "{text}");
    }
}
