//! The way from the proxy to the recorder: never blocks a poll, yet is bounded, because a new request waits while too much
//! is queued. Does not look into messages.

use crate::exchange::Captured;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Bytes of bodies kept in memory at once, those queued to the recorder included; past it, bodies are stored cut.
pub const BODIES_IN_FLIGHT: usize = 32 << 20;
/// A new request waits while more messages than this are queued.
const CROWDED: usize = 1024;
/// A new request waits while more bytes of bodies than this are queued.
const HEAVY: usize = BODIES_IN_FLIGHT / 2;
/// A new request waits while the oldest queued message is older than this: what was forwarded a tenth of a second ago has to be
/// in the file, on a slow machine too.
const OLD: Duration = Duration::from_millis(20);
/// But not longer than this, for age alone: a receiver that works on something large, or hangs, holds nobody up.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long messages gather once the receiver had to wait: a wake-up for each would cost more than the work.
const GATHER: Duration = Duration::from_millis(1);

/// The proxy's end. Cheap to clone.
#[derive(Clone)]
pub struct CaptureSink(Arc<Sender>);

/// The recorder's end: a plain blocking iterator that ends when every sink is gone.
pub struct Captures {
    queue: Arc<Queue>,
    /// Taken from the queue, last first.
    batch: Vec<Entry>,
    /// Bytes of the message that was handed out last; free again when the next one is asked for.
    working_on: usize,
}

/// What a receiver got within its time.
#[derive(Debug)]
pub enum Received {
    /// A message.
    Message(Captured),
    /// Nothing yet.
    Nothing,
    /// Nothing ever again: every sink is gone.
    Closed,
}

struct Entry {
    message: Captured,
    bytes: usize,
    /// When it was sent, in microseconds of the queue.
    sent: u64,
}

/// A request that waits, until it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Closes the queue when the last sink goes.
struct Sender(Arc<Queue>);

struct Queue {
    began: Instant,
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    /// Messages sent and not yet handed out.
    messages: AtomicUsize,
    /// Bytes of bodies in those messages and in the one that is worked on.
    bytes: AtomicUsize,
    /// Bytes of bodies kept anywhere: in open exchanges and in `bytes`.
    kept: AtomicUsize,
    /// When the oldest message was sent that is not dealt with, in microseconds; `NONE` without one.
    oldest: AtomicU64,
    /// Requests that wait.
    requests: AtomicUsize,
    room: Notify,
    abandoned: AtomicBool,
    /// Set when the receiver has no use for exchanges.
    only_events: AtomicBool,
    /// Set when the receiver first asks: who only looks when all is over promises nothing about time.
    attended: AtomicBool,
}

/// No message is old.
const NONE: u64 = u64::MAX;

#[derive(Default)]
struct Waiting {
    entries: Vec<Entry>,
    closed: bool,
    /// True while the receiver sleeps on the condition.
    asleep: bool,
}

/// A sink with its receiver.
pub fn capture() -> (CaptureSink, Captures) {
    let queue = Arc::new(Queue::new());
    let sink = CaptureSink(Arc::new(Sender(Arc::clone(&queue))));
    (sink, Captures { queue, batch: Vec::new(), working_on: 0 })
}

impl CaptureSink {
    /// Hands a message over. Never waits; without a receiver the message is dropped.
    pub fn send(&self, message: Captured) {
        self.send_holding(message, 0);
    }

    /// Hands a message over together with the room its bodies take (see [`Self::take_room`]).
    pub(super) fn send_holding(&self, message: Captured, bytes: usize) {
        let queue = self.queue();
        if queue.abandoned.load(SeqCst) {
            self.give_back(bytes);
            return;
        }
        queue.messages.fetch_add(1, SeqCst);
        queue.bytes.fetch_add(bytes, SeqCst);
        let sent = queue.now();
        let _ = queue.oldest.compare_exchange(NONE, sent, SeqCst, SeqCst);
        let mut waiting = queue.waiting();
        waiting.entries.push(Entry { message, bytes, sent });
        if std::mem::take(&mut waiting.asleep) {
            drop(waiting);
            queue.arrived.notify_one();
        }
    }

    /// True when somebody receives exchanges.
    pub(super) fn wants_exchanges(&self) -> bool {
        let queue = self.queue();
        !queue.abandoned.load(SeqCst) && !queue.only_events.load(SeqCst)
    }

    /// Takes room for bytes of a body, or says that there is none left.
    pub(super) fn take_room(&self, bytes: usize) -> bool {
        let queue = self.queue();
        if queue.abandoned.load(SeqCst) {
            return false;
        }
        let fits = queue.kept.fetch_add(bytes, SeqCst) + bytes <= BODIES_IN_FLIGHT;
        if !fits {
            queue.kept.fetch_sub(bytes, SeqCst);
        }
        fits
    }

    /// Gives room back that no message will carry.
    pub(super) fn give_back(&self, bytes: usize) {
        self.queue().kept.fetch_sub(bytes, SeqCst);
    }

