//! The knowledge hub on the command line: bringing files in and giving them out, and searching. For operators, also beside a
//! running server.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use guildhall_llm::Client;
use guildhall_store::{KnowledgeFilter, Store};
use guildhall_team::vault::Vault;
use guildhall_team::{IMPORT_FILES, ImportReport, ImportWay, Places, Team, TeamError, TeamProviders, UnrelatedFile};
use guildhall_types::audit::Actor;
use guildhall_types::knowledge::{Author, KnowledgeHit, KnowledgeKind, KnowledgeRef, Via};
use guildhall_types::rights::MemberRight;
use guildhall_types::{Clock, KnowledgeId};

use crate::config::Config;
use crate::database;

/// Bytes of an archive, or of all files of a folder, at most: as much as the API takes.
const ARCHIVE: u64 = 32 << 20;

/// Which items.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Which {
    /// Only of this kind: blueprint, entry or learning.
    #[arg(long)]
    pub kind: Option<String>,
    /// Only with this tag; may be given more than once.
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
}

/// What to do with the hub.
#[derive(Debug, clap::Subcommand)]
pub enum KnowledgeCommand {
    /// Bring Markdown files with a front matter into the hub: all of a folder, one file, or an archive of them. An item whose
    /// id is in a file gets that file's text. If one of the files is faulty, none comes in.
    Import {
        /// A folder, a file that ends in .md, or an archive that ends in .tar.
        #[arg(value_name = "FOLDER|FILE.md|FILE.tar")]
        from: PathBuf,
        /// The member who brings them in, by e-mail address. The audit tells so.
        #[arg(long = "as", value_name = "EMAIL")]
        member: String,
        /// Bring in what the hub holds much the same of, too.
        #[arg(long)]
        anyway: bool,
        /// Only say what would come in, and check it all.
        #[arg(long)]
        dry_run: bool,
    },
    /// Give the hub out as Markdown files: into a folder, or as an archive (tar) to standard output.
    Export {
        /// A folder, which is made if it is not there, or `-` for an archive on standard output. Files of the same names are
        /// written anew; others in the folder stay.
        #[arg(value_name = "FOLDER|-")]
        to: PathBuf,
        /// Which items.
        #[command(flatten)]
        which: Which,
    },
    /// Search the hub as members do: words may be misspelt.
    Search {
        /// What to look for.
        #[arg(required = true)]
        words: Vec<String>,
        /// Which items.
        #[command(flatten)]
        which: Which,
        /// How many at most, from 1 to 50.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=50))]
        limit: u8,
        /// Where the page before ended, as it said.
        #[arg(long, value_name = "NEXT")]
        after: Option<String>,
        /// Say each as a JSON object on a line of its own.
        #[arg(long)]
        json: bool,
    },
}

/// Does it. Returns whether all came in, or anything was found.
///
/// # Errors
/// When there is no such database or member, the member may not write, a file cannot be read or may not come in, or `out`
/// cannot be written.
pub async fn run(
    command: KnowledgeCommand,
    config: &Config,
    clock: Arc<dyn Clock>,
    out: &mut (impl Write + Send),
) -> anyhow::Result<bool> {
    let store = database::existing(config, Arc::clone(&clock)).await?;
    let (found, wanted) = store.schema_version().await?;
    if found != Some(wanted) {
        bail!("the database is not at this version's schema; run `guildhall migrate` first");
    }
    let done = match command {
        KnowledgeCommand::Import { from, member, anyway, dry_run } => {
            import(&store, config, clock, &from, &member, ImportWay { anyway, dry_run }, out).await
        }
        KnowledgeCommand::Export { to, which } => {
            let team = team(store.clone(), config, clock)?;
            export(&team, &to, &which, out).await
        }
        KnowledgeCommand::Search { words, which, limit, after, json } => {
            let team = team(store.clone(), config, clock)?;
            let filter = KnowledgeFilter { standing: true, ..filter(&which)? };
            let page = team.search_page(&words.join(" "), &filter, after.as_deref(), usize::from(limit)).await?;
            for hit in &page.items {
                match json {
                    true => writeln!(out, "{}", serde_json::to_string(hit)?)?,
                    false => tell_hit(hit, out)?,
                }
            }
            match (&page.next, json, page.items.is_empty()) {
                (Some(next), false, _) => writeln!(out, "There is more: --after {next}")?,
                (_, false, true) => writeln!(out, "Nothing was found.")?,
                _ => {}
            }
            Ok(!page.items.is_empty())
        }
    };
    store.close().await;
    done
}

