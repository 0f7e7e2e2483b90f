//! Scripts: what the assistant does, in turns. A turn is a number of steps with tool calls and ends with a text; the next prompt
//! of the conversation begins the next turn, and after the last one the first comes again. Here is also the YAML file that a
//! person writes; `cassettes/assistant.md` describes it.

use crate::cassette::Broken;
use crate::yaml;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt;
use std::path::Path;

/// The version of the file format.
pub const VERSION: u32 = 1;

/// How large a script may be, in bytes; how many steps and how many calls at once it may have; how long a tool's name may be.
pub const FILE_LIMIT: usize = 1 << 20;
const STEPS: usize = 1000;
const TOGETHER: usize = 32;
const NAME: usize = 256;

/// What the assistant does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    turns: Vec<Turn>,
}

/// What it does after a prompt.
#[derive(Clone, Default, PartialEq)]
pub struct Turn {
    /// The tool calls, one answer of the model each.
    pub steps: Vec<Step>,
    /// The words at the end; `None` for a summary of what the tools said.
    pub text: Option<String>,
}

/// Tool calls that are made at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The calls.
    pub calls: Vec<Call>,
}

/// A tool call.
#[derive(Clone, PartialEq)]
pub struct Call {
    /// The tool: its name at the MCP server, `SERVER/TOOL` with the server's name at the client, or the client's own name of it.
    pub name: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// Who may be meant.
    pub reach: Reach,
}

/// Which tools a name may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any that the client offers.
    Any,
    /// Those of MCP servers; of several with this name the one with this description.
    Servers {
        /// The description at the MCP server.
        description: Option<String>,
    },
}

impl Script {
    /// A script of these turns.
    pub fn new(turns: Vec<Turn>) -> Self {
        Self { turns }
    }

    /// A turn by its number in the conversation.
    pub(super) fn turn(&self, number: usize) -> &Turn {
        const NOTHING: &Turn = &Turn { steps: Vec::new(), text: None };
        number.checked_rem(self.turns.len()).and_then(|index| self.turns.get(index)).unwrap_or(NOTHING)
    }

    /// The names of all calls, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.turns.iter().flat_map(|turn| &turn.steps).flat_map(|step| &step.calls).map(|call| call.name.as_str())
    }

    /// Reads a script; `path` is for error messages.
    ///
    /// # Errors
    /// The text is no script, or larger than the limits allow: the line and what was expected.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Box<Broken>> {
        let broken = |line: u64, column: u64, message: String| {
            let shown = usize::try_from(line).ok().and_then(|line| text.lines().nth(line.saturating_sub(1)));
            let hint = Some("cassettes/assistant.md shows a whole script");
            Box::new(Broken { path: path.to_owned(), line, column, message, text: shown.unwrap_or_default().to_owned(), hint })
        };
        if text.len() > FILE_LIMIT {
            return Err(broken(1, 1, format!("a script may be {FILE_LIMIT} bytes, this one is {}", text.len())));
        }
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Err(broken(1, 1, format!("an empty file: expected a script, which begins with `assistant: {VERSION}`")));
        }
        let file: File = yaml::from_str(text).map_err(|error| broken(error.line, error.column, error.message))?;
        Ok(Self::new(turns(file.steps.0)))
    }
}

fn turns(steps: Vec<Written>) -> Vec<Turn> {
    let mut turns = vec![];
    let mut turn = Turn::default();
    for step in steps {
        match step {
            Written::Text(text) => turns.push(Turn { text: Some(text), ..std::mem::take(&mut turn) }),
            Written::Calls(calls) => turn.steps.push(Step { calls }),
        }
    }
    if !turn.steps.is_empty() {
        turns.push(turn);
    }
    turns
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "assistant")]
    _version: Version,
    steps: Steps,
}

#[derive(Deserialize)]
#[serde(try_from = "u32")]
struct Version;

#[derive(Deserialize)]
#[serde(try_from = "Vec<Written>")]
struct Steps(Vec<Written>);

/// A step as it is written.
#[derive(Deserialize)]
#[serde(try_from = "WireStep")]
enum Written {
    Calls(Vec<Call>),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireStep {
    tool: Option<ToolName>,
    arguments: Option<Map<String, Value>>,
    text: Option<String>,
    together: Option<Vec<WireCall>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCall {
    tool: ToolName,
    #[serde(default)]
    arguments: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct ToolName(String);

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        match version {
            VERSION => Ok(Self),
            _ => Err(format!("script version {version}; this authtape reads version {VERSION}")),
        }
    }
}

impl TryFrom<Vec<Written>> for Steps {
    type Error = String;

    fn try_from(steps: Vec<Written>) -> Result<Self, String> {
        match steps.len() {
            0 => Err("a script has at least one step".to_owned()),
            1..=STEPS => Ok(Self(steps)),
            count => Err(format!("a script may have {STEPS} steps, this one has {count}")),
        }
    }
}

impl TryFrom<String> for ToolName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.chars().count() {
            0 => Err("the name of a tool is empty".to_owned()),
            1..=NAME if !name.contains(char::is_control) => Ok(Self(name)),
            _ => Err(format!("the name of a tool has at most {NAME} characters and no control character")),
        }
    }
}

impl TryFrom<WireStep> for Written {
    type Error = String;

    fn try_from(step: WireStep) -> Result<Self, String> {
        let call = |ToolName(name), arguments| Call { name, arguments, reach: Reach::Any };
        match step {
            WireStep { tool: Some(tool), arguments, text: None, together: None } => {
                Ok(Self::Calls(vec![call(tool, arguments.unwrap_or_default())]))
            }
            WireStep { tool: None, arguments: None, text: Some(text), together: None } if !text.trim().is_empty() => Ok(Self::Text(text)),
            WireStep { tool: None, arguments: None, text: None, together: Some(calls) } => match calls.len() {
                0 => Err("`together` names no tool".to_owned()),
                1..=TOGETHER => Ok(Self::Calls(calls.into_iter().map(|own| call(own.tool, own.arguments)).collect())),
                count => Err(format!("at most {TOGETHER} calls at once, these are {count}")),
            },
            _ => Err("a step is either `tool` with its `arguments`, or a `text` with words, or `together` with a list of tools".to_owned()),
        }
    }
}

/// Words and arguments may be anything a person writes: only their size is shown.
impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("steps", &self.steps).field("text", &self.text.as_ref().map(String::len)).finish()
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({}, {} arguments)", self.name, self.arguments.len())
    }
}
