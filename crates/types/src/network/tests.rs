//! Names, entries and rules.

use super::*;

fn name(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

fn rules(policy: NetworkPolicy, registries: bool, hosts: &[&str]) -> NetworkRules {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    NetworkRules::of(&NetworkSettings { policy, registries, hosts })
}

#[test]
fn a_name_is_plain_and_no_address() {
    for (text, read) in [
        ("Example.COM", "example.com"),
        ("a-b.c_d.example", "a-b.c_d.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("1.2.3.4.in-addr.arpa", "1.2.3.4.in-addr.arpa"),
        ("0x7f.example", "0x7f.example"),
    ] {
        assert_eq!(name(text).as_str(), read);
    }
    for (text, why) in [
        ("", BadHost::Empty),
        ("localhost", BadHost::Local),
        ("metadata", BadHost::Local),
        ("example.com.", BadHost::Labels),
        (".example.com", BadHost::Labels),
        ("a..b", BadHost::Labels),
        ("-a.example", BadHost::Labels),
        ("a-.example", BadHost::Labels),
        ("evil\0.allowed.example", BadHost::Characters),
        ("evil\n.example", BadHost::Characters),
        ("evil .example", BadHost::Characters),
        ("user@example.com", BadHost::Characters),
        ("a%2e.example", BadHost::Characters),
        ("bücher.example", BadHost::Characters),
        ("example。com", BadHost::Characters),
        ("127.0.0.1", BadHost::Address),
        ("127.1", BadHost::Address),
        ("2130706433", BadHost::Address),
        ("0177.0.0.1", BadHost::Address),
        ("0x7f000001", BadHost::Address),
        ("0x7f.0.0.0x1", BadHost::Address),
        ("example.0x", BadHost::Address),
        ("[::1]", BadHost::Address),
        ("::1", BadHost::Address),
        ("::ffff:127.0.0.1", BadHost::Address),
        ("[::ffff:7f00:1]", BadHost::Address),
    ] {
        assert_eq!(HostName::parse(text), Err(why), "{text:?}");
    }
    assert_eq!(HostName::parse(&format!("{}.example", "a".repeat(64))), Err(BadHost::Labels));
    assert_eq!(HostName::parse(&"a.".repeat(127)), Err(BadHost::Long));
}

#[test]
fn an_entry_means_a_host_or_all_below_it() {
    for (entry, host, port, admitted) in [
        ("example.com", "example.com", 443, true),
        ("example.com", "example.com", 80, true),
        ("EXAMPLE.com", "example.com", 80, true),
        ("example.com", "example.com", 22, false),
        ("example.com", "www.example.com", 443, false),
        ("example.com", "badexample.com", 443, false),
        ("example.com", "example.com.evil.org", 443, false),
        ("*.example.com", "www.example.com", 443, true),
        ("*.example.com", "a.b.example.com", 80, true),
        ("*.example.com", "example.com", 443, false),
        ("*.example.com", "badexample.com", 443, false),
        ("*.example.com:8443", "www.example.com", 8443, true),
        ("*.example.com:8443", "www.example.com", 443, false),
        (" example.com:22 ", "example.com", 22, true),
    ] {
        assert_eq!(HostEntry::parse(entry).unwrap().admits(&name(host), port), admitted, "{entry} {host}:{port}");
    }
    for entry in ["*", "*.com", "*.*.example.com", "a.*.example.com", "*example.com"] {
        assert_eq!(HostEntry::parse(entry), Err(BadEntry::Star), "{entry}");
    }
    for entry in ["a.example:", "a.example:0", "a.example:65536", "a.example:+1", "a.example:x", "a.example:000443"] {
        assert_eq!(HostEntry::parse(entry), Err(BadEntry::Port), "{entry}");
    }
    for entry in ["", "https://example.com", "example.com/path", "10.0.0.1", "::1", "[::1]:80", "u@example.com"] {
        assert!(matches!(HostEntry::parse(entry), Err(BadEntry::Host(_))), "{entry}");
    }
    for entry in ["example.com", "*.example.com", "*.example.com:8443", "example.com:22"] {
        assert_eq!(HostEntry::parse(entry).unwrap().to_string(), entry);
    }
    assert_eq!(HostEntry::of(name("a.example"), 443).to_string(), "a.example");
    assert_eq!(HostEntry::of(name("a.example"), 22).to_string(), "a.example:22");
}

#[test]
fn an_empty_list_denies_all_and_the_registries_can_be_left_out() {
    let (npm, other) = (name("registry.npmjs.org"), name("other.example"));
    let empty = rules(NetworkPolicy::AllowList, false, &[]);
    assert!(!empty.admit(&npm, 443) && !empty.admit(&other, 443));
    let usual = rules(NetworkPolicy::AllowList, true, &[]);
    assert!(usual.admit(&npm, 443) && !usual.admit(&npm, 22) && !usual.admit(&other, 443));
    let own = rules(NetworkPolicy::AllowList, false, &["other.example", "not an entry", ""]);
    assert!(!own.admit(&npm, 443) && own.admit(&other, 443));
    let none = rules(NetworkPolicy::None, true, &["other.example"]);
    assert!(!none.admit(&npm, 443) && !none.admit(&other, 443));
    let open = rules(NetworkPolicy::Open, false, &[]);
    assert!(open.admit(&npm, 443) && open.admit(&other, 22));
}

#[test]
fn every_project_begins_with_the_registries_and_nothing_that_cannot_be_read() {
    let settings: NetworkSettings = serde_json::from_str("{}").unwrap();
    assert_eq!(settings, NetworkSettings { policy: NetworkPolicy::AllowList, registries: true, hosts: Vec::new() });
    assert_eq!(NetworkRules::of(&settings).list.len(), REGISTRIES.len());
    for entry in REGISTRIES {
        assert_eq!(HostEntry::parse(entry).unwrap().to_string(), *entry);
    }
    let project: crate::project::ProjectSettings = serde_json::from_str(r#"{"repairs": 2}"#).unwrap();
    assert_eq!(project.network, settings);
}
