//! Reads the configuration: the file, then the files it includes, then the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path as FilePath, PathBuf};

use config::{FileFormat, Format as _, Map, Value, ValueKind};

use crate::config::certificates;
use crate::config::lint::{self, HasPrompt};
use crate::config::problem::{Finding, Path, Place, Problem, Severity, error};
use crate::config::secrets;
use crate::config::source::{Read, Source};
use crate::config::{Config, File};

/// A configuration that the daemon can run with.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// Mistakes that the daemon can run with.
    pub warnings: Vec<Problem>,
    /// Every file that was read, the first one first.
    pub files: Vec<PathBuf>,
}

/// The variables that layers and secrets are taken from, by name.
pub type Environment = BTreeMap<String, String>;

/// Reads and checks a configuration. `prompts` says which can be played; without
/// it, whether they exist is not looked at.
///
/// # Errors
///
/// Every mistake that was found, warnings too, if one of them keeps the daemon from running.
pub fn load(
    path: &FilePath,
    environment: &Environment,
    prompts: Option<HasPrompt<'_>>,
) -> Result<Loaded, Vec<Problem>> {
    let mut reader = Reader::new(environment);
    reader.read_all(path);
    let sound = reader.problems.is_empty();
    if let Some(mut config) = reader.compose() {
        let folder = path.parent().unwrap_or(FilePath::new(""));
        let mut findings = secrets::fetch(&mut config, folder, environment);
        findings.extend(certificates::check(&config));
        config.add_site();
        findings.extend(lint::lint(&config, prompts));
        reader.locate(findings, sound);
        reader.problems.sort();
        reader.problems.dedup();
        if reader.problems.iter().all(|problem| problem.severity == Severity::Warning) {
            let Reader { problems: warnings, files, .. } = reader;
            return Ok(Loaded { config, warnings, files });
        }
    }
    reader.problems.sort();
    reader.problems.dedup();
    Err(reader.problems)
}

/// The built-in configuration with the environment's changes: what holds without any file.
///
/// # Errors
///
/// As of `load`.
pub fn load_builtin(
    environment: &Environment,
    prompts: Option<HasPrompt<'_>>,
) -> Result<Loaded, Vec<Problem>> {
    let mut reader = Reader::new(environment);
    if let Some(mut config) = reader.compose() {
        let mut findings = secrets::fetch(&mut config, FilePath::new(""), environment);
        findings.extend(certificates::check(&config));
        config.add_site();
        findings.extend(lint::lint(&config, prompts));
        reader.locate(findings, true);
        if reader.problems.iter().all(|problem| problem.severity == Severity::Warning) {
            return Ok(Loaded { config, warnings: reader.problems, files: Vec::new() });
        }
    }
    Err(reader.problems)
}

/// Reads one text strictly, without looking at what it means and without the built-in site.
///
/// # Errors
///
/// Every key that is not known and every value that cannot be read.
pub fn parse(name: &str, text: &str) -> Result<Config, Vec<Problem>> {
    let (source, read) = Source::read(name.to_owned(), text.to_owned());
    if !read.problems.is_empty() {
        return Err(read.problems);
    }
    let place = Place::File(name.to_owned());
    build(&[Layer(source.layer())]).map(Config::from).map_err(|error| {
        vec![Problem { place, severity: Severity::Error, text: error.to_string() }]
    })
}

/// What was read so far.
struct Reader<'a> {
    environment: &'a Environment,
    sources: Vec<Source>,
    files: Vec<PathBuf>,
    problems: Vec<Problem>,
    /// Whether a file could not be read at all, so that nothing can be said about the whole.
    is_torn: bool,
    /// The keys that variables set, with the variables' names.
    variables: Vec<(Path, String)>,
}

