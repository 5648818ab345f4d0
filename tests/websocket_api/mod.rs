//! Endpoint classes of the Java API for WebSocket, unchanged, in Tomcat 9 and on the adapter (java/websocket-api): what
//! clients and endpoints see is the same.

mod programs;

use crate::java::{Built, built, finish, jni_complaint, jvm, repository, succeed};
use std::fs;
use std::io::{BufRead, BufReader, Lines, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};

/// Where Debian's packages libwebsocket-api-java, libtomcat9-java and libtomcat10-java put their jars.
const JARS: &str = "/usr/share/java";
const TOMCAT: &[&str] = &[
    "catalina",
    "coyote",
    "util",
    "util-scan",
    "api",
    "juli",
    "jni",
    "annotations-api",
    "servlet-api",
    "jaspic-api",
    "el-api",
    "websocket",
    "websocket-api",
];

/// Served by both containers: the probes of ffi-tests/websocket, and the programs of examples/websocket.
const ENDPOINTS: &[&str] = &[
    "Transcript",
    "Probe",
    "Shapes",
    "Parts$Partial",
    "Parts$Streams",
    "Parts$Number",
    "Parts$Truth",
    "Parts$Deaf",
    "Parts$Programmatic",
    "Applied",
    "Applied$Guarded",
    "EchoMessages",
    "EchoStreams",
    "GuestChat",
    "Notices",
    "RoomChat",
    "Desks",
    "Desks$Desk",
];

/// The API under one of its two names, the adapter for it, and the endpoints, compiled.
struct Variant {
    api: String,
    adapter: PathBuf,
    classes: PathBuf,
}

impl Variant {
    fn path(&self, built: &Built) -> String {
        format!("{}:{}:{}:{}", built.jar.display(), self.adapter.display(), self.api, self.classes.display())
    }
}

struct Adapters {
    built: &'static Built,
    javax: Variant,
    jakarta: Variant,
    tomcat: String,
}

/// Everything, compiled once; None, and a line that says so, where Java or the packages are missing.
fn adapters() -> Option<&'static Adapters> {
    static ADAPTERS: OnceLock<Option<Adapters>> = OnceLock::new();
    ADAPTERS.get_or_init(compile).as_ref()
}

fn compile() -> Option<Adapters> {
    let built = built()?;
    let out = built.jar.parent().unwrap();
    let jar = |name: &str| format!("{JARS}/{name}.jar");
    let tomcat = TOMCAT.iter().map(|name| jar(&format!("tomcat9-{name}"))).collect::<Vec<_>>();
    let javax = jar("websocket-api");
    let jakarta = [jar("tomcat10-websocket-api"), jar("tomcat10-websocket-client-api")];
    let missing = tomcat.iter().chain([&javax]).chain(&jakarta).find(|jar| !Path::new(jar).exists());
    if let Some(missing) = missing {
        eprintln!(
            "SKIPPED: there is no {missing} (apt install libwebsocket-api-java libtomcat9-java libtomcat10-java)"
        );
        return None;
    }
    for stale in ["endpoints", "endpoints-jakarta", "sources", "sources-jakarta"] {
        // There is nothing the first time.
        let _ = fs::remove_dir_all(out.join(stale));
    }
    let tomcat = tomcat.join(":");
    let javax =
        Variant { api: javax, adapter: out.join("wspush-websocket.jar"), classes: out.join("endpoints") };
    let jakarta = Variant {
        api: jakarta.join(":"),
        adapter: out.join("wspush-websocket-jakarta.jar"),
        classes: out.join("endpoints-jakarta"),
    };
    let folders =
        ["ffi-tests/websocket", "examples/websocket", "java/websocket-api/src/test/java/io/wspush/websocket"];
    let sources = folders.map(|folder| copy(folder, &out.join("sources"), "javax.websocket"));
    let more = format!("{}:{tomcat}", javax.path(built));
    javac(&more, &javax.classes, &sources.concat());
    let folders = &folders[1..];
    let mut sources: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| copy(folder, &out.join("sources-jakarta"), "jakarta.websocket"))
        .collect();
    let probes = copy("ffi-tests/websocket", &out.join("sources-jakarta"), "jakarta.websocket");
    sources.extend(probes.into_iter().filter(|file| !file.to_string_lossy().contains("Tomcat")));
    javac(&jakarta.path(built), &jakarta.classes, &sources);
    Some(Adapters { built, javax, jakarta, tomcat })
}

/// Copies sources, which name javax, for an API of this name.
fn copy(folder: &str, to: &Path, api: &str) -> Vec<PathBuf> {
    fs::create_dir_all(to).unwrap();
    fs::read_dir(repository().join(folder))
        .unwrap()
        .map(|file| {
            let file = file.unwrap().path();
            let copy = to.join(file.file_name().unwrap());
            fs::write(&copy, fs::read_to_string(&file).unwrap().replace("javax.websocket", api)).unwrap();
            copy
        })
        .collect()
}

