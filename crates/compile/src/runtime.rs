//! Functions of the runtime over batches of dense parts: sorting, cumulative sums, and whatever else is `Lowering::Call`.

use crate::control::Site;
use crate::emit::Emitter;
use crate::index::{Access, Root, is_dense};
use crate::lists::dense_type;
use crate::storage::Place;
use std::borrow::Cow;
use wengert_kernel::routine::{Span, Stmt};

/// Calls `function` of the dtype of operand 0 once for all parts of the batch.
pub(crate) fn call(site: &mut Site<'_, '_>, e: &mut Emitter, function: &str, batch: usize, ints: &[i64]) {
    let args: Vec<Access> = (0..site.args.len()).map(|i| site.arg(i).clone()).collect();
    let lengths = |a: &Access| a.dims.iter().map(|d| d.len).collect::<Vec<usize>>();
    let parts: usize = lengths(&args[0])[..batch].iter().product();
    if site.results.iter().all(Option::is_none) {
        return;
    }
    let mut all = vec![parts as i64];
    all.extend(ints);
    all.extend(args.iter().flat_map(|a| lengths(a)[batch..].iter().map(|&n| n as i64).collect::<Vec<i64>>()));
    let inputs = args.iter().map(|a| input(e, a)).collect();
    let places: Vec<(Place, usize)> = (0..site.results.len()).map(|i| output(site, e, i)).collect();
    let outputs = places.iter().map(|(place, len)| Span { buffer: place.buffer, at: place.at.clone(), len: *len });
    let name = Cow::Owned(format!("{function}_{}", args[0].dtype));
    e.push(Stmt::Runtime { name, ints: all, inputs, outputs: outputs.collect() });
    for (i, (place, _)) in places.into_iter().enumerate() {
        if let Some(id) = site.scalar_result(i) {
            let value = e.load(place.buffer, place.at);
            site.block.set_value(id, value);
        }
    }
}

/// Where an operand is, dense. What is in no memory is stored for the call.
fn input(e: &mut Emitter, access: &Access) -> Span {
    let len = access.size();
    if let (Root::Memory(buffer), true, true) = (&access.root, is_dense(&access.dims), len > 0) {
        return Span { buffer: *buffer, at: access.at.clone(), len };
    }
    let place = e.memory(access.dtype, len.max(1));
    e.transfer(access, &place);
    Span { buffer: place.buffer, at: place.at, len }
}

/// Where a result is written. A single element is in no memory; it is for the time of the call, and so is nothing.
fn output(site: &mut Site<'_, '_>, e: &mut Emitter, i: usize) -> (Place, usize) {
    let ty = dense_type(site.result_type(i)).expect("the result is an array");
    match site.place(e, i) {
        Some(place) => (place, ty.size()),
        None => (e.memory(ty.dtype, ty.size().max(1)), ty.size()),
    }
}
