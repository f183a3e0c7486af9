//! Installs the programs that the tests talk to: SIPp, baresip, Linphone, Kamailio, sox,
//! opus-tools, a Python with grpcio and SIPVicious, and JsSIP for Node.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::steps::{command, exists, root, run, succeeds, target};

/// Program, or another file by its whole path → Debian package.
const PROGRAMS: &[(&str, &str)] = &[
    ("baresip", "baresip-core"),
    ("kamailio", "kamailio"),
    ("/usr/lib/x86_64-linux-gnu/kamailio/modules/tls.so", "kamailio-tls-modules"),
    ("linphonec", "linphone-cli"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("opusinfo", "opus-tools"),
    ("python3", "python3"),
    ("sipp", "sip-tester"),
    ("sox", "sox"),
];

/// Carries the same audio beside us under load; no test needs it.
const BESIDE: &[(&str, &str)] = &[("rtpengine", "rtpengine-daemon")];

/// What a downstream system would use to read call records, and a WebSocket client.
const MODULES: &[&str] =
    &["grpcio", "grpcio-reflection", "grpcio-health-checking", "protobuf", "websockets"];

/// Names the versions of Node's modules.
const LOCK: &str = "package-lock.json";

/// What an intruder would use.
const SCANNER: &str = "sipvicious==0.3.8";

/// What the tests are told of the peers.
pub struct Peers {
    /// The Python that has the modules.
    pub python: PathBuf,
    /// The modules of Node.
    pub node: PathBuf,
}

/// Installs what is missing for the tests.
pub fn install() -> anyhow::Result<Peers> {
    install_programs(PROGRAMS)?;
    Ok(Peers { python: python()?, node: node()? })
}

/// Installs what is missing to be measured beside us.
pub fn install_beside() -> anyhow::Result<()> {
    install_programs(BESIDE)
}

fn install_programs(programs: &[(&str, &str)]) -> anyhow::Result<()> {
    let missing = programs.iter().filter(|(program, _)| !exists(program));
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if packages.is_empty() { Ok(()) } else { apt_get(&packages) }
}

/// JsSIP below `target/`, in the versions of its lock file; made again when that has changed.
fn node() -> anyhow::Result<PathBuf> {
    let (folder, wanted) = (target().join("jssip"), root().join("tests/support/jssip"));
    let modules = folder.join("node_modules");
    let lock = fs::read(wanted.join(LOCK)).context(LOCK)?;
    if modules.is_dir() && fs::read(folder.join(LOCK)).is_ok_and(|known| known == lock) {
        return Ok(modules);
    }
    fs::create_dir_all(&folder)?;
    fs::copy(wanted.join("package.json"), folder.join("package.json"))?;
    fs::write(folder.join(LOCK), &lock)?;
    let place = folder.to_string_lossy().into_owned();
    let args = ["ci", "--prefix", &place, "--ignore-scripts", "--no-audit", "--no-fund"];
    let installed = run(&mut command("npm", &args));
    if installed.is_err() {
        fs::remove_file(folder.join(LOCK))?; // it is tried again
    }
    installed?;
    Ok(modules)
}

fn apt_get(packages: &[&str]) -> anyhow::Result<()> {
    let by_hand = format!("install by hand: {}", packages.join(" "));
    if !exists("apt-get") {
        bail!("no apt-get on this system; {by_hand}");
    }
    let mut line = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    if !succeeds(&mut command("test", &["-w", "/usr/bin"])) {
        if !exists("sudo") {
            bail!("neither root nor sudo; {by_hand}");
        }
        line.insert(0, "sudo");
    }
    let with = |rest: &[&str]| {
        let args: Vec<&str> = line[1..].iter().chain(rest).copied().collect();
        run(&mut command(line[0], &args))
    };
    with(&["update", "-q"]).context(by_hand.clone())?;
    let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
    install.extend(packages);
    with(&install).context(by_hand)
}

/// A virtual environment below `target/`, made once.
fn python() -> anyhow::Result<PathBuf> {
    let folder = target().join("python");
    let python = folder.join("bin/python");
    if has_modules(&python) {
        return Ok(python);
    }
    let place = folder.to_string_lossy().into_owned();
    let make = || command("python3", &["-m", "venv", "--clear", &place]);
    if !succeeds(&mut make()) {
        apt_get(&["python3-venv"])?;
        run(&mut make())?;
    }
    let program = python.to_string_lossy().into_owned();
    let mut args = vec!["-m", "pip", "install", "--quiet", "--only-binary", ":all:"];
    args.extend(MODULES);
    run(&mut command(&program, &args))?;
    let scanner = ["-m", "pip", "install", "--quiet", SCANNER]; // comes as source only
    run(&mut command(&program, &scanner))?;
    if !has_modules(&python) {
        bail!("{} lacks {MODULES:?}, although pip installed them", python.display());
    }
    Ok(python)
}

fn has_modules(python: &Path) -> bool {
    let import = "import websockets; import grpc, google.protobuf; \
                  from grpc_reflection.v1alpha import reflection; \
                  from grpc_health.v1 import health_pb2";
    // The scanner is a script that names its Python: where the folder was moved, it does not run.
    let scanner = python.with_file_name("sipvicious_svcrack");
    python.is_file()
        && succeeds(&mut command(&scanner.to_string_lossy(), &["--version"]))
        && succeeds(&mut command(&python.to_string_lossy(), &["-c", import]))
}
