//! How the file descriptors of this process are shared out, so that none of its loops ever runs out of them: hudsucker would try
//! again at once, for ever. Knows numbers only.

use nix::sys::resource::{Resource, getrlimit};

/// Left for files, the runtime and the client's own pipes.
const SPARE: u64 = 64;
/// How many tunnels may be named to the core at once, and the sockets that each of them takes for that moment.
const NAMED: u64 = 16;
const NAMING: u64 = 2;
/// More are never needed.
const MOST: u64 = 10_000;

/// How many of each may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// Connections of clients.
    pub clients: usize,
    /// Connections to servers.
    pub servers: usize,
    /// Tunnels of clients that are being named to the core.
    pub named: usize,
    /// The limit that they were shared out from.
    pub limit: u64,
}

impl Descriptors {
    /// The shares under this process's limit (`ulimit -n`).
    pub fn of_this_process() -> Self {
        Self::under(getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft))
    }

    fn under(limit: u64) -> Self {
        let free = limit - SPARE.min(limit / 2);
        let named = (free / 8).min(NAMED);
        let free = free - named * NAMING;
        let servers = free / 5 * 2;
        let share = |number: u64| usize::try_from(number.clamp(1, MOST)).unwrap_or(1);
        Self { clients: share(free - servers), servers: share(servers), named: share(named), limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_fit_under_the_limit() {
        for limit in [16, 64, 256, 1024, 65_536] {
            let Descriptors { clients, servers, named, .. } = Descriptors::under(limit);
            assert!(clients > 0 && servers > 0 && named > 0, "{limit}");
            assert!((clients + servers + 2 * named) as u64 <= limit - SPARE.min(limit / 2), "{limit}");
        }
        assert_eq!(Descriptors::under(u64::MAX).clients, 10_000);
        assert_eq!(Descriptors::under(1024), Descriptors { clients: 558, servers: 370, named: 16, limit: 1024 });
    }
}
