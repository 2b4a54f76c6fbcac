//! The folder `.automaker` of a project, through a handle that cannot be left: no symbolic link is followed, and no file is read
//! further than it may be long.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use guildhall_team::SentFile;
use guildhall_team::automaker::format::{OldFeature, OldFile, feature};
use guildhall_team::automaker::{Automaker, Became};

/// Its name.
const NAME: &str = ".automaker";
/// Bytes that a `feature.json` may have, with the text files in it, and all of them together.
const CARD: u64 = 16 << 20;
const CARDS: u64 = 512 << 20;
/// Bytes that another text may have.
pub(super) const TEXT: u64 = 4 << 20;
/// Bytes that are read of a file for a card: one more than may be attached, so that it is seen to be too large.
const FILE: u64 = 5 * (1 << 20) + 1;
/// Entries of one folder that are looked at.
const ENTRIES: usize = 50_000;

/// What is odd about a file: which, and why.
type Odd = (String, String);

/// The folder of one project.
#[derive(Debug)]
pub(super) struct Folder {
    /// The project's own folder.
    pub(super) root: PathBuf,
    /// What the project is called, by that folder.
    pub(super) name: String,
    dir: Dir,
}

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Other,
}

impl Folder {
    /// The projects at a path: that whose folder or `.automaker` it is, or those whose folders are in it.
    pub(super) fn find(path: &Path) -> anyhow::Result<Vec<Self>> {
        let shown = path.display();
        let path = path.canonicalize().with_context(|| format!("{shown} cannot be read"))?;
        if path.file_name().is_some_and(|name| name == NAME) {
            let root = path.parent().context("a folder called .automaker lies in that of a project")?.to_owned();
            let dir =
                Dir::open_ambient_dir(&path, ambient_authority()).with_context(|| format!("{shown} cannot be read"))?;
            return Ok(vec![Self::new(root, dir)]);
        }
        if let Some(found) = Self::of(&path) {
            return Ok(vec![found]);
        }
        let unread = || format!("{shown} cannot be read");
        let entries = fs::read_dir(&path).with_context(unread)?.collect::<Result<Vec<_>, _>>().with_context(unread)?;
        let folders = entries.iter().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut found: Vec<Self> = folders.filter_map(|entry| Self::of(&entry.path())).collect();
        found.sort_by(|a, b| a.root.cmp(&b.root));
        match found.is_empty() {
            true => bail!("there is no folder .automaker in {shown}, and none in the folders in it"),
            false => Ok(found),
        }
    }

    /// The project whose folder this is, unless it has no `.automaker`, or one that is a symbolic link.
    fn of(root: &Path) -> Option<Self> {
        let real = fs::symlink_metadata(root.join(NAME)).is_ok_and(|about| about.is_dir());
        let dir = Dir::open_ambient_dir(root, ambient_authority()).ok()?.open_dir(NAME).ok()?;
        real.then(|| Self::new(root.to_owned(), dir))
    }

