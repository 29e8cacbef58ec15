//! Every console block of the README that reads testdata shows what the program really prints.
//!
//! `UPDATE_README=1 cargo test --test it readme` writes the blocks anew.

use crate::runner;

use std::fs;

/// What a shell prints for a command line in which the plugin is called by its kubectl name.
fn printed(line: &str) -> String {
    let output = runner::shell(&format!("{{ {line}; }} 2>&1"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_readme_shows_real_output() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = fs::read_to_string(path).unwrap();
    let mut real = String::new();
    let mut blocks = 0;
    let mut rest = readme.as_str();
    while let Some((before, block)) = rest.split_once("```console\n") {
        let (body, after) = block.split_once("```\n").expect("every block ends");
        let (command, _) = body.split_once('\n').unwrap_or((body, ""));
        real.push_str(before);
        match command.strip_prefix("$ ").filter(|command| command.contains("testdata")) {
            Some(line) => {
                blocks += 1;
                assert!(!printed(line).trim().is_empty(), "nothing is printed by {line}");
                real.push_str(&format!("```console\n{command}\n{}```\n", printed(line)));
            }
            None => real.push_str(&format!("```console\n{body}```\n")),
        }
        rest = after;
    }
    real.push_str(rest);
    assert!(blocks > 5, "the README shows {blocks} commands");
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(path, &real).unwrap();
    }
    assert!(
        real == readme || std::env::var_os("UPDATE_README").is_some(),
        "run UPDATE_README=1 cargo test --test it readme\n{real}"
    );
}