    /// Waits until the receiver has caught up enough for another request: a tenth of a second if it is late, and as long as it
    /// takes if the queue may not grow.
    pub async fn room(&self) {
        let queue = self.queue();
        if !queue.is_crowded() {
            return;
        }
        let _counted = Counted::new(&queue.requests);
        if timeout(PATIENCE, queue.until(|queue| !queue.is_crowded())).await.is_err() {
            queue.until(|queue| !queue.is_full()).await;
        }
    }

    fn queue(&self) -> &Queue {
        &self.0.0
    }
}

impl Captures {
    /// Asks for nothing but connection events; no exchange that begins from now on is kept.
    pub fn only_events(&self) {
        self.queue.only_events.store(true, SeqCst);
    }

    /// The next message, waited for at most this long.
    pub fn recv(&mut self, limit: Duration) -> Received {
        self.finish_work();
        if self.batch.is_empty() && !self.refill(Some(Instant::now() + limit)) {
            return if self.queue.waiting().closed { Received::Closed } else { Received::Nothing };
        }
        self.next_of_batch().map_or(Received::Nothing, Received::Message)
    }

    /// The message that was handed out last has been dealt with.
    fn finish_work(&mut self) {
        let queue = &self.queue;
        let bytes = std::mem::take(&mut self.working_on);
        queue.bytes.fetch_sub(bytes, SeqCst);
        queue.kept.fetch_sub(bytes, SeqCst);
        if self.batch.is_empty() {
            let waiting = queue.waiting();
            queue.oldest.store(waiting.entries.first().map_or(NONE, |entry| entry.sent), SeqCst);
        }
        queue.let_in();
    }

    fn next_of_batch(&mut self) -> Option<Captured> {
        let Entry { message, bytes, sent } = self.batch.pop()?;
        self.working_on = bytes;
        self.queue.oldest.store(sent, SeqCst);
        self.queue.messages.fetch_sub(1, SeqCst);
        self.queue.let_in();
        Some(message)
    }

    /// Takes all that waits; false if nothing came in time or ever will.
    fn refill(&mut self, deadline: Option<Instant>) -> bool {
        self.queue.attended.store(true, SeqCst);
        let mut waiting = self.queue.waiting();
        let mut had_to_wait = false;
        while waiting.entries.is_empty() {
            if waiting.closed {
                return false;
            }
            had_to_wait = true;
            waiting.asleep = true;
            let Some(deadline) = deadline else {
                waiting = self.queue.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            waiting = self.queue.arrived.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if had_to_wait && !waiting.closed {
            drop(waiting);
            thread::sleep(GATHER);
            waiting = self.queue.waiting();
        }
        self.batch = std::mem::take(&mut waiting.entries);
        drop(waiting);
        self.batch.reverse();
        true
    }
}

impl Iterator for Captures {
    type Item = Captured;

    fn next(&mut self) -> Option<Captured> {
        self.finish_work();
        if self.batch.is_empty() && !self.refill(None) {
            return None;
        }
        self.next_of_batch()
    }
}

impl Drop for Captures {
    fn drop(&mut self) {
        self.queue.abandoned.store(true, SeqCst);
        self.batch.append(&mut self.queue.waiting().entries);
        let freed = self.working_on + self.batch.iter().map(|entry| entry.bytes).sum::<usize>();
        self.queue.kept.fetch_sub(freed, SeqCst);
        self.queue.room.notify_waiters();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.waiting().closed = true;
        self.0.arrived.notify_all();
    }
}

impl Queue {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            messages: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            oldest: AtomicU64::new(NONE),
            requests: AtomicUsize::new(0),
            room: Notify::new(),
            abandoned: AtomicBool::new(false),
            only_events: AtomicBool::new(false),
            attended: AtomicBool::new(false),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(NONE - 1)
    }

    /// True while the receiver is behind.
    fn is_crowded(&self) -> bool {
        let is_late = || self.attended.load(SeqCst) && self.lag() > OLD && !self.abandoned.load(SeqCst);
        self.is_full() || is_late()
    }

    /// True while the queue may not grow.
    fn is_full(&self) -> bool {
        !self.abandoned.load(SeqCst) && (self.messages.load(SeqCst) > CROWDED || self.bytes.load(SeqCst) > HEAVY)
    }

    /// Waits for a change of the queue that makes this so.
    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        loop {
            let mut roomy = pin!(self.room.notified());
            roomy.as_mut().enable();
            if is_so(self) {
                return;
            }
            roomy.await;
        }
    }

    /// The age of the oldest message that is not dealt with.
    fn lag(&self) -> Duration {
        match self.oldest.load(SeqCst) {
            NONE => Duration::ZERO,
            oldest => Duration::from_micros(self.now().saturating_sub(oldest)),
        }
    }

    /// Lets waiting requests look again.
    fn let_in(&self) {
        if self.requests.load(SeqCst) > 0 && !self.is_full() {
            self.room.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
