//! Rules read, applied, checked and written back.

use super::*;
use crate::resp::args::OwnedArgs;
use crate::spec::{Access, Arity, Category, Channels, Flags, KeySpec, Meta, Spec, Table};

const fn spec(meta: Meta) -> Spec<()> {
    Spec { meta, handler: () }
}

const GET: Spec<()> = spec(Meta {
    name: "get",
    arity: Arity::Exactly(2),
    flags: Flags::READONLY,
    categories: Category::STRING,
    keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
    ..Meta::NEW
});
const SET: Spec<()> = spec(Meta {
    name: "set",
    arity: Arity::AtLeast(3),
    flags: Flags::WRITE,
    keys: &[KeySpec::one(1, Access::OW.and(Access::UPDATE))],
    ..Meta::NEW
});
const EXISTS: Spec<()> = spec(Meta {
    name: "exists",
    arity: Arity::AtLeast(2),
    flags: Flags::READONLY,
    keys: &[KeySpec::range(1, -1, 1, Access::RO)],
    ..Meta::NEW
});
const COPY: Spec<()> = spec(Meta {
    name: "copy",
    arity: Arity::AtLeast(3),
    flags: Flags::WRITE,
    keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS)), KeySpec::one(2, Access::OW.and(Access::UPDATE))],
    ..Meta::NEW
});
const SELECT: Spec<()> = spec(Meta { name: "select", arity: Arity::Exactly(2), ..Meta::NEW });
const AUTH: Spec<()> = spec(Meta { name: "auth", arity: Arity::AtLeast(2), flags: Flags::NO_AUTH, ..Meta::NEW });
const CONFIG: Meta = Meta { name: "config", arity: Arity::AtLeast(2), ..Meta::NEW };
const CONFIG_GET: Spec<()> =
    spec(Meta { name: "get", container: "config", arity: Arity::AtLeast(3), flags: Flags::ADMIN, ..Meta::NEW });
const CONFIG_SET: Spec<()> =
    spec(Meta { name: "set", container: "config", arity: Arity::AtLeast(4), flags: Flags::ADMIN, ..Meta::NEW });
const PUBLISH: Spec<()> =
    spec(Meta { name: "publish", arity: Arity::Exactly(3), channels: Channels::Publish, ..Meta::NEW });
const SUBSCRIBE: Spec<()> =
    spec(Meta { name: "subscribe", arity: Arity::AtLeast(2), channels: Channels::Subscribe, ..Meta::NEW });
const PSUBSCRIBE: Spec<()> =
    spec(Meta { name: "psubscribe", arity: Arity::AtLeast(2), channels: Channels::SubscribePatterns, ..Meta::NEW });

pub(super) fn table() -> Table<()> {
    const ALL: &[&Spec<()>] =
        &[&GET, &SET, &EXISTS, &COPY, &SELECT, &AUTH, &CONFIG_GET, &CONFIG_SET, &PUBLISH, &SUBSCRIBE, &PSUBSCRIBE];
    Table::builder().add(ALL, |()| ()).add_containers(&[&CONFIG]).build()
}

struct World {
    acl: Acl,
    table: Table<()>,
}

impl World {
    fn with(rules: &str) -> World {
        let mut world = World { acl: Acl::new(), table: table() };
        world.set(rules).unwrap_or_else(|error| panic!("{error}"));
        world
    }

    fn set(&mut self, rules: &str) -> Result<(), String> {
        let words: Vec<Vec<u8>> = rules.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        self.acl.set_user(b"u", &words, self.table.catalog()).map(|_| ()).map_err(|error| error.to_string())
    }

    fn line(&self) -> String {
        String::from_utf8(self.acl.lines().pop().unwrap()).unwrap()
    }

    /// `None` when allowed, else the reason.
    fn run(&self, words: &str) -> Option<Reason> {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let owned = OwnedArgs::of(&words);
        let args = owned.as_args();
        let command = self.table.lookup(&args).unwrap_or_else(|error| panic!("{}", error.text()));
        self.acl.check(self.acl.id(b"u").unwrap(), command, &args).err().map(|denied| denied.reason)
    }
}

