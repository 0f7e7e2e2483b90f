//! Writes variables in the languages of those who read them: shells, service managers, editors.

use super::Variables;
use serde_json::{Map, Value};
use std::fmt::Write;

/// Who reads the variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// bash, zsh, dash: `export A='b'`.
    #[default]
    Sh,
    /// fish: `set -gx A 'b'`.
    Fish,
    /// PowerShell: `$env:A = 'b'`.
    Powershell,
    /// `A="b"`: systemd's EnvironmentFile, docker compose, dotenv libraries.
    Dotenv,
    /// One JSON object of strings; a removed variable is null.
    Json,
    /// The settings of VS Code and its relatives for their built-in terminal.
    Vscode,
}

impl Dialect {
    /// The text, ending in a line feed. Values that are not UTF-8 are written as well as they can be.
    pub fn write(self, variables: &Variables) -> String {
        match self {
            Self::Json => pretty(&object(variables)),
            Self::Vscode => {
                let names = ["linux", "osx"].map(|system| (format!("terminal.integrated.env.{system}"), object(variables)));
                pretty(&Value::Object(names.into_iter().collect()))
            }
            _ => variables.iter().fold(String::new(), |mut text, (name, value)| {
                let _ = writeln!(text, "{}", self.line(name, value.map(|value| value.to_string_lossy()).as_deref()));
                text
            }),
        }
    }

    fn line(self, name: &str, value: Option<&str>) -> String {
        match (self, value) {
            (Self::Sh, Some(value)) => format!("export {name}='{}'", value.replace('\'', r"'\''")),
            (Self::Sh, None) => format!("unset {name}"),
            (Self::Fish, Some(value)) => format!("set -gx {name} '{}'", value.replace('\\', r"\\").replace('\'', r"\'")),
            (Self::Fish, None) => format!("set -e {name}"),
            (Self::Powershell, Some(value)) => format!("$env:{name} = '{}'", value.replace('\'', "''")),
            (Self::Powershell, None) => format!("Remove-Item -ErrorAction SilentlyContinue Env:{name}"),
            (_, Some(value)) => {
                let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('$', r"\$").replace('\n', r"\n");
                format!("{name}=\"{value}\"")
            }
            (_, None) => format!("{name}="),
        }
    }
}

fn object(variables: &Variables) -> Value {
    let text = |value: Option<&std::ffi::OsStr>| value.map_or(Value::Null, |value| value.to_string_lossy().into_owned().into());
    Value::Object(variables.iter().map(|(name, value)| (name.to_owned(), text(value))).collect::<Map<_, _>>())
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(dialect: Dialect) -> String {
        let mut variables: Variables = [("A", "it's \"$x\" \\")].into_iter().collect();
        variables.unset("B");
        dialect.write(&variables)
    }

    #[test]
    fn every_dialect_quotes_in_its_own_way() {
        insta::assert_snapshot!(written(Dialect::Sh), @r#"
        export A='it'\''s "$x" \'
        unset B
        "#);
        insta::assert_snapshot!(written(Dialect::Fish), @r#"
        set -gx A 'it\'s "$x" \\'
        set -e B
        "#);
        insta::assert_snapshot!(written(Dialect::Powershell), @r#"
        $env:A = 'it''s "$x" \'
        Remove-Item -ErrorAction SilentlyContinue Env:B
        "#);
        insta::assert_snapshot!(written(Dialect::Dotenv), @r#"
        A="it's \"\$x\" \\"
        B=
        "#);
        insta::assert_snapshot!(written(Dialect::Json), @r#"
        {
          "A": "it's \"$x\" \\",
          "B": null
        }
        "#);
        assert!(written(Dialect::Vscode).contains("\"terminal.integrated.env.linux\": {"));
    }
}