fn javac(path: &str, classes: &Path, sources: &[PathBuf]) {
    fs::create_dir_all(classes).unwrap();
    let mut javac = Command::new("javac");
    javac.args(["--release", "11", "-Xlint:all", "-Werror", "-cp", path, "-d"]).arg(classes).args(sources);
    succeed(javac.output().unwrap(), "javac");
}

/// A container in a process of its own, ended when dropped.
struct Container {
    child: Child,
    address: String,
    lines: Lines<BufReader<ChildStdout>>,
    said: Option<JoinHandle<String>>,
}

impl Container {
    fn start(mut command: Command) -> Container {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut errors = child.stderr.take().unwrap();
        let said = thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).unwrap();
            text
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().map_or_else(String::new, Result::unwrap);
        let Some(authority) = line.strip_prefix("ws://").and_then(|rest| rest.split(['/', ' ']).next())
        else {
            let _ = child.kill();
            panic!("{line}\n{}", said.join().unwrap());
        };
        let address = format!("ws://{authority}");
        Container { child, address, lines, said: Some(said) }
    }

    /// A program of ffi-tests/websocket that serves, with these jars.
    fn with(adapters: &Adapters, program: &[&str], jars: &str) -> Container {
        let mut java = jvm();
        let path = format!("{jars}:{}", adapters.javax.classes.display());
        java.args(["-Xcheck:jni", "-Xmx256m", "-cp", &path]).args(program);
        Container::start(java)
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn tomcat(adapters: &Adapters) -> Container {
        Container::with(adapters, &[&["TomcatHost"], ENDPOINTS].concat(), &adapters.tomcat)
    }

    /// As the book has it: the jars, the classes, and `Main`.
    fn here(adapters: &Adapters, variant: &Variant) -> Container {
        let mut java = jvm();
        java.args(["-Xcheck:jni", "-Xmx256m", "-cp", &variant.path(adapters.built)]);
        java.args(["io.wspush.websocket.Main", "--listen", "127.0.0.1:0", "--log-level", "warn"])
            .args(ENDPOINTS);
        Container::start(java)
    }

    /// Ends it as an operator would; the complaints about calls through JNI.
    fn end(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        self.child.wait().unwrap();
        let said = self.said.take().unwrap().join().unwrap();
        said.lines().filter(|line| jni_complaint(line)).map(str::to_owned).collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All conversations of `Compare` with Tomcat 9 and with a variant of the adapter.
fn compare(variant: impl Fn(&Adapters) -> &Variant) {
    let Some(adapters) = adapters() else { return };
    let tomcat = Container::tomcat(adapters);
    let here = Container::here(adapters, variant(adapters));
    let mut java = jvm();
    java.args(["-cp", &adapters.javax.path(adapters.built), "Compare", &tomcat.address, &here.address]);
    let said = succeed(finish(java), "Compare");
    assert!(said.contains(" passed, 0 failed"), "{said}");
    assert_eq!(here.end(), [""; 0]);
}

#[test]
fn endpoints_behave_as_in_tomcat() {
    compare(|adapters| &adapters.javax);
}

#[test]
fn jakarta_endpoints_behave_as_in_tomcat() {
    compare(|adapters| &adapters.jakarta);
}

/// Sessions on connections that write down what is sent, and what can't be deployed.
#[test]
fn the_adapters_own_tests() {
    let Some(adapters) = adapters() else { return };
    for variant in [&adapters.javax, &adapters.jakarta] {
        let mut java = jvm();
        java.args(["-cp", &variant.path(adapters.built), "io.wspush.websocket.AdapterTest"]);
        succeed(finish(java), "AdapterTest");
    }
}

/// Maven and Gradle find the adapters by their coordinates, and through them the server and the API.
#[test]
fn a_repository_has_the_adapters() {
    let Some(adapters) = adapters() else { return };
    let out = adapters.built.jar.parent().unwrap().join("adapters-installed");
    let maven = out.join("repository");
    fs::create_dir_all(&out).unwrap();
    fs::copy(&adapters.built.jar, out.join("wspush.jar")).unwrap();
    let mut build = Command::new(repository().join("java/websocket-api/build"));
    succeed(build.arg(&out).arg("--jar-only").arg(&maven).output().unwrap(), "java/websocket-api/build");
    let version = env!("CARGO_PKG_VERSION");
    for (name, api) in [("wspush-websocket", "javax"), ("wspush-websocket-jakarta", "jakarta")] {
        let place = maven.join(format!("io/wspush/{name}/{version}"));
        assert!(place.join(format!("{name}-{version}.jar")).is_file(), "{}", place.display());
        let pom = fs::read_to_string(place.join(format!("{name}-{version}.pom"))).unwrap();
        assert!(pom.contains(&format!("<artifactId>{api}.websocket-api</artifactId>")), "{pom}");
    }
}