#[test]
fn rules_are_written_back_as_redis_does() {
    let cases = [
        ("off", "user u off sanitize-payload resetchannels -@all"),
        ("on nopass ~* &* +@all", "user u on nopass sanitize-payload ~* &* +@all"),
        ("allkeys allchannels allcommands skip-sanitize-payload", "user u off skip-sanitize-payload ~* &* +@all"),
        ("+get ~a* %R~b &c", "user u off sanitize-payload ~a* %R~b resetchannels &c -@all +get"),
        ("%R~b %W~b %R~*", "user u off sanitize-payload ~b %R~* resetchannels -@all"),
        ("+GET -get +@Read +get", "user u off sanitize-payload resetchannels -@all +@read +get"),
        ("+config|get +select|0 -config", "user u off sanitize-payload resetchannels -@all +select|0 -config"),
        ("+@all -set", "user u off sanitize-payload resetchannels +@all -set"),
        (
            "(+set ~x) ( -@all )",
            "user u off sanitize-payload resetchannels -@all (~x resetchannels -@all +set) (resetchannels -@all)",
        ),
        ("(+get ~x) clearselectors", "user u off sanitize-payload resetchannels -@all"),
        ("on nopass +@all ~* reset", "user u off sanitize-payload resetchannels -@all"),
    ];
    for (rules, line) in cases {
        let world = World::with(rules);
        assert_eq!(world.line(), line, "after {rules}");
        // What is written reads back to the same.
        let rest = line.strip_prefix("user u ").unwrap();
        assert_eq!(World::with(&format!("reset {rest}")).line(), line);
    }
}

#[test]
fn the_default_user_is_written_as_sentinels_store_it() {
    let acl = Acl::new();
    assert_eq!(acl.lines(), [b"user default on nopass sanitize-payload ~* &* +@all".to_vec()]);
    assert!(acl.is_all_powerful(UserId::DEFAULT));
}

#[test]
fn wrong_words_are_named_and_change_nothing() {
    let mut world = World::with("+get");
    let before = world.line();
    let cases = [
        ("on foo", "Error in ACL SETUSER modifier 'foo': Syntax error"),
        ("+nosuch", "Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL"),
        ("-@nosuch", "Error in ACL SETUSER modifier '-@nosuch': Unknown command or category name in ACL"),
        ("+config|nosuch", "Error in ACL SETUSER modifier '+config|nosuch': Unknown command or category name in ACL"),
        ("+config|", "Error in ACL SETUSER modifier '+config|': Syntax error"),
        (
            "+config|get|x",
            "Error in ACL SETUSER modifier '+config|get|x': Allowing first-arg of a subcommand is not supported",
        ),
        ("%X~a", "Error in ACL SETUSER modifier '%X~a': Syntax error"),
        ("%~a", "Error in ACL SETUSER modifier '%~a': Syntax error"),
        (
            "<x",
            "Error in ACL SETUSER modifier '<x': The password you are trying to remove from the user does not exist",
        ),
        // They would be read otherwise from an ACL file.
        ("(~a))", "Error in ACL SETUSER modifier '(~a))': Syntax error"),
        ("(\"~a\\\"b\")", "Error in ACL SETUSER modifier '(\"~a\\\"b\")': Syntax error"),
        ("+@all (+get", "Unmatched parenthesis in acl selector starting at '(+get'."),
    ];
    for (rules, text) in cases {
        assert_eq!(world.set(rules).unwrap_err(), text);
        assert_eq!(world.line(), before);
    }
    assert!(world.set("allkeys ~x").unwrap_err().contains("Try 'resetkeys'"));
    assert!(world.set("allchannels &x").unwrap_err().contains("Try 'resetchannels'"));
    let spaced = world.acl.set_user(b"a b", &[], world.table.catalog());
    assert_eq!(spaced, Err(SetError::BadName));
}

#[test]
fn commands_and_subcommands_are_allowed_one_by_one() {
    let world = World::with("+config|get +set ~*");
    assert_eq!(world.run("config get x"), None);
    assert_eq!(world.run("config set x y"), Some(Reason::Command));
    assert_eq!(world.run("set k v"), None);
    assert_eq!(world.run("get k"), Some(Reason::Command));
    assert_eq!(world.run("auth x"), None);
    let world = World::with("+@all -config|set -@read ~*");
    assert_eq!((world.run("config get x"), world.run("set k v")), (None, None));
    assert_eq!((world.run("config set x y"), world.run("get k")), (Some(Reason::Command), Some(Reason::Command)));
}

#[test]
fn one_command_less_is_not_everything_less() {
    let mut acl = Acl::new();
    let table = table();
    acl.set_user(b"default", &[b"-set".to_vec()], table.catalog()).unwrap();
    let denied = |words: &[&[u8]]| {
        let owned = OwnedArgs::of(words);
        let command = table.lookup(&owned.as_args()).unwrap_or_else(|error| panic!("{}", error.text()));
        acl.check(UserId::DEFAULT, command, &owned.as_args()).err().map(|denied| denied.reason)
    };
    assert_eq!(denied(&[b"SET", b"k", b"v"]), Some(Reason::Command));
    assert_eq!(denied(&[b"GET", b"k"]), None);
    assert!(acl.lines()[0].ends_with(b"~* &* +@all -set"));
}

