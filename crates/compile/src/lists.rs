//! Lists of rows in memory.
//!
//! A list whose lengths are all known is an array with more axes in front, and is treated as one everywhere. Any other
//! is a [`List`]: its rows stand one after the other in a growing buffer of elements. Where rows are lists themselves,
//! a buffer of spans stands above it, two `i64` for each row: where its own rows begin, and how many there are.
//!
//! Reading beyond the end of a list gives a zero row. So the first row of every buffer is not written and stays zero,
//! and [`List::at`] moves a row number that is too large there.

use crate::emit::Emitter;
use crate::index::{Access, Dim, Root, dense};
use crate::storage::Place;
use wengert_core::types::{ArrayType, Type};
use wengert_kernel::routine::{Affine, BufferId, Count, Stmt, Storage, Value};
use wengert_kernel::{Binary, Comparison, DType, ScalarOp};

/// The array that a type is in memory: an array, or a list of known lengths with its levels as leading axes.
pub(crate) fn dense_type(ty: &Type) -> Option<ArrayType> {
    match ty {
        Type::Array(a) => Some(a.clone()),
        Type::List(l) => {
            let mut row = dense_type(&l.element)?;
            row.shape.insert(0, l.length?);
            Some(row)
        }
    }
}

/// List levels around the arrays of a type.
pub(crate) fn levels(ty: &Type) -> usize {
    match ty {
        Type::Array(_) => 0,
        Type::List(l) => 1 + levels(&l.element),
    }
}

/// A list, or a row of one, that is no array.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// Spans of the rows, level by level; none when the rows are arrays.
    pub(crate) spans: Vec<BufferId>,
    /// The elements.
    pub(crate) data: BufferId,
    /// The arrays inside.
    pub(crate) row: ArrayType,
    /// The first row, counted in rows of the outermost level.
    pub(crate) start: Affine,
    /// Number of rows, `i64`.
    pub(crate) count: Value,
    /// Where the levels end that this list was written to, when it was made here.
    pub(crate) ends: Vec<Value>,
}

/// Where a list is written: growing buffers, and where each level ends so far.
#[derive(Clone, Debug)]
pub(crate) struct ListDest {
    pub(crate) spans: Vec<BufferId>,
    pub(crate) data: BufferId,
    pub(crate) row: ArrayType,
    /// Outermost first; the last is that of the elements, in rows.
    pub(crate) ends: Vec<Value>,
}

impl ListDest {
    /// New buffers for a list type.
    pub(crate) fn new(e: &mut Emitter, ty: &Type) -> ListDest {
        let dest = ListDest::named(e, ty);
        for &spans in &dest.spans {
            let len = e.int(2);
            e.push(Stmt::Reserve { buffer: spans, len });
        }
        if dest.row.size() > 0 {
            let len = e.int(dest.row.size() as i64);
            e.push(Stmt::Reserve { buffer: dest.data, len });
        }
        dest
    }

    /// Buffers for a list type, which somebody else has begun.
    pub(crate) fn named(e: &mut Emitter, ty: &Type) -> ListDest {
        let (depth, row) = ragged(ty);
        let begin = e.int(1);
        let spans = (1..depth).map(|_| e.buffer(DType::I64, 0, Storage::Growable)).collect();
        ListDest { spans, data: e.buffer(row.dtype, 0, Storage::Growable), row, ends: vec![begin; depth] }
    }

    /// The same buffers, to be written from the beginning.
    pub(crate) fn emptied(&self, e: &mut Emitter) -> ListDest {
        let begin = e.int(1);
        self.with_ends(&vec![begin; self.ends.len()])
    }

    /// The list that fills the buffers up to these ends.
    pub(crate) fn filled(&self, e: &mut Emitter, ends: &[Value]) -> List {
        let count = e.index(&Affine::value(ends[0]).shifted(-1));
        let (spans, data, row) = (self.spans.clone(), self.data, self.row.clone());
        List { spans, data, row, start: Affine::constant(1), count, ends: Vec::new() }
    }

    /// The same buffers with other ends.
    pub(crate) fn with_ends(&self, ends: &[Value]) -> ListDest {
        ListDest { ends: ends.to_vec(), ..self.clone() }
    }

    /// The destination of a row that is a list; the ends of the inner levels are given.
    pub(crate) fn inner(&self, ends: &[Value]) -> ListDest {
        ListDest { spans: self.spans[1..].to_vec(), ends: ends.to_vec(), ..self.clone() }
    }

    /// Makes room for `rows` more rows of the outermost level.
    pub(crate) fn reserve(&self, e: &mut Emitter, rows: &Affine) {
        let (buffer, each) = match self.spans.first() {
            Some(&spans) => (spans, 2),
            None => (self.data, self.row.size() as i64),
        };
        if each > 0 {
            let len = e.index(&Affine::constant(0).plus(self.ends[0], each).plus_affine(rows, each));
            e.push(Stmt::Reserve { buffer, len });
        }
    }

