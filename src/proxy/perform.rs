//! A reply as plain data becomes a response whose body follows its steps, or a connection that breaks. Whoever waits for the end of
//! a stream is told when the body is let go, however that comes.

use super::answer::NoAnswer;
use super::wire::Connection;
use crate::reply::{Break, Ending, Reply, Step};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hudsucker::Body;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use std::vec;

/// What is due when a body ends; run once.
pub type AtEnd = Box<dyn FnOnce() + Send + Sync>;

/// How long bytes that were sent get on their way before the connection breaks behind them.
const ON_THEIR_WAY: Duration = Duration::from_millis(100);

/// Makes the response, once its head is due. Header fields that no server could send are left out.
///
/// # Errors
/// The connection breaks in place of a response.
pub async fn perform(reply: Reply, connection: Arc<Connection>, at_end: Option<AtEnd>) -> Result<Response<Body>, NoAnswer> {
    let Reply { status, headers, delay, steps, ending, broken } = reply;
    let guard = Guard(at_end);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if let Some(how) = broken {
        return Err(NoAnswer::Broken(how));
    }
    let body = match (steps.as_slice(), ending) {
        ([], Ending::Complete) => Body::empty(),
        ([Step::Send(bytes)], Ending::Complete) => Body::from(bytes.clone()),
        _ => stepwise(steps, ending, connection, guard),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
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

fn stepwise(steps: Vec<Step>, ending: Ending, connection: Arc<Connection>, guard: Guard) -> Body {
    Body::from_stream(Box::pin(stream::unfold((steps.into_iter(), ending, connection, guard), next)))
}

type Rest = (vec::IntoIter<Step>, Ending, Arc<Connection>, Guard);

async fn next((mut steps, ending, connection, guard): Rest) -> Option<(Result<Bytes, hudsucker::Error>, Rest)> {
    loop {
        match steps.next() {
            Some(Step::Wait(time)) => tokio::time::sleep(time).await,
            Some(Step::Send(bytes)) => return Some((Ok(bytes), (steps, ending, connection, guard))),
            None => match ending {
                Ending::Complete => return None,
                Ending::Open | Ending::Broken(Break::Stall) => std::future::pending().await,
                Ending::Broken(how) => {
                    tokio::time::sleep(ON_THEIR_WAY).await;
                    let reason = connection.break_off(how).unwrap_or_default();
                    let error = hudsucker::Error::from(io::Error::other(reason));
                    return Some((Err(error), (steps, Ending::Complete, connection, guard)));
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Headers;
    use crate::proxy::wire::tests::connected;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    /// Whether the end of such a reply was told before its response was let go, and after.
    async fn told(steps: &[&'static str], ending: Ending) -> (bool, bool) {
        let is_told = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_told);
        let steps = steps.iter().map(|text| Step::Send(Bytes::from_static(text.as_bytes()))).collect();
        let reply = Reply::of(200, Headers::new(), steps, ending);
        let (_client, _stream, connection) = connected().await;
        let response = perform(reply, connection, Some(Box::new(move || told.store(true, SeqCst)))).await;
        let before = is_told.load(SeqCst);
        drop(response);
        (before, is_told.load(SeqCst))
    }

    #[tokio::test]
    async fn the_end_of_a_stream_is_told_whatever_it_held() {
        assert_eq!(told(&[], Ending::Open).await, (false, true));
        assert_eq!(told(&["a", "b"], Ending::Complete).await, (false, true));
        // A recorded stream that the server ended at once.
        assert!(told(&[], Ending::Complete).await.1);
        assert!(told(&["a"], Ending::Complete).await.1);
    }
}
