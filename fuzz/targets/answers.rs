//! Small readers of bytes from outside: name servers' answers, certificates, cursors of the admin API.
#![no_main]

use fuzz::{plant, within_limits};
use integrations::check::RecordType;
use libfuzzer_sys::fuzz_target;

#[path = "../../jobs/check/dns/answer.rs"]
mod answer;
#[path = "../../src/server/admin/cursor.rs"]
mod cursor;
#[path = "../../jobs/check/icmp/packet.rs"]
mod packet;
#[path = "../../jobs/certificate/validity.rs"]
mod validity;

const RECORDS: [RecordType; 6] = [RecordType::A, RecordType::Aaaa, RecordType::Cname, RecordType::Mx, RecordType::Txt, RecordType::Ns];

fn seeds() -> impl Iterator<Item = Vec<u8>> {
    // A question and its answer with a compressed name, an address, a text, a mail server, and a name that points to itself.
    let head = b"\x01\x02\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03www\x07example\x03com\x00".as_slice();
    let answers: [&[u8]; 4] = [
        b"\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01",
        b"\x00\x10\x00\x01\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x04\x03abc",
        b"\x00\x0f\x00\x01\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x04\x00\x0a\xc0\x10",
        b"\x00\x05\x00\x01\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x2b",
    ];
    // The part of a certificate that is read.
    let certificate = b"\x30\x36\x30\x34\xa0\x03\x02\x01\x02\x02\x01\x05\x30\x05\x06\x03\x2a\x03\x04\x30\x00\x30\x1f\x17\x0d260301000000Z\x18\x0f20270301000000Z";
    let others: [&[u8]; 3] = [certificate, b"MTo0Mg", b"MTotOTIyMzM3MjAzNjg1NDc3NTgwOA"];
    answers.map(|answer| [head, answer].concat()).into_iter().chain(others.map(<[u8]>::to_vec))
}

fuzz_target!(
    init: plant(seeds()),
    |data: &[u8]| {
        within_limits(|| {
            if let Some(message) = answer::parse(data) {
                for record in RECORDS {
                    let _ = answer::read(&message, record);
                }
                let _ = answer::answers(&message, &message);
            }
            for carrier in [packet::Carrier::V4, packet::Carrier::V4WithHeader, packet::Carrier::V6] {
                if let Some(token) = data.last_chunk() {
                    let _ = packet::answered(carrier, data, token);
                    assert_eq!(packet::answered(carrier, &packet::request(carrier, 1, token), token), None, "a request is no answer");
                }
            }
            if let Some((not_before, not_after)) = validity::read(data) {
                let _ = (not_before.to_string(), not_after.to_string());
            }
            if let Some(id) = str::from_utf8(data).ok().and_then(cursor::read) {
                assert_eq!(cursor::read(&cursor::write(id)), Some(id));
            }
        });
    }
);
