use domain::{Channel, Decision, ImageKind, ImageMark, Incident, NoticeAbout, NoticeKind, Span};

use super::*;
use crate::channels::fixtures::{AT, claimed};

const ED25519_PEM: &str =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

fn settings() -> EmailSettings {
    EmailSettings {
        smtp_url: "smtp://127.0.0.1:2525".into(),
        from: "Acme status <status@example.com>".to_owned(),
        dkim: Some(Dkim { domain: "example.com".to_owned(), selector: "s1".to_owned(), key_pem: ED25519_PEM.into() }),
    }
}

fn links() -> Links {
    Links::new(&"https://status.example.com".parse().unwrap())
}

/// The mail as it goes over the wire, header lines unfolded.
fn render(claimed: &Claimed) -> (String, String) {
    let email = Email::new(&settings()).unwrap();
    let bytes = email.notice(claimed, &links(), AT).unwrap().formatted();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.replace("\r\n ", " "), body.replace("=\r\n", "").replace("=3D", "="))
}

fn header<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
}

#[tokio::test]
async fn a_mail_has_the_headers_receivers_ask_for() {
    let mut claimed = claimed(Channel::Email, "reader@example.org");
    claimed.thread = Some(NotificationId(40));
    let (head, _) = render(&claimed);
    for (name, value) in [
        ("From", "\"Acme status\" <status@example.com>"),
        ("To", "reader@example.org"),
        ("Subject", "Re: [Acme] API is slow"),
        ("Date", "Sun, 01 Mar 2026 14:05:00 +0000"),
        ("Message-ID", "<notification.42@example.com>"),
        ("In-Reply-To", "<notification.40@example.com>"),
        ("References", "<notification.40@example.com>"),
        ("Auto-Submitted", "auto-generated"),
        ("List-Unsubscribe", "<https://status.example.com/subscriptions/t0ken/unsubscribe>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ] {
        assert_eq!(header(&head, name), [value], "{name}\n{head}");
    }
    let signature = header(&head, "DKIM-Signature")[0];
    for part in ["a=ed25519-sha256", "d=example.com", "s=s1", "c=relaxed/relaxed", "list-unsubscribe:list-unsubscribe-post"] {
        assert!(signature.contains(part), "{part} in {signature}");
    }
    assert!(!signature.contains("content-type"), "lettre would sign it as absent: {signature}");
}

#[tokio::test]
async fn the_owner_is_asked_with_a_link_for_each_verdict() {
    let mut claimed = claimed(Channel::Email, "owner@example.org");
    let NoticeAbout::Incident { incident, .. } = claimed.notice.about.clone() else { panic!("an incident") };
    let incident = Incident { published: false, publishes_at: Some(AT.plus(Span::mins(5))), ..incident };
    claimed.notice.kind = NoticeKind::PublicationPending;
    claimed.notice.about = NoticeAbout::Publication { incident, body: "We look into it.".to_owned() };
    claimed.decision = Some(Decision { veto: "v3to".to_owned(), publish: "n0w".to_owned() });
    let (head, body) = render(&claimed);
    assert_eq!(header(&head, "Subject"), ["[Acme] To be published: API is slow"]);
    for part in [
        "Publishes itself at 1 March 2026, 15:10 CET: API is slow",
        "We look into it.",
        "API: degraded performance",
        "https://status.example.com/publications/7/veto/v3to",
        "https://status.example.com/publications/7/publish/n0w",
        "You get this because you own the page of Acme.",
    ] {
        assert_eq!(body.matches(part).count(), 2, "{part} in\n{body}");
    }
    assert!(!body.contains("Backdoor"), "{body}");
}

#[tokio::test]
async fn the_first_mail_of_an_incident_answers_none() {
    let mut claimed = claimed(Channel::Email, "reader@example.org");
    claimed.thread = Some(claimed.notification);
    let (head, _) = render(&claimed);
    assert_eq!((header(&head, "In-Reply-To").len(), header(&head, "Subject")), (0, vec!["[Acme] API is slow"]));
}

#[tokio::test]
async fn both_forms_say_the_same_and_neither_shows_what_is_hidden() {
    let (_, body) = render(&claimed(Channel::Email, "reader@example.org"));
    for text in [
        "Identified: API is slow",
        "We found **the cause**.",
        "<strong>the cause</strong>",
        "https://status.example.com/incidents/7",
        "Unsubscribe: https://status.example.com/subscriptions/t0ken/unsubscribe",
        "href=\"https://status.example.com/subscriptions/t0ken/unsubscribe\"",
    ] {
        assert!(body.contains(text), "{text} in {body}");
    }
    assert!(!body.contains("Backdoor"));
}

#[test]
fn times_are_those_of_the_page() {
    let content = message::notice(&claimed(Channel::Email, "reader@example.org"), &links());
    assert!(content.text.starts_with("Identified: API is slow\n1 March 2026, 15:05 CET\n"), "{}", content.text);
    assert!(content.text.contains("\n- API: operational → degraded performance\n"), "{}", content.text);
}

#[tokio::test]
async fn cve_2021_4097_texts_of_others_cannot_add_headers_or_markup() {
    let mut claimed = claimed(Channel::Email, "reader@example.org");
    claimed.page.name = "Acme\r\nBcc: victim@example.net".to_owned();
    if let NoticeAbout::Incident { incident, update } = &mut claimed.notice.about {
        incident.title = format!("<script>alert(1)</script>\r\n\r\n{}", "x".repeat(500));
        update.body = "<img src=x onerror=alert(1)> [a](javascript:alert(1)) ![p](https://spy.example/p.png) <style>*{}</style>".to_owned();
    }
    let (head, _) = render(&claimed);
    assert!(header(&head, "Bcc").is_empty(), "{head}");
    assert!(header(&head, "Subject")[0].chars().count() <= 200);
    let html = message::notice(&claimed, &links()).html;
    for forbidden in ["<script", "<img", "href=\"javascript:", "<style"] {
        assert!(!html.contains(forbidden), "{forbidden} in {html}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_never_tried() {
    let email = Email::new(&settings()).unwrap();
    for address in ["", "reader", "a@b@c", "reader@example.org\r\nRCPT TO:<x@y>", "reader@example.org, x@example.org", "<x@example.org>"] {
        let outcome = email.send(&claimed(Channel::Email, address), &links(), AT).await;
        assert_eq!(outcome, Outcome::Permanent { why: "not a mail address".to_owned() }, "{address}");
    }
}

#[tokio::test]
async fn bad_settings_are_named_and_not_repeated() {
    let error = |change: &dyn Fn(&mut EmailSettings)| {
        let mut settings = settings();
        change(&mut settings);
        Email::new(&settings).unwrap_err().to_string()
    };
    let url = error(&|settings| settings.smtp_url = "ftp://user:hunter2@mail.example.com".into());
    assert!(url.contains("FANAL_SMTP_URL") && !url.contains("hunter2"), "{url}");
    assert!(error(&|settings| settings.from = "Acme".to_owned()).contains("FANAL_MAIL_FROM"));
    let with_dkim = |domain: &str, pem: &str| {
        let dkim = Dkim { domain: domain.to_owned(), selector: "s1".to_owned(), key_pem: pem.into() };
        error(&|settings| settings.dkim = Some(dkim.clone()))
    };
    assert!(with_dkim("example.net", ED25519_PEM).contains("sender's"));
    assert!(with_dkim("ample.com", ED25519_PEM).contains("sender's"));
    assert!(with_dkim("example.com", "nonsense").contains("not PEM"));
    assert!(with_dkim("example.com", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----").contains("neither"));
}

/// A mail server that greets, takes `accepted` commands, and then answers everything with `line`.
async fn refuse(accepted: usize, line: &'static str) -> Outcome {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.split();
        write.write_all(b"220 mail.example.org\r\n").await.unwrap();
        let mut lines = BufReader::new(read).lines();
        let mut n = 0;
        while let Ok(Some(_)) = lines.next_line().await {
            let reply = if n < accepted { "250 2.0.0 Ok" } else { line };
            n += 1;
            write.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
        }
    });
    let email = Email::new(&EmailSettings { smtp_url: url.into(), ..settings() }).unwrap();
    email.send(&claimed(Channel::Email, "reader@example.org"), &links(), AT).await
}

#[tokio::test]
async fn the_mail_servers_refusals_are_told_apart() {
    assert!(matches!(refuse(2, "550 5.1.1 <reader@example.org>: user unknown").await, Outcome::Gone { .. }));
    assert!(matches!(refuse(2, "550 5.7.1 no").await, Outcome::Permanent { .. }));
    assert!(matches!(refuse(1, "550 5.1.8 bad sender").await, Outcome::Permanent { .. }));
    assert!(matches!(refuse(1, "530 5.7.0 authenticate first").await, Outcome::Transient { .. }));
    assert!(matches!(refuse(2, "450 4.2.1 greylisted").await, Outcome::Transient { .. }));
    assert!(matches!(refuse(0, "421 4.3.2 closing").await, Outcome::Transient { .. }));
}

#[tokio::test]
async fn no_mail_server_means_later() {
    let outcome = Email::new(&EmailSettings { smtp_url: "smtp://127.0.0.1:1".into(), ..settings() })
        .unwrap()
        .send(&claimed(Channel::Email, "reader@example.org"), &links(), AT)
        .await;
    assert!(matches!(outcome, Outcome::Transient { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_mail_begins_with_the_logo_or_with_the_name() {
    let mut claimed = claimed(Channel::Email, "reader@example.org");
    let (_, body) = render(&claimed);
    assert!(body.contains("text-decoration:none\">Acme</a>") && !body.contains("<img"), "{body}");
    let logo = |kind, pixels| Some(ImageMark { digest: "ab12".to_owned(), kind, pixels });
    claimed.page.brand.logo = logo(ImageKind::Png, Some((120, 40)));
    claimed.page.brand.logo_alt = "Acme <Ltd>".to_owned();
    let (_, body) = render(&claimed);
    let image = "<img src=\"https://status.example.com/assets/image.ab12.png\" alt=\"Acme &lt;Ltd&gt;\" height=\"32\" width=\"96\"";
    assert!(body.contains(image), "{body}");
    // Mail programs show no drawings.
    claimed.page.brand.logo = logo(ImageKind::Svg, None);
    assert!(!render(&claimed).1.contains("<img"));
}
