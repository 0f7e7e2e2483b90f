//! What a request proves itself with: the `Authorization` field, access tokens, and the client's identity at an authorization
//! server in each of the places where it may stand. Does not know whether any of it is right.

use super::parameters::Parameters;
use crate::exchange::{Headers, Request};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::fmt;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The `Authorization` field of a request.
#[derive(Clone, PartialEq, Eq)]
pub enum Authorization<'a> {
    /// `Bearer` (RFC 6750 §2.1).
    Bearer(&'a str),
    /// `DPoP` (RFC 9449 §7.1).
    Dpop(&'a str),
    /// `Basic`, decoded.
    Basic(Basic),
    /// Any other scheme, or one that could not be read. The credential, without its scheme.
    Other(&'a str),
}

/// Decoded Basic credentials (RFC 7617 §2).
#[derive(Clone, PartialEq, Eq)]
pub struct Basic {
    /// The user part as it stood before the colon.
    pub raw_user: String,
    /// The secret as it stood behind the colon.
    pub raw_secret: String,
}

/// An access token and where it stood.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearer<'a> {
    /// The token.
    pub token: Cow<'a, str>,
    /// Where it stood.
    pub place: BearerPlace,
}

/// Where an access token stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BearerPlace {
    /// In the `Authorization` field as `Bearer` (RFC 6750 §2.1).
    Header,
    /// In the `Authorization` field as `DPoP` (RFC 9449 §7.1).
    Dpop,
    /// In a form as `access_token` (RFC 6750 §2.2).
    Form,
    /// In the URL as `access_token` (RFC 6750 §2.3).
    Query,
}

/// The identity of a client at an authorization server: everything that the request says about it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientCredentials<'a> {
    /// `client_id` of the form, the JSON body or the query.
    pub parameter: Option<Cow<'a, str>>,
    /// `client_secret` of the form or the JSON body (RFC 6749 §2.3.1).
    pub secret: Option<Cow<'a, str>>,
    /// The `Authorization` field, where it is Basic (RFC 6749 §2.3.1).
    pub basic: Option<Basic>,
    /// `client_assertion` (RFC 7523 §2.2).
    pub assertion: Option<Cow<'a, str>>,
}

/// A way in which a client authenticates (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientAuthentication {
    /// `client_secret_basic`
    Basic,
    /// `client_secret_post`
    Post,
    /// `private_key_jwt` or `client_secret_jwt`
    Assertion,
}

impl<'a> Authorization<'a> {
    /// Reads the first `Authorization` field.
    pub fn of(headers: &'a Headers) -> Option<Self> {
        let value = headers.first("authorization")?.trim();
        let (scheme, credential) = value.split_once([' ', '\t']).unwrap_or(("", value));
        let credential = credential.trim_start();
        Some(match scheme {
            _ if scheme.eq_ignore_ascii_case("bearer") => Self::Bearer(credential),
            _ if scheme.eq_ignore_ascii_case("dpop") => Self::Dpop(credential),
            _ if scheme.eq_ignore_ascii_case("basic") => Basic::decode(credential).map_or(Self::Other(credential), Self::Basic),
            _ => Self::Other(credential),
        })
    }
}

impl Basic {
    /// Decodes the credential behind the scheme; `None` when it is no base64 of UTF-8 with a colon.
    pub fn decode(credential: &str) -> Option<Self> {
        let pair = String::from_utf8(BASE64.decode(credential).ok()?).ok()?;
        let (user, secret) = pair.split_once(':')?;
        Some(Self { raw_user: user.to_owned(), raw_secret: secret.to_owned() })
    }

    /// The client's id: OAuth form-encodes it before Basic does its part (RFC 6749 §2.3.1).
    pub fn user(&self) -> Cow<'_, str> {
        form_decoded(&self.raw_user)
    }

    /// The client's secret, form-decoded (RFC 6749 §2.3.1).
    pub fn secret(&self) -> Cow<'_, str> {
        form_decoded(&self.raw_secret)
    }
}

