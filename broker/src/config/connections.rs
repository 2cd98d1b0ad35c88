//! Who may connect, and how many: `max.connections`, `max.connections.per.ip` and its overrides, `max.connection.creation.rate`.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};

use net::connections::Rules;

use super::listeners::Fault;
use super::settings::Settings;

/// Other limits for single addresses: `address:count`, comma separated.
pub(super) const OVERRIDES: &str = "max.connections.per.ip.overrides";
const PER_ADDRESS: &str = "max.connections.per.ip";

/// The rules, of settings that are right. Names among the overrides are looked up, which may take a while: at the start only.
pub(super) fn rules(settings: &Settings) -> Rules {
    Rules {
        overrides: overrides(&text(settings), look_up).unwrap_or_default(),
        ..changed(settings, &Rules::unlimited())
    }
}

/// The rules under other settings. What they say of single addresses is as before, but for a text of addresses alone.
pub(super) fn changed(settings: &Settings, before: &Rules) -> Rules {
    let number = |name| {
        let number = settings.int(name).and_then(|number| usize::try_from(number).ok());
        number.unwrap_or(usize::MAX)
    };
    Rules {
        max: number("max.connections"),
        per_second: number("max.connection.creation.rate"),
        per_address: number(PER_ADDRESS),
        overrides: overrides(&text(settings), literal).unwrap_or_else(|_| before.overrides.clone()),
    }
}

pub(super) fn check(settings: &Settings) -> Result<(), Fault> {
    let overrides = overrides(&text(settings), look_up).map_err(|why| (OVERRIDES, why))?;
    if settings.int(PER_ADDRESS) == Some(0) && overrides.is_empty() {
        let text = format!("{PER_ADDRESS} can be set to zero only if {OVERRIDES} property is set.");
        return Err((PER_ADDRESS, text));
    }
    Ok(())
}

/// Whether a running broker can take the overrides: a shard cannot wait for the answer of a name server.
pub(super) fn check_of_addresses(text: &str) -> Result<(), String> {
    overrides(text, literal).map(drop)
}

fn text(settings: &Settings) -> String {
    settings.string(OVERRIDES).unwrap_or_default()
}

fn overrides(
    text: &str,
    address: fn(&str) -> Result<IpAddr, String>,
) -> Result<HashMap<IpAddr, usize>, String> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let wrong = || format!("{pair:?} is not address:count");
        let (host, count) = pair.rsplit_once(':').ok_or_else(wrong)?;
        let count = count.trim().parse::<i32>().map_err(|_| wrong())?;
        let host = host.trim().trim_matches(['[', ']']);
        // Kafka takes a negative count, and then nobody can connect from there.
        Ok((address(host)?.to_canonical(), usize::try_from(count).unwrap_or(0)))
    });
    pairs.collect()
}

fn literal(host: &str) -> Result<IpAddr, String> {
    let why =
        "is no address: a name is looked up only at the start, from the file or the command line";
    host.parse().map_err(|_| format!("{host:?} {why}"))
}

fn look_up(host: &str) -> Result<IpAddr, String> {
    let mut found =
        (host, 0).to_socket_addrs().map_err(|error| format!("{host:?} has no address: {error}"))?;
    found.next().map(|found| found.ip()).ok_or_else(|| format!("{host:?} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_addresses_and_counts() {
        let found = overrides("127.0.0.1:2, [::1]:30,::ffff:10.0.0.1:-1,", literal)
            .expect("they are right");
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let expected = [("127.0.0.1", 2), ("::1", 30), ("10.0.0.1", 0)];
        assert_eq!(found, expected.map(|(text, count)| (address(text), count)).into());
        assert!(overrides("127.0.0.1", literal).is_err_and(|why| why.contains("address:count")));
        assert!(overrides("localhost:1", literal).is_err_and(|why| why.contains("no address")));
        assert!(overrides("localhost:1", look_up).is_ok());
    }
}
