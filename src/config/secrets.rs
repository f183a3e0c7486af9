//! Fetches secrets from the files and variables that the configuration names.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Config;
use crate::config::load::Environment;
use crate::config::problem::{Finding, error};
use crate::config::sections::Grpc;
use crate::route::config::Secret;

/// Puts every `…_file` and `…_env` in its secret's place; says which could not be found.
pub fn fetch(config: &mut Config, folder: &Path, environment: &Environment) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, extension) in &mut config.extensions {
        let (file, variable) = (&extension.password_file, &extension.password_env);
        let found =
            Wanted { section: &["extensions", id.as_str()], key: "password", file, variable }
                .fetch(&extension.password, folder, environment, &mut findings);
        extension.password = found;
    }
    for (id, trunk) in &mut config.trunks {
        let trunk = Arc::make_mut(trunk);
        let section = &["trunks", id.as_str()];
        let (file, variable) = (&trunk.password_file, &trunk.password_env);
        let wanted = Wanted { section, key: "password", file, variable };
        trunk.password = wanted.fetch(&trunk.password, folder, environment, &mut findings);
        let (file, variable) = (&trunk.inbound_password_file, &trunk.inbound_password_env);
        let wanted = Wanted { section, key: "inbound_password", file, variable };
        let written = &trunk.inbound_password;
        trunk.inbound_password = wanted.fetch(written, folder, environment, &mut findings);
    }
    findings.extend(fetch_token(&mut config.grpc, folder, environment));
    let sip = &mut config.sip;
    let files = [&mut sip.certificate, &mut sip.key, &mut sip.client_ca, &mut sip.ca];
    let grpc = &mut config.grpc;
    let more = [&mut grpc.certificate, &mut grpc.key, &mut config.recordings.keys];
    for file in more.into_iter().chain(files).flatten() {
        *file = folder.join(&*file);
    }
    findings
}

/// Puts the token of gRPC in its place; says if it could not be found.
pub fn fetch_token(grpc: &mut Grpc, folder: &Path, environment: &Environment) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (file, variable) = (&grpc.token_file, &grpc.token_env);
    let wanted = Wanted { section: &["grpc"], key: "token", file, variable };
    grpc.token = wanted.fetch(&grpc.token, folder, environment, &mut findings);
    findings
}

/// A secret and where else it may be.
struct Wanted<'a> {
    section: &'a [&'a str],
    key: &'a str,
    file: &'a Option<PathBuf>,
    variable: &'a Option<String>,
}

impl Wanted<'_> {
    fn fetch(
        &self,
        written: &Option<Secret>,
        folder: &Path,
        environment: &Environment,
        findings: &mut Vec<Finding>,
    ) -> Option<Secret> {
        let key = self.key;
        let mut wrong = |suffix: &str, text: String| {
            let key = format!("{key}{suffix}");
            let path: Vec<&str> = self.section.iter().copied().chain([key.as_str()]).collect();
            findings.push(error(&path, text));
        };
        let ways = usize::from(written.is_some())
            + usize::from(self.file.is_some())
            + usize::from(self.variable.is_some());
        if ways > 1 {
            let suffix = if self.file.is_some() { "_file" } else { "_env" };
            wrong(suffix, format!("`{key}` is given in {ways} ways; keep one of them"));
            return written.clone();
        }
        if let Some(file) = self.file {
            match first_line(&folder.join(file)) {
                Ok(secret) => return Some(Secret::from(secret)),
                Err(why) => wrong("_file", why),
            }
        }
        if let Some(variable) = self.variable {
            match environment.get(variable).filter(|value| !value.is_empty()) {
                Some(value) => return Some(Secret::from(value.clone())),
                None => wrong(
                    "_env",
                    format!("the environment variable `{variable}` is not set; set it"),
                ),
            }
        }
        written.clone()
    }
}

/// The first line of a file, which must be short.
fn first_line(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let length = fs::metadata(file).map(|meta| meta.len());
    if length.is_ok_and(|length| length > SECRET_BYTES_MAX) {
        return Err(format!("`{shown}` is longer than a secret; write it on one line"));
    }
    let text = fs::read_to_string(file)
        .map_err(|error| format!("`{shown}` cannot be read: {error}; make it readable"))?;
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(format!("`{shown}` is empty; its first line must be the secret")),
    }
}

/// The longest file that holds a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;
