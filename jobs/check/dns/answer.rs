//! What a name server's answer says. Nothing in it is trusted: anybody can send a datagram.

use hickory_proto::{
    op::{Message, MessageType, Query, ResponseCode},
    rr::{RData, RecordType as Type},
};
use integrations::check::{DnsAnswer, DnsCode, RecordType};

/// The message in these bytes, if they are one.
pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
    Message::from_vec(bytes).ok()
}

pub(super) const fn wire_type(record: RecordType) -> Type {
    match record {
        RecordType::A => Type::A,
        RecordType::Aaaa => Type::AAAA,
        RecordType::Cname => Type::CNAME,
        RecordType::Mx => Type::MX,
        RecordType::Txt => Type::TXT,
        RecordType::Ns => Type::NS,
    }
}

/// Whether this is the answer to what was asked: anybody can send a datagram.
pub(super) fn answers(answer: &Message, asked: &Message) -> bool {
    let same = |a: &Query, b: &Query| a.name == b.name && a.query_type == b.query_type;
    answer.metadata.id == asked.metadata.id
        && answer.metadata.message_type == MessageType::Response
        && answer.queries.iter().zip(&asked.queries).all(|(a, b)| same(a, b))
}

/// What it says of records of this type.
pub(super) fn read(answer: &Message, record: RecordType) -> DnsAnswer {
    let code = match answer.metadata.response_code {
        ResponseCode::NoError => DnsCode::Noerror,
        ResponseCode::NXDomain => DnsCode::Nxdomain,
        ResponseCode::ServFail => DnsCode::Servfail,
        ResponseCode::Refused => DnsCode::Refused,
        _ => DnsCode::Other,
    };
    let mut records: Vec<String> =
        answer.answers.iter().filter(|found| found.record_type() == wire_type(record)).map(|found| text(&found.data)).collect();
    // Name servers take turns with what comes first.
    records.sort();
    DnsAnswer { code, records }
}

/// Without the dot at the end of names, as people write them.
fn text(data: &RData) -> String {
    match data {
        RData::TXT(texts) => texts.txt_data.iter().map(|part| String::from_utf8_lossy(part)).collect(),
        other => other.to_string().trim_end_matches('.').to_owned(),
    }
}