    /// The memory of row `k`, which is an array.
    pub(crate) fn place(&self, k: &Affine) -> Place {
        let each = self.row.size() as i64;
        Place { buffer: self.data, at: Affine::constant(0).plus(self.ends[0], each).plus_affine(k, each) }
    }

    /// Writes down where row `k`, which is a list, is.
    pub(crate) fn set_span(&self, e: &mut Emitter, k: &Affine, row: &List) {
        let at = Affine::constant(0).plus(self.ends[0], 2).plus_affine(k, 2);
        let start = e.index(&row.start);
        e.store(self.spans[0], at.clone(), start);
        e.store(self.spans[0], at.shifted(1), row.count);
    }

    /// The list that was written, given its number of rows and where the inner levels end now.
    pub(crate) fn finish(&self, e: &mut Emitter, count: Value, inner: &[Value]) -> List {
        let end = e.index(&Affine::value(self.ends[0]).plus(count, 1));
        List {
            spans: self.spans.clone(),
            data: self.data,
            row: self.row.clone(),
            start: Affine::value(self.ends[0]),
            count,
            ends: [&[end], inner].concat(),
        }
    }
}

impl List {
    /// The row number `k`, or what stands for it when there are no more than `k` rows: a zero row. `rounds` is a bound
    /// of `k`, if there is one.
    pub(crate) fn at(&self, e: &mut Emitter, k: Value, rounds: Value) -> Affine {
        if rounds == self.count {
            return Affine::value(k);
        }
        let there = e.apply(ScalarOp::Compare(Comparison::Lt), &[k, self.count]);
        let none = e.index(&Affine::constant(0).plus_affine(&self.start, -1));
        Affine::value(e.apply(ScalarOp::Select, &[there, k, none]))
    }

    /// Row `k`, when rows are arrays.
    pub(crate) fn array_row(&self, k: &Affine) -> Access {
        let each = self.row.size() as i64;
        let at = Affine::constant(0).plus_affine(&self.start, each).plus_affine(k, each);
        Access { at, ..Access::dense(Root::Memory(self.data), &self.row) }
    }

    /// Row `k`, when rows are lists.
    pub(crate) fn list_row(&self, e: &mut Emitter, k: &Affine) -> List {
        let at = Affine::constant(0).plus_affine(&self.start, 2).plus_affine(k, 2);
        let start = e.load(self.spans[0], at.clone());
        let count = e.load(self.spans[0], at.shifted(1));
        let (spans, start) = (self.spans[1..].to_vec(), Affine::value(start));
        List { spans, start, count, ends: Vec::new(), ..self.clone() }
    }

    /// Whether it was written there.
    pub(crate) fn is_at(&self, dest: &ListDest) -> bool {
        self.data == dest.data && self.spans == dest.spans && !self.ends.is_empty()
    }
}

/// Levels of a list that is no array, and the arrays inside.
fn ragged(ty: &Type) -> (usize, ArrayType) {
    match (dense_type(ty), ty) {
        (Some(row), _) => (0, row),
        (None, Type::List(l)) => {
            let (depth, row) = ragged(&l.element);
            (depth + 1, row)
        }
        (None, Type::Array(_)) => unreachable!("an array is an array"),
    }
}

/// Copies a list to the end of a destination.
pub(crate) fn append(e: &mut Emitter, list: &List, dest: &ListDest) -> List {
    dest.reserve(e, &Affine::value(list.count));
    if list.spans.is_empty() {
        let each = list.row.size() as i64;
        if each > 0 {
            let zero = Affine::constant(0);
            let len = e.index(&Affine::constant(0).plus(list.count, each));
            let (to, from) = (dest.place(&zero), list.array_row(&zero).at);
            let (to, to_at) = (to.buffer, to.at);
            e.push(Stmt::Copy { to, to_at, from: list.data, from_at: from, len: Count::Value(len) });
        }
        return dest.finish(e, list.count, &[]);
    }
    each_row(e, list.count, dest, |e, k, dest| {
        let row = list.list_row(e, k);
        append(e, &row, dest)
    })
}

/// A list whose rows are lists that `row` writes.
fn each_row(
    e: &mut Emitter,
    count: Value,
    dest: &ListDest,
    row: impl FnOnce(&mut Emitter, &Affine, &ListDest) -> List,
) -> List {
    let ends = e.for_loop(Count::Value(count), false, &dest.ends[1..], |e, k, ends| {
        let k = Affine::value(k);
        let row = row(e, &k, &dest.inner(ends));
        dest.set_span(e, &k, &row);
        row.ends
    });
    dest.finish(e, count, &ends)
}

