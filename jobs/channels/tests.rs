use super::{fixtures::claimed, *};
use crate::egress::EgressPolicy;

fn channels() -> Channels {
    let egress = Egress::new(EgressPolicy::default()).unwrap();
    Channels::new(egress, None, &"https://status.example.com".parse().unwrap())
}

#[tokio::test]
async fn mail_that_is_off_is_owed_until_it_is_on() {
    let outcome = channels().send(&claimed(Channel::Email, "reader@example.com"), &[]).await;
    assert_eq!(outcome, Outcome::Transient { why: "mail is off: set FANAL_SMTP_URL".to_owned(), retry_after_secs: None });
}

#[tokio::test]
async fn a_webhook_into_our_network_is_refused_for_good() {
    let outcome = channels().send(&claimed(Channel::Webhook, "http://169.254.169.254/latest"), &[webhook::new_secret()]).await;
    assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_panic_costs_one_try() {
    let outcome = without_panic(async { panic!("a fault of ours") }).await;
    assert!(matches!(outcome, Outcome::Transient { retry_after_secs: None, .. }), "{outcome:?}");
}

#[test]
fn texts_of_others_fit_on_one_line() {
    assert_eq!(one_line(" a\r\nb\u{0}\u{1b}[31m\t c ", 100), "a b [31m c");
    assert_eq!(one_line("äöü", 2), "äö");
}
