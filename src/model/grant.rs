//! What a person allowed a client, and everything that was issued for it: codes, refresh tokens and access tokens, with one
//! place that says whether an access token holds.

use super::{Moment, Scope};
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// A grant within its authorization server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantId(usize);

/// What a person allowed a client: the root of one family of tokens.
#[derive(Clone, PartialEq)]
pub struct Grant {
    /// The client.
    pub client: String,
    /// The person.
    pub subject: String,
    /// The resources that were asked for (RFC 8707 §2), as the server writes them.
    pub resources: Vec<String>,
    /// What was granted.
    pub scope: Scope,
    /// Why it ended; `None` while it is active. An end is final.
    pub revoked: Option<Revocation>,
    /// The newest generation of its tokens, from 1; 0 before the code is redeemed.
    pub generation: u32,
    /// The oldest generation whose access tokens still hold.
    pub oldest_access: u32,
    /// The newest tokens.
    pub newest: Option<Newest>,
    /// The nonce of the authorization request (OpenID Connect Core §3.1.2.1).
    pub nonce: Option<String>,
}

/// The newest tokens of a grant.
#[derive(Clone, PartialEq)]
pub struct Newest {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: Option<String>,
}

/// Why a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// Its code was presented a second time (RFC 6749 §4.1.2).
    CodeReplayed,
    /// Its code or refresh token was presented by another client.
    ForeignClient,
    /// A rotated refresh token was presented (RFC 9700 §4.14.2).
    RefreshReused,
    /// The client asked for it (RFC 7009).
    Requested,
    /// Its client was superseded or pruned.
    ClientEnded,
}

/// An authorization code (RFC 6749 §4.1.2).
#[derive(Clone, PartialEq)]
pub struct Code {
    /// Its grant.
    pub grant: GrantId,
    /// The redirect URI of the authorization request.
    pub redirect_uri: Option<String>,
    /// The S256 code challenge (RFC 7636 §4.3).
    pub challenge: Option<String>,
    /// When it ends.
    pub expires: Moment,
    /// Whether it was used.
    pub redeemed: bool,
}

/// A refresh token (RFC 6749 §1.5).
#[derive(Clone, PartialEq, Debug)]
pub struct RefreshToken {
    /// Its grant.
    pub grant: GrantId,
    /// Its generation, from 1.
    pub generation: u32,
    /// When it was replaced.
    pub rotated: Option<Moment>,
    /// When it ends; `None` for never.
    pub expires: Option<Moment>,
}

/// An access token.
#[derive(Clone, PartialEq, Debug)]
pub struct AccessToken {
    /// Its grant.
    pub grant: GrantId,
    /// Its generation, from 1.
    pub generation: u32,
    /// For which resources; empty when for all.
    pub audience: Vec<String>,
    /// What it allows.
    pub scope: Scope,
    /// When it was issued.
    pub issued: Moment,
    /// When it ends.
    pub expires: Moment,
    /// Whether it was revoked by itself.
    pub revoked: bool,
}

/// Everything one authorization server issued.
#[derive(Clone, Default)]
pub struct Issued {
    grants: Vec<Grant>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) refresh: HashMap<String, RefreshToken>,
    pub(super) access: HashMap<String, AccessToken>,
}

impl Issued {
    /// Adds a grant.
    pub fn add(&mut self, grant: Grant) -> GrantId {
        self.grants.push(grant);
        GrantId(self.grants.len() - 1)
    }

    /// A grant.
    pub fn grant(&self, id: GrantId) -> &Grant {
        &self.grants[id.0]
    }

    /// A grant, to be changed in place.
    pub(super) fn grant_mut(&mut self, id: GrantId) -> &mut Grant {
        &mut self.grants[id.0]
    }

    /// Every grant with its id, in order of issue.
    pub fn grants(&self) -> impl Iterator<Item = (GrantId, &Grant)> {
        self.grants.iter().enumerate().map(|(index, grant)| (GrantId(index), grant))
    }