/// A list of zero rows, of no rows where the length is unknown.
pub(crate) fn nil(e: &mut Emitter, ty: &Type, dest: &ListDest) -> List {
    let Type::List(l) = ty else { unreachable!("a list has a list type") };
    let count = e.int(l.length.unwrap_or(0) as i64);
    let inner = dest.ends[1..].to_vec();
    if l.length.unwrap_or(0) == 0 || dest.spans.is_empty() {
        return dest.finish(e, count, &inner);
    }
    dest.reserve(e, &Affine::value(count));
    each_row(e, count, dest, |e, _, dest| nil(e, &l.element, dest))
}

/// The rows of a list, each changed by `change`, which gets a row and its new place.
pub(crate) fn map_rows(
    e: &mut Emitter,
    list: &List,
    dest: &ListDest,
    change: &mut dyn FnMut(&mut Emitter, &Access, &Place),
) -> List {
    dest.reserve(e, &Affine::value(list.count));
    if !list.spans.is_empty() {
        return each_row(e, list.count, dest, |e, k, dest| {
            let row = list.list_row(e, k);
            map_rows(e, &row, dest, change)
        });
    }
    if dest.row.size() > 0 {
        e.for_loop(Count::Value(list.count), false, &[], |e, k, _| {
            let k = Affine::value(k);
            change(e, &list.array_row(&k), &dest.place(&k));
            Vec::new()
        });
    }
    dest.finish(e, list.count, &[])
}

/// The sum of two lists row by row; where one ends the other goes on.
pub(crate) fn add(e: &mut Emitter, x: &List, y: &List, dest: &ListDest) -> List {
    let count = e.binary(Binary::Max, x.count, y.count);
    dest.reserve(e, &Affine::value(count));
    if x.spans.is_empty() {
        if dest.row.size() > 0 {
            add_rows(e, x, y, dest);
        }
        return dest.finish(e, count, &[]);
    }
    let inner = dest.ends.len() - 1;
    each_row(e, count, dest, |e, k, dest| {
        let at = e.index(k);
        let in_x = e.apply(ScalarOp::Compare(Comparison::Lt), &[at, x.count]);
        let in_y = e.apply(ScalarOp::Compare(Comparison::Lt), &[at, y.count]);
        let values = |list: List, e: &mut Emitter| [vec![e.index(&list.start), list.count], list.ends].concat();
        let one = |e: &mut Emitter, list: &List| {
            let row = list.list_row(e, k);
            let row = append(e, &row, dest);
            values(row, e)
        };
        let found = e.branch(
            in_x,
            |e| {
                e.branch(
                    in_y,
                    |e| {
                        let (x, y) = (x.list_row(e, k), y.list_row(e, k));
                        let row = add(e, &x, &y, dest);
                        values(row, e)
                    },
                    |e| one(e, x),
                )
            },
            |e| one(e, y),
        );
        let start = Affine::value(found[0]);
        let ends = found[2..2 + inner].to_vec();
        List { spans: dest.spans.clone(), data: dest.data, row: dest.row.clone(), start, count: found[1], ends }
    })
}

/// What adds rows: of truth values, those of lanes that are not in the branch are false.
pub(crate) fn sum_of(dtype: DType) -> Binary {
    if dtype == DType::Bool { Binary::Or } else { Binary::Add }
}

fn add_rows(e: &mut Emitter, x: &List, y: &List, dest: &ListDest) {
    let each = dest.row.size() as i64;
    let both = e.binary(Binary::Min, x.count, y.count);
    let steps = dense(&dest.row.shape);
    e.for_loop(Count::Value(both), false, &[], |e, k, _| {
        let k = Affine::value(k);
        let (x, y, to) = (x.array_row(&k), y.array_row(&k), dest.place(&k));
        let parts: [(&Affine, &[Dim]); 3] = [(&x.at, &steps), (&y.at, &steps), (&to.at, &steps)];
        e.elementwise(&parts, |e, at| {
            let (x, y) = (e.element(&x, at[0].clone()), e.element(&y, at[1].clone()));
            let sum = e.binary(sum_of(dest.row.dtype), x, y);
            e.store(to.buffer, at[2].clone(), sum);
        });
        Vec::new()
    });
    for list in [x, y] {
        let len = e.index(&Affine::constant(0).plus(list.count, each).plus(both, -each));
        let (from, to) = (list.array_row(&Affine::value(both)), dest.place(&Affine::value(both)));
        let (to, to_at) = (to.buffer, to.at);
        e.push(Stmt::Copy { to, to_at, from: list.data, from_at: from.at, len: Count::Value(len) });
    }
}
