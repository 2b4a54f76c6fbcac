//! What is said of a collector and of a bucket, by names that other programs read as well.

use super::*;

#[test]
fn a_collector_of_traces_is_read_by_opentelemetrys_own_names() {
    let of =
        |env: &[(&str, &str)]| read(Case { env, ..Case::default() }, &Flags::default()).map(|config| config.collector);
    // What other programs read is no fault as long as no collector is named.
    let others = [
        ("OTEL_SERVICE_NAME", "hall"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hidden"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("OTEL_TRACES_SAMPLER_ARG", "endpoint=http://127.0.0.1:2000"),
    ];
    assert!(of(&others).unwrap().is_none());
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example.com/base/"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=hidden%2Cword , x-team=guild,"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
    ];
    let whole = of(&env).unwrap();
    assert!(!format!("{whole:?}").contains("hidden"));
    let collector = whole.unwrap();
    assert_eq!(collector.endpoint.as_str(), "https://collector.example.com/base/v1/traces");
    let headers: Vec<_> = collector.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("api-key", "hidden,word"), ("x-team", "guild")]);
    assert_eq!((collector.share.part, collector.share.follows), (0.25, false));
    assert_eq!(collector.service, "guildhall");
    let exact = of(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4319/mine"),
        ("OTEL_TRACES_SAMPLER", "parentbased_always_off"),
    ]);
    let exact = exact.unwrap().unwrap();
    assert_eq!(exact.endpoint.as_str(), "http://127.0.0.1:4319/mine");
    assert_eq!((exact.share.part, exact.share.follows), (0.0, true));

    for (name, value, expected) in [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "127.0.0.1:4318",
            "found \"127.0.0.1:4318\"; expected an http or https address",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://me:hidden@x",
            "environment: expected an http or https address without a user",
        ),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://x/?key=hidden", "without a user, a password, a query"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://x/#hidden", "environment: expected an http or https address"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "hidden",
            "OTEL_EXPORTER_OTLP_HEADERS in the environment: expected names and values",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=hidden%zz", "expected names and values"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=hidden%0Aword", "expected names and values"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "found \"grpc\"; expected http/protobuf"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "found \"jaeger_remote\"; expected always_on"),
        ("OTEL_TRACES_SAMPLER_ARG", "2", "expected a share from 0 to 1"),
    ] {
        let mut env = vec![(name, value)];
        if name != "OTEL_EXPORTER_OTLP_ENDPOINT" {
            env.push(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"));
        }
        let found = faults(Case { env: &env, ..Case::default() });
        assert_eq!(found.len(), 1, "{name}={value}: {found:?}");
        assert!(found[0].contains(expected) && !found[0].contains("hidden"), "{found:?}");
    }
}

