//! Updates of part of an array, in place when nothing reads the array afterwards.

use crate::control::Site;
use crate::emit::{Emitter, moved};
use crate::index::{Access, Dim, Dims, dense, joint};
use crate::loops::clamp_index;
use crate::storage::Place;
use wengert_core::primitive::IndexMode;
use wengert_kernel::routine::Affine;
use wengert_kernel::{Binary, Comparison, DType, ScalarOp};

/// `c[b, i[b, k], ..] += u[b, k, ..]`, or `=`, in row-major order of `u`.
pub(crate) fn accumulate(site: &mut Site<'_, '_>, e: &mut Emitter, batch: usize, mode: IndexMode, adds: bool) {
    let (index, u) = (site.arg(1).clone(), site.arg(2).clone());
    updating(site, e, |e, to, steps| {
        let axis = steps[batch];
        if u.size() == 0 || axis.len == 0 {
            return;
        }
        let rank = index.dims.len();
        // Axes of the indices: `c` moves along those of the batch only.
        let mut base: Dims = steps[..batch].into();
        base.extend(index.dims[batch..].iter().map(|d| Dim { len: d.len, stride: 0 }));
        let (axes, strides) = joint(&[&index.dims, &u.dims[..rank], &base]);
        let counters = e.begin_nest(&axes);
        let i = e.element(&index, moved(&index.at, &counters, &strides[0]));
        let i = if e.dtype(i) == DType::I64 { i } else { e.apply(ScalarOp::Convert(DType::I64), &[i]) };
        let u_at = moved(&u.at, &counters, &strides[1]);
        let to_at = moved(&to.at, &counters, &strides[2]);
        let (from, rest) = (Access { at: u_at, dims: u.dims[rank..].into(), ..u.clone() }, &steps[batch + 1..]);
        let last = axis.len as i64 - 1;
        let write = |e: &mut Emitter, to: &Place| {
            if adds {
                add(e, &from, to, rest);
            } else {
                e.transfer_to(&from, to, rest);
            }
        };
        match mode {
            IndexMode::Clamp => {
                let i = clamp_index(e, i, last);
                write(e, &Place { buffer: to.buffer, at: to_at.plus(i, axis.stride) });
            }
            IndexMode::Drop => {
                let (zero, n) = (e.int(0), e.int(last + 1));
                let [from_zero, to_n] = [(Comparison::Ge, zero), (Comparison::Lt, n)]
                    .map(|(comparison, bound)| e.apply(ScalarOp::Compare(comparison), &[i, bound]));
                let inside = e.binary(Binary::And, from_zero, to_n);
                let update = |e: &mut Emitter| {
                    write(e, &Place { buffer: to.buffer, at: to_at.plus(i, axis.stride) });
                    Vec::new()
                };
                e.branch(inside, update, |_| Vec::new());
            }
        }
        e.end_nest(&axes, &counters);
    });
}

/// `x` with a window, which begins where it fits, replaced by `u` or with `u` added.
pub(crate) fn window(site: &mut Site<'_, '_>, e: &mut Emitter, batch: usize, adds: bool) {
    let u = site.arg(1).clone();
    let starts: Vec<Access> = (2..site.args.len()).map(|i| site.arg(i).clone()).collect();
    updating(site, e, |e, to, steps| {
        if u.size() == 0 {
            return;
        }
        let mut parts: Vec<&[Dim]> = starts.iter().map(|s| &s.dims[..]).collect();
        parts.extend([&u.dims[..batch], &steps[..batch]]);
        let (axes, strides) = joint(&parts);
        let counters = e.begin_nest(&axes);
        let (u_steps, to_steps) = (&strides[starts.len()], &strides[starts.len() + 1]);
        let mut at = moved(&to.at, &counters, to_steps);
        for (k, start) in starts.iter().enumerate() {
            let (axis, length) = (steps[batch + k], u.dims[batch + k].len);
            if axis.len > length {
                let i = e.element(start, moved(&start.at, &counters, &strides[k]));
                let i = clamp_index(e, i, (axis.len - length) as i64);
                at = at.plus(i, axis.stride);
            }
        }
        let from = Access { at: moved(&u.at, &counters, u_steps), dims: u.dims[batch..].into(), ..u.clone() };
        let to = Place { buffer: to.buffer, at };
        if adds {
            add(e, &from, &to, &steps[batch..]);
        } else {
            e.transfer_to(&from, &to, &steps[batch..]);
        }
        e.end_nest(&axes, &counters);
    });
}

/// `c[start + stride * i] += u[i]`.
pub(crate) fn slice_add(site: &mut Site<'_, '_>, e: &mut Emitter, start: &[usize], stride: &[usize]) {
    let u = site.arg(1).clone();
    updating(site, e, |e, to, steps| {
        let first: i64 = steps.iter().zip(start).map(|(d, &s)| d.stride * s as i64).sum();
        let every: Dims = steps.iter().zip(stride).map(|(d, &s)| Dim { stride: d.stride * s as i64, ..*d }).collect();
        add(e, &u, &Place { buffer: to.buffer, at: to.at.clone().shifted(first) }, &every);
    });
}

/// Adds elements to memory with these steps.
fn add(e: &mut Emitter, from: &Access, to: &Place, steps: &[Dim]) {
    let steps: Dims = steps.iter().zip(&from.dims).map(|(s, f)| Dim { len: f.len, stride: s.stride }).collect();
    e.elementwise(&[(&from.at, &from.dims), (&to.at, &steps)], |e, at| {
        let old = e.load(to.buffer, at[1].clone());
        let new = e.element(from, at[0].clone());
        let sum = e.binary(Binary::Add, old, new);
        e.store(to.buffer, at[1].clone(), sum);
    });
}

/// Brings operand 0 to the memory of the result and runs `update` on it, with the steps of its axes.
fn updating(site: &mut Site<'_, '_>, e: &mut Emitter, update: impl FnOnce(&mut Emitter, &Place, &[Dim])) {
    let Some(id) = site.results[0] else { return };
    let x = site.arg(0).clone();
    let shape: Vec<usize> = x.dims.iter().map(|d| d.len).collect();
    match site.scalar_result(0) {
        // A single element is in no memory; it is for the time of the update.
        Some(_) => {
            let place = e.memory(x.dtype, 1);
            let value = e.only(&x);
            e.store(place.buffer, place.at.clone(), value);
            update(e, &place, &dense(&shape));
            let value = e.load(place.buffer, Affine::default());
            site.block.set_value(id, value);
        }
        None => {
            let place = site.block.updated(e, &x, id);
            update(e, &place, &dense(&shape));
        }
    }
}
