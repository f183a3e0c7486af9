//! Reads the configuration: the file, then the files it includes, then the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path as FilePath, PathBuf};

use config::{FileFormat, Format as _, Map, Value, ValueKind};

use crate::config::certificates;
use crate::config::keys;
use crate::config::lint::{self, HasPrompt};
use crate::config::problem::{Finding, Path, Place, Problem, Severity};
use crate::config::secrets;
use crate::config::source::{self, Read, Shape, Source};
use crate::config::strict::{self, Trail};
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
    reader.read_all::<File>(path);
    let sound = reader.problems.is_empty();
    if let Some(mut config) = reader.compose_whole() {
        let folder = path.parent().unwrap_or(FilePath::new(""));
        let mut findings = secrets::fetch(&mut config, folder, environment);
        findings.extend(certificates::check(&config));
        findings.extend(keys::check(&config));
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
    if let Some(mut config) = reader.compose_whole() {
        let mut findings = secrets::fetch(&mut config, FilePath::new(""), environment);
        findings.extend(certificates::check(&config));
        findings.extend(keys::check(&config));
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
    let (source, read) = Source::read::<File>(name.to_owned(), text.to_owned());
    if !read.problems.is_empty() {
        return Err(read.problems);
    }
    let place = Place::File(name.to_owned());
    build::<File>(&[Layer(source.layer())]).map(Config::from).map_err(|error| {
        vec![Problem { place, severity: Severity::Error, text: error.to_string() }]
    })
}

/// What was read so far.
pub(super) struct Reader<'a> {
    environment: &'a Environment,
    pub sources: Vec<Source>,
    files: Vec<PathBuf>,
    pub problems: Vec<Problem>,
    /// Whether a file could not be read at all, so that nothing can be said about the whole.
    is_torn: bool,
    /// The keys that variables set, with the variables' names.
    variables: Vec<(Path, String)>,
}

impl<'a> Reader<'a> {
    pub fn new(environment: &'a Environment) -> Self {
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
    pub fn read_all<S: Shape>(&mut self, path: &FilePath) {
        let include = match self.read::<S>(path) {
            Ok(include) => include,
            Err(why) => {
                let place = Place::File(path.display().to_string());
                self.problems.push(Problem { place, severity: Severity::Error, text: why });
                return;
            }
        };
        let folder = path.parent().unwrap_or(FilePath::new(""));
        for (entry, pattern) in include.iter().enumerate() {
            match matching(folder, pattern) {
                Ok(files) => {
                    for file in files {
                        if !is_same(&file, path) {
                            self.read_included::<S>(&file, entry);
                        } else if !pattern.contains('*') {
                            let text = "the file would include itself; leave this out";
                            self.refuse_entry(entry, text.to_owned());
                        }
                    }
                }
                Err(what) => self.refuse_entry(entry, what),
            }
        }
    }

    fn read_included<S: Shape>(&mut self, file: &FilePath, entry: usize) {
        if self.files.iter().any(|known| known == file) {
            return;
        }
        match self.read::<S>(file) {
            Ok(include) if include.is_empty() => {}
            Ok(_) => {
                let path = ["node".to_owned(), "include".to_owned()];
                let Some(place) = self.sources.iter().rev().find_map(|it| it.place(&path)) else {
                    return;
                };
                let text = "an included file cannot include; name the file in the first one";
                let text = text.to_owned();
                self.problems.push(Problem { place, severity: Severity::Error, text });
            }
            Err(why) => self.refuse_entry(entry, format!("`{}` {why}", file.display())),
        }
    }

    /// Refuses an entry of the first file's `include`.
    fn refuse_entry(&mut self, entry: usize, text: String) {
        let path = ["node".to_owned(), "include".to_owned(), entry.to_string()];
        let place = self.sources.iter().find_map(|source| source.place(&path));
        let place = place.unwrap_or_else(|| self.place(&path));
        self.problems.push(Problem { place, severity: Severity::Error, text });
    }

    /// Reads one file; the files it wants to include, or why it cannot be read at all.
    fn read<S: Shape>(&mut self, path: &FilePath) -> Result<Vec<String>, String> {
        let name = path.display().to_string();
        self.files.push(path.to_owned());
        let bytes = read_bytes(path).inspect_err(|_| self.is_torn = true)?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) if !S::SECTIONS.is_empty() => {
                String::from_utf8_lossy(error.as_bytes()).into_owned()
            }
            Err(error) => {
                let good =
                    String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
                let place = source::after(name, &good);
                let text = "this is no UTF-8 text; save the file as UTF-8".to_owned();
                self.problems.push(Problem { place, severity: Severity::Error, text });
                self.is_torn = true;
                return Ok(Vec::new());
            }
        };
        let (source, read) = Source::read::<S>(name.clone(), text);
        if read.is_toml || S::SECTIONS.is_empty() {
            self.is_torn |= !read.is_toml;
            return Ok(self.take(source, read));
        }
        let sections = S::SECTIONS.iter().flat_map(|section| {
            let (source, read) = Source::read_section::<S>(name.clone(), &source.text, section);
            self.take(source, read)
        });
        Ok(sections.collect())
    }

    fn take(&mut self, source: Source, mut read: Read) -> Vec<String> {
        self.problems.append(&mut read.problems);
        self.sources.push(source);
        read.include
    }

    /// The whole configuration; `None` if it cannot be read.
    fn compose_whole(&mut self) -> Option<Config> {
        // Whatever names a thing that could not be read would be said to name nothing.
        let is_needed = |path: &Path| match path.first().map(String::as_str) {
            Some("agents" | "classes" | "extensions" | "hours" | "menus" | "queues") => {
                path.len() <= 2
            }
            Some("routes") => true,
            _ => false,
        };
        if self.is_torn || self.unusable().any(is_needed) {
            return None;
        }
        self.compose::<File>().map(Config::from)
    }

    /// All layers in one; `None` if they do not fit each other.
    pub fn compose<S: Shape>(&mut self) -> Option<S> {
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
        let mut file: S = build(&layers).ok()?;
        for (name, value) in self.environment {
            let Some(key) = name.strip_prefix("STROWGER__") else { continue };
            if value.contains(char::is_control) {
                self.refuse(name, source::CONTROL.to_owned());
                continue;
            }
            let layer = self.variable(key, value, &layers);
            let mut with = layers.clone();
            with.push(layer.0);
            match build::<S>(&with) {
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
                    self.refuse(name, super::message::variable(told, value, &layer.1));
                }
            }
        }
        Some(file)
    }

    pub fn unusable(&self) -> impl Iterator<Item = &Path> {
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
    pub fn locate(&mut self, findings: Vec<Finding>, is_sound: bool) {
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
fn build<S: Shape>(layers: &[Layer]) -> Result<S, config::ConfigError> {
    let builder = layers
        .iter()
        .fold(config::Config::builder(), |builder, layer| builder.add_source(layer.clone()));
    strict::read(builder.build()?, &Trail::default())
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

/// Whether both are one file, however they are written.
fn is_same(file: &FilePath, other: &FilePath) -> bool {
    file == other || matches!((file.canonicalize(), other.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn read_bytes(path: &FilePath) -> Result<Vec<u8>, String> {
    let wrong = |error: std::io::Error| format!("cannot be read: {error}; make it readable");
    let length = fs::metadata(path).map_err(wrong)?.len();
    if length > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes; include several files"));
    }
    fs::read(path).map_err(wrong)
}

/// The longest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 8 << 20;
