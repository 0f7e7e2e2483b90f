//! Where the tape's server issued JWTs, the tokens that the model issues become JWTs too, and its key set holds our keys. The
//! bearer check stays the model's: by value, not by signature.

use super::dress;
use super::jwt::{Facts, Pattern, Sort, proof_thumbprint};
use super::{Answered, Player, Signer, Source, json_response};
use crate::exchange::{Content, Json, Request};
use crate::model::{Answer, Decided, IssuerId, Moment};
use crate::protocol::{ClientCredentials, Endpoint, Parameters};
use serde_json::{Value, json};

impl Player {
    /// Lets JWTs be signed; without a signer every token is opaque.
    #[must_use]
    pub fn sign_with(mut self, mut signer: Box<dyn Signer>) -> Self {
        for set in &self.key_sets {
            set.prepare(signer.as_mut());
        }
        self.signer = Some(signer);
        self
    }

    /// The key set at this place, if it is one of an authorization server that signs tokens.
    pub(super) fn key_set(&mut self, request: &Request, endpoint: &Endpoint) -> Option<Answered> {
        let signer = self.signer.as_mut().filter(|_| matches!(request.method.as_str(), "GET" | "HEAD"))?;
        let set = self.key_sets.iter().find(|set| set.place.as_ref() == Some(endpoint) && !set.is_empty())?;
        let recorded = self.tape.document("GET", endpoint).map(|index| self.tape.answer(index));
        let document = set.document(recorded.map(|(_, response)| response), signer.as_mut());
        let Some((interaction, response)) = recorded else {
            return Some(Answered::whole(&json_response(200, document), Source::Model(Decided::Metadata)));
        };
        let mut dressed = json_response(200, document);
        dressed.headers = dress::lasting(&response.headers);
        Some(Answered::whole(&dressed, Source::Dressed { interaction, decided: Decided::Metadata }))
    }

    /// The answer with JWTs in place of the opaque values that the model made.
    pub(super) fn as_jwts(&mut self, request: &Request, endpoint: &Endpoint, mut answer: Answer, now: Moment) -> Answer {
        let now = self.model.time(now);
        let Some(mut signer) = self.signer.take() else { return answer };
        if let Some(body) = self.jwts(request, endpoint, &answer, now, signer.as_mut()) {
            answer.response.body.content = Content::Json(Json { value: body, style: Default::default() });
        }
        self.signer = Some(signer);
        answer
    }

    fn jwts(&mut self, request: &Request, endpoint: &Endpoint, answer: &Answer, now: Moment, signer: &mut dyn Signer) -> Option<Value> {
        let Decided::Issued { .. } = answer.decided else { return None };
        let index = dress::model_of(&self.tape, endpoint, &answer.response, &answer.decided)?;
        let recorded = self.tape.answer(index).1.body.content.json()?.into_owned();
        let pattern = |name: &str| recorded[name].as_str().and_then(Pattern::of);
        let mut body = answer.response.body.content.json()?.into_owned();
        let text = |body: &Value, name: &str| body[name].as_str().map(str::to_owned);
        let value = text(&body, "access_token")?;
        let id = self.issuer_at(endpoint)?;
        let mut facts = self.facts(id, &value, index, request, now)?;
        if let Some(token) = pattern("access_token").and_then(|pattern| fresh(&pattern, Sort::Access, &value, &facts, signer)) {
            self.model.issuer_mut(id).issued.rename_access(&value, &token);
            body["access_token"] = json!(token);
        }
        if let (Some(value), Some(pattern)) = (text(&body, "refresh_token"), pattern("refresh_token")) {
            let facts = Facts { id: value.clone(), ..facts.clone() };
            if let Some(token) = fresh(&pattern, Sort::Refresh, &value, &facts, signer) {
                self.model.issuer_mut(id).issued.rename_refresh(&value, &token);
                body["refresh_token"] = json!(token);
            }
        }
        if let Some(pattern) = pattern("id_token") {
            facts.access = text(&body, "access_token")?;
            body["id_token"] = json!(pattern.issue(Sort::Identity, &facts, signer)?);
        }
        Some(body)
    }

    /// What is true of the tokens of an answer; `index` is the recorded answer that it looks like.
    fn facts(&self, id: IssuerId, access: &str, index: usize, request: &Request, now: Moment) -> Option<Facts> {
        let issuer = self.model.issuer(id);
        let token = issuer.issued.any_access(access)?;
        let grant = issuer.issued.grant(token.grant);
        let recorded = ClientCredentials::of(&self.tape.exchange(index).request);
        let recorded = recorded.as_ref().and_then(ClientCredentials::id).map(std::borrow::Cow::into_owned);
        Some(Facts {
            issuer: issuer.identifier.clone(),
            now: now.seconds(),
            expires: token.expires.seconds(),
            client: (recorded.unwrap_or_default(), grant.client.clone()),
            secret: issuer.client(&grant.client).and_then(|client| client.secret.clone()),
            scope: token.scope.to_string(),
            audience: token.audience.clone(),
            resources: issuer.resources.clone(),
            nonce: grant.nonce.clone(),
            id: access.to_owned(),
            access: access.to_owned(),
            code: Parameters::of(&request.body.content).text("code").map(str::to_owned),
            thumbprint: proof_thumbprint(request),
        })
    }
}

/// A JWT in place of an opaque value. One with a dot is a JWT already: the current generation, given out again.
fn fresh(pattern: &Pattern, sort: Sort, value: &str, facts: &Facts, signer: &mut dyn Signer) -> Option<String> {
    if value.contains('.') { None } else { pattern.issue(sort, facts, signer) }
}
