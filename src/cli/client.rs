//! `authtape client`: the reference client.

use super::format::Format;
use super::terminal::{harmless, harmless_line, one_line};
use super::{CliError, Exit, Terminal};
use crate::client::{self, AuthorizeError, Browser, ClientError, HttpError, Misbehaviour, Note, Notes, Options, Report, Store, Task};
use clap::Args;
use serde_json::{Value, json};
use std::env;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Talk to an MCP server as a correct client would
///
/// Logs in through the browser when the server asks for it, keeps what it is given in a file that only you can read, and
/// refreshes it in time. Speaks MCP 2026-07-28 and falls back to 2025-11-25 and earlier. Without --list and --tool it connects
/// and says who answered.
///
/// Goes through the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY unless NO_PROXY excepts the host, and trusts the system's
/// certificates or those in SSL_CERT_FILE. The browser is $BROWSER, or xdg-open; where neither starts, the address is printed.
///
/// Exit codes: 0 done, 1 a server or the tool refused, 2 usage, 4 could not run.
#[derive(Debug, Args)]
pub(super) struct ClientArguments {
    /// URL of the MCP server
    url: Url,
    /// List the server's tools
    #[arg(long)]
    list: bool,
    /// Call this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Arguments of the tool, a JSON object
    #[arg(long, value_name = "JSON", requires = "tool", value_parser = json_object, default_value = "{}", hide_default_value = true)]
    arguments: Value,
    /// File that keeps the credentials [default: authtape/client.json in the user's data directory]
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// Forget the stored tokens of this server and log in again
    #[arg(long, conflicts_with = "logout")]
    login: bool,
    /// Revoke the stored tokens of this server, forget them, and do nothing else
    #[arg(long, conflicts_with_all = ["list", "tool"])]
    logout: bool,
    /// How long to wait for the browser to come back, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    /// How long one answer of a server may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    answer_timeout: u64,
    /// Port on 127.0.0.1 to which the browser comes back [default: any free one]
    #[arg(long, value_name = "PORT")]
    redirect_port: Option<u16>,
    /// Id of a client that was registered beforehand
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Secret of that client
    #[arg(long, value_name = "SECRET", requires = "client_id", env = "AUTHTAPE_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<Secret>,
    /// URL of a client id metadata document, used where the authorization server supports them
    #[arg(long, value_name = "URL", conflicts_with = "client_id")]
    client_metadata_url: Option<Url>,
    /// Make this decision wrongly, as broken clients do; each is named after the rule that finds it
    #[arg(long, value_enum, value_name = "NAME")]
    misbehave: Option<Misbehaviour>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A secret of the command line, which no debug output shows.
#[derive(Clone)]
struct Secret(String);

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Runs the command.
pub(super) fn run(arguments: ClientArguments, terminal: &mut Terminal) -> Result<Exit, CliError> {
    if !matches!(arguments.url.scheme(), "http" | "https") {
        return Err(CliError::new(Exit::USAGE, format_args!("{} is no http or https URL", arguments.url)));
    }
    let format = arguments.format;
    let (url, task, options) = arguments.split()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::new(Exit::CANNOT_RUN, format_args!("failed to start: {error}")))?;
    let report = runtime.block_on(client::run(url, &task, options)).map_err(|error| failure(&error))?;
    let has_failed = report.result.as_ref().is_some_and(|result| result["isError"] == true);
    let text = match format {
        Format::Human => for_people(&report),
        Format::Json => format!("{:#}\n", as_json(&report)),
    };
    terminal.print(&text)?;
    Ok(if has_failed { Exit::FINDINGS } else { Exit::OK })
}

