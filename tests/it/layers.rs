//! Reads the sources and holds the floors of the house: no import upwards, a `//!` at the top of each file, no file over 400
//! lines.

use std::fs;
use std::path::{Path, PathBuf};

/// Module and floor; two modules of one floor do not import each other.
const FLOORS: &[(&str, u8)] = &[
    ("exchange", 0),
    ("yaml", 0),
    ("protocol", 1),
    ("reply", 1),
    ("relation", 2),
    ("cassette", 2),
    ("scrub", 3),
    ("matcher", 3),
    ("model", 3),
    ("diagnose", 3),
    ("diff", 4),
    ("fault", 4),
    ("assistant", 4),
    ("replay", 5),
    ("record", 5),
    ("scenario", 5),
    ("keys", 6),
    ("report", 6),
    ("upstream", 6),
    ("proxy", 7),
    ("useragent", 7),
    ("runner", 8),
    ("client", 9),
    ("demo", 9),
    ("cli", 10),
];

/// The highest floor without tokio, clock, environment and files.
const PURE: u8 = 5;

#[test]
fn each_module_imports_only_downwards() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some((module, floor)) = floor_of(&file) else { continue };
        for (number, line) in code_lines(&file) {
            for imported in crate_paths(&line) {
                let Some((name, below)) = FLOORS.iter().find(|(name, _)| *name == imported) else { continue };
                if *name != module && *below >= floor {
                    wrong.push(format!("{}:{number}: {module} (floor {floor}) imports {name} (floor {below})", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_lower_floors_are_pure() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some((module, floor)) = floor_of(&file) else { continue };
        let is_pure = (floor <= PURE || module == "report") && !file.ends_with("cassette/file.rs");
        if !is_pure || file.components().any(|part| part.as_os_str() == "file") {
            continue;
        }
        for (number, line) in code_lines(&file) {
            for word in ["tokio", "std::fs", "std::env", "Instant::now", "SystemTime::now", "std::net::Tcp", "std::process"] {
                if line.contains(word) {
                    wrong.push(format!("{}:{number}: {word}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_file_says_what_it_knows_and_is_short_enough_to_read() {
    let mut wrong = Vec::new();
    for file in sources() {
        let text = fs::read_to_string(&file).expect("a source file is readable");
        if !text.starts_with("//!") {
            wrong.push(format!("{}: no //! at the top", file.display()));
        }
        let lines = text.lines().count();
        if lines > 400 {
            wrong.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => found.push(path),
                _ => {}
            }
        }
    }
    assert!(found.len() > 5, "the sources were found");
    found
}

fn floor_of(file: &Path) -> Option<(&'static str, u8)> {
    let inner = file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("a file of src");
    let first = inner.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs");
    if matches!(first, "lib" | "main") {
        return None;
    }
    let found = FLOORS.iter().find(|(name, _)| *name == first);
    Some(*found.unwrap_or_else(|| panic!("{first} stands on no floor: add it to FLOORS")))
}

/// The lines before the unit tests, without comments.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).expect("a source file is readable");
    let code = text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    code.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(index, line)| (index + 1, line.to_owned())).collect()
}

/// The modules named in `crate::name`, `crate::{name, …}`.
fn crate_paths(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for rest in line.split("crate::").skip(1) {
        let list = rest.strip_prefix('{').and_then(|list| list.split('}').next());
        let paths = list.map_or_else(|| vec![rest], |list| list.split(',').collect());
        for path in paths {
            names.push(path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    names
}