impl<'a> Bearer<'a> {
    /// Finds the access token of a request: in its header, its query or its form, in this order (RFC 6750 §2).
    pub fn of(request: &'a Request) -> Option<Self> {
        Self::of_headers(&request.headers).or_else(|| Self::of_url(&request.url)).or_else(|| {
            let is_form = request.headers.media_type().is_some_and(|media_type| media_type == "application/x-www-form-urlencoded");
            let form = is_form.then(|| Parameters::of(&request.body.content))?;
            Some(Self { token: form.kept_text("access_token")?, place: BearerPlace::Form })
        })
    }

    /// The access token of the `Authorization` field.
    pub fn of_headers(headers: &'a Headers) -> Option<Self> {
        match Authorization::of(headers)? {
            Authorization::Bearer(token) => Some(Self { token: Cow::Borrowed(token), place: BearerPlace::Header }),
            Authorization::Dpop(token) => Some(Self { token: Cow::Borrowed(token), place: BearerPlace::Dpop }),
            Authorization::Basic(_) | Authorization::Other(_) => None,
        }
    }

    /// The access token of a query.
    pub fn of_url(url: &str) -> Option<Self> {
        if !url.contains("access_token=") {
            return None;
        }
        let token = Parameters::of_query(url).text("access_token")?.to_owned();
        Some(Self { token: Cow::Owned(token), place: BearerPlace::Query })
    }
}

impl<'a> ClientCredentials<'a> {
    /// Reads a request; `None` when nothing in it says who the client is.
    pub fn of(request: &'a Request) -> Option<Self> {
        let mut found = Self::of_parameters(&Parameters::of(&request.body.content));
        if found.parameter.is_none() && request.url.contains("client_id=") {
            found.parameter = Parameters::of_query(&request.url).kept_text("client_id");
        }
        if let Some(Authorization::Basic(basic)) = Authorization::of(&request.headers) {
            found.basic = Some(basic);
        }
        (found != Self::default()).then_some(found)
    }

    /// Reads the parameters of a body or a query.
    pub fn of_parameters(parameters: &Parameters<'a>) -> Self {
        Self {
            parameter: parameters.kept_text("client_id"),
            secret: parameters.kept_text("client_secret"),
            basic: None,
            assertion: parameters.kept_text("client_assertion"),
        }
    }

    /// The client's id: the parameter, else the Basic user, else the subject of the assertion (RFC 7523 §3).
    pub fn id(&self) -> Option<Cow<'_, str>> {
        let parameter = self.parameter.as_deref().map(Cow::Borrowed);
        let basic = || self.basic.as_ref().map(Basic::user);
        let subject = || self.assertion.as_deref().and_then(subject_of_jwt).map(Cow::Owned);
        parameter.or_else(basic).or_else(subject)
    }

    /// The methods that are used, of which there should be one at most (RFC 6749 §2.3).
    pub fn methods(&self) -> Vec<ClientAuthentication> {
        let used = [
            (self.basic.is_some(), ClientAuthentication::Basic),
            (self.secret.is_some(), ClientAuthentication::Post),
            (self.assertion.is_some(), ClientAuthentication::Assertion),
        ];
        used.into_iter().filter_map(|(is_used, method)| is_used.then_some(method)).collect()
    }
}

/// The `sub` claim of a JWT, which is not verified (RFC 7519 §4.1.2).
pub fn subject_of_jwt(jwt: &str) -> Option<String> {
    let claims = jwt_part(jwt, 1)?;
    Some(claims.get("sub")?.as_str()?.to_owned())
}

/// A decoded part of a JWT: 0 is the header, 1 are the claims (RFC 7519 §3).
pub fn jwt_part(jwt: &str, index: usize) -> Option<serde_json::Value> {
    let bytes = BASE64_URL.decode(jwt.split('.').nth(index)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn form_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    // A secret that was never encoded may hold a lone `%`; it stands for itself.
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Cow::Owned(decoded.into_owned()),
        Err(_) => Cow::Borrowed(text),
    }
}

impl fmt::Debug for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer(token) => write!(f, "Bearer({} bytes)", token.len()),
            Self::Dpop(token) => write!(f, "Dpop({} bytes)", token.len()),
            Self::Basic(basic) => basic.fmt(f),
            Self::Other(credential) => write!(f, "Other({} bytes)", credential.len()),
        }
    }
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Basic({} and {} bytes)", self.raw_user.len(), self.raw_secret.len())
    }
}

