//! Handwritten digits: images of 8 by 8 pixels and what they show.

use wengert::{Array, DType};

/// Images, `f32[n, 64]` from 0 to 1, and the digits that they show, `f32[n, 10]` with a 1 at the digit.
pub type Digits = (Array, Array);

/// 1500 images to learn from and 297 to judge by.
pub fn load() -> (Digits, Digits) {
    let (pixels, digits): (Vec<[f32; 64]>, Vec<i64>) = include_str!("digits.txt").lines().map(image).unzip();
    let x = Array::from(pixels.concat()).reshape([digits.len(), 64]);
    let y = Array::from(digits).one_hot(10).convert(DType::F32);
    let part = |rows: std::ops::Range<usize>| (x.slice_axis(0, rows.clone()), y.slice_axis(0, rows));
    (part(0..1500), part(1500..x.shape()[0]))
}

fn image(line: &str) -> ([f32; 64], i64) {
    let level = |c: u8| char::from(c).to_digit(17).expect("a grey level is 0 to g") as f32 / 16.0;
    let (pixels, digit) = line.split_once(' ').expect("pixels, a space, the digit");
    let pixels: Vec<f32> = pixels.bytes().map(level).collect();
    (pixels.try_into().expect("an image has 64 pixels"), digit.parse().expect("the digit is a number"))
}
