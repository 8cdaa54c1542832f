//! A page of the documentation as its reader takes it in: files to write, commands to type, and what they show.

use anyhow::{Context as _, Result, ensure};

/// What a page has its reader do, in order.
#[derive(Debug)]
pub(super) enum Step {
    /// A fenced block with a title: a file of that name.
    Write {
        /// The file's name.
        name: String,
        /// What is in it.
        content: String,
    },
    /// A command of a `console` block.
    Type(Command),
    /// The comment `<!-- the operator starts -->`: what a kubelet would do now.
    OperatorStarts,
}

/// A command and what the page shows of its output.
#[derive(Debug)]
pub(super) struct Command {
    /// Where it stands, `page.md:12`.
    pub at: String,
    /// What is typed.
    pub text: String,
    /// The lines that follow; none: the page leaves them out.
    pub output: Vec<String>,
}

/// The steps of a page.
pub(super) fn steps(page: &str, text: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if line.trim() == "<!-- the operator starts -->" {
            steps.push(Step::OperatorStarts);
        }
        let Some(opening) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```")
            .collect();
        let title = opening
            .split_once("title=\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        match (opening.split(' ').next(), title) {
            (Some("console"), _) => commands(page, at + 2, &block, &mut steps)?,
            (_, Some((name, _))) => steps.push(Step::Write {
                name: name.to_owned(),
                content: block.join("\n") + "\n",
            }),
            (Some("sh" | "bash" | "shell"), None) => {
                anyhow::bail!(
                    "{page}:{}: commands stand in console blocks, or nothing runs them",
                    at + 1
                )
            }
            _ => {}
        }
    }
    Ok(steps)
}

fn commands(page: &str, first: usize, block: &[&str], steps: &mut Vec<Step>) -> Result<()> {
    let mut found: Vec<Command> = Vec::new();
    let mut continues = false;
    for (offset, line) in block.iter().enumerate() {
        if let Some(text) = line.strip_prefix("$ ") {
            found.push(Command {
                at: format!("{page}:{}", first + offset),
                text: text.to_owned(),
                output: Vec::new(),
            });
        } else {
            let command = found.last_mut();
            let command = command.with_context(|| format!("{page}:{}: output before any command", first + offset))?;
            if continues {
                command.text += "\n";
                command.text += line;
            } else {
                command.output.push((*line).to_owned());
            }
        }
        continues = match found.last() {
            Some(command) if command.text.contains("<<EOF") => *line != "EOF" && (continues || line.starts_with("$ ")),
            _ => line.ends_with('\\') && (continues || line.starts_with("$ ")),
        };
    }
    ensure!(!continues, "{page}: a command goes on after its block");
    steps.extend(found.into_iter().map(Step::Type));
    Ok(())
}

/// Whether the page shows what came. A line `...` stands for any lines, `…` at a line's end for its rest; digests, ages
/// and the width of columns do not count. Otherwise the first line that differs.
pub(super) fn same(shown: &[String], came: &str) -> Result<()> {
    let came: Vec<String> = came.lines().map(plain).filter(|line| !line.is_empty()).collect();
    let shown: Vec<String> = shown
        .iter()
        .map(|line| plain(line))
        .filter(|line| !line.is_empty())
        .collect();
    let mut rest = came.as_slice();
    let mut skipping = false;
    for line in &shown {
        if line == "..." {
            skipping = true;
            continue;
        }
        let fits = |one: &String| match line.strip_suffix('…') {
            Some(start) if !start.ends_with("sha256:") => one.starts_with(start),
            _ => one == line,
        };
        let at = if skipping {
            rest.iter().position(fits)
        } else {
            rest.first().filter(|one| fits(one)).map(|_| 0)
        };
        let at = at.with_context(|| format!("the page shows {line:?}, where there came\n{}", rest.join("\n")))?;
        rest = rest.get(at + 1..).unwrap_or_default();
        skipping = false;
    }
    ensure!(
        skipping || rest.is_empty(),
        "the page does not show\n{}",
        rest.join("\n")
    );
    Ok(())
}

/// Without what differs from run to run.
fn plain(line: &str) -> String {
    let words: Vec<String> = line.split_whitespace().map(|word| age(&digests(word))).collect();
    words.join(" ")
}

/// `sha256:…` for every digest, whole or cut.
fn digests(word: &str) -> String {
    let mut parts = word.split("sha256:");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        plain += "sha256:…";
        plain += rest.strip_prefix('…').unwrap_or(rest);
    }
    plain
}

/// `AGE` for what kubectl shows as one: `12s`, `3m5s`.
fn age(word: &str) -> String {
    let is_age = word.starts_with(|c: char| c.is_ascii_digit())
        && word.ends_with(['s', 'm', 'h', 'd'])
        && word.chars().all(|c| c.is_ascii_digit() || "smhd".contains(c));
    if is_age { "AGE".to_owned() } else { word.to_owned() }
}

#[test]
fn a_page_is_read_as_its_reader_reads_it() -> Result<()> {
    let text = "# A\n\n```yaml title=\"a.yaml\"\na: 1\n```\n<!-- the operator starts -->\n```console\n$ one \\\n  two\nout\n\n$ three\n```\n";
    let steps = steps("a.md", text)?;
    ensure!(matches!(&steps[0], Step::Write { name, content } if name == "a.yaml" && content == "a: 1\n"));
    ensure!(matches!(&steps[1], Step::OperatorStarts));
    ensure!(
        matches!(&steps[2], Step::Type(one) if one.text == "one \\\n  two" && one.output == ["out", ""] && one.at == "a.md:8")
    );
    ensure!(matches!(&steps[3], Step::Type(one) if one.text == "three" && one.output.is_empty()));
    Ok(())
}

#[test]
fn what_is_shown_is_what_came_but_for_digests_and_ages() -> Result<()> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let digest = "a".repeat(64);
    for (shown, came, good) in [
        ("NAME  AGE\ncart  5s", "NAME    AGE\ncart    3m12s\n", true),
        ("x@sha256:4f0c…", &format!("x@sha256:{digest}"), true),
        ("...\nlast", "first\nlast", true),
        ("first\n...", "first\nlast", true),
        ("first", "first\nlast", false),
        ("first\nlast", "first", false),
        ("begin…", "beginning of it", true),
        ("cart", "cart2", false),
    ] {
        ensure!(same(&lines(shown), came).is_ok() == good, "{shown:?} {came:?}");
    }
    Ok(())
}
