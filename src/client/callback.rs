//! The loopback listener that waits for the browser to come back (RFC 8252 §7.3). It gives one answer and is gone.

use crate::exchange::Form;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The path of the redirect URI.
const PATH: &str = "/callback";
/// How much of a request is read.
const HEAD_LIMIT: usize = 16 << 10;

/// A listener on 127.0.0.1.
pub(super) struct CallbackListener {
    listener: TcpListener,
    port: u16,
}

/// The browser's request, which still wants its answer.
pub(super) struct Callback {
    parameters: Form,
    browser: TcpStream,
}

impl CallbackListener {
    /// Listens on the port, or on any port when it is 0.
    pub(super) async fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Where the browser is to be sent.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for the browser; `None` when it does not come in time. Connections that ask for something else, or for nothing,
    /// do not hold it up.
    pub(super) async fn wait(self, limit: Duration) -> Option<Callback> {
        tokio::time::timeout(limit, self.first()).await.ok().flatten()
    }

    async fn first(self) -> Option<Callback> {
        let (found, mut callbacks) = mpsc::channel(1);
        let mut readers = JoinSet::new();
        loop {
            tokio::select! {
                callback = callbacks.recv() => return callback,
                accepted = self.listener.accept() => {
                    let Ok((browser, _)) = accepted else { continue };
                    let found = found.clone();
                    readers.spawn(async move {
                        if let Ok(Some(callback)) = read(browser).await {
                            let _ = found.send(callback).await;
                        }
                    });
                }
            }
        }
    }
}

/// Reads a request; `None` when it is not the callback, which is then answered here.
async fn read(mut browser: TcpStream) -> io::Result<Option<Callback>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") && head.len() < HEAD_LIMIT {
        if browser.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let text = String::from_utf8_lossy(&head);
    let mut line = text.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match (method, path, Form::parse(query)) {
        ("GET", PATH, Some(parameters)) => Ok(Some(Callback { parameters, browser })),
        _ => {
            write(&mut browser, "404 Not Found", "There is nothing here.").await?;
            Ok(None)
        }
    }
}

async fn write(browser: &mut TcpStream, status: &str, text: &str) -> io::Result<()> {
    let page = format!("<!doctype html><meta charset=utf-8><title>authtape</title><p>{text}</p>\n");
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        page.len()
    );
    browser.write_all(head.as_bytes()).await?;
    browser.write_all(page.as_bytes()).await?;
    browser.shutdown().await
}

impl Callback {
    /// What the browser brought.
    pub(super) fn parameters(&self) -> &Form {
        &self.parameters
    }

    /// Tells the person that it went well.
    pub(super) async fn accept(mut self) {
        let _ = write(&mut self.browser, "200 OK", "Done. You can close this window.").await;
    }

    /// Tells the person that it did not.
    pub(super) async fn reject(mut self) {
        let _ = write(&mut self.browser, "400 Bad Request", "This answer was not accepted. The terminal says why.").await;
    }
}

impl fmt::Debug for CallbackListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallbackListener({})", self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_waits_past_silent_and_foreign_connections_and_answers_once() {
        let listener = CallbackListener::bind(0).await.unwrap();
        let address = ("127.0.0.1", listener.port);
        let silent = TcpStream::connect(address).await.unwrap();
        let waiting = tokio::spawn(listener.wait(Duration::from_secs(10)));
        let ask = async |target: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
            stream
        };
        let mut answer = String::new();
        ask("/favicon.ico").await.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"));
        let mut browser = ask("/callback?code=c&state=a%20b").await;
        let callback = waiting.await.unwrap().unwrap();
        assert_eq!(callback.parameters().first("state"), Some("a b"));
        assert!(TcpStream::connect(address).await.is_err());
        callback.accept().await;
        answer.clear();
        browser.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"));
        drop(silent);
    }

    #[tokio::test]
    async fn it_gives_up_when_nobody_comes() {
        let listener = CallbackListener::bind(0).await.unwrap();
        assert!(listener.wait(Duration::from_millis(1)).await.is_none());
    }
}
