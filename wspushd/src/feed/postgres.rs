//! Rows of a PostgreSQL table, and what NOTIFY says. A row is locked while it is pushed and deleted in the same
//! transaction: numbers that are committed late are found as well, and a program that ends in between leaves it there.

use std::time::Duration;

use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Config, NoTls};
use wspush::reactor::sys;

use super::arguments::{Arguments, Source};
use super::target::Target;
use super::{Body, Item, Stop, encoded, pass_on, pass_over};

/// Rows of one transaction, at the most.
const COUNT: i64 = 100;
/// Between two looks at the table, unless NOTIFY says that there is something.
const LOOK: Duration = Duration::from_secs(1);
/// To a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Reads until that is no longer possible.
pub(super) fn follow(arguments: &Arguments, target: &mut Target) -> Stop {
    match read(arguments, target) {
        Ok(never) => match never {},
        Err(stop) => stop,
    }
}

fn read(arguments: &Arguments, target: &mut Target) -> Result<std::convert::Infallible, Stop> {
    let Source::Postgres { table, listen } = &arguments.source else {
        return Err(Stop::Wrong("no table".to_owned()));
    };
    // No error repeats the URL.
    let mut config: Config =
        arguments.url.parse().map_err(|_| Stop::Wrong("the source is no URL of PostgreSQL".to_owned()))?;
    config.connect_timeout(CONNECT).keepalives_idle(CONNECT).application_name("wspushd feed");
    let mut client = config.connect(NoTls).map_err(|problem| stopped(&problem))?;
    if let Some(name) = listen {
        client.batch_execute(&format!("LISTEN {}", quoted(name))).map_err(|problem| stopped(&problem))?;
    }
    let since = sys::calendar().as_micros();
    let mut count = 0u64;
    loop {
        if let Some(table) = table {
            while push_rows(&mut client, table, arguments.channel.as_deref(), target)? {}
        }
        let mut heard = Vec::new();
        {
            let mut notifications = client.notifications();
            let first = notifications.timeout_iter(LOOK).next().map_err(|problem| stopped(&problem))?;
            heard.extend(first);
            let mut rest = notifications.iter();
            while let Some(one) = rest.next().map_err(|problem| stopped(&problem))? {
                heard.push(one);
            }
        }
        if client.is_closed() {
            return Err(Stop::Away("the connection is closed".to_owned()));
        }
        // With a table they only say that there is something.
        for one in heard.iter().filter(|_| table.is_none()) {
            count += 1;
            let channel = arguments.channel.as_deref().unwrap_or_else(|| one.channel());
            let item = Item {
                target: format!("channel={}", encoded(channel)),
                body: Body::Text(one.payload().as_bytes().to_vec()),
                key: format!("feed:{}:{since}:{count}", std::process::id()),
            };
            pass_on(target, &item)?;
        }
    }
}

/// Pushes some rows and deletes them; whether there were any.
fn push_rows(
    client: &mut Client,
    table: &str,
    channel: Option<&str>,
    target: &mut Target,
) -> Result<bool, Stop> {
    let name = table.split('.').map(quoted).collect::<Vec<_>>().join(".");
    let mut transaction = client.transaction().map_err(|problem| stopped(&problem))?;
    let select = format!(
        "SELECT id::bigint, channel::text, data::text FROM {name} ORDER BY id LIMIT {COUNT} FOR UPDATE SKIP LOCKED"
    );
    let rows = transaction.query(&select, &[]).map_err(|problem| stopped(&problem))?;
    let mut done = Vec::with_capacity(rows.len());
    for row in &rows {
        let wrong = |problem: postgres::Error| stopped(&problem);
        let id: i64 = row.try_get(0).map_err(wrong)?;
        let own: Option<String> = row.try_get(1).map_err(wrong)?;
        let data: Option<String> = row.try_get(2).map_err(wrong)?;
        let key = format!("postgres:{table}:{id}");
        match (own.as_deref().or(channel), data) {
            (Some(channel), Some(data)) => {
                let target_of = format!("channel={}", encoded(channel));
                pass_on(target, &Item { target: target_of, body: Body::Text(data.into_bytes()), key })?;
            }
            (None, _) => pass_over(&key, "it has no channel, and there is no --channel"),
            (_, None) => pass_over(&key, "it has no data"),
        }
        done.push(id);
    }
    if done.is_empty() {
        return Ok(false);
    }
    let delete = format!("DELETE FROM {name} WHERE id = ANY($1)");
    transaction.execute(&delete, &[&done]).map_err(|problem| stopped(&problem))?;
    transaction.commit().map_err(|problem| stopped(&problem))?;
    Ok(true)
}

/// A name as SQL has it; it has no quotes.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The meaning of an error: no table, no right and no password are for somebody to look at.
fn stopped(problem: &postgres::Error) -> Stop {
    let text = problem.as_db_error().map_or_else(|| problem.to_string(), |said| said.message().to_owned());
    let is_wrong = problem.code().is_some_and(|code| ["28", "3D", "42"].contains(&&code.code()[..2]));
    if is_wrong { Stop::Wrong(format!("the source: {text}")) } else { Stop::Away(text) }
}
