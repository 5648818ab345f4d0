//! Compiling hosts and running them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// The tool that a host runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Plain,
    /// None, and the library is a part of the program: `libwspush.a`.
    Archive,
    /// AddressSanitizer, with its leak check, and UBSan.
    Sanitizers,
    Valgrind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    C,
    Cpp,
}

impl Language {
    fn of(source: &Path) -> Language {
        if source.extension().is_some_and(|extension| extension == "cpp") {
            Language::Cpp
        } else {
            Language::C
        }
    }

    fn compiler(self) -> Command {
        let (variable, name) = match self {
            Language::C => ("CC", "cc"),
            Language::Cpp => ("CXX", "c++"),
        };
        // Another machine's compiler has a variable of its own: cargo's build scripts would take this one.
        let variables = [format!("WSPUSH_{variable}"), variable.to_owned()];
        let named = variables.iter().find_map(|variable| std::env::var(variable).ok());
        let mut command = Command::new(named.unwrap_or_else(|| name.to_owned()));
        command.args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-g"]);
        command
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Where test programs go. The library is there under the name that its SONAME asks for.
pub(crate) fn build_dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ffi");
        fs::create_dir_all(&dir).unwrap();
        let library = crate::library::path();
        for name in ["libwspush.so", "libwspush.so.0"] {
            let link = dir.join(name);
            let _ = fs::remove_file(&link);
            symlink(library, link).unwrap();
        }
        dir
    })
}

/// Says why a test was not run, where a reader of the log will see it.
pub(crate) fn skip(what: &str, why: &dyn std::fmt::Display) {
    // Not eprintln: what that says in a test that passes nobody sees.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {why}; ./test installs what is missing");
}

fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Whether there is a compiler for the language.
pub(crate) fn has_compiler(language: Language) -> bool {
    let works = works(language.compiler().arg("--version"));
    if !works {
        skip(&format!("{language:?}"), &"no compiler");
    }
    works
}

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|problem| panic!("{command:?}: {problem}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An example in Rust, built.
pub(crate) fn example(name: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root());
    // Beside the tests of the whole workspace, as ./test has built them all: then nothing is left to do.
    cargo.args(["build", "--quiet", "--workspace", "--all-features", "--test", "it", "--example", name]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    run(&mut cargo);
    let mut profile = std::env::current_exe().unwrap();
    profile.pop();
    profile.pop();
    profile.join("examples").join(name)
}

/// The header must compile with nothing before it.
pub(crate) fn check_header(language: Language, standard: &str, header: &str) {
    if !has_compiler(language) {
        return;
    }
    let kind = if language == Language::C { "c" } else { "c++" };
    let mut compiler = language.compiler();
    compiler.arg(format!("-std={standard}")).args(["-fsyntax-only", "-pedantic-errors", "-x", kind]);
    run(compiler.arg(root().join("include").join(header)));
}

/// A compiler's words on a header that is not for this standard of C++; None: there is no compiler.
pub(crate) fn refused_header(standard: &str, header: &str) -> Option<String> {
    if !has_compiler(Language::Cpp) {
        return None;
    }
    let mut compiler = Language::Cpp.compiler();
    compiler.arg(format!("-std={standard}")).args(["-fsyntax-only", "-x", "c++"]);
    let output = compiler.arg(root().join("include").join(header)).output().unwrap();
    assert!(!output.status.success(), "{header} compiles as {standard}");
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Compiles a program against the library; None: a tool is missing.
pub(crate) fn compile(source: &Path, tool: Tool) -> Option<PathBuf> {
    let language = Language::of(source);
    if !has_compiler(language) {
        return None;
    }
    // The whole path, since files of different folders have the same name, and tests run side by side.
    let name = source.strip_prefix(root()).unwrap_or(source).display().to_string();
    let program = build_dir().join(format!("{}_{tool:?}", name.replace(['/', '.'], "_")));
    let mut compiler = language.compiler();
    compiler.arg(if language == Language::C { "-std=c99" } else { "-std=c++17" });
    if tool == Tool::Sanitizers && emulator().is_none() {
        compiler.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    }
    compiler
        .arg("-D_GNU_SOURCE")
        .arg("-I")
        .arg(root().join("include"))
        .arg("-I")
        .arg(root().join("ffi-tests"));
    compiler.arg("-o").arg(&program).arg(source);
    match tool {
        Tool::Archive => {
            compiler.arg(crate::library::path().with_extension("a"));
            compiler.args(["-lutil", "-lrt", "-lpthread", "-lm", "-ldl"])
        }
        _ => compiler.arg("-L").arg(build_dir()).args(["-lwspush", "-pthread"]),
    };
    run(&mut compiler);
    Some(program)
}

/// The command that runs another machine's programs, if they are compiled for one (tests/targets/run). There they run
/// without a tool.
fn emulator() -> Option<Command> {
    let words = std::env::var("WSPUSH_EMULATOR").ok()?;
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next()?);
    command.args(words);
    Some(command)
}

/// The command that runs a program under a tool; None: it is missing.
fn command(program: &Path, tool: Tool) -> Option<Command> {
    if let Some(mut command) = emulator() {
        command.arg(program).env("LD_LIBRARY_PATH", build_dir());
        return Some(command);
    }
    let mut command = match tool {
        Tool::Valgrind => {
            if !works(Command::new("valgrind").arg("--version")) {
                skip(&program.display().to_string(), &"no valgrind");
                return None;
            }
            let mut valgrind = Command::new("valgrind");
            // Threads take turns fairly, or eight that wait for a ninth would keep it from running.
            valgrind.args(["--quiet", "--error-exitcode=99", "--fair-sched=try", "--leak-check=full"]);
            valgrind.args(["--errors-for-leak-kinds=definite,indirect,possible", "--num-callers=30"]);
            valgrind.arg(program);
            valgrind
        }
        Tool::Plain | Tool::Archive | Tool::Sanitizers => Command::new(program),
    };
    command.env("LD_LIBRARY_PATH", build_dir()).env("ASAN_OPTIONS", "detect_leaks=1");
    Some(command)
}

/// A host that runs.
pub(crate) struct Host {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Host {
    /// Compiles a program of ffi-tests and starts it; None: a tool is missing.
    pub(crate) fn start(program: &str, tool: Tool) -> Option<Host> {
        Host::start_source(&root().join("ffi-tests").join(program), tool, &[])
    }

    /// As [`start`](Self::start), from any source and with arguments.
    pub(crate) fn start_source(source: &Path, tool: Tool, arguments: &[&str]) -> Option<Host> {
        Host::start_program(&compile(source, tool)?, tool, arguments)
    }

    /// Starts what has been compiled.
    pub(crate) fn start_program(program: &Path, tool: Tool, arguments: &[&str]) -> Option<Host> {
        let mut command = command(program, tool)?;
        command.args(arguments);
        Some(Host::spawn(&mut command))
    }

    /// Starts whatever the command does, which is read and written to.
    pub(crate) fn spawn(command: &mut Command) -> Host {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Host { child, input, output }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The port it listens on, which it says first.
    pub(crate) fn port(&mut self) -> u16 {
        let line = self.line();
        let port = line.strip_prefix("port ").and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("{line:?} instead of its port: {:?}", self.child.wait()))
    }

    /// Writes a line to its input.
    pub(crate) fn command(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        // At once: a host that reads what there is must not find half a line.
        input.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Nothing more comes.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Asks it to end, as an init does.
    pub(crate) fn terminate(&self) {
        run(Command::new("kill").arg("-TERM").arg(self.child.id().to_string()));
    }

    /// Waits for its end, which must be a good one, and returns the rest of its output.
    pub(crate) fn end(&mut self) -> String {
        self.close_input();
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}; it said: {rest}");
        rest
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
