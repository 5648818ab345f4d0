//! Java hosts that use the real library (ffi-tests/java), with the JVM checking every call through JNI.

use crate::ffi::client::Client;
use crate::ffi::host::Host;
use crate::ffi::{club, inbox};
use crate::library;
use crate::wire;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use wspush::config::LogLevel;
use wspush::{Config, Handle, Message, Server};

/// A host that hasn't ended after this long hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// The jar and the compiled hosts.
pub(crate) struct Built {
    pub(crate) jar: PathBuf,
    pub(crate) classes: PathBuf,
    library: &'static Path,
}

pub(crate) fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Builds everything once; None, and a line that says so, without a JDK.
pub(crate) fn built() -> Option<&'static Built> {
    static BUILT: OnceLock<Option<Built>> = OnceLock::new();
    BUILT.get_or_init(build).as_ref()
}

fn build() -> Option<Built> {
    if Command::new("javac").arg("-version").output().is_err() {
        eprintln!(
            "SKIPPED: the Java hosts need a JDK, 11 or newer, and there is no javac (apt install openjdk-17-jdk)"
        );
        return None;
    }
    let library = library::path();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("java");
    let (jar, classes) = (out.join("wspush.jar"), out.join("hosts"));
    let mut java_build = Command::new(repository().join("java/build"));
    java_build.arg("--out").arg(&out).arg("--library").arg(library);
    succeed(java_build.output().unwrap(), "java/build");

    let mut javac = Command::new("javac");
    javac.args(["--release", "11", "-Xlint:all", "-Werror", "-cp"]).arg(&jar).arg("-d").arg(&classes);
    for directory in ["ffi-tests/java", "examples/java"] {
        let files = std::fs::read_dir(repository().join(directory)).unwrap();
        javac.args(files.map(|file| file.unwrap().path()));
    }
    succeed(javac.output().unwrap(), "javac");
    Some(Built { jar, classes, library })
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub(crate) fn succeed(output: Output, what: &str) -> String {
    let text = text(&output);
    assert!(output.status.success(), "{what}: {}\n{text}", output.status);
    text
}

fn java(built: &Built, options: &[&str], program: &[&str]) -> Command {
    let mut path = built.jar.clone().into_os_string();
    path.push(":");
    path.push(&built.classes);
    let mut java = jvm();
    java.args(options).arg("-cp").arg(path).args(program);
    java
}

pub(crate) fn jvm() -> Command {
    let mut java = Command::new("java");
    // Cargo names the directory of the library there, and the JVM would look into it before the jar.
    java.env_remove("LD_LIBRARY_PATH").stdout(Stdio::piped()).stderr(Stdio::piped());
    java
}

/// Runs a program to its end, or kills it.
pub(crate) fn finish(command: Command) -> Output {
    finish_within(command, PATIENCE)
}

fn finish_within(mut command: Command, patience: Duration) -> Output {
    let mut child = command.spawn().unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |pipe: &mut dyn Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    };
    thread::scope(|scope| {
        let out = scope.spawn(move || read(&mut stdout));
        let err = scope.spawn(move || read(&mut stderr));
        let status = wait(&mut child, patience);
        Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() }
    })
}

