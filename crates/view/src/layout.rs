//! Where nodes and edges stand: layers from inputs to outputs.
//!
//! The method of Sugiyama, Tagawa and Toda (1981): a node stands one layer below the lowest one that it reads, an edge
//! over several layers gets a point in each, points are ordered within their layers by the average place of their
//! neighbours, back and forth, and then moved towards them.

use crate::graph::{Graph, Kind};

/// Width of a letter, and heights of lines, in pixels.
const LETTER: f64 = 8.2;
const LINE: f64 = 16.0;
const PADDING: f64 = 10.0;
/// Room between points of a layer, and between layers.
const BESIDE: f64 = 22.0;
const BELOW: f64 = 46.0;
/// How often the order within layers is looked at again.
const SWEEPS: usize = 8;

/// A place: the middle of a node, or a point of an edge.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Place {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// The places of a graph's nodes and edges.
pub(crate) struct Layout {
    /// By node.
    pub(crate) nodes: Vec<Place>,
    /// By edge, from its start to its end.
    pub(crate) edges: Vec<Vec<(f64, f64)>>,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Points are the nodes, then those of edges.
struct Points {
    layer: Vec<usize>,
    width: Vec<f64>,
    /// Neighbours in the layer above and in the layer below.
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
}

impl Layout {
    pub(crate) fn of(graph: &Graph) -> Layout {
        let layer = layers(graph);
        let text = |s: &String| s.chars().count() as f64 * LETTER;
        let size = |i: usize| {
            let node = &graph.nodes[i];
            let widest = [&node.title].into_iter().chain(&node.lines).map(text).fold(0.0, f64::max);
            (widest + 2.0 * PADDING, LINE * (1 + node.lines.len()) as f64 + PADDING)
        };
        let sizes: Vec<(f64, f64)> = (0..graph.nodes.len()).map(size).collect();
        let mut points = Points {
            above: vec![Vec::new(); layer.len()],
            below: vec![Vec::new(); layer.len()],
            width: sizes.iter().map(|s| s.0).collect(),
            layer,
        };
        let paths: Vec<Vec<usize>> = graph.edges.iter().map(|e| points.path(e.from, e.to)).collect();
        let mut order = points.order();
        points.sort(&mut order);
        let x = points.across(&order);
        let tallest = |row: &Vec<usize>| row.iter().filter_map(|&p| sizes.get(p)).map(|s| s.1).fold(0.0, f64::max);
        let mut y = Vec::new();
        let mut at = PADDING;
        for row in &order {
            y.push(at + tallest(row) / 2.0);
            at += tallest(row) + BELOW;
        }
        let place = |p: usize| (x[p], y[points.layer[p]]);
        let nodes: Vec<Place> = (0..sizes.len())
            .map(|p| Place { x: place(p).0, y: place(p).1, width: sizes[p].0, height: sizes[p].1 })
            .collect();
        let edge = |path: &Vec<usize>| {
            let mut line: Vec<(f64, f64)> = path.iter().map(|&p| place(p)).collect();
            let last = line.len() - 1;
            line[0].1 += nodes[path[0]].height / 2.0;
            line[last].1 -= nodes[path[last]].height / 2.0;
            line
        };
        let right = (0..x.len()).map(|p| x[p] + points.width[p] / 2.0).fold(0.0, f64::max);
        Layout { edges: paths.iter().map(edge).collect(), nodes, width: right + PADDING, height: at - BELOW + PADDING }
    }
}

/// One below the lowest that it reads; literals stand just above their reader.
fn layers(graph: &Graph) -> Vec<usize> {
    let mut layer = vec![0; graph.nodes.len()];
    // Edges end in the order of nodes, and begin before.
    for e in &graph.edges {
        layer[e.to] = layer[e.to].max(layer[e.from] + 1);
    }
    for e in graph.edges.iter().filter(|e| graph.nodes[e.from].kind == Kind::Literal) {
        layer[e.from] = layer[e.to] - 1;
    }
    layer
}

impl Points {
    /// The points of an edge, new ones between its ends.
    fn path(&mut self, from: usize, to: usize) -> Vec<usize> {
        let mut path = vec![from];
        for layer in self.layer[from] + 1..self.layer[to] {
            path.push(self.layer.len());
            self.layer.push(layer);
            self.width.push(0.0);
            self.above.push(Vec::new());
            self.below.push(Vec::new());
        }
        path.push(to);
        for pair in path.windows(2) {
            self.below[pair[0]].push(pair[1]);
            self.above[pair[1]].push(pair[0]);
        }
        path
    }

    /// The points of each layer, as they come.
    fn order(&self) -> Vec<Vec<usize>> {
        let mut order = vec![Vec::new(); self.layer.iter().max().map_or(0, |l| l + 1)];
        self.layer.iter().enumerate().for_each(|(p, &l)| order[l].push(p));
        order
    }

