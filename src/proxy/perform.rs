//! A reply as plain data becomes a response whose body follows its steps. Whoever waits for the end of a stream is told when the
//! body is let go, however that comes.

use crate::reply::{Ending, Reply, Step};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hudsucker::Body;
use std::vec;

/// What is due when a body ends; run once.
pub type AtEnd = Box<dyn FnOnce() + Send + Sync>;

/// Makes the response; its delay is for whoever waits for it. Header fields that no server could send are left out.
pub fn perform(reply: Reply, at_end: Option<AtEnd>) -> Response<Body> {
    let Reply { status, headers, delay: _, steps, ending } = reply;
    let guard = Guard(at_end);
    let body = match (steps.as_slice(), ending) {
        ([], Ending::Complete) => Body::empty(),
        ([Step::Send(bytes)], Ending::Complete) => Body::from(bytes.clone()),
        _ => stepwise(steps, ending, guard),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// Runs what is due at the end.
struct Guard(Option<AtEnd>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(at_end) = self.0.take() {
            at_end();
        }
    }
}

fn stepwise(steps: Vec<Step>, ending: Ending, guard: Guard) -> Body {
    Body::from_stream(Box::pin(stream::unfold((steps.into_iter(), ending, guard), next)))
}

type Rest = (vec::IntoIter<Step>, Ending, Guard);

async fn next((mut steps, ending, guard): Rest) -> Option<(Result<Bytes, hudsucker::Error>, Rest)> {
    loop {
        match steps.next() {
            Some(Step::Wait(time)) => tokio::time::sleep(time).await,
            Some(Step::Send(bytes)) => return Some((Ok(bytes), (steps, ending, guard))),
            None if ending == Ending::Open => std::future::pending().await,
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Headers;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    /// The response to such a reply, and whether its end was told before and after it was let go.
    fn told(steps: &[&'static str], ending: Ending) -> (bool, bool) {
        let is_told = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_told);
        let steps = steps.iter().map(|text| Step::Send(Bytes::from_static(text.as_bytes()))).collect();
        let reply = Reply::of(200, Headers::new(), steps, ending);
        let response = perform(reply, Some(Box::new(move || told.store(true, SeqCst))));
        let before = is_told.load(SeqCst);
        drop(response);
        (before, is_told.load(SeqCst))
    }

    #[test]
    fn the_end_of_a_stream_is_told_whatever_it_held() {
        assert_eq!(told(&[], Ending::Open), (false, true));
        assert_eq!(told(&["a", "b"], Ending::Complete), (false, true));
        // A recorded stream that the server ended at once.
        assert!(told(&[], Ending::Complete).1);
        assert!(told(&["a"], Ending::Complete).1);
    }
}
