//! The invariants of state-model, under any sequence of requests of two clients and any policy. What is expected is worked out
//! here, from the words of the reference, and not asked of the model.

use super::super::policy::{AccessRevocation, OldAccess, Reuse, Rotation};
use super::*;
use proptest::prelude::*;

/// One thing a client, honest or not, may do. The first number picks the client, the second among what was issued so far.
#[derive(Clone, Debug)]
enum Step {
    Login(usize),
    StolenCode(usize),
    UsedCode(usize, usize),
    Refresh(usize, usize),
    RevokeAccess(usize, usize),
    RevokeRefresh(usize, usize),
    Wait(u64),
    Session(usize),
    EndSession(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (client, one) = (0usize..2, 0usize..9);
    let step = prop_oneof![
        3 => client.clone().prop_map(Step::Login),
        1 => client.clone().prop_map(Step::StolenCode),
        1 => (client.clone(), one.clone()).prop_map(|(client, index)| Step::UsedCode(client, index)),
        8 => (client.clone(), one.clone()).prop_map(|(client, index)| Step::Refresh(client, index)),
        1 => (client.clone(), one.clone()).prop_map(|(client, index)| Step::RevokeAccess(client, index)),
        1 => (client, one.clone()).prop_map(|(client, index)| Step::RevokeRefresh(client, index)),
        3 => (1u64..2000).prop_map(Step::Wait),
        2 => one.clone().prop_map(Step::Session),
        1 => one.prop_map(Step::EndSession),
    ];
    proptest::collection::vec(step, 1..40)
}

fn policies() -> impl Strategy<Value = IssuerPolicy> {
    let flags = proptest::array::uniform5(any::<bool>());
    let times = (0u64..100, proptest::option::of(1u64..3000), 1u64..4000);
    (flags, times).prop_map(|([strict, reuse, keep, foreign, whole], (grace, refresh_ttl, access_ttl))| {
        let reuse_of = |revokes| if revokes { Reuse::RevokeFamily } else { Reuse::Refuse };
        IssuerPolicy {
            rotation: if strict { Rotation::Strict } else { Rotation::Never },
            reuse: reuse_of(reuse),
            foreign_refresh: reuse_of(foreign),
            old_access: if keep { OldAccess::Keep } else { OldAccess::Revoke },
            access_revocation: if whole { AccessRevocation::Grant } else { AccessRevocation::Token },
            grace: Duration::from_secs(grace),
            refresh_ttl: refresh_ttl.map(Duration::from_secs),
            access_ttl: Duration::from_secs(access_ttl),
            ..IssuerPolicy::default()
        }
    })
}

/// A grant and what came of it.
struct Family {
    client: usize,
    is_ended: bool,
    newest: String,
}

struct Access {
    value: String,
    family: usize,
    expires: Moment,
    is_ended: bool,
}

#[derive(Clone)]
struct Refresh {
    value: String,
    family: usize,
    expires: Option<Moment>,
    rotated: Option<Moment>,
}

/// What the sequence collected, and what follows from it.
struct Seen {
    clients: [String; 2],
    policy: IssuerPolicy,
    families: Vec<Family>,
    access: Vec<Access>,
    refresh: Vec<Refresh>,
    used_codes: Vec<(String, usize)>,
    sessions: Vec<(String, String, bool)>,
}

fn pick<T>(list: &[T], index: usize) -> Option<usize> {
    (!list.is_empty()).then(|| list.len() - 1 - index % list.len())
}

impl Seen {
    fn keep(&mut self, family: usize, response: &Response, now: Moment) {
        let (access, refresh) = tokens(response);
        self.families[family].newest.clone_from(&access);
        if self.policy.old_access == OldAccess::Revoke {
            self.access.iter_mut().filter(|own| own.family == family).for_each(|own| own.is_ended = true);
        }
        self.access.push(Access { value: access, family, expires: now.plus(self.policy.access_ttl), is_ended: false });
        if !refresh.is_empty() {
            let expires = self.policy.refresh_ttl.map(|ttl| now.plus(ttl));
            self.refresh.push(Refresh { value: refresh, family, expires, rotated: None });
        }
    }

    fn holds(&self, access: &Access, now: Moment) -> bool {
        !access.is_ended && !self.families[access.family].is_ended && now < access.expires
    }

