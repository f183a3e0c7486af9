//! The configuration comes from files, then the files they include, then the environment.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::path::PathBuf;

use strowger::config::problem::Severity;
use strowger::config::{self, Changes, Config, Environment, Loaded};
use strowger::id::Target;
use tempfile::TempDir;

#[test]
fn included_files_add_and_replace() {
    let site = Site::new(&[
        (
            "main.toml",
            "[node]\ninclude = [\"conf.d/*.toml\"]\nname = \"hq\"\n\
             [extensions.1001]\npassword = \"first-horse\"\nname = \"Reception\"\n\
             [[routes]]\nto = \"1\"\ntarget = \"extension:1001\"",
        ),
        (
            "conf.d/20.toml",
            "[extensions.1001]\npassword = \"third-horse\"\n\
             [[routes]]\nto = \"3\"\ntarget = \"extension:1002\"",
        ),
        (
            "conf.d/10.toml",
            "[extensions.1001]\npassword = \"second-horse\"\n\
             [extensions.1002]\npassword = \"other-horse\"\n\
             [[routes]]\nto = \"2\"\ntarget = \"extension:1002\"",
        ),
        ("conf.d/notes.txt", "not read"),
    ]);

    let Loaded { config, files, warnings } = site.load(&[]).unwrap();

    let reception = &config.extensions["1001"];
    assert_eq!(reception.password.as_ref().unwrap().expose(), "third-horse");
    assert_eq!(reception.name, "Reception");
    assert_eq!(config.node.name, "hq");
    let dialled: Vec<_> =
        config.routes.iter().map(|route| route.to.as_ref().unwrap().to_string()).collect();
    assert_eq!(dialled, ["1", "2", "3"]);
    assert_eq!(files.len(), 3);
    assert_eq!(warnings, []);
}

#[test]
fn a_mistake_is_told_in_the_file_it_stands_in() {
    let site = Site::new(&[
        (
            "main.toml",
            "[node]\ninclude = [\"more.toml\"]\n[extensions.1001]\npassword = \"first-horse\"\n\
             [[routes]]\ntarget = \"extension:1001\"\nhours = \"never\"\n",
        ),
        (
            "more.toml",
            "\n[[routes]]\nto = \"2\"\ntarget = \"queue:none\"\n[node]\ninclude = [\"x\"]",
        ),
    ]);

    assert_eq!(
        site.told(&[]),
        [
            "main.toml:7:9: there are no hours `never`; add [hours.never]",
            "more.toml:4:10: there is no queue `none`; add [queues.none]",
            "more.toml:6:11: an included file cannot include; name the file in the first one",
        ]
    );
}

#[test]
fn the_environment_comes_last() {
    let site = Site::new(&[(
        "main.toml",
        "[sip]\ndomain = \"a.example\"\n[extensions.1001]\npassword = \"first-horse\"\n\
         [queues.Sales]\nmembers = [\"17\"]\n[agents.17]\n",
    )]);

    let Loaded { config, .. } = site
        .load(&[
            ("STROWGER__SIP__DOMAIN", "b.example"),
            ("STROWGER__SIP__EXPIRES", "30m"),
            ("STROWGER__SIP__CONTACTS_MAX", "3"),
            ("STROWGER__MEDIA__CODECS", "[\"pcmu\"]"),
            ("STROWGER__QUEUES__SALES__NUMBER", "600"),
            ("STROWGER__EXTENSIONS__1001__RECORD", "always"),
            ("STROWGER__ACD__RONA", "false"),
            ("STROWGER_LOG", "ignored"),
        ])
        .unwrap();

    assert_eq!(config.sip.domain, "b.example");
    assert_eq!(config.sip.expires.as_secs(), 1800);
    assert_eq!(config.sip.contacts_max, 3);
    assert_eq!(config.media.codecs.len(), 1);
    assert_eq!(config.acd.queues["Sales"].number.as_deref(), Some("600"));
    assert_eq!(config.acd.queues.len(), 1);
    assert!(!config.acd.acd.rona);
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    let site = Site::new(&[("main.toml", "[extensions.1001]\npassword = \"first-horse\"\n")]);

    let told = site.told(&[
        ("STROWGER__SIP__DOMIAN", "b.example"),
        ("STROWGER__SIP__CONTACTS_MAX", "many"),
        ("STROWGER__NODE__ZONE", "Mars"),
        ("STROWGER__NODE__INCLUDE", "[\"x.toml\"]"),
    ]);

    assert_eq!(told.len(), 4, "{told:#?}");
    for (told, begin) in told.iter().zip([
        "environment variable STROWGER__NODE__INCLUDE: files are included by the first file alone",
        "environment variable STROWGER__NODE__ZONE: `Mars` is no time zone",
        "environment variable STROWGER__SIP__CONTACTS_MAX: `many` is",
        "environment variable STROWGER__SIP__DOMIAN: there is no key `domian` here; did you mean",
    ]) {
        assert!(told.starts_with(begin), "{told}");
    }
}

