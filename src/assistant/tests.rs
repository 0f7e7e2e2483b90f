//! The assistant as a client meets it: conversations, names of tools, what is beside them, and scripts that are broken.

use super::*;
use crate::exchange::{Body, Content, Version};
use script::Reach;
use std::path::Path;

const URL: &str = "https://api.anthropic.com/v1/messages?beta=true";

fn request(url: &str, body: &Value) -> Request {
    let headers: Headers =
        [("content-type", "application/json"), ("user-agent", "claude-cli/2.1.329 (external, cli)")].into_iter().collect();
    let content = Content::of(body.to_string().into(), &headers);
    let body = Body { content, ..Body::default() };
    Request { method: "POST".into(), url: url.into(), version: Version::Http11, headers, body, trailers: Headers::new() }
}

fn script(text: &str) -> Script {
    Script::parse(Path::new("s.yaml"), text).unwrap()
}

/// A client that keeps a conversation: it sends what it has, adds the answer, and answers each call with these words.
struct Client {
    tools: Value,
    messages: Vec<Value>,
}

impl Client {
    fn new(tools: &[&str]) -> Self {
        let tools = tools.iter().map(|name| json!({"name": name, "input_schema": {"type": "object"}})).collect();
        Self { tools, messages: Vec::new() }
    }

    fn prompt(&mut self, script: &Script, words: &str) -> (Vec<String>, String) {
        self.messages.push(json!({"role": "user", "content": words}));
        let mut called = Vec::new();
        loop {
            let body = json!({"model": "m", "max_tokens": 99, "messages": self.messages, "tools": self.tools});
            let request = request(URL, &body);
            let endpoint = Endpoint::parse(URL).unwrap();
            let answer = script.answer(&request, Door::of(&request, &endpoint).unwrap());
            assert_eq!(script.answer(&request, Door::Messages), answer, "a repeated request gets the same answer");
            let message: Value = serde_json::from_slice(&answer.reply.body()).unwrap();
            let blocks = message["content"].as_array().unwrap().clone();
            self.messages.push(json!({"role": "assistant", "content": blocks}));
            let calls: Vec<&Value> = blocks.iter().filter(|block| block["type"] == "tool_use").collect();
            assert_eq!(message["stop_reason"], if calls.is_empty() { "end_turn" } else { "tool_use" });
            if calls.is_empty() {
                return (called, blocks[0]["text"].as_str().unwrap().to_owned());
            }
            let result = |call: &&Value| json!({"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "text", "text": "a\n result"}]});
            let results: Vec<Value> = calls.iter().map(result).collect();
            called.push(
                calls.iter().map(|call| format!("{} {}", call["name"].as_str().unwrap(), call["input"])).collect::<Vec<_>>().join(" + "),
            );
            self.messages.push(json!({"role": "user", "content": results}));
        }
    }
}

const TWO_TURNS: &str = "
assistant: 1
steps:
  - tool: echo
    arguments: {text: hi}
  - together:
      - tool: lab/add
        arguments: {a: 1}
      - tool: Read
  - text: That was the first turn.
  - tool: mcp__lab__echo
";

#[test]
fn a_script_goes_on_where_the_conversation_is_and_begins_again_at_its_end() {
    let script = script(TWO_TURNS);
    let mut client = Client::new(&["Read", "mcp__lab__echo", "mcp__lab__add", "mcp__other__add"]);
    for _ in 0..2 {
        let (called, text) = client.prompt(&script, "go");
        assert_eq!(called, [r#"mcp__lab__echo {"text":"hi"}"#, r#"mcp__lab__add {"a":1} + Read {}"#]);
        assert_eq!(text, "That was the first turn.");
        let (called, text) = client.prompt(&script, "and on");
        assert_eq!((called, text.as_str()), (vec!["mcp__lab__echo {}".to_owned()], "The tool mcp__lab__echo said: a result"));
    }
    let ids: Vec<String> = client
        .messages
        .iter()
        .flat_map(|message| message["content"].as_array().cloned().unwrap_or_default())
        .filter_map(|block| block["id"].as_str().map(str::to_owned))
        .collect();
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), unique.len()), (8, 8));
}

#[test]
fn a_tool_that_is_not_offered_is_named_and_the_rest_is_called() {
    let script = script(TWO_TURNS);
    let (called, text) = Client::new(&["Read", "mcp__lab__list"]).prompt(&script, "go");
    assert_eq!(called, ["Read {}"]);
    assert_eq!(
        text,
        "authtape: the client offers no tool echo, lab/add; of MCP servers it offers mcp__lab__list\nThat was the first turn."
    );
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "go"}], "tools": [{"name": "Read"}]});
    let only_echo = Script::new(vec![Turn { steps: vec![Step { calls: vec![call("echo")] }], text: None }]);
    let answer = only_echo.answer(&request(URL, &body), Door::Messages);
    assert_eq!(answer.did, Did::Said { missing: vec!["echo".into()], offered: vec![] });
    let message: Value = serde_json::from_slice(&answer.reply.body()).unwrap();
    assert_eq!(message["content"][0]["text"], "authtape: the client offers no tool echo; it offers no tool of an MCP server");
}

