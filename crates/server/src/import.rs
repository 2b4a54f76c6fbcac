//! What other programs kept of a team's work, brought in on the command line: for operators, also beside a running server.

mod folder;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use guildhall_git::Source;
use guildhall_llm::Client;
use guildhall_store::{Store, StoreError};
use guildhall_team::automaker::{Automaker, Became, Told, in_order};
use guildhall_team::vault::Vault;
use guildhall_team::{Places, Team, TeamError, TeamProviders};
use guildhall_types::audit::Actor;
use guildhall_types::knowledge::KnowledgeKind;
use guildhall_types::member::{Member, MemberRole};
use guildhall_types::project::{Project, ProjectSource};
use guildhall_types::{Clock, ProjectId};

use crate::config::Config;
use crate::database;
use folder::Folder;

/// Members, or projects, of which the database is asked at once.
const PAGE: i64 = 100;

/// What to bring in.
#[derive(Debug, clap::Subcommand)]
pub enum ImportCommand {
    /// Bring in what Automaker kept of a project in its folder `.automaker`: cards with their files, context, memory, pipeline.
    /// What came in before stays as it is. Exits with 1 when something stayed out.
    Automaker {
        /// The project's folder, its `.automaker`, or a folder with several projects in it.
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Bring it into this project, which is here already. Without it the folder itself is added as one, cloned from there.
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
        /// Whose it all is from then on, by e-mail address. It may be left out where the team has one owner.
        #[arg(long, value_name = "EMAIL")]
        member: Option<String>,
        /// Only say what would come in, and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Does it. Returns whether nothing stayed out.
///
/// # Errors
/// When there is no such database, member or folder, the database is gone, or `out` cannot be written.
pub async fn run(
    command: ImportCommand,
    config: &Config,
    clock: Arc<dyn Clock>,
    out: &mut (impl Write + Send),
) -> anyhow::Result<bool> {
    let ImportCommand::Automaker { path, project, member, dry_run } = command;
    let store = database::existing(config, Arc::clone(&clock)).await?;
    let (found, wanted) = store.schema_version().await?;
    if found != Some(wanted) {
        bail!("the database is not at this version's schema; run `guildhall migrate` first");
    }
    let member = whose(&store, member.as_deref()).await?;
    let folders = Folder::find(&path)?;
    if project.is_some() && folders.len() > 1 {
        bail!("there are {} projects in {}; name the folder of one with --project", folders.len(), path.display());
    }
    let program = Actor {
        member: Some(member.id),
        user_agent: Some("guildhall import automaker".to_owned()),
        ..Actor::default()
    };
    let vault = Vault::open_files(config.key_files())?;
    let places = Places::below(&config.data_dir, config.allowed_repo_paths.clone());
    let acting = store.acting_as(program);
    let team = Team::new(acting, clock, vault, places, Client::new()?, TeamProviders::default());
    team.shared.look().await?;
    let mut whole = true;
    for folder in &folders {
        let shown = plain(&folder.root.display().to_string());
        let failed = match bring(&team, &member, folder, project.as_deref(), dry_run).await {
            Ok(Ok(Brought { name, told, failed })) => {
                tell(&name, folder, &told, dry_run, out)?;
                whole &= told.iter().all(|told| told.became != Became::Out);
                failed
            }
            Ok(Err(why)) => {
                writeln!(out, "{shown} stays out: {}", plain(&why))?;
                whole = false;
                None
            }
            Err(error) => Some(error),
        };
        if let Some(error) = failed {
            let error = plain(&format!("{error:#}"));
            writeln!(out, "{shown} was not gone through to the end: {error}. Mend that, and run it again.")?;
            whole = false;
            // Without a database the others fail as well.
            store.ping().await.context("the database is gone, and what is not told of was not tried")?;
        }
    }
    store.close().await;
    Ok(whole)
}

/// Text of others, without what a terminal would take for an order.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The member who is named, or the only owner.
async fn whose(store: &Store, email: Option<&str>) -> anyhow::Result<Member> {
    let Some(email) = email else {
        let (mut owners, mut after) = (Vec::new(), None);
        loop {
            let page = store.members(after, PAGE).await?;
            after = page.last().map(|member| member.id);
            let whole = (page.len() as i64) < PAGE;
            owners.extend(page.into_iter().filter(|one| one.role == MemberRole::Owner && one.disabled_at.is_none()));
            if whole {
                break;
            }
        }
        return match owners.len() {
            1 => owners.pop().context("the team has no owner"),
            0 => bail!("the team has no owner yet; sign up in the page first, or use `guildhall member first`"),
            _ => bail!("the team has more than one owner; say with --member whose it is to be"),
        };
    };
    let email = email.trim().to_lowercase();
    match store.member_by_email(&email).await? {
        None => bail!("no member has the e-mail address {}", plain(&email)),
        Some((member, _)) if member.disabled_at.is_some() => bail!("{email} is disabled; name a member who is not"),
        Some((member, _)) => Ok(member),
    }
}

/// Why something cannot be done, in a sentence, when that is no fault of the server's; else the fault.
fn refusal(error: TeamError) -> anyhow::Result<String> {
    match error {
        TeamError::Invalid { .. } | TeamError::Conflict { .. } | TeamError::NotYours { .. } | TeamError::Git(_) => {
            Ok(error.to_string())
        }
        TeamError::Store(StoreError::Taken { .. }) => Ok(error.to_string()),
        other => Err(other.into()),
    }
}

/// What became of one project.
struct Brought {
    name: String,
    told: Vec<Told>,
    /// Why it was not gone through to the end.
    failed: Option<anyhow::Error>,
}

/// Brings in one project, or says why it stays out.
async fn bring(
    team: &Team,
    member: &Member,
    folder: &Folder,
    name: Option<&str>,
    dry_run: bool,
) -> anyhow::Result<Result<Brought, String>> {
    let project = match target(team, member, folder, name, dry_run).await? {
        Ok(project) => project,
        Err(why) => return Ok(Err(why)),
    };
    let mut import = match team.import_automaker(member, project, &folder.name, dry_run).await {
        Ok(import) => import,
        Err(error) => return refusal(error).map(Err),
    };
    if project.is_none() {
        let words = "would be added as a project; what its repository has of the branches is not known before that";
        import.tell(Became::In, &folder.name, words);
    }
    let mut done = cards(&mut import, folder).await;
    if done.is_ok() {
        done = beside(&mut import, folder).await;
    }
    let name = name.unwrap_or(&folder.name).to_owned();
    Ok(Ok(Brought { name, told: import.report(), failed: done.err() }))
}

/// The project that a folder goes into, which is made if it is not there; none where that is only looked at.
async fn target(
    team: &Team,
    member: &Member,
    folder: &Folder,
    name: Option<&str>,
    dry_run: bool,
) -> anyhow::Result<Result<Option<ProjectId>, String>> {
    let projects = projects(team).await?;
    let called = |name: &str| projects.iter().find(|project| project.name.to_lowercase() == name.to_lowercase());
    if let Some(name) = name {
        let missing = || format!("there is no project called “{name}”; without --project the folder is added as one");
        return Ok(called(name).map(|project| Some(project.id)).ok_or_else(missing));
    }
    if let Some(project) = projects.iter().find(|project| comes_from(project, &folder.root)) {
        return Ok(Ok(Some(project.id)));
    }
    if called(&folder.name).is_some() {
        let name = &folder.name;
        return Ok(Err(format!(
            "a project called “{name}” is here, and not from this folder; choose one with --project"
        )));
    }
    let Some(url) = folder.root.to_str().filter(|_| folder.root.join(".git").exists()) else {
        return Ok(Err("it is no git repository; add a project in the page, and name that with --project".to_owned()));
    };
    if let Err(error) = team.places.source(url) {
        let why = refusal(error)?;
        return Ok(Err(format!(
            "{why}. Allow it with GUILDHALL_ALLOWED_REPO_PATHS={url}, or add the project from its remote in the page and name that with --project"
        )));
    }
    if dry_run {
        return Ok(Ok(None));
    }
    match team.create_project_from_folder(member, &folder.name, url).await {
        Ok(made) => Ok(Ok(Some(made.id))),
        Err(error) => Ok(Err(format!("it could not be added as a project: {}", refusal(error)?))),
    }
}

async fn projects(team: &Team) -> anyhow::Result<Vec<Project>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = team.store.projects(after, PAGE).await?;
        after = page.last().map(|summary| summary.project.id);
        let whole = (page.len() as i64) < PAGE;
        all.extend(page.into_iter().map(|summary| summary.project));
        if whole {
            return Ok(all);
        }
    }
}

