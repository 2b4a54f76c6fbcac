//! Services, their pages on an origin of their own, and terminals, as a browser meets them.

use futures::{SinkExt, StreamExt};
use guildhall_server::ws::Listening;
use guildhall_store::NewService;
use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use guildhall_types::{NodeId, ServiceId, SessionId};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::harness::{PATIENCE, Persona, TestApp, Wish};

/// Answers with the head that it got; `/stream` for ever; a WebSocket with what it hears. It knows one key of a WebSocket.
const SERVER: &str = r#"use IO::Socket::INET; $| = 1; $SIG{CHLD} = 'IGNORE';
my $door = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 8123, Listen => 9) or die $!;
print "listening\n";
while (my $guest = $door->accept) {
  next if fork;
  my $head = '';
  while (my $line = <$guest>) { last if $line =~ /^\r?\n$/; $head .= $line }
  if ($head =~ /^upgrade: websocket/im) {
    print $guest "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    while (read($guest, my $begin, 6) == 6) {
      my ($kind, $length, @mask) = unpack 'C6', $begin;
      read($guest, my $text, $length & 127) or last;
      my @bytes = unpack 'C*', $text;
      $bytes[$_] ^= $mask[$_ % 4] for 0 .. $#bytes;
      print $guest pack('CC', $kind, scalar @bytes), pack('C*', @bytes);
    }
  } elsif ($head =~ m{^GET /stream}) {
    print $guest "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    while (print $guest "data: x\n\n") { select undef, undef, undef, 0.05 }
  } else {
    print $guest "HTTP/1.1 200 OK\r\nSet-Cookie: app=1; Domain=localhost; Path=/\r\nSet-Cookie: guildhall=evil\r\n",
      "Content-Length: ", length $head, "\r\n\r\n$head";
  }
  exit;
}
"#;

/// A card whose work waits. Returns the path of its run.
pub async fn waits(owner: &mut Persona) -> (String, String) {
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let lines = [json!({ "tools": [["write", { "path": "serve.pl", "content": SERVER }]] }), json!({ "say": "Done." })];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let body = json!({ "description": format!("Serve.\n\n```sim\n{}\n```", lines.join("\n")), "model": "simulated" });
    let cards = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let card = owner.post(&cards, body).await.is(StatusCode::CREATED);
    let feature = format!("/api/features/{}", card["id"].as_str().unwrap());
    let started = owner.call(&format!("{feature}/start")).await.is(StatusCode::ACCEPTED);
    owner.until(&feature, |card| card["status"] == "waiting_approval").await;
    (feature, format!("/api/runs/{}", started["run"]["id"].as_str().unwrap()))
}

/// A browser at the pages of a service.
#[derive(Clone)]
pub struct Pages {
    http: reqwest::Client,
    base: String,
    pub host: String,
    pub cookie: Option<String>,
}

impl Pages {
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base)).header("host", &self.host);
        match &self.cookie {
            Some(cookie) => request.header("cookie", format!("theme=dark; {cookie}")),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// Follows the address that the house gave, as a browser does.
    pub async fn enter(app: &TestApp, url: &str) -> Self {
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut pages = Self { http, base: app.url.clone(), host: host.to_owned(), cookie: None };
        let answer = pages.get(&format!("/{path}")).await;
        assert_eq!((answer.status(), &answer.headers()["location"]), (StatusCode::SEE_OTHER, &"/".parse().unwrap()));
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax") && !cookie.contains("Domain"), "{cookie}");
        pages.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        pages
    }
}

pub type Socket = WebSocketStream<TcpStream>;

