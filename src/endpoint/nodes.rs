//! Requests to the admin API that are about other nodes of a cluster, or about all of them.

use crate::protocol::form;
use crate::protocol::head::{self, Fields, Head};
use crate::protocol::response::{Refusal, Response};

use super::admin::{self, query};
use super::caller::Caller;
use super::requests;

/// Bytes of a request line, when it is passed on.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Something that this node alone can't answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Afar {
    /// Which nodes there are.
    Nodes,
    /// How far the publication of this receipt has come, at all nodes.
    Receipt(u64),
    /// The same request at a node; None: at all of them.
    At {
        /// Its name.
        node: Option<String>,
        /// Path and query without that.
        target: String,
    },
}

/// Whether a request is one of those. `has_cluster`: there are other nodes.
///
/// # Errors
/// It can't be passed on, or there is nobody to pass it to.
pub fn read(head: &Head<'_>, caller: &Caller, has_cluster: bool) -> Result<Option<Afar>, Refusal> {
    let path = requests::path(head);
    if path == requests::NODES.path {
        if !head.only_looks() {
            return Err(admin::takes(&requests::NODES));
        }
        query(head, &requests::NODES)?;
        caller.check(path, head)?;
        return if has_cluster { Ok(Some(Afar::Nodes)) } else { Err(alone()) };
    }
    let mut nodes = form::fields(head.query().as_bytes()).filter(|field| *field.name == *b"node");
    let Some(first) = nodes.next() else {
        let receipt = has_cluster && path == requests::STATS.path && head.only_looks();
        if !receipt {
            return Ok(None);
        }
        caller.check(path, head)?;
        return Ok(query(head, &requests::STATS)?.number("receipt").map(Afar::Receipt));
    };
    if nodes.next().is_some() {
        return Err(Refusal::fixed(400, "node is there more than once; this path takes one parameter node"));
    }
    let known: &[&str] = &["/connections", "/channels", "/stats", "/push"];
    if !known.contains(&path)
        && !["/connections/", "/channels/", "/users/"].iter().any(|p| path.starts_with(p))
    {
        return Ok(None);
    }
    if !has_cluster {
        return Err(Refusal::fixed(
            400,
            "node is for servers of a cluster, and this one is none (cluster is not set)",
        ));
    }
    let node = first.value.unwrap_or_default();
    let node = match &*node {
        b"*" => None,
        name => Some(String::from_utf8(name.to_vec()).unwrap_or_default()),
    };
    if node.as_deref() == Some("") {
        return Err(Refusal::fixed(400, "node is empty; it is a node's name as GET /nodes lists it, or *"));
    }
    let is_for_one = path.starts_with("/connections/") || path == requests::PUSH.path;
    let may_be = head.only_looks() || is_for_one && node.is_some();
    if !may_be {
        let reason =
            "with node= there are GET requests, and with a node's name those for one of its connections";
        return Err(Refusal::fixed(400, reason));
    }
    let rest: Vec<&str> =
        head.query().split('&').filter(|part| part.split('=').next() != Some("node")).collect();
    let rest = rest.join("&");
    let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
    if path == requests::PUSH.path && !form::fields(rest.as_bytes()).any(|field| *field.name == *b"conn") {
        return Err(Refusal::fixed(400, "node goes with conn; channels and users are those of all nodes"));
    }
    with_head(head.method, &target, |head| caller.check(path, head))??;
    Ok(Some(Afar::At { node, target }))
}

/// There are none.
pub(super) fn alone() -> Refusal {
    Refusal::fixed(404, "this server is no node of a cluster (cluster is not set)")
}