    fn new(root: PathBuf, dir: Dir) -> Self {
        let name = root.file_name().map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned());
        Self { root, name, dir }
    }

    /// What is in a folder, by name, in order; what is neither file nor folder is among the odd.
    fn entries(&self, under: &str) -> (Vec<(String, Kind)>, Vec<Odd>) {
        let (mut all, mut odd) = (Vec::new(), Vec::new());
        let at = if under.is_empty() { "." } else { under };
        let found = match self.dir.read_dir(at) {
            Ok(found) => found,
            Err(error) => return (all, vec![(at.to_owned(), format!("it cannot be read: {error}"))]),
        };
        for entry in found.flatten() {
            if all.len() == ENTRIES {
                odd.push((at.to_owned(), format!("it has more than {ENTRIES} entries; the others were not looked at")));
                break;
            }
            let kind = match entry.file_type() {
                Ok(kind) if kind.is_dir() => Kind::Folder,
                Ok(kind) if kind.is_file() => Kind::File,
                _ => Kind::Other,
            };
            let shown = entry.file_name().to_string_lossy().into_owned();
            let way = if under.is_empty() { shown.clone() } else { format!("{under}/{shown}") };
            match (kind, entry.file_name().into_string()) {
                (Kind::Other, _) => {
                    odd.push((way, "it is a symbolic link or no regular file, and was not followed".to_owned()))
                }
                (_, Err(_)) => odd.push((way, "its name is no UTF-8".to_owned())),
                (kind, Ok(name)) => all.push((name, kind)),
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        odd.sort();
        (all, odd)
    }

    /// What is in a folder, by name, in order. What is neither file nor folder is told.
    pub(super) fn names(&self, import: &mut Automaker, under: &str) -> Vec<String> {
        let (all, odd) = self.entries(under);
        odd.into_iter().for_each(|(of, why)| import.tell(Became::Out, &of, why));
        all.into_iter().map(|(name, _)| name).collect()
    }

    /// A file, if it has no more than `most` bytes.
    pub(super) fn read(&self, way: &str, most: u64) -> Result<Vec<u8>, String> {
        let unread = |error: std::io::Error| format!("it cannot be read: {error}");
        // Looked at before it is opened: to open a pipe would wait for who writes into it.
        if !self.dir.symlink_metadata(way).map_err(unread)?.is_file() {
            return Err("it is a symbolic link or no regular file, and was not followed".to_owned());
        }
        let mut bytes = Vec::new();
        self.dir.open(way).map_err(unread)?.take(most + 1).read_to_end(&mut bytes).map_err(unread)?;
        match bytes.len() as u64 > most {
            true => Err(format!("it is too large: at most {} MiB are read", most >> 20)),
            false => Ok(bytes),
        }
    }

    /// Every card, with the name of its folder; and what of `features` cannot be read.
    pub(super) fn cards(&self) -> (Vec<(String, OldFeature)>, Vec<Odd>) {
        if self.dir.symlink_metadata("features").is_err() {
            return (Vec::new(), Vec::new());
        }
        let (entries, mut odd) = self.entries("features");
        let (mut cards, mut left) = (Vec::new(), CARDS);
        for (name, kind) in entries {
            if kind != Kind::Folder {
                odd.push((format!("features/{name}"), "it is no folder of a card".to_owned()));
                continue;
            }
            let way = format!("features/{name}/feature.json");
            let read = self.read(&way, CARD.min(left));
            left -= read.as_ref().map_or(0, |bytes| bytes.len() as u64);
            match read.and_then(|bytes| feature(&bytes, &name)) {
                Ok(old) => cards.push((name, old)),
                Err(why) => odd.push((way, why)),
            }
        }
        (cards, odd)
    }

    /// The files of a card, and what became of others in its folder.
    pub(super) fn files_of(&self, name: &str, old: &OldFeature) -> (Vec<SentFile>, Vec<(String, Became, String)>) {
        let (mut files, mut odd) = (Vec::new(), Vec::new());
        let mut used: Vec<String> = vec![format!("features/{name}/feature.json")];
        for file in old.images.iter().chain(&old.texts) {
            if let Some(content) = file.content() {
                files.push(SentFile { name: file.name().to_owned(), bytes: content.as_bytes().to_vec() });
                continue;
            }
            match self.found(name, file) {
                Ok((way, bytes)) => {
                    used.push(way);
                    files.push(SentFile { name: file.name().to_owned(), bytes });
                }
                Err(why) => {
                    let of = format!("features/{name}/feature.json");
                    odd.push((
                        of,
                        Became::Out,
                        format!("the card's file {}: {why}", file.path().unwrap_or(file.name())),
                    ));
                }
            }
        }
        let output = format!("features/{name}/agent-output.md");
        if self.dir.symlink_metadata(&output).is_ok() {
            match self.read(&output, FILE) {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => files.push(SentFile { name: "agent-output.md".to_owned(), bytes }),
                Err(why) => odd.push((output.clone(), Became::Out, why)),
            }
            used.push(output);
        }
        for under in [format!("features/{name}"), format!("features/{name}/images")] {
            if self.dir.symlink_metadata(&under).is_err() {
                continue;
            }
            let (entries, not_followed) = self.entries(&under);
            let others = entries.into_iter().map(|(file, _)| format!("{under}/{file}"));
            let others = others.filter(|way| !used.contains(way) && !way.ends_with("/images"));
            odd.extend(others.map(|way| (way, Became::Aside, "the card does not speak of it".to_owned())));
            odd.extend(
                not_followed
                    .into_iter()
                    .filter(|(way, _)| !used.contains(way))
                    .map(|(way, why)| (way, Became::Out, why)),
            );
        }
        (files, odd)
    }

    /// A file that a card names: where it says, if that is in this folder, on whatever machine it was written, or with the card's
    /// or the project's images.
    fn found(&self, card: &str, file: &OldFile) -> Result<(String, Vec<u8>), String> {
        let path = file.path().ok_or("it says neither where it is nor what is in it")?.replace('\\', "/");
        let inside = path.rsplit_once(&format!("{NAME}/")).map(|(_, inside)| inside);
        let base = path.rsplit('/').next().unwrap_or(&path);
        let ways = [
            inside.or_else(|| (!path.starts_with('/')).then_some(path.as_str())).map(str::to_owned),
            (!path.starts_with('/')).then(|| format!("features/{card}/{path}")),
            Some(format!("features/{card}/images/{base}")),
            Some(format!("images/{base}")),
        ];
        let there = ways.into_iter().flatten().find(|way| self.dir.symlink_metadata(way).is_ok());
        let way = there.ok_or("it is not in the folder .automaker")?;
        self.read(&way, FILE).map(|bytes| (way, bytes))
    }
}
