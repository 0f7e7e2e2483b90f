//! The closed list of kinds. A kind says what an exchange is for; the URL or the path never decides it alone.

use std::fmt;
use std::str::FromStr;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What an exchange is for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// Every kind, in the order of a login.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in cassettes and reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// Protected resource metadata (RFC 9728 §3).
    Prm = "prm",
    /// Authorization server metadata (RFC 8414 §3).
    AsMetadata = "as-metadata",
    /// OpenID provider configuration (OpenID Connect Discovery §4).
    OidcConfig = "oidc-config",
    /// A key set (RFC 7517 §5).
    Jwks = "jwks",
    /// A client id metadata document (MCP 2025-11-25, SEP-991).
    CimdDoc = "cimd-doc",
    /// Dynamic client registration (RFC 7591 §3).
    DcrCreate = "dcr-create",
    /// Registration management (RFC 7592 §2).
    DcrManage = "dcr-manage",
    /// A pushed authorization request (RFC 9126 §2).
    Par = "par",
    /// An authorization request (RFC 6749 §4.1.1).
    Authorize = "authorize",
    /// The redirect back to the client (RFC 6749 §4.1.2).
    Callback = "callback",
    /// A device authorization request (RFC 8628 §3.1).
    DeviceAuthorize = "device-authorize",
    /// A token request with a code (RFC 6749 §4.1.3).
    TokenCode = "token-code",
    /// A token request with a refresh token (RFC 6749 §6).
    TokenRefresh = "token-refresh",
    /// A token request with client credentials (RFC 6749 §4.4.2).
    TokenClientCredentials = "token-client-credentials",
    /// A token exchange (RFC 8693 §2.1).
    TokenExchange = "token-exchange",
    /// A token request with a JWT assertion (RFC 7523 §2.1).
    TokenJwtBearer = "token-jwt-bearer",
    /// A token request with a device code (RFC 8628 §3.4).
    TokenDevice = "token-device",
    /// A token request of any other grant.
    TokenOther = "token-other",
    /// A revocation (RFC 7009 §2.1).
    Revoke = "revoke",
    /// An introspection (RFC 7662 §2.1).
    Introspect = "introspect",
    /// The userinfo endpoint (OpenID Connect Core §5.3).
    Userinfo = "userinfo",
    /// A vendor's endpoint that a login calls with the new bearer: profile, roles, organizations.
    AccountApi = "account-api",
    /// A JSON-RPC request over HTTP POST.
    McpRequest = "mcp-request",
    /// A JSON-RPC notification over HTTP POST.
    McpNotification = "mcp-notification",
    /// A JSON-RPC response over HTTP POST.
    McpResponse = "mcp-response",
    /// A JSON-RPC batch over HTTP POST (MCP 2025-03-26).
    McpBatch = "mcp-batch",
    /// The stream a client opens with GET (2025-11-25 and earlier).
    McpGetStream = "mcp-get-stream",
    /// A stream that is resumed with `Last-Event-ID` (2025-11-25 and earlier).
    McpResume = "mcp-resume",
    /// The end of a session with DELETE (2025-11-25 and earlier).
    McpDelete = "mcp-delete",
    /// The stream of the HTTP+SSE transport (2024-11-05).
    SseLegacyOpen = "sse-legacy-open",
    /// A message of the HTTP+SSE transport (2024-11-05).
    SseLegacyPost = "sse-legacy-post",
    /// A model's API, stored as a head.
    LlmApi = "llm-api",
    /// A vendor's telemetry; only counted.
    Telemetry = "telemetry",
    /// A CORS preflight (Fetch §3.2.2); only counted.
    Preflight = "preflight",
    /// Anything else; only counted.
    Other = "other",
}

impl Kind {
    /// True for a request at a token endpoint.
    pub fn is_token(self) -> bool {
        matches!(
            self,
            Self::TokenCode
                | Self::TokenRefresh
                | Self::TokenClientCredentials
                | Self::TokenExchange
                | Self::TokenJwtBearer
                | Self::TokenDevice
                | Self::TokenOther
        )
    }

    /// True for traffic with an MCP server, discovery excluded.
    pub fn is_mcp(self) -> bool {
        matches!(
            self,
            Self::McpRequest
                | Self::McpNotification
                | Self::McpResponse
                | Self::McpBatch
                | Self::McpGetStream
                | Self::McpResume
                | Self::McpDelete
                | Self::SseLegacyOpen
                | Self::SseLegacyPost
        )
    }

    /// True when an exchange of this kind becomes an interaction; the others are only counted.
    pub fn is_stored(self) -> bool {
        !matches!(self, Self::Telemetry | Self::Preflight | Self::Other)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind {0:?}")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_unique() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
        let names: std::collections::HashSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert!("token".parse::<Kind>().is_err());
    }
}
