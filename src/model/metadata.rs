//! The documents from which a client learns where everything is: protected resource metadata (RFC 9728 §2) and authorization
//! server metadata (RFC 8414 §2).

use super::policy::{Registration, ResourceMetadata, WellKnown};
use super::{Issuer, Server};
use serde_json::{Value, json};
use url::Url;

/// The well-known URL of an identifier: the name goes between host and path (RFC 8414 §3.1, RFC 9728 §3.1).
pub(super) fn well_known(identifier: &str, name: &str) -> Option<String> {
    let mut url = Url::parse(identifier).ok()?;
    let path = format!("/.well-known/{name}{}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_query(None);
    Some(url.into())
}

impl Issuer {
    /// The URLs at which the metadata is served.
    pub(super) fn metadata_urls(&self) -> impl Iterator<Item = String> {
        self.policy.metadata.iter().filter_map(|form| match form {
            WellKnown::OAuth => well_known(&self.identifier, "oauth-authorization-server"),
            WellKnown::OpenIdInserted => well_known(&self.identifier, "openid-configuration"),
            WellKnown::OpenIdAppended => Some(format!("{}/.well-known/openid-configuration", self.identifier.trim_end_matches('/'))),
        })
    }

    /// The metadata document.
    pub fn metadata(&self) -> Value {
        let methods: Vec<_> = self.policy.auth_methods.iter().map(|method| method.name()).collect();
        let mut document = json!({
            "issuer": self.identifier,
            "authorization_endpoint": self.endpoints.authorize,
            "token_endpoint": self.endpoints.token,
            "revocation_endpoint": self.endpoints.revoke,
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
        });
        if self.policy.registration != Registration::Closed {
            document["registration_endpoint"] = json!(self.endpoints.register);
        }
        if self.policy.advertise_pkce {
            document["code_challenge_methods_supported"] = json!(["S256"]);
        }
        if !self.policy.scopes.is_empty() {
            document["scopes_supported"] = self.policy.scopes.iter().collect();
        }
        if self.policy.send_iss {
            document["authorization_response_iss_parameter_supported"] = json!(true);
        }
        if self.policy.client_documents {
            document["client_id_metadata_document_supported"] = json!(true);
        }
        document
    }
}

impl Server {
    /// The URL at which the metadata is served.
    pub(super) fn metadata_url(&self) -> Option<String> {
        match &self.policy.metadata {
            ResourceMetadata::Inserted => well_known(&self.resource, "oauth-protected-resource"),
            ResourceMetadata::Root => {
                let root = Url::parse(&self.resource).ok()?.join("/").ok()?;
                well_known(root.as_str(), "oauth-protected-resource")
            }
            ResourceMetadata::At(url) => Some(url.clone()),
            ResourceMetadata::Nowhere => None,
        }
    }

    /// The metadata document; `issuers` are the identifiers of the authorization servers it trusts.
    pub fn metadata<'a>(&self, issuers: impl Iterator<Item = &'a str>) -> Value {
        let mut document = json!({
            "resource": self.resource,
            "authorization_servers": issuers.collect::<Value>(),
            "bearer_methods_supported": ["header"],
        });
        if !self.policy.scope.is_empty() {
            document["scopes_supported"] = self.policy.scope.iter().collect();
        }
        document
    }
}

#[cfg(test)]
mod tests {
    use super::well_known;

    #[test]
    fn a_well_known_name_goes_before_the_path() {
        let found = |identifier| well_known(identifier, "x").unwrap();
        assert_eq!(found("https://a.example/t/"), "https://a.example/.well-known/x/t");
        assert_eq!(found("https://a.example"), "https://a.example/.well-known/x");
    }
}
