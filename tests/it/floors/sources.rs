//! The source files, and what each of them imports.
//!
//! **What counts as an import.** Every `use`, and every path in the code (including macros), from
//! the file it is in to the file that declares the item. Re-exports (`pub use`) are followed to
//! their origin, so re-exporting an item of a child doesn't import the child. A parent is a file
//! like any other: declaring a child (`mod x;`) is not an import, but using its items is, and so is
//! a child's use of its parent. Unit tests and the paths in visibilities (`pub(in …)`) don't count.
//! Methods belong to their type, which the text doesn't show: they count where the type is named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A file by its path in `src` without its ending; the root is `lib`.
pub type Name = String;

/// Where a file takes something from another, with the paths by which it names it.
pub type Imports<'s> = BTreeMap<(&'s Name, &'s Name), BTreeSet<String>>;

/// The first part of a file's path: its module under the root, or nothing for the root.
pub fn module_of(name: &str) -> &str {
    match name {
        "lib" => "",
        name => name.split('/').next().unwrap_or_default(),
    }
}

/// A file.
pub struct File {
    pub name: Name,
    /// Whether it reaches into the store that somebody else carries.
    pub reads_store: bool,
    /// The first names of paths that lead out of the program.
    pub libraries: BTreeSet<String>,
    uses: Vec<Use>,
    /// The paths in its code.
    paths: BTreeSet<Vec<String>>,
}

/// One name of a `use`.
struct Use {
    path: Vec<String>,
    name: String,
    is_handed_on: bool,
}

/// All files.
pub struct Sources(BTreeMap<Name, File>);

impl Sources {
    /// Those of the program.
    pub fn of_program() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![root.clone()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).unwrap().with_extension("");
                let is_code = path.extension().is_some_and(|e| e == "rs");
                if is_code && !path.ends_with("tests.rs") && name != Path::new("main") {
                    let name = name.to_str().unwrap().to_owned();
                    files.push((name, std::fs::read_to_string(&path).unwrap()));
                }
            }
        }
        assert!(files.len() > 200, "they are looked for in vain");
        Self::of(files.iter().map(|(name, text)| (&**name, &**text)))
    }

    /// Those of a program that a test makes up.
    pub fn of_texts(files: &[(&str, &str)]) -> Self {
        Self::of(files.iter().copied())
    }

    fn of<'t>(files: impl Iterator<Item = (&'t str, &'t str)>) -> Self {
        let read = files.map(|(name, text)| (name.to_owned(), File::read(name, text)));
        let mut all = Sources(read.collect());
        let libraries = all.0.values().map(|file| all.libraries_of(file));
        let libraries: Vec<BTreeSet<String>> = libraries.collect();
        for (file, libraries) in all.0.values_mut().zip(libraries) {
            file.libraries = libraries;
        }
        all
    }

    /// The files of a module under the root.
    pub fn files_of<'s>(&'s self, module: &'s str) -> impl Iterator<Item = &'s File> {
        let files = self.0.values();
        files.filter(move |file| module_of(&file.name) == module)
    }

    /// What each file takes from others.
    pub fn imports(&self) -> Imports<'_> {
        let mut imports = Imports::new();
        for file in self.0.values() {
            let used = file.uses.iter().map(|used| (&used.path, used.is_handed_on));
            let named = file.paths.iter().map(|path| (path, false));
            for (path, is_handed_on) in used.chain(named) {
                let Some(origin) = self.origin(&file.name, path, 0) else {
                    continue;
                };
                let is_below = is_handed_on && is_inside(&origin, &file.name);
                let origin = self.0.get(&origin).map(|file| &file.name);
                if let Some(origin) = origin.filter(|o| **o != file.name && !is_below) {
                    let names = imports.entry((&file.name, origin)).or_default();
                    names.insert(path.join("::"));
                }
            }
        }
        imports
    }

    fn libraries_of(&self, file: &File) -> BTreeSet<String> {
        let used = file.uses.iter().map(|used| &used.path);
        let paths = used.chain(&file.paths);
        let leading_out = paths.filter(|path| self.origin(&file.name, path, 0).is_none());
        leading_out
            .filter_map(|path| path.first())
            .cloned()
            .collect()
    }

    /// The file that declares what a path in a file names; `None` where it leads out of the
    /// program.
    fn origin(&self, from: &str, path: &[String], depth: usize) -> Option<Name> {
        // Names that are handed on in a circle would be refused by the compiler.
        if depth > 20 {
            return None;
        }
        let (first, _) = path.split_first()?;
        let mut rest = path;
        let mut at = match first.as_str() {
            "crate" => {
                rest = &rest[1..];
                "lib".to_owned()
            }
            "self" => {
                rest = &rest[1..];
                from.to_owned()
            }
            "super" => {
                let mut at = from.to_owned();
                while let Some(("super", after)) = rest.split_first().map(|(f, r)| (f.as_str(), r))
                {
                    at = parent(&at);
                    rest = after;
                }
                at
            }
            first => {
                self.child(from, first)?;
                from.to_owned()
            }
        };
        while let Some((name, after)) = rest.split_first() {
            if let Some(child) = self.child(&at, name) {
                at = child;
                rest = after;
                continue;
            }
            let handed_on = self.0.get(&at).and_then(|file| {
                let mut same = file.uses.iter().filter(|used| used.name == *name);
                same.find_map(|used| self.origin(&at, &used.path, depth + 1))
            });
            return match handed_on {
                None => Some(at),
                Some(origin) if after.is_empty() => Some(origin),
                Some(origin) => {
                    let inner: Vec<String> = std::iter::once("self".to_owned())
                        .chain(after.iter().cloned())
                        .collect();
                    self.origin(&origin, &inner, depth + 1)
                }
            };
        }
        Some(at)
    }

    fn child(&self, of: &str, name: &str) -> Option<Name> {
        let child = match of {
            "lib" => name.to_owned(),
            of => format!("{of}/{name}"),
        };
        self.0.contains_key(&child).then_some(child)
    }
}

