//! Where the HTTP server listens, and whose requests it answers.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use super::value::{filled, invalid};
use super::{Environment, Flags};
use crate::error::Result;

/// The default address, reachable from this machine only.
const LISTEN: &str = "127.0.0.1:8465";

/// Where the HTTP server listens, and whose requests it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address; `None` for no server.
    pub listen: Option<SocketAddr>,
    /// Whether the address was set explicitly: then it must be free.
    pub chosen: bool,
    /// Names it answers to in addition to this machine's loopback names.
    pub hosts: Vec<String>,
    /// Origins of web pages that may call it, in addition to its own.
    pub origins: Vec<String>,
    /// Addresses of proxies on other machines, each of which forwards many callers.
    pub proxies: Vec<IpAddr>,
    /// Whether Python tools may be uploaded to Letta through us.
    pub allow_upload: bool,
}

impl ServerSettings {
    /// Whether only this machine can reach a server that listens at `address`. A configured host
    /// name means that it is called from elsewhere, through a proxy.
    pub fn is_local(&self, address: SocketAddr) -> bool {
        address.ip().is_loopback() && self.hosts.is_empty()
    }
}

/// The `[server]` table of the settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    listen: Option<String>,
    hosts: Option<Vec<String>>,
    origins: Option<Vec<String>>,
    proxies: Option<Vec<String>>,
    allow_upload: Option<bool>,
}

/// Combines flags, environment and file.
pub(super) fn combine(flags: &Flags, env: &Environment, file: FileTable) -> Result<ServerSettings> {
    let (source, chosen) = if let Some(text) = filled(flags.listen.clone()) {
        ("--listen", Some(text))
    } else if let Some(text) = env.get("PROMPTYOSELF_LISTEN") {
        ("PROMPTYOSELF_LISTEN", Some(text.to_owned()))
    } else {
        (
            "listen in [server] of the settings file",
            filled(file.listen),
        )
    };
    let text = chosen.as_deref().unwrap_or(LISTEN);
    let listen = match text {
        "off" | "none" => None,
        _ => Some(text.parse().map_err(|_| {
            invalid(
                source,
                format_args!("{text:?} is not an address and a port; off means no server"),
                "--listen 127.0.0.1:8465",
            )
        })?),
    };
    let words = |name: &str, from_file: Option<Vec<String>>| match env.get(name) {
        Some(text) => text.split(',').map(str::to_owned).collect(),
        None => from_file.unwrap_or_default(),
    };
    let words = |name: &str, from_file| -> Vec<String> {
        let words = words(name, from_file).into_iter();
        words.filter_map(|w| filled(Some(w))).collect()
    };
    let proxies = words("PROMPTYOSELF_PROXIES", file.proxies);
    Ok(ServerSettings {
        listen,
        chosen: chosen.is_some(),
        hosts: words("PROMPTYOSELF_HOSTS", file.hosts),
        origins: words("PROMPTYOSELF_ORIGINS", file.origins),
        proxies: proxies.iter().map(|p| proxy(p)).collect::<Result<_>>()?,
        allow_upload: switch(env, "PROMPTYOSELF_ALLOW_UPLOAD")?
            .or(file.allow_upload)
            .unwrap_or(false),
    })
}

/// The address of a proxy.
fn proxy(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| {
        invalid(
            "PROMPTYOSELF_PROXIES, or proxies in [server] of the settings file",
            format_args!("{text:?} is not the address of a machine, without a port"),
            "PROMPTYOSELF_PROXIES=172.18.0.2",
        )
    })
}

/// A variable that is yes or no.
fn switch(env: &Environment, name: &str) -> Result<Option<bool>> {
    match env.get(name).map(str::to_ascii_lowercase).as_deref() {
        None => Ok(None),
        Some("1" | "true" | "yes" | "on") => Ok(Some(true)),
        Some("0" | "false" | "no" | "off") => Ok(Some(false)),
        Some(other) => Err(invalid(
            name,
            format_args!("{other:?} is neither yes nor no"),
            &format!("{name}=1"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(env: &[(&str, &str)]) -> Result<ServerSettings> {
        let env = env.iter().copied().collect();
        combine(&Flags::default(), &env, FileTable::default())
    }

    #[test]
    fn the_server_listens_on_this_machine_alone_unless_it_is_told_otherwise() {
        let usual = listen(&[]).unwrap();
        assert!(usual.listen.unwrap().ip().is_loopback() && !usual.chosen);
        let chosen = listen(&[("PROMPTYOSELF_LISTEN", "0.0.0.0:80")]).unwrap();
        assert_eq!(chosen.listen, Some("0.0.0.0:80".parse().unwrap()));
        assert!(chosen.chosen);
        assert_eq!(
            listen(&[("PROMPTYOSELF_LISTEN", "off")]).unwrap().listen,
            None
        );
    }

    #[test]
    fn an_empty_name_in_a_list_is_no_name() {
        let settings = listen(&[("PROMPTYOSELF_HOSTS", "a.example,, b.example,")]).unwrap();
        assert_eq!(settings.hosts, ["a.example", "b.example"]);
    }

    #[test]
    fn a_proxy_is_named_by_its_address() {
        let proxies = |text| listen(&[("PROMPTYOSELF_PROXIES", text)]).map(|s| s.proxies);
        let read = proxies("172.18.0.2, 2001:db8::1").unwrap();
        assert_eq!(
            read,
            ["172.18.0.2", "2001:db8::1"].map(|a| a.parse::<IpAddr>().unwrap())
        );
        let error = proxies("proxy.example:80").unwrap_err();
        assert!(
            error.to_string().contains("PROMPTYOSELF_PROXIES"),
            "{error}"
        );
    }

    #[test]
    fn uploads_are_off_until_somebody_turns_them_on() {
        let allowed = |env: &[(&str, &str)]| listen(env).map(|s| s.allow_upload);
        assert!(!allowed(&[]).unwrap());
        assert!(allowed(&[("PROMPTYOSELF_ALLOW_UPLOAD", "1")]).unwrap());
        assert!(!allowed(&[("PROMPTYOSELF_ALLOW_UPLOAD", "no")]).unwrap());
        assert!(allowed(&[("PROMPTYOSELF_ALLOW_UPLOAD", "maybe")]).is_err());
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_its_place() {
        let error = listen(&[("PROMPTYOSELF_LISTEN", "8465")]).unwrap_err();
        assert!(error.to_string().contains("PROMPTYOSELF_LISTEN"), "{error}");
    }
}
