//! The kernel's tables of sockets as Linux prints them in `/proc/net/tcp`, `tcp6`, `udp` and `udp6` (proc_pid_net(5)). Knows their
//! columns; who a socket belongs to is for others to find out.

use std::net::{IpAddr, SocketAddr};

/// A socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketRow {
    /// Where it is bound. An IPv4 address within IPv6 is the IPv4 address.
    pub local: SocketAddr,
    /// Where it is connected to; port 0 if it is not.
    pub remote: SocketAddr,
    /// The kernel's number of its state: 1 is established, 10 listens (`include/net/tcp_states.h`).
    pub state: u8,
    /// The user who made it.
    pub uid: u32,
    /// The number by which `/proc/<pid>/fd` names it; 0 once no process has it, or none yet.
    pub inode: u64,
}

/// A TCP socket that listens.
pub const LISTENS: u8 = 10;

/// The rows of a table; lines that are none are left out.
pub fn socket_rows(table: &str) -> impl Iterator<Item = SocketRow> {
    table.lines().filter_map(row)
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …`
fn row(line: &str) -> Option<SocketRow> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (address(fields.next()?)?, address(fields.next()?)?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(SocketRow { local, remote, state, uid, inode })
}

/// The kernel prints each 32-bit word of an address in the byte order of the machine.
fn address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(words.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match words.len() {
        8 => IpAddr::from(word(0)?),
        32 => {
            let mut bytes = [0; 16];
            for (index, bytes) in bytes.chunks_mut(4).enumerate() {
                bytes.copy_from_slice(&word(8 * index)?);
            }
            IpAddr::from(bytes)
        }
        _ => return None,
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

/// An IPv4 address within IPv6 is the IPv4 address.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_whatever_the_family() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1C20 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 812 1 0 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:D432 00000000000000000000000001000000:1C20 01 0:0 00:0 0  1001        0 3 1
   2: nonsense
   3: 0100007F:1C20 0100007F";
        let rows: Vec<SocketRow> = socket_rows(table).collect();
        let listens = SocketRow {
            local: "127.0.0.1:7200".parse().unwrap(),
            remote: "0.0.0.0:0".parse().unwrap(),
            state: LISTENS,
            uid: 1000,
            inode: 812,
        };
        let mapped =
            SocketRow { local: "127.0.0.1:54322".parse().unwrap(), remote: "[::1]:7200".parse().unwrap(), state: 1, uid: 1001, inode: 3 };
        assert_eq!(rows, [listens, mapped]);
    }
}
