//! `listeners`, `advertised.listeners` and `listener.security.protocol.map`: which ports are opened and what clients are told.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// One of `listeners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// In upper case, as Kafka normalises it.
    pub name: String,
    /// Empty means every interface.
    pub host: String,
    /// 0 lets the system choose.
    pub port: u16,
    /// Whether the name is one of `controller.listener.names`.
    pub controller: bool,
}

/// One of `advertised.listeners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    pub name: String,
    pub host: String,
    /// 0 stands for the port that the listener was given.
    pub port: u16,
}

impl Listener {
    /// The address to bind. A name is looked up; of several addresses the first of IP version 4 is taken, as Java does.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        if self.host.is_empty() {
            return Ok(SocketAddr::new(every_interface(), self.port));
        }
        let found: Vec<SocketAddr> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
        first.copied().ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address")
        })
    }
}

/// Version 6 takes version 4's connections too, where the machine has it.
fn every_interface() -> IpAddr {
    match std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)) {
        Ok(_) => Ipv6Addr::UNSPECIFIED.into(),
        Err(_) => Ipv4Addr::UNSPECIFIED.into(),
    }
}

/// What the listener keys say together.
pub(super) struct Endpoints {
    pub(super) listeners: Vec<Listener>,
    pub(super) advertised: Vec<Advertised>,
    pub(super) inter_broker: String,
}

/// The keys that describe listeners, as text.
pub(super) struct ListenerKeys<'a> {
    pub(super) listeners: &'a [String],
    pub(super) advertised: Option<&'a [String]>,
    pub(super) controller_names: &'a [String],
    pub(super) protocols: &'a str,
    /// Whether `listener.security.protocol.map` was set: only then must it name every listener.
    pub(super) protocols_set: bool,
    pub(super) inter_broker: Option<&'a str>,
}

/// The key at fault, and what is wrong.
pub(super) type Fault = (&'static str, String);

/// Checks the keys against each other.
pub(super) fn endpoints(keys: &ListenerKeys<'_>) -> Result<Endpoints, Fault> {
    let controllers: Vec<String> =
        keys.controller_names.iter().map(|name| name.to_uppercase()).collect();
    let protocols = protocols(keys, &controllers)?;
    let mut listeners = Vec::new();
    for text in keys.listeners {
        let (name, host, port) = endpoint("listeners", text)?;
        let controller = controllers.contains(&name);
        served("listeners", &protocols, &name)?;
        let host = if host == "0.0.0.0" || host == "::" { String::new() } else { host };
        listeners.push(Listener { name, host, port, controller });
    }
    distinct(&listeners)?;
    if listeners.iter().all(|listener| listener.controller) {
        return Err((
            "listeners",
            "there must be at least one listener for clients; all are controller listeners".into(),
        ));
    }
    let advertised = advertised(keys, &listeners, &protocols)?;
    let inter_broker = inter_broker(keys.inter_broker, &advertised)?;
    Ok(Endpoints { listeners, advertised, inter_broker })
}

fn protocols(
    keys: &ListenerKeys<'_>,
    controllers: &[String],
) -> Result<BTreeMap<String, String>, Fault> {
    const KEY: &str = "listener.security.protocol.map";
    let mut map = BTreeMap::new();
    for pair in keys.protocols.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, protocol) = pair
            .split_once(':')
            .ok_or_else(|| (KEY, format!("{pair:?} is not LISTENER:PROTOCOL")))?;
        let protocol = protocol.trim().to_uppercase();
        if !["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"].contains(&protocol.as_str()) {
            return Err((KEY, format!("Invalid security protocol `{protocol}` defined in {KEY}")));
        }
        map.insert(name.trim().to_uppercase(), protocol);
    }
    if !keys.protocols_set {
        for name in controllers {
            map.entry(name.clone()).or_insert_with(|| "PLAINTEXT".to_owned());
        }
    }
    Ok(map)
}

