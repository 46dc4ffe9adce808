//! Many who ask for the same at once are answered together: one asks the database for all that wait, and meanwhile the next
//! ones gather. The more come, the fewer statements each one costs. Whoever waits here holds no connection of the database, so
//! that no burst and no flood takes them from the pages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::actions::Refused;

/// How many are answered at once: a statement for as many is still short.
const AT_ONCE: usize = 128;
/// How long somebody waits: forges give up after 10 s.
const WITHIN: Duration = Duration::from_secs(5);

/// A line of those who ask. Cheap to clone.
pub(super) struct Together<T, A>(Arc<Mutex<Line<T, A>>>);

struct Line<T, A> {
    asking: VecDeque<(T, oneshot::Sender<A>)>,
    /// Whether somebody asks for them.
    led: bool,
}

impl<T, A> Clone for Together<T, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, A> Default for Together<T, A> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Line { asking: VecDeque::new(), led: false })))
    }
}

impl<T: Send + 'static, A: Send + 'static> Together<T, A> {
    /// Asks, in a line of at most so many. `answer` is given those who wait, in their order, and gives as many answers; it
    /// runs on its own, so that one who goes away takes nobody along.
    pub(super) async fn ask<F>(
        &self,
        one: T,
        most: usize,
        answer: impl Fn(Vec<T>) -> F + Send + 'static,
    ) -> Result<A, Refused>
    where
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        let (sender, answered) = oneshot::channel();
        let leads = {
            let mut line = self.line();
            if line.asking.len() >= most {
                return Err(too_many());
            }
            line.asking.push_back((one, sender));
            !std::mem::replace(&mut line.led, true)
        };
        if leads {
            #[expect(
                clippy::disallowed_methods,
                reason = "ends with those who wait; what a restart cuts off was not answered, and forges send it again"
            )]
            tokio::spawn(lead(Led(self.clone()), answer));
        }
        timeout(WITHIN, answered).await.ok().and_then(Result::ok).ok_or_else(too_many)
    }

    /// True where nobody waits or is being answered.
    pub(super) fn is_idle(&self) -> bool {
        let line = self.line();
        !line.led && line.asking.is_empty()
    }

    /// Those who are next. Without any the lead is over.
    fn next(&self) -> Vec<(T, oneshot::Sender<A>)> {
        let mut line = self.line();
        // Whoever has gone away was told that it was not taken.
        line.asking.retain(|(_, sender)| !sender.is_closed());
        let many = line.asking.len().min(AT_ONCE);
        line.led = many > 0;
        line.asking.drain(..many).collect()
    }
}

impl<T, A> Together<T, A> {
    fn line(&self) -> MutexGuard<'_, Line<T, A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lead of a line. Should it break off, those who wait are sent away, and the next one leads again.
struct Led<T, A>(Together<T, A>);

impl<T, A> Drop for Led<T, A> {
    fn drop(&mut self) {
        let mut line = self.0.line();
        // After its regular end somebody else may lead already, and then there is nobody in our care.
        if std::thread::panicking() {
            line.asking.clear();
            line.led = false;
        }
    }
}

/// Answers until nobody waits.
async fn lead<T: Send + 'static, A: Send + 'static, F: Future<Output = Vec<A>> + Send>(
    led: Led<T, A>,
    answer: impl Fn(Vec<T>) -> F + Send,
) {
    loop {
        let (asking, senders): (Vec<T>, Vec<_>) = led.0.next().into_iter().unzip();
        if asking.is_empty() {
            return;
        }
        for (sender, answer) in senders.into_iter().zip(answer(asking).await) {
            // Gone meanwhile: there is nobody to tell.
            let _ = sender.send(answer);
        }
    }
}

fn too_many() -> Refused {
    Refused::Unavailable("Too many deliveries wait for their turn. Send it again in a moment.".into())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "those who ask side by side are awaited in the same test")]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    /// What cannot be answered.
    const BAD: u32 = 1_000;

    /// Doubles numbers, once it may.
    fn doubling(
        may: &Arc<Semaphore>,
        times: &Arc<AtomicUsize>,
    ) -> impl Fn(Vec<u32>) -> futures_util::future::BoxFuture<'static, Vec<u32>> + Clone + Send + 'static {
        let (may, times) = (may.clone(), times.clone());
        move |all: Vec<u32>| {
            let (may, times) = (may.clone(), times.clone());
            Box::pin(async move {
                may.acquire().await.unwrap().forget();
                times.fetch_add(1, Ordering::Relaxed);
                assert!(!all.contains(&BAD), "a mistake");
                all.into_iter().map(|n| n * 2).collect()
            })
        }
    }

    async fn waiting(line: &Together<u32, u32>, many: usize) {
        while line.line().asking.len() < many {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn those_who_come_meanwhile_are_answered_at_once_each_with_its_own() {
        let (may, times) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let line = Together::default();
        let ask = |n| {
            let (line, answer) = (line.clone(), doubling(&may, &times));
            tokio::spawn(async move { line.ask(n, 200, answer).await })
        };
        let first = ask(1);
        while !line.line().led || !line.line().asking.is_empty() {
            tokio::task::yield_now().await;
        }
        let others: Vec<_> = (2..=150).map(ask).collect();
        waiting(&line, 149).await;
        may.add_permits(3);
        assert_eq!(first.await.unwrap(), Ok(2));
        for (n, other) in (2..).zip(others) {
            assert_eq!(other.await.unwrap(), Ok(n * 2));
        }
        assert_eq!(times.load(Ordering::Relaxed), 3, "one, 128, and the rest");
        while !line.is_idle() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_full_line_sends_away_and_one_that_broke_off_goes_on() {
        let (may, times) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let line = Together::default();
        let ask = |n| {
            let (line, answer) = (line.clone(), doubling(&may, &times));
            tokio::spawn(async move { line.ask(n, 2, answer).await })
        };
        let first = ask(BAD);
        while !line.line().led || !line.line().asking.is_empty() {
            tokio::task::yield_now().await;
        }
        let (one, other) = (ask(1), ask(2));
        waiting(&line, 2).await;
        assert_eq!(ask(3).await.unwrap(), Err(too_many()));
        may.add_permits(1);
        for one in [first, one, other] {
            assert_eq!(one.await.unwrap(), Err(too_many()), "the lead broke off");
        }
        may.add_permits(1);
        assert_eq!(ask(4).await.unwrap(), Ok(8));
    }

    #[tokio::test]
    async fn whoever_has_gone_away_is_not_asked_for() {
        let (may, times) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let line = Together::default();
        let ask = |n| {
            let (line, answer) = (line.clone(), doubling(&may, &times));
            tokio::spawn(async move { line.ask(n, 20, answer).await })
        };
        let first = ask(1);
        while !line.line().led || !line.line().asking.is_empty() {
            tokio::task::yield_now().await;
        }
        let gone = ask(BAD);
        waiting(&line, 1).await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        may.add_permits(2);
        assert_eq!(first.await.unwrap(), Ok(2));
        assert_eq!(ask(5).await.unwrap(), Ok(10));
    }
}
