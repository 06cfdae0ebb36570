//! The second factor: its codes, its list, and what it changes.

use domain::{Role, Span};
use totp_rs::{Builder, Secret, Totp};

use super::{Browser, Fixture, PASSWORD};

/// Enrols an app for somebody who is signed in; gives the app and the recovery codes.
pub(super) async fn enrol(browser: &Browser<'_>) -> (Totp, Vec<String>) {
    browser.post("/console/profile/factor/begin", &[]).await.leads_to("/console/profile/factor");
    let page = browser.get("/console/profile/factor").await.expect(200).body;
    assert!(page.contains("<svg") && !page.contains("<?xml") && !page.contains("style="), "the picture stands in the page");
    let (_, rest) = page.split_once("<code class=\"key\">").unwrap();
    let seed: String = rest.split('<').next().unwrap().split(' ').collect();
    assert_eq!(seed.len(), 32, "160 bits");
    let app = Builder::new().with_secret(Secret::try_from_base32(&seed).unwrap()).build().unwrap();
    browser.post("/console/profile/factor", &[("code", "000000")]).await.expect(422);
    let done = browser.post("/console/profile/factor", &[("code", &code(&app, browser, 0))]).await.expect(200).body;
    let codes: Vec<String> = done.split("<li><code>").skip(1).map(|part| part.split('<').next().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 10);
    assert!(codes.iter().all(|code| code.len() == 29), "120 bits each");
    assert!(!browser.get("/console/profile/factor").await.body.contains(&seed), "the key is not shown again");
    (app, codes)
}

/// What the app shows, or showed some steps ago.
pub(super) fn code(app: &Totp, browser: &Browser<'_>, steps: i64) -> String {
    let at = browser.fixture.console.now().0 / 1000 + steps * 30;
    app.generate(at.try_into().unwrap()).to_string()
}

pub(super) async fn half(fixture: &Fixture, role: Role) -> Browser<'_> {
    let browser = fixture.browser();
    browser.log_in(&format!("{role}@example.com"), PASSWORD).await.leads_to("/console/log-in/code?next=%2Fconsole%2F");
    browser
}

#[tokio::test]
async fn signing_in_takes_two_steps_and_the_secret_changes_with_each() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Operator).await;
    let first = fixture.signed_in(Role::Operator).await;
    let other = fixture.signed_in(Role::Operator).await;
    let before = first.cookie().unwrap();
    let (app, _) = enrol(&first).await;
    assert_ne!(first.cookie().unwrap(), before);
    first.get("/console/").await.expect(200);
    other.get("/console/").await.leads_to("/console/log-in");

    fixture.console.clock.advance(Span::secs(60));
    let browser = half(&fixture, Role::Operator).await;
    let halfway = browser.cookie().unwrap();
    for path in ["/console/", "/console/profile", "/console/confirm"] {
        assert!(browser.get(path).await.location().starts_with("/console/log-in/code"), "{path}: half is not in");
    }
    browser.post("/console/profile/name", &[("name", "Eve")]).await.leads_to("/console/log-in/code");
    browser.post("/console/log-in/code", &[("code", "123 456")]).await.expect(401);
    browser.post("/console/log-in/code", &[("code", &code(&app, &browser, 0))]).await.leads_to("/console/");
    assert_ne!(browser.cookie().unwrap(), halfway);
    browser.get("/console/").await.expect(200);
    browser.set_cookie(&halfway);
    browser.get("/console/").await.leads_to("/console/log-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_works_once_also_for_two_who_try_at_the_same_time() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Operator).await;
    let (app, _) = enrol(&fixture.signed_in(Role::Operator).await).await;
    // The code of the enrolment is used up.
    let browser = half(&fixture, Role::Operator).await;
    browser.post("/console/log-in/code", &[("code", &code(&app, &browser, 0))]).await.expect(401);
    fixture.console.clock.advance(Span::secs(90));
    let (a, b) = (half(&fixture, Role::Operator).await, half(&fixture, Role::Operator).await);
    let now = code(&app, &a, 0);
    let fields = [("code", now.as_str())];
    let (first, second) = tokio::join!(a.post("/console/log-in/code", &fields), b.post("/console/log-in/code", &fields));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 401]);
    half(&fixture, Role::Operator).await.post("/console/log-in/code", &fields).await.expect(401);
}

