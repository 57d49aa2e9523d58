//! Addresses and networks that may call.

use std::net::IpAddr;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// An address (`10.1.2.3`, `::1`) or a network (`10.0.0.0/8`, `2001:db8::/32`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many bits of the address count.
    bits: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address and no network (`10.1.2.3`, `10.0.0.0/8`, `2001:db8::/32`)")]
pub struct NoNetwork(String);

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Network, NoNetwork> {
        let no_network = || NoNetwork(text.to_string());
        let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(a, bits)| (a, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| no_network())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| no_network())?;
        if bits > most { Err(no_network()) } else { Ok(Network { address, bits }) }
    }
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        // A listener for both kinds sees IPv4 addresses as `::ffff:10.1.2.3`.
        let same_bits = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (u32::from(own) ^ u32::from(other)).leading_zeros(),
            (IpAddr::V6(own), IpAddr::V6(other)) => (u128::from(own) ^ u128::from(other)).leading_zeros(),
            _ => return false,
        };
        same_bits >= self.bits
    }
}

/// Whether one of the networks contains the address. What is no network contains nothing.
pub fn any_contains(networks: &[String], address: IpAddr) -> bool {
    networks.iter().filter_map(|network| network.parse::<Network>().ok()).any(|network| network.contains(address))
}