/// Opens a WebSocket, or says with which status that was refused.
pub async fn open(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Result<Socket, StatusCode> {
    let address = app.url.trim_start_matches("http://");
    let mut request = tungstenite::http::Request::builder()
        .uri(format!("ws://{address}{path}"))
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let house = [("host", address)];
    let house = house.iter().filter(|_| headers.iter().all(|(name, _)| *name != "host"));
    for (name, value) in headers.iter().chain(house) {
        request = request.header(*name, *value);
    }
    let stream = TcpStream::connect(address).await.unwrap();
    match tokio_tungstenite::client_async(request.body(()).unwrap(), stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => Err(StatusCode::from_u16(response.status().as_u16()).unwrap()),
        Err(error) => panic!("{error}"),
    }
}

pub async fn next(socket: &mut Socket) -> Option<Message> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.unwrap() {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(message)) => return Some(message),
            Some(Err(_)) | None => return None,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_of_a_service_are_shown_to_members_on_an_origin_of_their_own() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let (_, run) = waits(&mut owner).await;
    let services = format!("{run}/services");
    let mut viewer = app.member(MemberRole::Viewer).await;
    let wish = json!({ "name": "web", "command": "perl serve.pl", "port": 8123 });
    viewer.post(&services, wish.clone()).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    let mut other = app.member(MemberRole::Member).await;
    other.post(&services, wish.clone()).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    let (token, _) = owner.token(Scope::ALL).await;
    let mut program = app.program(&token);
    program.post(&services, wish.clone()).await.is_problem(StatusCode::FORBIDDEN, "session-only");
    for bad in [
        json!({ "name": "No good", "command": "true" }),
        json!({ "name": "web", "command": " " }),
        json!({ "name": "web", "command": "true", "port": 0 }),
    ] {
        owner.post(&services, bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    let web = owner.post(&services, wish).await.is(StatusCode::CREATED);
    assert_eq!((&web["status"], &web["port"]), (&json!("running"), &json!(8123)));
    owner.until(&format!("{services}/web/log"), |log| log["text"] == "listening\n").await;
    let listed = viewer.get(&services).await.is(StatusCode::OK);
    assert_eq!(listed["items"], json!([web]));

    // A ticket is good once, for this origin, and for a person alone.
    let preview = format!("{services}/web/preview");
    program.call(&preview).await.is_problem(StatusCode::FORBIDDEN, "session-only");
    let url = viewer.call(&preview).await.is(StatusCode::CREATED)["url"].as_str().unwrap().to_owned();
    let pages = Pages::enter(&app, &url).await;
    let entrance = format!("/{}", url.strip_prefix("http://").unwrap().split_once('/').unwrap().1);
    assert_eq!(pages.get(&entrance).await.status(), StatusCode::UNAUTHORIZED, "it was used");
    let port = app.url.rsplit_once(':').unwrap().1;
    assert!(pages.host.ends_with(&format!(".localhost:{port}")) && pages.host.starts_with("p-"), "{}", pages.host);

    // The service gets the request as its own, and nothing by which the house knows a browser; its answer stays with it.
    let answer = pages.get("/some/path?x=1").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers().get("content-security-policy").is_none(), "its pages are its own affair");
    let cookies: Vec<&str> =
        answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(cookies, ["app=1; Path=/"]);
    let head = answer.text().await.unwrap().to_lowercase();
    assert!(head.starts_with("get /some/path?x=1 http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nhost: localhost:8123\r\n") && head.contains("\r\ncookie: theme=dark\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nx-forwarded-host: {}\r\n", pages.host)), "{head}");
    assert!(!head.contains("guildhall"), "{head}");

    // Neither cookie is good at the other's place, and no route of the house is on this origin.
    let crossed = Pages { cookie: viewer.cookie.clone(), ..pages.clone() };
    assert_eq!(crossed.get("/").await.status(), StatusCode::UNAUTHORIZED);
    let mut crossed = app.anonymous();
    crossed.cookie = pages.cookie.clone();
    crossed.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    let health = pages.get("/api/health").await.text().await.unwrap();
    assert!(health.starts_with("GET /api/health"), "{health}");
    let nobody = Pages { cookie: None, ..pages.clone() };
    let closed = nobody.get("/api/health").await;
    assert_eq!(closed.status(), StatusCode::UNAUTHORIZED);
    assert!(closed.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let elsewhere = Pages { host: format!("p-{}.localhost:{port}", "a".repeat(26)), ..pages.clone() };
    assert_eq!(elsewhere.get("/").await.status(), StatusCode::UNAUTHORIZED);

    // Only its own pages change anything or open a WebSocket.
    let own = format!("http://{}", pages.host);
    let post = async |origin: &str| {
        pages.request(Method::POST, "/form").header("origin", origin).body("a=b").send().await.unwrap()
    };
    assert_eq!(post(&app.url).await.status(), StatusCode::FORBIDDEN);
    let told = post(&own).await.text().await.unwrap().to_lowercase();
    assert!(told.contains("origin: http://localhost:8123\r\n") && told.contains("content-length: 3\r\n"), "{told}");
    let cookie = pages.cookie.clone().unwrap();
    let headers = |origin| [("host", pages.host.as_str()), ("cookie", cookie.as_str()), ("origin", origin)];
    let refused = open(&app, "/socket", &headers(&app.url)).await;
    assert_eq!(refused.unwrap_err(), StatusCode::FORBIDDEN);
    let mut socket = open(&app, "/socket", &headers(&own)).await.unwrap();
    socket.send(Message::Text("hot reload".into())).await.unwrap();
    assert_eq!(next(&mut socket).await.unwrap(), Message::Text("hot reload".into()));
    let mut stream = pages.get("/stream").await;
    assert_eq!(stream.chunk().await.unwrap().unwrap().as_ref(), b"data: x\n\n");

    // What goes on for ever ends with the session, and nothing else is answered.
    viewer.call("/api/auth/logout").await.is(StatusCode::NO_CONTENT);
    let over = async { while let Ok(Some(_)) = stream.chunk().await {} };
    tokio::time::timeout(PATIENCE, over).await.unwrap();
    assert!(matches!(next(&mut socket).await, None | Some(Message::Close(_))));
    assert_eq!(pages.get("/").await.status(), StatusCode::UNAUTHORIZED);

    // A service that does not listen is told in words; one that was stopped has no pages.
    let wish = json!({ "name": "deaf", "command": "sleep 300", "port": 8124 });
    owner.post(&services, wish).await.is(StatusCode::CREATED);
    let url = owner.call(&format!("{services}/deaf/preview")).await.is(StatusCode::CREATED)["url"].clone();
    let pages = Pages::enter(&app, url.as_str().unwrap()).await;
    let answer = pages.get("/").await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(answer.text().await.unwrap().contains("nothing listens at port 8124"));
    let stopped = owner.call(&format!("{services}/deaf/stop")).await.is(StatusCode::OK);
    assert_eq!((&stopped["status"], &stopped["problem"]), (&json!("stopped"), &json!("Olga stopped it.")));
    assert_eq!(pages.get("/").await.status(), StatusCode::UNAUTHORIZED);
    owner.call(&format!("{services}/deaf/preview")).await.is_problem(StatusCode::CONFLICT, "service-ended");
    owner.call(&format!("{services}/none/stop")).await.is_problem(StatusCode::NOT_FOUND, "not-found");

    // One that another server of the same database runs is told of in words.
    let theirs = NewService {
        id: ServiceId::new(),
        run: run.rsplit('/').next().unwrap().parse().unwrap(),
        name: "theirs".to_owned(),
        command: "perl serve.pl".to_owned(),
        port: Some(8123),
        member: None,
        node: NodeId::new(),
        until: None,
        label: guildhall_team::preview_label(),
    };
    app.app.team.store.begin_service(theirs).await.unwrap().unwrap();
    let url = owner.call(&format!("{services}/theirs/preview")).await.is(StatusCode::CREATED)["url"].clone();
    let answer = Pages::enter(&app, url.as_str().unwrap()).await.get("/").await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    let told = answer.text().await.unwrap();
    assert!(told.contains("The service theirs runs on another server of this Guildhall, and its pages"), "{told}");
    owner.call(&format!("{services}/theirs/stop")).await.is_problem(StatusCode::CONFLICT, "other-node");
    owner.get(&format!("{services}/theirs/log")).await.is_problem(StatusCode::CONFLICT, "other-node");
    let actions = "service.start,service.stop,preview.open".split(',');
    for action in actions {
        let audit = owner.get(&format!("/api/audit?action={action}")).await.is(StatusCode::OK);
        assert!(!audit["items"].as_array().unwrap().is_empty(), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_end_with_a_session_that_ran_out_while_much_else_happens() {
    // It is looked at less often than the services print something.
    let listening = Listening { recheck: std::time::Duration::from_millis(700), ..Listening::default() };
    let app = TestApp::with(Wish { listening, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let (_, run) = waits(&mut owner).await;
    let services = format!("{run}/services");
    let wish = json!({ "name": "web", "command": "perl serve.pl", "port": 8123 });
    owner.post(&services, wish).await.is(StatusCode::CREATED);
    owner.until(&format!("{services}/web/log"), |log| log["text"] == "listening\n").await;
    let wish = json!({ "name": "loud", "command": "while :; do echo x; sleep 0.05; done" });
    owner.post(&services, wish).await.is(StatusCode::CREATED);
    let url = owner.call(&format!("{services}/web/preview")).await.is(StatusCode::CREATED)["url"].clone();
    let pages = Pages::enter(&app, url.as_str().unwrap()).await;
    let mut stream = pages.get("/stream").await;
    assert_eq!(stream.chunk().await.unwrap().unwrap().as_ref(), b"data: x\n\n");
    let sessions = owner.get("/api/auth/sessions").await.is(StatusCode::OK);
    let session: SessionId = sessions[0]["id"].as_str().unwrap().parse().unwrap();
    app.app.team.store.forget_session(session).await.unwrap();
    let over = async { while let Ok(Some(_)) = stream.chunk().await {} };
    tokio::time::timeout(PATIENCE / 2, over).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_page_of_a_service_holds_so_many_sockets_and_no_more() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let (_, run) = waits(&mut owner).await;
    let services = format!("{run}/services");
    let wish = json!({ "name": "web", "command": "perl serve.pl", "port": 8123 });
    owner.post(&services, wish).await.is(StatusCode::CREATED);
    owner.until(&format!("{services}/web/log"), |log| log["text"] == "listening\n").await;
    let url = owner.call(&format!("{services}/web/preview")).await.is(StatusCode::CREATED)["url"].clone();
    let pages = Pages::enter(&app, url.as_str().unwrap()).await;
    let (cookie, own) = (pages.cookie.clone().unwrap(), format!("http://{}", pages.host));
    let headers = [("host", pages.host.as_str()), ("cookie", cookie.as_str()), ("origin", own.as_str())];
    let mut held = Vec::new();
    for _ in 0..50 {
        held.push(open(&app, "/socket", &headers).await.unwrap());
    }
    assert_eq!(open(&app, "/socket", &headers).await.unwrap_err(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(pages.get("/").await.status(), StatusCode::OK, "the page itself is shown");
    // The house's own are counted apart.
    drop(owner.listen("").await.unwrap());
    drop(held.pop());
    let again = async {
        while open(&app, "/socket", &headers).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}

/// Reads what a terminal shows until `wanted` is there, and says that it was shown.
pub async fn until(socket: &mut Socket, wanted: &str) -> String {
    let mut shown = String::new();
    let late = tokio::time::Instant::now() + PATIENCE;
    while !shown.contains(wanted) {
        // Pings alone are no sign of life.
        let message = tokio::time::timeout_at(late, next(socket)).await;
        match message.unwrap_or_else(|_| panic!("waited in vain for {wanted:?}; {shown:?}")) {
            Some(Message::Binary(bytes)) => {
                shown.push_str(&String::from_utf8_lossy(&bytes));
                let told = json!({ "type": "shown", "bytes": bytes.len() });
                socket.send(Message::Text(told.to_string().into())).await.unwrap();
            }
            other => panic!("{other:?} before {wanted:?}; {shown:?}"),
        }
    }
    shown
}

async fn types(socket: &mut Socket, line: &str) {
    socket.send(Message::Binary(format!("{line}\n").into_bytes().into())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_terminal_is_a_members_own_holds_back_and_ends_with_the_session() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let (feature, run) = waits(&mut owner).await;
    let path = format!("{run}/terminal?columns=90&rows=20");
    let cookie = owner.cookie.clone().unwrap();
    let other = app.member(MemberRole::Member).await.cookie.unwrap();
    let (token, _) = owner.token(Scope::ALL).await;
    let bearer = format!("Bearer {token}");
    let own = ("origin", app.url.as_str());
    for (headers, why) in [
        (&[own][..], StatusCode::UNAUTHORIZED),
        (&[("cookie", cookie.as_str())], StatusCode::FORBIDDEN),
        (&[("cookie", &cookie), ("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (&[("cookie", &other), own], StatusCode::FORBIDDEN),
        (&[("authorization", &bearer)], StatusCode::FORBIDDEN),
    ] {
        assert_eq!(open(&app, &path, headers).await.unwrap_err(), why, "{headers:?}");
    }

    let mut socket = open(&app, &path, &[("cookie", &cookie), own]).await.unwrap();
    let ready = next(&mut socket).await.unwrap().into_text().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&ready).unwrap(), json!({ "type": "ready", "readOnly": false }));
    types(&mut socket, "stty size; ls *.pl; id -un").await;
    until(&mut socket, "20 90\r\nserve.pl\r\nagent\r\n").await;
    socket.send(Message::Text(r#"{"type":"resize","columns":120,"rows":40}"#.into())).await.unwrap();
    types(&mut socket, "stty size; printf 'gr\\303\\274n\\n'; echo hand > hand.txt").await;
    until(&mut socket, "40 120\r\ngrün\r\n").await;

    // A page that shows nothing holds the shell up, and misses nothing.
    types(&mut socket, "seq 200000; echo end-$((1 + 1))").await;
    let mut shown = Vec::new();
    while let Ok(message) = tokio::time::timeout(std::time::Duration::from_millis(700), next(&mut socket)).await {
        let Some(Message::Binary(bytes)) = message else { panic!("{message:?}") };
        shown.extend(bytes);
        assert!(shown.len() < 256 * 1024, "it does not wait");
    }
    let told = json!({ "type": "shown", "bytes": shown.len() });
    socket.send(Message::Text(told.to_string().into())).await.unwrap();
    shown.extend(until(&mut socket, "end-2\r\n").await.into_bytes());
    // The shell tells the terminal that a line was taken, in front of the first.
    let shown = String::from_utf8(shown).unwrap().replace("\x1b[?2004l\r", "");
    assert_eq!(shown.lines().filter(|line| line.parse::<u32>().is_ok()).count(), 200_000);

    // It ends with the session, and what was changed is kept.
    owner.clone().call("/api/auth/logout").await.is(StatusCode::NO_CONTENT);
    let closed = loop {
        match next(&mut socket).await {
            Some(Message::Close(Some(frame))) => break u16::from(frame.code),
            Some(Message::Binary(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(closed, 4401);
    let login = json!({ "email": "olga@example.com", "password": crate::harness::PASSWORD });
    owner.post("/api/auth/login", login).await.is(StatusCode::OK);
    let diff = owner.get(&format!("{feature}/diff")).await.is(StatusCode::OK);
    let files: Vec<&str> =
        diff["files"].as_array().unwrap().iter().filter_map(|file| file["newPath"].as_str()).collect();
    assert_eq!(files, ["hand.txt", "serve.pl"]);
    let audit = owner.get("/api/audit?action=terminal.open").await.is(StatusCode::OK);
    assert_eq!(audit["items"].as_array().unwrap().len(), 1);
    assert_eq!(audit["items"][0]["detail"]["readOnly"], "false");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_typed_until_a_deed_is_part_of_what_it_takes() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let (feature, run) = waits(&mut owner).await;
    let cookie = owner.cookie.clone().unwrap();
    let sits = [("cookie", cookie.as_str()), ("origin", app.url.as_str())];
    let mut socket = open(&app, &format!("{run}/terminal"), &sits).await.unwrap();
    types(&mut socket, "echo hand > hand.txt; echo done-$((1 + 1))").await;
    assert!(next(&mut socket).await.unwrap().is_text());
    until(&mut socket, "done-2\r\n").await;
    // A deed that is refused sends nobody away.
    owner.call(&format!("{feature}/retry")).await.is(StatusCode::CONFLICT);
    types(&mut socket, "echo more >> hand.txt; echo done-$((2 + 1))").await;
    until(&mut socket, "done-3\r\n").await;
    let verified = owner.call(&format!("{feature}/verify")).await.is(StatusCode::ACCEPTED);
    assert_eq!(verified["feature"]["filesChanged"], 2, "{verified}");
    let closed = loop {
        match next(&mut socket).await {
            Some(Message::Close(Some(frame))) => break u16::from(frame.code),
            Some(Message::Binary(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(closed, 4423);
    owner.call(&format!("{feature}/merge")).await.is(StatusCode::OK);
    let text = owner.get(&format!("{feature}/files?path=hand.txt&side=head")).await;
    assert_eq!((text.status, text.text().as_str()), (StatusCode::OK, "hand\nmore\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_terminal_blots_secrets_out_and_holds_back_nothing_for_long() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let (feature, run) = waits(&mut owner).await;
    let card = owner.get(&feature).await.is(StatusCode::OK);
    let team = &app.app.team;
    let member = team.store.members(None, 1).await.unwrap().remove(0);
    let project = card["projectId"].as_str().unwrap().parse().unwrap();
    team.put_project_secret(guildhall_team::By::in_person(&member), project, "TOKEN", "tok/0123+secret=value", None)
        .await
        .unwrap();
    let cookie = owner.cookie.clone().unwrap();
    let sits = [("cookie", cookie.as_str()), ("origin", app.url.as_str())];
    let mut socket = open(&app, &format!("{run}/terminal"), &sits).await.unwrap();
    assert!(next(&mut socket).await.unwrap().is_text());
    types(&mut socket, "printf 'tok/0123%s\\n' '+secret=value'; echo end-$((1 + 1))").await;
    let shown = until(&mut socket, "end-2\r\n").await;
    assert!(shown.contains("[secret TOKEN]") && !shown.contains("tok/0123+secret=value"), "{shown:?}");
    // It may be the beginning of one, and nothing more comes.
    types(&mut socket, "printf 'to%s' 'k/0123+s'; read").await;
    until(&mut socket, "tok/0123+s").await;
}