#[tokio::test]
async fn codes_of_one_step_ago_are_taken_and_older_ones_and_later_ones_are_not() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Operator).await;
    let (app, _) = enrol(&fixture.signed_in(Role::Operator).await).await;
    fixture.console.clock.advance(Span::mins(5));
    let browser = half(&fixture, Role::Operator).await;
    for steps in [-2, 2, -3] {
        browser.post("/console/log-in/code", &[("code", &code(&app, &browser, steps))]).await.expect(401);
    }
    browser.post("/console/log-in/code", &[("code", &code(&app, &browser, -1))]).await.leads_to("/console/");
}

#[tokio::test]
async fn a_recovery_code_works_once_and_new_ones_void_the_old() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Operator).await;
    let first = fixture.signed_in(Role::Operator).await;
    let (_, codes) = enrol(&first).await;
    let typed = codes[0].to_uppercase().replace('-', " ");
    half(&fixture, Role::Operator).await.post("/console/log-in/code", &[("code", &typed)]).await.leads_to("/console/");
    half(&fixture, Role::Operator).await.post("/console/log-in/code", &[("code", &codes[0])]).await.expect(401);
    assert!(first.get("/console/profile").await.body.contains("9 recovery codes are left"));
    let page = first.post("/console/profile/recovery-codes", &[]).await.expect(200).body;
    assert!(!codes.iter().any(|code| page.contains(code.as_str())));
    half(&fixture, Role::Operator).await.post("/console/log-in/code", &[("code", &codes[1])]).await.expect(401);
}

#[tokio::test]
async fn where_a_role_needs_a_second_factor_nothing_else_opens_before_there_is_one() {
    let fixture = Fixture::with_factor_for(&[Role::Owner]).await;
    fixture.user(Role::Owner).await;
    fixture.user(Role::Viewer).await;
    fixture.signed_in(Role::Viewer).await.get("/console/").await.expect(200);
    let owner = fixture.signed_in(Role::Owner).await;
    for path in ["/console/", "/console/team"] {
        assert!(owner.get(path).await.location().starts_with("/console/profile/factor"), "{path}");
    }
    assert!(
        owner.post("/console/team/invitations", &[("email", "a@example.com"), ("role", "owner")]).await.location().ends_with("/factor")
    );
    enrol(&owner).await;
    owner.get("/console/team").await.expect(200);
}

#[tokio::test]
async fn a_short_password_does_not_stay_alone() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Operator).await;
    let browser = fixture.signed_in(Role::Operator).await;
    let short = [("current", PASSWORD), ("password", "kettle moss 9")];
    browser.post("/console/profile/password", &short).await.expect(422);
    enrol(&browser).await;
    browser.post("/console/profile/password", &short).await.leads_to("/console/profile");
    browser.post("/console/profile/factor/remove", &[]).await.expect(409);
    let long = [("current", "kettle moss 9"), ("password", "nine kettles and a moss")];
    browser.post("/console/profile/password", &long).await.leads_to("/console/profile");
    browser.post("/console/profile/factor/remove", &[]).await.leads_to("/console/profile");
    fixture.browser().log_in("operator@example.com", "nine kettles and a moss").await.leads_to("/console/");
}

#[tokio::test]
async fn the_key_of_an_app_is_encrypted_where_it_is_stored() {
    let fixture = Fixture::new().await;
    fixture.user(Role::Operator).await;
    let browser = fixture.signed_in(Role::Operator).await;
    browser.post("/console/profile/factor/begin", &[]).await.leads_to("/console/profile/factor");
    let page = browser.get("/console/profile/factor").await.body;
    let (_, rest) = page.split_once("<code class=\"key\">").unwrap();
    let seed: String = rest.split('<').next().unwrap().split(' ').collect();
    for file in std::fs::read_dir(&fixture.folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(seed.len()).any(|part| part == seed.as_bytes()));
        assert!(!bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()));
        let cookie = browser.cookie().unwrap();
        assert!(!bytes.windows(cookie.len()).any(|part| part == cookie.as_bytes()));
    }
}
