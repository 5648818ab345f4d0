//! Settings.

use std::ffi::c_char;

use wspush::config::Layers;

use super::error::CallError;
use super::routes::Routes;
use super::status::*;

/// Settings for servers; one thread at a time.
pub struct wspush_config {
    pub(super) layers: Layers,
    pub(super) routes: Routes,
}

/// Makes a configuration with the defaults. They have no admin listener, since a library opens no port that nobody
/// asked for (`"admin"` sets one). Free it with `wspush_config_free`. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_config_new(config: *mut *mut wspush_config) -> wspush_status {
    call!(config: place => {
        config.put(Box::into_raw(Box::new(wspush_config { layers: Layers::default(), routes: Routes::default() })));
        Ok(WSPUSH_OK)
    })
}

/// Sets one setting by its name, the one it has in the daemon's TOML file, from text: numbers in decimal, `true` or
/// `false`, a list's entries separated by commas. `WSPUSH_ECONFIG`: no such name, or not such a value;
/// `wspush_last_error` says what would be allowed. Nothing is kept of either text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_config_set(
    config: *mut wspush_config,
    name: *const c_char,
    name_length: usize,
    value: *const c_char,
    value_length: usize,
) -> wspush_status {
    call!(config: given_mut, name: text(name_length), value: text(value_length) => {
        config.layers.add_option(name, value)?;
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_config_set`, for numbers, and for booleans with 1 and 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_config_set_int(
    config: *mut wspush_config,
    name: *const c_char,
    name_length: usize,
    value: i64,
) -> wspush_status {
    call!(config: given_mut, name: text(name_length) => {
        config.layers.add_option(name, &value.to_string())?;
        Ok(WSPUSH_OK)
    })
}

/// Lays the settings of a TOML file over those that are there: the daemon's file will do. `WSPUSH_ECONFIG`: it can't be
/// read or has an error, and `wspush_last_error` says in which line. `WSPUSH_EUNSUPPORTED`: the library was built
/// without the cargo feature `daemon`. Reads the file, so it may block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_config_load(
    config: *mut wspush_config,
    path: *const c_char,
    path_length: usize,
) -> wspush_status {
    call!(config: given_mut, path: text(path_length) => { load(&mut config.layers, path) })
}

#[cfg(feature = "daemon")]
fn load(layers: &mut Layers, path: &str) -> Result<wspush_status, CallError> {
    // A file that is refused in its middle must not leave the settings before it behind.
    let mut loaded = layers.clone();
    loaded.add_file(path.as_ref())?;
    *layers = loaded;
    Ok(WSPUSH_OK)
}

#[cfg(not(feature = "daemon"))]
fn load(_layers: &mut Layers, _path: &str) -> Result<wspush_status, CallError> {
    Err(CallError::new(WSPUSH_EUNSUPPORTED, "this library was built without TOML files (feature `daemon`)"))
}

/// Makes a configuration with the same settings, but without routes (`wspush_route_add`), whose callbacks are another
/// server's. Free it with `wspush_config_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_config_copy(
    config: *const wspush_config,
    copy: *mut *mut wspush_config,
) -> wspush_status {
    call!(config: given, copy: place => {
        let made = wspush_config { layers: config.layers.clone(), routes: Routes::default() };
        copy.put(Box::into_raw(Box::new(made)));
        Ok(WSPUSH_OK)
    })
}

/// Checks what only shows in the whole; `wspush_server_new` does it as well. `WSPUSH_ECONFIG` as in
/// `wspush_config_set`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_config_check(config: *const wspush_config) -> wspush_status {
    call!(config: given => {
        config.layers.finish()?;
        Ok(WSPUSH_OK)
    })
}

/// Frees a configuration; servers that were made with it are not concerned. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_config_free(config: *mut wspush_config) {
    if config.is_null() {
        return;
    }
    let _ = call!(=> {
        // SAFETY: it came from `wspush_config_new`, and by the contract of the room it is freed once.
        drop(unsafe { Box::from_raw(config) });
        Ok(WSPUSH_OK)
    });
}
