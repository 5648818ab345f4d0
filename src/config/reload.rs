//! The settings that may change in a server that is running.

use super::{Config, ConfigError, SETTINGS};

impl Config {
    /// The names of the settings in which `new` differs: those that a reload applies, and those that wait for
    /// a restart.
    pub fn reloadable_changes(&self, new: &Config) -> (Vec<&'static str>, Vec<&'static str>) {
        let changed = SETTINGS.iter().filter(|setting| setting.get(self) != setting.get(new));
        let (applied, waiting): (Vec<_>, Vec<_>) = changed.partition(|setting| setting.reloadable);
        let names = |list: Vec<&super::Setting>| list.iter().map(|setting| setting.name).collect();
        (names(applied), names(waiting))
    }

    /// This configuration with what a reload may take from `new`. It can be invalid although both are valid:
    /// a larger `admin_body_bytes_max` that counts on a larger `log_bytes`, which only a restart brings.
    pub fn reloaded(&self, new: &Config) -> Result<Config, ConfigError> {
        let mut mixed = self.clone();
        for setting in SETTINGS.iter().filter(|setting| setting.reloadable) {
            // A value from one configuration fits the other; if not, `validate` says so below.
            let _ = setting.set(&mut mixed, setting.get(new));
        }
        new.validate()?;
        mixed.validate()?;
        Ok(mixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_sorted_into_now_and_later() {
        let old = Config::default();
        assert_eq!(old.reloadable_changes(&old), (vec![], vec![]));
        let new = Config {
            drain_ms: 1,
            admin_token: Some("x".into()),
            log_bytes: 8 << 20,
            max_connections: 7,
            ..old.clone()
        };
        let (applied, waiting) = old.reloadable_changes(&new);
        assert_eq!(
            (applied, waiting),
            (vec!["admin_token", "drain_ms"], vec!["max_connections", "log_bytes"])
        );
        let mixed = old.reloaded(&new).unwrap();
        assert_eq!(mixed, Config { drain_ms: 1, admin_token: Some("x".into()), ..old });
    }

    #[test]
    fn a_mixture_may_be_refused() {
        let old = Config::default();
        let new = Config { log_bytes: 32 << 20, admin_body_bytes_max: 16 << 20, ..old.clone() };
        assert_eq!(new.validate(), Ok(()));
        assert_eq!(old.reloaded(&new).unwrap_err().key, "admin_body_bytes_max");
    }
}
