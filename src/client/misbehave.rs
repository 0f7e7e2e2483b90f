//! What the client does wrong when it is told to: each value makes one decision of it wrong, and bears the name of the rule that
//! finds this wrong in a run. Knows the names only; the decisions are where they are made.

use super::Options;
use clap::ValueEnum;

/// A decision that the client makes wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Misbehaviour {
    /// Begins a login that was refused again and again
    AuthLoop,
    /// Waits for the browser without end
    CallbackNeverReceived,
    /// Proves itself in another way than it was registered for
    ClientAuthMismatch,
    /// Exchanges a code a second time
    CodeReplayed,
    /// Takes the browser's answer whatever issuer it names
    IssNotValidated,
    /// Sends another redirect URI than it registered
    RedirectUriMismatch,
    /// Stays with a client id that the server has refused
    StaleClientReused,
    /// Takes the browser's answer whatever its state is
    StateMismatchAccepted,
    /// Asks for authorization without a state
    StateMissing,
    /// Takes a server that is busy for one that has refused the refresh token: forgets the tokens and logs in
    CredentialsDroppedOnTransient,
    /// Registers anew for each login, whatever is stored
    RedundantRegistration,
    /// Logs in where it could refresh
    RefreshTokenUnused,
}

impl Options {
    /// True when this decision is to be made wrongly.
    pub(super) fn misbehaves(&self, how: Misbehaviour) -> bool {
        self.misbehave == Some(how)
    }
}