#[test]
fn a_wrong_value_in_the_environment_is_told_as_what_it_is() {
    let site = Site::new(&[("main.toml", "[extensions.1001]\npassword = \"first-horse\"\n")]);

    for (variable, value, expected) in [
        ("STROWGER__MEDIA__PTIME", "abc", "`abc` is text; write a whole number such as 100"),
        ("STROWGER__MEDIA__PTIME", "5000", "phones cannot do this; write 10 to 60"),
        ("STROWGER__MEDIA__CODECS", "pcma", "`pcma` is text; write a list, such as [\"pcma\"]"),
        ("STROWGER__ACD__RONA", "maybe", "`maybe` is text; write true or false"),
        ("STROWGER__ACD__MAX_WAIT", "2days", "`2days` is too long; write \"1day\" or less"),
        ("STROWGER__SIP__DOMAIN", "[\"a\"]", "`[\"a\"]` is a list; write text in quotes"),
    ] {
        let told = site.told(&[(variable, value)]);
        assert_eq!(told, [format!("environment variable {variable}: {expected}")]);
    }
}

#[test]
fn a_pattern_may_match_the_file_that_has_it() {
    let site = Site::new(&[
        ("main.toml", "[node]\ninclude = [\"*.toml\"]\n"),
        ("more.toml", "[extensions.1001]\npassword = \"first-horse\"\n"),
    ]);

    let Loaded { files, warnings, .. } = site.load(&[]).unwrap();

    assert_eq!((files.len(), warnings), (2, Vec::new()));
}

#[test]
fn how_the_node_is_reached_is_read_though_the_rest_be_broken() {
    let good = "[grpc]\nlisten = \"127.0.0.1:7\"\ntoken_file = \"token\"\n\
                [node]\nzone = \"Asia/Shanghai\"\n";
    for broken in [
        "[extensions.1001]\npassword_env = \"ONLY_FOR_THE_DAEMON\"\n",
        "[queues.sales]\nmembers = 17\non_full = \"queue:none\"\n[no_such]\n",
        "[queues.sales]\nmembers = [\"17\",\n",
        "[sip\ndomain = \"unfinished\nrealm\n",
        "[sip]\nrealm = \"\"\"never closed\n",
    ] {
        for text in [format!("{broken}{good}"), format!("{good}{broken}")] {
            let site = Site::new(&[("main.toml", &text), ("token", "0123456789abcdef\n")]);

            let reach = site.reach(&[]);

            assert_eq!(reach.problems, [], "{text}");
            assert!(reach.is_certain);
            assert_eq!(reach.grpc.listen.to_string(), "127.0.0.1:7");
            assert_eq!(reach.grpc.token.unwrap().expose(), "0123456789abcdef");
            assert_eq!(reach.zone, "Asia/Shanghai");
        }
    }
}

#[test]
fn how_the_node_is_reached_comes_from_every_layer() {
    let site = Site::new(&[
        ("main.toml", "node.include = [\"*.toml\"]\n[grpc]\nlisten = \"127.0.0.1:7\"\n"),
        ("more.toml", "[grpc]\nlisten = \"127.0.0.1:8\"\ncertificate = \"chain.pem\"\n"),
    ]);
    let reach = site.reach(&[]);
    assert_eq!(reach.grpc.listen.port(), 8);
    assert_eq!(reach.grpc.certificate.unwrap(), site.0.path().join("chain.pem"));

    let reach = site.reach(&[("STROWGER__GRPC__LISTEN", "127.0.0.1:9"), ("STROWGER__X", "y")]);
    assert_eq!(reach.grpc.listen.port(), 9);
    assert_eq!(reach.problems, []);
}

#[test]
fn an_address_that_cannot_be_read_is_not_certain() {
    for (text, variables, told) in [
        (
            "[grpc]\nlisten = 7\n",
            &[][..],
            "main.toml:2:10: `7` is a number; write an address with a port",
        ),
        ("\n[grpc]\nlisten = \"127.0.0.1:7\n", &[], "main.toml:3:22: this is no TOML: "),
        (
            "",
            &[("STROWGER__GRPC__LISTEN", "here")],
            "environment variable STROWGER__GRPC__LISTEN: `here` is no address with a port",
        ),
    ] {
        let site = Site::new(&[("main.toml", text)]);
        let reach = site.reach(variables);
        assert!(!reach.is_certain, "{text}");
        let problem = reach.problems[0].to_string();
        let problem = problem.rsplit_once('/').map_or(&problem[..], |(_, text)| text);
        assert!(problem.starts_with(told), "{problem}");
    }
    let site = Site::new(&[("other.toml", "")]);
    assert!(!site.reach(&[]).is_certain);

    let site = Site::new(&[("main.toml", "")]);
    fs::write(site.file(), b"[sip]\ndomain = \"\xff\"\n[grpc]\nlisten = \"127.0.0.1:7\"").unwrap();
    let reach = site.reach(&[]);
    assert_eq!((reach.is_certain, reach.grpc.listen.port(), reach.problems), (true, 7, Vec::new()));

    let site = Site::new(&[("main.toml", "[grpc]\ntokn = \"x\"\n[node]\nzone = \"Mars\"")]);
    let reach = site.reach(&[]);
    assert!(reach.is_certain);
    assert_eq!(reach.problems.len(), 2, "{:?}", reach.problems);
}

