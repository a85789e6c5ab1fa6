//! Memory: its alignment, its owners, what is used again.

use super::*;

#[test]
fn owned_memory_is_aligned_zeroed_and_writable() {
    for dtype in DType::ALL {
        for len in [0, 1, 3, 64, 1000] {
            let mut b = Buffer::zeros(dtype, len);
            assert!(b.is_owned());
            assert_eq!((b.dtype(), b.len(), b.is_empty()), (dtype, len, len == 0));
            assert_eq!(b.bytes().len(), len * dtype.size());
            assert_eq!(b.as_ptr() as usize % ALIGN, 0);
            assert_eq!(b.as_mut_ptr() as usize % ALIGN, 0);
            assert!(b.bytes().iter().all(|&x| x == 0));
            if len > 0 {
                b.set(len - 1, Scalar::one(dtype));
                assert_eq!(b.get(len - 1), Scalar::one(dtype));
            }
            assert_eq!(Buffer::full(Scalar::one(dtype), len).get_all(), vec![Scalar::one(dtype); len]);
        }
    }
}

impl Buffer {
    fn get_all(&self) -> Vec<Scalar> {
        (0..self.len()).map(|i| self.get(i)).collect()
    }
}

#[test]
fn a_vector_is_kept_until_it_is_written() {
    let data = vec![1.5f32, -0.0, f32::NAN];
    let at = data.as_ptr() as usize;
    let mut b = Buffer::from_vec(data);
    assert!(!b.is_owned());
    assert_eq!(b.as_ptr() as usize, at);
    assert_eq!(b.as_slice::<f32>().unwrap()[0], 1.5);
    assert_eq!(b.as_slice::<i32>(), None);
    assert!(b.as_mut_slice::<i32>().is_none());
    b.as_mut_slice::<f32>().unwrap()[0] = 2.0;
    assert!(b.is_owned());
    assert_eq!(b.get_all(), [2.0f32, -0.0, f32::NAN].map(Scalar::new));
}

#[test]
fn foreign_memory_is_read_at_any_alignment() {
    let mut bytes = vec![0u8; 65];
    for shift in 0..9 {
        bytes[shift..shift + 16].copy_from_slice(bytes_of(&[7i64, -7]));
        let memory: Foreign = Arc::new(bytes.clone());
        let mut b = Buffer::from_foreign(DType::I64, 2, memory.clone(), shift).unwrap();
        assert_eq!(b.to_vec::<i64>().unwrap(), [7, -7]);
        assert_eq!(b.as_slice::<i64>().is_some(), (b.as_ptr() as usize).is_multiple_of(8));
        b.set(0, Scalar::new(8i64));
        assert_eq!(b.as_slice::<i64>().unwrap(), [8, -7]);
        assert_eq!((*memory).as_ref()[shift], 7, "foreign memory is never written");
    }
}

#[test]
fn foreign_memory_must_hold_its_elements() {
    let memory: Foreign = Arc::new([0u8; 16]);
    let with = |len, offset| Buffer::from_foreign(DType::F64, len, memory.clone(), offset).is_some();
    assert!(with(2, 0) && with(1, 8) && with(0, 16));
    assert!(!with(2, 1) && !with(3, 0) && !with(0, 17) && !with(usize::MAX, 8) && !with(1, usize::MAX));
}

#[test]
fn foreign_bools_are_normalised() {
    let b = Buffer::from_foreign(DType::Bool, 3, Arc::new([0u8, 2, 255]), 0).unwrap();
    assert_eq!(b.as_slice::<bool>().unwrap(), [false, true, true]);
    let mut b = b;
    b.bytes_mut()[0] = 7;
    assert_eq!(b.as_slice::<bool>(), None);
}

#[test]
fn refused_memory_is_no_abort() {
    assert!(Buffer::try_zeros(DType::F64, usize::MAX).is_none());
    assert!(Buffer::try_zeros(DType::U8, isize::MAX as usize).is_none());
    assert!(Buffer::try_zeros(DType::U8, 1 << 60).is_none());
    let message = std::panic::catch_unwind(|| Buffer::zeros(DType::F64, 1 << 61)).unwrap_err();
    assert!(message.downcast_ref::<String>().unwrap().contains("18446744073709551616 bytes"));
}

fn scratch(dtype: DType, len: usize) -> Buffer {
    Arc::into_inner(Buffer::try_shared_scratch(dtype, len).unwrap().0).unwrap()
}

#[test]
fn small_memory_is_used_again() {
    let mut first = Buffer::from_slice(&[1.5f64; 5]);
    let at = first.as_mut_ptr() as usize;
    drop(first);
    let mut again = scratch(DType::I32, 11);
    assert_eq!((again.len(), again.bytes().len(), again.as_ptr() as usize), (11, 44, at));
    again.bytes_mut().fill(0xff);
    drop(again);
    assert_eq!(scratch(DType::Bool, 64).as_slice::<bool>(), Some(&[false; 64][..]));
    assert_eq!(Buffer::zeros(DType::U8, 64).bytes(), [0; 64]);
    let elsewhere = scratch(DType::U8, 65);
    assert_ne!(elsewhere.as_ptr() as usize, at, "another size");
    // What one thread allocates another may drop, and the thread's own store goes with it.
    let made = std::thread::spawn(|| (0..100).map(|_| Buffer::zeros(DType::U8, 1024)).collect::<Vec<_>>()).join();
    assert_eq!(made.unwrap().len(), 100);
    for len in 0..2 * SMALL {
        assert!(room(len) >= len && room(room(len)) == room(len));
    }
}

#[test]
fn large_memory_is_used_again() {
    let len = 123_456;
    let mut first = Buffer::zeros(DType::F64, len);
    first.as_mut_slice::<f64>().unwrap().fill(1.5);
    drop(first);
    assert_eq!(Buffer::zeros(DType::F64, len).as_slice::<f64>().unwrap(), vec![0.0; len]);
    let again = scratch(DType::F64, len);
    assert_eq!((again.len(), again.as_ptr() as usize % ALIGN), (len, 0));
    let bools = scratch(DType::Bool, 8 * len);
    assert!(bools.as_slice::<bool>().is_some());
}

#[test]
fn of_more_large_memory_than_is_kept_most_is_used_again() {
    // Two of these fit, a third does not.
    let len = (100 << 20) + 7;
    let three = || -> [Buffer; 3] { std::array::from_fn(|_| scratch(DType::U8, len)) };
    let mut first = three();
    first.iter_mut().for_each(|b| b.bytes_mut()[len / 2] = 7);
    drop(first);
    let again = three();
    assert_eq!(again.iter().filter(|b| b.bytes()[len / 2] == 7).count(), 2);
    assert_eq!(Buffer::zeros(DType::U8, len).bytes()[len / 2], 0);
}

#[test]
fn clones_are_deep_and_debug_is_short() {
    let mut a = Buffer::from_slice(&[1i32; 20]);
    let b = a.clone();
    a.set(0, Scalar::new(2i32));
    assert_eq!(b.get(0), Scalar::new(1i32));
    assert_eq!(format!("{a:?}"), "i32[20] [2, 1, 1, 1, 1, 1, 1, 1, ...]");
    assert_eq!(format!("{:?}", Buffer::from_vec::<bool>(vec![])), "bool[0] []");
    fn shared<T: Send + Sync>() {}
    shared::<Buffer>();
}
