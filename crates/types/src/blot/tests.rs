use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

const URL: &str = "postgres://guild:pass+word/ö9\"x'y@db.example/test?a=1&b=2";

fn blot() -> Blot {
    Blot::new([("TEST_DATABASE_URL", URL), ("TOKEN", "tok_0123456789")])
}

fn in_pieces(blot: &Blot, bytes: &[u8], size: usize) -> Vec<u8> {
    let mut stream = blot.stream();
    let mut out: Vec<u8> = bytes.chunks(size).flat_map(|piece| stream.push(piece)).collect();
    out.extend(stream.finish());
    out
}

#[test]
fn what_stands_in_ordinary_text_is_no_secret_by_itself() {
    let url = "postgres://postgres:postgres@localhost/test";
    let config = "apiVersion: v1\nkind: Config\nusers:\n- token: c2VjcmV0LW9mLXRoZS1jbHVzdGVy";
    let blot = Blot::new([("URL", url), ("CONFIG", config), ("PHRASE", "redis://:swordfish@h:1")]);
    let plain = "/usr/lib/postgresql, postgres, kind: Config, a swordfish, apiVersion: v1";
    assert_eq!(blot.text(plain), plain);
    assert_eq!(blot.text(url), "[secret URL]");
    assert_eq!(blot.text("- token: c2VjcmV0LW9mLXRoZS1jbHVzdGVy"), "[secret CONFIG]");
    assert_eq!(blot.text(config), "[secret CONFIG]");
}

#[test]
fn a_secret_is_blotted_out_however_it_is_spelled() {
    let blot = blot();
    let whole = "[secret TEST_DATABASE_URL]";
    let python = r#"postgres://guild:pass+word/\u00f69\"x'y@db.example/test?a=1&b=2"#;
    for spelled in [
        URL.to_owned(),
        serde_json::to_string(URL).unwrap().trim_matches('"').to_owned(),
        URL.replace('"', "\\\"").replace('/', "\\/"),
        python.to_owned(),
        "postgres%3A%2F%2Fguild%3Apass%2Bword%2F%C3%B69%22x%27y%40db.example%2Ftest%3Fa%3D1%26b%3D2".to_owned(),
        "postgres%3A%2F%2Fguild%3Apass%2Bword%2F%C3%B69%22x'y%40db.example%2Ftest%3Fa%3D1%26b%3D2".to_owned(),
        "postgres://guild:pass+word/&ouml;".replace("&ouml;", "ö9&quot;x&#39;y@db.example/test?a=1&amp;b=2"),
        URL.replace('\'', "'\\''"),
        URL.bytes().map(|byte| format!("{byte:02x}")).collect(),
        URL.bytes().map(|byte| format!("{byte:02X}")).collect(),
        STANDARD.encode(URL).trim_end_matches('=').to_owned(),
        URL_SAFE.encode(URL).trim_end_matches('=').to_owned(),
    ] {
        let text = blot.owned(format!("before {spelled} after"));
        assert_eq!(text, format!("before {whole} after"), "{spelled}");
    }
    // In the middle of something else, where one letter before and after may be its neighbours' as well.
    for before in ["", "u", "us", "user:"] {
        let code = STANDARD.encode(format!("{before}{URL}, and more"));
        let shown = blot.owned(code.clone());
        assert!(shown.contains(whole) && shown.len() < 60, "{before}: {shown}");
    }
    // Broken into lines, as the program base64 does.
    let code = STANDARD.encode(URL);
    let shown = blot.owned(format!("{}\n{}\n", &code[..76], &code[76..]));
    assert!(!shown.contains(&code[..20]), "{shown}");
    // The password alone, as a driver may tell it.
    assert_eq!(
        Blot::new([("URL", "redis://:p%40ssw0rd!@h:1")]).text("p@ssw0rd! p%40ssw0rd!"),
        "[secret URL] [secret URL]"
    );
    assert_eq!(
        blot.text("nothing of it: tok_012345678, postgres://guild"),
        "nothing of it: tok_012345678, postgres://guild"
    );
    assert!(matches!(blot.text("plain"), Cow::Borrowed(_)));
    assert_eq!(format!("{blot:?} {:?}", blot.stream()), r#"["TEST_DATABASE_URL", "TOKEN"] BlotStream { .. }"#);
}

#[test]
fn a_secret_of_several_lines_is_blotted_out_line_by_line() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n  hkiG9w0BAQEFAASC \nshort\n-----END PRIVATE KEY-----\n";
    let blot = Blot::new([("KEY", key)]);
    assert_eq!(blot.text(key), "[secret KEY]\n");
    let numbered = "1\t-----BEGIN PRIVATE KEY-----\n2\tMIIEvQIBADANBgkq\n3\thkiG9w0BAQEFAASC\n4\tshort";
    assert_eq!(blot.text(numbered), "1\t-----BEGIN PRIVATE KEY-----\n2\t[secret KEY]\n3\t[secret KEY]\n4\tshort");
    assert_eq!(blot.found_in(b"x MIIEvQIBADANBgkq y"), BTreeSet::from(["KEY"]));
    assert!(blot.found_in(b"short").is_empty() && Blot::default().found_in(b"x").is_empty());
}

