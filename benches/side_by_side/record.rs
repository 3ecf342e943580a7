//! What a thread sees, for others to look through and to wait for.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Things in the order in which they were seen. A copy of it is the same record.
pub struct Record<T>(Arc<(Mutex<Vec<T>>, Condvar)>);

impl<T> Clone for Record<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Record<T> {
    /// Nothing was seen yet.
    pub fn new() -> Self {
        Self(Arc::new((Mutex::new(Vec::new()), Condvar::new())))
    }

    /// These were seen.
    pub fn add(&self, more: impl IntoIterator<Item = T>) {
        let (all, news) = &*self.0;
        all.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(more);
        news.notify_all();
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let (all, _) = &*self.0;
        all.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<T> {
        let (all, _) = &*self.0;
        all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first of these, waited for no longer than `limit`.
    pub fn first(&self, limit: Duration, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let (all, news) = &*self.0;
        let end = Instant::now() + limit;
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = all.iter().find(|each| is_it(each)) {
                return Some(found.clone());
            }
            let left = end.checked_duration_since(Instant::now())?;
            (all, _) = news
                .wait_timeout(all, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
