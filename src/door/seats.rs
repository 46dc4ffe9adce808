//! Seats for what stays open: streams and long waits. Each account has only so many, so that none can take them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::ids::AccountId;

/// Seats of one account: one for each tab of a person with many tabs, or each program that follows something.
const PER_ACCOUNT: usize = 20;

/// The seats that are taken, by account.
#[derive(Default)]
pub struct Seats(Arc<Mutex<HashMap<AccountId, usize>>>);

/// A taken seat; free again when dropped.
pub struct Seat(Arc<Mutex<HashMap<AccountId, usize>>>, AccountId);

impl Seats {
    /// One more seat for this account; none where it has all it may have.
    pub fn take(&self, account: AccountId) -> Option<Seat> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(account).or_insert(0);
        if *count >= PER_ACCOUNT {
            return None;
        }
        *count += 1;
        Some(Seat(self.0.clone(), account))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.1) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.1);
            }
        }
    }
}
