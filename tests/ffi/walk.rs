//! Every function with every kind of wrong argument, in every situation: generated from the header, so that a new
//! export is walked from its first day.

use std::fmt::Write as _;
use std::fs;

use super::client::{Client, TEXT};
use super::host::{Host, Tool, build_dir, root};

/// A function of the header.
struct Function {
    name: String,
    returns: String,
    /// Type and name.
    parameters: Vec<(String, String)>,
}

fn functions(header: &str) -> Vec<Function> {
    // The text between comments.
    let code: Vec<&str> =
        header.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, code)| code)).collect();
    let code = code.join(" ").replace('\n', " ");
    let (_, code) = code.split_once("extern \"C\" {").unwrap();
    let declarations = code.split(';').filter_map(|text| text.trim().strip_suffix(')'));
    declarations.map(function).collect()
}

fn function(declaration: &str) -> Function {
    let (before, parameters) = declaration.split_once('(').unwrap();
    // A preprocessor line may stand before the first one.
    let before = before.rsplit("__cplusplus").next().unwrap();
    let (returns, name) = type_and_name(before);
    let parameters = parameters.split(',').filter(|text| text.trim() != "void").map(type_and_name);
    Function { name, returns, parameters: parameters.collect() }
}

fn type_and_name(text: &str) -> (String, String) {
    let text = text.trim();
    let at = text.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap();
    let words: Vec<&str> = text[..=at].split_whitespace().collect();
    (words.join(" ").replace("struct ", ""), text[at + 1..].to_owned())
}

/// The C expressions that a parameter takes, one after the other.
fn values(kind: &str, name: &str) -> Vec<&'static str> {
    match kind {
        "const wspush_server *" | "wspush_server *" => vec!["w->server", "NULL"],
        "const wspush_config *" | "wspush_config *" => vec!["w->config", "NULL"],
        "const wspush_connect *" | "wspush_connect *" => vec!["w->connect", "NULL"],
        "wspush_session *" => vec!["w->session", "NULL"],
        "const wspush_closed *" => vec!["w->closed", "NULL"],
        // None is current: there is no app. It is not where outputs go.
        "const wspush_authorization *" | "wspush_authorization *" => vec!["w", "NULL"],
        "wspush_authorization_info *" => {
            vec!["sized(w, sizeof(wspush_authorization_info))", "NULL", "sized(w, 8)"]
        }
        "const wspush_route_terms *" => vec!["NULL", "&w->route", "sized(w, 8)"],
        "wspush_free_attribute" => vec!["free_attribute", "NULL"],
        "wspush_session_info *" => vec!["sized(w, sizeof(wspush_session_info))", "NULL", "sized(w, 8)"],
        "const wspush_answer *" => vec!["w->answer", "NULL"],
        "wspush_on_answer" => vec!["on_answer", "NULL"],
        "void *" => vec!["NULL"],
        "const wspush_str *" => vec!["w->names", "NULL"],
        "const wspush_terms *" => vec!["NULL", "&w->terms", "sized(w, 8)"],
        "const wspush_batch_item *" => vec!["w->items", "NULL", "sized(w, 8)"],
        "const wspush_history_query *" => vec!["NULL", "&w->query", "sized(w, SIZE_MAX)"],
        "const wspush_acceptance *" => vec!["NULL", "&w->acceptance", "sized(w, 8)"],
        "const wspush_refusal *" => vec!["NULL", "&w->refusal", "sized(w, 8)"],
        "const wspush_callbacks *" => vec!["NULL", "w->callbacks", "w->callbacks_empty"],
        "const char *" | "const void *" => vec!["w->text", "NULL", "w->not_utf8", "w->setting"],
        "size_t" if name.ends_with("index") => vec!["0", "1", "SIZE_MAX"],
        "size_t" if name.ends_with("count") => vec!["2", "0", "1", "SIZE_MAX"],
        "uint32_t" => vec!["0", "1", "1000", "UINT32_MAX"],
        "size_t" => vec!["1", "0", "SIZE_MAX", "8", "sizeof w->text"],
        "int32_t" if name == "timeout_ms" => vec!["0"],
        "int32_t" if name == "kind" => vec!["WSPUSH_TEXT", "WSPUSH_BINARY", "0", "INT32_MIN"],
        "int32_t" | "wspush_status" => vec!["0", "1", "INT32_MIN", "INT32_MAX"],
        "int64_t" => vec!["0", "-1", "INT64_MAX"],
        "uint16_t" => vec!["1000", "0", "404", "65535"],
        "uint64_t" => vec!["0", "1", "UINT64_MAX", "w->conn"],
        "wspush_receipt *" => {
            vec!["sized(w, sizeof(wspush_receipt))", "NULL", "sized(w, 0)", "sized(w, 9999)"]
        }
        "wspush_stats *" => {
            vec!["sized(w, sizeof(wspush_stats))", "NULL", "sized(w, 8)", "sized(w, SIZE_MAX)"]
        }
        "wspush_delivery *" => {
            vec!["sized(w, sizeof(wspush_delivery))", "NULL", "sized(w, 8)", "sized(w, SIZE_MAX)"]
        }
        "wspush_channel_info *" => vec!["sized(w, sizeof(wspush_channel_info))", "NULL", "sized(w, 8)"],
        "wspush_publication *" => vec!["sized(w, sizeof(wspush_publication))", "NULL", "sized(w, 8)"],
        "wspush_presence_info *" => vec!["sized(w, sizeof(wspush_presence_info))", "NULL", "sized(w, 8)"],
        "wspush_node *" => vec!["sized(w, sizeof(wspush_node))", "NULL", "sized(w, 8)"],
        "wspush_member *" => vec!["sized(w, sizeof(wspush_member))", "NULL", "sized(w, 8)"],
        "wspush_conflict *" => vec!["sized(w, sizeof(wspush_conflict))", "NULL", "sized(w, 8)"],
        "wspush_server **" | "wspush_config **" | "wspush_str *" | "uint16_t *" | "int32_t *"
        | "uint64_t *" | "uint32_t *" | "size_t *" | "void **" => {
            vec!["plain(w)", "NULL"]
        }
        other => panic!("the walk does not know what to give for a `{other}`: teach it"),
    }
}

