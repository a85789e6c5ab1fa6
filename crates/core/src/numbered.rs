//! Closures that programs hold: printed by number, and read back by it while they live.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

type Thing = dyn Any + Send + Sync;

static KNOWN: Mutex<Option<HashMap<u64, Weak<Thing>>>> = Mutex::new(None);

/// The thing made for a new number.
pub(crate) fn register<T: Any + Send + Sync>(make: impl FnOnce(u64) -> T) -> Arc<T> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let thing = Arc::new(make(number));
    let known: Arc<Thing> = thing.clone();
    let mut table = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let table = table.get_or_insert_default();
    // Now and then what is gone is forgotten.
    if table.len() == table.capacity() {
        table.retain(|_, thing| thing.strong_count() > 0);
    }
    table.insert(number, Arc::downgrade(&known));
    thing
}

/// The thing of that number, if it lives.
pub(crate) fn find<T: Any + Send + Sync>(number: u64) -> Option<Arc<T>> {
    let table = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    table.as_ref()?.get(&number)?.upgrade()?.downcast().ok()
}
