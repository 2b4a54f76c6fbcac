//! Projects: adding them, and making their repositories.

use guildhall_git::{Identity, Login, NewFile, Repo, Source};
use guildhall_store::{NewProject, ProjectPatch, project_source_identity};
use guildhall_types::change::Change;
use guildhall_types::guide;
use guildhall_types::member::Member;
use guildhall_types::pipeline::{self, PipelineStep};
use guildhall_types::project::{
    CACHE_GIB, CHECK_MINUTES, Project, ProjectSettings, ProjectSource, ProjectStatus, REPAIRS, SET_UP_MINUTES,
};
use guildhall_types::trace::{Key, Side, Span};
use guildhall_types::{MemberId, ProjectId};

use crate::shared::Turn;
use crate::{Team, TeamError, changed, network, remotes};

/// Clones that a node makes at once: each may take long, and much of the network and the disk. More wait, and one place is never
/// the same member's as all others.
pub(crate) const CLONES: usize = 3;
/// How often a node that has not the folder of which a repository is to be made looks whether another one makes it. Then it tries, and says
/// what is wrong.
const FOLDER_LOOKS: u32 = 40;
/// Checks that a project may have at most.
const CHECKS: usize = 20;
/// Characters that its instructions may have at most.
pub(crate) const INSTRUCTIONS: usize = 20_000;

impl Team {
    /// Adds a project. Its repository is made by [`Team::prepare_project`], which the caller starts. What the address says of who
    /// is let in is sealed until then.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad name or source; the store's error when the name is in use, or when so many of the member's
    /// repositories are still being made.
    pub async fn create_project(
        &self,
        member: &Member,
        name: &str,
        source: ProjectSource,
    ) -> Result<Project, TeamError> {
        let name = plain_name(name)?;
        let (source, login) = match source {
            ProjectSource::Clone { url } => {
                let (found, login) = self.places.source(&url)?;
                let url = if let Source::Remote(address) = found { address } else { url };
                remotes::holds_no_secret("source.url", &url)?;
                (ProjectSource::Clone { url }, login)
            }
            other => (other, None),
        };
        let settings = match source {
            ProjectSource::Sample => crate::sample::settings(),
            _ => ProjectSettings::default(),
        };
        let new = NewProject { name, source, settings, created_by: member.id };
        let Some(login) = login else { return Ok(self.store.create_project(new).await?) };
        let id = ProjectId::new();
        self.sealing(&project_source_identity(id), login.as_str().as_bytes(), |sealed| {
            let (store, new) = (self.store.clone(), new.clone());
            async move { store.create_project_as(id, new, Some(&sealed)).await }
        })
        .await
    }

    /// Adds a project from a folder on this machine, whose repository is made first: so a server that hears of the project finds it
    /// whole, and need not be allowed to read the folder. For whoever works beside one.
    ///
    /// # Errors
    /// As for [`Team::create_project`]; git's when the folder cannot be cloned. Then there is no project.
    pub async fn create_project_from_folder(
        &self,
        member: &Member,
        name: &str,
        folder: &str,
    ) -> Result<Project, TeamError> {
        let name = plain_name(name)?;
        let (source @ Source::Folder(_), _) = self.places.source(folder)? else {
            return Err(TeamError::invalid("source.url", "give the whole path of a folder"));
        };
        let id = ProjectId::new();
        let path = self.places.repository(id);
        Repo::clone_from(&path, &source, None, &self.identity(member.id).await?).await?;
        let source = ProjectSource::Clone { url: folder.to_owned() };
        let new = NewProject { name, source, settings: ProjectSettings::default(), created_by: member.id };
        if let Err(error) = self.store.create_project_as(id, new, None).await {
            if let Err(error) = tokio::fs::remove_dir_all(&path).await {
                tracing::warn!(%error, path = %path.display(), "a repository without a project could not be removed");
            }
            return Err(error.into());
        }
        self.prepare_project(id).await
    }

    /// Makes a project's repository, and notes that it is ready, or why it is not. May be called again after a failure or
    /// a restart.
    ///
    /// # Errors
    /// When the store fails, or the project is gone.
    pub async fn prepare_project(&self, id: ProjectId) -> Result<Project, TeamError> {
        let mut project = self.store.project(id).await?.ok_or(TeamError::NotFound { what: "project" })?;
        let author = self.identity(project.created_by).await?;
        if self.shared.is_on() {
            // Every node hears of it, and one makes it: of a folder, one that has it, if any does.
            for looks in 0_u32.. {
                let can = looks >= FOLDER_LOOKS || self.can_make(&project);
                match Box::pin(self.shared.turn_to_make(id, can)).await? {
                    Turn::There(repo) => {
                        return Ok(self.store.project_ready(id, &repo.default_branch().await?).await?);
                    }
                    Turn::Ours => break,
                    Turn::Others => {}
                }
                project = self.store.project(id).await?.ok_or(TeamError::NotFound { what: "project" })?;
                if project.status != ProjectStatus::Preparing {
                    return Ok(project);
                }
            }
        }
        let span = Span::begin(Side::Internal, "job repository", "");
        span.set(Key::Project, id);
        let making = async {
            match self.shared.is_on() {
                true => Box::pin(self.shared.made(id, self.make_repository(&project, &author))).await,
                false => Box::pin(self.make_repository(&project, &author)).await,
            }
        };
        let made = span.around(making).await;
        if made.is_err() {
            span.failed("not-made");
        }
        drop(span);
        match made {
            Ok(repo) => Ok(self.store.project_ready(id, &repo.default_branch().await?).await?),
            Err(error) => {
                tracing::warn!(project = %id, error = &error as &dyn std::error::Error, "a repository could not be made");
                let failed = self.store.project_failed(id, &error.to_string()).await?;
                if self.shared.is_on() {
                    self.shared.leave(id).await?;
                }
                Ok(failed)
            }
        }
    }