/// The team's rules, without a server: nothing is mailed, and no provider is called.
fn team(store: Store, config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Team> {
    let vault = Vault::open_files(config.key_files())?;
    let places = Places::below(&config.data_dir, Vec::new());
    Ok(Team::new(store, clock, vault, places, Client::new()?, TeamProviders::default()))
}

fn filter(which: &Which) -> anyhow::Result<KnowledgeFilter> {
    let kind = which.kind.as_deref().map(str::parse::<KnowledgeKind>).transpose();
    let kind = kind.map_err(|_| anyhow::anyhow!("--kind is blueprint, entry or learning"))?;
    Ok(KnowledgeFilter { kind, tags: which.tag.clone(), ..KnowledgeFilter::default() })
}

/// Text of others, without what a terminal would take for an order.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

async fn import(
    store: &Store,
    config: &Config,
    clock: Arc<dyn Clock>,
    from: &Path,
    email: &str,
    way: ImportWay,
    out: &mut (impl Write + Send),
) -> anyhow::Result<bool> {
    let email = email.trim().to_lowercase();
    let Some((member, _)) = store.member_by_email(&email).await? else {
        bail!("no member has the e-mail address {}", plain(&email));
    };
    if member.disabled_at.is_some() {
        bail!("{email} is disabled; name a member who is not");
    }
    if !member.role.may(MemberRight::Knowledge) {
        bail!("{email} is a {}, who may read the hub but not write in it; name another member", member.role);
    }
    let program = Actor {
        member: Some(member.id),
        user_agent: Some("guildhall knowledge import".to_owned()),
        ..Actor::default()
    };
    let team = team(store.acting_as(program), config, clock)?;
    // Whoever sits at the machine acts for the member as the page would.
    let author = Author { member: member.id, may_manage: member.role.may(MemberRight::Administer), via: Via::Page };
    let done = match brought(from)? {
        Brought::Archive(bytes) => team.import_archive(&author, &bytes, way).await,
        Brought::Files(files) => team.import_knowledge(&author, files, way).await,
    };
    let report = done.map_err(|error| match error {
        TeamError::FaultyFiles(files) => {
            let told: Vec<String> =
                files.iter().map(|one| format!("  {}: {}", plain(&one.file), plain(&one.why))).collect();
            anyhow::anyhow!("nothing was written; mend these files or leave them out:\n{}", told.join("\n"))
        }
        other => anyhow::anyhow!("nothing was written: {}", plain(&other.to_string())),
    })?;
    tell_import(&report, way, out)?;
    Ok(report.skipped.is_empty() && report.failed.is_empty() && report.unrelated.is_empty())
}

/// What is to come in.
enum Brought {
    Archive(Vec<u8>),
    Files(Vec<(String, Vec<u8>)>),
}

fn ends_in(path: &Path, kind: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(kind))
}

fn brought(from: &Path) -> anyhow::Result<Brought> {
    let shown = from.display();
    let about = fs::metadata(from).with_context(|| format!("{shown} cannot be read"))?;
    if about.is_dir() {
        let mut files = Vec::new();
        let mut left = ARCHIVE;
        gather(from, "", &mut files, &mut left)?;
        if files.is_empty() {
            bail!("there is no file in {shown} that ends in .md");
        }
        return Ok(Brought::Files(files));
    }
    match (ends_in(from, "md"), ends_in(from, "tar")) {
        (true, _) => {
            let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Brought::Files(vec![(name, taken(from, ARCHIVE)?)]))
        }
        (_, true) => Ok(Brought::Archive(taken(from, ARCHIVE)?)),
        _ => bail!("{shown} is neither a folder, nor a Markdown file (.md), nor an archive without compression (.tar)"),
    }
}

/// A file's bytes, if there are no more than `most`.
fn taken(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let file = fs::File::open(path).with_context(|| format!("{shown} cannot be read"))?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).with_context(|| format!("{shown} cannot be read"))?;
    match bytes.len() as u64 > most {
        true => bail!("{shown} is too large: at most {} MiB come in at once", ARCHIVE >> 20),
        false => Ok(bytes),
    }
}

/// The Markdown files below a folder, named by their way from it, in the order of their names. Symbolic links and what is
/// hidden are passed over, such as `.git`.
fn gather(folder: &Path, way: &str, files: &mut Vec<(String, Vec<u8>)>, left: &mut u64) -> anyhow::Result<()> {
    let unread = || format!("{} cannot be read", folder.display());
    let mut entries = fs::read_dir(folder).with_context(unread)?.collect::<Result<Vec<_>, _>>().with_context(unread)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{way}{name}");
        let kind = entry.file_type().with_context(unread)?;
        if kind.is_dir() {
            gather(&path, &format!("{name}/"), files, left)?;
        } else if kind.is_file() && ends_in(&path, "md") {
            if files.len() == IMPORT_FILES {
                bail!("there are more than {IMPORT_FILES} Markdown files; import them in parts");
            }
            let bytes = taken(&path, *left)?;
            *left -= bytes.len() as u64;
            files.push((name, bytes));
        }
    }
    Ok(())
}