fn parent(name: &str) -> Name {
    match name.rsplit_once('/') {
        Some((parent, _)) => parent.to_owned(),
        None => "lib".to_owned(),
    }
}

/// Whether a file stands somewhere below another.
fn is_inside(name: &str, parent: &str) -> bool {
    parent == "lib"
        || name
            .strip_prefix(parent)
            .is_some_and(|rest| rest.starts_with('/'))
}

impl File {
    fn read(name: &str, text: &str) -> Self {
        let tokens: TokenStream = text.parse().unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut file = File {
            name: name.to_owned(),
            reads_store: false,
            libraries: BTreeSet::new(),
            uses: Vec::new(),
            paths: BTreeSet::new(),
        };
        file.walk(&tokens.into_iter().collect::<Vec<_>>());
        file
    }

    fn walk(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            if is_test_attribute(&tokens[at..]) {
                at = after_item(tokens, at + 2);
                continue;
            }
            match token {
                TokenTree::Ident(word) if word == "use" && is_tree(tokens.get(at + 1)) => {
                    let end = (at..tokens.len()).find(|n| is_punct(&tokens[*n], ';'));
                    let end = end.unwrap_or(tokens.len());
                    let is_handed_on = is_visible(tokens, at);
                    self.read_tree(&tokens[at + 1..end], &[], is_handed_on);
                    at = end + 1;
                }
                TokenTree::Ident(word) if word == "pub" && is_group(tokens.get(at + 1)) => at += 2,
                TokenTree::Ident(_) => at = self.read_path(tokens, at),
                TokenTree::Group(group) => {
                    self.walk(&group.stream().into_iter().collect::<Vec<_>>());
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }

    /// Reads the path that begins here. Returns where it ends.
    fn read_path(&mut self, tokens: &[TokenTree], start: usize) -> usize {
        let mut path = Vec::new();
        let mut at = start;
        while let Some(TokenTree::Ident(word)) = tokens.get(at) {
            path.push(word.to_string());
            match is_separator(&tokens[at + 1..]) {
                true => at += 3,
                false => break,
            }
        }
        // `service.db`; the flag `--db` of the command line is `cli.db`.
        let is_field = start >= 2 && is_punct(&tokens[start - 1], '.');
        let is_flag = start >= 2 && matches!(&tokens[start - 2], TokenTree::Ident(i) if i == "cli");
        self.reads_store |= is_field && !is_flag && path == ["db"];
        if path.len() > 1 {
            self.paths.insert(path);
        }
        at.max(start) + 1
    }

    fn read_tree(&mut self, tokens: &[TokenTree], prefix: &[String], is_handed_on: bool) {
        let mut path = prefix.to_vec();
        let mut alias = None;
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    alias = tokens.get(at + 1).map(ToString::to_string);
                    break;
                }
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    for branch in inner.split(|token| is_punct(token, ',')) {
                        if !branch.is_empty() {
                            self.read_tree(branch, &path, is_handed_on);
                        }
                    }
                    return;
                }
                _ => {}
            }
            at += 1;
        }
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if let Some(name) = alias.or_else(|| path.last().cloned()) {
            self.uses.push(Use {
                path,
                name,
                is_handed_on,
            });
        }
    }
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// Whether a path goes on here: `::`, and a name after it.
fn is_separator(tokens: &[TokenTree]) -> bool {
    match tokens {
        [
            TokenTree::Punct(a),
            TokenTree::Punct(b),
            TokenTree::Ident(_),
            ..,
        ] => a.as_char() == ':' && a.spacing() == Spacing::Joint && b.as_char() == ':',
        _ => false,
    }
}

/// Whether what follows a `use` is a tree of names: in `use<'a>` it is not.
fn is_tree(token: Option<&TokenTree>) -> bool {
    token.is_some_and(|token| !is_punct(token, '<'))
}

fn is_group(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis)
}

/// Whether the `use` at a place hands its names on.
fn is_visible(tokens: &[TokenTree], at: usize) -> bool {
    let before = |n: usize| at.checked_sub(n).and_then(|n| tokens.get(n));
    let is_pub =
        |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Ident(word)) if word == "pub");
    is_pub(before(1)) || (is_group(before(1)) && is_pub(before(2)))
}

/// Whether an item of unit tests begins here: `#[cfg(test)]`.
fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    match tokens {
        [sign, TokenTree::Group(group), ..] => {
            is_punct(sign, '#') && group.stream().to_string().replace(' ', "") == "cfg(test)"
        }
        _ => false,
    }
}

/// Where the item ends that begins at a place: after its body, or its semicolon.
fn after_item(tokens: &[TokenTree], from: usize) -> usize {
    let ends = |token: &TokenTree| {
        is_punct(token, ';')
            || matches!(token, TokenTree::Group(g) if g.delimiter() == Delimiter::Brace)
    };
    let end = (from..tokens.len()).find(|n| ends(&tokens[*n]));
    end.map_or(tokens.len(), |end| end + 1)
}
