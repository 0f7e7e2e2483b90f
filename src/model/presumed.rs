//! Values that were issued before the model began: a client holds them, a tape only shows that the server took them. They belong to
//! one grant, whose scope and resources nobody knows, so it is held to none.

use super::grant::{AccessToken, Grant, GrantId, RefreshToken};
use super::{Issuer, Moment, Scope};

impl Issuer {
    /// Adds a grant from before.
    pub fn presume(&mut self) -> GrantId {
        let id = self.issued.add(Grant::new("", &self.policy.subject, Vec::new(), Scope::default()));
        self.issued.grant_mut(id).generation = 1;
        id
    }

    /// Adds an access token of such a grant, for these resources (for all when there is none).
    pub fn presume_access(&mut self, grant: GrantId, value: &str, audience: Vec<String>, now: Moment) {
        let expires = now.plus(self.policy.access_ttl);
        let (generation, scope) = (self.issued.grant(grant).generation, self.issued.grant(grant).scope.clone());
        let token = AccessToken { grant, generation, audience, scope, issued: now, expires, revoked: false };
        self.issued.access.insert(value.to_owned(), token);
    }

    /// Adds the refresh token of such a grant; it belongs to this client, and had this scope.
    pub fn presume_refresh(&mut self, grant: GrantId, value: &str, client: &str, scope: Scope) {
        let known = self.issued.grant_mut(grant);
        (known.client, known.scope) = (client.to_owned(), scope);
        let generation = known.generation;
        self.issued.refresh.insert(value.to_owned(), RefreshToken { grant, generation, rotated: None, expires: None });
    }

    /// True when this access token is one of its own, or presumed to be, whatever became of it.
    pub fn knows_access(&self, value: &str) -> bool {
        self.issued.access.contains_key(value)
    }

    /// True when this refresh token is one of its own, or presumed to be, whatever became of it.
    pub fn knows_refresh(&self, value: &str) -> bool {
        self.issued.refresh.contains_key(value)
    }
}
