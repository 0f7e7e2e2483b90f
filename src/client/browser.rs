//! Opens a URL for the person: `$BROWSER`, else `xdg-open`, else nobody, and the URL must be printed.

use std::process::Stdio;
use tokio::process::{Child, Command};

/// How a browser is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Browser {
    /// The value of `$BROWSER`: commands apart by colons, `%s` for the URL, which is otherwise appended.
    pub command: Option<String>,
}

impl Browser {
    /// Starts the first command that can be started and gives its name. The child lives on by itself.
    pub(super) fn open(&self, url: &str) -> Option<(String, Child)> {
        let own = self.command.as_deref().unwrap_or_default().split(':');
        let commands: Vec<_> = own.filter(|command| !command.trim().is_empty()).collect();
        let commands = if commands.is_empty() { vec!["xdg-open"] } else { commands };
        commands.iter().find_map(|command| start(command, url))
    }
}

fn start(command: &str, url: &str) -> Option<(String, Child)> {
    let mut words: Vec<_> = command.split_whitespace().map(|word| word.replace("%s", url)).collect();
    if !command.contains("%s") {
        words.push(url.to_owned());
    }
    let (program, arguments) = words.split_first()?;
    let mut process = Command::new(program);
    process.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = process.spawn().ok()?;
    Some((program.clone(), child))
}
