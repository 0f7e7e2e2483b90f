//! What no specification decides, as data: one struct for an authorization server, one for an MCP server. A tape that shows
//! a policy fills it in; the defaults here are the stated ones for the rest.

use super::Scope;
use std::time::Duration;

/// How an authorization server behaves where servers differ.
#[derive(Clone, Debug, PartialEq)]
pub struct IssuerPolicy {
    /// Whether a refresh gives a new refresh token.
    pub rotation: Rotation,
    /// What a rotated refresh token does beyond its grace.
    pub reuse: Reuse,
    /// How long a rotated refresh token still answers with the current generation.
    pub grace: Duration,
    /// What happens to the earlier access tokens of a family at a refresh.
    pub old_access: OldAccess,
    /// What a second registration of the same client does.
    pub reregistration: Reregistration,
    /// Who may register.
    pub registration: Registration,
    /// Whether authorization demands PKCE.
    pub require_pkce: bool,
    /// The `resource` parameter at the authorization endpoint.
    pub resource_at_authorize: ResourceRule,
    /// The `resource` parameter of a code exchange.
    pub resource_at_token: ResourceRule,
    /// The `resource` parameter of a refresh.
    pub resource_at_refresh: ResourceRule,
    /// How a redirect URI is compared with the registered ones.
    pub redirect: RedirectRule,
    /// Who gets a refresh token.
    pub refresh_issue: RefreshIssue,
    /// The lifetime of an access token.
    pub access_ttl: Duration,
    /// The lifetime of a refresh token; `None` for one without end.
    pub refresh_ttl: Option<Duration>,
    /// The lifetime of a code.
    pub code_ttl: Duration,
    /// What revoking an access token ends.
    pub access_revocation: AccessRevocation,
    /// What a refresh token does in the hands of another client.
    pub foreign_refresh: Reuse,
    /// What the person at the authorization endpoint says.
    pub consent: Consent,
    /// Whether `iss` is advertised and sent (RFC 9207).
    pub send_iss: bool,
    /// Whether a URL is accepted as a client id (client id metadata documents).
    pub client_documents: bool,
    /// The authentication methods of clients that are advertised and accepted, the preferred one first.
    pub auth_methods: Vec<AuthMethod>,
    /// How a client proves itself that names no method when it registers (RFC 7591 §2: with HTTP Basic).
    pub unnamed_auth: UnnamedAuth,
    /// The known scopes; empty when every scope is known.
    pub scopes: Scope,
    /// Under which well-known names the metadata is served.
    pub metadata: Vec<WellKnown>,
    /// Whether the metadata advertises `S256`.
    pub advertise_pkce: bool,
    /// The subject of every grant.
    pub subject: String,
}

/// How an MCP server behaves where servers differ.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerPolicy {
    /// The protocol versions it speaks, newest first.
    pub versions: Vec<String>,
    /// Whether an older client must keep a session.
    pub session_required: bool,
    /// Whether it offers a GET stream to older clients.
    pub get_stream: bool,
    /// How it answers the requests of older clients.
    pub reply: ReplyForm,
    /// The scope that every request needs.
    pub scope: Scope,
    /// The further scopes that a tool needs.
    pub tool_scopes: Vec<(String, Scope)>,
    /// Whether an access token must have been issued for this server.
    pub check_audience: bool,
    /// Where its protected resource metadata is served.
    pub metadata: ResourceMetadata,
    /// Whether a 401 names the metadata.
    pub metadata_in_challenge: bool,
    /// The client capabilities without which no request is answered (2026-07-28).
    pub required_capabilities: Vec<String>,
    /// The origins a browser may come from besides its own, `*` for all; others get a 403.
    pub origins: Vec<String>,
    /// Whether a bearer is needed at all.
    pub protected: bool,
    /// The methods that need none all the same: of JSON-RPC, or of HTTP where there is no message.
    pub open_methods: Vec<String>,
}

/// Whether a refresh gives a new refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Each refresh replaces the refresh token (OAuth 2.1 §4.3.1 for public clients).
    Strict,
    /// The refresh token stays, and the answer does not repeat it.
    Never,
}

/// What a refresh token in the wrong place does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// The grant is revoked with everything in it (RFC 9700 §4.14.2).
    RevokeFamily,
    /// Only this request is refused.
    Refuse,
}

/// What happens to the earlier access tokens at a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldAccess {
    /// They live until they expire.
    Keep,
    /// They end at once.
    Revoke,
}

/// What a second registration of the same client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reregistration {
    /// A new client beside the old one, whose grants it cannot reach.
    Orphan,
    /// A new client; the old one and its grants end.
    Supersede,
    /// The old client again.
    SameId,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Everybody (RFC 7591 §3).
    Open,
    /// Nobody.
    Closed,
    /// Only so many clients.
    Limit(usize),
}

