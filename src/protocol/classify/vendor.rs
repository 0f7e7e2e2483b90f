//! Rules for traffic that is neither OAuth nor MCP but stands beside it: the model's API, telemetry, and whatever else is sent
//! an access token of this run.

use super::sight::Sight;
use super::{Classified, high, sure};
use crate::exchange::End;
use crate::protocol::credentials::Bearer;
use crate::protocol::kind::Kind;

/// Hosts and paths of model APIs that are known by name. A path matches with everything below it.
const MODEL_APIS: &[(&str, &str)] = &[
    ("api.anthropic.com", "/v1/messages"),
    ("api.anthropic.com", "/v1/complete"),
    ("api.openai.com", "/v1/responses"),
    ("api.openai.com", "/v1/chat/completions"),
    ("chatgpt.com", "/backend-api/codex/responses"),
    ("cloudcode-pa.googleapis.com", "/v1internal:generateContent"),
    ("cloudcode-pa.googleapis.com", "/v1internal:streamGenerateContent"),
];

/// Hosts and paths of telemetry. A host that begins with a dot matches every name below it. Only what takes in data is listed:
/// several of these vendors run MCP servers under the same domain.
const TELEMETRY: &[(&str, &str)] = &[
    ("api.anthropic.com", "/api/event_logging"),
    ("api.anthropic.com", "/api/claude_code/metrics"),
    ("api.anthropic.com", "/api/claude_code/organizations/metrics_enabled"),
    ("api.anthropic.com", "/api/metrics"),
    ("api.anthropic.com", "/api/eval"),
    ("statsig.anthropic.com", "/"),
    ("api.statsig.com", "/v1/rgstr"),
    ("api.statsig.com", "/v1/initialize"),
    ("api.statsig.com", "/v1/sdk_exception"),
    ("statsigapi.net", "/"),
    (".statsigapi.net", "/"),
    ("featureassets.org", "/"),
    ("featuregates.org", "/"),
    ("prodregistryv2.org", "/"),
    ("cdn.growthbook.io", "/"),
    ("ab.chatgpt.com", "/"),
    ("chatgpt.com", "/ces/"),
    ("chatgpt.com", "/backend-api/codex/analytics-events"),
    ("play.googleapis.com", "/log"),
    ("clearcut.googleapis.com", "/"),
    ("www.google-analytics.com", "/"),
    (".ingest.sentry.io", "/"),
    (".ingest.us.sentry.io", "/"),
    (".ingest.de.sentry.io", "/"),
    ("api.segment.io", "/"),
    ("cdn.segment.com", "/"),
    ("api2.amplitude.com", "/"),
    ("api.amplitude.com", "/"),
    ("api.mixpanel.com", "/"),
    ("api-js.mixpanel.com", "/"),
    ("us.i.posthog.com", "/"),
    ("eu.i.posthog.com", "/"),
    ("app.posthog.com", "/capture"),
    ("app.posthog.com", "/batch"),
    ("app.posthog.com", "/decide"),
    ("events.launchdarkly.com", "/"),
    ("clientstream.launchdarkly.com", "/"),
    ("mobile.events.data.microsoft.com", "/"),
    ("dc.services.visualstudio.com", "/"),
    ("default.exp-tas.com", "/"),
    ("notify.bugsnag.com", "/"),
    ("sessions.bugsnag.com", "/"),
];

/// Rule 12: a model's API. Known hosts by path; gateways by path and by a body that has a model and messages.
pub(super) fn model_api(sight: &Sight<'_>) -> Option<Classified> {
    if !sight.is("POST") {
        return None;
    }
    if MODEL_APIS.iter().any(|(host, path)| sight.host() == *host && is_below(sight.path(), path)) {
        return Some(high(Kind::LlmApi));
    }
    if !has_model_path(sight.path()) {
        return None;
    }
    let has_credential = ["authorization", "x-api-key", "api-key", "x-goog-api-key"].iter().any(|name| sight.headers().has(name));
    let body = sight.body();
    let is_prompt = body.has("contents") || (body.has("model") && (body.has("messages") || body.has("input")));
    if is_prompt {
        return Some(sure(Kind::LlmApi, has_credential));
    }
    // A stored head holds `tools` at most, and a body that was cut cannot be read: neither may become anything that is stored whole.
    let is_hidden = body.names().all(|name| name == "tools");
    let is_cut = matches!(sight.exchange.request.body.end, End::Cut { .. });
    (is_hidden && (has_credential || is_cut)).then(|| sure(Kind::LlmApi, false))
}

/// Rule 12: telemetry.
pub(super) fn telemetry(sight: &Sight<'_>) -> Option<Classified> {
    let (host, path) = (sight.host(), sight.path());
    let is_host = |pattern: &str| if pattern.starts_with('.') { host.ends_with(pattern) } else { host == pattern };
    let is_listed = TELEMETRY.iter().any(|(pattern, prefix)| is_host(pattern) && is_below(path, prefix));
    // Datadog has an intake host in each region.
    let is_datadog = host.ends_with(".datadoghq.com") || host.ends_with(".datadoghq.eu");
    let is_intake = host.starts_with("http-intake.") || host.starts_with("browser-intake");
    (is_listed || (is_datadog && is_intake) || host.starts_with("browser-intake-datadoghq.")).then(|| high(Kind::Telemetry))
}

/// Whatever else is sent an access token that this run issued: a vendor's profile, roles, organizations. A resource server,
/// whatever it speaks.
pub(super) fn account(sight: &Sight<'_>) -> Option<Classified> {
    let bearer = Bearer::of(&sight.exchange.request)?;
    sight.map.has_issued(&bearer.token).then(|| high(Kind::AccountApi))
}

/// The paths under which gateways offer a model's API: Messages, Responses, Chat Completions, Gemini.
fn has_model_path(path: &str) -> bool {
    const ENDS: &[&str] = &["/v1/messages", "/chat/completions", "/responses", ":generateContent", ":streamGenerateContent"];
    ENDS.iter().any(|end| path.ends_with(end)) || path.contains("/v1/messages/")
}

/// True when `path` is `prefix` or lies below it.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'))
}