#[test]
fn secrets_come_from_files_and_variables() {
    let site = Site::new(&[
        (
            "main.toml",
            "[extensions.1001]\npassword_file = \"secrets/1001\"\n\
             [extensions.1002]\npassword_env = \"PHONE\"\n\
             [grpc]\ntoken_file = \"secrets/token\"\n",
        ),
        ("secrets/1001", "horse battery\n"),
        ("secrets/token", "0123456789abcdef\n"),
    ]);

    let Loaded { config, .. } = site.load(&[("PHONE", "staple")]).unwrap();

    let password = |id: &str| config.extensions[id].password.as_ref().unwrap().expose();
    assert_eq!(password("1001"), "horse battery");
    assert_eq!(password("1002"), "staple");
    assert_eq!(config.grpc.token.as_ref().unwrap().expose(), "0123456789abcdef");
    let printed = format!("{config:?}");
    for secret in ["horse", "staple", "0123456789abcdef"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}

#[test]
fn a_wrong_secret_is_not_told() {
    let site = Site::new(&[(
        "main.toml",
        "[extensions.1001]\npassword = 47114711\n[agents.17]\npin = 4711\n",
    )]);

    for told in site.told(&[("STROWGER__GRPC__TOKEN", "{ a = 4711 }")]) {
        assert!(!told.contains("4711"), "{told}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let site = Site::new(&[("other.toml", "")]);
    let told = site.told(&[]);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("main.toml: cannot be read: "), "{told:?}");

    let site = Site::new(&[("main.toml", "")]);
    fs::write(site.file(), [b'a', 0xff]).unwrap();
    assert_eq!(site.told(&[]), ["main.toml:1:2: this is no UTF-8 text; save the file as UTF-8"]);

    let site = Site::new(&[("main.toml", "[node]\ninclude = [\"more.toml\"]\n")]);
    fs::write(site.0.path().join("more.toml"), b"# one\n# \xe7\x8e\x8b\xff").unwrap();
    assert_eq!(site.told(&[]), ["more.toml:2:4: this is no UTF-8 text; save the file as UTF-8"]);
}

#[test]
fn every_problem_is_told_at_once() {
    let site = Site::new(&[(
        "main.toml",
        "[sip]\nexpire = \"1h\"\n[extensions.1001]\npassword = \"first-horse\"\n\
         [queues.sales]\nmembers = \"17\"\non_full = \"queue:none\"\n",
    )]);

    assert_eq!(
        site.told(&[]),
        [
            "main.toml:2:1: there is no key `expire` here; did you mean `expires`?",
            "main.toml:6:11: `\"17\"` is text; write a list, such as [\"17\"]",
            "main.toml:7:11: there is no queue `none`; add [queues.none]",
        ]
    );
}

#[test]
fn warnings_do_not_keep_it_from_running() {
    let site = Site::new(&[("main.toml", "[queues.sales]\nnumber = \"600\"\n")]);

    let loaded = site.load(&[]).unwrap();

    let [warning] = &loaded.warnings[..] else { panic!("{:?}", loaded.warnings) };
    assert_eq!(warning.severity, Severity::Warning);
}

#[test]
fn a_change_says_whether_it_needs_a_restart() {
    let old = Config::builtin();
    let mut new = old.clone();
    assert_eq!(Changes::between(&old, &new), Changes::default());

    new.acd.queues.get_mut("600").unwrap().on_full = Some(Target::Hangup(486));
    new.sip.listen.pop();
    new.node.zone = "Asia/Shanghai".to_owned();

    let changes = Changes::between(&old, &new);
    assert_eq!(changes.applied, ["[node] zone", "[queues]"]);
    assert_eq!(changes.restart, ["[sip]"]);
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Configuration files in a folder of their own; `main.toml` is the first.
struct Site(TempDir);

impl Site {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("main.toml")
    }

    fn load(&self, variables: &[(&str, &str)]) -> Result<Loaded, Vec<config::problem::Problem>> {
        config::load(&self.file(), &environment(variables), None)
    }

    fn reach(&self, variables: &[(&str, &str)]) -> config::reach::Reach {
        config::reach(Some(&self.file()), &environment(variables), true)
    }

    /// Every problem, without the folder's name.
    fn told(&self, variables: &[(&str, &str)]) -> Vec<String> {
        let folder = format!("{}/", self.0.path().display());
        let problems = self.load(variables).unwrap_err();
        problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }
}