fn tell_import(report: &ImportReport, way: ImportWay, out: &mut impl Write) -> anyhow::Result<()> {
    let would = if way.dry_run { "would be " } else { "" };
    for (what, items) in [("written", &report.created), ("changed", &report.updated)] {
        for KnowledgeRef { kind, title, .. } in items {
            writeln!(out, "{would}{what}: {kind} {}", plain(title))?;
        }
    }
    for skipped in &report.skipped {
        let like: Vec<String> =
            skipped.similar.iter().map(|item| format!("{} {}", item.kind, plain(&item.title))).collect();
        writeln!(
            out,
            "passed over: {}, since the hub says much the same in: {}",
            plain(&skipped.file),
            like.join("; ")
        )?;
    }
    for failed in &report.failed {
        writeln!(out, "not changed: {}, since {}", plain(&failed.file), failed.why)?;
    }
    for file in &report.ignored {
        writeln!(out, "left out: {}, since its name does not end in .md", plain(file))?;
    }
    for UnrelatedFile { file, related } in &report.unrelated {
        let related: Vec<String> = related.iter().map(ToString::to_string).collect();
        writeln!(
            out,
            "without some of what is related: {}, since the hub does not hold {}",
            plain(file),
            related.join(", ")
        )?;
    }
    let (new, changed) = (report.created.len(), report.updated.len());
    let (same, skipped) = (report.unchanged.len(), report.skipped.len());
    let done = if way.dry_run { "Nothing was written; of these files" } else { "Of these files" };
    writeln!(
        out,
        "{done} {new} {would}written, {changed} {would}changed, {same} say what the hub says already, {skipped} {would}passed over."
    )?;
    if skipped > 0 {
        writeln!(out, "Look at what was passed over; `--anyway` brings it in all the same.")?;
    }
    if !report.unrelated.is_empty() {
        writeln!(out, "Bring in what is related, and then these files again.")?;
    }
    Ok(())
}

/// Files that an export wrote before, by the folder and the end of their names, which is the item's id: an item that was renamed
/// since then has another name, and two files of one item cannot come in again.
#[derive(Default)]
struct Former(HashMap<PathBuf, HashMap<String, Vec<PathBuf>>>);

impl Former {
    /// Those of the item that was just written to `path`.
    fn of(&mut self, path: &Path) -> std::io::Result<Vec<PathBuf>> {
        let (Some(folder), Some(id)) = (path.parent(), id_in(path)) else { return Ok(Vec::new()) };
        if !self.0.contains_key(folder) {
            let mut here: HashMap<String, Vec<PathBuf>> = HashMap::new();
            for entry in fs::read_dir(folder)? {
                let other = entry?.path();
                if let Some(id) = id_in(&other) {
                    here.entry(id).or_default().push(other);
                }
            }
            self.0.insert(folder.to_owned(), here);
        }
        let of = self.0.get_mut(folder).and_then(|here| here.remove(&id)).unwrap_or_default();
        Ok(of.into_iter().filter(|other| other != path).collect())
    }
}

/// The id at the end of the name of a file that an export writes.
fn id_in(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".md")?;
    let id = name.get(name.len().checked_sub(36)?..)?;
    id.parse::<KnowledgeId>().is_ok().then(|| id.to_owned())
}

async fn export(team: &Team, to: &Path, which: &Which, out: &mut (impl Write + Send)) -> anyhow::Result<bool> {
    let filter = filter(which)?;
    let mut after = None;
    if to == Path::new("-") {
        loop {
            let (bytes, next) = team.knowledge_archive(&filter, after).await?;
            out.write_all(&bytes)?;
            after = next;
            if after.is_none() {
                out.flush()?;
                return Ok(true);
            }
        }
    }
    let mut written = 0_u64;
    let mut former = Former::default();
    loop {
        let (files, next) = team.knowledge_files(&filter, after).await?;
        for (name, text, _) in files {
            // The name is ours: a folder for the kind, and plain letters.
            let path = to.join(name);
            let unwritten = || format!("{} cannot be written", path.display());
            fs::create_dir_all(path.parent().unwrap_or(to)).with_context(unwritten)?;
            fs::write(&path, text).with_context(unwritten)?;
            for former in former.of(&path).with_context(unwritten)? {
                fs::remove_file(&former).with_context(|| format!("{} cannot be removed", former.display()))?;
            }
            written += 1;
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    writeln!(out, "Wrote {written} files below {}.", to.display())?;
    Ok(true)
}

fn tell_hit(hit: &KnowledgeHit, out: &mut impl Write) -> anyhow::Result<()> {
    let KnowledgeHit { id, kind, title, description, snippet, tags, review, score, .. } = hit;
    let tags = if tags.is_empty() { String::new() } else { format!("  [{}]", tags.join(", ")) };
    let standing = if *kind == KnowledgeKind::Learning { format!(", {review}") } else { String::new() };
    writeln!(out, "{}  ({kind}{standing}){}", plain(title), plain(&tags))?;
    let said = if snippet.marks.is_empty() && !description.is_empty() { description } else { &snippet.text };
    if !said.is_empty() {
        writeln!(out, "    {}", plain(said))?;
    }
    writeln!(out, "    {id}  {score:.2}")?;
    Ok(())
}
