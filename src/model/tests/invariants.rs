//! The invariants of state-model, under any sequence of requests.

use super::super::policy::{OldAccess, Reuse, Rotation};
use super::*;
use proptest::prelude::*;

/// One thing a client, honest or not, may do. The numbers pick among what was issued so far.
#[derive(Clone, Debug)]
enum Step {
    Login,
    Redeem(usize),
    Refresh(usize),
    RevokeAccess(usize),
    RevokeRefresh(usize),
    Wait(u64),
    Session(usize),
    EndSession(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Login),
        2 => (0usize..9).prop_map(Step::Redeem),
        6 => (0usize..9).prop_map(Step::Refresh),
        1 => (0usize..9).prop_map(Step::RevokeAccess),
        1 => (0usize..9).prop_map(Step::RevokeRefresh),
        2 => (1u64..2000).prop_map(Step::Wait),
        2 => (0usize..9).prop_map(Step::Session),
        1 => (0usize..9).prop_map(Step::EndSession),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What the sequence collected.
#[derive(Default)]
struct Seen {
    client: String,
    redeemed: Vec<String>,
    access: Vec<String>,
    refresh: Vec<String>,
    sessions: Vec<(String, String)>,
    ended: Vec<(String, String)>,
    revoked: Vec<GrantId>,
}

fn pick<T: Clone>(list: &[T], index: usize) -> Option<T> {
    (!list.is_empty()).then(|| list[list.len() - 1 - index % list.len()].clone())
}

impl Seen {
    fn keep(&mut self, response: &Response) {
        let (access, refresh) = tokens(response);
        self.access.push(access);
        self.refresh.extend((!refresh.is_empty()).then_some(refresh));
    }

    fn apply(&mut self, world: &mut World, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Login => {
                let code = world.code(&self.client);
                let response = world.exchange(&self.client, &code, &[]);
                self.keep(&response);
                self.redeemed.push(code);
            }
            Step::Redeem(index) => {
                let Some(code) = pick(&self.redeemed, *index) else { return Ok(()) };
                prop_assert_eq!(world.exchange(&self.client, &code, &[]).status, 400, "a redeemed code never succeeds");
            }
            Step::Refresh(index) => {
                let Some(token) = pick(&self.refresh, *index) else { return Ok(()) };
                let response = world.refresh(&self.client, &token, &[]);
                if response.status == 200 {
                    self.keep(&response);
                }
            }
            Step::RevokeAccess(index) => drop(pick(&self.access, *index).map(|token| world.revoke(&self.client, &token))),
            Step::RevokeRefresh(index) => drop(pick(&self.refresh, *index).map(|token| world.revoke(&self.client, &token))),
            Step::Wait(seconds) => world.wait(*seconds),
            Step::Session(index) => {
                let Some(access) = pick(&self.access, *index) else { return Ok(()) };
                let response = world.legacy(&access, "", initialize());
                let name = response.headers.first("mcp-session-id").map(str::to_owned);
                self.sessions.extend(name.map(|name| (access, name)));
            }
            Step::EndSession(index) => {
                let Some((access, name)) = pick(&self.sessions, *index) else { return Ok(()) };
                let authorization = format!("Bearer {access}");
                let headers = [("authorization", authorization.as_str()), ("mcp-session-id", &name)];
                if world.send(&request("DELETE", RS, &headers, Content::Empty)).status == 200 {
                    self.ended.push((access, name));
                }
            }
        }
        Ok(())
    }

    fn check(&mut self, world: &mut World) -> Result<(), TestCaseError> {
        let now = world.now;
        for value in &self.access {
            let issued = &world.model.issuer(world.issuer).issued;
            let token = issued.access[value].clone();
            let grant = issued.grant(token.grant);
            let holds = grant.revoked.is_none() && now < token.expires && !token.revoked && token.generation >= grant.oldest_access;
            let status = world.modern(value, "ping", json!({}), &[]).status;
            prop_assert_eq!(status == 200, holds, "an access token is accepted iff its grant is active and clock < exp");
        }
        let issuer = world.model.issuer(world.issuer);
        for (id, grant) in issuer.issued.grants() {
            if issuer.policy.rotation == Rotation::Strict {
                prop_assert!(issuer.issued.active_refresh(id, now) <= 1, "at most one active refresh token a grant");
            }
            if grant.revoked.is_some() && !self.revoked.contains(&id) {
                self.revoked.push(id);
            }
        }
        for id in &self.revoked {
            prop_assert!(issuer.issued.grant(*id).revoked.is_some(), "a revocation is final");
            prop_assert_eq!(issuer.issued.active_refresh(*id, now), 0);
        }
        let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        for (access, name) in &self.ended {
            let status = world.legacy(access, name, ping.clone()).status;
            prop_assert!(matches!(status, 404 | 401), "a terminated session stays 404");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn they_hold_under_any_sequence(steps in steps(), strict: bool, reuse: bool, keep: bool, grace in 0u64..100) {
        let policy = IssuerPolicy {
            rotation: if strict { Rotation::Strict } else { Rotation::Never },
            reuse: if reuse { Reuse::RevokeFamily } else { Reuse::Refuse },
            old_access: if keep { OldAccess::Keep } else { OldAccess::Revoke },
            grace: Duration::from_secs(grace),
            ..IssuerPolicy::default()
        };
        let mut world = world_with(policy, ServerPolicy::default());
        let mut seen = Seen { client: world.client(), ..Seen::default() };
        for step in &steps {
            seen.apply(&mut world, step)?;
            seen.check(&mut world)?;
        }
    }
}