impl<'a> Reader<'a> {
    fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            sources: Vec::new(),
            files: Vec::new(),
            problems: Vec::new(),
            is_torn: false,
            variables: Vec::new(),
        }
    }

    /// Reads the file and those it includes.
    fn read_all(&mut self, path: &FilePath) {
        let Some(first) = self.read(path) else { return };
        let folder = path.parent().unwrap_or(FilePath::new(""));
        for (place, pattern) in first.include.iter().enumerate() {
            let at = ["node".to_owned(), "include".to_owned(), place.to_string()];
            match matching(folder, pattern) {
                Ok(files) => {
                    for file in files.iter().filter(|file| *file != path) {
                        self.read_included(file);
                    }
                }
                Err(what) => {
                    let at: Vec<&str> = at.iter().map(String::as_str).collect();
                    self.locate(vec![error(&at, what)], true);
                }
            }
        }
    }

    fn read_included(&mut self, file: &FilePath) {
        if self.files.iter().any(|known| known == file) {
            return;
        }
        let Some(read) = self.read(file) else { return };
        let path = ["node".to_owned(), "include".to_owned()];
        let place = self.sources.last().and_then(|source| source.place(&path));
        if let Some(place) = place.filter(|_| !read.include.is_empty()) {
            let text = "an included file cannot include; name the file in the first one".to_owned();
            self.problems.push(Problem { place, severity: Severity::Error, text });
        }
    }

    fn read(&mut self, path: &FilePath) -> Option<Read> {
        let name = path.display().to_string();
        let failed = |text: String| Problem {
            place: Place::File(name.clone()),
            severity: Severity::Error,
            text,
        };
        self.files.push(path.to_owned());
        let text = match read_text(path) {
            Ok(text) => text,
            Err(why) => {
                self.problems.push(failed(why));
                self.is_torn = true;
                return None;
            }
        };
        let (source, mut read) = Source::read(name, text);
        self.is_torn |= !read.is_toml;
        self.problems.append(&mut read.problems);
        self.sources.push(source);
        Some(read)
    }

    /// All layers in one; `None` if they cannot be read.
    fn compose(&mut self) -> Option<Config> {
        // Whatever names a thing that could not be read would be said to name nothing.
        let is_needed = |path: &Path| match path.first().map(String::as_str) {
            Some("agents" | "extensions" | "hours" | "menus" | "queues") => path.len() <= 2,
            Some("routes") => true,
            _ => false,
        };
        if self.is_torn || self.unusable().any(is_needed) {
            return None;
        }
        let mut routes = Vec::new();
        let mut layers = Vec::new();
        for source in &self.sources {
            let mut map = source.layer();
            if let Some(ValueKind::Array(more)) = map.remove("routes").map(|value| value.kind) {
                routes.extend(more);
            }
            layers.push(Layer(map));
        }
        layers.push(Layer([("routes".to_owned(), Value::from(routes))].into_iter().collect()));
        let mut file = build(&layers).ok()?;
        for (name, value) in self.environment {
            let Some(key) = name.strip_prefix("STROWGER__") else { continue };
            let layer = self.variable(key, value, &layers);
            let mut with = layers.clone();
            with.push(layer.0);
            match build(&with) {
                Ok(_) if layer.1 == ["node", "include"] => {
                    let text = "files are included by the first file alone; write it there";
                    self.refuse(name, text.to_owned());
                }
                Ok(changed) => {
                    file = changed;
                    layers = with;
                    self.variables.push((layer.1, name.clone()));
                }
                Err(error) => {
                    let told = error.to_string();
                    let told = told.split(" for key ").next().unwrap_or(&told);
                    self.refuse(name, super::message::value(told, value, &layer.1));
                }
            }
        }
        Some(Config::from(file))
    }

    fn unusable(&self) -> impl Iterator<Item = &Path> {
        self.sources.iter().flat_map(Source::unusable)
    }

    fn refuse(&mut self, variable: &str, text: String) {
        let place = Place::Environment(variable.to_owned());
        self.problems.push(Problem { place, severity: Severity::Error, text });
    }

    /// A layer of one variable: `SIP__DOMAIN` is `domain` of `[sip]`.
    ///
    /// Names of keys are written in capitals or not; where there is a key that differs only in
    /// that, it is meant. A value that is a TOML list or table is taken as such.
    fn variable(&self, key: &str, value: &str, layers: &[Layer]) -> (Layer, Path) {
        let mut path: Path = Vec::new();
        for part in key.split("__") {
            let known = layers.iter().rev().find_map(|layer| layer.key_like(&path, part));
            path.push(known.unwrap_or_else(|| part.to_lowercase()));
        }
        let listed = format!("value = {value}");
        let is_list = value.trim_start().starts_with(['[', '{']);
        let parsed = FileFormat::Toml.parse(None, &listed).ok().filter(|_| is_list);
        let mut layer = parsed
            .and_then(|mut map| map.remove("value"))
            .unwrap_or_else(|| Value::from(value.to_owned()));
        for part in path.iter().skip(1).rev() {
            let map: Map<String, Value> = [(part.clone(), layer)].into_iter().collect();
            layer = Value::from(map);
        }
        (Layer([(path[0].clone(), layer)].into_iter().collect()), path)
    }

    /// Finds where each mistake is written. What follows from a key that could not be used is left
    /// out.
    fn locate(&mut self, findings: Vec<Finding>, is_sound: bool) {
        for Finding { path, other, severity, text } in findings {
            let follows = |bad: &Path| bad.iter().zip(&path).all(|(bad, here)| bad == here);
            if !is_sound && self.unusable().any(follows) {
                continue;
            }
            let exact = self.exact_place(&path);
            let place = exact.or_else(|| self.exact_place(&other?));
            let place = place.unwrap_or_else(|| self.place(&path));
            self.problems.push(Problem { place, severity, text });
        }
    }

    /// Where `path` is written, or the nearest key above it.
    fn place(&self, path: &[String]) -> Place {
        let above = (1..=path.len()).rev();
        above.into_iter().find_map(|end| self.exact_place(&path[..end])).unwrap_or_else(|| {
            let first = self.files.first().map(|file| file.display().to_string());
            Place::File(first.unwrap_or_else(|| "built-in configuration".to_owned()))
        })
    }

    fn exact_place(&self, path: &[String]) -> Option<Place> {
        let mut variables = self.variables.iter().rev();
        match variables.find(|(known, _)| known == path) {
            Some((_, name)) => Some(Place::Environment(name.clone())),
            None => self.place_in_files(path),
        }
    }

    fn place_in_files(&self, path: &[String]) -> Option<Place> {
        if let ["routes", place, ..] = path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            let mut place: usize = place.parse().ok()?;
            for source in &self.sources {
                let len = source.len_of("routes");
                if place < len {
                    let mut path = path.to_vec();
                    path[1] = place.to_string();
                    return source.place(&path);
                }
                place -= len;
            }
            return None;
        }
        self.sources.iter().rev().find_map(|source| source.place(path))
    }
}