    /// Ends a grant and with it every token. The first reason stays.
    pub fn revoke(&mut self, id: GrantId, reason: Revocation) {
        self.grant_mut(id).revoked.get_or_insert(reason);
    }

    /// Ends every grant of a client.
    pub fn revoke_client(&mut self, client: &str, reason: Revocation) {
        for grant in self.grants.iter_mut().filter(|grant| grant.client == client) {
            grant.revoked.get_or_insert(reason);
        }
    }

    /// When the last access token ends that was issued so far.
    pub fn latest_end(&self) -> Option<Moment> {
        self.access.values().map(|token| token.expires).max()
    }

    /// The record of an access token, whether or not it holds, to be changed.
    pub fn access_mut(&mut self, value: &str) -> Option<&mut AccessToken> {
        self.access.get_mut(value)
    }

    /// The access token, if it holds now: known, not expired, not revoked, and its grant active.
    ///
    /// # Errors
    /// Why it does not.
    pub fn access(&self, value: &str, now: Moment) -> Result<&AccessToken, &'static str> {
        let token = self.access.get(value).ok_or("the bearer was not issued here")?;
        let grant = self.grant(token.grant);
        match () {
            () if token.revoked => Err("the bearer was revoked"),
            () if grant.revoked.is_some() => Err("the login of the bearer was revoked"),
            () if token.generation < grant.oldest_access => Err("a newer bearer replaced this one"),
            () if now >= token.expires => Err("the bearer has expired"),
            () => Ok(token),
        }
    }

    /// An access token, whether it holds or not.
    pub fn any_access(&self, value: &str) -> Option<&AccessToken> {
        self.access.get(value)
    }

    /// Gives an access token another value, where one of another form is due. The old value was never issued.
    pub fn rename_access(&mut self, old: &str, new: &str) {
        let Some(token) = self.access.remove(old) else { return };
        if let Some(newest) = self.grant_mut(token.grant).newest.as_mut().filter(|newest| newest.access == old) {
            newest.access = new.to_owned();
        }
        self.access.insert(new.to_owned(), token);
    }

    /// Gives a refresh token another value; see [`Issued::rename_access`].
    pub fn rename_refresh(&mut self, old: &str, new: &str) {
        let Some(token) = self.refresh.remove(old) else { return };
        if let Some(newest) = self.grant_mut(token.grant).newest.as_mut().filter(|newest| newest.refresh.as_deref() == Some(old)) {
            newest.refresh = Some(new.to_owned());
        }
        self.refresh.insert(new.to_owned(), token);
    }

    /// How many refresh tokens of a grant would be accepted now, grace aside.
    pub fn active_refresh(&self, id: GrantId, now: Moment) -> usize {
        if self.grant(id).revoked.is_some() {
            return 0;
        }
        let active = |token: &&RefreshToken| token.grant == id && token.rotated.is_none() && token.expires.is_none_or(|end| now < end);
        self.refresh.values().filter(active).count()
    }
}

impl Grant {
    /// A fresh grant.
    pub fn new(client: &str, subject: &str, resources: Vec<String>, scope: Scope) -> Self {
        Self {
            client: client.to_owned(),
            subject: subject.to_owned(),
            resources,
            scope,
            revoked: None,
            generation: 0,
            oldest_access: 0,
            newest: None,
            nonce: None,
        }
    }
}

impl AccessToken {
    /// How long it still lasts.
    pub fn left(&self, now: Moment) -> Duration {
        self.expires.since(now)
    }

    /// True when it was issued for this resource, a slash at the end aside.
    pub fn is_for(&self, resource: &str) -> bool {
        self.audience.is_empty() || self.audience.iter().any(|own| own.trim_end_matches('/') == resource.trim_end_matches('/'))
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("revoked", &self.revoked).field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("grant", &self.grant).field("redeemed", &self.redeemed).finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("grants", &self.grants).finish_non_exhaustive()
    }
}
