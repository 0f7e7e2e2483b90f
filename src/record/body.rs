//! A scrubbed body may have a better view than the one that came over the wire: a form whose only unusual spelling stood in a
//! secret is a plain form now.

use crate::exchange::{Body, Content, Exchange, Headers};

/// Longer texts keep their view: looking again would cost more than it tells.
const LIMIT: usize = 64 << 10;

/// Looks again at the texts of an exchange.
pub(super) fn take_best_view(exchange: &mut Exchange) {
    look_again(&mut exchange.request.body, &exchange.request.headers);
    if let Some(response) = exchange.response_mut() {
        look_again(&mut response.body, &response.headers);
    }
}

fn look_again(body: &mut Body, headers: &Headers) {
    let Content::Text(text) = &mut body.content else { return };
    if text.len() > LIMIT || !matches!(headers.media_type().as_deref(), Some("application/x-www-form-urlencoded" | "application/json")) {
        return;
    }
    let text = std::mem::take(text);
    body.content = Content::of(text.into(), headers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_a_form_once_its_odd_value_is_gone() {
        let headers: Headers = [("content-type", "application/x-www-form-urlencoded")].into_iter().collect();
        let view = |text: &str| {
            let mut body = Body { content: Content::Text(text.into()), ..Body::default() };
            look_again(&mut body, &headers);
            body.content
        };
        assert!(matches!(view("code_verifier=a~b"), Content::Text(_)));
        assert!(matches!(view("code_verifier=SCRUBBED0001x"), Content::Form(_)));
    }
}