fn call(name: &str) -> Call {
    Call { name: name.into(), arguments: Default::default(), reach: Reach::Servers { description: None } }
}

#[test]
fn a_tape_s_tool_is_found_under_the_client_s_name_of_it() {
    let found = |agent: &str, offered: &[&str], call: &Call| {
        let tools: Value = offered.iter().map(|name| json!({"name": name, "description": format!("describes {name}")})).collect();
        let body = json!({"tools": tools});
        offer::Offer::of(&body, agent == "claude").find(call).map(str::to_owned)
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(found("claude", &["Read", "mcp__my_srv__Read"], &call("Read")), some("mcp__my_srv__Read"));
    assert_eq!(found("claude", &["Read"], &call("Read")), None, "a tool of the client itself is not the tape's");
    assert_eq!(found("claude", &["mcp__a__x__get_me", "mcp__a__get_me"], &call("get.me")), some("mcp__a__get_me"));
    assert_eq!(found("claude", &["mcp__a_b__get"], &call("a.b/get")), some("mcp__a_b__get"));
    assert_eq!(found("claude", &["mcp__c__get"], &call("a.b/get")), None);
    assert_eq!(found("other", &["lab_echo"], &call("echo")), some("lab_echo"));
    assert_eq!(found("other", &["echo", "lab_echo"], &call("lab/echo")), some("lab_echo"));
    assert_eq!(found("other", &["echo"], &call("echo")), some("echo"));
    assert_eq!(found("other", &["reecho"], &call("echo")), None);
    let mut described = call("get");
    described.reach = Reach::Servers { description: Some("describes mcp__bb__get".into()) };
    assert_eq!(found("claude", &["mcp__a__get", "mcp__bb__get"], &described), some("mcp__bb__get"));
}

#[test]
fn a_tool_that_the_client_defers_is_called_by_its_name() {
    let told = "Deferred tools:\nCronList\nmcp__lab__echo\nan mcp__lab__other in a sentence";
    let body = json!({"model": "m", "tools": [{"name": "ToolSearch"}],
        "messages": [{"role": "user", "content": "go"}, {"role": "system", "content": [{"type": "text", "text": told}]}]});
    let answer = Script::new(vec![Turn { steps: vec![Step { calls: vec![call("echo")] }], text: None }])
        .answer(&request(URL, &body), Door::Messages);
    assert_eq!(answer.did, Did::Called(vec!["echo".into()]));
    let missing = Script::new(vec![Turn { steps: vec![Step { calls: vec![call("other")] }], text: None }])
        .answer(&request(URL, &body), Door::Messages);
    assert_eq!(missing.did, Did::Said { missing: vec!["other".into()], offered: vec!["mcp__lab__echo".into()] });
}

#[test]
fn what_is_beside_the_conversation_moves_nothing_and_gets_the_form_that_it_asks_for() {
    let script = script(TWO_TURNS);
    let schema =
        json!({"type": "object", "properties": {"title": {"type": "string"}, "n": {"type": "integer"}}, "required": ["title", "n"]});
    let messages = json!([{"role": "user", "content": "x"}]);
    let aside = |more: Value| {
        let mut body = json!({"model": "m", "messages": messages});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = script.answer(&request(URL, &body), Door::Messages);
        assert_eq!(answer.did, Did::Aside);
        serde_json::from_slice::<Value>(&answer.reply.body()).unwrap()["content"][0].clone()
    };
    assert_eq!(aside(json!({}))["text"], "authtape replay");
    // Claude Code's auto mode asks so whether a call is safe. A verdict is not ours to give; without one the client blocks the call.
    let check = aside(json!({"stop_sequences": ["</block>"], "system": "You are a security monitor. Answer <block>yes or <block>no."}));
    assert_eq!(check["text"], "authtape replay");
    let tools = json!([{"name": "mcp__lab__echo"}, {"name": "title", "input_schema": schema}]);
    assert_eq!(aside(json!({"max_tokens": 1, "tools": tools}))["text"], "authtape replay");
    let format = json!({"type": "json_schema", "schema": schema});
    assert_eq!(aside(json!({"tools": [], "output_config": {"format": format}}))["text"], r#"{"title":"authtape replay","n":0}"#);
    let forced = aside(json!({"tools": tools, "tool_choice": {"type": "tool", "name": "title"}}));
    assert_eq!((&forced["name"], &forced["input"]), (&json!("title"), &json!({"title": "authtape replay", "n": 0})));
    let body = json!({"model": "m", "messages": messages, "tools": tools});
    let count = request("https://gateway.test/base/v1/messages/count_tokens", &body);
    let door = Door::of(&count, &Endpoint::parse(&count.url).unwrap()).unwrap();
    let answer = script.answer(&count, door);
    assert!(serde_json::from_slice::<Value>(&answer.reply.body()).unwrap()["input_tokens"].as_u64().unwrap() > 10);
}

#[test]
fn events_tell_the_same_message() {
    let body = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "x"}], "tools": [{"name": "mcp__lab__echo"}]});
    let answer = script("assistant: 1\nsteps: [{tool: echo, arguments: {text: a}}]").answer(&request(URL, &body), Door::Messages);
    assert_eq!(answer.reply.headers.media_type().as_deref(), Some("text/event-stream"));
    let text = String::from_utf8(answer.reply.body()).unwrap();
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(
        names,
        ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"]
    );
    assert!(text.contains(r#""partial_json":"{\"text\":\"a\"}""#) && text.contains(r#""stop_reason":"tool_use""#), "{text}");
}

#[test]
fn other_requests_are_not_taken_and_broken_ones_are_refused() {
    let door = |method: &str, url: &str, body: &Value| {
        let request = Request { method: method.into(), ..request(url, body) };
        Door::of(&request, &Endpoint::parse(url).unwrap())
    };
    let prompt = json!({"model": "m", "messages": []});
    assert_eq!(door("POST", "https://gateway.test/v1/messages", &prompt), Some(Door::Messages));
    assert_eq!(door("POST", "https://gateway.test/v1/messages", &json!({"jsonrpc": "2.0"})), None);
    assert_eq!(door("GET", URL, &prompt), None);
    assert_eq!(door("POST", "https://api.anthropic.com/v1/messages/batches", &prompt), None);
    let answer = script(TWO_TURNS).answer(&request(URL, &json!([1])), Door::Messages);
    assert_eq!((answer.reply.status, answer.did), (400, Did::Refused));
    let hostile = json!({"model": "m", "tools": [{"name": 1}, 2], "messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_authtape_x_99999999999999999999_1"}]}, 7]});
    assert_eq!(script(TWO_TURNS).answer(&request(URL, &hostile), Door::Messages).reply.status, 200);
}

