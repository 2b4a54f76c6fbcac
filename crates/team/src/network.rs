//! What a project's commands reach of the network.

use guildhall_types::ProjectId;
use guildhall_types::network::{
    HOSTS, HostEntry, HostName, NetworkPolicy, NetworkSettings, REGISTRIES, RefusedHost, port_number,
};
use guildhall_types::project::Project;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Team, TeamError};

/// What a project's commands reach of the network, and what they were refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectNetwork {
    /// What the project's settings say.
    pub settings: NetworkSettings,
    /// The usual package registries, which are on the list where the settings say so.
    pub registries: Vec<&'static str>,
    /// The hosts that commands were refused and that nobody has allowed or dismissed since, the latest first.
    pub refused: Vec<RefusedHost>,
}

impl Team {
    /// What a project's commands reach of the network, and what they were refused.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn network(&self, id: ProjectId) -> Result<ProjectNetwork, TeamError> {
        let project = self.store.project(id).await?.ok_or(TeamError::NotFound { what: "project" })?;
        self.network_of(project).await
    }

    async fn network_of(&self, project: Project) -> Result<ProjectNetwork, TeamError> {
        let refused = self.store.refused_hosts(project.id).await?;
        Ok(ProjectNetwork { settings: project.settings.network, registries: REGISTRIES.to_vec(), refused })
    }

    /// Puts a host on a project's list. Holds at once, also for commands at work.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] when it is none; [`TeamError::Conflict`] where the list does not count.
    pub async fn allow_host(&self, id: ProjectId, host: &str) -> Result<ProjectNetwork, TeamError> {
        let entry = entry("host", host)?;
        let project = self.store.project(id).await?.ok_or(TeamError::NotFound { what: "project" })?;
        if project.settings.network.policy == NetworkPolicy::None {
            return Err(TeamError::conflict(
                "no-network",
                "this project's commands reach nothing, whatever is on its list; let them reach the hosts on it first, in \
                 the project's settings",
            ));
        }
        let project = self.store.allow_host(id, &entry, HOSTS as i64).await?;
        self.network_of(project).await
    }

    /// Takes a host off those that commands were refused.
    ///
    /// # Errors
    /// [`TeamError::Invalid`], [`TeamError::NotFound`].
    pub async fn dismiss_host(&self, id: ProjectId, host: &str, port: i64) -> Result<ProjectNetwork, TeamError> {
        let name = HostName::parse(host).map_err(|bad| TeamError::invalid("host", bad.to_string()))?;
        let Some(port) = port_number(&port.to_string()) else {
            return Err(TeamError::invalid("port", "give a number from 1 to 65535"));
        };
        match self.store.dismiss_host(id, &name, port).await? {
            true => self.network(id).await,
            false => Err(TeamError::NotFound { what: "refused host" }),
        }
    }
}

fn entry(field: &'static str, text: &str) -> Result<HostEntry, TeamError> {
    HostEntry::parse(text).map_err(|bad| {
        let shown: String = text.chars().take(80).collect();
        TeamError::invalid(field, format!("{shown:?} cannot stand on the list: {bad}"))
    })
}

/// A project's list as it is kept: each entry once, as it is written plainly.
pub(crate) fn entries(given: Vec<String>) -> Result<Vec<String>, TeamError> {
    let mut kept = Vec::new();
    for text in given.iter().filter(|text| !text.trim().is_empty()) {
        let entry = entry("settings.network.hosts", text)?.to_string();
        if !kept.contains(&entry) {
            kept.push(entry);
        }
    }
    match kept.len() > HOSTS {
        true => Err(TeamError::invalid("settings.network.hosts", format!("a list has at most {HOSTS} hosts"))),
        false => Ok(kept),
    }
}

/// Why the network was not opened.
pub(crate) fn not_open() -> TeamError {
    TeamError::not_yours(
        "only admins let a project's commands reach every host; ask one, or put the hosts that it needs on its list",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_kept_plainly_and_each_entry_once() {
        let given = [" Example.COM ", "", "example.com", "*.Example.com:8443", "  "].map(str::to_owned);
        assert_eq!(entries(given.to_vec()).unwrap(), ["example.com", "*.example.com:8443"]);
        for bad in ["10.0.0.1", "https://example.com", "*", "a b"] {
            let error = entries(vec![bad.to_owned()]).unwrap_err().to_string();
            assert!(error.contains("cannot stand on the list") && error.contains(bad), "{error}");
        }
        let many = |count: usize| (0..count).map(|n| format!("h{n}.example")).collect();
        assert!(entries(many(HOSTS)).is_ok() && entries(many(HOSTS + 1)).is_err());
    }
}
