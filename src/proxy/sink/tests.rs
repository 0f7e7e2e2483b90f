//! What the queue promises to both of its ends.

use super::*;
use crate::exchange::{ConnectionEvent, Trouble};

fn message(connection: u32) -> Captured {
    Captured::Event(ConnectionEvent {
        at: Duration::ZERO,
        session: None,
        connection,
        trouble: Trouble::Silent,
        host: None,
        detail: String::new(),
    })
}

fn number(message: &Captured) -> u32 {
    match message {
        Captured::Event(event) => event.connection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_arrive_in_order_and_the_iterator_ends_with_the_last_sink() {
    let (sink, captures) = capture();
    let sender = thread::spawn(move || (0..5000).for_each(|number| sink.clone().send(message(number))));
    let numbers: Vec<u32> = captures.map(|message| number(&message)).collect();
    sender.join().unwrap();
    assert_eq!(numbers, (0..5000).collect::<Vec<_>>());
}

#[test]
fn recv_tells_nothing_from_closed() {
    let (sink, mut captures) = capture();
    assert!(matches!(captures.recv(Duration::ZERO), Received::Nothing));
    sink.send(message(1));
    assert!(matches!(captures.recv(Duration::ZERO), Received::Message(_)));
    drop(sink);
    assert!(matches!(captures.recv(Duration::from_secs(9)), Received::Closed));
}

#[tokio::test]
async fn a_request_waits_while_too_much_is_queued() {
    let (sink, mut captures) = capture();
    (0..=CROWDED as u32).for_each(|number| sink.send(message(number)));
    let mut waiting = Box::pin(sink.room());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert!(matches!(captures.recv(Duration::ZERO), Received::Message(_)));
    waiting.await;
}

#[tokio::test]
async fn a_request_waits_while_a_message_is_old() {
    let (sink, mut captures) = capture();
    (0..2).for_each(|number| sink.send(message(number)));
    sink.queue().oldest.store(0, SeqCst);
    while sink.queue().lag() <= OLD {
        thread::yield_now();
    }
    // Nobody has asked for messages yet, so nobody promised to be quick.
    assert!(futures_util::poll!(Box::pin(sink.room())).is_ready());
    assert!(matches!(captures.recv(Duration::ZERO), Received::Message(_)));
    sink.send(message(2));
    sink.queue().oldest.store(0, SeqCst);
    let mut waiting = Box::pin(sink.room());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert!(matches!(captures.recv(Duration::ZERO), Received::Message(_)));
    assert!(matches!(captures.recv(Duration::ZERO), Received::Message(_)));
    assert!(matches!(captures.recv(Duration::ZERO), Received::Nothing));
    waiting.await;
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_a_request_for_a_tenth_of_a_second() {
    let (sink, mut captures) = capture();
    assert!(matches!(captures.recv(Duration::ZERO), Received::Nothing));
    sink.send(message(1));
    while sink.queue().lag() <= OLD {
        thread::yield_now();
    }
    let mut waiting = Box::pin(sink.room());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert!(timeout(100 * PATIENCE, waiting).await.is_ok());
}

#[tokio::test]
async fn a_queue_that_may_not_grow_is_waited_for() {
    let (sink, mut captures) = capture();
    (0..=CROWDED as u32).for_each(|number| sink.send(message(number)));
    let mut waiting = Box::pin(sink.room());
    assert!(timeout(2 * PATIENCE, &mut waiting).await.is_err());
    assert!(matches!(captures.recv(Duration::ZERO), Received::Message(_)));
    waiting.await;
}

#[tokio::test]
async fn room_for_bodies_comes_back_when_the_message_has_been_dealt_with() {
    let (sink, mut captures) = capture();
    assert!(sink.take_room(BODIES_IN_FLIGHT));
    assert!(!sink.take_room(1));
    sink.send_holding(message(1), BODIES_IN_FLIGHT);
    let mut waiting = Box::pin(sink.room());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert!(matches!(captures.recv(Duration::ZERO), Received::Message(_)));
    assert!(!sink.take_room(1), "the message is still being worked on");
    assert!(matches!(captures.recv(Duration::ZERO), Received::Nothing));
    assert!(sink.take_room(1));
    waiting.await;
}

#[tokio::test]
async fn without_a_receiver_nothing_waits() {
    let (sink, captures) = capture();
    (0..=CROWDED as u32).for_each(|number| sink.send(message(number)));
    assert!(sink.take_room(10));
    drop(captures);
    sink.send_holding(message(1), 10);
    sink.room().await;
    assert!(!sink.take_room(1), "nothing is kept for nobody");
}
