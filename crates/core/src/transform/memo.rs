//! Transforms of shared sub-programs are done once: a call that stands twice stays one program.

use crate::program::Program;
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

#[derive(PartialEq, Eq, Hash)]
struct Key {
    transform: &'static str,
    program: Arc<Program>,
    flags: Vec<Vec<bool>>,
    sizes: Vec<usize>,
}

#[derive(Default)]
struct Memo {
    depth: usize,
    table: HashMap<Key, Rc<dyn Any>>,
}

thread_local! {
    static MEMO: RefCell<Memo> = RefCell::default();
}

struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        let done = MEMO.with_borrow_mut(|memo| {
            memo.depth -= 1;
            if memo.depth == 0 { std::mem::take(&mut memo.table) } else { HashMap::new() }
        });
        drop(done);
    }
}

/// The result of a transform of `program`, computed once for these flags and sizes while the outermost transform runs.
pub(crate) fn memoised<T: Clone + 'static>(
    transform: &'static str,
    program: &Arc<Program>,
    flags: &[&[bool]],
    sizes: &[usize],
    compute: impl FnOnce() -> T,
) -> T {
    let flags = flags.iter().map(|f| f.to_vec()).collect();
    let key = Key { transform, program: program.clone(), flags, sizes: sizes.to_vec() };
    let found = MEMO.with_borrow_mut(|memo| {
        memo.depth += 1;
        memo.table.get(&key).cloned()
    });
    let _leave = Leave;
    if let Some(found) = found {
        return found.downcast_ref::<T>().expect("one type for each transform").clone();
    }
    let result = compute();
    MEMO.with_borrow_mut(|memo| memo.table.insert(key, Rc::new(result.clone())));
    result
}
