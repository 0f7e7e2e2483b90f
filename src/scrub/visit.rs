//! Every string of an exchange, for going over it once more: which there are, and which of them belong to the protocol.

use super::body::form_names;
use super::sweep::Thoroughness;
use crate::exchange::{AnsweredBy, Body, Content, End, Event, Exchange, Field, Headers, Outcome};
use crate::protocol::{Place, Reach, Role, field_role_within};
use serde_json::Value;

/// What is done with a string.
pub(super) type Visit<'a> = dyn FnMut(&str, Thoroughness) -> Option<String> + 'a;

/// Calls `visit` with each string that came over the wire; true when it changed one. What it returns replaces the string.
pub(super) fn strings(exchange: &mut Exchange, visit: &mut Visit<'_>) -> bool {
    let mut visitor = Visitor { visit, changed: false };
    let request = &mut exchange.request;
    visitor.text(&mut request.url);
    visitor.headers(&mut request.headers);
    visitor.body(&mut request.body);
    visitor.headers(&mut request.trailers);
    exchange.answered.iter_mut().flat_map(AnsweredBy::texts_mut).for_each(|text| visitor.text(text));
    match &mut exchange.outcome {
        Outcome::Unseen => {}
        Outcome::Failed(failure) => visitor.text(&mut failure.reason),
        Outcome::Response(response) => {
            visitor.headers(&mut response.headers);
            visitor.body(&mut response.body);
            visitor.headers(&mut response.trailers);
        }
    }
    visitor.changed
}

/// As [`strings`], for events that go to the file before their exchange is over.
pub(super) fn events(events: &mut [Event], visit: &mut Visit<'_>) {
    let mut visitor = Visitor { visit, changed: false };
    events.iter_mut().flat_map(|event| &mut event.fields).for_each(|field| visitor.field(field));
}

struct Visitor<'a, 'b> {
    visit: &'a mut Visit<'b>,
    changed: bool,
}

impl Visitor<'_, '_> {
    fn text(&mut self, text: &mut String) {
        self.text_at(text, Thoroughness::All);
    }

    fn text_at(&mut self, text: &mut String, how: Thoroughness) {
        if let Some(new) = (self.visit)(text, how) {
            *text = new;
            self.changed = true;
        }
    }

    fn headers(&mut self, headers: &mut Headers) {
        headers.iter_mut().for_each(|(name, value)| self.text_at(value, at(Place::Header, name)));
    }

    fn body(&mut self, body: &mut Body) {
        match &mut body.content {
            Content::Empty | Content::Bytes(_) => {}
            Content::Json(json) => self.json(&mut json.value, Thoroughness::All),
            Content::Form(form) => {
                form.iter_mut().for_each(|(name, value)| self.text_at(value, at(Place::Parameter, name)));
                self.changed |= form_names(form, |name| (self.visit)(name, Thoroughness::NoWords));
            }
            Content::Text(text) => self.text(text),
            Content::Events(stream) => {
                stream.events.iter_mut().flat_map(|event| &mut event.fields).for_each(|field| self.field(field));
                self.text(&mut stream.tail);
            }
        }
        if let End::ServerGone(reason) | End::Undecodable(reason) = &mut body.end {
            self.text(reason);
        }
    }

    fn field(&mut self, field: &mut Field) {
        match field {
            Field::Json(json) => self.json(&mut json.value, Thoroughness::All),
            Field::Event(text) | Field::Id(text) | Field::Retry(text) => self.text(text),
            Field::Data(text) | Field::Comment(text) | Field::Raw(text) => self.text(text),
        }
    }

    fn json(&mut self, value: &mut Value, how: Thoroughness) {
        match value {
            Value::String(text) => self.text_at(text, how),
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item, how)),
            Value::Object(members) => {
                members.iter_mut().for_each(|(name, value)| self.json(value, at(Place::Member, name)));
                if members.keys().any(|name| (self.visit)(name, Thoroughness::NoWords).is_some()) {
                    let old = std::mem::take(members);
                    let visit = &mut self.visit;
                    members.extend(old.into_iter().map(|(name, value)| (visit(&name, Thoroughness::NoWords).unwrap_or(name), value)));
                    self.changed = true;
                }
            }
            _ => {}
        }
    }
}

/// How thoroughly the value of a field is gone over: a method stays a method, even if somebody's password is the same word.
fn at(place: Place, name: &str) -> Thoroughness {
    let role = field_role_within(place, name, |reach| matches!(reach, Reach::Anywhere | Reach::Login | Reach::Envelope));
    if role.is_some_and(|field| field.role == Role::Stable) { Thoroughness::NoWords } else { Thoroughness::All }
}
