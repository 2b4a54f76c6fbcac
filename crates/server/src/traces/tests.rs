//! A collector that is away, slow, full or talks nonsense, and a queue with an end.

use std::sync::atomic::AtomicUsize;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;

use super::*;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn serve(router: Router) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    format!("http://{address}/v1/traces").parse().unwrap()
}

/// What becomes of so many spans, of which a queue has room for 4, when they are sent there and then told to stop.
async fn told(endpoint: Url, spans: usize) -> Told {
    let counts = Arc::new(Counts::default());
    let (queue, waiting) = Queue::new(4, Arc::clone(&counts));
    let collector = Collector { endpoint, headers: Vec::new(), service: "hall".to_owned(), share: Share::default() };
    let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
    let tracer = provider.tracer("test");
    for _ in 0..spans {
        let mut span = tracer.start("work");
        span.set_attribute(KeyValue::new("password", "a secret that somebody put there"));
        span.add_event("a secret that somebody put there", Vec::new());
        span.end();
    }
    let stop = CancellationToken::new();
    let resource = Resource::builder_empty().build();
    let line = Line::to(&collector).unwrap();
    let sender = Sender::new(line, waiting, &resource, Arc::clone(&counts), stop.clone());
    stop.cancel();
    tokio::time::timeout(PATIENCE, sender.send_until_stopped()).await.unwrap();
    Traces(Arc::new(Inner { counts, stop, sending: Mutex::default() })).told()
}

#[tokio::test]
async fn what_finds_no_room_is_dropped_and_counted() {
    let router = Router::new().route(
        "/v1/traces",
        post(|body: axum::body::Bytes| async move {
            assert!(!String::from_utf8_lossy(&body).contains("secret"));
        }),
    );
    assert_eq!(told(serve(router).await, 10).await, Told { sent: 4, dropped: 6, refused: 0 });
}

#[tokio::test]
async fn a_collector_that_is_away_refuses_or_talks_nonsense_harms_nobody() {
    let away = "http://127.0.0.1:9/v1/traces".parse().unwrap();
    assert_eq!(told(away, 3).await, Told { sent: 0, dropped: 0, refused: 3 });
    let nonsense = Router::new().route("/v1/traces", post(|| async { vec![b'x'; 200_000] }));
    assert_eq!(told(serve(nonsense).await, 3).await, Told { sent: 3, dropped: 0, refused: 0 });
    let refuses = Router::new().route("/v1/traces", post(|| async { StatusCode::FORBIDDEN }));
    assert_eq!(told(serve(refuses).await, 3).await, Told { sent: 0, dropped: 0, refused: 3 });
    let partly = Router::new().route(
        "/v1/traces",
        post(|| async {
            let partial_success = Some(ExportTracePartialSuccess { rejected_spans: 2, error_message: "no".to_owned() });
            ExportTraceServiceResponse { partial_success }.encode_to_vec()
        }),
    );
    assert_eq!(told(serve(partly).await, 3).await, Told { sent: 1, dropped: 0, refused: 2 });
}

#[tokio::test]
async fn a_batch_for_which_there_is_no_time_now_is_sent_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&tries);
    let busy = Router::new().route(
        "/v1/traces",
        post(move || {
            let first = seen.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")])
                } else {
                    (StatusCode::OK, [("x", "y")])
                }
            }
        }),
    );
    let counts = Arc::new(Counts::default());
    let (queue, waiting) = Queue::new(4, Arc::clone(&counts));
    let endpoint = serve(busy).await;
    let collector = Collector { endpoint, headers: Vec::new(), service: "hall".to_owned(), share: Share::default() };
    let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
    for _ in 0..4 {
        drop(provider.tracer("test").start("work"));
    }
    // The queue ends, and with it the batch, without anybody telling the sender to stop.
    drop(provider);
    let resource = Resource::builder_empty().build();
    let stop = CancellationToken::new();
    let line = Line::to(&collector).unwrap();
    let sender = Sender::new(line, waiting, &resource, Arc::clone(&counts), stop.clone());
    tokio::time::timeout(PATIENCE, sender.send_until_stopped()).await.unwrap();
    assert_eq!(tries.load(Ordering::SeqCst), 2);
    assert_eq!(counts.sent.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_no_stop() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap()).parse().unwrap();
    let counts = Arc::new(Counts::default());
    let (queue, waiting) = Queue::new(4, Arc::clone(&counts));
    let collector = Collector { endpoint, headers: Vec::new(), service: "hall".to_owned(), share: Share::default() };
    let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
    drop(provider.tracer("test").start("work"));
    let stop = CancellationToken::new();
    let line = Line::to(&collector).unwrap();
    let sender = Sender::new(line, waiting, &Resource::builder_empty().build(), Arc::clone(&counts), stop.clone());
    let sending = Mutex::new(Some(tokio::spawn(sender.send_until_stopped())));
    let traces = Traces(Arc::new(Inner { counts, stop, sending }));
    traces.end(Duration::from_millis(200)).await;
    assert_eq!(traces.told(), Told::default(), "neither sent nor known to be refused");
    drop(listener);
}
