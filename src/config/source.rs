//! One configuration file: its text, its keys, and where each is written.
//!
//! `toml` knows lines and columns, the layers above it do not: so each file is first read strictly
//! here, until every mistake is known, and only then becomes a layer.

use std::ops::Range;

use config::{FileFormat, Format as _, Map, Value, ValueKind};
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::config::message::{self, Kind, Written};
use crate::config::problem::{Path, Place, Problem, Severity};
use crate::config::strict::{self, Trail};

/// What a file is read as: the whole configuration, or a part of it.
pub trait Shape: DeserializeOwned {
    /// The sections that can do without the others: each is read alone where the file as a whole
    /// is no TOML.
    const SECTIONS: &'static [&'static str] = &[];

    /// What `[node] include` says.
    fn include(self) -> Vec<String>;
}

/// A configuration file that was read.
#[derive(Debug)]
pub struct Source {
    /// The file's name as messages show it.
    pub name: String,
    pub text: String,
    /// Every key and list element, in no order.
    marks: Vec<Mark>,
    /// The keys whose values could not be used, in the order they were taken out.
    unusable: Vec<Path>,
}

/// Where a key or list element is written; bytes of the text.
#[derive(Clone, Debug)]
struct Mark {
    path: Path,
    key: Range<usize>,
    value: Range<usize>,
    kind: Kind,
}

/// What a strict reading of a file found.
#[derive(Debug, Default)]
pub struct Read {
    pub problems: Vec<Problem>,
    /// Whether the text is TOML.
    pub is_toml: bool,
    /// What `[node] include` says.
    pub include: Vec<String>,
}

impl Source {
    /// Reads a text strictly. With syntax errors, those alone are reported.
    pub fn read<S: Shape>(name: String, text: String) -> (Self, Read) {
        let mut source = Self { name, text, marks: Vec::new(), unusable: Vec::new() };
        let text = source.text.clone();
        let (mut table, errors) = DeTable::parse_recoverable(&text);
        let mut read = Read::default();
        if !errors.is_empty() {
            for error in errors.iter().take(PROBLEMS_MAX) {
                let at = error.span().map_or(0, |span| span.start);
                read.problems.push(source.problem(at, message::syntax(error.message())));
            }
            return (source, read);
        }
        read.is_toml = true;
        source.refuse_controls(table.get_mut(), &mut read);
        collect(table.get_ref(), &mut Vec::new(), &mut source.marks);
        loop {
            let trail = Trail::default();
            let error = match strict::read(toml::Deserializer::from(table.clone()), &trail) {
                Ok(file) => {
                    read.include = S::include(file);
                    return (source, read);
                }
                Err(error) => error,
            };
            let mark = source.failed(&error, &trail).cloned();
            let Some(mark) = mark.filter(|_| read.problems.len() < PROBLEMS_MAX) else {
                let at = error.span().map_or(0, |span| span.start);
                let text = message::value(error.message(), Written::NOTHING, &[]);
                read.problems.push(source.problem(at, text));
                return (source, read);
            };
            let inside = |path: &Path| path.split_last().is_some_and(|(_, up)| up == mark.path);
            let is_missing = error.message().starts_with("missing field");
            // What was written wrong was reported; it is not missing too.
            if !(is_missing && source.unusable.iter().any(inside)) {
                // An unknown key is told where the key stands, a wrong value where the value does.
                let spans = error.span().filter(|span| mark.holds(span) && *span != mark.value);
                let at = spans.map_or(mark.value.start, |span| span.start);
                let written = Written { text: &source.text[mark.value.clone()], kind: mark.kind };
                let text = message::value(error.message(), written, &mark.path);
                read.problems.push(source.problem(at, text));
            }
            // What is left may have further mistakes.
            if !remove(table.get_mut(), &mark.path) {
                return (source, read);
            }
            // Paths of later list elements change with the removal.
            source.marks.clear();
            collect(table.get_ref(), &mut Vec::new(), &mut source.marks);
            source.unusable.push(mark.path);
        }
    }

    /// The key or list element that an error is about.
    fn failed(&self, error: &toml::de::Error, trail: &Trail) -> Option<&Mark> {
        let mut mark = self.around(&error.span()?)?;
        // The first heading of a list of tables stands for the list, and for its first element.
        let is_in = |it: &Mark| trail.failed().is_some_and(|at| at.depth >= it.path.len());
        if let Some(list) = self.above(mark)
            && list.kind == Kind::Tables
            && list.value == mark.value
            && !is_in(mark)
        {
            mark = list;
        }
        let element = trail.failed().filter(|it| it.depth == mark.path.len() + 1);
        let path = element.map(|it| [&mark.path[..], &[it.index.to_string()]].concat());
        path.and_then(|path| self.marks.iter().find(|it| it.path == path)).or(Some(mark))
    }

