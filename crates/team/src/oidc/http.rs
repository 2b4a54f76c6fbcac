//! Calls to providers: no redirects, and bounds on time and size.

use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::Response;

use crate::TeamError;

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);
/// Bytes of an answer at most. Documents, keys and tokens are a few thousand.
const ANSWER: usize = 512 * 1024;

/// Calls a provider. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Http(reqwest::Client);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("the provider did not answer")]
    Failed(#[from] reqwest::Error),
    #[error("the provider's answer is larger than {ANSWER} bytes")]
    TooLarge,
    #[error("the provider's answer is no HTTP")]
    Unreadable(#[from] openidconnect::http::Error),
}

/// What every client that goes out for a sign-in has in common.
pub(crate) fn careful() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .user_agent(concat!("guildhall/", env!("CARGO_PKG_VERSION")))
}

/// The bytes of an answer; nothing when there are more than `most`.
pub(crate) async fn bounded(mut response: Response, most: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if bytes.len() + piece.len() > most {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes))
}

impl Http {
    pub(super) fn new() -> Result<Self, TeamError> {
        let client = careful().build().map_err(|error| TeamError::internal("making an HTTP client", error))?;
        Ok(Self(client))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.execute(request.try_into()?).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = bounded(response, ANSWER).await?.ok_or(HttpError::TooLarge)?;
        let mut answer = openidconnect::http::Response::builder().status(status).body(bytes)?;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