    /// Orders layers so that few edges cross.
    fn sort(&self, order: &mut [Vec<usize>]) {
        let mut position = vec![0.0; self.layer.len()];
        let number = |row: &[usize], position: &mut Vec<f64>| {
            row.iter().enumerate().for_each(|(i, &p)| position[p] = i as f64);
        };
        order.iter().for_each(|row| number(row, &mut position));
        let (mut best, mut fewest) = (order.to_vec(), self.crossings(order));
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            let rows: Vec<usize> =
                if down { (1..order.len()).collect() } else { (0..order.len()).rev().skip(1).collect() };
            for l in rows {
                let mean = |p: usize| {
                    let near = if down { &self.above[p] } else { &self.below[p] };
                    let sum: f64 = near.iter().map(|&q| position[q]).sum();
                    if near.is_empty() { position[p] } else { sum / near.len() as f64 }
                };
                let mut keyed: Vec<(f64, usize)> = order[l].iter().map(|&p| (mean(p), p)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                order[l] = keyed.into_iter().map(|(_, p)| p).collect();
                number(&order[l], &mut position);
            }
            let crossings = self.crossings(order);
            if crossings < fewest {
                (best, fewest) = (order.to_vec(), crossings);
            }
        }
        order.clone_from_slice(&best);
    }

    /// How many edges cross, layer by layer: inversions among the ends of edges in the order of their starts.
    fn crossings(&self, order: &[Vec<usize>]) -> usize {
        let mut position = vec![0; self.layer.len()];
        order.iter().for_each(|row| row.iter().enumerate().for_each(|(i, &p)| position[p] = i));
        let mut count = 0;
        for row in order {
            // A tree of counts by position (Fenwick).
            let mut tree = vec![0usize; self.layer.len() + 1];
            let mut placed = 0;
            for &p in row {
                let mut ends: Vec<usize> = self.below[p].iter().map(|&q| position[q]).collect();
                ends.sort_unstable();
                for &end in &ends {
                    let (mut i, mut before) = (end + 1, 0);
                    while i > 0 {
                        before += tree[i];
                        i &= i - 1;
                    }
                    count += placed - before;
                }
                for &end in &ends {
                    let mut i = end + 1;
                    while i < tree.len() {
                        tree[i] += 1;
                        i += i & i.wrapping_neg();
                    }
                    placed += 1;
                }
            }
        }
        count
    }

    /// Places across: each point near the middle of its neighbours, as far as its layer leaves room.
    fn across(&self, order: &[Vec<usize>]) -> Vec<f64> {
        let mut x = vec![0.0; self.layer.len()];
        for row in order {
            let wanted: Vec<f64> = row.iter().map(|_| 0.0).collect();
            self.settle(row, &wanted, &mut x);
        }
        for sweep in 0..2 * SWEEPS {
            let rows: Vec<&Vec<usize>> =
                if sweep % 2 == 0 { order.iter().collect() } else { order.iter().rev().collect() };
            for row in rows {
                let middle = |p: usize| {
                    let near = || self.above[p].iter().chain(&self.below[p]);
                    let sum: f64 = near().map(|&q| x[q]).sum();
                    if near().next().is_none() { x[p] } else { sum / near().count() as f64 }
                };
                let wanted: Vec<f64> = row.iter().map(|&p| middle(p)).collect();
                self.settle(row, &wanted, &mut x);
            }
        }
        let left = (0..x.len()).map(|p| x[p] - self.width[p] / 2.0).fold(f64::INFINITY, f64::min);
        x.iter_mut().for_each(|x| *x += PADDING - left);
        x
    }

    /// The places nearest to the wanted ones that keep the order and the room of a layer, in the sense of least squares:
    /// points that would overlap become one block at their mean.
    fn settle(&self, row: &[usize], wanted: &[f64], x: &mut [f64]) {
        // Distances from the first point when all stand as close as they may.
        let mut offset = vec![0.0; row.len()];
        for i in 1..row.len() {
            offset[i] = offset[i - 1] + (self.width[row[i - 1]] + self.width[row[i]]) / 2.0 + BESIDE;
        }
        let mut blocks: Vec<(f64, usize)> = Vec::new();
        for i in 0..row.len() {
            let (mut mean, mut count) = (wanted[i] - offset[i], 1);
            while let Some(&(before, n)) = blocks.last().filter(|b| b.0 > mean) {
                mean = (mean * count as f64 + before * n as f64) / (count + n) as f64;
                count += n;
                blocks.pop();
            }
            blocks.push((mean, count));
        }
        let mut places = blocks.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean, count));
        for (i, &p) in row.iter().enumerate() {
            x[p] = places.next().expect("a block for each point") + offset[i];
        }
    }
}
