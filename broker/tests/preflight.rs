//! What the program says when the machine or the directory does not let it start: the real program, as a child under a seccomp filter or
//! with lower limits. Nothing is opened in any of these.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

/// `odradek` on free ports, with its data in `directory`.
fn odradek(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_odradek"));
    let data = format!("log.dirs={}", directory.join("data").display());
    for pair in [
        data.as_str(),
        "listeners=PLAINTEXT://127.0.0.1:0",
        "odradek.admin.listener=127.0.0.1:0",
        "odradek.shards=1",
    ] {
        command.args(["--override", pair]);
    }
    command
}

/// It must fail with these words, and leave no data behind.
#[track_caller]
fn check_refused(prepare: impl FnOnce(&mut Command), words: &[&str]) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = odradek(directory.path());
    prepare(&mut command);
    let Output { status, stderr, stdout } = command.output().expect("it ran");
    let text = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(stdout.is_empty());
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
    assert!(!directory.path().join("data/meta.properties").exists());
}

/// Between fork and exec of the child.
fn in_child(command: &mut Command, act: impl Fn() -> std::io::Result<()> + Send + Sync + 'static) {
    // SAFETY: what runs there makes system calls only, and allocates nothing.
    unsafe { command.pre_exec(act) };
}

fn limit(resource: libc::__rlimit_resource_t, value: u64) -> std::io::Result<()> {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: `limit` outlives the call.
    match unsafe { libc::setrlimit(resource, &raw const limit) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// A filter under which `io_uring_setup` fails with `errno`, as container engines install.
fn forbid_io_uring(errno: i32) -> std::io::Result<()> {
    let code = |bits: u32| u16::try_from(bits).unwrap_or(u16::MAX);
    let load = code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS);
    let equal = code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
    let give = code(libc::BPF_RET | libc::BPF_K);
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let setup = u32::try_from(libc::SYS_io_uring_setup).unwrap_or(u32::MAX);
    let mut filter = [
        step(load, 0, 0, 0),
        step(equal, 0, 1, setup),
        step(give, 0, 0, libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()),
        step(give, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: `program` and `filter` outlive the calls.
    let installed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if installed { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[test]
fn io_uring_forbidden_by_seccomp() {
    for errno in [libc::EPERM, libc::ENOSYS] {
        let words = ["a seccomp filter forbids it", "--security-opt seccomp=", "io_uring_setup"];
        check_refused(|command| in_child(command, move || forbid_io_uring(errno)), &words);
    }
}

#[test]
fn too_few_open_files() {
    let words = ["the limit of open files is 100", "LimitNOFILE="];
    check_refused(|command| in_child(command, || limit(libc::RLIMIT_NOFILE, 100)), &words);
}

#[test]
fn too_little_locked_memory() {
    let words = ["the limit of locked memory is 65536", "LimitMEMLOCK="];
    check_refused(|command| in_child(command, || limit(libc::RLIMIT_MEMLOCK, 65536)), &words);
}

#[test]
fn a_wrong_configuration_ends_with_status_2() {
    let directory = tempfile::tempdir().expect("a directory");
    for (argument, words) in
        [("num.partitionz=1", "did you mean num.partitions?"), ("num.partitions=0", "at least 1")]
    {
        let output =
            odradek(directory.path()).args(["--override", argument]).output().expect("it ran");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("--override: ") && text.contains(words), "{text}");
    }
}

#[test]
fn help_and_version() {
    let directory = tempfile::tempdir().expect("a directory");
    for (argument, words) in
        [("--help", "Usage: odradek [server.properties]"), ("--version", "odradek 0.")]
    {
        let output = odradek(directory.path()).arg(argument).output().expect("it ran");
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains(words));
    }
}
