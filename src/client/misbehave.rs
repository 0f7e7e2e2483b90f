//! What the client does wrong when it is told to: each value makes one decision of it wrong, and bears the name of the rule that
//! finds this wrong in a run. Knows the names only; the decisions are where they are made.

use super::Options;
use clap::ValueEnum;

/// A decision that the client makes wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Misbehaviour {
    /// Begins a login where the server forbids without a challenge, or asks for another scheme than Bearer
    AuthFlowWithoutChallenge,
    /// Begins a login that was refused again and again
    AuthLoop,
    /// Waits for the browser without end
    CallbackNeverReceived,
    /// Proves itself in another way than it was registered for
    ClientAuthMismatch,
    /// Exchanges a code a second time
    CodeReplayed,
    /// Takes a server that is busy for one that has refused the refresh token: forgets the tokens and logs in
    CredentialsDroppedOnTransient,
    /// Takes the client id of one authorization server to another
    CrossAsClientReuse,
    /// Looks for metadata under the first well-known name only, whatever a challenge names
    DiscoveryOrder,
    /// Guesses endpoints where metadata cannot be had or does not name them
    EndpointNotFromMetadata,
    /// Opens the GET stream again and again, without a wait
    GetStreamStorm,
    /// Takes the browser's answer whatever issuer it names
    IssNotValidated,
    /// Uses the metadata of another issuer
    IssuerMismatchAccepted,
    /// Goes on where nothing says that PKCE is supported
    PkceSupportUnverified,
    /// Sends another redirect URI than it registered
    RedirectUriMismatch,
    /// Registers anew for each login, whatever is stored
    RedundantRegistration,
    /// Logs in where it could refresh
    RefreshTokenUnused,
    /// Sends the name of the resource as its URL parser writes it, not as the server does
    ResourceParamMismatch,
    /// Does not come back for the rest of a stream that broke off
    SseResumeMissing,
    /// Stays with a client id that the server has refused
    StaleClientReused,
    /// Goes on with a session that the server has forgotten
    StaleSessionIdReuse,
    /// Takes the browser's answer whatever its state is
    StateMismatchAccepted,
    /// Asks for authorization without a state
    StateMissing,
    /// Repeats a request that lacks scope instead of asking for more
    StepUpIgnored,
    /// Asks for the missing scope alone, without what was granted
    StepUpScopeLost,
    /// Follows a redirect to any origin with the bearer
    TokenSentElsewhere,
    /// Repeats a refused request with the same bearer
    UnauthorizedRetryLoop,
    /// Uses the resource metadata of another resource
    WrongAudience,
}

impl Options {
    /// True when this decision is to be made wrongly.
    pub(super) fn misbehaves(&self, how: Misbehaviour) -> bool {
        self.misbehave == Some(how)
    }
}
