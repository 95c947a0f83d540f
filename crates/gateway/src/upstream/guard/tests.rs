use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::*;
use crate::upstream::fetch::fetch;

/// Names stand for what the script says, one answer after another; every connection that is asked for is written down, and
/// leads to the listener whatever its address.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<Vec<Vec<SocketAddr>>>,
    dialed: Mutex<Vec<SocketAddr>>,
    listener: Option<SocketAddr>,
}

impl Net for Scripted {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Later<'a, Vec<SocketAddr>> {
        Box::pin(async move {
            if let Ok(address) = host.parse::<IpAddr>() {
                return Ok(vec![SocketAddr::new(address, port)]);
            }
            let mut answers = self.answers.lock();
            if answers.is_empty() { Err(io::Error::other("no such name")) } else { Ok(answers.remove(0)) }
        })
    }

    fn dial(&self, address: SocketAddr) -> Later<'_, TcpStream> {
        self.dialed.lock().push(address);
        let to = self.listener;
        Box::pin(async move { TcpStream::connect(to.ok_or(io::ErrorKind::ConnectionRefused)?).await })
    }
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 443)).collect()
}

/// Addresses, with white space between them.
const PUBLIC: &str = "
    8.8.8.8 1.1.1.1 172.32.0.1 100.128.0.1 192.0.1.1 198.20.0.1 2606:4700::1111 2001:4860::8888 2001:200::1
    3fff:1000::1 ::ffff:8.8.8.8 64:ff9b::808:808
";
const PRIVATE: &str = "
    127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254
    100.64.0.1 100.100.100.200 192.0.0.8 192.0.0.192 192.0.2.1 198.51.100.1 203.0.113.9 192.88.99.1
    198.18.0.1 198.19.255.255 224.0.0.1 239.255.255.250 255.255.255.255 240.0.0.1 168.63.129.16 :: ::1 ::2
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1 ::127.0.0.1 ::8.8.8.8 fc00::1 fd00:ec2::254 fe80::1
    fec0::1 ff02::1 64:ff9b::a00:1 64:ff9b::7f00:1 64:ff9b:1::808:808 64:ff9b:0:1::808:808 2002:a00:1::
    2002:808:808::1 2001:db8::1 2001::1 2001:0:53aa:64c::1 2001:10::1 2001:2::1 3fff::1 100::1 5f00::1
    4000::1 2606:4700::5efe:a00:1 2606:4700::200:5efe:7f00:1
";

#[test]
fn only_the_public_internet_passes() {
    for text in PUBLIC.split_whitespace() {
        assert!(is_public(text.parse().unwrap()), "{text}");
    }
    for text in PRIVATE.split_whitespace() {
        assert!(!is_public(text.parse().unwrap()), "{text}");
    }
}

#[test]
fn names_and_ports_of_the_public_internet_pass() {
    let rows = [
        ("https://api.example.com/v1", true),
        ("https://api.example.com./v1", true),
        ("https://api.example.com:8443/v1", true),
        ("http://api.example.com", true),
        ("https://localhost/v1", false),
        ("https://localhost./v1", false),
        ("https://a.LOCALHOST/v1", false),
        ("https://intranet/v1", false),
        ("https://metadata.google.internal/v1", false),
        ("https://printer.local/v1", false),
        ("https://x.home.arpa/v1", false),
        ("https://api.example.com:22/", false),
        ("https://api.example.com:25/", false),
        ("https://api.example.com:6379/", false),
        ("https://api.example.com:1/", false),
    ];
    let (closed, open) = (Guard::new(false), Guard::new(true));
    for (url, passes) in rows {
        let target = Target::of_url(url).unwrap();
        assert_eq!(closed.check(&target).is_ok(), passes, "{url}");
        assert!(open.check(&target).is_ok(), "{url}");
    }
}

/// The table that the end-to-end tests send to every field that takes an address.
#[tokio::test]
async fn no_address_of_the_table_is_dialed() {
    let table = include_str!("../../../../../e2e/tests/all/ssrf/urls.txt");
    let net = Arc::new(Scripted::default());
    let guard = Guard::over(Arc::clone(&net) as Arc<dyn Net>, false);
    let mut count = 0;
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let url = line.replace("{port}", "8080");
        // A resolver that is in on it: every name of the table stands for the machine itself.
        *net.answers.lock() = vec![addresses(&["127.0.0.1"])];
        assert!(fetch(&url, 100, &guard).await.is_err(), "{url}");
        count += 1;
    }
    assert!(count >= 200, "{count} addresses");
    assert_eq!(*net.dialed.lock(), [], "nothing was dialed");
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_asked_once_and_what_was_judged_is_dialed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let net = Arc::new(Scripted { listener: listener.local_addr().ok(), ..Scripted::default() });
    let guard = Guard::over(Arc::clone(&net) as Arc<dyn Net>, false);
    let target = Target::of_url("https://rebind.example.com/v1").unwrap();
    *net.answers.lock() = vec![addresses(&["8.8.8.8"]), addresses(&["127.0.0.1"])];
    guard.connect(&target).await.unwrap();
    assert_eq!(*net.dialed.lock(), addresses(&["8.8.8.8"]));
    assert_eq!(net.answers.lock().len(), 1, "the second answer was never asked for");
    // The next connection is judged by itself.
    assert!(matches!(guard.connect(&target).await, Err(GuardError::Refused(_))));
    assert_eq!(net.dialed.lock().len(), 1);
}

#[tokio::test]
async fn one_private_address_among_public_ones_refuses_the_name() {
    let net = Arc::new(Scripted::default());
    let guard = Guard::over(Arc::clone(&net) as Arc<dyn Net>, false);
    let target = Target::of_url("https://mixed.example.com/v1").unwrap();
    for answer in [&["8.8.8.8", "10.0.0.1"], &["2606:4700::1", "::ffff:127.0.0.1"], &["1.1.1.1", "fd00::1"]] {
        *net.answers.lock() = vec![addresses(answer)];
        assert!(matches!(guard.connect(&target).await, Err(GuardError::Refused(_))), "{answer:?}");
    }
    *net.answers.lock() = Vec::new();
    assert!(matches!(guard.connect(&target).await, Err(GuardError::UnknownName)));
    assert_eq!(*net.dialed.lock(), []);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let net = Arc::new(Scripted { listener: listener.local_addr().ok(), ..Scripted::default() });
    let guard = Guard::over(Arc::clone(&net) as Arc<dyn Net>, false);
    *net.answers.lock() = vec![addresses(&["8.8.8.8"]), addresses(&["8.8.4.4"])];
    let server = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let answer =
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
    };
    let (fetched, ()) = tokio::join!(fetch("http://images.example.com/a.png", 100, &guard), server);
    assert!(fetched.is_err_and(|error| error.contains("redirect")));
    assert_eq!(net.dialed.lock().len(), 1);
}
