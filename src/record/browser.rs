//! What is kept of a browser: the client's authorization request and its way back. The pages between them, an identity
//! provider's above all, are nobody's business: they are counted, and of a page at the authorization endpoint itself only the
//! head stays, without cookies.

use crate::exchange::{Actor, Body, Content, End, Exchange, Outcome};
use crate::protocol::{Endpoint, EndpointRole, Evidence, Kind, Parameters, RoleMap};

/// The kind under which an exchange is recorded.
pub(super) fn kind_of(roles: &RoleMap, exchange: &Exchange) -> Kind {
    let kind = roles.classify(exchange).kind;
    if exchange.actor == Actor::Client || exchange.inferred {
        return kind;
    }
    match kind {
        Kind::Authorize if is_for_the_client(roles, exchange) => kind,
        Kind::Callback | Kind::Preflight | Kind::Telemetry => kind,
        _ => Kind::Other,
    }
}

/// Reduces what is stored of a browser.
pub(super) fn reduce(exchange: &mut Exchange) {
    if exchange.actor == Actor::Client || exchange.inferred {
        return;
    }
    exchange.request.headers.retain(|name, _| !name.eq_ignore_ascii_case("cookie"));
    let Outcome::Response(response) = &mut exchange.outcome else { return };
    response.headers.retain(|name, _| !name.eq_ignore_ascii_case("set-cookie"));
    if !response.body.content.is_empty() {
        let of = match response.body.end {
            End::Cut { of } => of,
            _ => response.body.content.to_bytes().len() as u64,
        };
        response.body = Body { content: Content::Empty, end: End::Cut { of }, ..Body::default() };
    }
}

/// An authorization server may send the browser on to another one (Google, a company's own), whose authorization requests look
/// alike. The client's own goes to an endpoint that metadata names, or leads back to the client: to this machine, to an app's
/// own scheme (RFC 8252 §7), or to a redirect URI that the client registered.
fn is_for_the_client(roles: &RoleMap, exchange: &Exchange) -> bool {
    let is_named = |endpoint: Endpoint| roles.evidence(&endpoint, EndpointRole::Authorization) == Some(Evidence::Named);
    if Endpoint::parse(&exchange.request.url).is_some_and(is_named) {
        return true;
    }
    let query = Parameters::of_query(&exchange.request.url);
    let Some(redirect_uri) = query.text("redirect_uri") else { return false };
    Endpoint::parse(redirect_uri).is_none_or(|redirect| redirect.is_loopback() || roles.is_redirect(&redirect))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Request, Response, Version};
    use std::time::Duration;

    fn get(actor: Actor, url: &str) -> Exchange {
        let body = Body { content: Content::Text("<html>log in, jane@example.test</html>".into()), ..Body::default() };
        let headers = [("content-type", "text/html"), ("set-cookie", "sid=4711")].into_iter().collect();
        let request = Request {
            method: "GET".into(),
            url: url.into(),
            version: Version::Http11,
            headers: [("cookie", "sid=4711"), ("accept", "text/html")].into_iter().collect(),
            body: Body::default(),
            trailers: Default::default(),
        };
        Exchange {
            number: 1,
            session: 1,
            actor,
            connection: 1,
            at: Duration::ZERO,
            took: None,
            request,
            outcome: Outcome::Response(Response { status: 200, headers, body, trailers: Default::default() }),
            inferred: false,
            answered: None,
        }
    }

    const OWN: &str = "https://as.test/authorize?response_type=code&client_id=c&redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcb";
    const UPSTREAM: &str = "https://idp.test/o/authorize?response_type=code&client_id=x&redirect_uri=https%3A%2F%2Fas.test%2Fback";

    #[test]
    fn only_the_client_s_own_request_and_its_way_back_are_kept() {
        let mut roles = RoleMap::new();
        let kind = |roles: &RoleMap, url: &str| kind_of(roles, &get(Actor::UserAgent, url));
        assert_eq!(kind(&roles, OWN), Kind::Authorize);
        assert_eq!(kind(&roles, UPSTREAM), Kind::Other);
        assert_eq!(kind(&roles, "https://as.test/authorize?client_id=c&request_uri=urn:x"), Kind::Other);
        roles.declare(EndpointRole::Authorization, "https://as.test/authorize");
        assert_eq!(kind(&roles, "https://as.test/authorize?client_id=c&request_uri=urn:x"), Kind::Authorize);
        assert_eq!(kind(&roles, "http://127.0.0.1:4711/cb?code=1&state=s"), Kind::Callback);
        assert_eq!(kind(&roles, "https://as.test/back?code=1&state=s"), Kind::Other);
        assert_eq!(kind(&roles, "https://as.test/.well-known/oauth-authorization-server"), Kind::Other);
        assert_eq!(kind_of(&roles, &get(Actor::Client, UPSTREAM)), Kind::Authorize);
    }

    #[test]
    fn a_page_leaves_its_head_without_cookies() {
        let mut exchange = get(Actor::UserAgent, OWN);
        reduce(&mut exchange);
        let response = exchange.response().unwrap();
        assert_eq!((response.body.content.is_empty(), &response.body.end), (true, &End::Cut { of: 38 }));
        assert!(!response.headers.has("set-cookie") && !exchange.request.headers.has("cookie"));
        let mut client = get(Actor::Client, OWN);
        reduce(&mut client);
        assert_eq!(client, get(Actor::Client, OWN));
    }
}
