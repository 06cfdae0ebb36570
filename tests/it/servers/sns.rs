//! A topic of SNS that is not Amazon's: it signs with a certificate of an authority made for the test, and serves that certificate.
//!
//! OpenSSL makes the keys and the signatures, so that what verifies them is not what made them.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use poem::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    folder::Folder,
    process,
    webhooks::{Manner, Received, WebhookServer},
};

pub(crate) const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:harbour-alarms";
/// What whoever confirms the subscription must know.
pub(crate) const TOKEN: &str = "2336412f37fb687f5d51e6e241da92fd";

pub(crate) struct Sns {
    folder: Folder,
    server: WebhookServer,
}

impl Sns {
    /// Its certificate is not served yet.
    pub(crate) async fn start() -> Result<Self> {
        let sns = Self { folder: Folder::new("sns")?, server: WebhookServer::start().await? };
        let [ca, ca_key, request, key] = ["ca.pem", "ca.key", "sns.csr", "sns.key"].map(|name| sns.file(name));
        let new_key = ["-newkey", "rsa:2048", "-nodes", "-keyout"];
        sns.openssl(
            &[&["req", "-x509", "-days", "2", "-subj", "/CN=Harbour test authority", "-out", &ca], &new_key[..], &[&ca_key]].concat(),
        )?;
        sns.openssl(&[&["req", "-subj", "/CN=sns.harbour.example", "-out", &request], &new_key[..], &[&key]].concat())?;
        let signed = ["-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial", "-days", "1", "-out"];
        sns.openssl(&[&["x509", "-req", "-in", &request], &signed[..], &[&sns.file("sns.pem")]].concat())?;
        sns.fail();
        Ok(sns)
    }

    /// Answers whatever is asked for with 500.
    pub(crate) fn fail(&self) {
        self.server.behave(Manner::Answer(StatusCode::INTERNAL_SERVER_ERROR, Duration::ZERO));
    }

    /// Where it is, for the settings.
    pub(crate) fn endpoint(&self) -> String {
        self.server.url().trim_end_matches("/in").to_owned()
    }

    /// Serves the certificate, whatever is asked for.
    pub(crate) fn serve_certificate(&self) -> Result<()> {
        self.server.behave(Manner::Say(fs::read_to_string(self.file("sns.pem"))?));
        Ok(())
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.server.received()
    }

    /// What asks whether the subscription is wanted.
    pub(crate) fn subscription_confirmation(&self) -> Result<Value> {
        let url = format!("{}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}", self.endpoint());
        let message = "You have chosen to subscribe to the topic.";
        self.signed(json!({ "Type": "SubscriptionConfirmation", "Message": message, "SubscribeURL": url, "Token": TOKEN }), "1")
    }

    /// A message of a publisher.
    pub(crate) fn notification(&self, message: &Value, signature_version: &str) -> Result<Value> {
        self.signed(json!({ "Type": "Notification", "Subject": "From CloudWatch", "Message": message.to_string() }), signature_version)
    }

    fn signed(&self, mut message: Value, version: &str) -> Result<Value> {
        message["MessageId"] = json!(Uuid::new_v4().to_string());
        message["TopicArn"] = json!(TOPIC);
        message["Timestamp"] = json!(jiff::Timestamp::now().to_string());
        // They are signed in the order of the alphabet, in which the object has them.
        let fields = message.as_object().context("an object")?.iter();
        let text: String = fields.map(|(name, value)| format!("{name}\n{}\n", value.as_str().unwrap_or_default())).collect();
        fs::write(self.file("text"), text)?;
        let digest = if version == "1" { "-sha1" } else { "-sha256" };
        self.openssl(&["dgst", digest, "-sign", &self.file("sns.key"), "-out", &self.file("signature"), &self.file("text")])?;
        message["Signature"] = json!(BASE64_STANDARD.encode(fs::read(self.file("signature"))?));
        message["SignatureVersion"] = json!(version);
        message["SigningCertURL"] = json!(format!("{}/SimpleNotificationService-0123456789abcdef.pem", self.endpoint()));
        message["UnsubscribeURL"] = json!(format!("{}/?Action=Unsubscribe&SubscriptionArn={TOPIC}:0b1c2d3e", self.endpoint()));
        Ok(message)
    }

    fn file(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.display().to_string()
    }

    fn openssl(&self, arguments: &[&str]) -> Result<()> {
        let output = Command::new("openssl").args(arguments).output().with_context(|| process::missing("openssl"))?;
        ensure!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}
