//! `kill -9` at random moments under load: what is in the recovered file is compared with what the server said and with what
//! the client saw when. The seed of a failure is printed; `AUTHTAPE_KILLS` sets how many, `AUTHTAPE_SEED` repeats one.

use super::load::{Chance, Log, Seen, ask, event, server};
use super::recorder::{HOST, Place, Recorder, all_bytes, is_alive};
use super::server::Speaks;
use crate::proxy::world::soon;
use authtape::cassette::{Cassette, Interaction};
use authtape::exchange::End;
use futures_util::StreamExt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Notify;

/// What was forwarded this long before the kill is in the file: design.md, "Nothing lost".
const EXCHANGE: Duration = Duration::from_millis(100);
const EVENT: Duration = Duration::from_secs(1);

/// The time before a kill in which it is looked at how long the writer had to wait for a processor. A machine that has none to
/// give (other tests, other people) is no fault of the recorder: this much is added to the 100 ms.
const WINDOW: Duration = Duration::from_millis(400);

/// A kill.
#[derive(Clone, Copy)]
struct Killed {
    at: SystemTime,
    /// How long the writer was kept from running shortly before.
    starved: Duration,
}

/// How many recordings run beside each other.
const LANES: usize = 3;

/// What the client saw, and when.
#[derive(Default)]
struct Sightings {
    seen: Mutex<Vec<(Seen, SystemTime)>>,
    first: Notify,
}

impl Sightings {
    fn note(&self, seen: Seen, at: SystemTime) {
        self.seen.lock().unwrap().push((seen, at));
        self.first.notify_one();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_forwarded_is_lost() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let first = number("AUTHTAPE_SEED").unwrap_or_else(|| u64::from(std::process::id()) << 20);
    let kills = if number("AUTHTAPE_SEED").is_some() { 1 } else { number("AUTHTAPE_KILLS").unwrap_or(100) };
    let totals = Mutex::new((0, 0));
    let runs = futures_util::stream::iter((first..first + kills).map(|seed| {
        let totals = &totals;
        async move {
            let (answers, events) = one_kill(seed).await.unwrap_or_else(|wrong| panic!("AUTHTAPE_SEED={seed}: {wrong}"));
            let mut totals = totals.lock().unwrap();
            *totals = (totals.0 + answers, totals.1 + events);
        }
    }));
    runs.buffer_unordered(LANES).collect::<()>().await;
    let (answers, events) = totals.into_inner().unwrap();
    println!("{kills} kills: {answers} answers and {events} events had to be there, and were");
    assert!(answers > 0, "there was load");
}

/// Records, kills, compares: how many answers and events had to be there.
async fn one_kill(seed: u64) -> Result<(usize, usize), String> {
    let mut chance = Chance::new(seed);
    let speaks = if chance.below(2) == 0 { Speaks::Http1 } else { Speaks::Http2 };
    let wait = Duration::from_millis(chance.below(1900));
    let (address, log) = server(seed, speaks).await;
    let sightings = Arc::<Sightings>::default();
    let (place, killed) = if seed.is_multiple_of(8) {
        under_a_client(seed, address, &sightings, wait).await
    } else {
        while_serving(seed, address, &sightings, wait).await
    };
    tokio::task::spawn_blocking(move || compare(&place, &log, &sightings.seen.lock().unwrap(), killed)).await.unwrap()
}

async fn while_serving(seed: u64, server: std::net::SocketAddr, sightings: &Arc<Sightings>, wait: Duration) -> (Place, Killed) {
    let recorder = Recorder::serve(server, &[]).await;
    let client = recorder.http();
    let noted = Arc::clone(sightings);
    let asking = tokio::spawn(async move { ask(client, seed, |seen, at| noted.note(seen, at)).await });
    soon(sightings.first.notified()).await;
    let killed = kill_after(&recorder, wait).await;
    let over = recorder.over().await;
    soon(asking).await.unwrap();
    (over.place, killed)
}

async fn under_a_client(seed: u64, server: std::net::SocketAddr, sightings: &Arc<Sightings>, wait: Duration) -> (Place, Killed) {
    let place = Place::new();
    let exe = std::env::current_exe().unwrap();
    let rule = format!("{HOST}:443={server}");
    let client = [exe.to_str().unwrap(), "hard::load::client", "--exact", "--ignored", "--nocapture"];
    let mut command = place.record(&["--connect-to", &rule], &client);
    command.env("AUTHTAPE_TEST_LOAD", seed.to_string());
    let mut recorder = place.run(command);
    let mut lines = BufReader::new(recorder.stdout()).lines();
    let noted = Arc::clone(sightings);
    let pid = Arc::new(Mutex::new(None));
    let said = Arc::clone(&pid);
    let reading = tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |index: usize| words[index].parse::<u64>().unwrap();
            let at = |index: usize| SystemTime::UNIX_EPOCH + Duration::from_nanos(number(index));
            match words[0] {
                "pid" => *said.lock().unwrap() = Some(words[1].to_owned()),
                "answer" => noted.note(Seen::Answer(number(1)), at(2)),
                "event" => noted.note(Seen::Event(number(1), number(2)), at(3)),
                _ => {}
            }
        }
    });
    soon(sightings.first.notified()).await;
    let killed = kill_after(&recorder, wait).await;
    // The client ends by itself: its proxy is gone, and with it the writing end of the pipe.
    soon(reading).await.unwrap();
    let over = recorder.over().await;
    let pid = pid.lock().unwrap().take().unwrap();
    if is_alive(&pid) {
        let _ = kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL);
    }
    (over.place, killed)
}