#[test]
fn a_first_argument_can_be_allowed_alone() {
    let world = World::with("+select|0");
    assert_eq!((world.run("select 0"), world.run("select 1")), (None, Some(Reason::Command)));
}

#[test]
fn keys_need_the_right_to_what_is_done_to_them() {
    let world = World::with("+@all %R~r* %W~w* ~b*");
    assert_eq!(world.run("get r1"), None);
    assert_eq!(world.run("get w1"), Some(Reason::Key(1)));
    assert_eq!(world.run("set w1 x"), None);
    assert_eq!(world.run("set r1 x"), Some(Reason::Key(1)));
    assert_eq!((world.run("get b"), world.run("set b x")), (None, None));
    assert_eq!(world.run("copy r1 w1"), None);
    assert_eq!(world.run("copy w1 w2"), Some(Reason::Key(1)));
    assert_eq!(world.run("exists r1 w1"), None);
    assert_eq!(world.run("exists r1 q"), Some(Reason::Key(2)));
}

#[test]
fn one_selector_must_allow_all_of_a_command() {
    let world = World::with("+get ~a (+set ~b)");
    assert_eq!((world.run("get a"), world.run("set b x")), (None, None));
    assert_eq!(world.run("get b"), Some(Reason::Key(1)));
    assert_eq!(world.run("set a x"), Some(Reason::Key(1)));
    assert_eq!(world.run("exists a"), Some(Reason::Command));
}

#[test]
fn channels_match_by_glob_and_patterns_by_letter() {
    let world = World::with("+@all &c*");
    assert_eq!((world.run("publish c1 x"), world.run("publish d x")), (None, Some(Reason::Channel(1))));
    assert_eq!(world.run("subscribe c1 d"), Some(Reason::Channel(2)));
    assert_eq!((world.run("psubscribe c*"), world.run("psubscribe c1*")), (None, Some(Reason::Channel(1))));
}

#[test]
fn logging_in_needs_an_enabled_user_and_one_of_its_passwords() {
    let mut world = World::with("on >one >two");
    let id = world.acl.id(b"u");
    assert_eq!(world.acl.authenticate(b"u", b"two"), id);
    assert_eq!(world.acl.authenticate(b"u", b"three"), None);
    assert_eq!(world.acl.authenticate(b"nobody", b"one"), None);
    world.set("<two").unwrap();
    assert_eq!(world.acl.authenticate(b"u", b"two"), None);
    world.set("nopass").unwrap();
    assert_eq!(world.acl.authenticate(b"u", b"whatever"), id);
    world.set("off").unwrap();
    assert_eq!(world.acl.authenticate(b"u", b"whatever"), None);
}

#[test]
fn requirepass_is_the_default_users_password() {
    let mut acl = Acl::new();
    acl.set_requirepass(b"secret");
    assert!(!acl.is_default_open() && !acl.is_default_nopass());
    assert_eq!(acl.authenticate(b"default", b"secret"), Some(UserId::DEFAULT));
    assert_eq!(acl.authenticate(b"default", b""), None);
    acl.set_requirepass(b"");
    assert!(acl.is_default_open());
}

#[test]
fn a_deleted_user_may_nothing_and_its_number_is_not_given_again() {
    let mut world = World::with("on nopass +@all ~* &*");
    let id = world.acl.id(b"u").unwrap();
    assert_eq!(world.acl.delete_user(b"u"), Some(id));
    assert_eq!(world.acl.delete_user(b"u"), None);
    assert_eq!(world.acl.delete_user(b"default"), None);
    assert!(!world.acl.is_all_powerful(id));
    world.set("on").unwrap();
    assert_ne!(world.acl.id(b"u"), Some(id));
}

#[test]
fn configured_users_start_from_nothing_and_come_once() {
    let table = table();
    let words = |line: &str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    let mut acl = Acl::new();
    let lines = [words("default on >secret ~* +@all"), words("u on nopass +get")];
    acl.configure(&lines, table.catalog()).unwrap();
    assert!(!acl.is_default_open());
    assert!(acl.lines()[0].starts_with(b"user default on sanitize-payload #"));
    assert!(acl.lines()[0].ends_with(b" ~* resetchannels +@all"));
    assert_eq!(acl.lines()[1], b"user u on nopass sanitize-payload resetchannels -@all +get");
    let twice = [words("a on"), words("b on"), words("a off")];
    assert_eq!(Acl::new().configure(&twice, table.catalog()), Err((2, SetError::Duplicate)));
    let wrong = [words("a on"), words("b +nosuch")];
    assert!(matches!(Acl::new().configure(&wrong, table.catalog()), Err((1, SetError::Rule { .. }))));
}
