//! One socket of another process, looked at by way of a duplicate (pidfd_getfd(2), Linux 5.6): microseconds, where the kernel's
//! tables take milliseconds. Nothing is read, written or set. While it is looked at the socket has one owner more, so a close in
//! that moment takes effect at its end. Where this is not allowed (Yama, another user, an older kernel) the tables tell.

use std::net::SocketAddr;

/// A descriptor of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The process.
    pub pid: i32,
    /// Its descriptor.
    pub fd: i32,
    /// The socket that it named.
    pub inode: u64,
}

/// What a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    /// TCP, listening there.
    Listens(SocketAddr),
    /// TCP, connected: local and remote address.
    Connected(SocketAddr, SocketAddr),
    /// TCP that is neither, not yet or not any more; also one on its way to a peer that does not answer.
    Idle,
    /// UDP.
    Datagrams,
    /// None of the internet.
    Other,
    /// It is gone, or may not be looked at.
    Hidden,
}

/// Looks at a socket.
#[cfg(not(target_os = "linux"))]
pub(super) fn peek(_: Place) -> Socket {
    Socket::Hidden
}

#[cfg(target_os = "linux")]
pub(super) use linux::peek;

#[cfg(target_os = "linux")]
mod linux {
    use super::{Place, Socket};
    use nix::sys::socket::{SockType, getsockopt, sockopt};
    use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
    use std::fs::File;
    use std::io::ErrorKind;
    use std::net::{SocketAddr, TcpStream};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::MetadataExt;

    /// Looks at a socket.
    pub(in super::super) fn peek(place: Place) -> Socket {
        duplicate(place).map_or(Socket::Hidden, |socket| look(&socket))
    }

    /// The socket itself, if the descriptor still names it.
    fn duplicate(place: Place) -> Option<TcpStream> {
        let process = pidfd_open(Pid::from_raw(place.pid)?, PidfdFlags::empty()).ok()?;
        let descriptor: OwnedFd = pidfd_getfd(&process, place.fd, PidfdGetfdFlags::empty()).ok()?;
        let file = File::from(descriptor);
        let is_meant = file.metadata().is_ok_and(|metadata| metadata.ino() == place.inode);
        is_meant.then(|| TcpStream::from(OwnedFd::from(file)))
    }

    /// The standard library asks for the addresses of any socket, and refuses those that are not of the internet.
    fn look(socket: &TcpStream) -> Socket {
        let Ok(local) = socket.local_addr() else { return Socket::Other };
        match getsockopt(socket, sockopt::SockType) {
            Ok(SockType::Stream) => {}
            Ok(SockType::Datagram) => return Socket::Datagrams,
            _ => return Socket::Other,
        }
        match socket.peer_addr() {
            Ok(remote) => Socket::Connected(canonical(local), canonical(remote)),
            Err(error) if error.kind() != ErrorKind::NotConnected => Socket::Other,
            Err(_) if getsockopt(socket, sockopt::AcceptConn) == Ok(true) => Socket::Listens(canonical(local)),
            Err(_) => Socket::Idle,
        }
    }

    /// An IPv4 address within IPv6 is the IPv4 address.
    fn canonical(address: SocketAddr) -> SocketAddr {
        SocketAddr::new(address.ip().to_canonical(), address.port())
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::net::{Ipv6Addr, TcpListener, UdpSocket};
        use std::os::fd::{AsFd, AsRawFd};
        use std::os::unix::net::UnixStream;

        fn of(socket: &impl AsFd) -> Socket {
            let file = File::from(socket.as_fd().try_clone_to_owned().unwrap());
            let inode = file.metadata().unwrap().ino();
            peek(Place { pid: nix::unistd::getpid().as_raw(), fd: file.as_raw_fd(), inode })
        }

        #[test]
        fn sockets_are_told_apart() {
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (server, _) = listener.accept().unwrap();
            let (here, there) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
            assert_eq!(of(&listener), Socket::Listens((Ipv6Addr::UNSPECIFIED, port).into()));
            assert_eq!((of(&client), of(&server)), (Socket::Connected(here, there), Socket::Connected(there, here)));
            assert_eq!(of(&UdpSocket::bind("127.0.0.1:0").unwrap()), Socket::Datagrams);
            assert_eq!(of(&UnixStream::pair().unwrap().0), Socket::Other);
            drop(server);
            assert_eq!(client.peer_addr().map(|_| of(&client)).ok(), Some(Socket::Connected(here, there)));
        }

        #[test]
        fn a_descriptor_that_names_another_one_by_now_is_hidden() {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let own = nix::unistd::getpid().as_raw();
            assert_eq!(peek(Place { pid: own, fd: listener.as_raw_fd(), inode: 1 }), Socket::Hidden);
            assert_eq!(peek(Place { pid: own, fd: i32::MAX, inode: 1 }), Socket::Hidden);
            assert_eq!(peek(Place { pid: 0, fd: 0, inode: 1 }), Socket::Hidden);
        }
    }
}