    /// Whether this node finds what a project's repository is to be made of, as far as that can be told.
    fn can_make(&self, project: &Project) -> bool {
        match &project.source {
            ProjectSource::Clone { url } if url.starts_with('/') || url.starts_with("file:") => {
                Repo::open(&self.places.repository(project.id)).is_ok() || self.places.source(url).is_ok()
            }
            _ => true,
        }
    }

    async fn make_repository(&self, project: &Project, author: &Identity) -> Result<Repo, TeamError> {
        let path = self.places.repository(project.id);
        // A repository appears at its path only when it is whole: one that is there was made before a restart.
        let repo = match Repo::open(&path) {
            Ok(repo) => repo,
            Err(_) => match &project.source {
                ProjectSource::Clone { url } => {
                    let (source, _) = self.places.source(url)?;
                    let source = self.places.reached(source).await?;
                    let _turn = self.clones.of(project.created_by).await;
                    Repo::clone_from(&path, &source, self.login_of(project.id).await?.as_ref(), author).await?
                }
                ProjectSource::Empty => {
                    let readme = NewFile {
                        path: "README.md".to_owned(),
                        bytes: format!("# {}\n", project.name).into_bytes(),
                        executable: false,
                    };
                    Repo::create(&path, "main", author, "Begin", &[readme]).await?
                }
                ProjectSource::Sample => {
                    Repo::create(&path, "main", author, "Begin a to-do list", &crate::sample::files()).await?
                }
            },
        };
        Ok(repo)
    }

    /// What lets a project's clone in, if its address said so.
    async fn login_of(&self, id: ProjectId) -> Result<Option<Login>, TeamError> {
        let identity = project_source_identity(id);
        let Some(sealed) = self.store.secret(&identity).await? else { return Ok(None) };
        let text = self.vault.open(&identity, &sealed)?;
        let text = std::str::from_utf8(&text).map_err(|_| crate::vault::VaultError::Broken)?;
        Ok(Some(Login::new(text)?))
    }

    /// Starts over with a repository that could not be made; the caller starts [`Team::prepare_project`].
    ///
    /// # Errors
    /// [`TeamError::Conflict`] when it did not fail.
    pub async fn retry_project(&self, id: ProjectId) -> Result<Project, TeamError> {
        let project = self.store.project(id).await?.ok_or(TeamError::NotFound { what: "project" })?;
        if project.status != ProjectStatus::Failed {
            return Err(TeamError::conflict("not-failed", "this project's repository did not fail"));
        }
        Ok(self.store.project_preparing(id).await?)
    }

    /// Changes a project on behalf of somebody who does not run the team.
    ///
    /// # Errors
    /// As [`Team::change_project`].
    pub async fn update_project(&self, id: ProjectId, patch: ProjectPatch) -> Result<Project, TeamError> {
        self.change_project(id, patch, false).await
    }

    /// Changes a project; `admin` says whether it is on behalf of somebody who runs the team.
    ///
    /// # Errors
    /// [`TeamError::Invalid`]; [`TeamError::NotYours`] for what only admins do; the store's error when the name is in use or
    /// the project is gone.
    pub async fn change_project(&self, id: ProjectId, patch: ProjectPatch, admin: bool) -> Result<Project, TeamError> {
        let name = patch.name.as_deref().map(plain_name).transpose()?;
        let settings = patch.settings.map(checked).transpose()?;
        self.store.update_project(id, ProjectPatch { name, settings }, admin).await?.ok_or_else(network::not_open)
    }

    /// The same with those of its settings that are to become others, so that what somebody else changes meanwhile stays.
    ///
    /// # Errors
    /// As [`Team::change_project`].
    pub async fn change_project_in_part(
        &self,
        id: ProjectId,
        name: Option<&str>,
        settings: Option<&Change<ProjectSettings>>,
        admin: bool,
    ) -> Result<Project, TeamError> {
        let name = name.map(plain_name).transpose()?;
        let change = |before: &ProjectSettings| settings.map(|part| checked(changed(part, before)?)).transpose();
        self.store.change_project(id, name, admin, change).await?.ok_or_else(network::not_open)
    }

