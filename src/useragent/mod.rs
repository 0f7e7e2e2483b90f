//! Layer 7: the browser's part of a login. Openers that catch the URL a client wants shown, and what is done with it.
//!
//! Knows authorization requests and their way back to the client; does not know client processes, cassettes or identity
//! providers' pages.

mod agent;
mod callback;
mod chromium;
mod cookies;
mod opened;
mod opener;
mod shim;
mod system;
mod walk;

pub use agent::{Agent, Means, Opening, Plan, RealUrl, Visit, VisitEnd};
pub use callback::{CallbackSink, Delivered, Mark};
pub use chromium::{Chromium, ChromiumOptions, find_chromium};
pub use opened::{AuthorizationRequest, Opened, Target};
pub use opener::{Handed, hand_over, run_original};
pub use shim::{Display, Shim, variables as opener_variables};
pub use walk::{WalkEnd, Walker};

/// Who goes where the client wants its user to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserAgent {
    /// authtape itself: follows redirects and nothing else.
    Auto,
    /// The person's own browser.
    System,
    /// A browser with a profile of its own behind the proxy.
    Chromium,
    /// Nobody.
    None,
}

/// Which of several opened URLs is completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The first of the session; later ones are ignored.
    First,
    /// Of those that follow one another within a second, the last.
    Last,
    /// Every one.
    #[default]
    All,
}
