//! Where replicas meet: `router_settings.redis_*`, else `REDIS_URL`, else `REDIS_HOST` and its kin.

use tollgate_store::shared::{Address, Parts};

use super::context::Context;
use super::problem::Pos;
use super::section::Section;

const DEFAULT_PORT: u16 = 6379;
const HINT: &str =
    "write redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS; percent-encode special characters of the password";

/// `redis_url` goes before the others.
pub fn of_router(section: &Section<'_, '_>) -> Option<Address> {
    let url = section.text("redis_url").filter(|url| !url.trim().is_empty());
    let host = section.text("redis_host").filter(|host| !host.trim().is_empty());
    let port = section.small_count("redis_port");
    let password = section.text("redis_password").filter(|password| !password.is_empty());
    let db = section.small_count("redis_db").unwrap_or(0);
    let at = |key: &str| section.entry(key).map_or(section.at, |entry| entry.node.at);
    if let Some(url) = url {
        return of_url(section.cx, &url, at("redis_url"), &section.path_of("redis_url"));
    }
    let host = host?.trim().to_string();
    let port = match port.map(u16::try_from) {
        None => DEFAULT_PORT,
        Some(Ok(port)) => port,
        Some(Err(_)) => {
            no_port(section.cx, at("redis_port"), &section.path_of("redis_port"));
            return None;
        }
    };
    Some(Address::of_parts(Parts { host, port, password, db, ..Parts::default() }))
}

pub fn of_environment(cx: &Context<'_>, at: Pos) -> Option<Address> {
    if let Some(url) = cx.variable("REDIS_URL") {
        return of_url(cx, &url, at, "REDIS_URL");
    }
    let host = cx.variable("REDIS_HOST")?.trim().to_string();
    let port = match cx.variable("REDIS_PORT").map(|port| port.trim().parse::<u16>()) {
        None => DEFAULT_PORT,
        Some(Ok(port)) => port,
        Some(Err(_)) => {
            no_port(cx, at, "REDIS_PORT");
            return None;
        }
    };
    let tls = cx.variable("REDIS_SSL").is_some_and(|word| ["true", "1", "yes"].contains(&word.to_lowercase().as_str()));
    let (username, password) = (cx.variable("REDIS_USERNAME"), cx.variable("REDIS_PASSWORD"));
    Some(Address::of_parts(Parts { host, port, username, password, db: 0, tls }))
}

fn of_url(cx: &Context<'_>, url: &str, at: Pos, path: &str) -> Option<Address> {
    Address::of_url(url).map_err(|wrong| cx.error(at, path, wrong, HINT)).ok()
}

fn no_port(cx: &Context<'_>, at: Pos, path: &str) {
    cx.error(at, path, "must be the number of a port", "write a number from 1 to 65535, such as 6379");
}
