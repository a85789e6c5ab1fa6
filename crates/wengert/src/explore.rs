//! `explore`: a page on which a function, its derivatives and its machine code lie side by side.

use crate::explain::{Explanation, explain};
use crate::gradient::vjp;
use crate::jit::{jit, trace};
use crate::report::{Report, report};
use crate::traced::Function;
use crate::user_source::{Files, line_of_place};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::Arc;
use wengert_core::array::ones_like;
use wengert_core::source::{Source, UserCall};
use wengert_core::transform::{self, transpose_linear};
use wengert_core::{Array, Program, Tree};
use wengert_view::{Graph, escape};

/// Writes a page of HTML that needs nothing else and no network: the lines of `f`, its program after each transform and
/// pass, the loops and instructions that compute value and gradient, the evaluation trace of both sweeps, and the graphs.
/// What stems from one line of the source lights up together under the mouse.
///
/// # Errors
/// When the file cannot be written.
///
/// # Panics
/// When `f` does not fit `x`, or gives no floats.
///
/// ```
/// use wengert::prelude::*;
///
/// let file = std::env::temp_dir().join("explore.html");
/// explore(|x: Array| (x.sin() * &x).sum(), array![1.0, 2.0, 3.0], &file)?;
/// assert!(std::fs::read_to_string(&file)?.starts_with("<!DOCTYPE html>"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn explore<A: Tree + Clone>(f: impl Fn(A) -> Array, x: A, file: impl AsRef<Path>) -> io::Result<()> {
    let page = {
        let call = UserCall::here("explore");
        let _called = call.enter();
        page(&f, x)
    };
    std::fs::write(file, page)
}

/// Something shown under a heading.
struct Panel {
    title: String,
    about: &'static str,
    html: String,
}

fn page<A: Tree + Clone>(f: &impl Fn(A) -> Array, x: A) -> String {
    // The derivative by all inputs, from the cotangent 1.
    let value_and_gradient = |x: A| {
        let (y, pull) = vjp(f, x);
        let gradient = pull(ones_like(&y));
        (y, gradient)
    };
    let steps = explain(f, x.clone());
    let compiled = report(jit(value_and_gradient), x.clone());
    let mut panels = stages(f, x.clone());
    let gradient = trace(value_and_gradient, &x);
    panels.push(program("value and gradient", "all of it put together, simplified: what is compiled", &gradient));
    for (name, after) in wengert_compile::passes(&gradient) {
        if after != gradient {
            panels.push(program(name, "after this pass of the compiler", &after));
        }
    }
    panels.extend(compiled_panels(&compiled));
    panels.push(Panel {
        title: "evaluation trace".into(),
        about: "values, local partial derivatives, tangents of the forward sweep, adjoints of the backward sweep",
        html: steps.rows_html(),
    });
    panels.push(graph("graph", "with values, tangents and adjoints", &steps.graph()));
    panels.push(graph("graph of the gradient", "the program that is compiled", &Graph::of(&gradient)));
    let source = source(&panels);
    render(&source, &panels)
}

/// The program after each transform of reverse mode.
fn stages<A: Tree>(f: &impl Fn(A) -> Array, x: A) -> Vec<Panel> {
    let function = Function::<A, Array>::trace(f, x);
    let active = function.flags(&function.float_leaves());
    let outputs = vec![true; function.program.outputs().len()];
    let jvp = transform::jvp(&function.program, &active, &outputs);
    let linearized = transform::linearize(&function.program, &active, &outputs);
    let transposed = Arc::new(transpose_linear(&linearized));
    vec![
        program("traced", "what the closure recorded", &function.program),
        program("jvp", "every value beside its tangent: forward mode", &jvp.program),
        program(
            "split: values",
            "the half that no tangent reaches, and what the other half needs of it",
            &linearized.known,
        ),
        program("split: tangents", "the linear half", &linearized.linear),
        program("transposed", "the linear half run backwards: cotangents", &transposed),
    ]
}

fn compiled_panels(compiled: &Report) -> [Panel; 3] {
    let instruction = |(text, source): (String, Option<&Source>)| match source {
        Some(source) => format!("{text} # {source}\n"),
        None => format!("{text}\n"),
    };
    let instructions: String = compiled.instructions().into_iter().map(instruction).collect();
    [
        Panel {
            title: "what was compiled".into(),
            about: "fusion, cost and memory",
            html: format!("<pre>{}</pre>", escape(&compiled.to_string())),
        },
        text("loops", "the loop language, which machine code is made of", &compiled.loops_text()),
        text("machine code", "the instructions, addresses of functions elsewhere as 0", &instructions),
    ]
}

fn program(title: &str, about: &'static str, program: &Arc<Program>) -> Panel {
    text(title, about, &program.to_string())
}

fn graph(title: &str, about: &'static str, graph: &Graph) -> Panel {
    Panel { title: title.into(), about, html: graph.svg() }
}

