//! What users can set: for the whole Sentinel, for one master, and the periods that SENTINEL DEBUG changes.

use crate::base::id::HexId;

/// Settings of the Sentinel itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What we say our address is, instead of the local end of each link.
    pub announce_ip: Option<String>,
    /// What we say our port is; zero for the port we listen on.
    pub announce_port: u16,
    /// User towards other Sentinels.
    pub sentinel_user: Option<Vec<u8>>,
    /// Password towards other Sentinels.
    pub sentinel_pass: Option<Vec<u8>>,
    /// Whether host names are accepted.
    pub resolve_hostnames: bool,
    /// Whether names are told instead of IPs.
    pub announce_hostnames: bool,
    /// Whether SENTINEL SET may not change script paths.
    pub deny_scripts_reconfig: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            announce_ip: None,
            announce_port: 0,
            sentinel_user: None,
            sentinel_pass: None,
            resolve_hostnames: false,
            announce_hostnames: false,
            deny_scripts_reconfig: true,
        }
    }
}

/// Settings of one master, shared by its replicas and the Sentinels that watch it with us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterSettings {
    /// How many Sentinels must see the master down.
    pub quorum: u32,
    /// Silence, in milliseconds, after which an instance counts as down.
    pub down_after: u64,
    /// The measure of everything slow in a failover, in milliseconds.
    pub failover_timeout: u64,
    /// How many replicas follow the new master at a time.
    pub parallel_syncs: u32,
    /// Run for each warning.
    pub notification_script: Option<String>,
    /// Run when the master's address changes.
    pub client_reconfig_script: Option<String>,
    /// Password towards master and replicas.
    pub auth_pass: Option<Vec<u8>>,
    /// User towards master and replicas.
    pub auth_user: Option<Vec<u8>>,
    /// How long a master that restarted may go without a PONG; zero switches the rule off.
    pub reboot_down_after: u64,
    /// Commands that have another name at these servers, in the order they were given.
    pub renamed: Vec<(String, String)>,
}

impl MasterSettings {
    /// The values a new master starts with.
    pub fn new(quorum: u32, periods: &Periods) -> MasterSettings {
        MasterSettings {
            quorum,
            down_after: periods.default_down_after,
            failover_timeout: periods.default_failover_timeout,
            parallel_syncs: DEFAULT_PARALLEL_SYNCS,
            notification_script: None,
            client_reconfig_script: None,
            auth_pass: None,
            auth_user: None,
            reboot_down_after: 0,
            renamed: Vec::new(),
        }
    }

    /// What `command` is called at these servers.
    pub fn name_of<'a>(&'a self, command: &'a str) -> &'a str {
        let renamed = self.renamed.iter().find(|(from, _)| from.eq_ignore_ascii_case(command));
        renamed.map_or(command, |(_, to)| to)
    }
}

/// Longest time that can be set, in milliseconds: some three hundred years. Sums and small multiples of it fit.
pub const TIME_MAX: u64 = 10_000_000_000_000;

/// `sentinel parallel-syncs` when nobody set it.
pub const DEFAULT_PARALLEL_SYNCS: u32 = 1;

/// Periods and limits, all in milliseconds. SENTINEL DEBUG lists and changes them under the names below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Periods {
    pub info: u64,
    pub ping: u64,
    pub ask: u64,
    pub publish: u64,
    pub default_down_after: u64,
    pub default_failover_timeout: u64,
    pub tilt_trigger: u64,
    pub tilt: u64,
    pub replica_reconf_timeout: u64,
    pub min_link_reconnect: u64,
    pub election_timeout: u64,
    pub script_max_runtime: u64,
    pub script_retry_delay: u64,
}

impl Default for Periods {
    fn default() -> Periods {
        Periods {
            info: 10_000,
            ping: 1_000,
            ask: 1_000,
            publish: 2_000,
            default_down_after: 30_000,
            default_failover_timeout: 180_000,
            tilt_trigger: 2_000,
            tilt: 30_000,
            replica_reconf_timeout: 10_000,
            min_link_reconnect: 15_000,
            election_timeout: 10_000,
            script_max_runtime: 60_000,
            script_retry_delay: 30_000,
        }
    }
}

