//! Attends the openers of a session: decides which URL is completed and by whom, and says what came of each.

use super::callback::{CallbackSink, Delivered, deliver};
use super::chromium::Chromium;
use super::opened::{Opened, Target};
use super::shim::Shim;
use super::walk::{WalkEnd, Walker};
use super::{Which, system};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long the last of several URLs has to stand before it counts as the last.
const QUIET: Duration = Duration::from_secs(1);
/// How long a visit may take to end once the client has.
const LAST: Duration = Duration::from_secs(1);

/// Who goes, with what that takes.
#[derive(Clone)]
pub enum Means {
    /// authtape itself.
    Auto {
        /// Through the run's proxy.
        walker: Walker,
        /// Where the callback is reported.
        sink: Arc<CallbackSink>,
    },
    /// The person's browser, in the caller's original environment.
    System {
        /// All variables of the caller.
        caller: Arc<Vec<(OsString, OsString)>>,
    },
    /// A browser behind the proxy.
    Chromium(Arc<Chromium>),
    /// Nobody.
    None,
}

/// The user agent of a session.
pub struct Agent {
    means: Means,
    which: Which,
}

/// A URL that was opened, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// What the client opened.
    pub opened: Opened,
    /// What came of it.
    pub end: VisitEnd,
}

/// What came of an opened URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VisitEnd {
    /// `none`: nobody came.
    NobodyCame,
    /// Another URL of the session was chosen by `first` or `last`.
    NotChosen,
    /// `auto` goes to authorization requests only.
    NotAnAuthorizationRequest,
    /// `auto`: the redirect was delivered to the client.
    Delivered(Delivered),
    /// `auto`: the walk did not come to a callback.
    Stranded(WalkEnd),
    /// `system`: this program shows it.
    Shown(String),
    /// `chromium`: this program shows it, behind the proxy.
    Browsing(String),
    /// `system`, `chromium`: no program shows it. One line.
    NotShown(String),
}

impl Agent {
    /// A user agent.
    pub fn new(means: Means, which: Which) -> Self {
        Self { means, which }
    }

    /// Attends until `leaving` is cancelled because the client has ended; each visit is reported when it is over. One under way
    /// gets another second: a client that has what it came for does not wait until its browser has read the answer.
    pub async fn attend(self, mut shim: Shim, visits: mpsc::UnboundedSender<Visit>, leaving: CancellationToken) {
        let mut walks = JoinSet::new();
        let mut is_first = true;
        while let Some(Some(mut opened)) = leaving.run_until_cancelled(shim.next()).await {
            if self.which == Which::Last {
                while let Ok(Some(later)) = timeout(QUIET, shim.next()).await {
                    report(&visits, std::mem::replace(&mut opened, later), VisitEnd::NotChosen);
                }
            }
            if self.which == Which::First && !std::mem::take(&mut is_first) {
                report(&visits, opened, VisitEnd::NotChosen);
                continue;
            }
            let (means, visits, leaving) = (self.means.clone(), visits.clone(), leaving.clone());
            walks.spawn(async move {
                let end = visit(&means, &opened, &leaving).await;
                report(&visits, opened, end);
            });
            while walks.try_join_next().is_some() {}
        }
        tokio::select! {
            () = async { while walks.join_next().await.is_some() {} } => {}
            () = async { leaving.cancelled().await; sleep(LAST).await } => {}
        }
    }
}

/// Nobody listening is no reason to stop attending.
fn report(visits: &mpsc::UnboundedSender<Visit>, opened: Opened, end: VisitEnd) {
    let _ = visits.send(Visit { opened, end });
}

async fn visit(means: &Means, opened: &Opened, leaving: &CancellationToken) -> VisitEnd {
    match means {
        Means::None => VisitEnd::NobodyCame,
        Means::System { caller } => system::show(opened, caller).map_or_else(VisitEnd::NotShown, VisitEnd::Shown),
        Means::Chromium(browser) => browser.show(opened).map_or_else(VisitEnd::NotShown, VisitEnd::Browsing),
        Means::Auto { walker, sink } => {
            let Target::Authorization(request) = &opened.target else { return VisitEnd::NotAnAuthorizationRequest };
            match walker.walk(request).await {
                WalkEnd::Callback(url) => VisitEnd::Delivered(deliver(&url, opened.session, sink, leaving).await),
                end => VisitEnd::Stranded(end),
            }
        }
    }
}