impl ClientArguments {
    fn split(self) -> Result<(Url, Task, Options), CliError> {
        let call = self.tool.map(|name| (name, self.arguments));
        let task = Task { log_out: self.logout, log_in: self.login, list: self.list, call };
        let store = self.store.or_else(default_store);
        let store = store.ok_or_else(|| CliError::new(Exit::USAGE, "there is no home directory").hint("name a file with --store"))?;
        let options = Options {
            store: Store::at(store),
            browser: Browser { command: env::var("BROWSER").ok() },
            client_id: self.client_id,
            client_secret: self.client_secret.map(|secret| secret.0),
            client_metadata_url: self.client_metadata_url,
            redirect_port: self.redirect_port,
            login_limit: Duration::from_secs(self.timeout),
            answer_limit: Duration::from_secs(self.answer_timeout),
            misbehave: self.misbehave,
            notes: Notes::to(|note| Terminal::new().talk(harmless(&line(note)))),
        };
        Ok((self.url, task, options))
    }
}

fn json_object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(Value::Object(members)),
        Ok(_) => Err("not a JSON object".to_owned()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

fn default_store() -> Option<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = named("XDG_DATA_HOME").or_else(|| Some(named("HOME")?.join(".local/share")))?;
    Some(data.join("authtape/client.json"))
}

fn line(note: &Note) -> String {
    match note {
        Note::Registered(issuer) => format!("registered at {issuer}"),
        Note::BrowserOpened(name) => format!("opened the login page with {name}; waiting for it to come back"),
        Note::OpenThis(url) => format!("no browser could be started; open this address to log in:\n{url}"),
        Note::LoggedIn => "logged in".to_owned(),
        Note::Refreshed => "refreshed the access token".to_owned(),
        Note::RefreshPostponed(reason) => format!("the access token was not refreshed ahead of time: {reason}"),
        Note::GrantEnded(reason) => format!("{reason}; logging in again"),
        Note::ClientEnded(reason) => format!("{reason}; registering again"),
        Note::SteppingUp(scope) => format!("the server wants more scope ({scope}); logging in again"),
        Note::NotRevoked => "the server did not confirm that the tokens are revoked: they may still be good".to_owned(),
    }
}

fn failure(error: &ClientError) -> CliError {
    let exit = if error.is_refusal() { Exit::FINDINGS } else { Exit::CANNOT_RUN };
    let failed = CliError::new(exit, error);
    match error {
        ClientError::Authorize(AuthorizeError::TimedOut(_)) => failed.hint("give the person more time with --timeout"),
        ClientError::Http(HttpError::TimedOut { .. }) => failed.hint("give the server more time with --answer-timeout"),
        ClientError::Http(HttpError::NoAnswer { reason, .. }) if reason.contains("certificate") => {
            failed.hint("name the certificate of the authority that signed it in SSL_CERT_FILE")
        }
        ClientError::TokenRefused(_) => failed.hint("the server refuses what its own authorization server issues; record it and look"),
        ClientError::Store(_) => failed.hint("name another file with --store"),
        _ => failed,
    }
}

fn for_people(report: &Report) -> String {
    let mut text = String::new();
    match report.logged_out {
        Some(true) => text.push_str("logged out\n"),
        Some(false) => text.push_str("there was no login\n"),
        None => {}
    }
    if let Some(server) = &report.server {
        let about = format!("{} {}, MCP {}", server.name, server.version, server.protocol);
        text.extend([one_line(&about).as_str(), "\n"]);
    }
    for tool in report.tools.iter().flatten() {
        let description = tool.description.lines().next().unwrap_or_default();
        text.extend(["  ", one_line(&format!("{:<20} {description}", tool.name)).trim_end(), "\n"]);
    }
    for content in report.result.iter().flat_map(|result| result["content"].as_array()).flatten() {
        let shown = content["text"].as_str().map_or_else(|| content.to_string(), str::to_owned);
        shown.split('\n').for_each(|line| text.extend([harmless_line(line).as_str(), "\n"]));
    }
    text
}

fn as_json(report: &Report) -> Value {
    let mut document = json!({});
    if let Some(server) = &report.server {
        document["server"] = json!({"name": server.name, "version": server.version, "protocol": server.protocol});
    }
    if let Some(tools) = &report.tools {
        document["tools"] = tools
            .iter()
            .map(|tool| json!({"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}))
            .collect();
    }
    if let Some(result) = &report.result {
        document["result"] = result.clone();
    }
    if let Some(logged_out) = report.logged_out {
        document["logged_out"] = json!(logged_out);
    }
    document
}
