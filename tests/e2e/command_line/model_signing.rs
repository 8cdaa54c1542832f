//! Folders that the real `model_signing` has just signed, with a key and with a certificate: `interlock verify model` says of
//! each what the tool itself says. What was signed is verified, and the same changed in any one place is not.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use interlock_tests::model_signing::{By, EMAIL, Publisher};

use super::models::{Files, Signed};
use super::{Desk, Said};

/// A signed folder.
struct Folder {
    desk: Desk,
    publisher: Publisher,
    by: By,
}

impl Folder {
    async fn signed(by: By) -> Result<Self> {
        let folder = Self {
            desk: Desk::new().await?,
            publisher: Publisher::new()?,
            by,
        };
        folder.plant(&Signed::read("files-p256")?.files)?;
        folder.publisher.sign(by, &folder.model(), &folder.signature()).await?;
        Ok(folder)
    }

    fn model(&self) -> PathBuf {
        self.desk.path("model")
    }

    fn signature(&self) -> PathBuf {
        self.desk.path("model/model.sig")
    }

    /// The folder with these files and no others, but for the signature.
    fn plant(&self, files: &Files) -> Result<()> {
        let kept = fs::read(self.signature()).ok();
        if self.model().exists() {
            fs::remove_dir_all(self.model())?;
        }
        let mut all = files.clone();
        all.extend(kept.map(|kept| ("model.sig".to_owned(), kept)));
        for (name, content) in all {
            let path = self.model().join(name);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
            fs::write(path, content)?;
        }
        Ok(())
    }

    /// What both say to the folder as `publisher` would have signed it: they must agree.
    async fn judged(&self, publisher: &Publisher, what: &str) -> Result<(bool, Said)> {
        let trusted = publisher.trusted(self.by).display().to_string();
        let model = self.model().display().to_string();
        let said = match self.by {
            By::Key => self.desk.run("verify model --key", &[&trusted, &model]).await?,
            By::Certificate => {
                let flags = ["--ca-roots", &trusted, "--identity", EMAIL, &model];
                self.desk.run("verify model", &flags).await?
            }
        };
        let theirs = publisher.verifies(self.by, &self.model(), &self.signature()).await?;
        let ours = said.code == Some(0);
        ensure!(
            ours == theirs && (ours || said.code == Some(1)),
            "{what}, by {:?}: model_signing says {theirs}, and interlock: {}{}",
            self.by,
            said.out,
            said.complaint
        );
        Ok((ours, said))
    }
}

type Change = fn(&mut Files);

fn rename(files: &mut Files, from: &str, to: &str) {
    let content = files.remove(from).unwrap_or_default();
    files.insert(to.to_owned(), content);
}

/// One place of the folder is another, and what is told of it.
fn changes() -> [(&'static str, Change, &'static str); 7] {
    [
        (
            "a byte",
            |files| files.entry("weights/model.bin".to_owned()).or_default()[7] ^= 1,
            "\"weights/model.bin\" has other content",
        ),
        (
            "a file removed",
            |files| drop(files.remove("empty")),
            "\"empty\" is signed and not there",
        ),
        (
            "a file added",
            |files| drop(files.insert("payload.py".to_owned(), b"x".to_vec())),
            "\"payload.py\" is there and not signed",
        ),
        (
            "a file renamed",
            |files| rename(files, "config.json", "config.yaml"),
            "\"config.yaml\" is there and not signed",
        ),
        (
            "a file moved",
            |files| rename(files, "config.json", "weights/config.json"),
            "\"weights/config.json\" is there and not signed",
        ),
        (
            "contents swapped",
            |files| {
                let one = files.remove("config.json").unwrap_or_default();
                let other = files.insert("weights-2.bin".to_owned(), one).unwrap_or_default();
                files.insert("config.json".to_owned(), other);
            },
            "2 differ from what was signed",
        ),
        (
            "a file cut",
            |files| files.entry("weights-2.bin".to_owned()).or_default().truncate(15),
            "\"weights-2.bin\" has other content",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_real_tool_signs_is_verified_and_every_single_change_of_it_is_not() -> Result<()> {
    for by in [By::Key, By::Certificate] {
        let folder = Folder::signed(by).await?;
        let files = Signed::read("files-p256")?.files;
        let (is_good, said) = folder.judged(&folder.publisher, "as signed").await?;
        ensure!(is_good && said.out.contains("all as signed"), "{by:?}: {}", said.out);

        for (what, change, words) in changes() {
            let mut changed = files.clone();
            change(&mut changed);
            folder.plant(&changed)?;
            let (is_good, said) = folder.judged(&folder.publisher, what).await?;
            ensure!(!is_good && said.out.contains(words), "{what}, by {by:?}: {}", said.out);
        }
        folder.plant(&files)?;
        let (is_good, _) = folder.judged(&folder.publisher, "as signed, again").await?;
        ensure!(is_good, "the changes are undone");

        let (is_good, _) = folder.judged(&Publisher::new()?, "another's").await?;
        ensure!(!is_good, "another key, or authority, vouches for it");
        let signature = fs::read_to_string(folder.signature())?;
        let document: serde_json::Value = serde_json::from_str(&signature)?;
        for at in ["/dsseEnvelope/payload", "/dsseEnvelope/signatures/0/sig"] {
            let text = document.pointer(at).and_then(|text| text.as_str()).unwrap_or_default();
            // In the middle, so that it stays base64 of as many bytes.
            let (before, after) = text.split_at(text.len() / 2);
            let other = if after.starts_with('A') { 'B' } else { 'A' };
            let bent = format!("{before}{other}{}", after.get(1..).unwrap_or_default());
            fs::write(folder.signature(), signature.replace(text, &bent))?;
            let (is_good, _) = folder.judged(&folder.publisher, at).await?;
            ensure!(!is_good, "{at} was changed, by {by:?}");
        }
    }
    Ok(())
}