/// Makes the head of a request that is passed on.
///
/// # Errors
/// There is no such request.
pub fn with_head<T>(method: &str, target: &str, take: impl FnOnce(&Head<'_>) -> T) -> Result<T, Refusal> {
    let text = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    with_text(&text, take)
}

/// The same with the media type of a body.
///
/// # Errors
/// There is no such request.
pub fn with_body<T>(
    method: &str,
    target: &str,
    content_type: Option<&str>,
    take: impl FnOnce(&Head<'_>) -> T,
) -> Result<T, Refusal> {
    let content_type = content_type.map(|kind| format!("content-type: {kind}\r\n")).unwrap_or_default();
    with_text(&format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n{content_type}\r\n"), take)
}

fn with_text<T>(text: &str, take: impl FnOnce(&Head<'_>) -> T) -> Result<T, Refusal> {
    let mut fields = Fields::new();
    match head::parse(text.as_bytes(), LINE_BYTES_MAX, &mut fields)? {
        Some((head, _)) => Ok(take(&head)),
        None => Err(Refusal::fixed(400, "no request that can be passed on")),
    }
}

/// A JSON object with a field in front of the others.
pub fn with_field(object: &str, name: &str, value: &impl serde::Serialize) -> String {
    let (object, value) = (object.trim(), serde_json::to_string(value).unwrap_or_default());
    match object.strip_prefix('{').map(str::trim_start) {
        Some("}") => format!("{{\"{name}\":{value}}}"),
        Some(rest) => format!("{{\"{name}\":{value},{rest}"),
        None => format!("{{\"{name}\":{value},\"answer\":{}}}", serde_json::json!(object)),
    }
}

/// An answer of one node, which says so.
pub fn of_node(node: &str, status: u16, body: &str) -> Response {
    Response::json(status, (with_field(body, "node", &node) + "\n").into_bytes())
}

/// The answers of all nodes together, and those that have not answered.
pub fn of_all(answers: &[(String, String)], missing: &[String]) -> Response {
    let mut body = "{\"nodes\":[".to_owned();
    for (n, (node, answer)) in answers.iter().enumerate() {
        body.push_str(if n == 0 { "" } else { "," });
        body.push_str(&with_field(answer, "node", node));
    }
    body.push_str("],\"missing\":");
    body.push_str(&serde_json::json!(missing).to_string());
    body.push_str("}\n");
    Response::json(200, body.into_bytes())
}

/// The same answer, and which nodes are not in it.
pub fn without(response: Response, missing: &[String]) -> Response {
    if missing.is_empty() {
        return response;
    }
    let body = with_field(&String::from_utf8_lossy(&response.body), "missing", &missing);
    Response { body: (body + "\n").into_bytes().into(), ..response }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, target: &str, has_cluster: bool) -> Result<Option<Afar>, Refusal> {
        with_head(method, target, |head| read(head, &Caller::Anybody, has_cluster)).unwrap()
    }

    fn at(node: Option<&str>, target: &str) -> Result<Option<Afar>, Refusal> {
        Ok(Some(Afar::At { node: node.map(str::to_owned), target: target.to_owned() }))
    }

    #[test]
    fn requests_are_passed_on_without_the_node() {
        assert_eq!(asked("GET", "/connections?node=a&limit=3", true), at(Some("a"), "/connections?limit=3"));
        assert_eq!(asked("GET", "/channels/x%20y/history?since=last:1&node=*", true), {
            at(None, "/channels/x%20y/history?since=last:1")
        });
        assert_eq!(asked("DELETE", "/connections/7?node=a", true), at(Some("a"), "/connections/7"));
        assert_eq!(asked("POST", "/push?conn=7&node=a", true), at(Some("a"), "/push?conn=7"));
        assert_eq!(asked("GET", "/connections?limit=3", true), Ok(None));
        assert_eq!(asked("GET", "/stats?receipt=7", true), Ok(Some(Afar::Receipt(7))));
        assert_eq!(asked("GET", "/stats?receipt=7", false), Ok(None));
        assert_eq!(asked("GET", "/nodes", true), Ok(Some(Afar::Nodes)));
        for (method, target, has_cluster, status) in [
            ("GET", "/connections?node=", true, 400),
            ("GET", "/connections?node=a&node=b", true, 400),
            ("GET", "/connections?node=a", false, 400),
            ("DELETE", "/connections/7?node=*", true, 400),
            ("POST", "/push?channel=x&node=a", true, 400),
            ("DELETE", "/channels/x/history?node=a", true, 400),
            ("GET", "/nodes", false, 404),
            ("POST", "/nodes", true, 405),
            ("GET", "/nodes?x=1", true, 400),
        ] {
            let refused = asked(method, target, has_cluster).unwrap_err();
            assert_eq!(refused.status, status, "{method} {target}: {}", refused.reason);
        }
    }

    #[test]
    fn answers_say_whose_they_are() {
        let text = |response: Response| String::from_utf8(response.body.into_owned()).unwrap();
        assert_eq!(text(of_node("a", 404, "{\"error\":\"x\"}\n")), "{\"node\":\"a\",\"error\":\"x\"}\n");
        let all = [("a".to_owned(), "{}".to_owned()), ("b".to_owned(), "{\"n\":1}\n".to_owned())];
        let expected = r#"{"nodes":[{"node":"a"},{"node":"b","n":1}],"missing":["c"]}"#;
        assert_eq!(text(of_all(&all, &["c".to_owned()])).trim(), expected);
        let response = Response::json(200, b"{\"user\":\"u\"}".to_vec());
        assert_eq!(text(without(response.clone(), &[])), "{\"user\":\"u\"}");
        assert_eq!(text(without(response, &["c".to_owned()])), "{\"missing\":[\"c\"],\"user\":\"u\"}\n");
    }
}