/// Whether a project was cloned from this folder.
fn comes_from(project: &Project, folder: &Path) -> bool {
    let ProjectSource::Clone { url } = &project.source else { return false };
    match Source::parse(url) {
        Ok((Source::Folder(path), _)) => path.canonicalize().is_ok_and(|path| path == folder),
        _ => false,
    }
}

async fn cards(import: &mut Automaker, folder: &Folder) -> anyhow::Result<()> {
    let (read, odd) = folder.cards();
    odd.into_iter().for_each(|(of, why)| import.tell(Became::Out, &of, why));
    for (name, old) in in_order(read) {
        let of = format!("features/{name}/feature.json");
        let (files, odd) = folder.files_of(&name, &old);
        odd.into_iter().for_each(|(of, became, why)| import.tell(became, &of, why));
        import.card(&of, old, files).await?;
    }
    Ok(())
}

/// What stands beside the cards.
async fn beside(import: &mut Automaker, folder: &Folder) -> anyhow::Result<()> {
    for name in folder.names(import, "") {
        match name.as_str() {
            "features" => {}
            "context" => {
                let mut files = Vec::new();
                for (of, file) in markdown(import, folder, "context") {
                    if let Some(bytes) = read(import, folder, &of) {
                        files.push((file, bytes));
                    }
                }
                import.context("context", files).await?;
            }
            "memory" => {
                for (of, _) in markdown(import, folder, "memory") {
                    if let Some(bytes) = read(import, folder, &of) {
                        import.memory(&of, &bytes).await?;
                    }
                }
            }
            "team" => team_data(import, folder).await?,
            "app_spec.txt" | "pipeline.json" | "categories.json" => {
                let Some(bytes) = read(import, folder, &name) else { continue };
                match name.as_str() {
                    "app_spec.txt" => import.app_spec(&name, &bytes).await?,
                    "pipeline.json" => import.pipeline(&name, &bytes).await?,
                    _ => import.categories(&name, &bytes),
                }
            }
            _ => import.tell(Became::Aside, &name, "it has no counterpart here and was not read"),
        }
    }
    Ok(())
}