impl fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bearer({:?}, {} bytes)", self.place, self.token.len())
    }
}

impl fmt::Debug for ClientCredentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_id = self.parameter.is_some();
        write!(f, "ClientCredentials(client_id: {has_id}, {:?})", self.methods())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;

    fn headers(authorization: &str) -> Headers {
        [("authorization", authorization)].into_iter().collect()
    }

    #[test]
    fn the_authorization_field_is_read() {
        let bearer = headers("bearer  at-1 ");
        assert_eq!(Authorization::of(&bearer), Some(Authorization::Bearer("at-1")));
        assert_eq!(Authorization::of(&headers("DPoP x")), Some(Authorization::Dpop("x")));
        assert_eq!(Authorization::of(&headers("Token x")), Some(Authorization::Other("x")));
        assert_eq!(Authorization::of(&headers("naked")), Some(Authorization::Other("naked")));
        assert_eq!(Authorization::of(&headers("Basic %%%")), Some(Authorization::Other("%%%")));
        assert_eq!(Authorization::of(&Headers::new()), None);
        assert_eq!(format!("{:?}", Authorization::of(&bearer)), "Some(Bearer(4 bytes))");
    }

    #[test]
    fn basic_users_are_form_decoded() {
        for (pair, user, secret) in [
            ("https%3A%2F%2Fx.test:s%2Bt+u", "https://x.test", "s+t u"),
            ("plain:a:b", "plain", "a:b"),
            ("odd%ff:x%", "odd%ff", "x%"),
            (":", "", ""),
        ] {
            let field = headers(&format!("Basic {}", BASE64.encode(pair)));
            let Some(Authorization::Basic(basic)) = Authorization::of(&field) else { panic!("{pair}") };
            assert_eq!((&*basic.user(), &*basic.secret()), (user, secret));
        }
    }

    #[test]
    fn a_client_id_is_found_wherever_it_stands() {
        let jwt = |claims: &str| format!("e30.{}.sig", BASE64_URL.encode(claims).trim_end_matches('='));
        let assertion = format!("grant_type=client_credentials&client_assertion={}", jwt(r#"{"sub":"me"}"#));
        for (exchange, id, methods) in [
            (post("https://as.test/t").form("grant_type=x&client_id=me"), Some("me"), vec![]),
            (post("https://as.test/t").form("client_id=me&client_secret=s"), Some("me"), vec![ClientAuthentication::Post]),
            (post("https://as.test/t").json(r#"{"client_id":"me"}"#), Some("me"), vec![]),
            (
                post("https://as.test/t").header("authorization", "Basic bWU6cw==").form("a=b"),
                Some("me"),
                vec![ClientAuthentication::Basic],
            ),
            (post("https://as.test/t").form(&assertion), Some("me"), vec![ClientAuthentication::Assertion]),
            (get("https://as.test/authorize?client_id=me"), Some("me"), vec![]),
            (post("https://as.test/t").form("client_assertion=a.b"), None, vec![ClientAuthentication::Assertion]),
        ] {
            let exchange = exchange.done();
            let credentials = ClientCredentials::of(&exchange.request).unwrap();
            assert_eq!(credentials.id().as_deref(), id);
            assert_eq!(credentials.methods(), methods);
        }
        assert!(ClientCredentials::of(&get("https://as.test/").done().request).is_none());
    }

    #[test]
    fn an_access_token_is_found_in_its_three_places() {
        for (exchange, place) in [
            (get("https://rs.test/x").bearer("at"), BearerPlace::Header),
            (get("https://rs.test/x").header("authorization", "dpop at"), BearerPlace::Dpop),
            (get("https://rs.test/x?access_token=at"), BearerPlace::Query),
            (post("https://rs.test/x").form("access_token=at"), BearerPlace::Form),
        ] {
            let exchange = exchange.done();
            assert_eq!(Bearer::of(&exchange.request), Some(Bearer { token: "at".into(), place }));
        }
        let json = post("https://rs.test/x").json(r#"{"access_token":"at"}"#).done();
        assert_eq!(Bearer::of(&json.request), None);
    }
}
