//! Calls: those of a program that is called once are opened, so that it fuses with what surrounds it. The others become
//! functions of the routine.

use crate::rewrite::{Memo, Writer, with_programs};
use std::collections::HashMap;
use std::sync::Arc;
use wengert_core::ops::Op;
use wengert_core::program::Program;

/// The program with every call opened whose program is called nowhere else.
pub(crate) fn opened(program: &Arc<Program>) -> Arc<Program> {
    let mut sites = HashMap::new();
    count(program, &mut sites);
    if sites.values().all(|&n| n > 1) {
        return program.clone();
    }
    whole(program, &sites, &mut Memo::new())
}

/// The programs that are called, callees before callers.
pub(crate) fn called(program: &Program) -> Vec<Arc<Program>> {
    fn visit(program: &Program, seen: &mut HashMap<Arc<Program>, usize>, order: &mut Vec<Arc<Program>>) {
        for e in program.equations() {
            if let Op::Call(call) = &e.op {
                if seen.insert(call.program.clone(), 1).is_none() {
                    visit(&call.program, seen, order);
                    order.push(call.program.clone());
                }
            } else {
                e.op.programs().iter().for_each(|body| visit(body, seen, order));
            }
        }
    }
    let mut order = Vec::new();
    visit(program, &mut HashMap::new(), &mut order);
    order
}

/// Counts the places that call each program; a called program is looked into once.
fn count(program: &Program, sites: &mut HashMap<Arc<Program>, usize>) {
    for e in program.equations() {
        if let Op::Call(call) = &e.op {
            let n = sites.entry(call.program.clone()).or_insert(0);
            *n += 1;
            if *n == 1 {
                count(&call.program, sites);
            }
        } else {
            e.op.programs().iter().for_each(|body| count(body, sites));
        }
    }
}

fn whole(program: &Arc<Program>, sites: &HashMap<Arc<Program>, usize>, memo: &mut Memo) -> Arc<Program> {
    if let Some(done) = memo.get(program) {
        return done.clone();
    }
    let result = Writer::rewrite(program, |writer, e, args| match &e.op {
        Op::Call(call) if sites[&call.program] == 1 => writer.inline(&whole(&call.program, sites, memo), &args),
        op if op.programs().is_empty() => writer.copy(program, e, args),
        op => writer.push(with_programs(op, |body| whole(body, sites, memo)), &args),
    });
    let result = Arc::new(result);
    memo.insert(program.clone(), result.clone());
    result
}
