//! A provider whose every byte is scripted. It speaks HTTP/1.1 by hand, on a thread of its own, so that no test's
//! runtime and no library stands between the script and the socket.

mod play;
mod request;
mod script;
mod scripts;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use request::{Phase, Recorded};
pub(crate) use request::{find, head_end, parse_head};
pub use script::{Gate, Script};
pub use scripts::{Tokens, chat_body, chunk_body};

type Responder = Arc<dyn Fn(&Recorded) -> Script + Send + Sync>;

/// A scripted provider on a free port of the loopback. It stops when it is dropped.
pub struct FakeUpstream {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<VecDeque<Script>>,
    responder: Mutex<Responder>,
    requests: Mutex<Vec<Recorded>>,
    count: watch::Sender<usize>,
}

impl FakeUpstream {
    /// Starts one that answers chat requests, streamed or not as asked, with a short greeting.
    pub fn start() -> FakeUpstream {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind the loopback");
        listener.set_nonblocking(true).expect("non-blocking listener");
        let addr = listener.local_addr().expect("local address");
        let shared = Arc::new(Shared {
            queue: Mutex::new(VecDeque::new()),
            responder: Mutex::new(Arc::new(greeting)),
            requests: Mutex::new(Vec::new()),
            count: watch::channel(0).0,
        });
        let (stop, stopped) = watch::channel(false);
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(accept(listener, for_thread, stopped));
        });
        FakeUpstream { addr, shared, stop, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:<port>/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Queues a script for one request; the queue goes before everything else.
    pub fn push(&self, script: Script) {
        self.shared.queue.lock().push_back(script);
    }

    /// Plays this script whenever the queue is empty.
    pub fn always(&self, script: Script) {
        self.answer_with(move |_| script.clone());
    }

    /// Asks `respond` for a script whenever the queue is empty.
    pub fn answer_with(&self, respond: impl Fn(&Recorded) -> Script + Send + Sync + 'static) {
        *self.shared.responder.lock() = Arc::new(respond);
    }

    /// Every request taken so far, in order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.lock().clone()
    }

    /// How many requests were taken so far.
    pub fn request_count(&self) -> usize {
        self.shared.requests.lock().len()
    }

    /// Waits for the request with that number, from 0.
    pub async fn request(&self, number: usize) -> Recorded {
        let mut count = self.shared.count.subscribe();
        let what = format!("request {number} at the upstream");
        let arrived = crate::within(&what, count.wait_for(|c| *c > number)).await.is_ok();
        match self.shared.requests.lock().get(number) {
            Some(request) if arrived => request.clone(),
            _ => panic!("the upstream stopped before {what}"),
        }
    }
}

impl Drop for FakeUpstream {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An address of the loopback where nobody listens.
pub fn refused_addr() -> SocketAddr {
    let [addr] = refused_addrs();
    addr
}

/// Several such addresses. All are taken before one is given back: taken one after another they can be the same.
pub fn refused_addrs<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("bind the loopback"));
    listeners.map(|listener| listener.local_addr().expect("local address"))
}

fn greeting(request: &Recorded) -> Script {
    let tokens = Tokens::new(12, 3);
    if request.wants_stream() {
        Script::chat_stream(&["Hello", " from", " here"], tokens)
    } else {
        Script::chat("Hello from here", tokens)
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(play::connection(stream, Arc::clone(&shared)));
                }
            }
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

impl Shared {
    fn take(&self, request: &Recorded) -> Script {
        let number = {
            let mut requests = self.requests.lock();
            requests.push(request.clone());
            requests.len()
        };
        let queued = self.queue.lock().pop_front();
        self.count.send_if_modified(|count| {
            *count = (*count).max(number);
            true
        });
        queued.unwrap_or_else(|| {
            let responder = Arc::clone(&self.responder.lock());
            responder(request)
        })
    }
}

#[cfg(test)]
mod tests;
