//! A way to PostgreSQL that can be cut.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;

pub struct Proxy {
    /// The same database through the proxy.
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cut: AtomicBool,
    cutting: Notify,
}

impl Proxy {
    pub async fn start(url: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, options) = url.split_once('?').unwrap_or((url, ""));
        let (server, name) = address.rsplit_once('/').unwrap();
        let (scheme, server) = server.split_once("://").unwrap();
        let (user, host) = server.rsplit_once('@').unwrap();
        let socket = options.split('&').find_map(|option| option.strip_prefix("host="));
        let socket = socket.map(|dir| PathBuf::from(dir).join(".s.PGSQL.5432"));
        let behind = format!("{scheme}://{user}@{}/{name}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        tokio::spawn(accept(listener, socket, host.to_string(), shared.clone()));
        Proxy { url: behind, shared }
    }

    /// Every connection breaks, and there are no new ones.
    pub fn cut(&self) {
        self.shared.cut.store(true, Ordering::SeqCst);
        self.shared.cutting.notify_waiters();
    }

    pub fn mend(&self) {
        self.shared.cut.store(false, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, socket: Option<PathBuf>, host: String, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if shared.cut.load(Ordering::SeqCst) {
            continue;
        }
        let (socket, host, shared) = (socket.clone(), host.clone(), shared.clone());
        tokio::spawn(async move {
            match socket {
                Some(socket) => pass(client, UnixStream::connect(socket).await.unwrap(), &shared).await,
                None => pass(client, TcpStream::connect(host).await.unwrap(), &shared).await,
            }
        });
    }
}

async fn pass(mut client: TcpStream, mut server: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) {
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        () = shared.cutting.notified() => {}
    }
}
