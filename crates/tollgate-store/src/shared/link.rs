//! A connection to Redis, and what was seen over it.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};

use super::wire::{Kind, SET_IF_LONGER, Told};
use super::{Address, Key, Own, Replica};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Seconds since 1970 and the microseconds beyond them: the answer to `TIME`.
type Time = (u64, u64);

fn unix_ms((seconds, micros): Time) -> u64 {
    seconds * 1000 + micros / 1000
}

pub struct Link {
    address: Address,
    connection: MultiplexedConnection,
    me: String,
    /// The values of the last time. A guess that was here and is gone was ended by an answer; one that a new connection does
    /// not find says nothing, because Redis may have lost it.
    seen: BTreeMap<Key, Vec<u8>>,
    /// Redis's clock less the replica's, in milliseconds.
    ahead_ms: u64,
}

impl Link {
    /// `me` marks what this replica tells, so that it does not listen to itself.
    pub async fn open(address: &Address, me: &str, replica: &dyn Replica) -> Result<Link, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let client = Client::open(address.info())?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let time: Time = redis::cmd("TIME").query_async(&mut connection).await?;
        let ahead_ms = unix_ms(time).saturating_sub(replica.now_ms());
        Ok(Link { address: address.clone(), connection, me: me.to_string(), seen: BTreeMap::new(), ahead_ms })
    }

    pub fn leads_to(&self, address: &Address) -> bool {
        self.address == *address
    }

    /// What the others told since the last time.
    pub async fn ask(&mut self, replica: &dyn Replica) -> Result<(), RedisError> {
        let names = replica.names().into_iter();
        let keys: Vec<Key> = names.flat_map(|name| Kind::ALL.map(|kind| Key { name: name.clone(), kind })).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = keys.iter().map(Key::in_redis).collect();
        let mut pipe = redis::pipe();
        pipe.cmd("TIME").cmd("MGET").arg(&names);
        let (time, values): (Time, Vec<Option<Vec<u8>>>) = pipe.query_async(&mut self.connection).await?;
        let (unix_ms, now_ms) = (unix_ms(time), replica.now_ms());
        self.ahead_ms = unix_ms.saturating_sub(now_ms);
        let before = std::mem::take(&mut self.seen);
        for (key, value) in keys.into_iter().zip(values) {
            match (before.get(&key), value) {
                (None, None) => {}
                (Some(_), None) if key.kind == Kind::Guessed => replica.told_over(&key.name),
                (Some(_), None) => {}
                (before, Some(value)) => {
                    if before != Some(&value)
                        && let Ok(told) = serde_json::from_slice::<Told>(&value)
                        && told.by != self.me
                        && let Some(rest) = told.rest(key.kind, unix_ms, now_ms)
                    {
                        replica.told(&key.name, rest);
                    }
                    self.seen.insert(key, value);
                }
            }
        }
        Ok(())
    }

    pub async fn tell(&mut self, news: &[(Key, Own)], now_ms: u64) -> Result<(), RedisError> {
        let mut pipe = redis::pipe();
        for (key, own) in news {
            let name = key.in_redis();
            if own.over {
                pipe.cmd("DEL").arg(&name).ignore();
            }
            let Some(rest) = &own.rest else { continue };
            let told = Told {
                by: self.me.clone(),
                reason: rest.reason.word().to_string(),
                until: rest.until_ms + self.ahead_ms,
                status: rest.failure.status,
                words: rest.failure.words.clone(),
            };
            let Ok(value) = serde_json::to_vec(&told) else { continue };
            let left_ms = rest.until_ms.saturating_sub(now_ms).max(1);
            pipe.cmd("EVAL").arg(SET_IF_LONGER).arg(1).arg(&name).arg(value).arg(left_ms).ignore();
        }
        pipe.exec_async(&mut self.connection).await
    }
}
