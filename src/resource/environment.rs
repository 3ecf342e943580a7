//! What scripts and programs find around them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::config::{AutoFailback, CompressionMethod, Config};
use crate::resource::PATH;

/// Attempts to stop a resource again, unless `env STOPRETRYMAX=` says otherwise.
const STOP_RETRIES: u32 = 10;

/// The environment of every child. Nothing is inherited: how a resource starts must not depend on who started the
/// daemon. The locale is neutral because the words of `status` are read.
pub fn variables(config: &Config) -> Vec<(OsString, OsString)> {
    let logfile = |path: &Option<PathBuf>| {
        path.clone()
            .map_or_else(OsString::new, PathBuf::into_os_string)
    };
    let mut environment = bare_variables(&config.directory);
    let mut set = |name: &str, value: OsString| environment.push((name.into(), value));
    for (name, value) in &config.parameters {
        set(&format!("HA_{name}"), value.into());
    }
    set("HA_CURHOST", config.local_node.clone().into());
    set("HA_LOGFILE", logfile(&config.logfile));
    set("HA_DEBUGLOG", logfile(&config.debugfile));
    set(
        "HA_LOGFACILITY",
        config.logfacility.clone().unwrap_or_default().into(),
    );
    set(
        "HA_LOGD",
        if config.log_to_syslog { "yes" } else { "no" }.into(),
    );
    set("HA_DATEFMT", "%Y/%m/%d_%T\t".into());
    set("HA_debug", config.debug.to_string().into());
    let compression = match config.compression {
        CompressionMethod::Zlib => "zlib",
        CompressionMethod::Bz2 => "bz2",
    };
    set("HA_COMPRESSION", compression.into());
    if config.auto_failback != AutoFailback::Legacy {
        set("HA_NICEFAILBACK", "yes".into());
    }
    for (name, value) in &config.env {
        set(&format!("HA_{name}"), value.into());
    }
    environment
}

/// The working directory of a child that runs as this user: where its core files go.
pub fn directory(config: &Config, user: &str) -> PathBuf {
    // Who runs as an ordinary user in a namespace may find it locked.
    let cores = config.coreroot.join(user);
    let is_open = cores.is_dir() && access(&cores, AccessFlags::X_OK).is_ok();
    if is_open { cores } else { PathBuf::from("/") }
}

/// The environment of a child where there is no configuration in this directory, or none that can be used.
pub fn bare_variables(directory: &Path) -> Vec<(OsString, OsString)> {
    let mut configuration = directory.to_path_buf().into_os_string();
    configuration.push("/");
    let mut functions = configuration.clone();
    functions.push("/shellfuncs");
    let environment = [
        ("PATH", PATH.into()),
        ("HOME", "/root".into()),
        ("LC_ALL", "C".into()),
        ("OCF_ROOT", "/usr/lib/ocf".into()),
        ("HA_DIR", configuration),
        ("HA_FUNCS", functions),
    ];
    environment
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect()
}

/// `env STOPRETRYMAX=N`: how often a failed stop is repeated; 0 and below means for ever.
pub fn stop_retries(variables: &[(String, String)]) -> Option<u32> {
    let written = variables
        .iter()
        .rev()
        .find(|(name, _)| name == "STOPRETRYMAX");
    match written.map(|(_, value)| value.trim().parse::<i64>()) {
        Some(Ok(number)) if number <= 0 => None,
        Some(Ok(number)) => Some(u32::try_from(number).unwrap_or(u32::MAX)),
        _ => Some(STOP_RETRIES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_stop_retries_counts() {
        let variables = |values: &[&str]| -> Vec<(String, String)> {
            values
                .iter()
                .map(|value| ("STOPRETRYMAX".to_owned(), (*value).to_owned()))
                .collect()
        };
        for (values, expected) in [
            (&[][..], Some(10)),
            (&["3"], Some(3)),
            (&["3", "5"], Some(5)),
            (&["0"], None),
            (&["-1"], None),
            (&["many"], Some(10)),
            (&["99999999999"], Some(u32::MAX)),
        ] {
            assert_eq!(stop_retries(&variables(values)), expected, "{values:?}");
        }
    }
}
