//! The title of the process, as `proc-title-template` describes it.

use crate::base::title;
use crate::config::model::Config;

/// What may stand in braces.
pub const VARIABLES: [&str; 7] =
    ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"];

/// A template with its variables replaced. `{{` and `}}` stand for braces. `None` when a brace is not closed or `value` does not know
/// the name.
pub fn expand(template: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            text.push('{');
            rest = after;
            continue;
        }
        let (name, after) = rest.split_once('}')?;
        text.push_str(&value(name)?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

/// Shows the title that the settings describe, unless they say not to. `program` is the word with which it was started.
pub fn show(config: &Config, program: &str, config_file: &str, mode: &str) {
    if config.process.set_proc_title
        && let Some(text) = text(config, program, config_file, mode)
    {
        title::set(&text);
    }
}

fn text(config: &Config, program: &str, config_file: &str, mode: &str) -> Option<String> {
    let network = &config.network;
    let tls_port = config.tls.tls_port;
    let socket = network.unixsocket.to_string_lossy();
    let value = |name: &str| match name {
        "title" => Some(program.to_owned()),
        "listen-addr" => Some(match (network.port, tls_port, socket.is_empty()) {
            (0, 0, false) => socket.to_string(),
            (port, tls_port, _) => {
                let address = network.bind.first().map_or_else(|| "*".to_owned(), ToString::to_string);
                format!("{address}:{}", if port != 0 { port } else { tls_port })
            }
        }),
        "server-mode" => Some(if mode == "standalone" { String::new() } else { format!("[{mode}]") }),
        "port" => Some(network.port.to_string()),
        "tls-port" => Some(tls_port.to_string()),
        "unixsocket" => Some(socket.to_string()),
        "config-file" => Some(config_file.to_owned()),
        _ => None,
    };
    expand(&config.process.proc_title_template, value).map(|text| text.trim_matches(' ').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_title_names_the_first_address_and_port() {
        let mut config = Config::default();
        assert_eq!(text(&config, "redis-server", "", "standalone").as_deref(), Some("redis-server *:6379"));
        assert_eq!(text(&config, "s", "/c", "sentinel").as_deref(), Some("s *:6379 [sentinel]"));
        config.process.proc_title_template = "T {title} {port} {tls-port} {unixsocket} {config-file}".into();
        config.network.unixsocket = "/run/s".into();
        assert_eq!(text(&config, "r", "/c", "standalone").as_deref(), Some("T r 6379 0 /run/s /c"));
        config.network.port = 0;
        config.process.proc_title_template = "{listen-addr}".into();
        assert_eq!(text(&config, "r", "/c", "standalone").as_deref(), Some("/run/s"));
    }

    #[test]
    fn templates_that_make_no_sense_are_known() {
        let known = |name: &str| VARIABLES.contains(&name).then(|| name.to_uppercase());
        assert_eq!(expand("a {port}{{x}", known).as_deref(), Some("a PORT{x}"));
        assert_eq!((expand("{nosuch}", known), expand("{port", known)), (None, None));
    }
}
