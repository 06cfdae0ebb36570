//! What the documents on security claim: every test and file that they name is there, so that they cannot say more than is true.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{asvs, root};

/// The documents whose claims are checked, besides the answers to the ASVS.
const DOCUMENTS: [&str; 4] = ["SECURITY.md", "docs/hardening.md", "docs/security/inventory.md", PAST];
/// What was wrong with others, and the test that it is not so here.
const PAST: &str = "docs/security/past-vulnerabilities.md";
/// Endings of names that are files when they stand between backticks.
const FILES: [&str; 11] = [".rs", ".md", ".mjs", ".py", ".toml", ".csv", ".conf", ".service", ".yaml", ".lock", "file"];
/// Files of the root that documents name without a folder.
const ROOT: [&str; 6] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "Cargo.lock", "deny.toml"];

/// Checks every document.
pub(crate) fn check() -> Result<()> {
    let mut wrong = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).with_context(|| format!("cannot read {document}"))?;
        wrong.extend(unfounded(root(), &text).into_iter().map(|why| format!("{document}: {why}")));
        if document == PAST {
            wrong.extend(nameless(&text).into_iter().map(|why| format!("{document}: {why}")));
        }
    }
    wrong.extend(asvs::check(root())?);
    ensure!(wrong.is_empty(), "the documents claim what is not so:\n  {}", wrong.join("\n  "));
    Ok(())
}

/// What the text names between backticks and is not there: `folder/file.rs::test` or `folder/file.md`.
pub(crate) fn unfounded(root: &Path, text: &str) -> Vec<String> {
    claims(text).filter_map(|claim| look_up(root, claim).err()).map(|error| format!("{error:#}")).collect()
}

/// The tests and files that a text names.
pub(crate) fn claims(text: &str) -> impl Iterator<Item = &str> {
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    spans.filter(|span| {
        let file = span.split_once("::").map_or(*span, |(file, _)| file);
        let plain = !file.contains(|c: char| c.is_whitespace() || "*<>{}$?=:".contains(c)) && !file.starts_with(['/', '.']);
        plain && (file.contains('/') || ROOT.contains(&file)) && FILES.iter().any(|ending| file.ends_with(ending))
            || span.contains(".rs::")
            || span.contains(".mjs::")
    })
}

fn look_up(root: &Path, claim: &str) -> Result<()> {
    let (file, test) = claim.split_once("::").map_or((claim, None), |(file, test)| (file, Some(test)));
    let path: PathBuf = root.join(file);
    ensure!(path.is_file(), "there is no file `{file}`");
    let Some(test) = test else { return Ok(()) };
    let source = fs::read_to_string(&path).with_context(|| format!("cannot read {file}"))?;
    let found = if path.extension().is_some_and(|ending| ending == "rs") { is_test(&source, test) } else { source.contains(test) };
    if !found {
        bail!("there is no test `{test}` in `{file}`");
    }
    Ok(())
}

/// Whether a source has a test of this name: a function under a test attribute, or a scenario in a list that makes tests of it.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let declares = |line: &str| line.split_once("fn ").is_some_and(|(_, rest)| rest.starts_with(&format!("{name}(")));
    let Some(at) = lines.iter().position(|line| declares(line)) else { return false };
    let mut above = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let attributed = above.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
    let mut in_list = false;
    let listed = lines.iter().any(|line| {
        in_list |= line.starts_with("on_") && line.contains('!');
        let here = in_list && line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
        in_list &= !line.ends_with([';', '}']);
        here
    });
    attributed || listed
}

/// Rows of the table whose first name stands in the name of none of their tests, or that have none.
fn nameless(text: &str) -> Vec<String> {
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id "));
    rows.filter_map(|row| {
        let id = row.trim_start_matches("| ").split([',', '|']).next().unwrap_or_default().trim();
        let wanted = id.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let named = claims(row).any(|claim| claim.split_once("::").is_some_and(|(_, test)| test.starts_with(&wanted)));
        (!named).then(|| format!("no test of the row {id} is named {wanted}_…"))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_claim_what_is_so() {
        check().unwrap();
    }

    #[test]
    fn a_test_or_a_file_that_is_not_there_is_found_out() {
        let text = "`xtask/src/claims.rs::a_test_or_a_file_that_is_not_there_is_found_out` and `xtask/src/claims.rs`, `/hooks/`, `X-Y`.";
        assert_eq!(unfounded(root(), text), Vec::<String>::new());
        for (claim, why) in [
            ("xtask/src/claims.rs::nobody_wrote_this", "there is no test `nobody_wrote_this` in `xtask/src/claims.rs`"),
            // A function, and no test.
            ("xtask/src/claims.rs::look_up", "there is no test `look_up` in `xtask/src/claims.rs`"),
            ("xtask/src/nothing.rs::a_test", "there is no file `xtask/src/nothing.rs`"),
            ("docs/nothing.md", "there is no file `docs/nothing.md`"),
        ] {
            assert_eq!(unfounded(root(), &format!("As `{claim}` shows.")), [why]);
        }
    }

    #[test]
    fn scenarios_are_tests_only_where_a_list_makes_them() {
        let source =
            "async fn one(stack: Stack) {}\nasync fn two(stack: Stack) {}\non_every_stack!(\n    one,\n);\nfn three() { two(); }\n";
        assert!(is_test(source, "one") && !is_test(source, "two") && !is_test(source, "three"));
    }

    #[test]
    fn a_row_without_a_test_of_its_name_is_found_out() {
        let row = "| CVE-2021-39165 | Cachet: x | `tests/it/x.rs::cve_2021_39165_y` |";
        assert_eq!(nameless(row), Vec::<String>::new());
        assert_eq!(nameless(&row.replace("39165_y", "39166_y")), ["no test of the row CVE-2021-39165 is named cve_2021_39165_…"]);
        assert_eq!(nameless("| kener#600 | Kener: x | none |"), ["no test of the row kener#600 is named kener_600_…"]);
    }
}
