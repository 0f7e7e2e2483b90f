//! The revocation endpoint (RFC 7009 §2): 200 for a token that is known and for one that is not.

use super::grant::Revocation;
use super::parameters::Parameters;
use super::policy::AccessRevocation;
use super::respond::{empty, method_not_allowed, no_store, oauth_error};
use super::{Decided, Issuer, Moment, Refusal};
use crate::exchange::{Request, Response};

impl Issuer {
    /// Answers a revocation.
    pub(super) fn revoke(&mut self, request: &Request, now: Moment) -> (Response, Decided) {
        if request.method != "POST" {
            return (method_not_allowed("POST"), Decided::wrong_method());
        }
        let asked = Parameters::of_body(&request.body.content).unwrap_or_default();
        match self.end_token(request, &asked, now) {
            Ok(()) => (no_store(empty(200)), Decided::Revoked),
            Err(refusal) => {
                let response = oauth_error(refusal.status, refusal.error, refusal.description);
                (response, refusal.into())
            }
        }
    }

    fn end_token(&mut self, request: &Request, asked: &Parameters, now: Moment) -> Result<(), Refusal> {
        let value = asked.get("token").ok_or(Refusal::new("invalid_request", "token is missing"))?;
        let client = self.proven_client(request, asked, now)?;
        if !matches!(asked.get("token_type_hint"), None | Some("access_token" | "refresh_token")) {
            return Err(Refusal::new("unsupported_token_type", "unknown token type"));
        }
        let refresh = self.issued.refresh.get(value).map(|token| token.grant);
        let access = self.issued.access.get(value).map(|token| token.grant);
        let Some(grant) = refresh.or(access).filter(|grant| self.issued.grant(*grant).client == client.id) else { return Ok(()) };
        if refresh.is_some() || self.policy.access_revocation == AccessRevocation::Grant {
            self.issued.revoke(grant, Revocation::Requested);
        } else if let Some(token) = self.issued.access.get_mut(value) {
            token.revoked = true;
        }
        Ok(())
    }
}