    /// A project whose repository is there, and the repository.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Conflict`] while it is not ready.
    pub async fn ready_project(&self, id: ProjectId) -> Result<(Project, Repo), TeamError> {
        let project = self.store.project(id).await?.ok_or(TeamError::NotFound { what: "project" })?;
        match project.status {
            ProjectStatus::Ready => {
                let repo = self.shared.caught_up(id).await?;
                Ok((project, repo))
            }
            ProjectStatus::Preparing => Err(TeamError::conflict(
                "project-not-ready",
                "the project's repository is still being made; wait a moment",
            )),
            ProjectStatus::Failed => Err(TeamError::conflict(
                "project-not-ready",
                "the project's repository could not be made; see the project's page and try again",
            )),
        }
    }

    /// A member as the author of a commit.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] when there is no such member.
    pub async fn identity(&self, member: MemberId) -> Result<Identity, TeamError> {
        let member = self.store.member(member).await?.ok_or(TeamError::NotFound { what: "member" })?;
        Ok(Identity { name: member.name, email: member.email })
    }
}

/// A project's settings as they are kept.
///
/// # Errors
/// [`TeamError::Invalid`] for what cannot be.
pub(crate) fn checked(mut settings: ProjectSettings) -> Result<ProjectSettings, TeamError> {
    settings.verify_commands = commands(std::mem::take(&mut settings.verify_commands))?;
    if !(1..=CHECK_MINUTES).contains(&settings.check_minutes) {
        return Err(TeamError::invalid("settings.checkMinutes", "give a number from 1 to 240"));
    }
    settings.set_up = commands(std::mem::take(&mut settings.set_up))?;
    if !(1..=SET_UP_MINUTES).contains(&settings.set_up_minutes) {
        return Err(TeamError::invalid("settings.setUpMinutes", "give a number from 1 to 240"));
    }
    if !(0..=CACHE_GIB).contains(&settings.cache_gib) {
        return Err(TeamError::invalid("settings.cacheGib", "give a number from 0 to 500"));
    }
    settings.pipeline = pipeline(std::mem::take(&mut settings.pipeline))?;
    if settings.instructions.chars().count() > INSTRUCTIONS {
        return Err(TeamError::invalid("settings", "the instructions may have at most 20,000 characters"));
    }
    if !(0..=REPAIRS).contains(&settings.repairs) {
        return Err(TeamError::invalid("settings.repairs", "give a number from 0 to 3"));
    }
    if !(0..=guide::MOST_TOKENS).contains(&settings.knowledge_tokens) {
        return Err(TeamError::invalid("settings.knowledgeTokens", "give a number from 0 to 32,000"));
    }
    settings.default_model = settings.default_model.take().filter(|model| !model.trim().is_empty());
    settings.network.hosts = network::entries(std::mem::take(&mut settings.network.hosts))?;
    Ok(settings)
}

/// The checks, or the commands that set a worktree up, as they are kept.
///
/// # Errors
/// [`TeamError::Invalid`] when there are too many, or one is too long.
pub fn commands(mut given: Vec<String>) -> Result<Vec<String>, TeamError> {
    given.retain(|command| !command.trim().is_empty());
    if given.len() > CHECKS || given.iter().any(|command| command.len() > 2_000) {
        return Err(TeamError::invalid("settings", "at most 20 commands of at most 2,000 characters each"));
    }
    Ok(given)
}

/// A pipeline as it is kept.
fn pipeline(given: Vec<PipelineStep>) -> Result<Vec<PipelineStep>, TeamError> {
    let refused = |words: String| Err(TeamError::invalid("settings.pipeline", words));
    if given.len() > pipeline::STEPS {
        return refused(format!("a pipeline has at most {} steps", pipeline::STEPS));
    }
    let mut steps: Vec<PipelineStep> = Vec::with_capacity(given.len());
    for mut step in given {
        step.name = step.name.trim().to_owned();
        step.instructions = step.instructions.trim().to_owned();
        step.model = step.model.filter(|model| !model.trim().is_empty());
        if !(1..=pipeline::NAME).contains(&step.name.chars().count()) || step.name.chars().any(char::is_control) {
            return refused(format!("give each step a name of 1 to {} characters", pipeline::NAME));
        }
        let name = step.name.to_lowercase();
        if steps.iter().any(|other| other.name.to_lowercase() == name) {
            return refused(format!("there are two steps called “{}”; give one another name", step.name));
        }
        if !(1..=pipeline::INSTRUCTIONS).contains(&step.instructions.chars().count()) {
            return refused(format!(
                "say in 1 to {} characters what the step “{}” is to do",
                pipeline::INSTRUCTIONS,
                step.name
            ));
        }
        if !(0..=pipeline::RETURNS).contains(&step.returns) {
            return refused(format!("a step sends the work back 0 to {} times", pipeline::RETURNS));
        }
        steps.push(step);
    }
    Ok(steps)
}

fn plain_name(text: &str) -> Result<String, TeamError> {
    let name = text.trim();
    match name.chars().count() {
        1..=80 if !name.chars().any(char::is_control) => Ok(name.to_owned()),
        _ => Err(TeamError::invalid("name", "give the project a name of 1 to 80 characters")),
    }
}
