//! How `wspushd` was called: arguments and environment, and the configuration they lead to.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::Source;
use super::layers::{FILE_VARIABLE, Layers};
use super::setting::VARIABLE_PREFIX;
use super::{Config, ConfigError};

use super::cli::parse;

/// The arguments as they were parsed, before anything is made of them.
#[derive(Default)]
pub(super) struct Arguments {
    /// `--config`.
    pub config_file: Option<OsString>,
    /// `--check`.
    pub check: bool,
    /// Rows of the table of settings, and the text for each; what a list's flag said each time is one list.
    pub flags: Vec<(usize, OsString)>,
}

/// A command line that has been understood, and everything it leads to.
#[derive(Clone)]
pub struct Invocation {
    /// The configuration in effect.
    pub config: Config,
    /// Only print the configuration: [`Invocation::check_text`].
    pub check: bool,
    /// The TOML file.
    pub config_file: Option<PathBuf>,
    pub(super) layers: Layers,
    flags: Vec<(usize, OsString)>,
    environment: Vec<(OsString, OsString)>,
}

/// Why there is no [`Invocation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvocationEnd {
    /// Help or the version was asked for: the text for standard output.
    Shown(String),
    /// Something is wrong with the configuration.
    Refused(ConfigError),
}

impl InvocationEnd {
    /// The exit code of a process that ends with this.
    pub fn exit_code(&self) -> u8 {
        match self {
            InvocationEnd::Shown(_) => 0,
            InvocationEnd::Refused(_) => 2,
        }
    }
}

impl fmt::Display for InvocationEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvocationEnd::Shown(text) => f.write_str(text.trim_end()),
            InvocationEnd::Refused(error) => write!(f, "wspushd: {error}"),
        }
    }
}

impl From<ConfigError> for InvocationEnd {
    fn from(error: ConfigError) -> InvocationEnd {
        InvocationEnd::Refused(error)
    }
}

/// Flags and variables may be secrets.
impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation")
            .field("config", &self.config)
            .field("check", &self.check)
            .field("config_file", &self.config_file)
            .finish_non_exhaustive()
    }
}

impl Invocation {
    /// The text that `--check` prints.
    pub fn check_text(&self) -> String {
        self.layers.to_toml()
    }

    /// Reads the file again, under the same variables and flags.
    pub fn reload(&self) -> Result<Config, ConfigError> {
        self.lay()?.finish()
    }

    fn lay(&self) -> Result<Layers, ConfigError> {
        let mut layers = Layers::daemon();
        if let Some(path) = &self.config_file {
            add_file(&mut layers, path)?;
        }
        layers.add_environment(self.environment.iter().cloned())?;
        for (row, text) in &self.flags {
            layers.add_text(*row, text, Source::CommandLine)?;
        }
        Ok(layers)
    }
}

#[cfg(feature = "daemon")]
fn add_file(layers: &mut Layers, path: &Path) -> Result<(), ConfigError> {
    layers.add_file(path)
}

/// Without the feature `daemon` there is no TOML; a file that is named must not be passed over in silence.
#[cfg(not(feature = "daemon"))]
fn add_file(_layers: &mut Layers, path: &Path) -> Result<(), ConfigError> {
    let source = Source::File { path: path.to_owned(), line: 0 };
    let why = "this build reads no TOML; use flags or WSPUSH_ variables".to_owned();
    Err(ConfigError::unreadable(source, why))
}

/// Understands a command line, whose first argument is the program's name, and an environment.
pub fn from_args(
    args: impl Iterator<Item = OsString>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Invocation, InvocationEnd> {
    let arguments = parse(args)?;
    let environment: Vec<_> =
        environment.filter(|(name, _)| name.to_string_lossy().starts_with(VARIABLE_PREFIX)).collect();
    let variable = environment.iter().find(|(name, _)| name == FILE_VARIABLE).map(|(_, path)| path.clone());
    let mut invocation = Invocation {
        config: Config::daemon(),
        check: arguments.check,
        config_file: arguments.config_file.or(variable).map(PathBuf::from),
        layers: Layers::daemon(),
        flags: arguments.flags,
        environment,
    };
    invocation.layers = invocation.lay()?;
    invocation.config = invocation.layers.finish()?;
    Ok(invocation)
}
