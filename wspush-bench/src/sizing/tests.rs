use super::*;
use crate::args;

fn sizing(options: &[&str]) -> Sizing {
    args::sizing(options)
}

fn plan(options: &[&str]) -> Outlook {
    let Sizing { aim, machine, costs, .. } = sizing(options);
    outlook(&aim, &machine, &costs)
}

#[test]
fn the_scarcest_decides() {
    for (options, limit) in [
        (&["--memory", "1G"][..], "memory"),
        (&["--cores", "1", "--memory", "1T", "--network", "1T"], "cores"),
        (&["--network", "10M"], "network"),
        (&["--size", "1000000"], "network"),
    ] {
        assert_eq!(plan(options).limit, limit, "{options:?}");
    }
}

/// By hand: a machine of one core, all of which is used, and nothing but deliveries.
#[test]
fn the_arithmetic_is_what_it_says() {
    let all = ["-n", "12M", "--deadline", "60s", "--engine", "0s", "--cores", "1", "--usable", "100"];
    let free = [
        "--heartbeat",
        "0s",
        "--memory",
        "1T",
        "--network",
        "1T",
        "--delivery-us",
        "10",
        "--handshake-us",
        "20",
    ];
    let outlook = plan(&[&all[..], &free].concat());
    assert_eq!((outlook.room.cores, outlook.machines), (6e6, Some(2)));
    let row = outlook.rows.iter().find(|row| row.machines == 2).unwrap();
    assert_eq!((row.connections_each, row.cores_s, row.last_s, row.return_s), (6_000_000, 60.0, 60.0, 120.0));
    assert!(row.is_in_time && row.has_memory && row.idle_percent == 0.0);
    let half = outlook.rows.iter().find(|row| row.machines == 1).unwrap();
    assert_eq!((half.last_s, half.is_in_time), (120.0, false));
    // Twice as much to say takes twice as many.
    let outlook = plan(&[&all[..], &free, &["--publications", "2"]].concat());
    assert_eq!(outlook.machines, Some(4));
    // The memory of 1,000 connections.
    let outlook = plan(&["-n", "2000", "--memory", "7888000", "--usable", "100"]);
    assert_eq!((outlook.limit, outlook.machines), ("memory", Some(2)));
}

#[test]
fn the_row_that_is_planned_is_in_time_and_the_one_before_it_is_not() {
    for options in [&[][..], &["-n", "1M"], &["--deadline", "20s"], &["--cores", "2", "--network", "1G"]] {
        let outlook = plan(options);
        let machines = outlook.machines.unwrap();
        let Sizing { aim, machine, costs, .. } = sizing(options);
        let model = Model { aim: &aim, machine: &machine, costs: &costs };
        let row = model.row(machines);
        assert!(row.is_in_time && row.has_memory, "{options:?}: {row:?}");
        if machines > 1 {
            let fewer = model.row(machines - 1);
            assert!(!fewer.is_in_time || !fewer.has_memory, "{options:?}: {fewer:?}");
        }
    }
    let none = plan(&["--engine", "60s"]);
    assert_eq!((none.machines, none.rows.len()), (None, 0));
}

#[test]
fn costs_come_from_a_report() {
    let report = r#"{"server":{"bytes_per_connection":69.5,"per_delivery":{"total_us":6.0,"user_us":0.1},
        "per_handshake":{"total_us":14.0}}}"#;
    let mut costs = sizing(&[]).costs;
    measured::parse(report).unwrap().put_into(&mut costs);
    assert_eq!((costs.user_bytes, costs.delivery_us, costs.handshake_us), (69.5, 6.0, 14.0));
    for bad in ["", "{}", r#"{"server":null}"#, r#"{"server":{"bytes_per_connection":1}}"#] {
        assert!(measured::parse(bad).is_err(), "{bad}");
    }
}
