//! Exchanges for the tests of this layer, built in one line each.

use crate::exchange::{
    Actor, Body, Content, EventStream, Exchange, Failure, Headers, Outcome, Request, Response, SseParser, Stage, Version,
};
use std::time::Duration;

/// An exchange that is being written down.
#[derive(Clone)]
pub struct Sample(Exchange);

pub fn get(url: &str) -> Sample {
    Sample::new("GET", url)
}

pub fn post(url: &str) -> Sample {
    Sample::new("POST", url)
}

/// A JSON-RPC POST as the SDKs send it.
pub fn rpc(url: &str, method: &str) -> Sample {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{}}}}"#);
    post(url).header("accept", "application/json, text/event-stream").json(&body)
}

impl Sample {
    pub fn new(method: &str, url: &str) -> Self {
        let request = Request {
            method: method.to_owned(),
            url: url.to_owned(),
            version: Version::Http11,
            headers: Headers::new(),
            body: Body::default(),
            trailers: Headers::new(),
        };
        Self(Exchange {
            number: 1,
            session: 1,
            actor: Actor::Client,
            connection: 1,
            at: Duration::ZERO,
            took: None,
            request,
            outcome: Outcome::Failed(Failure { stage: Stage::Response, reason: "reset".to_owned() }),
            inferred: false,
            answered: None,
        })
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0.request.headers.push(name, value);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn body(mut self, media_type: &str, body: &str) -> Self {
        self = self.header("content-type", media_type);
        self.0.request.body.content = Content::of(body.to_owned().into(), &self.0.request.headers);
        self
    }

    pub fn form(self, body: &str) -> Self {
        self.body("application/x-www-form-urlencoded", body)
    }

    pub fn json(self, body: &str) -> Self {
        self.body("application/json", body)
    }

    pub fn answer(mut self, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers: Headers = headers.iter().copied().collect();
        let content = Content::of(body.to_owned().into(), &headers);
        let body = Body { content, ..Body::default() };
        self.0.outcome = Outcome::Response(Response { status, headers, body, trailers: Headers::new() });
        self
    }

    pub fn answer_json(self, status: u16, body: &str) -> Self {
        self.answer(status, &[("content-type", "application/json")], body)
    }

    pub fn answer_html(self, status: u16) -> Self {
        self.answer(status, &[("content-type", "text/html; charset=utf-8")], "<!doctype html><p>hello")
    }

    pub fn answer_events(mut self, wire: &str) -> Self {
        let mut parser = SseParser::default();
        let mut events = Vec::new();
        parser.push(Duration::ZERO, wire.as_bytes(), &mut events);
        self = self.answer(200, &[("content-type", "text/event-stream")], "");
        let stream = EventStream { style: parser.style(), events, tail: parser.into_tail() };
        if let Some(response) = self.0.response_mut() {
            response.body.content = Content::Events(stream);
        }
        self
    }

    /// A 401 as RFC 9728 §5.1 wants it.
    pub fn challenged(self, resource_metadata: &str) -> Self {
        let value = format!(r#"Bearer resource_metadata="{resource_metadata}", scope="a,b c""#);
        self.answer(401, &[("www-authenticate", &value)], "")
    }

    pub fn done(self) -> Exchange {
        self.0
    }
}