/// One layer of the configuration.
#[derive(Clone)]
struct Layer(Map<String, Value>);

impl Layer {
    /// The key below `path` that is `name` but for capitals.
    fn key_like(&self, path: &[String], name: &str) -> Option<String> {
        let mut map = &self.0;
        for part in path {
            let ValueKind::Table(inner) = &map.get(part)?.kind else { return None };
            map = inner;
        }
        map.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()
    }
}

/// Never shows values, for they may be secrets.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

/// The layers, later ones over earlier ones.
fn build(layers: &[Layer]) -> Result<File, config::ConfigError> {
    let builder = layers
        .iter()
        .fold(config::Config::builder(), |builder, layer| builder.add_source(layer.clone()));
    builder.build()?.try_deserialize()
}

/// The files that a pattern means, in the order of their names.
fn matching(folder: &FilePath, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let path = folder.join(pattern);
    if !pattern.contains('*') {
        return Ok(vec![path]);
    }
    let wrong = || {
        format!("`{pattern}` cannot be used; write a folder and names such as \"conf.d/*.toml\"")
    };
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
    let inside = path.parent().ok_or_else(wrong)?;
    if inside.to_string_lossy().contains('*') || name.matches('*').count() != 1 {
        return Err(wrong());
    }
    let (begin, end) = name.split_once('*').ok_or_else(wrong)?;
    let Ok(entries) = fs::read_dir(inside) else {
        return Ok(Vec::new()); // no folder, no files
    };
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| {
            file.len() >= begin.len() + end.len()
                && file.starts_with(begin)
                && file.ends_with(end)
                && !file.starts_with('.')
        })
        .collect();
    files.sort();
    Ok(files.into_iter().map(|file| inside.join(file)).collect())
}

fn read_text(path: &FilePath) -> Result<String, String> {
    let wrong = |error: std::io::Error| format!("cannot be read: {error}");
    let length = fs::metadata(path).map_err(wrong)?.len();
    if length > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes; include several files"));
    }
    let bytes = fs::read(path).map_err(wrong)?;
    String::from_utf8(bytes).map_err(|error| {
        format!("is no UTF-8 text at byte {}; save it as UTF-8", error.utf8_error().valid_up_to())
    })
}

/// The longest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 8 << 20;