/// What the former team knew. Its agents and systems are made anew.
async fn team_data(import: &mut Automaker, folder: &Folder) -> anyhow::Result<()> {
    for name in folder.names(import, "team") {
        if name != "knowledge" {
            import.tell(
                Became::Aside,
                &format!("team/{name}"),
                "it was not read: make agents and systems anew in the page",
            );
            continue;
        }
        for kinds in folder.names(import, "team/knowledge") {
            let under = format!("team/knowledge/{kinds}");
            let Some(kind) = KnowledgeKind::of_plural(&kinds) else {
                import.tell(Became::Aside, &under, "it is no kind of knowledge");
                continue;
            };
            for id in folder.names(import, &under) {
                let of = format!("{under}/{id}/{kind}.json");
                if let Some(bytes) = read(import, folder, &of) {
                    import.team_item(&of, kind, &bytes).await?;
                }
            }
        }
    }
    Ok(())
}

/// The Markdown files in a folder, by their way and their name; others are told.
fn markdown(import: &mut Automaker, folder: &Folder, under: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for name in folder.names(import, under) {
        let of = format!("{under}/{name}");
        match name.ends_with(".md") {
            true => files.push((of, name)),
            false => import.tell(Became::Aside, &of, "its name does not end in .md"),
        }
    }
    files
}

/// A file's bytes; why there are none is told.
fn read(import: &mut Automaker, folder: &Folder, of: &str) -> Option<Vec<u8>> {
    folder.read(of, folder::TEXT).map_err(|why| import.tell(Became::Out, of, why)).ok()
}

fn tell(name: &str, folder: &Folder, told: &[Told], dry_run: bool, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{}, from {}:", plain(name), plain(&folder.root.display().to_string()))?;
    for Told { became, of, words } in told {
        let what = match became {
            Became::In if dry_run => "would come in",
            Became::In => "came in",
            Became::Changed if dry_run => "would change",
            Became::Changed => "changed",
            Became::Before => "here before",
            Became::Out => "stays out",
            Became::Aside => "left aside",
        };
        writeln!(out, "  {what}: {}: {}", plain(of), plain(words))?;
    }
    let count = |what: Became| told.iter().filter(|told| told.became == what).count();
    let (came, would) = (count(Became::In), if dry_run { "would come" } else { "came" });
    writeln!(
        out,
        "{came} {would} in, with {} changes; {} were here before, {} stay out, {} were left aside.",
        count(Became::Changed),
        count(Became::Before),
        count(Became::Out),
        count(Became::Aside)
    )?;
    if dry_run {
        writeln!(out, "Nothing was written.")?;
    }
    Ok(())
}