impl Periods {
    /// All names and values, in the order SENTINEL DEBUG shows them.
    pub fn list(&self) -> [(&'static str, u64); 13] {
        [
            ("INFO-PERIOD", self.info),
            ("PING-PERIOD", self.ping),
            ("ASK-PERIOD", self.ask),
            ("PUBLISH-PERIOD", self.publish),
            ("DEFAULT-DOWN-AFTER", self.default_down_after),
            ("DEFAULT-FAILOVER-TIMEOUT", self.default_failover_timeout),
            ("TILT-TRIGGER", self.tilt_trigger),
            ("TILT-PERIOD", self.tilt),
            ("SLAVE-RECONF-TIMEOUT", self.replica_reconf_timeout),
            ("MIN-LINK-RECONNECT-PERIOD", self.min_link_reconnect),
            ("ELECTION-TIMEOUT", self.election_timeout),
            ("SCRIPT-MAX-RUNTIME", self.script_max_runtime),
            ("SCRIPT-RETRY-DELAY", self.script_retry_delay),
        ]
    }

    /// The value with this name, in any case.
    pub fn slot(&mut self, name: &[u8]) -> Option<&mut u64> {
        Some(match name.to_ascii_uppercase().as_slice() {
            b"INFO-PERIOD" => &mut self.info,
            b"PING-PERIOD" => &mut self.ping,
            b"ASK-PERIOD" => &mut self.ask,
            b"PUBLISH-PERIOD" => &mut self.publish,
            b"DEFAULT-DOWN-AFTER" => &mut self.default_down_after,
            b"DEFAULT-FAILOVER-TIMEOUT" => &mut self.default_failover_timeout,
            b"TILT-TRIGGER" => &mut self.tilt_trigger,
            b"TILT-PERIOD" => &mut self.tilt,
            b"SLAVE-RECONF-TIMEOUT" => &mut self.replica_reconf_timeout,
            b"MIN-LINK-RECONNECT-PERIOD" => &mut self.min_link_reconnect,
            b"ELECTION-TIMEOUT" => &mut self.election_timeout,
            b"SCRIPT-MAX-RUNTIME" => &mut self.script_max_runtime,
            b"SCRIPT-RETRY-DELAY" => &mut self.script_retry_delay,
            _ => return None,
        })
    }
}

/// What the Sentinel needs to know of the process it lives in.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The port other Sentinels reach us at when none is announced: `tls-port` when links use TLS, else `port`.
    pub port: u16,
    /// `requirepass`: without a `sentinel-pass` it is also what we tell other Sentinels.
    pub requirepass: Option<Vec<u8>>,
    /// Whether a file exists and may be executed. A path is checked when it is set, as Redis does.
    pub is_executable: fn(&str) -> bool,
}

/// What the configuration file says, as far as it is Sentinel's: settings and coordinated state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// `sentinel myid`; a new one is made when it is missing.
    pub id: Option<HexId>,
    /// `sentinel current-epoch`.
    pub current_epoch: u64,
    /// The global settings.
    pub settings: Settings,
    /// The monitored masters, in the order of their `sentinel monitor` lines.
    pub masters: Vec<MasterState>,
}

/// What the configuration file says of one master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterState {
    pub name: String,
    pub address: super::address::Address,
    pub settings: MasterSettings,
    pub config_epoch: u64,
    pub leader_epoch: u64,
    pub replicas: Vec<super::address::Address>,
    /// Address and id of each other Sentinel.
    pub sentinels: Vec<(super::address::Address, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_period_can_be_set_by_its_name() {
        let mut periods = Periods::default();
        for (name, value) in periods.clone().list() {
            assert_eq!(periods.slot(name.to_ascii_lowercase().as_bytes()).copied(), Some(value), "{name}");
        }
        assert_eq!(periods.slot(b"no-period"), None);
    }

    #[test]
    fn a_renamed_command_is_found_in_any_case() {
        let mut settings = MasterSettings::new(2, &Periods::default());
        settings.renamed.push(("config".into(), "cfg".into()));
        assert_eq!(settings.name_of("CONFIG"), "cfg");
        assert_eq!(settings.name_of("PING"), "PING");
    }
}
