//! The credential store: one JSON file that only its owner reads (0600), replaced as a whole, and a lock beside it under
//! which alone it is changed. Tokens are kept by server and issuer, registrations by issuer: neither crosses to another
//! authorization server (MCP 2026-07-28, SEP-2352).

use super::discovery::Metadata;
use super::registration::Registered;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long it takes until a taken lock is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);
/// How long before its end an access token is refreshed, at most.
const MARGIN: u64 = 30;

/// Where credentials are kept between runs.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
}

/// What the store holds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Credentials {
    /// By URL of the MCP server.
    #[serde(default)]
    pub(super) servers: BTreeMap<String, ServerEntry>,
    /// By issuer identifier.
    #[serde(default)]
    pub(super) issuers: BTreeMap<String, IssuerEntry>,
}

/// What is known of an MCP server.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ServerEntry {
    /// The authorization server in use.
    pub(super) issuer: String,
    /// The name of the resource, as the server writes it (RFC 9728 §2).
    pub(super) resource: String,
    /// By issuer identifier.
    #[serde(default)]
    pub(super) tokens: BTreeMap<String, Tokens>,
}

/// What is known of an authorization server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct IssuerEntry {
    /// Its metadata.
    pub(super) metadata: Metadata,
    /// The client that was registered there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<Registered>,
}

/// The tokens of one grant.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tokens {
    /// The access token.
    pub(super) access_token: String,
    /// The refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<String>,
    /// When the access token ends, in seconds since the Unix epoch; `None` when the server did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<u64>,
    /// Its whole lifetime in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lifetime: Option<u64>,
    /// What was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
    /// How the refresh token was refused last, where that said nothing known about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be read or written.
    #[error("failed to use the credential store {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is no store.
    #[error("{}:{}:{}: not a credential store: {reason}", .path.display(), .line, .column)]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// The kind of error; never a value of the file.
        reason: &'static str,
    },
    /// Another process holds the lock.
    #[error("another process has held the credential store {} for {} s", .path.display(), .limit.as_secs())]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long it was waited.
        limit: Duration,
    },
}

/// The right to change the store, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held for its drop")] Flock<File>);

impl Store {
    /// A store in this file, which need not exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the store; one that does not exist is empty.
    pub(super) fn load(&self) -> Result<Credentials, StoreError> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Credentials::default()),
            Err(source) => return Err(self.io(source)),
        };
        serde_json::from_slice(&text).map_err(|error| StoreError::Broken {
            path: self.path.clone(),
            line: error.line(),
            column: error.column(),
            reason: match error.classify() {
                serde_json::error::Category::Eof => "it ends too early",
                serde_json::error::Category::Data => "a member is missing or of the wrong type",
                _ => "it is no JSON",
            },
        })
    }

    /// Changes the store under its lock: reads it anew, changes it, replaces the file.
    pub(super) fn change(&self, _held: &Lock, change: impl FnOnce(&mut Credentials)) -> Result<(), StoreError> {
        let mut credentials = self.load()?;
        change(&mut credentials);
        let text = serde_json::to_vec_pretty(&credentials).map_err(|error| self.io(error.into()))?;
        self.replace(&text).map_err(|source| self.io(source))
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        // A temporary file of this crate is 0600 from its first moment.
        let mut file = tempfile::Builder::new().prefix(".authtape-").tempfile_in(self.folder())?;
        file.write_all(text)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }

    /// Waits for the right to change the store.
    pub(super) async fn lock(&self, limit: Duration) -> Result<Lock, StoreError> {
        std::fs::create_dir_all(self.folder()).map_err(|source| self.io(source))?;
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        let mut options = OpenOptions::new();
        let mut file = options.create(true).truncate(false).write(true).mode(0o600).open(path).map_err(|source| self.io(source))?;
        let begun = Instant::now();
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Lock(lock)),
                Err((returned, nix::errno::Errno::EWOULDBLOCK | nix::errno::Errno::EINTR)) => file = returned,
                Err((_, errno)) => return Err(self.io(errno.into())),
            }
            if begun.elapsed() > limit {
                return Err(StoreError::Locked { path: self.path.clone(), limit });
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn io(&self, source: io::Error) -> StoreError {
        StoreError::Io { path: self.path.clone(), source }
    }
}

impl Credentials {
    /// The tokens for a server from the authorization server in use.
    pub(super) fn tokens(&self, server: &str) -> Option<&Tokens> {
        let entry = self.servers.get(server)?;
        entry.tokens.get(&entry.issuer)
    }

    /// The entry of the authorization server in use for a server.
    pub(super) fn issuer_of(&self, server: &str) -> Option<&IssuerEntry> {
        self.issuers.get(&self.servers.get(server)?.issuer)
    }
}

impl Tokens {
    /// True when the access token has ended.
    pub(super) fn has_ended(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    /// True when it is time to refresh: 30 s before the end, or a quarter of a shorter life.
    pub(super) fn is_due(&self, now: u64) -> bool {
        let margin = self.lifetime.map_or(MARGIN, |lifetime| MARGIN.min(lifetime / 4));
        self.expires_at.is_some_and(|end| now.saturating_add(margin) >= end)
    }
}

/// Seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |distance| distance.as_secs())
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn tokens(expires_at: u64, lifetime: u64) -> Tokens {
        Tokens {
            access_token: "a".into(),
            refresh_token: None,
            expires_at: Some(expires_at),
            lifetime: Some(lifetime),
            scope: None,
            refused: None,
        }
    }

    #[test]
    fn a_token_is_due_ahead_of_its_end() {
        assert!(tokens(1000, 3600).is_due(970) && !tokens(1000, 3600).is_due(969));
        assert!(!tokens(1000, 8).is_due(997) && tokens(1000, 8).is_due(998));
        assert!(tokens(1000, 8).has_ended(1000) && !tokens(1000, 8).has_ended(999));
    }

    #[tokio::test]
    async fn the_file_is_private_and_replaced_under_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("deep/store.json"));
        assert!(store.load().unwrap().servers.is_empty());
        let held = store.lock(Duration::from_secs(1)).await.unwrap();
        assert!(matches!(store.lock(Duration::ZERO).await, Err(StoreError::Locked { .. })));
        store.change(&held, |credentials| drop(credentials.servers.insert("s".into(), ServerEntry::default()))).unwrap();
        let mode = std::fs::metadata(store.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(held);
        assert!(store.lock(Duration::ZERO).await.is_ok());
        assert!(store.load().unwrap().servers.contains_key("s"));
    }

    #[test]
    fn a_broken_store_is_named_without_its_contents() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("store.json"));
        std::fs::write(store.path(), "{\n \"servers\": \"s3cret\"}").unwrap();
        let message = store.load().unwrap_err().to_string();
        assert!(message.contains("store.json:2:") && !message.contains("s3cret"), "{message}");
    }
}
