//! The tools that a request offers, and which of them a script means: clients give the tools of MCP servers names of their own.

use super::NAMED;
use super::script::{Call, Reach};
use serde_json::Value;
use std::collections::BTreeSet;

/// What stands before the name of an MCP server's tool in Claude Code: `mcp__SERVER__TOOL`.
const PREFIX: &str = "mcp__";

/// The tools of a request.
pub(super) struct Offer<'a> {
    tools: Vec<Tool<'a>>,
    /// Names of tools that stand in the conversation only, because the client gives their definitions later. It takes calls of
    /// them all the same (measured with Claude Code 2.1.329, whose words say otherwise).
    deferred: BTreeSet<&'a str>,
    /// True for a client that has tools of its own beside those of MCP servers, and marks the latter.
    marks_servers: bool,
}

struct Tool<'a> {
    name: &'a str,
    description: &'a str,
}

impl<'a> Offer<'a> {
    pub(super) fn of(body: &'a Value, marks_servers: bool) -> Self {
        let listed = body["tools"].as_array().into_iter().flatten();
        let tools: Vec<Tool<'a>> = listed
            .filter_map(|tool| Some(Tool { name: tool["name"].as_str()?, description: tool["description"].as_str().unwrap_or_default() }))
            .collect();
        let defers = tools.iter().any(|tool| tool.name == "ToolSearch") || body["tools"].to_string().contains("\"defer_loading\":true");
        let mut deferred = BTreeSet::new();
        if defers {
            let messages = body["messages"].as_array().into_iter().flatten();
            messages.filter(|message| message["role"] != "assistant").for_each(|message| names_in(&message["content"], &mut deferred));
        }
        Self { tools, deferred, marks_servers }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.tools.iter().map(|tool| tool.name).chain(self.deferred.iter().copied())
    }

    /// The tools of MCP servers, as far as the client marks them; else all.
    pub(super) fn tools_of_servers(&self) -> impl Iterator<Item = &'a str> {
        self.names().filter(|name| !self.marks_servers || name.starts_with(PREFIX))
    }

    /// The name under which the client offers the tool of a call.
    pub(super) fn find(&self, call: &Call) -> Option<&'a str> {
        let wanted = call.name.as_str();
        let whole = self.names().find(|name| *name == wanted).filter(|name| match call.reach {
            Reach::Any => true,
            Reach::Servers { .. } => !self.marks_servers || name.starts_with(PREFIX),
        });
        // A tool of an MCP server comes before one of the client with the same name.
        self.of_servers(None, wanted, call)
            .or(whole)
            .or_else(|| wanted.split_once('/').and_then(|(server, tool)| self.of_servers(Some(server), tool, call)))
    }

    fn of_servers(&self, server: Option<&str>, tool: &str, call: &Call) -> Option<&'a str> {
        let tool = sanitised(tool);
        let fits = |name: &&'a str| match (name.strip_prefix(PREFIX), server) {
            (Some(rest), Some(server)) => rest.strip_suffix(&tool).and_then(|rest| rest.strip_suffix("__")) == Some(&sanitised(server)),
            (Some(rest), None) => rest.strip_suffix(&tool).is_some_and(|rest| rest.len() > 2 && rest.ends_with("__")),
            (None, _) if self.marks_servers => false,
            // Other clients: `lab_echo`, `lab.echo`, `lab__echo`.
            (None, Some(server)) => name.strip_suffix(&tool).is_some_and(|rest| rest.trim_end_matches(is_joint) == sanitised(server)),
            (None, None) => name.strip_suffix(&tool).is_some_and(|rest| !rest.is_empty() && rest.ends_with(is_joint)),
        };
        let candidates: Vec<&'a str> = self.names().filter(fits).collect();
        let shortest = candidates.iter().copied().min_by_key(|name| name.len());
        let Reach::Servers { description: Some(description) } = &call.reach else { return shortest };
        let is_described = |name: &&str| self.tools.iter().any(|own| own.name == *name && own.description == description);
        candidates.iter().copied().find(is_described).or(shortest)
    }

    /// What is said when tools are missing.
    pub(super) fn complaint(&self, missing: &[String]) -> String {
        let mut text = format!("authtape: the client offers no tool {}", missing.join(", "));
        let offered: Vec<&str> = self.tools_of_servers().take(NAMED).collect();
        if offered.is_empty() {
            text.push_str("; it offers no tool of an MCP server");
        } else {
            text.push_str(&format!("; of MCP servers it offers {}", offered.join(", ")));
        }
        text
    }
}

fn is_joint(c: char) -> bool {
    matches!(c, '_' | '-' | '.' | ':' | '/')
}

/// A name as clients write it where only letters, digits, `_` and `-` are allowed.
fn sanitised(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
}

/// Lines that are nothing but the name of an MCP server's tool.
fn names_in<'a>(content: &'a Value, into: &mut BTreeSet<&'a str>) {
    let is_name = |line: &&str| line.starts_with(PREFIX) && !line.contains(char::is_whitespace);
    match content {
        Value::String(text) => into.extend(text.lines().map(str::trim).filter(is_name)),
        Value::Array(blocks) => blocks.iter().for_each(|block| names_in(&block["text"], into)),
        _ => {}
    }
}