#[test]
fn no_border_between_pieces_lets_a_secret_through() {
    let blot = blot();
    let text = format!("a{URL}b tok_01234 tok_0123456789tok_0123456789 {} tok_012345678", STANDARD.encode(URL));
    let expected = blot.bytes(text.as_bytes()).into_owned();
    let shown = String::from_utf8_lossy(&expected);
    assert!(shown.contains(" tok_01234 [secret TOKEN][secret TOKEN] [secret TEST_DATABASE_URL]"), "{shown}");
    assert!(shown.ends_with(" tok_012345678"), "{shown}");
    for size in 1..text.len() {
        assert_eq!(in_pieces(&blot, text.as_bytes(), size), expected, "in pieces of {size}");
    }
}

#[test]
fn what_is_no_secret_comes_at_once_and_little_is_ever_held() {
    let blot = blot();
    let mut stream = blot.stream();
    assert_eq!(stream.push(b"Compiling todo"), b"Compiling todo");
    assert_eq!(stream.push(b" tok"), b" ");
    assert_eq!(stream.push(b"ens"), b"tokens");
    // Something that goes on beginning for ever.
    let blot = Blot::new([("A", "aaaaaaaaaa")]);
    let mut stream = blot.stream();
    let told: usize = (0..1_000).map(|_| stream.push(&[b'a'; 100]).len()).sum();
    assert!(stream.held.len() < blot.0.as_ref().unwrap().longest && told == "[secret A]".len(), "{told}");
    assert_eq!(stream.push(b"b"), b"b");
}

proptest! {
    #[test]
    fn whatever_comes_in_whatever_pieces_no_secret_is_left(
        parts in proptest::collection::vec(0..6usize, 0..20),
        size in 1..40usize,
    ) {
        // Secrets that begin and end alike, so that they overlap.
        let secrets = [("A", "abcabcabx"), ("B", "abxabcabc"), ("C", "bxabcabcabx")];
        let blot = Blot::new(secrets);
        let pieces = ["abcabcabx", "abxabcabc", "abc", "ab", "x", " "];
        let text: String = parts.into_iter().map(|part| pieces[part]).collect();
        let whole = blot.bytes(text.as_bytes()).into_owned();
        let shown = in_pieces(&blot, text.as_bytes(), size);
        for (_, secret) in secrets {
            for told in [&whole, &shown] {
                prop_assert!(!String::from_utf8_lossy(told).contains(secret));
            }
        }
        prop_assert_eq!(shown, whole);
    }
}

#[test]
fn what_looks_for_as_many_secrets_as_a_project_may_have_takes_a_bounded_part_of_memory() {
    // A part of them is enough: it grows as they do.
    const PART: usize = 8;
    // Of signs that every way of writing spells in its own, and of lines that are looked for one by one.
    let line = format!("\"{}'ö<&%", "a+/b".repeat(9));
    let value = [line.as_str(); 4].join("\n");
    let names: Vec<String> = (0..crate::secret::TOGETHER / PART / value.len()).map(|n| format!("SECRET_{n}")).collect();
    let values: Vec<String> = names.iter().map(|name| value.replace('b', &name[7..])).collect();
    let blot = Blot::new(names.iter().zip(&values).map(|(name, value)| (name.as_str(), value.as_str())));
    let known = blot.0.unwrap();
    let bytes = known.finder.memory_usage() + known.spellings.iter().map(Vec::capacity).sum::<usize>();
    assert!(bytes * PART < 64 << 20, "{bytes}");
}
