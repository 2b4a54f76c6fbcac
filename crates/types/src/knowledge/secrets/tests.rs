use super::*;

/// A key of this beginning, made so that no scanner of sources takes this file for a leak.
fn key(prefix: &str, letters: usize) -> String {
    let alphabet = b"q7Zr2Xk9WmB4vTn8LsC3pYd6HfG5jJ1uE0aR";
    let body: String = (0..letters).map(|n| char::from(alphabet[(n * n + 7 * n) / 2 % alphabet.len()])).collect();
    format!("{prefix}{body}")
}

#[test]
fn secrets_of_each_kind_are_found_and_named_by_their_line() {
    let signed = format!("{}.{}.{}", key("eyJ", 20), key("eyJ", 30), key("", 40));
    let cases = [
        (format!("use {} here", key("sk-ant-api03-", 40)), "Anthropic"),
        (format!("OPENAI_API_KEY={}", key("sk-proj-", 40)), "OpenAI"),
        (key("sk-", 48), "OpenAI or"),
        (format!("`{}`", key("ghp_", 36)), "GitHub"),
        (key("github_pat_", 40), "GitHub"),
        (key("glpat-", 20), "GitLab"),
        (key("xoxb-", 30), "Slack"),
        (format!("AKIA{}", "Q7ZR2XK9WMB4VTN8"), "AWS"),
        (key("AIza", 35), "Google"),
        (key("npm_", 36), "npm"),
        (key("hf_", 34), "Hugging"),
        (key("sk_live_", 24), "Stripe"),
        (key("guild_", 43), "Guildhall"),
        (key("guildmcp_", 43), "Guildhall"),
        (format!("{}.read", key("guildmcp_", 43)), "Guildhall"),
        (key("guildmcr_", 43), "Guildhall"),
        (key("whsec_", 32), "webhook"),
        (signed, "JWT"),
        ("postgres://app:h7Gk2mQx@db.internal:5432/app".to_owned(), "address"),
        ("url = \"redis://:p4zzw0rdQ@cache/0\"".to_owned(), "address"),
        ("mongodb+srv://u:Tr0ub4dor@cluster0.mongodb.net".to_owned(), "address"),
        ("postgres://u:a9/b7xQ@db".to_owned(), "address"),
        ("amqp://app:q2?m8#d1rT@queue:5672/".to_owned(), "address"),
        (format!("AccountName=hall;AccountKey={}==;EndpointSuffix=core.windows.net", key("", 40)), "given to a name"),
        (format!("https://hooks.slack.com/{}/T02HQ4/B07/{}", "services", key("", 24)), "Slack"),
        (format!("<https://discord.com/api/{}/1141/{}>", "webhooks", key("", 40)), "Discord"),
        (format!("curl -H 'Authorization: Bearer {}'", key("", 32)), "signed in"),
        ("password: hunter2hunter2".to_owned(), "password"),
        ("DB_PASSWORD='Tr0ub4dor&3'".to_owned(), "password"),
        ("  \"passphrase\" : \"c0rrect-h0rse-b4ttery\"".to_owned(), "password"),
        (format!("client_secret = \"{}\"", key("", 32)), "given to a name"),
        (format!("AWS_SECRET_ACCESS_KEY={}", key("", 40)), "given to a name"),
        (format!("auth_token => '{}'", key("", 24)), "given to a name"),
    ];
    for (secret, what) in cases {
        let text = format!("How to call it\n\n{secret}\n");
        let found = find(&text).unwrap_or_else(|| panic!("{secret} is not found"));
        assert_eq!(found.line, 3, "{secret}");
        assert!(found.what.contains(what), "{secret}: {}", found.what);
    }
    let block = format!("-----BEGIN OPENSSH PRIVATE {}-----\n{}\n-----END", "KEY", key("", 64));
    assert_eq!(find(&block).unwrap().what, "a private key");
}

#[test]
fn ordinary_texts_are_no_secrets() {
    for text in [
        "Put your key into ANTHROPIC_API_KEY, never into the repository.",
        "export ANTHROPIC_API_KEY=sk-ant-...",
        "export OPENAI_API_KEY=sk-your-key-here",
        "password: ${DB_PASSWORD}",
        "password = os.environ[\"DB_PASSWORD\"]",
        "let token = request.headers().get(\"x-token\");",
        "`DATABASE_URL=postgres://user:password@localhost/app`",
        "postgres://guildhall@localhost:5432/guildhall",
        "https://example.com/path:8080/user@host",
        "http://localhost:4300/@olga and https://registry:5000/hall/image@sha256",
        "https://host:port/path2@v1",
        "http://[::1]:4300/a1@b",
        "https://example.com/?to=mailto:olga1/x@example.com",
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "Post it to https://hooks.slack.com/services/, or to https://discord.com/api/webhooks/ID/TOKEN",
        "The password: at least 12 characters, and no common word.",
        "token: string",
        "secret: process.env.SESSION_SECRET_2024",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "01890000-0000-7000-8000-000000000000",
        "run task-list-2024-with-many-words-in-it and disk-usage-report-2",
        "The PEM begins with -----BEGIN PRIVATE KEY----- and ends likewise.",
        "Authorization: Bearer <token>",
        "Authorization: Bearer $TOKEN",
        "tokens: 128000",
        "max_tokens = 4096000000000000",
        "secret_name: guildhall-production-database",
        "See crates/team/src/vault/tests.rs for the_key_file_is_the_owner_s_alone_and_is_kept.",
    ] {
        assert_eq!(find(text), None, "{text}");
    }
}

#[test]
fn what_is_found_is_not_repeated() {
    let secret = key("ghp_", 36);
    let found = find(&secret).unwrap();
    assert!(!format!("{found:?}").contains(&secret[4..]));
}