/// Kills at the random moment.
async fn kill_after(recorder: &Recorder, wait: Duration) -> Killed {
    tokio::time::sleep(wait.saturating_sub(WINDOW)).await;
    let before = recorder.starved();
    tokio::time::sleep(wait.min(WINDOW)).await;
    let starved = recorder.starved() - before;
    let at = SystemTime::now();
    recorder.signal(Signal::SIGKILL);
    Killed { at, starved }
}

fn compare(place: &Place, log: &Log, sightings: &[(Seen, SystemTime)], killed: Killed) -> Result<(usize, usize), String> {
    no_secret(&place.path("out"), log)?;
    let cassette = Cassette::load(&place.part()).map_err(|error| format!("cannot be read: {error}"))?;
    let mut there = HashSet::new();
    let mut streams = HashMap::new();
    for interaction in &cassette.interactions {
        let number: u64 = interaction.exchange.request.headers.first("x-number").unwrap().parse().unwrap();
        if interaction.exchange.request.method == "GET" {
            streams.insert(number, events_of(number, interaction)?);
        } else if is_whole(number, interaction, log)? {
            there.insert(number);
        }
    }
    let old = |age: Duration, at: &SystemTime| *at + age + killed.starved < killed.at;
    let (mut answers, mut events) = (0, 0);
    for (seen, at) in sightings {
        match seen {
            Seen::Answer(number) if old(EXCHANGE, at) => {
                answers += 1;
                if !there.contains(number) {
                    let before = killed.at.duration_since(*at).unwrap();
                    return Err(format!("answer {number}, seen {before:?} before the kill, is missing; starved {:?}", killed.starved));
                }
            }
            Seen::Event(stream, number) if old(EVENT, at) => {
                events += 1;
                if streams.get(stream).is_none_or(|count| count <= number) {
                    return Err(format!(
                        "event {number} of stream {stream}, seen {:?} before, is missing",
                        killed.at.duration_since(*at).unwrap()
                    ));
                }
            }
            _ => {}
        }
    }
    Ok((answers, events))
}

/// How many events of a stream are there: from the first on, each whole.
fn events_of(stream: u64, interaction: &Interaction) -> Result<u64, String> {
    let Some(response) = interaction.exchange.response() else { return Ok(0) };
    let text = String::from_utf8(response.body.content.to_bytes().into_owned()).unwrap();
    let mut count = 0;
    for found in text.split_inclusive("\n\n") {
        if without_ids(found.as_bytes()) != without_ids(event(stream, count).as_bytes()) {
            return Err(format!("event {count} of stream {stream} is torn: {found:?}"));
        }
        count += 1;
    }
    Ok(count)
}

/// True for an exchange that is over; what is there of it is what the server said.
fn is_whole(number: u64, interaction: &Interaction, log: &Log) -> Result<bool, String> {
    let Some(response) = interaction.exchange.response() else { return Ok(false) };
    let body = response.body.content.to_bytes();
    let is_over = response.body.end == End::Complete;
    if interaction.exchange.request.url.ends_with("/token") {
        let json = response.body.content.json().ok_or_else(|| format!("{number} is torn"))?;
        let is_there = json["access_token"].as_str().is_some_and(|token| token.contains("SCRUBBED")) && json["expires_in"] == 3600;
        return if is_there { Ok(is_over) } else { Err(format!("{number} is torn: {json}")) };
    }
    let said = log.bodies.lock().unwrap().get(&number).cloned().unwrap_or_default();
    let (body, said) = (without_ids(&body), without_ids(said.as_bytes()));
    let agrees = if is_over { body == said } else { said.starts_with(&body) };
    if agrees { Ok(is_over) } else { Err(format!("{number} is torn:\n{body}\n{said}")) }
}

/// Event ids stand for a position in a stream that only its owner may resume: they are replaced.
fn without_ids(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap();
    text.split_inclusive('\n').filter(|line| !line.starts_with("id: ")).collect()
}

fn no_secret(folder: &Path, log: &Log) -> Result<(), String> {
    let secrets = log.secrets.lock().unwrap();
    let digits = |secret: &str| secret[secret.len() - DIGITS..].to_owned();
    let asked = ["at-00112233445566778899aabbccddeeff"].map(digits);
    let secrets: HashSet<String> = secrets.iter().map(|secret| digits(secret)).chain(asked).collect();
    for (path, bytes) in all_bytes(folder) {
        let text = String::from_utf8_lossy(&bytes);
        for run in text.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= DIGITS) {
            if (0..=run.len() - DIGITS).any(|start| secrets.contains(&run[start..start + DIGITS])) {
                return Err(format!("{} holds a secret: {run}", path.display()));
            }
        }
    }
    Ok(())
}

/// Each secret of the server ends with as many hexadecimal digits.
const DIGITS: usize = 32;
