//! From arrays to Rust data.

use super::{Array, Repr};
use crate::error::{Error, ErrorKind};
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
    pub fn item<T: Element>(&self) -> Result<T, Error> {
        let value = self.elements::<T>("item")?;
        if value.size() != 1 {
            let message = format!("`item` takes the only element of an array; {} has {}", value.ty(), value.size());
            return Err(Error::new(ErrorKind::Convert, message));
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
    pub fn as_slice<T: Element>(&self) -> Result<&[T], Error> {
        let value = self.elements::<T>("as_slice")?;
        value.buffer.as_slice().ok_or_else(|| {
            let message =
                format!("`as_slice` of {} in memory that is not aligned for {}; use `to_vec`", value.ty(), T::DTYPE);
            Error::new(ErrorKind::Convert, message)
        })
    }

    fn elements<T: Element>(&self, method: &str) -> Result<&ArrayValue, Error> {
        match &self.0 {
            Repr::Variable(v) => Err(trace::no_value(v, &format!("`{method}`"))),
            Repr::Value(Value::Array(value)) if value.dtype() == T::DTYPE => Ok(value),
            Repr::Value(Value::Array(value)) => {
                let (is, asked) = (value.dtype(), T::DTYPE);
                let message = format!(
                    "`{method}::<{asked}>` of an array of dtype {is}; use `{method}::<{is}>`, or `convert` the array first"
                );
                Err(Error::new(ErrorKind::Convert, message))
            }
            Repr::Value(list) => Err(Error::new(ErrorKind::Convert, format!("`{method}` of a {}", list.ty()))),
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
        let expected = "`to_vec::<f32>` of an array of dtype f64; use `to_vec::<f64>`, or `convert` the array first";
        assert_eq!(x.to_vec::<f32>().unwrap_err().message, expected);
        assert_eq!(x.item::<f64>().unwrap_err().message, "`item` takes the only element of an array; f64[2] has 2");
        assert_eq!(array![[3u8]].item::<u8>(), Ok(3));
        assert_eq!(array![true, false].as_slice::<bool>(), Ok(&[true, false][..]));
    }

    #[test]
    fn a_traced_array_has_no_elements() {
        trace_with(&[array![1.0].ty()], 0, Surroundings::Inherit, |x| {
            let error = x[0].item::<f64>().unwrap_err();
            assert!(error.message.starts_with("`item` needs the value of a traced array f64[1]"), "{error}");
            x
        });
    }
}
