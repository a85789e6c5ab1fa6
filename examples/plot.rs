//! Curves as SVG files and as one line of text. The look of every plot of the examples is here.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};
use wengert_core::notebook::content;

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

    /// How many ticks there are at most; those of several decades are whole powers of ten.
    fn ticks(&self, range: &Range<f64>) -> usize {
        match (range.end - range.start).floor() as usize {
            _ if !self.logarithmic => 9,
            0..2 => 4,
            decades => (decades + 1).min(9),
        }
    }

    fn tick(&self, place: f64, range: &Range<f64>) -> String {
        if !self.logarithmic {
            return ((place * 1e6).round() / 1e6).to_string().replace('-', "−");
        }
        if range.start < -3.5 || range.end > 4.5 {
            return format!("10{}", place.round().to_string().chars().map(superscript).collect::<String>());
        }
        let two_digits: f64 = format!("{:.1e}", 10f64.powf(place)).parse().expect("a number that was printed");
        two_digits.to_string()
    }
}

fn superscript(c: char) -> char {
    match c.to_digit(10) {
        Some(digit) => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize],
        None => '⁻',
    }
}

/// A named curve.
pub struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
    beside: Option<usize>,
}

impl Curve {
    /// In a colour of its own.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Curve {
        Curve { name: name.into(), points, beside: None }
    }

    /// Dashed, in the colour of the curve at that place of the list.
    pub fn beside(self, curve: usize) -> Curve {
        Curve { beside: Some(curve), ..self }
    }
}

/// The palette of Okabe and Ito, which colour-blind readers can tell apart.
const COLOURS: [RGBColor; 5] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167), RGBColor(86, 86, 86)];
const INK: RGBColor = RGBColor(60, 60, 60);
const GRID: RGBColor = RGBColor(230, 230, 230);
const SIZE: (u32, u32) = (760, 460);
/// Pixels for a letter of a curve's name, at most.
const LETTER: usize = 8;
/// Pixels between the names of two curves at least.
const LINE: i32 = 16;

/// Curves with their axes, drawn as SVG.
pub struct Plot(String);

impl Plot {
    /// Each curve is named at its right end.
    ///
    /// ```
    /// use wengert_examples::plot::{Axis, Curve, Plot};
    ///
    /// let squares = Curve::new("x²", (0..9).map(|x| (x as f64, (x * x) as f64)).collect());
    /// let plot = Plot::new("A parabola", Axis::linear("x"), Axis::linear("y"), vec![squares])?;
    /// assert!(plot.svg().starts_with("<svg") && plot.svg().contains("A parabola"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(title: &str, x: Axis, y: Axis, curves: Vec<Curve>) -> Result<Plot, Box<dyn Error>> {
        let placed = |curve: Curve| Curve { points: placed(&x, &y, &curve.points), ..curve };
        let curves: Vec<Curve> = curves.into_iter().map(placed).collect();
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&area, title, &x, &y, &curves).map_err(|error| error.to_string())?;
        area.present()?;
        drop(area);
        Ok(Plot(text))
    }

    /// The picture.
    pub fn svg(&self) -> &str {
        &self.0
    }

    /// Writes it to `target/plots/<name>.svg`, and says where the file is.
    pub fn save(&self, name: &str) -> std::io::Result<PathBuf> {
        let file = Path::new("target/plots").join(name).with_extension("svg");
        std::fs::create_dir_all("target/plots")?;
        std::fs::write(&file, &self.0)?;
        Ok(file)
    }

    /// Shows it in a notebook of the evcxr kernel.
    ///
    /// ```
    /// use wengert_examples::plot::{Axis, Curve, Plot};
    ///
    /// let line = Curve::new("x", vec![(0.0, 0.0), (1.0, 1.0)]);
    /// Plot::new("A line", Axis::linear("x"), Axis::linear("y"), vec![line])?.evcxr_display();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn evcxr_display(&self) {
        print!("{}", content(&[("image/svg+xml", self.0.clone())]));
    }
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
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let (across, up) = (range(all().map(|p| p.0), 0.0), range(all().map(|p| p.1), 0.04));
    let letters = curves.iter().map(|curve| curve.name.chars().count()).max().unwrap_or(0);
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(title, font(22))
        .margin(12)
        .margin_right((letters * LETTER + 20) as u32)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(across.clone(), up.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(font(16))
        .axis_desc_style(font(17))
        .x_desc(x.label)
        .y_desc(y.label)
        .x_labels(x.ticks(&across))
        .y_labels(y.ticks(&up))
        .x_label_formatter(&|v| x.tick(*v, &across))
        .y_label_formatter(&|v| y.tick(*v, &up))
        .draw()?;

    let mut names = Vec::new();
    for (i, Curve { name, points, beside }) in curves.iter().enumerate() {
        let colour = COLOURS[beside.unwrap_or(i) % COLOURS.len()];
        let (line, points) = (colour.stroke_width(2), points.iter().copied());
        match beside {
            None => chart.draw_series(LineSeries::new(points.clone(), line))?,
            Some(_) => chart.draw_series(DashedLineSeries::new(points.clone(), 5, 4, line))?,
        };
        if points.len() <= 40 {
            chart.draw_series(points.clone().map(|p| Circle::new(p, 3, colour.filled())))?;
        }
        if let Some(right) = points.max_by(|a, b| a.0.total_cmp(&b.0)) {
            names.push((chart.backend_coord(&right).1, name, colour));
        }
    }
    let right = chart.plotting_area().get_pixel_range().0.end;
    names.sort_by_key(|(height, ..)| *height);
    let mut free = i32::MIN;
    for (height, name, colour) in names {
        let height = height.max(free);
        free = height + LINE;
        let style = font(16).color(&colour).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(name.as_str(), (right + 8, height), style))?;
    }
    Ok(())
}

/// From the least to the greatest, and some more at both ends.
fn range(values: impl Iterator<Item = f64> + Clone, more: f64) -> Range<f64> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let more = more * (high - low);
    low - more..high + more
}

/// The curve in one line of text: `▇▅▃▂▁▁`.
///
/// ```
/// assert_eq!(wengert_examples::plot::sparkline(&[7.0, 2.0, 1.0, 0.0]), "█▃▂▁");
/// ```
pub fn sparkline(values: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let range = range(values.iter().copied(), 0.0);
    let part = |v: f64| (v - range.start) / (range.end - range.start).max(f64::MIN_POSITIVE);
    values.iter().map(|&v| BARS[(part(v) * 7.0).round() as usize]).collect()
}
