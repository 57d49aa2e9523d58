//! The Redis of the gateway's own tests.

pub mod gateway {
    /// A port of 127.0.0.1 that was free a moment ago.
    pub fn free_port() -> u16 {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free loopback port");
        listener.local_addr().expect("a bound socket has an address").port()
    }
}

#[allow(dead_code, reason = "the gateway's tests use the rest")]
#[path = "../../../tollgate/tests/support/redis.rs"]
pub mod redis;
