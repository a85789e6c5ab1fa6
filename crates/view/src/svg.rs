//! Graphs as SVG.

use crate::graph::{Graph, Kind};
use crate::layout::{Layout, Place};
use std::fmt::Write;

/// The style of a picture. It takes the page's colours in the dark, where the page has any.
const STYLE: &str = "\
.wg{font:13px ui-sans-serif,system-ui,sans-serif}\
.wg text{fill:currentColor;text-anchor:middle}\
.wg .title{font-weight:600}.wg .panel{font-weight:600;text-anchor:start}\
.wg .label{font-size:11px;opacity:.65;text-anchor:start}\
.wg path{fill:none;stroke:currentColor;stroke-opacity:.45}\
.wg rect{stroke:currentColor;stroke-opacity:.6;fill:#8ab4f822}\
.wg .input rect{fill:#34a85333}.wg .output rect{fill:#fbbc0444}.wg .literal rect{stroke:none;fill:none}\
.wg .lit rect{stroke-width:2.5;stroke-opacity:1}";

/// Text in XML: letters that mean something there are written out, and those that may not stand there left out.
///
/// ```
/// assert_eq!(wengert_view::escape("a < b & c"), "a &lt; b &amp; c");
/// ```
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Graphs one below the other.
pub(crate) fn picture(panels: &[(&Graph, Layout)]) -> String {
    const TITLE: f64 = 26.0;
    let titled = panels.len() > 1;
    let head = if titled { TITLE } else { 0.0 };
    let width = panels.iter().map(|(_, l)| l.width).fold(60.0, f64::max);
    let height: f64 = panels.iter().map(|(_, l)| l.height + head).sum();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"wg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n\
         <style>{STYLE}</style>\n\
         <defs><marker id=\"wg-tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" style=\"fill:currentColor;stroke:none;fill-opacity:.55\"/></marker></defs>\n"
    );
    let mut y = 0.0;
    for (graph, layout) in panels {
        if titled {
            write(
                &mut text,
                format_args!("<text class=\"panel\" x=\"10\" y=\"{:.1}\">{}</text>\n", y + 17.0, escape(&graph.title)),
            );
        }
        write(&mut text, format_args!("<g transform=\"translate(0 {:.1})\">\n", y + head));
        panel(&mut text, graph, layout);
        text += "</g>\n";
        y += layout.height + head;
    }
    text + "</svg>\n"
}

fn write(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("text takes text");
}

fn panel(text: &mut String, graph: &Graph, layout: &Layout) {
    for (edge, line) in graph.edges.iter().zip(&layout.edges) {
        let literal = graph.nodes[edge.from].kind == Kind::Literal;
        write(text, format_args!("<path marker-end=\"url(#wg-tip)\" d=\"{}\"/>\n", curve(line)));
        if !literal {
            // Beside the last stretch, where edges from one node are apart.
            let [.., a, b] = line[..] else { continue };
            let (x, y) = (0.35 * a.0 + 0.65 * b.0 + 4.0, 0.35 * a.1 + 0.65 * b.1);
            write(
                text,
                format_args!("<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escape(&edge.label)),
            );
        }
    }
    for (node, place) in graph.nodes.iter().zip(&layout.nodes) {
        let equation = node.equation.map_or(String::new(), |e| format!(" data-equation=\"{e}\""));
        // `file:line` of `file:line:column`, by which pages link what stems from one line.
        let source = node.source.as_ref().and_then(|s| s.lines().next()?.rsplit_once(':'));
        let line = source.map_or(String::new(), |(line, _)| format!(" data-line=\"{}\"", escape(line)));
        write(text, format_args!("<g class=\"{}\"{equation}{line}>", node.kind.name()));
        if let Some(source) = &node.source {
            write(text, format_args!("<title>{}</title>", escape(source)));
        }
        let Place { x, y, width, height } = *place;
        let round = if matches!(node.kind, Kind::Input | Kind::Output) { 13.0 } else { 5.0 };
        let (left, top) = (x - width / 2.0, y - height / 2.0);
        write(
            text,
            format_args!(
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round:.1}\"/>"
            ),
        );
        for (i, line) in [&node.title].into_iter().chain(&node.lines).enumerate() {
            let class = if i == 0 { " class=\"title\"" } else { "" };
            let baseline = top + 5.0 + 16.0 * i as f64 + 12.0;
            write(text, format_args!("<text{class} x=\"{x:.1}\" y=\"{baseline:.1}\">{}</text>", escape(line)));
        }
        *text += "</g>\n";
    }
}

/// A smooth line that leaves and enters points vertically.
fn curve(line: &[(f64, f64)]) -> String {
    let mut path = format!("M{:.1} {:.1}", line[0].0, line[0].1);
    for pair in line.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
        let middle = (y0 + y1) / 2.0;
        write(&mut path, format_args!("C{x0:.1} {middle:.1} {x1:.1} {middle:.1} {x1:.1} {y1:.1}"));
    }
    path
}
