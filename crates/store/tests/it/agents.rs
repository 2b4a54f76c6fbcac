//! Agents and what of them others see.

use guildhall_store::{AgentPatch, AgentQuery, NewAgent, StoreError};
use guildhall_types::agent::{Agent, AgentModel, AgentStatus, AgentTool};
use guildhall_types::event::Happening;
use guildhall_types::{AgentId, MemberId};

use crate::harness::{Fresh, on_both};

pub fn new_agent(name: &str, of: Option<MemberId>) -> NewAgent {
    NewAgent {
        name: name.to_owned(),
        description: "Looks \0 around_50%".to_owned(),
        system_prompt: "Look.".to_owned(),
        status: if of.is_some() { AgentStatus::Draft } else { AgentStatus::Active },
        model: AgentModel { model: Some("m".to_owned()), temperature: Some(0.25), ..AgentModel::default() },
        tools: vec![AgentTool { name: "read".to_owned(), enabled: true }],
        mcp_servers: Vec::new(),
        icon: Some("🔎".to_owned()),
        tags: vec!["Review".to_owned()],
        built_in: of.is_none().then(|| name.to_lowercase()),
        created_by: of,
    }
}

async fn seen(fresh: &Fresh, viewer: MemberId, query: AgentQuery) -> Vec<String> {
    let page = fresh.store.agents(&AgentQuery { viewer, limit: 100, ..query }).await.unwrap();
    page.items.into_iter().map(|agent| agent.name).collect()
}

on_both! {
    async fn a_draft_is_its_makers_until_it_was_active_once(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let agent = fresh.store.create_agent(new_agent("Scout", Some(anna.id))).await.unwrap();
        assert_eq!((agent.version, agent.shared_at, agent.description.as_str()), (1, None, "Looks \u{fffd} around_50%"));
        assert_eq!(agent.model.temperature, Some(0.25));
        assert_eq!(seen(&fresh, anna.id, AgentQuery::default()).await, ["Scout"]);
        assert_eq!(seen(&fresh, ben.id, AgentQuery::default()).await, [""; 0]);
        let told = |events: Vec<guildhall_types::event::Event>| events.into_iter().rev().find_map(|event| match event.what {
            Happening::AgentUpdated { private_to, .. } => Some(private_to),
            _ => None,
        });
        let events = fresh.store.events_after(0, 100).await.unwrap();
        assert_eq!(told(events), Some(Some(anna.id)), "nobody else hears of it");

        let active = AgentPatch { status: Some(AgentStatus::Active), ..AgentPatch::default() };
        let agent = fresh.store.update_agent(agent.id, active, Some(1)).await.unwrap();
        assert!(agent.shared_at.is_some() && agent.version == 2);
        assert_eq!(told(fresh.store.events_after(0, 100).await.unwrap()), Some(None));
        let archived = AgentPatch { status: Some(AgentStatus::Archived), ..AgentPatch::default() };
        let archived = fresh.store.update_agent(agent.id, archived, None).await.unwrap();
        assert_eq!(archived.shared_at, agent.shared_at);
        assert_eq!(seen(&fresh, ben.id, AgentQuery::default()).await, ["Scout"], "what was shared stays shared");
        let only = |status| AgentQuery { status: Some(status), ..AgentQuery::default() };
        assert_eq!(seen(&fresh, ben.id, only(AgentStatus::Active)).await, [""; 0]);
        assert_eq!(seen(&fresh, ben.id, only(AgentStatus::Archived)).await, ["Scout"]);
    }

    async fn an_agent_is_changed_found_and_deleted(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let agent = fresh.store.create_agent(new_agent("Scout", Some(anna.id))).await.unwrap();
        let patch = AgentPatch {
            name: Some("Ranger".to_owned()),
            icon: Some(None),
            tags: Some(vec!["Güte".to_owned()]),
            tools: Some(Vec::new()),
            ..AgentPatch::default()
        };
        let stale = fresh.store.update_agent(agent.id, patch.clone(), Some(7)).await.unwrap_err();
        assert!(matches!(stale, StoreError::Stale { current: 1 }), "{stale}");
        let changed = fresh.store.update_agent(agent.id, patch, Some(1)).await.unwrap();
        let expected = Agent {
            name: "Ranger".to_owned(), icon: None, tags: vec!["Güte".to_owned()], tools: Vec::new(), version: 2, ..agent.clone()
        };
        assert_eq!(changed, Agent { updated_at: changed.updated_at, ..expected });
        let with = |text: &str| AgentQuery { text: Some(text.to_owned()), ..AgentQuery::default() };
        for (text, found) in [("rang", true), ("AROUND_5", true), ("around-5", false), ("50%", true), ("x%", false), ("güte", true)] {
            assert_eq!(seen(&fresh, anna.id, with(text)).await.len(), usize::from(found), "{text}");
        }
        fresh.store.delete_agent(agent.id).await.unwrap();
        assert!(fresh.store.agent(agent.id).await.unwrap().is_none());
        assert!(matches!(fresh.store.delete_agent(agent.id).await, Err(StoreError::NotFound { .. })));
        assert!(matches!(fresh.store.delete_agent(AgentId::new()).await, Err(StoreError::NotFound { .. })));
    }

    async fn the_agents_of_every_team_are_made_once_on_however_many_nodes(fresh: Fresh) {
        let all = ["One", "Two", "Three"].map(|name| new_agent(name, None));
        let nodes: Vec<_> = (0..4).map(|_| {
            let (store, all) = (fresh.store.clone(), all.to_vec());
            tokio::spawn(async move { store.make_built_in_agents(&all).await.unwrap() })
        }).collect();
        let mut made = 0;
        for node in nodes {
            made += node.await.unwrap();
        }
        assert_eq!(made, 3);
        let anna = fresh.member("anna").await;
        let page = fresh.store.agents(&AgentQuery { viewer: anna.id, limit: 2, ..AgentQuery::default() }).await.unwrap();
        assert_eq!((page.items.len(), page.next.is_some()), (2, true));
        let after = page.next.unwrap().parse().ok();
        assert_eq!(seen(&fresh, anna.id, AgentQuery { after, ..AgentQuery::default() }).await, ["Three"]);
        fresh.store.delete_agent(page.items[0].id).await.unwrap();
        assert_eq!(fresh.store.make_built_in_agents(&all).await.unwrap(), 0, "one that was deleted stays so");
    }
}
