//! Handwritten digits: images of 8 by 8 pixels and what they show.

/// All images, in the order of the file, with 64 grey levels from 0 to 16 each, and the digit that each shows.
pub fn load() -> (Vec<[u8; 64]>, Vec<u8>) {
    include_str!("digits.txt").lines().map(image).unzip()
}

fn image(line: &str) -> ([u8; 64], u8) {
    let level = |c: u8| char::from(c).to_digit(17).expect("a grey level is 0 to g") as u8;
    let (pixels, digit) = line.split_once(' ').expect("pixels, a space, the digit");
    let pixels: Vec<u8> = pixels.bytes().map(level).collect();
    (pixels.try_into().expect("an image has 64 pixels"), digit.parse().expect("the digit is a number"))
}
