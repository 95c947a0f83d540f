//! Which addresses may be called on a caller's word: public ones only, so that nobody reads the operator's own network
//! through this program (server-side request forgery).
//!
//! - One parser: the address that is judged is the one that is called. It knows hosts in decimal, octal and hexadecimal, full
//!   width and percent-escaped, and writes them all the same way.
//! - `http` or `https`, no user name in it, and a port where web servers are: [`is_web_port`].
//! - A name must be one of the public internet, and every address that it stands for must be public ([`is_public`]).
//! - What was judged is connected to: the name is asked once, so that it can't change its mind in between. Nobody follows a
//!   redirect.
//! - An operator may allow private networks; then only the parser's own rules are left.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::world::Target;

/// Names that are of no public host: by RFC 6761, 6762, 7686, 8375 and 9476, by ICANN (`internal`), and by habit.
const SPECIAL_NAMES: [&str; 17] = [
    "alt",
    "arpa",
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "mail",
    "onion",
    "private",
    "test",
    "workgroup",
];
/// Ports above 1023 where something else listens than web servers: those that browsers refuse, and databases and the like
/// that would take a request for a command.
const SERVICE_PORTS: [u16; 29] = [
    1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432,
    5984, 6000, 6379, 6566, 6697, 9042, 9200, 10080, 10250, 11211, 15672, 27017,
];

type Later<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// From names to addresses, and from addresses to connections.
pub trait Net: fmt::Debug + Send + Sync {
    /// All addresses of a name.
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Later<'a, Vec<SocketAddr>>;
    /// Connects.
    fn dial(&self, address: SocketAddr) -> Later<'_, TcpStream>;
}

/// The system's own.
#[derive(Clone, Copy, Debug)]
pub struct SystemNet;

impl Net for SystemNet {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Later<'a, Vec<SocketAddr>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }

    fn dial(&self, address: SocketAddr) -> Later<'_, TcpStream> {
        Box::pin(TcpStream::connect(address))
    }
}

/// Why an address isn't called. Each ends a sentence that begins with the address.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// It may not be.
    #[error("{0}")]
    Refused(&'static str),
    /// Nobody knows its server's name.
    #[error("its server's name is unknown")]
    UnknownName,
    /// Its server doesn't answer.
    #[error("its server can't be reached")]
    Unreachable(#[source] io::Error),
}

/// Judges addresses and connects to those that pass.
#[derive(Clone, Debug)]
pub struct Guard {
    net: Arc<dyn Net>,
    private_too: bool,
}

impl Guard {
    /// With the system's own network. `private_too`: the operator trusts callers with what this machine can reach.
    pub fn new(private_too: bool) -> Guard {
        Guard::over(Arc::new(SystemNet), private_too)
    }

    /// With another network.
    pub fn over(net: Arc<dyn Net>, private_too: bool) -> Guard {
        Guard { net, private_too }
    }

    /// Whether private networks are allowed.
    pub fn is_open(&self) -> bool {
        self.private_too
    }

    /// What can be judged without asking anybody: port, name, and addresses that stand there as such.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, target: &Target) -> Result<(), GuardError> {
        if self.private_too {
            return Ok(());
        }
        let public = match target.host.parse::<IpAddr>() {
            Ok(address) => is_public(address),
            Err(_) => is_public_name(&target.host),
        };
        if !public {
            return Err(NOT_PUBLIC);
        }
        if !is_web_port(target.port) {
            return Err(GuardError::Refused(
                "no web server is to be expected at its port; use 443 or 80, or one above 1023",
            ));
        }
        Ok(())
    }

    /// Asks for the name's addresses and judges them all.
    ///
    /// # Errors
    /// Why not.
    pub async fn judge(&self, target: &Target) -> Result<Vec<SocketAddr>, GuardError> {
        self.check(target)?;
        let found = self.net.lookup(&target.host, target.port).await.map_err(|_| GuardError::UnknownName)?;
        if !self.private_too && !found.iter().all(|address| is_public(address.ip())) {
            return Err(NOT_PUBLIC);
        }
        if found.is_empty() { Err(GuardError::UnknownName) } else { Ok(found) }
    }

    /// Connects to an address that was judged.
    ///
    /// # Errors
    /// Why not.
    pub async fn connect(&self, target: &Target) -> Result<TcpStream, GuardError> {
        let found = self.judge(target).await?;
        let mut last = GuardError::UnknownName;
        for address in found {
            match self.net.dial(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = GuardError::Unreachable(error),
            }
        }
        Err(last)
    }
}

const NOT_PUBLIC: GuardError = GuardError::Refused("its server is not on the public internet");

/// Whether web servers are at a port: 80, 443, and those above 1023 that no other service is known for.
pub fn is_web_port(port: u16) -> bool {
    matches!(port, 80 | 443) || (port > 1023 && !SERVICE_PORTS.contains(&port))
}

/// Whether a name may be one of the public internet.
fn is_public_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit_once('.').map(|(_, last)| last);
    // A name of one label is completed by the machine's own search list.
    last.is_some_and(|last| {
        !last.is_empty()
            && !last.bytes().all(|b| b.is_ascii_digit())
            && !SPECIAL_NAMES.iter().any(|name| last.eq_ignore_ascii_case(name))
    })
}

/// Whether an address is on the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        // Shared address space of carriers, protocol assignments, 6to4 relays, benchmarks, and what is reserved.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b))
        || a >= 240
        // Azure's own services answer a virtual machine there.
        || address == Ipv4Addr::new(168, 63, 129, 16);
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, fourth, fifth, sixth, high, low] = address.segments();
    let inner = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    if [first, second, third, fourth, fifth, sixth] == [0x64, 0xff9b, 0, 0, 0, 0] {
        // NAT64: where a network has only IPv6, every name stands for such an address.
        return is_public_v4(inner);
    }
    // Global unicast is 2000::/3; what is set aside of it, and what leads on to an IPv4 address, is left out.
    let protocols = first == 0x2001 && second < 0x0200; // Teredo, ORCHID, benchmarks
    let documentation = (first == 0x2001 && second == 0x0db8) || (first == 0x3fff && second < 0x1000);
    let sixtofour = first == 0x2002;
    let isatap = matches!(fifth, 0 | 0x0200) && sixth == 0x5efe && !is_public_v4(inner);
    (first & 0xe000) == 0x2000 && !(protocols || documentation || sixtofour || isatap)
}

#[cfg(test)]
mod tests;