fn wait(child: &mut Child, patience: Duration) -> ExitStatus {
    let end = Instant::now() + patience;
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return status,
            None if Instant::now() > end => child.kill().unwrap(),
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The complaints of `-Xcheck:jni` look like one of these.
pub(crate) fn jni_complaint(line: &str) -> bool {
    line.contains("in native method") || line.starts_with("WARNING: JNI") || line.contains("FATAL ERROR")
}

/// Runs a host with all its checks and the JVM's.
/// A host that is written to and read; None without a JDK.
pub(crate) fn talking(program: &str, arguments: &[&str]) -> Option<Host> {
    let program = [&[program], arguments].concat();
    Some(Host::spawn(java(built()?, &["-Xcheck:jni"], &program).stderr(Stdio::inherit())))
}

fn host(program: &[&str], options: &[&str]) {
    let Some(built) = built() else { return };
    let options = [&["-Xcheck:jni", "-Xmx256m"], options].concat();
    let text = succeed(finish(java(built, &options, program)), program[0]);
    let complaints: Vec<&str> = text.lines().filter(|line| jni_complaint(line)).collect();
    assert!(complaints.is_empty(), "{program:?}: {complaints:#?}");
}

#[test]
fn pom_and_book_have_cargos_version() {
    let pom = std::fs::read_to_string(repository().join("java/pom.xml")).unwrap();
    let version =
        concat!("<artifactId>wspush</artifactId>\n  <version>", env!("CARGO_PKG_VERSION"), "</version>");
    assert!(pom.contains(version), "java/pom.xml must have {version}");
    let book = std::fs::read_to_string(repository().join("docs/java.md")).unwrap();
    for coordinates in [
        concat!("<version>", env!("CARGO_PKG_VERSION"), "</version>"),
        concat!("io.wspush:wspush:", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(book.contains(coordinates), "docs/java.md must have {coordinates}");
    }
}

/// `java/build --install`: Maven and Gradle find the jar by its coordinates.
#[test]
fn a_repository_has_the_jar() {
    let Some(built) = built() else { return };
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("java-installed");
    let repository_of_it = out.join("repository");
    let mut java_build = Command::new(repository().join("java/build"));
    java_build.args(["--jar-only", "--out"]).arg(&out).arg("--library").arg(built.library);
    let said = succeed(java_build.arg("--install").arg(&repository_of_it).output().unwrap(), "java/build");
    let version = env!("CARGO_PKG_VERSION");
    assert!(said.contains(&format!("io.wspush:wspush:{version} is in")), "{said}");
    for end in ["jar", "pom"] {
        let file = repository_of_it.join(format!("io/wspush/wspush/{version}/wspush-{version}.{end}"));
        assert!(file.is_file(), "{}", file.display());
    }
}

#[test]
fn echo() {
    host(&["EchoHost"], &[]);
}

#[test]
fn chat() {
    host(&["ChatHost"], &[]);
}

#[test]
fn notification_service_with_clients_that_come_and_go() {
    host(&["NotificationService"], &[]);
}

#[test]
fn exceptions_in_each_callback_close_one_connection() {
    host(&["ThrowingCallbacks"], &[]);
}

#[test]
fn one_threads_order_and_no_session_behind_its_end() {
    host(&["OrderHost"], &[]);
}

#[test]
fn a_user_is_all_of_its_connections() {
    host(&["UserHost"], &[]);
}

#[test]
fn a_token_is_shown_and_taken_back() {
    host(&["TokenHost"], &[]);
}

#[test]
fn some_transports_are_served() {
    host(&["TransportHost"], &[]);
}

#[test]
fn what_was_published_can_be_asked_for() {
    host(&["ReadsHost"], &[]);
}

#[test]
fn calls_after_close_are_refused() {
    host(&["UseAfterClose"], &[]);
}

#[test]
fn wrong_arguments_are_refused() {
    host(&["Arguments"], &[]);
}

#[test]
fn pages_of_other_origins_are_refused() {
    host(&["OriginsHost"], &[]);
}

#[test]
fn an_app_of_pusher() {
    host(&["AppHost"], &[]);
}

#[test]
fn everything_can_be_said_uncompressed() {
    host(&["CompressionHost"], &[]);
}

#[test]
fn messages_of_all_sizes_from_all_memory() {
    host(&["Crossings"], &[]);
}

#[test]
fn routes_and_what_a_session_keeps() {
    host(&["RoutesHost"], &[]);
}

#[test]
fn callbacks_of_several_reactors() {
    host(&["ReactorsHost"], &[]);
}

#[test]
fn a_second_server_takes_over_from_the_first_one() {
    host(&["HandedHost"], &[]);
}

/// With a heap that the longest of its messages doesn't fit.
#[test]
fn messages_in_pieces_and_who_waits_for_whom() {
    host(&["PiecesHost"], &[]);
}

#[test]
fn eight_publishers_keep_their_order_and_lose_nothing() {
    host(&["OrderedPublishers"], &[]);
}

#[test]
fn churn_leaves_heap_and_global_references_flat() {
    host(&["Churn"], &[]);
}

#[test]
fn so_does_churn_with_callbacks_on_other_threads() {
    host(&["Churn", "1000", "12", "blocking"], &[]);
}

#[test]
fn handlers_that_block_have_threads_of_their_own() {
    host(&["BlockingHost"], &[]);
}

#[test]
fn a_redeployed_application_leaves_nothing_behind() {
    host(&["Redeploy"], &[]);
}

#[test]
fn nor_does_one_whose_library_a_property_names() {
    let Some(built) = built() else { return };
    host(&["Redeploy", "10"], &[&format!("-Dio.wspush.library={}", built.library.display())]);
}

/// `./test endurance`, or `cargo test --release -p libwspush --test it -- --ignored --nocapture churn_of_200_000`.
#[test]
#[ignore = "takes minutes"]
fn churn_of_200_000() {
    let Some(built) = built() else { return };
    let java = java(built, &["-Xmx256m"], &["Churn", "10000", "20"]);
    println!("{}", succeed(finish_within(java, 10 * PATIENCE), "Churn"));
}

#[test]
fn the_library_is_found() {
    let Some(built) = built() else { return };
    let directory = built.library.parent().unwrap().to_str().unwrap();
    let path = format!("-Djava.library.path={directory}");
    let file = format!("-Dio.wspush.library={}", built.library.display());
    // Where nothing can be unpacked it has to come from where the option says.
    let no_directory = "-Djava.io.tmpdir=/nonexistent";
    host(&["ChatHost"], &[no_directory, &path]);
    host(&["ChatHost"], &[no_directory, &file]);
    for option in [&path, &file] {
        host(&["TwoLoaders"], &[option]);
        host(&["TwoLoaders", "refused"], &[no_directory, option]);
    }
    for (option, said) in [
        (no_directory, "can't be unpacked into java.io.tmpdir"),
        ("-Dos.arch=pdp11", "no native/linux-pdp11/libwspush.so in the jar"),
    ] {
        let output = finish(java(built, &[option], &["ChatHost"]));
        assert!(!output.status.success() && text(&output).contains(said), "{}", text(&output));
    }
    // As a module, which finds its classes and the library in another way.
    let mut modular = jvm();
    modular.arg("-p").arg(&built.jar).args(["--add-modules", "io.wspush", "-cp"]).arg(&built.classes);
    modular.arg("ChatHost");
    succeed(finish(modular), "as a module");
}

/// One HTTP request and its answer.
fn http(address: &str, request_line: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let (method, target) = request_line.split_once(' ').unwrap();
    let request = wire::request(method, target, "a", &[("Connection", "close")], body.as_bytes());
    stream.write_all(&request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The example: a form posts, who is online gets it, and SIGTERM closes.
#[test]
fn online_notification() {
    let Some(built) = built() else { return };
    let mut child = java(built, &["-Xcheck:jni"], &["OnlineNotification", "0", "0"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let address = line.strip_prefix("open http://").and_then(|rest| rest.split('/').next()).expect(&line);
    let page = http(address, "GET /", "");
    let port = page.split("location.hostname + ':").nth(1).and_then(|rest| rest.split('/').next());
    let mut client = Client::open(port.expect(&page).parse().expect(&page), "/ws");
    assert!(http(address, "POST /notify", "message=").starts_with("HTTP/1.1 400"));
    assert!(http(address, "POST /notify", "message=%3Cb%3Ehello+you").starts_with("HTTP/1.1 200"));
    assert_eq!(client.text(), "<b>hello you");
    let terminated = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(terminated.success());
    assert_eq!(client.until_closed(), 1001);
    drop(client);
    wait(&mut child, PATIENCE);
    for line in lines.map_while(Result::ok) {
        assert!(!jni_complaint(&line), "{line}");
    }
}

#[test]
fn an_inbox_for_each_user() {
    let Some(built) = built() else { return };
    let mut host =
        Host::spawn(java(built, &["-Xcheck:jni"], &["Inbox", "127.0.0.1:0"]).stderr(Stdio::inherit()));
    inbox::drive(&mut host);
    let said = host.end();
    assert!(!said.lines().any(jni_complaint), "{said}");
}

#[test]
fn a_club_whose_host_decides() {
    let Some(built) = built() else { return };
    let mut host =
        Host::spawn(java(built, &["-Xcheck:jni"], &["Club", "127.0.0.1:0"]).stderr(Stdio::inherit()));
    club::drive(&mut host);
    let said = host.end();
    assert!(!said.lines().any(jni_complaint), "{said}");
}

/// The calling thread's cost of publishing 64 bytes, in Java and in Rust, in one run:
/// `cargo test --release --test it -- --ignored --nocapture cost_of_a_broadcast`.
#[test]
#[ignore = "measures; means nothing without --release"]
fn cost_of_a_broadcast() {
    let Some(built) = built() else { return };
    let (rust, rust_channel) = rust_nanoseconds();
    println!("Rust {rust:.1} ns, channel {rust_channel:.1} ns");
    let text = succeed(finish(java(built, &[], &["PublishCost"])), "PublishCost");
    for line in text.lines() {
        let Some((what, Ok(nanoseconds))) = line.split_once(' ').map(|(what, n)| (what, n.parse::<f64>()))
        else {
            continue;
        };
        let same = if what == "channel" { rust_channel } else { rust };
        println!("Java {what} {nanoseconds:.1} ns, {:.2} times Rust", nanoseconds / same);
    }
}

/// The same loops as in `PublishCost.java`: a broadcast, and a publication to a channel.
fn rust_nanoseconds() -> (f64, f64) {
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        log_level: LogLevel::Off,
        ..Config::default()
    };
    let server = Server::bind(config).unwrap();
    let handle = server.handle();
    let reactor = thread::spawn(move || server.run());
    let text = "x".repeat(64);
    let broadcast = bursts(&handle, || drop(handle.broadcast(Message::Text(&text)).unwrap()));
    let publish = bursts(&handle, || drop(handle.publish("news", Message::Text(&text)).unwrap()));
    handle.drain();
    reactor.join().unwrap().unwrap();
    (broadcast, publish)
}

fn bursts(handle: &Handle, publish: impl Fn()) -> f64 {
    const BURST: u64 = 2_000;
    let mut nanoseconds = Vec::new();
    let mut published = handle.stats().counters.publications;
    for _ in 0..300 {
        let start = Instant::now();
        for _ in 0..BURST {
            publish();
        }
        nanoseconds.push(start.elapsed().as_nanos() as f64 / BURST as f64);
        published += BURST;
        while handle.stats().counters.publications < published {
            thread::sleep(Duration::from_millis(1));
        }
    }
    let mut warm = nanoseconds.split_off(150);
    warm.sort_by(f64::total_cmp);
    warm[warm.len() / 2]
}
