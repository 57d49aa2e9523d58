//! Where Redis is, with the password that it asks for.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

/// Shows as host and port.
#[derive(Clone)]
pub struct Address(ConnectionInfo);

/// An address in pieces.
#[derive(Default)]
pub struct Parts {
    pub host: String,
    pub port: u16,
    pub username: Option<String>,
    pub password: Option<String>,
    pub db: u32,
    pub tls: bool,
}

impl Address {
    /// `redis://[USER][:PASSWORD]@HOST[:PORT][/DB]`, `rediss://` with TLS, `unix:///PATH`. The error holds nothing of the URL.
    pub fn of_url(url: &str) -> Result<Address, &'static str> {
        let wrong = "must be an address such as redis://:PASSWORD@HOST:6379/0";
        url.trim().into_connection_info().map(Address).map_err(|_| wrong)
    }

    pub fn of_parts(parts: Parts) -> Address {
        let Parts { host, port, username, password, db, tls } = parts;
        let address = if tls {
            ConnectionAddr::TcpTls { host: host.clone(), port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host.clone(), port)
        };
        let mut settings = RedisConnectionInfo::default().set_db(db.into());
        if let Some(username) = username {
            settings = settings.set_username(username);
        }
        if let Some(password) = password {
            settings = settings.set_password(password);
        }
        let info = (host, port).into_connection_info().expect("a host and a port are an address");
        Address(info.set_addr(address).set_redis_settings(settings))
    }

    pub(crate) fn info(&self) -> ConnectionInfo {
        self.0.clone()
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        let of = |address: &Address| {
            let settings = address.0.redis_settings();
            let text = |text: Option<&str>| text.map(str::to_string);
            (settings.db(), text(settings.username()), text(settings.password()))
        };
        self.0.addr() == other.0.addr() && of(self) == of(other)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.addr().fmt(f)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_every_form_and_shows_no_secret() {
        for (url, shown) in [
            ("redis://:canary@cache.example.com:6380/3", "cache.example.com:6380"),
            ("rediss://user:canary@cache.example.com", "cache.example.com:6379"),
            ("unix:///run/redis.sock?pass=canary", "/run/redis.sock"),
        ] {
            let address = Address::of_url(url).unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("canary"));
        }
        for wrong in ["", "cache.example.com:6379", "http://cache.example.com", "redis://", "redis://h/canary"] {
            assert!(!Address::of_url(wrong).unwrap_err().contains("canary"), "{wrong}");
        }
    }

    #[test]
    fn pieces_make_the_same_address_as_a_url_and_every_piece_counts() {
        let parts = || Parts { host: "h".into(), port: 6379, password: Some("p".into()), db: 3, ..Parts::default() };
        let address = Address::of_parts(parts());
        assert_eq!(address, Address::of_url("redis://:p@h:6379/3").unwrap());
        for other in ["redis://:q@h/3", "redis://:p@h/4", "redis://u:p@h/3", "redis://:p@i/3", "rediss://:p@h/3"] {
            assert_ne!(address, Address::of_url(other).unwrap(), "{other}");
        }
        assert_eq!(Address::of_parts(Parts { tls: true, ..parts() }), Address::of_url("rediss://:p@h/3").unwrap());
    }
}
