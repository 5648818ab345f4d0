//! The layers a configuration is put together from: defaults < TOML file < environment < flags. It is
//! remembered where each value came from, for errors and for `--check`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::error::{Problem, Source};
use super::setting::{Setting, VARIABLE_PREFIX, Value};
use super::{Config, ConfigError, SETTINGS};

/// The variable that names the TOML file, as `--config` does.
pub(super) const FILE_VARIABLE: &str = "WSPUSH_CONFIG";

/// Variables that are ours and no settings: the file's name, what the tests read, and where scripts look for the
/// library and the source.
const OTHER_VARIABLES: &[&str] = &[FILE_VARIABLE, "WSPUSH_BLESS", "WSPUSH_LIB", "WSPUSH_SOURCE"];

/// A configuration under construction, weakest layer first.
///
/// ```
/// use wspush::config::Layers;
///
/// let mut layers = Layers::default();
/// layers.add_environment([("WSPUSH_DRAIN_MS".into(), "100".into())])?;
/// layers.add_option("max_connections", "5000")?;
/// let config = layers.finish()?;
/// assert_eq!((config.drain_ms, config.max_connections), (100, 5_000));
/// # Ok::<(), wspush::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Layers {
    pub(super) config: Config,
    /// For each row of [`SETTINGS`], where its value comes from.
    pub(super) sources: Vec<Source>,
}

impl Default for Layers {
    fn default() -> Layers {
        Layers::over(Config::default())
    }
}

impl Layers {
    /// The daemon's defaults, with nothing laid over them.
    pub fn daemon() -> Layers {
        Layers::over(Config::daemon())
    }

    fn over(defaults: Config) -> Layers {
        Layers { config: defaults, sources: vec![Source::Default; SETTINGS.len()] }
    }

