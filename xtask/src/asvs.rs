//! The answers to OWASP ASVS 5.0.0 in `docs/asvs.csv`: every requirement of levels 1 and 2 is answered once, and what is met has something to show.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};

use crate::claims;

const ANSWERS: &str = "docs/asvs.csv";
const HEADER: &str = "requirement,level,status,evidence";
/// A section of the standard in each line, and the level of each of its requirements in order.
const SECTIONS: &str = include_str!("../asvs-5.0.0.txt");

/// Every requirement of levels 1 and 2, with its level.
fn wanted() -> BTreeMap<String, char> {
    let sections = SECTIONS.lines().filter_map(|line| line.split_once(' ')).filter(|(section, _)| section.starts_with('V'));
    let all = sections.flat_map(|(section, levels)| levels.chars().zip(1..).map(move |(level, n)| (format!("{section}.{n}"), level)));
    all.filter(|(_, level)| *level != '3').collect()
}

/// What is wrong with the answers.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(root.join(ANSWERS)).with_context(|| format!("cannot read {ANSWERS}"))?;
    ensure!(text.lines().next() == Some(HEADER), "{ANSWERS} must begin with {HEADER}");
    Ok(wrong(root, &text).into_iter().map(|why| format!("{ANSWERS}: {why}")).collect())
}

fn wrong(root: &Path, text: &str) -> Vec<String> {
    let mut open = wanted();
    let mut wrong = Vec::new();
    for line in text.lines().skip(1) {
        let mut cells = line.splitn(4, ',');
        let mut next = || cells.next().unwrap_or_default();
        let (requirement, level, status, evidence) = (next(), next(), next(), unquoted(next()));
        let Some(known) = open.remove(requirement) else {
            wrong.push(format!("`{requirement}` is answered twice, or is no requirement of level 1 or 2"));
            continue;
        };
        if level != known.to_string() {
            wrong.push(format!("{requirement} is of level {known}"));
        }
        match status {
            "met" if claims::claims(&evidence).next().is_none() => wrong.push(format!("{requirement} is met, and nothing shows it")),
            "met" | "not applicable" | "not met" if evidence.len() < 10 => wrong.push(format!("{requirement} has no reason")),
            "met" | "not applicable" | "not met" => {}
            other => wrong.push(format!("{requirement} has the status `{other}`")),
        }
        wrong.extend(claims::unfounded(root, &evidence).into_iter().map(|why| format!("{requirement}: {why}")));
    }
    wrong.extend(open.keys().map(|requirement| format!("{requirement} is not answered")));
    wrong
}

/// The text of the last cell of a line.
fn unquoted(cell: &str) -> String {
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell).replace("\"\"", "\"")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::root;

    /// As the standard counts them itself.
    #[test]
    fn the_list_has_as_many_requirements_as_the_standard() {
        let sections: Vec<(&str, &str)> =
            SECTIONS.lines().filter(|line| line.starts_with('V')).filter_map(|line| line.split_once(' ')).collect();
        let levels = ['1', '2', '3'].map(|level| sections.iter().map(|(_, levels)| levels.matches(level).count()).sum::<usize>());
        assert_eq!(levels, [70, 183, 92]);
        let chapters: BTreeSet<_> =
            sections.iter().filter_map(|(section, _)| section.split_once('.')).map(|(chapter, _)| chapter).collect();
        assert_eq!(chapters.len(), 17);
        assert_eq!(wanted().len(), 253);
    }

    #[test]
    fn gaps_and_empty_claims_are_found_out() {
        let whole = fs::read_to_string(root().join(ANSWERS)).unwrap();
        let with = |from: &str, to: &str| {
            let line = whole.lines().find(|line| line.starts_with(from)).unwrap();
            wrong(root(), &whole.replacen(line, to, 1))
        };
        assert_eq!(wrong(root(), &whole), Vec::<String>::new());
        assert_eq!(with("V1.1.1,", "V1.1.1,2,met,Trust us."), ["V1.1.1 is met, and nothing shows it"]);
        assert_eq!(with("V1.1.1,", "V1.1.1,1,not met,It was not looked at."), ["V1.1.1 is of level 2"]);
        assert_eq!(with("V1.1.1,", "V1.1.1,2,not applicable,"), ["V1.1.1 has no reason"]);
        assert_eq!(with("V1.1.1,", "V1.1.1,2,perhaps,It was not looked at."), ["V1.1.1 has the status `perhaps`"]);
        assert_eq!(with("V1.1.1,", "V1.1.1,2,met,As `docs/nothing.md` says."), ["V1.1.1: there is no file `docs/nothing.md`"]);
        let twice = with("V1.1.1,", "V1.1.2,2,not met,It was not looked at.");
        assert_eq!(twice.len(), 2, "{twice:?}");
        assert!(
            twice.iter().any(|why| why.contains("`V1.1.2` is answered twice")) && twice.iter().any(|why| why == "V1.1.1 is not answered")
        );
    }
}
