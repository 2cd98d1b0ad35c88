//! Options as `--name value`, each asked for by name, with a default or required.

use std::{collections::HashMap, io::Write as _, str::FromStr};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

pub struct Args {
    given: HashMap<String, String>,
}

impl Args {
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Args> {
        let mut given = HashMap::new();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--") else { bail!("{word} is not an option") };
            let value = words.next().with_context(|| format!("--{name} needs a value"))?;
            given.insert(name.to_owned(), value);
        }
        Ok(Args { given })
    }

    pub fn optional<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.given.get(name) else { return Ok(None) };
        let Ok(parsed) = value.parse() else { bail!("--{name} {value}: not a valid value") };
        Ok(Some(parsed))
    }

    pub fn or<T: FromStr>(&self, name: &str, default: T) -> Result<T> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    pub fn required<T: FromStr>(&self, name: &str) -> Result<T> {
        self.optional(name)?.with_context(|| format!("--{name} is needed"))
    }
}

/// Prints one line of JSON: what a command answers.
pub fn report(value: &impl Serialize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}