#[test]
fn a_bucket_is_reached_as_it_is_said_and_its_key_shown_nowhere() {
    let key = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "hidden-secret")];
    let to = ("GUILDHALL_BACKUP_TO", "s3://backups/guildhall");
    let said = [&key[..], &[to, ("AWS_ENDPOINT_URL", "https://s3.example.com"), ("AWS_REGION", "auto")]].concat();
    let config = read(Case { env: &said, ..Case::default() }, &Flags::default()).unwrap();
    assert_eq!(config.backup.as_ref().unwrap().to_string(), "s3://backups/guildhall");
    assert_eq!(
        (config.s3.region.as_deref(), config.s3.endpoint.as_ref().unwrap().as_str()),
        (Some("auto"), "https://s3.example.com/")
    );
    assert!(!format!("{config:?}").contains("hidden-secret"));
    // By the file of settings, with the key in a file of its own.
    let file = |path: &Path| {
        match path.to_str() {
        Some("/etc/guildhall.toml") => {
            Ok("backup_to = 's3://backups'\ns3_access_key_id = 'AKIA'\ns3_secret_access_key_file = '/etc/s3'\ns3_endpoint = 'http://minio:9000'\ns3_allow_http = true".to_owned())
        }
        Some("/etc/s3") => Ok("hidden-secret\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    }
    };
    let flags = Flags { config: Some("/etc/guildhall.toml".to_owned()), ..Flags::default() };
    let env = |name: &str| (name == "HOME").then(|| OsString::from("/home/anna"));
    let config = Config::read(&Layers { flags: &flags, env: &env, file: &file }).unwrap();
    assert_eq!(config.s3.secret.as_ref().map(Secret::expose), Some("hidden-secret"));
    assert!(config.backup.is_some() && !format!("{config:?}").contains("hidden-secret"));

    // What other programs read is no fault as long as no bucket is named; a command that names one tells it.
    let others = [
        ("AWS_ENDPOINT_URL", "http://minio:9000/of/others"),
        ("AWS_CA_BUNDLE", "/nowhere"),
        ("AWS_CHECKSUM_ALGORITHM", "crc64nvme"),
        ("AWS_SECRET_ACCESS_KEY", "hidden-secret of two"),
    ];
    for place in ["", "/mnt/backups"] {
        let env = [&others[..], &[("GUILDHALL_BACKUP_TO", place)]].concat();
        let config = read(Case { env: &env, ..Case::default() }, &Flags::default()).unwrap();
        let told: Vec<String> = config.s3_faults.iter().map(ToString::to_string).collect();
        assert!(
            told.len() == 4 && others.iter().all(|(name, _)| told.iter().any(|one| one.contains(name))),
            "{told:?}"
        );
        assert!(!format!("{config:?}").contains("hidden-secret"));
    }
    let told = faults(Case { env: &[&others[..], &[key[0], to]].concat(), ..Case::default() });
    assert!(others.iter().all(|(name, _)| told.iter().any(|one| one.contains(name))), "{told:?}");
    // The file of settings is read by nobody else.
    let told = faults(Case { file: Some("s3_checksum_algorithm = 'md5'"), ..Case::default() });
    assert!(told.len() == 1 && told[0].contains("found \"md5\"; expected sha256"), "{told:?}");
    for (said, expected) in [(None, false), (Some("sha256"), true), (Some("SHA256"), true)] {
        let env: Vec<(&str, &str)> = said.iter().map(|said| ("AWS_CHECKSUM_ALGORITHM", *said)).collect();
        assert_eq!(read(Case { env: &env, ..Case::default() }, &Flags::default()).unwrap().s3.sha256, expected);
    }
    let [a, b, c] = [to, key[0], key[1]];
    for (bad, expected) in [
        (&[to][..], "AWS_ACCESS_KEY_ID"),
        (&[to, key[0], key[1], ("AWS_ENDPOINT_URL", "http://minio:9000")], "GUILDHALL_S3_ALLOW_HTTP"),
        (&[key[0], key[1], ("GUILDHALL_BACKUP_TO", "s3://AKIA:hidden-secret@backups")], "never in the address"),
        (
            &[key[0], key[1], ("GUILDHALL_BACKUP_TO", "s3://b/p?AWS_SECRET_ACCESS_KEY=hidden-secret")],
            "environment: expected s3:// and a bucket",
        ),
        (&[key[0], key[1], ("GUILDHALL_BACKUP_TO", "s3://b/p#hidden-secret")], "never in the address"),
        (
            &[("GUILDHALL_BACKUP_TO", "https://b/p?X-Amz-Signature=hidden-secret")],
            "environment: expected the absolute path",
        ),
        (&[a, b, c, ("AWS_ENDPOINT_URL", "https://AKIA:hidden-secret@s3.example.com")], "AWS_ENDPOINT_URL"),
        (&[a, b, c, ("AWS_SESSION_TOKEN", "hidden-secret of two")], "one word"),
        (&[a, b, c, ("GUILDHALL_S3_SECRET_ACCESS_KEY_FILE", "/nowhere")], "/nowhere"),
        (&[a, b, c, ("GUILDHALL_S3_ALLOW_HTTP", "perhaps")], "true or false"),
        (&[a, b, c, ("AWS_CHECKSUM_ALGORITHM", "crc64nvme")], "expected sha256"),
    ] {
        let told = faults(Case { env: bad, ..Case::default() });
        assert!(
            told.len() == 1 && told[0].contains(expected) && !told[0].contains("hidden-secret"),
            "{bad:?}: {told:?}"
        );
    }
}