    /// Takes out every value with a line break or another control character in it or its name:
    /// much of what is configured is written into messages, where it would begin another line.
    fn refuse_controls(&mut self, table: &mut DeTable<'_>, read: &mut Read) {
        while let Some((path, at)) = control_in(table, &mut Vec::new()) {
            read.problems.push(self.problem(at, CONTROL.to_owned()));
            if !remove(table, &path) {
                return;
            }
            self.unusable.push(path);
        }
    }

    /// Reads one section of a text that as a whole is no TOML.
    pub fn read_section<S: Shape>(name: String, text: &str, section: &str) -> (Self, Read) {
        let (mut source, read) = Self::read::<S>(name, alone(text, section));
        if !read.is_toml {
            source.unusable.push(vec![section.to_owned()]);
        }
        (source, read)
    }

    /// The keys whose values could not be used: nothing can be said about what depends on them.
    pub fn unusable(&self) -> &[Path] {
        &self.unusable
    }

    /// The file as a layer, without the keys that could not be used.
    pub fn layer(&self) -> Map<String, Value> {
        let mut map = FileFormat::Toml.parse(None, &self.text).unwrap_or_default();
        for path in &self.unusable {
            remove_from(&mut map, path);
        }
        map
    }

    /// Where `path` is written: its value, or the last part of a heading.
    pub fn place(&self, path: &[String]) -> Option<Place> {
        let mark = self.marks.iter().find(|mark| mark.path == path)?;
        let is_heading = mark.value.start < mark.key.start || mark.value.is_empty();
        let at = if is_heading { mark.key.start } else { mark.value.start };
        Some(self.at(at))
    }

    /// The number of elements of the list at `path`.
    pub fn len_of(&self, path: &str) -> usize {
        let inside = |mark: &&Mark| mark.path.len() == 2 && mark.path[0] == path;
        self.marks.iter().filter(inside).count()
    }

    fn problem(&self, at: usize, text: String) -> Problem {
        Problem { place: self.at(at), severity: Severity::Error, text }
    }

    /// The place of a byte.
    fn at(&self, byte: usize) -> Place {
        let byte = (0..=byte.min(self.text.len()))
            .rev()
            .find(|byte| self.text.is_char_boundary(*byte))
            .unwrap_or(0);
        after(self.name.clone(), &self.text[..byte])
    }

    fn above(&self, mark: &Mark) -> Option<&Mark> {
        let (_, path) = mark.path.split_last()?;
        self.marks.iter().find(|it| it.path == path)
    }

    /// The innermost key or element that an error is about.
    fn around(&self, span: &Range<usize>) -> Option<&Mark> {
        self.marks
            .iter()
            .filter_map(|mark| {
                let spans = [&mark.key, &mark.value];
                let holding = spans.iter().filter(|outer| holds(outer, span));
                let len = holding.map(|span| span.len()).min()?;
                Some((len, usize::MAX - mark.path.len(), mark))
            })
            .min_by_key(|(len, depth, _)| (*len, *depth))
            .map(|(_, _, mark)| mark)
    }
}

impl Mark {
    /// Whether something is written within it.
    fn holds(&self, span: &Range<usize>) -> bool {
        holds(&self.key, span) || holds(&self.value, span)
    }
}

fn holds(outer: &Range<usize>, span: &Range<usize>) -> bool {
    outer.start <= span.start && span.end <= outer.end
}

/// The place in a file that comes after `before`.
pub fn after(file: String, before: &str) -> Place {
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place::At {
        file,
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// The lines of one section where they stood, and blank ones in the place of all others.
fn alone(text: &str, section: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut is_top, mut is_inside) = (true, false);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start();
        if bare.starts_with('[') {
            let heading = bare.trim_start_matches('[').trim_start().strip_prefix(section);
            is_inside = heading.is_some_and(|rest| rest.trim_start().starts_with([']', '.']));
            is_top = false;
        }
        let is_key = |rest: &str| rest.trim_start().starts_with(['.', '=']);
        if is_inside || is_top && bare.strip_prefix(section).is_some_and(is_key) {
            kept.push_str(line);
        } else if line.ends_with('\n') {
            kept.push('\n');
        }
    }
    kept
}

fn collect(table: &DeTable<'_>, path: &mut Path, marks: &mut Vec<Mark>) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        let kind = kind(value, key.span());
        marks.push(Mark { path: path.clone(), key: key.span(), value: value.span(), kind });
        collect_inside(value, path, marks);
        path.pop();
    }
}

