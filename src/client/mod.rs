//! Layer 9: the reference client, a correct MCP client with OAuth. Its OAuth is our own, so that it can misbehave on
//! request ([`Misbehaviour`]); each decision a client may get wrong is one function here.
//!
//! Speaks MCP 2026-07-28 and falls back to 2025-11-25 and earlier. Does not print and does not read the environment, except
//! that reqwest takes proxies and roots from it: what a person should hear are [`Note`]s, what came of it is a [`Report`].

mod annotation;
mod authorize;
mod bearer;
mod browser;
mod callback;
mod discovery;
mod http;
mod legacy;
mod listen;
mod login;
mod misbehave;
mod modern;
mod registration;
mod rpc;
mod scope;
mod session;
mod store;
mod token;
mod transport;

pub use authorize::AuthorizeError;
pub use browser::Browser;
pub use discovery::DiscoveryError;
pub use http::HttpError;
pub use misbehave::Misbehaviour;
pub use registration::RegistrationError;
pub use store::{Store, StoreError};
pub use token::TokenError;

use serde_json::{Value, json};
use session::Session;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use transport::Transport;
use url::Url;

/// How the client goes about it.
#[derive(Clone)]
pub struct Options {
    /// Where credentials are kept.
    pub store: Store,
    /// How a browser is opened.
    pub browser: Browser,
    /// The id of a client that was registered beforehand.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<String>,
    /// The URL of a client id metadata document.
    pub client_metadata_url: Option<Url>,
    /// The port of the redirect URI; any free one when absent.
    pub redirect_port: Option<u16>,
    /// How long the browser is waited for.
    pub login_limit: Duration,
    /// How long one answer may take.
    pub answer_limit: Duration,
    /// What it is to do wrong.
    pub misbehave: Option<Misbehaviour>,
    /// Who hears what happens.
    pub notes: Notes,
}

/// What the client is to do, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// Ends the stored tokens at the server and forgets them; nothing else is done.
    pub log_out: bool,
    /// Forgets the stored tokens first.
    pub log_in: bool,
    /// Lists the tools.
    pub list: bool,
    /// Calls a tool with these arguments.
    pub call: Option<(String, Value)>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Who the server is; `None` after a logout.
    pub server: Option<ServerInfo>,
    /// The tools, if they were listed.
    pub tools: Option<Vec<Tool>>,
    /// The result of the tool, if one was called.
    pub result: Option<Value>,
    /// Whether there was something to log out from, if that was the task.
    pub logged_out: Option<bool>,
}

/// Who a server says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The protocol version spoken with it.
    pub protocol: String,
}

/// A tool of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// What its arguments look like.
    pub input_schema: Value,
}

/// Something a person should hear while it happens.
#[derive(Clone, PartialEq, Eq)]
pub enum Note {
    /// This client was registered at the authorization server.
    Registered(String),
    /// A browser was started with the login page.
    BrowserOpened(String),
    /// No browser could be started: the person opens this URL.
    OpenThis(String),
    /// The login gave tokens.
    LoggedIn,
    /// The access token was refreshed.
    Refreshed,
    /// A refresh ahead of time failed; the old token is still good.
    RefreshPostponed(String),
    /// The refresh token does not hold any more; a login is next.
    GrantEnded(String),
    /// The registration does not hold any more; a new one is next.
    ClientEnded(String),
    /// The server wants more scope; a login is next.
    SteppingUp(String),
    /// The server did not revoke the tokens that were forgotten.
    NotRevoked,
}

/// Who hears the notes.
#[derive(Clone)]
pub struct Notes(Arc<dyn Fn(&Note) + Send + Sync>);

/// Why the client failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No authorization server.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// No client identity.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// No code.
    #[error(transparent)]
    Authorize(#[from] AuthorizeError),
    /// No tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Even a token fresh from a login is refused.
    #[error("{0} answers 401 even to a token from a new login")]
    TokenRefused(String),
    /// Even a wider scope is not enough.
    #[error("the server still wants more scope ({0}) after three logins")]
    ScopeRefused(String),
    /// The client is not accepted, a new registration neither.
    #[error("the client is not accepted: {0}")]
    ClientRefused(String),
    /// The server answered with a JSON-RPC error.
    #[error("the server answered: {message} ({code})")]
    Rpc {
        /// Its code.
        code: i64,
        /// Its message.
        message: String,
        /// Its data.
        data: Value,
    },
    /// The server answered with a status and no message.
    #[error("the server answered {method} with status {status}")]
    Status {
        /// The status.
        status: u16,
        /// The method that was asked.
        method: String,
    },
    /// The answer ended without the response.
    #[error("the server ended its answer without a response")]
    NoAnswer,
    /// No protocol version in common.
    #[error("no protocol version in common; the server speaks {0}")]
    NoCommonVersion(String),
}

/// Does a task with the MCP server at `server`.
///
/// # Errors
/// See [`ClientError`]; [`ClientError::is_refusal`] tells a server that said no from a task that could not be done.
pub async fn run(server: Url, task: &Task, options: Options) -> Result<Report, ClientError> {
    let http = http::Http::new(options.answer_limit)?;
    let mut transport = Transport::new(http, Arc::new(options), server);
    if task.log_out {
        let logged_out = Some(transport.bearer().log_out().await?);
        return Ok(Report { logged_out, ..Report::default() });
    }
    if task.log_in {
        transport.bearer().forget().await?;
    }
    let mut session = Session::open(&mut transport).await?;
    let done = within(&mut session, &mut transport, task).await;
    session.close(&mut transport).await;
    done
}

async fn within(session: &mut Session, transport: &mut Transport, task: &Task) -> Result<Report, ClientError> {
    let mut report = Report { server: Some(session.info().clone()), ..Report::default() };
    if task.list {
        report.tools = Some(session.tools(transport).await?);
    }
    if let Some((name, arguments)) = &task.call {
        report.result = Some(session.call(transport, name, arguments).await?);
    }
    Ok(report)
}

impl ClientError {
    /// True when a server understood and said no; false when there was no proper answer.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Rpc { .. } | Self::TokenRefused(_) | Self::ScopeRefused(_) | Self::ClientRefused(_) => true,
            Self::Status { status, .. } => *status < 500,
            Self::Registration(error) => matches!(error, RegistrationError::Refused { .. } | RegistrationError::OtherRedirect(_)),
            Self::Authorize(error) => !matches!(error, AuthorizeError::Random(_) | AuthorizeError::Listen(_) | AuthorizeError::TimedOut(_)),
            Self::Token(error) => {
                matches!(error, TokenError::InvalidGrant { .. } | TokenError::InvalidClient { .. } | TokenError::Refused { .. })
            }
            _ => false,
        }
    }
}

impl ServerInfo {
    fn of(info: &Value, protocol: &str) -> Self {
        let text = |name: &str| info[name].as_str().unwrap_or_default().to_owned();
        Self { name: text("name"), version: text("version"), protocol: protocol.to_owned() }
    }
}

impl Tool {
    fn of(tool: &Value) -> Self {
        let text = |name: &str| tool[name].as_str().unwrap_or_default().to_owned();
        Self { name: text("name"), description: text("description"), input_schema: tool["inputSchema"].clone() }
    }
}

impl Notes {
    /// Tells this function.
    pub fn to(hear: impl Fn(&Note) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    fn say(&self, note: &Note) {
        (self.0)(note);
    }
}

/// Who we say we are.
fn client_info() -> Value {
    json!({"name": "authtape", "version": env!("CARGO_PKG_VERSION")})
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("store", &self.store).field("browser", &self.browser).finish_non_exhaustive()
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notes")
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Note")
    }
}
