//! Whether the process at the other end of a loopback connection runs under our own user: Linux says so in `/proc/net/tcp`
//! and `tcp6`. Elsewhere the answer is always no.

use super::socket_table::{canonical, socket_rows};
use std::fs;
use std::net::SocketAddr;

/// True when the peer's socket belongs to our user. Reads files of the kernel: not for an async thread.
pub(super) fn owns(peer: SocketAddr, proxy: SocketAddr) -> bool {
    let own = nix::unistd::getuid().as_raw();
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .any(|table| owner(&table, peer, proxy) == Some(own))
}

/// The user of the socket that is bound to `local` and connected to `remote`.
fn owner(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    let (local, remote) = (canonical(local), canonical(remote));
    socket_rows(table).find(|row| (row.local, row.remote) == (local, remote)).map(|row| row.uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1C20 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:D431 0100007F:1C20 01 00000000:00000000 00:00000000 00000000  1000        0 2 1
   2: 0000000000000000FFFF00000100007F:D432 0000000000000000FFFF00000100007F:1C20 01 0:0 00:0 0  1001        0 3 1
";

    #[test]
    fn the_table_names_the_user() {
        let proxy = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0x1C20);
        let peer = |port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        assert_eq!(owner(TABLE, peer(0xD431), proxy), Some(1000));
        assert_eq!(owner(TABLE, peer(0xD432), proxy), Some(1001));
        assert_eq!(owner(TABLE, peer(0xD433), proxy), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn our_own_sockets_are_ours() {
        for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            let Ok(listener) = TcpListener::bind((ip, 0)) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            assert!(owns(client.local_addr().unwrap(), listener.local_addr().unwrap()), "{ip}");
        }
    }
}