fn collect_inside(value: &Spanned<DeValue<'_>>, path: &mut Path, marks: &mut Vec<Mark>) {
    match value.get_ref() {
        DeValue::Table(table) => collect(table, path, marks),
        DeValue::Array(array) => {
            for (place, element) in array.iter().enumerate() {
                path.push(place.to_string());
                let span = element.span();
                let kind = kind(element, span.clone());
                marks.push(Mark { path: path.clone(), key: span.clone(), value: span, kind });
                collect_inside(element, path, marks);
                path.pop();
            }
        }
        DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Float(_)
        | DeValue::Integer(_)
        | DeValue::String(_) => {}
    }
}

/// What a value is; `key` is where its name stands, which for a heading lies within it.
fn kind(value: &Spanned<DeValue<'_>>, key: Range<usize>) -> Kind {
    match value.get_ref() {
        DeValue::Array(_) if value.span().start < key.start => Kind::Tables,
        DeValue::Array(_) => Kind::List,
        DeValue::Boolean(_) => Kind::YesOrNo,
        DeValue::Datetime(_) => Kind::Date,
        DeValue::Float(_) => Kind::Fraction,
        DeValue::Integer(_) => Kind::Number,
        DeValue::String(_) => Kind::Text,
        DeValue::Table(_) => Kind::Table,
    }
}

/// The first key or text with a control character, and where it is written.
fn control_in(table: &DeTable<'_>, path: &mut Path) -> Option<(Path, usize)> {
    table.iter().find_map(|(key, value)| {
        path.push(key.get_ref().to_string());
        let found = match key.get_ref().contains(char::is_control) {
            true => Some((path.clone(), key.span().start)),
            false => control_inside(value, path),
        };
        path.pop();
        found
    })
}

fn control_inside(value: &Spanned<DeValue<'_>>, path: &mut Path) -> Option<(Path, usize)> {
    match value.get_ref() {
        DeValue::Table(table) => control_in(table, path),
        DeValue::Array(array) => array.iter().enumerate().find_map(|(place, element)| {
            path.push(place.to_string());
            let found = control_inside(element, path);
            path.pop();
            found
        }),
        DeValue::String(text) if text.contains(char::is_control) => {
            Some((path.clone(), value.span().start))
        }
        DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Float(_)
        | DeValue::Integer(_)
        | DeValue::String(_) => None,
    }
}

/// What stands at `path`.
fn at<'a, 'i>(table: &'a mut DeTable<'i>, path: &[String]) -> Option<&'a mut DeValue<'i>> {
    let (first, rest) = path.split_first()?;
    let mut value = child(table, first)?;
    for part in rest {
        value = match value {
            DeValue::Table(table) => child(table, part)?,
            DeValue::Array(array) => array.get_mut(part.parse::<usize>().ok()?)?.get_mut(),
            _ => return None,
        };
    }
    Some(value)
}

/// Takes out what stands at `path`; says whether something did.
fn remove(table: &mut DeTable<'_>, path: &[String]) -> bool {
    let Some((last, way)) = path.split_last() else { return false };
    if way.is_empty() {
        return take(table, last);
    }
    match at(table, way) {
        Some(DeValue::Table(table)) => take(table, last),
        Some(DeValue::Array(array)) => {
            let Some(place) = last.parse::<usize>().ok().filter(|place| *place < array.len())
            else {
                return false;
            };
            let mut kept = DeArray::new();
            let left = array.iter().enumerate().filter(|(other, _)| *other != place);
            left.for_each(|(_, element)| kept.push(element.clone()));
            *array = kept;
            true
        }
        _ => false,
    }
}

fn remove_from(map: &mut Map<String, Value>, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        map.remove(first);
        return;
    }
    let Some(mut value) = map.get_mut(first) else { return };
    let (last, way) = rest.split_last().unwrap_or((first, &[]));
    for part in way {
        let place = part.parse::<usize>();
        let inner = match &mut value.kind {
            ValueKind::Table(map) => map.get_mut(part),
            ValueKind::Array(list) => place.ok().and_then(|place| list.get_mut(place)),
            _ => None,
        };
        let Some(inner) = inner else { return };
        value = inner;
    }
    match (&mut value.kind, last.parse::<usize>()) {
        (ValueKind::Table(map), _) => {
            map.remove(last);
        }
        (ValueKind::Array(list), Ok(place)) if place < list.len() => {
            list.remove(place);
        }
        _ => {}
    }
}

fn child<'a, 'i>(table: &'a mut DeTable<'i>, name: &str) -> Option<&'a mut DeValue<'i>> {
    table.get_mut(name).map(Spanned::get_mut)
}

fn take(table: &mut DeTable<'_>, name: &str) -> bool {
    table.remove(name).is_some()
}

/// What is said of a value or name that would begin another line of a message.
pub(super) const CONTROL: &str =
    "this has a line break, a tab or another control character; leave it out";

/// Problems reported of one file.
const PROBLEMS_MAX: usize = 100;
