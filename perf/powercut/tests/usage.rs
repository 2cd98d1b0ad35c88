//! What the program says of a command line that it cannot serve.

use std::process::{Command, Output};

fn powercut(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_powercut")).args(words).output().expect("it starts")
}

#[track_caller]
fn refused(words: &[&str], says: &str) {
    let output = powercut(words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(says), "{said}");
}

#[test]
fn too_few_words_get_the_usage() {
    refused(&["image"], "usage: powercut IMAGE DIRECTORY SOCKET FLUSH_US");
}

#[test]
fn a_time_that_is_no_number_is_named() {
    refused(&["image", "directory", "socket", "soon"], "FLUSH_US");
}

#[test]
fn an_image_that_is_not_there_is_named() {
    refused(&["/nowhere/image", "directory", "socket", "0"], "/nowhere/image");
}
