//! Which addresses nobody outside may make us call.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Private, loopback or link-local: fine when the operator allows private targets.
    Private(&'static str),
    /// Never a place to send anything to.
    Always(&'static str),
}

use Refusal::{Always, Private};

/// First address, prefix length, verdict. The first match counts, so single hosts stand before the networks around them.
const IPV4: &[(Ipv4Addr, u32, Refusal)] = &[
    (Ipv4Addr::new(169, 254, 169, 254), 32, Always("a cloud's metadata service")),
    (Ipv4Addr::new(169, 254, 170, 2), 32, Always("a cloud's metadata service")),
    (Ipv4Addr::new(169, 254, 170, 23), 32, Always("a cloud's metadata service")),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Private("a private address")),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Private("a private address")),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Private("a private address")),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Private("a loopback address")),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Private("a link-local address")),
    (Ipv4Addr::new(0, 0, 0, 0), 8, Always("an unspecified address")),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Always("a carrier's shared address")),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Always("a protocol assignment")),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Always("a documentation address")),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Always("a documentation address")),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Always("a documentation address")),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Always("a 6to4 relay")),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Always("a benchmarking address")),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Always("a multicast address")),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Always("a reserved address")),
];

/// As [`IPV4`]. What matches none and lies outside `2000::/3` is refused too.
const IPV6: &[(Ipv6Addr, u32, Refusal)] = &[
    (Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254), 128, Always("a cloud's metadata service")),
    (Ipv6Addr::LOCALHOST, 128, Private("a loopback address")),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Private("a private address")),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Private("a link-local address")),
    (Ipv6Addr::UNSPECIFIED, 128, Always("an unspecified address")),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Always("a multicast address")),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, Always("an IPv4 address in IPv6 clothing")),
    (Ipv6Addr::new(0x0064, 0xff9b, 0, 0, 0, 0, 0, 0), 32, Always("an IPv4 address behind NAT64")),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, Always("a Teredo tunnel")),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Always("a protocol assignment")),
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32, Always("a documentation address")),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Always("a 6to4 tunnel")),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Always("a documentation address")),
];

/// Why `address` must not be called, if so.
pub(super) fn refusal(address: IpAddr, allow_private: bool) -> Option<&'static str> {
    let verdict = match address {
        IpAddr::V4(v4) => {
            let bits = v4.to_bits();
            IPV4.iter().find(|(network, prefix, _)| (bits ^ network.to_bits()) >> (32 - prefix) == 0).map(|&(.., verdict)| verdict)
        }
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            let listed = IPV6.iter().find(|(network, prefix, _)| (bits ^ network.to_bits()) >> (128 - prefix) == 0);
            let outside = (bits >> 125 != 1).then_some(Always("not a public address"));
            listed.map(|&(.., verdict)| verdict).or(outside)
        }
    };
    match verdict? {
        Private(_) if allow_private => None,
        Private(why) | Always(why) => Some(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_called() {
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.254.1.1",
            "169.254.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.3",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.6",
            "224.0.0.1",
            "233.252.0.16",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:a9fe:a9fe",
            "64:ff9b::7f00:1",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:c0a8:1::1",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fdee:3a45:9057::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf:ffff::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in refused {
            assert!(refusal(text.parse().unwrap(), false).is_some(), "{text} is called");
        }
        let called = ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1"];
        for text in
            called.into_iter().chain(["192.0.1.1", "198.17.0.1", "223.255.255.255", "2606:4700::1111", "2a00::1", "2001:4860::8888"])
        {
            assert_eq!(refusal(text.parse().unwrap(), false), None, "{text} is refused");
        }
    }

    #[test]
    fn allowing_private_targets_allows_nothing_else() {
        for text in ["10.0.0.1", "127.0.0.1", "169.254.7.7", "172.16.0.1", "192.168.1.1", "::1", "fc00::1", "fe80::1"] {
            assert_eq!(refusal(text.parse().unwrap(), true), None, "{text} is refused");
        }
        for text in ["0.0.0.0", "100.64.0.1", "169.254.169.254", "fd00:ec2::254", "::ffff:127.0.0.1", "224.0.0.1", "2002:7f00:1::1", "::"] {
            assert!(refusal(text.parse().unwrap(), true).is_some(), "{text} is called");
        }
    }
}
