use super::*;

fn http() -> McpTransport {
    McpTransport::Http { url: "https://example.com/mcp".to_owned() }
}

fn stdio() -> McpTransport {
    McpTransport::Stdio { command: "server".to_owned() }
}

fn wish(name: &str, value: Option<&str>, secret: bool) -> McpValueWish {
    McpValueWish { name: name.to_owned(), value: value.map(|value| Zeroizing::new(value.to_owned())), secret }
}

#[test]
fn a_secret_stays_where_it_was_given_for() {
    let known = Sealed::from([("Authorization".to_owned(), "Bearer abcdefgh".to_owned())]);
    let (shown, secrets) = check_values(&http(), vec![wish("Authorization", None, true)], &known, false).unwrap();
    assert_eq!((shown[0].value.as_deref(), &secrets), (None, &known));
    let moved = check_values(&http(), vec![wish("Authorization", None, true)], &known, true).unwrap_err();
    assert!(moved.to_string().contains("anew"), "{moved}");
    let anew = vec![wish("Authorization", Some("Bearer ijklmnop"), true)];
    assert_eq!(check_values(&http(), anew, &known, true).unwrap().1["Authorization"], "Bearer ijklmnop");
    // Nor does it become a value that everybody sees.
    assert!(check_values(&http(), vec![wish("Authorization", None, false)], &known, false).is_err());
}

#[test]
fn another_environment_is_another_place_for_a_secret() {
    let value = |name: &str, secret, value: Option<&str>| McpValue {
        name: name.to_owned(),
        secret,
        value: value.map(str::to_owned),
    };
    let old = [value("MODE", false, Some("good")), value("KEY", true, None), value("OTHER", true, None)];
    let (key, other) = (wish("KEY", None, true), wish("OTHER", Some("ijklmnop"), true));
    let mode = |to: &str| wish("MODE", Some(to), false);
    assert!(!changes_environment(&old, &[key.clone(), mode("good"), other.clone()]));
    let all = [key, other];
    for changed in [
        all.iter().cloned().chain([mode("evil")]).collect(),
        all.to_vec(),
        all.iter().cloned().chain([mode("good"), wish("NODE_PATH", Some("/evil-place"), true)]).collect(),
        all.iter().cloned().chain([mode("good"), wish("HOST", Some("evil"), false)]).collect(),
        all.iter().cloned().chain([wish("MODE", Some("evil-mode"), true)]).collect::<Vec<_>>(),
    ] {
        assert!(changes_environment(&old, &changed), "{changed:?}");
    }
}

#[test]
fn names_and_values_are_such_as_can_be_given() {
    let one = |transport: &McpTransport, name: &str, value: &str, secret| {
        check_values(transport, vec![wish(name, Some(value), secret)], &Sealed::new(), true).map(|_| ())
    };
    one(&stdio(), "API_KEY", "abcdefgh", true).unwrap();
    one(&stdio(), "DEBUG", "1", false).unwrap();
    one(&http(), "X-Team", "guild", false).unwrap();
    for (transport, name, value, secret) in [
        (stdio(), "", "x", false),
        (stdio(), "A=B", "x", false),
        (stdio(), "1A", "x", false),
        (stdio(), "PATH", "/evil", false),
        (stdio(), "LD_PRELOAD", "/evil", false),
        (stdio(), "NODE_OPTIONS", "--require=/evil", false),
        (stdio(), "https_proxy", "http://evil.example", false),
        (stdio(), "A", "a\0b", false),
        (stdio(), "A", "short", true),
        (http(), "Host", "evil.example", false),
        (http(), "mcp-session-id", "x", false),
        (http(), "A B", "x", false),
        (http(), "A", "x\r\nB: y", false),
    ] {
        assert!(one(&transport, name, value, secret).is_err(), "{name} {value}");
    }
    let twice = vec![wish("A", Some("1"), false), wish("a", Some("2"), false)];
    assert!(check_values(&http(), twice, &Sealed::new(), true).is_err());
    let told = format!("{:?}", wish("A", Some("hidden-value"), true));
    assert!(!told.contains("hidden"), "{told}");
}
