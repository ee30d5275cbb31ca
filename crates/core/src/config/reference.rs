//! The reference of all options, for people.

use super::{OptionInfo, options::SECTIONS};
use std::fmt::Write;

const INTRODUCTION: &str = "# Options

An option has the value of the strongest of these that gives one:

1. code,
2. the command line: `-Dkey=value` or `-D key=value`,
3. an environment variable: `FLOTT_` and the key in capitals, with `_` for `.` and `-`; `FLOTT_PARALLELISM_DEFAULT` sets
   `parallelism.default`,
4. the file `config.yaml` in the directory that `FLOTT_CONF_DIR` names, or else in `./conf`; `bin/flott` takes the folder `conf` beside
   `bin` instead, if there is one in it. Keys may be nested or written as one:

   ```yaml
   parallelism.default: 2
   execution:
     checkpointing:
       interval: 10 s
   ```

5. its default.

An unknown key in the file and an unknown `FLOTT_` variable are passed over with a warning on standard error, which names the
nearest known one; after `-D`, an unknown key is an error. A value of the wrong form is an error everywhere.

Keys, forms and defaults are those of Apache Flink wherever the thing is the same, unless the description says otherwise.
A *duration* is a whole number and a unit (`d`, `h`, `min`, `s`, `ms`, `µs`, `ns`); a number alone is milliseconds. A *size* is a
whole number and a unit (`b`, `kb`, `mb`, `gb`, `tb`, powers of 1024); a number alone is bytes. Words may be written in
capitals or not.
";

/// The reference of all options as Markdown: the text of `docs/config.md`.
pub fn reference_markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for (title, options) in SECTIONS {
        text.push_str(&format!("\n## {title}\n\n| Key | Default | Value | Description |\n|---|---|---|---|\n"));
        options.iter().for_each(|option| row(&mut text, option));
    }
    text
}

fn row(text: &mut String, option: &OptionInfo) {
    let default = if option.default.is_empty() { "(none)".to_owned() } else { format!("`{}`", option.default) };
    let cells = [format!("`{}`", option.key), default, option.expected(), option.description.to_owned()];
    for cell in cells {
        write!(text, "| {} ", cell.replace('|', "\\|")).expect("writing to a string cannot fail");
    }
    text.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs, path::Path};

    #[test]
    fn the_reference_in_the_documentation_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
        let expected = reference_markdown();
        // Not `FLOTT_…`: that would be an unknown option to whatever loads a configuration.
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &expected).expect("docs/config.md can be written");
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "docs/config.md is out of date; refresh it: UPDATE_DOCS=1 cargo test -p flott-core reference");
    }
}
