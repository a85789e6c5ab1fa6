//! From arrays to Rust data.

use super::{Array, Repr};
use crate::error::{Error, ErrorKind};
use crate::source::source_here;
use crate::trace;
use crate::value::{ArrayValue, Value};
use wengert_kernel::Element;

impl Array {
    /// The elements in row-major order.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[1, 2], [3, 4]].to_vec::<i32>()?, [1, 2, 3, 4]);
    /// assert!(array![1, 2].to_vec::<f64>().is_err());
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the dtype is another, or the array is traced so that its elements are not known yet.
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, Error> {
        let value = self.elements::<T>("to_vec")?;
        Ok(value.buffer.to_vec().expect("the dtype was compared"))
    }

    /// The only element, of an array of any rank.
    ///
    /// ```
    /// use wengert_core::Array;
    ///
    /// assert_eq!(Array::from(2.5).item::<f64>()?, 2.5);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is not exactly one element, the dtype is another, or the array is traced.
    #[track_caller]
    pub fn item<T: Element>(&self) -> Result<T, Error> {
        let value = self.elements::<T>("item")?;
        if value.size() != 1 {
            let message = format!(
                "item: it takes the only element of an array, but {} has {}; take one by `at` or `slice`, or all by `to_vec`",
                value.ty(),
                value.size()
            );
            return Err(Error::new(ErrorKind::Convert, message).at(source_here()));
        }
        Ok(T::from_bits(value.get(0).bits))
    }

    /// The elements in row-major order, in place.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1.0, 2.0].as_slice::<f64>()?, &[1.0, 2.0]);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the dtype is another, the array is traced, or it lies in foreign memory that is not aligned for its
    /// elements, such as a mapped file; then [`Array::to_vec`] copies it.
    #[track_caller]
    pub fn as_slice<T: Element>(&self) -> Result<&[T], Error> {
        let value = self.elements::<T>("as_slice")?;
        match value.buffer.as_slice() {
            Some(elements) => Ok(elements),
            None => {
                let (ty, dtype) = (value.ty(), T::DTYPE);
                let message = format!("as_slice: the memory of {ty} is not aligned for {dtype}; use `to_vec`");
                Err(Error::new(ErrorKind::Convert, message).at(source_here()))
            }
        }
    }

    #[track_caller]
    fn elements<T: Element>(&self, method: &str) -> Result<&ArrayValue, Error> {
        match &self.0 {
            Repr::Variable(v) => Err(trace::no_value(v, method).at(source_here())),
            Repr::Complex(_) => Err(crate::complex::two_values(self, method).at(source_here())),
            Repr::Value(Value::Array(value)) if value.dtype() == T::DTYPE => Ok(value),
            Repr::Value(Value::Array(value)) => {
                let (is, asked) = (value.dtype(), T::DTYPE);
                let message = format!(
                    "{method}: elements of {} are asked for as {asked}; use `{method}::<{is}>`, or `convert` the array first",
                    value.ty()
                );
                Err(Error::new(ErrorKind::Convert, message).at(source_here()))
            }
            Repr::Value(list) => Err(Error::new(ErrorKind::Convert, format!("{method}: a {} is no array", list.ty()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::array;
    use crate::trace::{Surroundings, trace_with};

    #[test]
    fn errors_say_what_to_do() {
        let x = array![1.0, 2.0];
        let expected =
            "to_vec: elements of f64[2] are asked for as f32; use `to_vec::<f64>`, or `convert` the array first";
        assert_eq!(x.to_vec::<f32>().unwrap_err().message, expected);
        assert!(x.item::<f64>().unwrap_err().message.contains("f64[2] has 2; take one by `at`"));
        assert_eq!(array![[3u8]].item::<u8>(), Ok(3));
        assert_eq!(array![true, false].as_slice::<bool>(), Ok(&[true, false][..]));
    }

    #[test]
    fn a_traced_array_has_no_elements() {
        trace_with(&[array![1.0].ty()], 0, Surroundings::Inherit, |x| {
            let error = x[0].item::<f64>().unwrap_err();
            assert!(error.message.starts_with("item: it needs the value of a traced array"), "{error}");
            x
        });
    }
}
