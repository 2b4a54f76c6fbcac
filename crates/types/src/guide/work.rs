//! What is known of a piece of work before it begins: the files and languages of its repository, what its card names.

use std::collections::{BTreeMap, BTreeSet};

use super::language;

/// Files that are looked at, at most.
const FILES: usize = 20_000;
/// Paths that a card is taken to name, at most.
const NAMED: usize = 100;
/// Of so many source files one must be in a language for it to count as one of the repository's.
const SHARE: usize = 50;

/// A piece of work, as the conditions of a blueprint see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Work {
    files: Vec<String>,
    languages: BTreeSet<String>,
    task: String,
}

impl Work {
    /// The work of a card with these words and this category, on a repository with these files.
    pub fn of(files: Vec<String>, words: &str, category: &str) -> Self {
        let named = named_paths(words);
        let mut languages = languages(&files);
        languages.extend(named.iter().filter_map(|path| language::of_file(path)).map(str::to_owned));
        let files = named.into_iter().chain(files).take(FILES).collect();
        Self { files, languages, task: plain(category) }
    }

    /// The files that the card names, then those of the repository.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Whether this is one of its languages, by whatever name.
    pub fn speaks(&self, language: &str) -> bool {
        self.languages.contains(&language::plain(language))
    }

    /// Whether this is the category of its card.
    pub fn is_of(&self, task: &str) -> bool {
        !self.task.is_empty() && plain(task) == self.task
    }
}

/// A word without what writers differ in: `Bug fix`, `bug-fix` and `bug_fix` are one.
fn plain(word: &str) -> String {
    let parts: Vec<String> =
        word.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).map(str::to_lowercase).collect();
    parts.join("-")
}

/// The languages of a repository: those of at least one of fifty source files. One script does not make it a shell project.
fn languages(files: &[String]) -> BTreeSet<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for language in files.iter().filter_map(|file| language::of_file(file)) {
        *counts.entry(language).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    counts.into_iter().filter(|(_, count)| count * SHARE >= all).map(|(language, _)| language.to_owned()).collect()
}

/// The paths that a text names: words with a slash or a file's ending. They need not exist; a card may ask for a new file.
pub(super) fn named_paths(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let apart =
        |c: char| c.is_whitespace() || matches!(c, '`' | '"' | '\'' | '(' | ')' | '[' | ']' | '<' | '>' | ',' | ';');
    for word in text.split(apart) {
        let word = word.trim_end_matches(['.', ':', '!', '?']).trim_start_matches("./");
        let plain = word.len() <= 200
            && !word.starts_with('/')
            && !word.contains("://")
            && !word.contains("..")
            && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@'));
        let name = word.rsplit('/').next().unwrap_or(word);
        let ends = name.rsplit_once('.').is_some_and(|(stem, ending)| {
            !stem.is_empty() && ending.len() <= 10 && ending.starts_with(|c: char| c.is_ascii_alphabetic())
        });
        if plain && ends && !found.iter().any(|other| other == word) {
            found.push(word.to_owned());
        }
        if found.len() == NAMED {
            break;
        }
    }
    found
}

/// Words of a description that are looked for in one question, and questions of a description at most.
const TOGETHER: usize = 4;
const QUESTIONS: usize = 12;

/// By which words the hub is searched for what suits a card, each with what its answers weigh: the title, and the words of the
/// description a few at a time, because nothing holds all of them.
pub fn questions(title: &str, category: &str, description: &str) -> Vec<(String, f64)> {
    let first = format!("{} {}", title.trim(), category.trim());
    let mut seen: BTreeSet<String> = first.split_whitespace().map(str::to_lowercase).collect();
    let words: Vec<&str> = description
        .split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.'))
        .map(|word| word.trim_matches(['-', '.', '_']))
        .filter(|word| word.chars().count() > 2 && seen.insert(word.to_lowercase()))
        .take(TOGETHER * QUESTIONS)
        .collect();
    let pieces = words.chunks(TOGETHER).map(|piece| (piece.join(" "), 1.0));
    let title = Some((first.trim().to_owned(), 2.0)).filter(|(words, _)| !words.is_empty());
    title.into_iter().chain(pieces).collect()
}
