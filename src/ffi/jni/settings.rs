//! Settings by name, values as text.

use std::str::FromStr;

use crate::config::{AdminListen, Config, LogLevel, SlowConsumer};

/// Sets one; the names are those of [`Config`]'s fields.
pub(super) fn set(config: &mut Config, name: &str, text: &str) -> Result<(), String> {
    let problem = match name {
        "listen" => list(text, &mut config.listen),
        "admin" => admin(text).map(|admin| config.admin = admin),
        "admin_token" => Some(()).inspect(|()| config.admin_token = Some(text.to_owned())),
        "demo" => value(text, &mut config.demo),
        "ws_only" => value(text, &mut config.ws_only),
        "max_connections" => value(text, &mut config.max_connections),
        "connections_per_address_max" => value(text, &mut config.connections_per_address_max),
        "origins" => list(text, &mut config.origins),
        "channels" => list(text, &mut config.channels),
        "subprotocols" => list(text, &mut config.subprotocols),
        "channels_max" => value(text, &mut config.channels_max),
        "channels_per_connection_max" => value(text, &mut config.channels_per_connection_max),
        "handshake_ms" => value(text, &mut config.handshake_ms),
        "message_bytes_max" => value(text, &mut config.message_bytes_max),
        "heartbeat_ms" => value(text, &mut config.heartbeat_ms),
        "pong_wait_ms" => value(text, &mut config.pong_wait_ms),
        "log_publications" => value(text, &mut config.log_publications),
        "log_bytes" => value(text, &mut config.log_bytes),
        "outbox_bytes_max" => value(text, &mut config.outbox_bytes_max),
        "drain_ms" => value(text, &mut config.drain_ms),
        "inbox_commands_max" => value(text, &mut config.inbox_commands_max),
        "inbox_bytes_max" => value(text, &mut config.inbox_bytes_max),
        "slow_consumer" => choice(
            text,
            &[("close", SlowConsumer::Close), ("skip", SlowConsumer::Skip)],
            &mut config.slow_consumer,
        ),
        "log_level" => choice(
            text,
            &[
                ("off", LogLevel::Off),
                ("error", LogLevel::Error),
                ("warn", LogLevel::Warn),
                ("info", LogLevel::Info),
                ("debug", LogLevel::Debug),
            ],
            &mut config.log_level,
        ),
        _ => return Err(format!("{name}: there is no such setting")),
    };
    problem.ok_or_else(|| format!("{name}: {text:?} is not allowed"))
}

fn value<T: FromStr>(text: &str, field: &mut T) -> Option<()> {
    *field = text.parse().ok()?;
    Some(())
}

fn list<T: FromStr>(text: &str, field: &mut Vec<T>) -> Option<()> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    *field = entries.map(|entry| entry.parse().ok()).collect::<Option<_>>()?;
    Some(())
}

fn admin(text: &str) -> Option<AdminListen> {
    match text.strip_prefix("unix:") {
        Some(path) => Some(AdminListen::Unix(path.into())),
        None if text == "off" => Some(AdminListen::Off),
        None => text.parse().ok().map(AdminListen::Tcp),
    }
}

fn choice<T: Copy>(text: &str, choices: &[(&str, T)], field: &mut T) -> Option<()> {
    *field = choices.iter().find(|(name, _)| *name == text)?.1;
    Some(())
}
