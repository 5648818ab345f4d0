//! A plan for a terminal.

use super::{Outlook, Row};
use crate::args::Sizing;
use crate::quantity::{count, decimal, plural};
use std::fmt::{self, Write};

/// The plan, ready to print.
pub(super) fn render(outlook: &Outlook, sizing: &Sizing) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write_plan(&mut out, outlook, sizing);
    out
}

fn whole(number: f64) -> String {
    // More than that is as good as no bound.
    if number < 1e15 { count(number as u64) } else { "no bound".to_owned() }
}

fn gibibytes(bytes: f64) -> String {
    format!("{} GiB", decimal(bytes / f64::from(1 << 30), 1))
}

fn seconds(s: f64) -> String {
    if s.is_finite() { decimal(s, 2) } else { "never".to_owned() }
}

fn write_plan(out: &mut String, outlook: &Outlook, sizing: &Sizing) -> fmt::Result {
    let Sizing { aim, machine, costs, .. } = sizing;
    writeln!(
        out,
        "{} connections, a message of {} bytes to all of them within {} s\n",
        whole(aim.connections),
        count(aim.size),
        decimal(aim.deadline.as_secs_f64(), 0)
    )?;
    writeln!(out, "Assumed")?;
    let mut line = |name: &str, value: String| writeln!(out, "  {name:<24}{value}");
    line(
        "a machine",
        format!(
            "{} of memory, {} cores for wspushd, {} Gbit/s",
            gibibytes(machine.memory),
            machine.cores,
            decimal(machine.network / 1e9, 1)
        ),
    )?;
    line("of which are used", format!("{} %", decimal(machine.usable, 0)))?;
    line("each of several cores", format!("{} % of a single one's deliveries", decimal(machine.scaling, 0)))?;
    line(
        "a connection",
        format!(
            "{} bytes user, {} kernel, {} more while a message is on its way",
            decimal(costs.user_bytes, 0),
            decimal(costs.kernel_bytes, 0),
            decimal(costs.pending_bytes, 0)
        ),
    )?;
    line(
        "CPU",
        format!(
            "{} us a delivery, {} us a handshake, {} us a heartbeat each {} s",
            decimal(costs.delivery_us, 2),
            decimal(costs.handshake_us, 1),
            decimal(costs.heartbeat_us, 1),
            decimal(costs.heartbeat.as_secs_f64(), 0)
        ),
    )?;
    line("on the wire", format!("{} bytes beside the message", decimal(costs.wire_bytes, 0)))?;
    line("publications", count(aim.publications))?;
    line("the engine", format!("{} s until all machines have it", decimal(aim.engine.as_secs_f64(), 1)))?;
    writeln!(out, "\nConnections of one machine, as far as")?;
    for (name, connections) in
        [("memory", outlook.room.memory), ("cores", outlook.room.cores), ("network", outlook.room.network)]
    {
        let mark = if name == outlook.limit { "  <- the limit" } else { "" };
        writeln!(out, "  {name:<24}{:>14}{mark}", whole(connections))?;
    }
    let Some(machines) = outlook.machines else {
        return writeln!(
            out,
            "\nNO PLAN: the engine leaves no time for a delivery, whatever the number of machines"
        );
    };
    writeln!(
        out,
        "\n{:>9}{:>14}{:>12}{:>9}{:>10}{:>14}{:>12}{:>7}",
        "machines", "connections", "memory", "cores", "network", "last receipt", "all return", "idle"
    )?;
    outlook.rows.iter().try_for_each(|row| write_row(out, row))?;
    if let Some(bytes) = outlook.engine_bytes {
        writeln!(
            out,
            "\nThe engine sends {} bytes for each publication, to {}.",
            whole(bytes),
            plural(machines, "machine", "machines")
        )?;
    }
    writeln!(out, "PLAN: {}, for want of {}", plural(machines, "machine", "machines"), outlook.limit)
}

fn write_row(out: &mut String, row: &Row) -> fmt::Result {
    let judged = match (row.has_memory, row.is_in_time) {
        (true, true) => "",
        (false, true) => "  too little memory",
        (true, false) => "  too late",
        (false, false) => "  too little memory, too late",
    };
    writeln!(
        out,
        "{:>9}{:>14}{:>12}{:>7} s{:>8} s{:>12} s{:>10} s{:>5} %{judged}",
        count(row.machines),
        count(row.connections_each),
        gibibytes(row.memory_bytes),
        seconds(row.cores_s),
        seconds(row.network_s),
        seconds(row.last_s),
        seconds(row.return_s),
        decimal(row.idle_percent, 0),
    )
}
