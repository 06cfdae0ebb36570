//! Echo requests and answers, as bytes.

/// What marks a request as ours; nobody else knows it.
pub(super) type Token = [u8; 16];

/// ICMP's header: type, code, checksum, and for echoes an id and a number.
const HEADER_BYTES: usize = 8;

/// The version of IP that carries it, and whether its header comes along with what is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    V4,
    V4WithHeader,
    V6,
}

impl Carrier {
    const fn request_type(self) -> u8 {
        if matches!(self, Self::V6) { 128 } else { 8 }
    }

    const fn answer_type(self) -> u8 {
        if matches!(self, Self::V6) { 129 } else { 0 }
    }
}

/// An echo request. Its id is set by the system where it minds, so it is the token that counts.
pub(super) fn request(carrier: Carrier, number: u16, token: &Token) -> Vec<u8> {
    let mut bytes = vec![carrier.request_type(), 0, 0, 0, token[0], token[1]];
    bytes.extend(number.to_be_bytes());
    bytes.extend(token);
    // Over IPv6 the system does it, which alone knows all that goes into it.
    let sum = checksum(&bytes).to_be_bytes();
    bytes[2..4].copy_from_slice(&sum);
    bytes
}

fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// The number of the request that this is the answer to, if it is one to ours.
pub(super) fn answered(carrier: Carrier, received: &[u8], token: &Token) -> Option<u16> {
    let icmp = match carrier {
        // Its length stands in the lower half of its first byte, in words of four bytes.
        Carrier::V4WithHeader => received.get(usize::from(received.first()? & 0x0f) * 4..)?,
        Carrier::V4 | Carrier::V6 => received,
    };
    let (header, rest) = icmp.split_first_chunk::<HEADER_BYTES>()?;
    let ours = header[0] == carrier.answer_type() && header[1] == 0 && rest == token;
    ours.then(|| u16::from_be_bytes([header[6], header[7]]))
}