    /// Lays the `WSPUSH_*` of `variables` over what is there. A name that is no setting's is an error.
    pub fn add_environment<I>(&mut self, variables: I) -> Result<(), ConfigError>
    where
        I: IntoIterator<Item = (OsString, OsString)>,
    {
        // In the order of their names, so that of several errors it is always the same one that is told.
        let ours: BTreeMap<String, OsString> = variables
            .into_iter()
            .map(|(name, text)| (name.to_string_lossy().into_owned(), text))
            .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
            .collect();
        for (name, text) in ours {
            match SETTINGS.iter().position(|setting| setting.variable() == name) {
                Some(row) => self.add_text(row, &text, Source::Environment)?,
                None if OTHER_VARIABLES.contains(&name.as_str()) || is_service_link(&name) => {}
                None => {
                    let names: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
                    return Err(ConfigError::unknown(
                        Source::Environment,
                        name,
                        names.iter().map(String::as_str),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Lays one setting over what is there, from text as in the environment. For embedders that read their
    /// options elsewhere: the C ABI sets by name.
    pub fn add_option(&mut self, name: &str, text: &str) -> Result<(), ConfigError> {
        match SETTINGS.iter().position(|setting| setting.name == name) {
            Some(row) => self.add_text(row, OsStr::new(text), Source::Default),
            None => {
                let names = SETTINGS.iter().map(|setting| setting.name);
                Err(ConfigError::unknown(Source::Default, name.to_owned(), names))
            }
        }
    }

    /// The whole configuration, if [`Config::validate`] finds nothing; else its error with the place that the
    /// value comes from.
    pub fn finish(&self) -> Result<Config, ConfigError> {
        match self.config.validate() {
            Ok(()) => Ok(self.config.clone()),
            Err(mut error) => {
                if let Some(row) = SETTINGS.iter().position(|setting| setting.name == error.key) {
                    error.source = self.sources[row].clone();
                    error.key = written(&SETTINGS[row], &error.source);
                }
                Err(error)
            }
        }
    }

    /// Lays the text of a variable or a flag over row `row`.
    pub(super) fn add_text(&mut self, row: usize, text: &OsStr, source: Source) -> Result<(), ConfigError> {
        let setting = &SETTINGS[row];
        let shown = || (!setting.secret).then(|| shown_text(setting, &text.to_string_lossy()));
        let refuse = |problem| ConfigError::new(source.clone(), written(setting, &source), shown(), problem);
        let text = text.to_str().ok_or_else(|| refuse(Problem::Invalid("not UTF-8".to_owned())))?;
        let value = setting.parse(text).map_err(&refuse)?;
        setting.set(&mut self.config, value).map_err(&refuse)?;
        self.sources[row] = source;
        Ok(())
    }
}

/// Numbers and booleans as they stand there; text in quotes.
fn shown_text(setting: &Setting, text: &str) -> String {
    use super::Kind;
    let is_bare =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte));
    match setting.kind {
        Kind::Integer { .. } | Kind::Count(_) | Kind::Boolean if is_bare => text.to_owned(),
        _ => Value::Text(text.to_owned()).to_string(),
    }
}

/// A setting's name as it is written there.
pub(super) fn written(setting: &Setting, source: &Source) -> String {
    match source {
        Source::Default | Source::File { .. } => setting.name.to_owned(),
        Source::Environment => setting.variable(),
        Source::CommandLine => setting.flag(),
    }
}

/// Whether Kubernetes (or Docker's links) put the variable there, because a service is called `wspush` or
/// `wspush-admin`: `WSPUSH_SERVICE_HOST`, `WSPUSH_PORT`, `WSPUSH_ADMIN_PORT_8081_TCP_ADDR`. Nobody who runs
/// the server could take them away.
fn is_service_link(name: &str) -> bool {
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.split("_PORT_").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let mut layers = Layers::default();
        layers.add_environment(variables.iter().map(|(name, text)| (name.into(), text.into())))?;
        layers.finish()
    }

    fn refused(name: &str, text: &str) -> String {
        with(&[(name, text)]).expect_err("a wrong variable was accepted").to_string()
    }

    #[test]
    fn variables_are_read() {
        let config = with(&[
            ("WSPUSH_LISTEN", "127.0.0.1:1, [::1]:2"),
            ("WSPUSH_MAX_CONNECTIONS", "17"),
            ("WSPUSH_DEMO", "1"),
            ("WSPUSH_SLOW_CONSUMER", "skip"),
            ("WSPUSH_ORIGINS", ""),
            ("PATH", "/bin"),
        ])
        .unwrap();
        assert_eq!(config.listen, ["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()]);
        assert_eq!((config.max_connections, config.demo), (17, true));
        assert_eq!((config.slow_consumer, config.origins.len()), (super::super::SlowConsumer::Skip, 0));
    }

    #[test]
    fn wrong_variables_are_named() {
        assert_eq!(
            refused("WSPUSH_MAX_CONNECTIONS", "0"),
            "environment: WSPUSH_MAX_CONNECTIONS = 0 is out of range; allowed 1..=50000000 connections"
        );
        assert_eq!(
            refused("WSPUSH_MAX_CONECTIONS", "1"),
            "environment: unknown variable \"WSPUSH_MAX_CONECTIONS\"; \
             did you mean \"WSPUSH_MAX_CONNECTIONS\"?"
        );
        assert_eq!(refused("WSPUSH_DEMO", "maybe"), "environment: WSPUSH_DEMO = maybe is not true or false");
        assert_eq!(
            refused("WSPUSH_SLOW_CONSUMER", "w\na"),
            r#"environment: WSPUSH_SLOW_CONSUMER = "w\u000Aa" is not one of close, skip"#
        );
        // An error that only shows in the whole is reported where the value was set.
        assert!(
            refused("WSPUSH_ADMIN", "0.0.0.0:1").starts_with("environment: WSPUSH_ADMIN = [\"0.0.0.0:1\"]: ")
        );
        assert!(!refused("WSPUSH_ADMIN_TOKEN", "pass word").contains("pass word"));
    }

    #[test]
    fn every_integer_has_its_variable() {
        for setting in SETTINGS {
            let Kind::Integer { bounds, .. } = setting.kind else { continue };
            let mut layers = Layers::default();
            let variable = |number: u64| [(setting.variable().into(), number.to_string().into())];
            layers.add_environment(variable(bounds.max)).unwrap();
            assert_eq!(setting.get(&layers.config), Value::Integer(bounds.max));
            let error = layers.add_environment(variable(bounds.max + 1)).unwrap_err();
            assert!(matches!(error.problem, Problem::OutOfRange { .. }), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_utf8_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let text = OsString::from_vec(vec![b'o', 0xff]);
        let error = Layers::default().add_environment([("WSPUSH_ADMIN".into(), text)]).unwrap_err();
        assert!(error.to_string().ends_with("not UTF-8"), "{error}");
    }

    #[test]
    fn service_links_are_not_ours() {
        let links = [
            "WSPUSH_SERVICE_HOST",
            "WSPUSH_SERVICE_PORT_HTTP",
            "WSPUSH_PORT",
            "WSPUSH_PORT_8080_TCP",
            "WSPUSH_ADMIN_PORT_8081_TCP_ADDR",
        ];
        for name in links {
            assert!(with(&[(name, "tcp://10.0.0.1:8080")]).is_ok(), "{name}");
        }
        assert!(with(&[("WSPUSH_PORTS", "1")]).is_err());
        assert!(!SETTINGS.iter().any(|setting| is_service_link(&setting.variable())));
    }

    #[test]
    fn options_by_name() {
        let mut layers = Layers::default();
        layers.add_option("drain_ms", "0").unwrap();
        assert_eq!(layers.finish().unwrap().drain_ms, 0);
        let error = layers.add_option("drain", "0").unwrap_err();
        assert_eq!(error.to_string(), "unknown key \"drain\"");
        let error = layers.add_option("drain_m", "0").unwrap_err();
        assert_eq!(error.to_string(), "unknown key \"drain_m\"; did you mean \"drain_ms\"?");
    }
}