/// `NAME://host:port`; the host may be empty or a version 6 address in brackets.
fn endpoint(key: &'static str, text: &str) -> Result<(String, String, u16), Fault> {
    let wrong = || {
        (key, format!("Unable to parse {text} to a broker endpoint: it must be NAME://host:port"))
    };
    let (name, rest) = text.split_once("://").ok_or_else(wrong)?;
    let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bracketed.unwrap_or(host);
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let bad_host = if bracketed.is_some() {
        host.parse::<Ipv6Addr>().is_err()
    } else {
        !host.chars().all(letters)
    };
    if name.is_empty() || !name.chars().all(letters) || bad_host {
        return Err(wrong());
    }
    Ok((name.to_uppercase(), host.to_owned(), port.parse().map_err(|_| wrong())?))
}

/// The listener's protocol must be known, and one that is served.
fn served(
    key: &'static str,
    protocols: &BTreeMap<String, String>,
    name: &str,
) -> Result<(), Fault> {
    match protocols.get(name).map(String::as_str) {
        Some("PLAINTEXT") => Ok(()),
        Some(other) => Err((
            key,
            format!("listener {name} speaks {other}, which is not served yet: only PLAINTEXT is"),
        )),
        None => Err((
            key,
            format!(
                "No security protocol defined for listener {name}: add it to listener.security.protocol.map"
            ),
        )),
    }
}

fn distinct(listeners: &[Listener]) -> Result<(), Fault> {
    for (i, listener) in listeners.iter().enumerate() {
        let before = &listeners[..i];
        if before.iter().any(|other| other.name == listener.name) {
            return Err(("listeners", "Each listener must have a different name".into()));
        }
        let version = |host: &str| host.parse::<IpAddr>().ok().map(|address| address.is_ipv4());
        let clash = before.iter().filter(|other| other.port == listener.port && listener.port != 0).any(|other| {
            !matches!((version(&other.host), version(&listener.host)), (Some(a), Some(b)) if a != b)
        });
        if clash {
            return Err((
                "listeners",
                format!("Each listener must have a different port, but two have {}", listener.port),
            ));
        }
    }
    Ok(())
}

fn advertised(
    keys: &ListenerKeys<'_>,
    listeners: &[Listener],
    protocols: &BTreeMap<String, String>,
) -> Result<Vec<Advertised>, Fault> {
    const KEY: &str = "advertised.listeners";
    let Some(texts) = keys.advertised else {
        let host = |listener: &Listener| match listener.host.as_str() {
            "" => host_name(),
            host => host.to_owned(),
        };
        let each = listeners.iter().map(|l| Advertised {
            name: l.name.clone(),
            host: host(l),
            port: l.port,
        });
        return Ok(each.collect());
    };
    let mut advertised: Vec<Advertised> = Vec::new();
    for text in texts {
        let (name, host, port) = endpoint(KEY, text)?;
        served(KEY, protocols, &name)?;
        if host == "0.0.0.0" {
            return Err((KEY, "0.0.0.0 cannot be advertised: clients cannot connect to it. Use a routable address.".into()));
        }
        if advertised.iter().any(|other| other.name == name) {
            return Err((KEY, "Each listener must have a different name".into()));
        }
        let host = if host.is_empty() { host_name() } else { host };
        advertised.push(Advertised { name, host, port });
    }
    let names = |of: &mut dyn Iterator<Item = &str>| of.collect::<Vec<_>>().join(",");
    for known in &advertised {
        if !listeners.iter().any(|listener| listener.name == known.name) {
            let options = names(&mut listeners.iter().map(|listener| listener.name.as_str()));
            return Err((
                KEY,
                format!("{} is not one of listeners; they are {options}", known.name),
            ));
        }
    }
    if advertised.iter().all(|a| listeners.iter().any(|l| l.name == a.name && l.controller)) {
        return Err((KEY, "There must be at least one broker advertised listener.".into()));
    }
    Ok(advertised)
}

fn inter_broker(set: Option<&str>, advertised: &[Advertised]) -> Result<String, Fault> {
    let name = set.unwrap_or("PLAINTEXT").to_uppercase();
    match advertised.iter().any(|a| a.name == name) {
        true => Ok(name),
        // With one nameless default, whatever clients use is what brokers use.
        false if set.is_none() => Ok(advertised.first().map(|a| a.name.clone()).unwrap_or(name)),
        false => Err((
            "inter.broker.listener.name",
            format!("{name} must be a listener name defined in advertised.listeners"),
        )),
    }
}

/// What a listener on every interface is advertised as, if nothing else is said.
fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}
