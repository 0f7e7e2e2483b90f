//! What the client does wrong when it is told to: each value makes one decision of it wrong, and bears the name of the rule that
//! finds this wrong in a run. Knows the names only; the decisions are where they are made.

use super::Options;
use clap::ValueEnum;

/// A decision that the client makes wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Misbehaviour {
    /// Asks a person again and again while the server refuses what comes of it
    AuthLoop,
    /// Takes a server that is busy for one that has refused the refresh token: forgets the tokens and logs in
    CredentialsDroppedOnTransient,
    /// Opens the GET stream again and again, without a wait
    GetStreamStorm,
    /// Registers anew for each login, whatever is stored
    RedundantRegistration,
    /// Logs in where it could refresh
    RefreshTokenUnused,
    /// Does not come back for the rest of a stream that broke off
    SseResumeMissing,
    /// Goes on with a session that the server has forgotten
    StaleSessionIdReuse,
    /// Repeats a request that lacks scope instead of asking for more
    StepUpIgnored,
    /// Asks for the missing scope alone, without what was granted
    StepUpScopeLost,
    /// Repeats a refused request with the same bearer
    UnauthorizedRetryLoop,
}

impl Options {
    /// True when this decision is to be made wrongly.
    pub(super) fn misbehaves(&self, how: Misbehaviour) -> bool {
        self.misbehave == Some(how)
    }
}