/// Where a function may be called with a live server: elsewhere it would end what the others need.
fn guard(name: &str) -> &'static str {
    match name {
        // A server that was made in a callback can't be freed there.
        "wspush_server_new" => "w->place != IN_CALLBACK",
        "wspush_server_drain" => "w->place == STOPPED",
        "wspush_server_stop" => "w->place == STOPPED || w->place == IN_CALLBACK",
        "wspush_server_free" => "w->place == IN_CALLBACK",
        _ => "1",
    }
}

fn walker(function: &Function, out: &mut String) {
    let Function { name, returns, parameters } = function;
    writeln!(out, "static void walk_{name}(struct world *w) {{").unwrap();
    let mut arguments = Vec::new();
    for (n, (kind, parameter)) in parameters.iter().enumerate() {
        let values = values(kind, parameter);
        let mut choice = (*values.last().unwrap()).to_owned();
        for (i, value) in values.iter().enumerate().rev().skip(1) {
            choice = format!("i{n} == {i} ? {value} : {choice}");
        }
        let cast = if kind.ends_with('*') { format!("({kind})") } else { String::new() };
        arguments.push(format!("{cast}({choice})"));
        writeln!(out, "  for (int i{n} = 0; i{n} < {}; i{n}++)", values.len()).unwrap();
    }
    writeln!(out, "  {{").unwrap();
    let has_server = parameters.iter().any(|(kind, _)| kind.ends_with("wspush_server *"));
    if has_server || name == "wspush_server_new" {
        let live = if has_server { "i0 == 0 && " } else { "" };
        writeln!(out, "    if ({live}!({})) continue;", guard(name)).unwrap();
    }
    if !parameters.is_empty() {
        writeln!(out, "    if (!turn(w)) continue;").unwrap();
    }
    match name.as_str() {
        "wspush_config_free" => writeln!(out, "    wspush_config_free(NULL);").unwrap(),
        _ if returns == "wspush_status" => {
            let joined = arguments.join(", ");
            writeln!(out, "    begin(w);\n    end(w, \"{name}\", {name}({joined}));").unwrap();
            match name.as_str() {
                "wspush_config_new" | "wspush_config_copy" => writeln!(out, "    free_config(w);").unwrap(),
                "wspush_server_new" => writeln!(out, "    free_server(w);").unwrap(),
                _ => {}
            }
        }
        _ => writeln!(out, "    (void)w, (void){name}({});", arguments.join(", ")).unwrap(),
    }
    writeln!(out, "  }}\n}}\n").unwrap();
}

#[test]
fn every_function_wrongly_everywhere() {
    let functions = functions(&fs::read_to_string(root().join("include/wspush.h")).unwrap());
    let listed = fs::read_to_string(root().join("ffi-tests/exports.txt")).unwrap();
    assert_eq!(functions.len(), listed.lines().count());
    let mut out = "/* Generated by tests/ffi/walk.rs. */\n#include \"walk.h\"\n\n".to_owned();
    for function in &functions {
        walker(function, &mut out);
    }
    writeln!(out, "void walk(struct world *w) {{").unwrap();
    for Function { name, .. } in &functions {
        writeln!(out, "  walk_{name}(w);").unwrap();
    }
    writeln!(out, "}}\n#include \"walk_main.h\"").unwrap();
    let source = build_dir().join("walk.c");
    fs::write(&source, out).unwrap();

    for tool in [Tool::Sanitizers, Tool::Valgrind] {
        let Some(mut host) = Host::start_source(&source, tool, &[]) else { continue };
        let port = host.port();
        let mut client = Client::open(port, "/ws?channel=public.a&q=1");
        client.send(TEXT, b"walk");
        // The walk's goodbye, or that for a message whose pieces are of both kinds.
        let code = client.until_closed();
        assert!(matches!(code, 1000 | 1011), "{code}");
        drop(client);
        let end = host.end();
        assert!(end.starts_with("calls "), "{end}");
        eprint!("{tool:?}: {end}");
    }
}
