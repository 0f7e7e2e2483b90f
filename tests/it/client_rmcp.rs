//! The reference client against servers of the `rmcp` crate, with the model's gate and authorization server in front.

use crate::client::{Home, logins, refreshes, story};
use authtape::demo::{Plan, World};
use axum::Router;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, DiscoverResult, ErrorCode, ErrorData, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use std::time::Duration;

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Sum {
    a: i64,
    b: i64,
}

/// A server that speaks both eras.
#[derive(Clone)]
struct Adder;

#[tool_router]
impl Adder {
    #[tool(description = "Adds two numbers")]
    fn add(&self, Parameters(Sum { a, b }): Parameters<Sum>) -> String {
        (a + b).to_string()
    }
}

#[tool_handler]
impl ServerHandler for Adder {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

/// A server that does not know discovery.
#[derive(Clone)]
struct OldAdder;

#[tool_router]
impl OldAdder {
    #[tool(description = "Adds two numbers")]
    fn add(&self, Parameters(Sum { a, b }): Parameters<Sum>) -> String {
        (a + b).to_string()
    }
}

#[tool_handler]
impl ServerHandler for OldAdder {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn discover(&self, _context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "Method not found", None))
    }
}

async fn world<S: ServerHandler + Clone + Sync>(server: S, config: StreamableHttpServerConfig) -> World {
    let service = StreamableHttpService::<S, LocalSessionManager>::new(move || Ok(server.clone()), Default::default(), config);
    let inner = Router::new().nest_service("/mcp", service);
    World::start(Plan { inner: Some(inner), ..Plan::default() }).await.expect("two ports")
}

async fn adds(world: &World, home: &Home) -> String {
    let run = home.run(&world.url, &["--list", "--tool", "add", "--arguments", r#"{"a":20,"b":22}"#]).await;
    assert_eq!((run.code, run.out.lines().last()), (Some(0), Some("42")), "{run:?} {:?}", story(world));
    run.out
}

#[tokio::test]
async fn a_modern_server_answers_without_a_session() {
    for json in [true, false] {
        let config = StreamableHttpServerConfig::default().with_json_response(json);
        let (world, home) = (world(Adder, config).await, Home::new());
        assert!(adds(&world, &home).await.contains("MCP 2026-07-28"));
        assert_eq!(logins(&world), 1);
        assert!(!story(&world).iter().any(|line| line.starts_with("GET /mcp") || line.starts_with("DELETE")));
    }
}

/// A server whose tool wants an argument in a header too.
#[derive(Clone)]
struct Router2026;

impl Router2026 {
    fn tool() -> Tool {
        let schema = serde_json::json!({"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
        Tool::new("route", "Says where", schema.as_object().cloned().unwrap_or_default())
    }
}

impl ServerHandler for Router2026 {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: RequestContext<RoleServer>) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![Self::tool()]))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        (name == "route").then(Self::tool)
    }

    async fn call_tool(&self, call: CallToolRequestParams, _: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        let region = call.arguments.and_then(|arguments| arguments["region"].as_str().map(str::to_owned)).unwrap_or_default();
        Ok(CallToolResult::success(vec![ContentBlock::text(region)]).into())
    }
}

#[tokio::test]
async fn an_argument_goes_into_the_header_that_the_schema_names() {
    let config = StreamableHttpServerConfig::default().with_json_response(true);
    let (world, home) = (world(Router2026, config).await, Home::new());
    for list in [&["--list"][..], &[]] {
        let arguments = [list, &["--tool", "route", "--arguments", r#"{"region":"süd"}"#]].concat();
        let run = home.run(&world.url, &arguments).await;
        assert_eq!((run.code, run.out.lines().last()), (Some(0), Some("süd")), "{run:?} {:?}", story(&world));
    }
}

#[tokio::test]
async fn an_older_server_gets_a_session_with_its_stream() {
    let config = StreamableHttpServerConfig::default().with_legacy_session_mode(true);
    let (world, home) = (world(OldAdder, config).await, Home::new());
    assert!(adds(&world, &home).await.contains("MCP 2025-11-25"));
    let story = story(&world);
    assert!(story.contains(&"GET /mcp 200".to_owned()) && story.iter().any(|line| line.starts_with("DELETE /mcp 2")), "{story:?}");
}

#[tokio::test]
async fn an_older_server_without_sessions_is_served_too() {
    let config = StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true);
    let (world, home) = (world(OldAdder, config).await, Home::new());
    adds(&world, &home).await;
    assert!(!story(&world).iter().any(|line| line.starts_with("DELETE")));
}

#[tokio::test]
async fn an_expired_token_is_refreshed_in_front_of_any_server() {
    let (world, home) = (world(Adder, StreamableHttpServerConfig::default()).await, Home::new());
    adds(&world, &home).await;
    world.front.advance(Duration::from_secs(7200));
    adds(&world, &home).await;
    assert_eq!((logins(&world), refreshes(&world)), (1, 1));
}
