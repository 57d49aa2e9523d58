use super::*;

#[test]
fn a_network_contains_the_addresses_that_begin_with_its_bits() {
    let cases = [
        ("10.0.0.0/8", "10.255.1.2", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.4", false),
        ("192.168.1.128/25", "192.168.1.127", false),
        ("192.168.1.200/25", "192.168.1.130", true),
        ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "::1", false),
        ("10.0.0.0/8", "::ffff:10.1.1.1", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        ("::1", "::1", true),
        ("::/0", "fe80::1", true),
    ];
    for (network, address, contains) in cases {
        let network: Network = network.parse().expect("a network");
        assert_eq!(network.contains(address.parse().expect("an address")), contains, "{network:?} {address}");
    }
}

#[test]
fn what_is_no_network_is_refused_and_contains_nothing() {
    for text in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "host.example", "10.0.0.0/8/8"] {
        assert!(text.parse::<Network>().is_err(), "{text}");
        assert!(!any_contains(&[text.to_string()], "10.0.0.1".parse().expect("an address")));
    }
    let list = ["nonsense".to_string(), " 10.0.0.1 ".to_string()];
    assert!(any_contains(&list, "10.0.0.1".parse().expect("an address")));
}
