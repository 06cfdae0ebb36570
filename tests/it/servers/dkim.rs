//! An independent judge of DKIM signatures: Debian's `python3-dkim`.

use std::{collections::BTreeSet, process::Stdio};

use anyhow::{Context, Result, bail};
use tokio::{io::AsyncWriteExt, process::Command};

use super::process;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/servers/verify_dkim.py");

/// A key as the DNS would have it.
pub(crate) struct PublishedKey {
    /// `<selector>._domainkey.<domain>`.
    pub(crate) name: String,
    /// The text of the record.
    pub(crate) record: String,
}

/// Verifies a mail's signature, and returns the names of the headers it covers, in lower case.
pub(crate) async fn verify(mail: &[u8], key: &PublishedKey) -> Result<BTreeSet<String>> {
    // Debian's own Python: only that one sees Debian's packages.
    let mut command = Command::new("/usr/bin/python3");
    command.args([SCRIPT, &key.name, &key.record]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| process::missing("/usr/bin/python3"))?;
    let mut stdin = child.stdin.take().context("its standard input is piped")?;
    stdin.write_all(mail).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("ModuleNotFoundError") {
        bail!(process::missing("python3-dkim"));
    }
    if !output.status.success() {
        bail!("{}", errors.trim());
    }
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use lettre::{
        Message,
        message::{
            dkim::{DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm, DkimSigningKey},
            header::HeaderName,
        },
    };

    use super::*;

    /// The key pair of test 1 in section 7.1 of RFC 8032.
    const PRIVATE_KEY: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const PUBLIC_KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn base64_of_hex(hex: &str) -> String {
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        STANDARD.encode(bytes)
    }

    #[tokio::test]
    async fn a_signature_holds_until_the_mail_is_changed() -> Result<()> {
        let mut message = Message::builder()
            .from("status@example.com".parse()?)
            .to("reader@example.com".parse()?)
            .subject("API is down")
            .body("Since noon.\r\n".to_owned())?;
        let key = DkimSigningKey::new(&base64_of_hex(PRIVATE_KEY), DkimSigningAlgorithm::Ed25519)?;
        let relaxed = DkimCanonicalization { header: DkimCanonicalizationType::Relaxed, body: DkimCanonicalizationType::Relaxed };
        let headers = ["From", "To", "Subject"].map(HeaderName::new_from_ascii_str).to_vec();
        message.sign(&DkimConfig::new("fanal".to_owned(), "example.com".to_owned(), key, headers, relaxed));
        let published = PublishedKey {
            name: "fanal._domainkey.example.com".to_owned(),
            record: format!("v=DKIM1; k=ed25519; p={}", base64_of_hex(PUBLIC_KEY)),
        };

        let covered = verify(&message.formatted(), &published).await?;
        assert_eq!(covered, ["from", "subject", "to"].map(str::to_owned).into());

        let forged = String::from_utf8(message.formatted())?.replace("is down", "is up");
        assert!(verify(forged.as_bytes(), &published).await.is_err());
        Ok(())
    }
}