/// Text whose lines may end in `# file:line:column`, and the user's code.
fn text(title: &str, about: &'static str, text: &str) -> Panel {
    let mut html = String::from("<pre>");
    for line in text.lines() {
        let (shown, place) = match line.split_once("# ") {
            Some((shown, place)) => (shown.trim_end(), place.split_whitespace().next().and_then(line_of_place)),
            None => (line, None),
        };
        match place {
            Some(place) => html += &format!("<span data-line=\"{}\">{}</span>\n", escape(&place), escape(shown)),
            None => html += &format!("<span>{}</span>\n", escape(shown)),
        }
    }
    Panel { title: title.into(), about, html: html + "</pre>" }
}

impl Explanation {
    /// The table, each row with its line.
    fn rows_html(&self) -> String {
        let place = |i: usize| self.steps[i].source.as_ref().and_then(|source| line_of_place(&source.to_string()));
        self.table().html(|i| place(i).map_or(String::new(), |place| format!("data-line=\"{}\"", escape(&place))))
    }
}

/// The user's lines that panels stem from, with those around them.
fn source(panels: &[Panel]) -> String {
    const AROUND: usize = 2;
    let mut used: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for panel in panels {
        for rest in panel.html.split("data-line=\"").skip(1) {
            let place = rest.split('"').next().unwrap_or_default();
            if let Some((file, line)) = place.rsplit_once(':')
                && let Ok(line) = line.parse()
            {
                used.entry(file.to_owned()).or_default().push(line);
            }
        }
    }
    let mut files = Files::default();
    let mut html = String::new();
    for (file, mut lines) in used {
        lines.sort_unstable();
        lines.dedup();
        let Some(text) = files.lines(&file) else { continue };
        write!(html, "<h3>{}</h3><pre>", escape(&file)).expect("text takes text");
        let mut shown = 0;
        for &line in &lines {
            let first = line.saturating_sub(AROUND).max(1).max(shown + 1);
            if shown > 0 && first > shown + 1 {
                html += "<span class=\"gap\">...</span>\n";
            }
            for n in first..=(line + AROUND).min(text.len()) {
                let link =
                    if lines.contains(&n) { format!(" data-line=\"{}:{n}\"", escape(&file)) } else { String::new() };
                writeln!(html, "<span{link}><i>{n:4}</i> {}</span>", escape(&text[n - 1])).expect("text takes text");
                shown = n;
            }
        }
        html += "</pre>";
    }
    html
}

fn render(source: &str, panels: &[Panel]) -> String {
    let mut tabs = String::new();
    let mut bodies = String::new();
    for (i, panel) in panels.iter().enumerate() {
        let open = if i == 0 { " open" } else { "" };
        write!(tabs, "<button data-tab=\"{i}\" class=\"{}\">{}</button>", open.trim(), escape(&panel.title))
            .expect("text takes text");
        writeln!(
            bodies,
            "<section id=\"tab{i}\" class=\"tab{open}\"><h2>{}</h2><p>{}</p>{}</section>",
            escape(&panel.title),
            escape(panel.about),
            panel.html
        )
        .expect("text takes text");
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>wengert</title>\n<style>{STYLE}</style></head>\n\
         <body><aside><h2>source</h2>{source}</aside>\n<main><nav>{tabs}</nav>\n{bodies}</main>\n<script>{SCRIPT}</script></body></html>\n"
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark}body{margin:0;display:grid;grid-template-columns:minmax(20em,34%) 1fr;height:100vh;\
font:14px ui-sans-serif,system-ui,sans-serif}\
aside,main{overflow:auto;padding:0 1em}aside{border-right:1px solid #8886}\
pre{font:12.5px/1.5 ui-monospace,monospace;white-space:pre}pre i{opacity:.45;font-style:normal}.gap{opacity:.45}\
nav{position:sticky;top:0;background:Canvas;padding:.7em 0;display:flex;flex-wrap:wrap;gap:.3em}\
button{font:inherit;border:1px solid #8888;border-radius:1em;padding:.2em .8em;background:none;color:inherit;cursor:pointer}\
button.open{background:#4a8cff;color:#fff;border-color:#4a8cff}\
.tab{display:none}.tab.open{display:block}h2{font-size:1.15em;margin:.6em 0 .2em}h3{font-size:.95em;opacity:.7}p{opacity:.7;margin:.2em 0 .8em}\
table{border-collapse:collapse}th,td{padding:.25em .7em;border-bottom:1px solid #8884;text-align:left;vertical-align:top}\
[data-line].lit,tr[data-line].lit td{background:#ffcc0055}g.lit rect{fill:#ffcc00aa;stroke-width:2.5}";

const SCRIPT: &str = "\
const light=(line,on)=>{for(const e of document.querySelectorAll('[data-line]'))if(e.dataset.line===line)e.classList.toggle('lit',on)};\
for(const type of['mouseover','mouseout'])document.addEventListener(type,e=>{const x=e.target.closest('[data-line]');\
if(x)light(x.dataset.line,type==='mouseover')});\
for(const b of document.querySelectorAll('button'))b.addEventListener('click',()=>{\
for(const e of document.querySelectorAll('.open'))e.classList.remove('open');\
b.classList.add('open');document.getElementById('tab'+b.dataset.tab).classList.add('open')});";