/// What is expected of the `resource` parameter (RFC 8707 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceRule {
    /// It is not looked at.
    Ignore,
    /// Its presence is an error.
    Forbid,
    /// It may be absent; one that is there names a known resource, a slash at the end aside.
    Allow,
    /// It names a known resource, a slash at the end aside.
    Require,
    /// It names a known resource, byte for byte.
    Exact,
}

/// How a redirect URI is compared with the registered ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedirectRule {
    /// How much of it counts.
    pub matching: RedirectMatching,
    /// Whether the port of a loopback URI is free (RFC 8252 §7.3).
    pub loopback_port_free: bool,
}

/// How much of a redirect URI counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectMatching {
    /// All of it (RFC 9700 §2.1).
    Exact,
    /// Scheme, host, port and path; the query is free.
    Path,
    /// Scheme, host and port.
    Host,
}

/// Who gets a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshIssue {
    /// Every client of the authorization code flow, whatever it registered.
    Always,
    /// A client that registered the grant type.
    WhenRegistered,
    /// A grant with the scope `offline_access`.
    OfflineAccess,
    /// Nobody.
    Never,
}

/// What revoking an access token ends (RFC 7009 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRevocation {
    /// That token.
    Token,
    /// The whole grant.
    Grant,
}

/// What the person at the authorization endpoint says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Yes.
    Granted,
    /// No (`access_denied`).
    Denied,
    /// The server is overloaded (`temporarily_unavailable`).
    Unavailable,
}

/// How a client proves at the token endpoint who it is (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// Not at all: a public client.
    None,
    /// HTTP Basic.
    Basic,
    /// Parameters in the body.
    Post,
}

/// How a client proves itself that named no method when it registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnnamedAuth {
    /// With HTTP Basic, and no other way (RFC 7591 §2).
    Basic,
    /// With the secret that it got, in any advertised way; as many servers do.
    Advertised,
}

/// Under which well-known name metadata is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WellKnown {
    /// `/.well-known/oauth-authorization-server{path}` (RFC 8414 §3.1).
    OAuth,
    /// `/.well-known/openid-configuration{path}` (RFC 8414 §5).
    OpenIdInserted,
    /// `{path}/.well-known/openid-configuration` (OpenID Connect Discovery §4).
    OpenIdAppended,
}

/// Where protected resource metadata is served (RFC 9728 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceMetadata {
    /// At the well-known name with the path of the resource behind it.
    Inserted,
    /// At the well-known name of the root only.
    Root,
    /// At this URL only.
    At(String),
    /// Nowhere.
    Nowhere,
}

/// How a server answers the requests of older clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyForm {
    /// As JSON.
    Json,
    /// As a stream of events.
    Stream,
    /// As a stream that is closed before the answer, which comes when it is resumed (SEP-1699).
    Poll,
}

impl Default for IssuerPolicy {
    fn default() -> Self {
        Self {
            rotation: Rotation::Strict,
            reuse: Reuse::RevokeFamily,
            grace: Duration::ZERO,
            old_access: OldAccess::Keep,
            reregistration: Reregistration::Orphan,
            registration: Registration::Open,
            require_pkce: true,
            resource_at_authorize: ResourceRule::Allow,
            resource_at_token: ResourceRule::Allow,
            resource_at_refresh: ResourceRule::Allow,
            redirect: RedirectRule { matching: RedirectMatching::Exact, loopback_port_free: true },
            refresh_issue: RefreshIssue::WhenRegistered,
            access_ttl: Duration::from_secs(3600),
            refresh_ttl: None,
            code_ttl: Duration::from_secs(60),
            access_revocation: AccessRevocation::Token,
            foreign_refresh: Reuse::RevokeFamily,
            consent: Consent::Granted,
            send_iss: true,
            client_documents: false,
            auth_methods: vec![AuthMethod::None, AuthMethod::Post, AuthMethod::Basic],
            unnamed_auth: UnnamedAuth::Basic,
            scopes: Scope::default(),
            metadata: vec![WellKnown::OAuth],
            advertise_pkce: true,
            subject: "ada".to_owned(),
        }
    }
}

impl Default for ServerPolicy {
    fn default() -> Self {
        Self {
            versions: ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"].map(str::to_owned).into(),
            session_required: true,
            get_stream: true,
            reply: ReplyForm::Json,
            scope: Scope::default(),
            tool_scopes: Vec::new(),
            check_audience: true,
            metadata: ResourceMetadata::Inserted,
            metadata_in_challenge: true,
            required_capabilities: Vec::new(),
            origins: Vec::new(),
            protected: true,
            open_methods: Vec::new(),
        }
    }
}

impl AuthMethod {
    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }

    /// Reads a registered name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::None, Self::Basic, Self::Post].into_iter().find(|method| method.name() == name)
    }
}
