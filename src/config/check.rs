//! The output of `--check`: the configuration in effect as a TOML file that can be fed back.

use std::fmt::Write as _;

use super::layers::Layers;
use super::setting::{Group, Value};
use super::{SETTINGS, Source};

/// Shown in place of a secret.
const SECRET: &str = "(set)";

impl Layers {
    /// Everything that is in effect as TOML, and in comments where it comes from. A secret is commented out,
    /// so a file fed back lacks it, and so is what is not set, for which TOML has no value.
    pub fn to_toml(&self) -> String {
        let mut text = format!("# wspushd {}: the configuration in effect\n", env!("CARGO_PKG_VERSION"));
        let mut group: Option<Group> = None;
        for (setting, source) in SETTINGS.iter().zip(&self.sources) {
            if group != Some(setting.group) {
                group = Some(setting.group);
                let _ = write!(text, "\n# {}\n", setting.group.title());
            }
            let value = setting.get(&self.config);
            let place = match source {
                Source::Environment => format!("{source} {}", setting.variable()),
                Source::CommandLine => format!("{source} {}", setting.flag()),
                Source::Default | Source::File { .. } => source.to_string(),
            };
            let _ = if setting.is_hidden(&value) {
                writeln!(text, "# {} = \"{SECRET}\"  # {place}; secret, not shown", setting.name)
            } else if value == Value::Unset {
                writeln!(text, "# {} =  # {place}; not set", setting.name)
            } else {
                writeln!(text, "{} = {value}  # {place}", setting.name)
            };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_stands_there_with_its_source() {
        let mut layers = Layers::default();
        layers.add_environment([("WSPUSH_DEMO".into(), "true".into())]).unwrap();
        layers.add_environment([("WSPUSH_ADMIN_TOKEN".into(), "s3cret".into())]).unwrap();
        let text = layers.to_toml();
        assert!(text.contains("\n# Network\nlisten = [\"127.0.0.1:8080\"]  # default\n"), "{text}");
        assert!(text.contains("\ndemo = true  # environment WSPUSH_DEMO\n"), "{text}");
        assert!(
            text.contains("\n# admin_token = \"(set)\"  # environment WSPUSH_ADMIN_TOKEN; secret"),
            "{text}"
        );
        assert!(!text.contains("s3cret"));
        for setting in SETTINGS {
            assert!(text.contains(&format!("{} = ", setting.name)), "{}", setting.name);
        }
    }

    #[cfg(feature = "daemon")]
    #[test]
    fn it_can_be_fed_back() {
        let mut layers = Layers::default();
        for (name, text) in [
            ("listen", "127.0.0.1:1,[::1]:2"),
            ("admin", "unix:/tmp/\"quoted\\\t\u{1}ö"),
            ("origins", ""),
            ("channels", "*"),
            ("subprotocols", "a,b"),
            ("slow_consumer", "skip"),
            ("log_level", "off"),
            ("max_connections", "50000000"),
            ("ws_only", "true"),
        ] {
            layers.add_option(name, text).unwrap();
        }
        let mut again = Layers::default();
        again.add_toml(std::path::Path::new("f"), &layers.to_toml()).unwrap();
        assert_eq!(again.finish().unwrap(), layers.finish().unwrap());
    }
}
