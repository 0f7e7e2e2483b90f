//! A client that is killed at a certain answer: whoever answers and whoever waits for the process meet here.

use crate::protocol::Kind;
use tokio_util::sync::CancellationToken;

/// The end of one client process, due with the answer to a request of one kind.
#[derive(Debug, Default)]
pub struct Ending {
    session: u32,
    after: Option<Kind>,
    due: CancellationToken,
    over: CancellationToken,
}

impl Ending {
    /// Of that session, with an answer of that kind.
    pub fn new(session: u32, after: Kind) -> Self {
        Self { session, after: Some(after), ..Self::default() }
    }

    /// True for the answer that it waits for.
    pub fn is_with(&self, session: u32, kind: Kind) -> bool {
        self.session == session && self.after == Some(kind)
    }

    /// Has the process killed, and waits until it is gone.
    pub async fn come(&self) {
        self.due.cancel();
        self.over.cancelled().await;
    }

    /// Cancelled when the process is to be killed.
    pub fn due(&self) -> &CancellationToken {
        &self.due
    }

    /// The process is gone.
    pub fn over(&self) {
        self.over.cancel();
    }
}
