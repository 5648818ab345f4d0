//! The kinds of rows of the table of settings, as [`settings`](super::settings) writes them: each is a
//! [`Setting`](super::Setting) with the functions that lead from text to its field and back.

/// `restart` and `reload` in the table.
macro_rules! reloadable {
    (restart) => {
        false
    };
    (reload) => {
        true
    };
}

macro_rules! row {
    ($field:ident, $help:literal, $group:ident, $kind:expr, $reload:ident, $secret:literal, $set:expr,
     $get:expr) => {
        Setting {
            name: stringify!($field),
            help: $help,
            group: Group::$group,
            kind: $kind,
            reloadable: reloadable!($reload),
            secret: $secret,
            set: |config, value| {
                config.$field = $set(value)?;
                Ok(())
            },
            get: |config| $get(&config.$field),
        }
    };
}

macro_rules! integer {
    ($field:ident, $help:literal, $group:ident, $bounds:ident, $unit:literal, $reload:ident) => {
        row!(
            $field,
            $help,
            $group,
            Kind::Integer { bounds: limits::$bounds, unit: $unit },
            $reload,
            false,
            number,
            shown_number
        )
    };
}

macro_rules! boolean {
    ($field:ident, $help:literal, $group:ident, $reload:ident) => {
        row!($field, $help, $group, Kind::Boolean, $reload, false, boolean, shown_boolean)
    };
}

macro_rules! list {
    ($field:ident, $help:literal, $group:ident, $max:ident, $of:literal, $reload:ident, $entry:expr) => {
        row!(
            $field,
            $help,
            $group,
            Kind::List { max: limits::$max, of: $of },
            $reload,
            false,
            |value| entries(value, $entry),
            shown_entries
        )
    };
}

macro_rules! text {
    ($field:ident, $help:literal, $group:ident, $kind:expr, $reload:ident) => {
        row!($field, $help, $group, $kind, $reload, false, parsed, shown_text)
    };
}
