//! Curves as SVG files and as one line of text. The look of every plot of the examples is here.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::{Path, PathBuf};

/// What stands along one side of a plot.
pub struct Axis {
    label: &'static str,
    logarithmic: bool,
}

impl Axis {
    /// Equal steps are equal differences.
    pub const fn linear(label: &'static str) -> Axis {
        Axis { label, logarithmic: false }
    }

    /// Equal steps are equal ratios. Points that are not above 0 have no place and are left out.
    pub const fn log(label: &'static str) -> Axis {
        Axis { label, logarithmic: true }
    }

    fn place(&self, v: f64) -> f64 {
        if self.logarithmic { v.log10() } else { v }
    }

    fn tick(&self, place: f64) -> String {
        if !self.logarithmic {
            return ((place * 1e6).round() / 1e6).to_string().replace('-', "−");
        }
        let value = 10f64.powf(place);
        if (1e-3..1e4).contains(&value) {
            let two_digits: f64 = format!("{value:.1e}").parse().expect("a number that was printed");
            return two_digits.to_string();
        }
        format!("10{}", place.round().to_string().chars().map(superscript).collect::<String>())
    }
}

fn superscript(c: char) -> char {
    match c.to_digit(10) {
        Some(digit) => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize],
        None => '⁻',
    }
}

/// A named curve.
pub type Curve<'a> = (&'a str, Vec<(f64, f64)>);

/// The palette of Okabe and Ito, which colour-blind readers can tell apart.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 86, 86),
];
const INK: RGBColor = RGBColor(60, 60, 60);
const GRID: RGBColor = RGBColor(230, 230, 230);
const SIZE: (u32, u32) = (760, 460);
/// Pixels to the right of the curves, for their names.
const NAMES: u32 = 150;
/// Pixels between the names of two curves at least.
const LINE: i32 = 16;

/// Draws curves to `target/plots/<name>.svg`, each named at its right end, and says where the file is.
pub fn svg(name: &str, title: &str, x: Axis, y: Axis, curves: &[Curve]) -> Result<PathBuf, Box<dyn Error>> {
    let file = Path::new("target/plots").join(name).with_extension("svg");
    std::fs::create_dir_all("target/plots")?;
    let curves: Vec<Curve> = curves.iter().map(|(name, points)| (*name, placed(&x, &y, points))).collect();
    let area = SVGBackend::new(&file, SIZE).into_drawing_area();
    draw(&area, title, &x, &y, &curves).map_err(|error| error.to_string())?;
    area.present()?;
    drop(area);
    Ok(file)
}

fn placed(x: &Axis, y: &Axis, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let place = |&(a, b): &(f64, f64)| (x.place(a), y.place(b));
    points.iter().map(place).filter(|(a, b)| a.is_finite() && b.is_finite()).collect()
}

fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    title: &str,
    x: &Axis,
    y: &Axis,
    curves: &[Curve],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let font = |size: u32| ("sans-serif", size).into_font().color(&INK);
    let all = || curves.iter().flat_map(|(_, points)| points);
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(title, font(22))
        .margin(12)
        .margin_right(NAMES)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(range(all().map(|p| p.0), 0.0), range(all().map(|p| p.1), 0.04))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(font(16))
        .axis_desc_style(font(17))
        .x_desc(x.label)
        .y_desc(y.label)
        .x_labels(9)
        .y_labels(8)
        .x_label_formatter(&|v| x.tick(*v))
        .y_label_formatter(&|v| y.tick(*v))
        .draw()?;

    let mut names = Vec::new();
    for ((name, points), colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        if points.len() <= 40 {
            chart.draw_series(points.iter().map(|&p| Circle::new(p, 3, colour.filled())))?;
        }
        if let Some(right) = points.iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
            names.push((chart.backend_coord(right).1, *name, colour));
        }
    }
    let right = chart.plotting_area().get_pixel_range().0.end;
    names.sort_by_key(|(height, ..)| *height);
    let mut free = i32::MIN;
    for (height, name, colour) in names {
        let height = height.max(free);
        free = height + LINE;
        let style = font(16).color(colour).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(name, (right + 8, height), style))?;
    }
    Ok(())
}

/// From the least to the greatest, and some more at both ends.
fn range(values: impl Iterator<Item = f64> + Clone, more: f64) -> std::ops::Range<f64> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let more = more * (high - low);
    low - more..high + more
}

/// The curve in one line of text: `▇▅▃▂▁▁`.
pub fn sparkline(values: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let range = range(values.iter().copied(), 0.0);
    let part = |v: f64| (v - range.start) / (range.end - range.start).max(f64::MIN_POSITIVE);
    values.iter().map(|&v| BARS[(part(v) * 7.0).round() as usize]).collect()
}