    fn apply(&mut self, world: &mut World, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Login(client) => {
                let code = world.code(&self.clients[*client]);
                let response = world.exchange(&self.clients[*client], &code, &[]);
                self.families.push(Family { client: *client, is_ended: false, newest: String::new() });
                self.keep(self.families.len() - 1, &response, world.now);
                self.used_codes.push((code, self.families.len() - 1));
            }
            Step::StolenCode(client) => {
                let code = world.code(&self.clients[*client]);
                for thief in [1 - client, *client] {
                    let status = world.exchange(&self.clients[thief], &code, &[]).status;
                    prop_assert_eq!(status, 400, "a code that another client showed is nobody's any more");
                }
            }
            Step::UsedCode(client, index) => {
                let Some(index) = pick(&self.used_codes, *index) else { return Ok(()) };
                let (code, family) = self.used_codes[index].clone();
                prop_assert_eq!(world.exchange(&self.clients[*client], &code, &[]).status, 400, "a redeemed code never succeeds");
                self.families[family].is_ended = true;
            }
            Step::Refresh(client, index) => self.refresh(world, *client, *index)?,
            Step::RevokeAccess(client, index) => {
                let Some(index) = pick(&self.access, *index) else { return Ok(()) };
                let (value, family) = (self.access[index].value.clone(), self.access[index].family);
                prop_assert_eq!(world.revoke(&self.clients[*client], &value).status, 200);
                let is_own = self.families[family].client == *client;
                self.access[index].is_ended |= is_own;
                self.families[family].is_ended |= is_own && self.policy.access_revocation == AccessRevocation::Grant;
            }
            Step::RevokeRefresh(client, index) => {
                let Some(index) = pick(&self.refresh, *index) else { return Ok(()) };
                let Refresh { value, family, .. } = self.refresh[index].clone();
                prop_assert_eq!(world.revoke(&self.clients[*client], &value).status, 200);
                self.families[family].is_ended |= self.families[family].client == *client;
            }
            Step::Wait(seconds) => world.wait(*seconds),
            Step::Session(index) => {
                let Some(index) = pick(&self.access, *index) else { return Ok(()) };
                let response = world.legacy(&self.access[index].value, "", initialize());
                let is_open = self.holds(&self.access[index], world.now);
                prop_assert_eq!(response.status, if is_open { 200 } else { 401 });
                let name = response.headers.first("mcp-session-id").map(str::to_owned);
                self.sessions.extend(name.map(|name| (self.access[index].value.clone(), name, false)));
            }
            Step::EndSession(index) => {
                let Some(index) = pick(&self.sessions, *index) else { return Ok(()) };
                let (access, name, _) = self.sessions[index].clone();
                let authorization = format!("Bearer {access}");
                let headers = [("authorization", authorization.as_str()), ("mcp-session-id", &name)];
                self.sessions[index].2 |= world.send(&request("DELETE", RS, &headers, Content::Empty)).status == 200;
            }
        }
        Ok(())
    }

    /// RFC 6749 §6, RFC 9700 §4.14.2, and what the policy says where they leave it open.
    fn refresh(&mut self, world: &mut World, client: usize, index: usize) -> Result<(), TestCaseError> {
        let Some(index) = pick(&self.refresh, index) else { return Ok(()) };
        let Refresh { value, family, expires, rotated } = self.refresh[index].clone();
        let response = world.refresh(&self.clients[client], &value, &[]);
        let is_foreign = self.families[family].client != client;
        let is_over = self.families[family].is_ended || expires.is_some_and(|end| world.now >= end);
        let is_graced = rotated.is_some_and(|rotated| world.now.since(rotated) < self.policy.grace);
        if is_foreign {
            prop_assert_eq!(response.status, 400, "a refresh token is for one client");
            self.families[family].is_ended |= self.policy.foreign_refresh == Reuse::RevokeFamily;
        } else if is_over {
            prop_assert_eq!(response.status, 400, "a revocation is final");
        } else if rotated.is_some() && !is_graced {
            prop_assert_eq!(response.status, 400, "a replaced refresh token is refused");
            self.families[family].is_ended |= self.policy.reuse == Reuse::RevokeFamily;
        } else if is_graced {
            prop_assert_eq!(&tokens(&response).0, &self.families[family].newest, "grace gives the current generation again");
        } else {
            if self.policy.rotation == Rotation::Strict {
                self.refresh[index].rotated = Some(world.now);
            }
            self.keep(family, &response, world.now);
        }
        Ok(())
    }

    fn check(&self, world: &mut World) -> Result<(), TestCaseError> {
        let now = world.now;
        for access in &self.access {
            let status = world.modern(&access.value, "ping", json!({}), &[]).status;
            let expected = if self.holds(access, now) { 200 } else { 401 };
            prop_assert_eq!(status, expected, "an access token is accepted iff its grant is active and clock < exp");
        }
        for never in ["SCRUBBED0001xxxxxxxxxxxx", "at_SCRUBBED0002xxxxxxxxxxxxx"] {
            prop_assert_eq!(world.modern(never, "ping", json!({}), &[]).status, 401, "a placeholder is never accepted");
        }
        let issuer = world.model.issuer(world.issuer);
        for (id, _) in issuer.issued.grants().filter(|_| self.policy.rotation == Rotation::Strict) {
            prop_assert!(issuer.issued.active_refresh(id, now) <= 1, "at most one active refresh token a grant");
        }
        let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        for (value, name, is_ended) in &self.sessions {
            let status = world.legacy(value, name, ping.clone()).status;
            let holds = self.access.iter().any(|own| own.value == *value && self.holds(own, now));
            let expected = if !holds {
                401
            } else if *is_ended {
                404
            } else {
                200
            };
            prop_assert_eq!(status, expected, "a terminated session answers 404 for ever");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn they_hold_under_any_sequence(steps in steps(), policy in policies()) {
        let mut world = world_with(policy.clone(), ServerPolicy::default());
        let clients = [world.client(), world.client()];
        let (families, access, refresh) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = Seen { clients, policy, families, access, refresh, used_codes: Vec::new(), sessions: Vec::new() };
        for step in &steps {
            seen.apply(&mut world, step)?;
            seen.check(&mut world)?;
        }
    }
}
