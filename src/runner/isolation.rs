//! A network namespace with loopback only, for this process and everything it starts: what is inside cannot reach another
//! machine, nor a server on this one that stands outside. Linux only. Files and their Unix sockets stay where they are: a client
//! may still talk to a daemon by way of one.

/// Why there is no such namespace.
#[derive(Debug, thiserror::Error)]
pub enum IsolationError {
    /// The system does not let this user make one. The text says what was refused.
    #[error("this system does not let you make a network namespace ({0})")]
    NotAllowed(String),
    /// It was made and is not what it should be.
    #[error("the network namespace does not work: {0}")]
    Broken(String),
    /// There are no network namespaces here.
    #[error("network namespaces exist on Linux only")]
    NotOnThisSystem,
}

/// Moves this process into a network namespace of its own and brings its loopback up. With the right to do so, nothing else
/// changes; without it, a user namespace is made around it, in which this user is the same user and all others are nobody.
/// Threads that run already would stay outside: call it before any is started.
///
/// # Errors
/// Namespaces are not allowed to this user; other threads run.
#[cfg(not(target_os = "linux"))]
pub fn enter() -> Result<(), IsolationError> {
    Err(IsolationError::NotOnThisSystem)
}

#[cfg(target_os = "linux")]
pub use linux::enter;

#[cfg(target_os = "linux")]
mod linux {
    use super::IsolationError;
    use nix::errno::Errno;
    use nix::sched::{CloneFlags, unshare};
    use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
    use nix::unistd::{getegid, geteuid};
    use std::fs;
    use std::os::fd::AsRawFd;
    use std::path::PathBuf;

    /// Moves this process into a network namespace of its own and brings its loopback up. With the right to do so, nothing else
    /// changes; without it, a user namespace is made around it, in which this user is the same user and all others are nobody.
    /// Threads that run already would stay outside: call it before any is started.
    ///
    /// # Errors
    /// Namespaces are not allowed to this user; other threads run.
    pub fn enter() -> Result<(), IsolationError> {
        let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        if threads != 1 {
            return Err(IsolationError::Broken(format!("{threads} threads run already")));
        }
        let outside = namespace();
        let privileged = unshare(CloneFlags::CLONE_NEWNET).and_then(|()| bring_up_loopback());
        if privileged.is_err() {
            within_a_user_namespace()?;
        }
        match (outside, namespace()) {
            (Some(outside), Some(inside)) if outside != inside => Ok(()),
            _ => Err(IsolationError::Broken("/proc does not show another one".to_owned())),
        }
    }

    fn within_a_user_namespace() -> Result<(), IsolationError> {
        let (user, group) = (geteuid(), getegid());
        let refused = |what: &str, reason: &dyn std::fmt::Display| IsolationError::NotAllowed(format!("{what}: {reason}"));
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).map_err(|errno| refused("unshare", &errno.desc()))?;
        // Without this a group map is refused (user_namespaces(7)).
        fs::write("/proc/self/setgroups", "deny").map_err(|error| refused("setgroups", &error))?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1")).map_err(|error| refused("uid_map", &error))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1")).map_err(|error| refused("gid_map", &error))?;
        bring_up_loopback().map_err(|errno| refused("loopback", &errno.desc()))
    }

    const NLMSG_ERROR: u16 = 2;
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST: u16 = 1;
    const NLM_F_ACK: u16 = 4;
    const IFF_UP: u32 = 1;
    /// Loopback is the first interface of every namespace.
    const LOOPBACK: i32 = 1;

    /// `ip link set lo up`, as one message of rtnetlink(7): a `nlmsghdr` and an `ifinfomsg`. The kernel gives loopback its addresses
    /// by itself.
    fn bring_up_loopback() -> Result<(), Errno> {
        let mut message = Vec::with_capacity(32);
        message.extend(32_u32.to_ne_bytes());
        message.extend(RTM_NEWLINK.to_ne_bytes());
        message.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        message.extend([0; 8]); // sequence, port
        message.extend([0; 4]); // family, padding, type
        message.extend(LOOPBACK.to_ne_bytes());
        message.extend(IFF_UP.to_ne_bytes());
        message.extend(IFF_UP.to_ne_bytes()); // which flags are meant
        let netlink = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
        send(netlink.as_raw_fd(), &message, MsgFlags::empty())?;
        let mut answer = [0; 256];
        let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        acknowledged(&answer[..length])
    }

    /// An acknowledgement is an error with number 0.
    fn acknowledged(answer: &[u8]) -> Result<(), Errno> {
        let kind = answer.get(4..6).and_then(|bytes| Some(u16::from_ne_bytes(bytes.try_into().ok()?)));
        let code = answer.get(16..20).and_then(|bytes| Some(i32::from_ne_bytes(bytes.try_into().ok()?)));
        match (kind, code) {
            (Some(NLMSG_ERROR), Some(0)) => Ok(()),
            (Some(NLMSG_ERROR), Some(code)) => Err(Errno::from_raw(code.saturating_neg())),
            _ => Err(Errno::EBADMSG),
        }
    }

    /// The network namespace of this process.
    fn namespace() -> Option<PathBuf> {
        fs::read_link("/proc/self/ns/net").ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_kernel_s_answer_is_read() {
            let answer = |kind: u16, code: i32| {
                let mut bytes = vec![0; 20];
                bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
                bytes[16..20].copy_from_slice(&code.to_ne_bytes());
                bytes
            };
            assert_eq!(acknowledged(&answer(NLMSG_ERROR, 0)), Ok(()));
            assert_eq!(acknowledged(&answer(NLMSG_ERROR, -1)), Err(Errno::EPERM));
            assert_eq!(acknowledged(&answer(3, 0)), Err(Errno::EBADMSG));
            assert_eq!(acknowledged(&[]), Err(Errno::EBADMSG));
        }
    }
}