#[test]
fn a_broken_script_is_named_by_line() {
    let error = |text: &str| Script::parse(Path::new("s.yaml"), text).unwrap_err().to_string();
    for (text, expected) in [
        ("# nothing\n", "s.yaml:1:1: an empty file"),
        ("assistant: 2\nsteps: [{text: a}]", "script version 2"),
        ("steps: [{text: a}]", "assistant"),
        ("assistant: 1\nsteps: []", "at least one step"),
        ("assistant: 1\nsteps:\n  - tool: a\n    text: b\n", "s.yaml:3:"),
        ("assistant: 1\nsteps:\n  - tool: a\n  - tool: \"\"\n", "s.yaml:4:"),
        ("assistant: 1\nsteps:\n  - tool: a\n    argument: {}\n", "argument"),
        ("assistant: 1\nsteps:\n  - tool: a\n    arguments: [1]\n", "s.yaml:4:"),
        ("assistant: 1\nsteps:\n  - together: []\n", "`together` names no tool"),
        ("assistant: 1\nsteps: [{text: \" \"}]\nmore: 1", "s.yaml:2:"),
    ] {
        let found = error(text);
        assert!(found.contains(expected), "{text:?}: {found}");
    }
    assert!(error(&format!("assistant: 1\n#{}", "x".repeat(FILE_LIMIT))).contains("a script may be"));
    let many = format!("assistant: 1\nsteps:\n{}", "  - text: a\n".repeat(1001));
    assert!(error(&many).contains("1000 steps"));
}
