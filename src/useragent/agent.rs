//! Attends the openers of a session: decides which URL is completed and by whom, and says what came of each.

use super::callback::{CallbackSink, Delivered, deliver};
use super::chromium::Chromium;
use super::opened::Opened;
use super::shim::Shim;
use super::walk::{WalkEnd, Walker};
use super::{Which, system};
use crate::reply::Delivery;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

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
        /// What becomes of a redirect back to the client; without it, it arrives.
        plan: Option<Plan>,
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

/// Changes the plan of a redirect back to a client.
pub type Plan = Arc<dyn Fn(&mut Delivery) + Send + Sync>;

/// The URL that the browser of a session opens in place of the one that its client wants shown; `None` for that one.
pub type Opening = Arc<dyn Fn(u32, &str) -> Option<String> + Send + Sync>;

/// The URL to which a URL that a client opened really leads; `None` where it is that one.
pub type RealUrl = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The user agent of a session.
pub struct Agent {
    means: Means,
    which: Which,
    real_url: Option<RealUrl>,
    opening: Option<Opening>,
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
    /// `auto`: the redirect was dropped on purpose.
    Dropped,
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
        Self { means, which, real_url: None, opening: None }
    }

    /// The same one, which may open another URL than its client wants shown.
    #[must_use]
    pub fn opening(mut self, opening: Option<Opening>) -> Self {
        self.opening = opening;
        self
    }

    /// The same one, which knows where URLs really lead.
    #[must_use]
    pub fn knowing(mut self, real_url: RealUrl) -> Self {
        self.real_url = Some(real_url);
        self
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
            if let Some(url) = self.opening.as_ref().and_then(|opening| opening(opened.session, &opened.url)) {
                opened = Opened::new(opened.session, &opened.opener, &url);
            }
            if let Some(url) = self.real_url.as_ref().and_then(|real_url| real_url(&opened.url)) {
                opened = Opened::new(opened.session, &opened.opener, &url);
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
        Means::Auto { walker, sink, plan } => {
            let Some(request) = opened.request() else { return VisitEnd::NotAnAuthorizationRequest };
            match walker.walk(&request).await {
                WalkEnd::Callback(url) => carried_out(url, opened.session, plan.as_ref(), sink, leaving).await,
                end => VisitEnd::Stranded(end),
            }
        }
    }
}

/// Carries the plan of a redirect out. The last arrival says what came of it.
async fn carried_out(url: Url, session: u32, plan: Option<&Plan>, sink: &CallbackSink, leaving: &CancellationToken) -> VisitEnd {
    let mut delivery = Delivery::plain(session, url.into());
    if let Some(plan) = plan {
        plan(&mut delivery);
    }
    let mut end = VisitEnd::Dropped;
    for arrival in delivery.arrivals {
        leaving.run_until_cancelled(sleep(arrival.after)).await;
        let Ok(url) = Url::parse(&arrival.url) else { continue };
        end = VisitEnd::Delivered(deliver(&url, arrival.family, session, sink, leaving).await);
    }
    end
}
