//! The repository's files, read once, so that every check is a plain function of text.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::manifest;

/// Hidden folders that belong to the project. All others (`.git`, editors' folders) do not.
const HIDDEN_BUT_OURS: &[&str] = &[".cargo", ".ci", ".github"];

/// Files by their path from the root, always with `/` between the parts.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

/// A package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// The name that its manifest states.
    pub(crate) name: String,
    /// Its folder from the root, such as `crates/ronde-timer`.
    pub(crate) folder: String,
}

impl Tree {
    /// Reads everything below `root` but build output and foreign hidden folders.
    ///
    /// A file that is not text is there with an empty text: links may point to it. A symbolic
    /// link counts if it leads to a file.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                let foreign = name.starts_with('.') && !HIDDEN_BUT_OURS.contains(&name.as_str());
                if !foreign && name != "target" {
                    self.read_folder(&entry.path(), &format!("{path}/"))?;
                }
            } else if entry.path().is_file() {
                let text = String::from_utf8(fs::read(entry.path())?).unwrap_or_default();
                self.files.insert(path, text);
            }
        }
        Ok(())
    }

    /// A tree made of these paths and texts.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let own = |&(path, text): &(&str, &str)| (path.to_owned(), text.to_owned());
        Self { files: files.iter().map(own).collect() }
    }

    /// The text of a file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is a file or a folder at `path`.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// Paths and texts of the files whose name ends with `suffix`, in order.
    pub(crate) fn ending_with(&self, suffix: &str) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter().filter(move |(path, _)| path.ends_with(suffix));
        files.map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The workspace's packages: every folder with a manifest that names a package.
    pub(crate) fn packages(&self) -> Vec<Package> {
        let manifests = self.ending_with("/Cargo.toml");
        let packages = manifests.filter_map(|(path, text)| {
            let folder = path.trim_end_matches("/Cargo.toml").to_owned();
            let name = manifest::value(text, "package", "name")?;
            Some(Package { name: name.trim_matches('"').to_owned(), folder })
        });
        packages.collect()
    }

    /// The packages below `crates/`: the ones that are published.
    pub(crate) fn crates(&self) -> impl Iterator<Item = Package> {
        self.packages().into_iter().filter(|package| package.folder.starts_with("crates/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_exists_if_a_file_is_in_it() {
        let tree = Tree::of(&[("docs/decisions/one.md", "")]);
        assert!(tree.exists("docs/decisions"));
        assert!(tree.exists("docs/decisions/"));
        assert!(tree.exists("docs/decisions/one.md"));
        assert!(!tree.exists("docs/dec"));
    }

    #[test]
    fn only_manifests_that_name_a_package_are_packages() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\n"),
            ("crates/ronde-timer/Cargo.toml", "[package]\nname = \"ronde-timer\"\n"),
            ("xtask/Cargo.toml", "[package]\nname = \"xtask\"\n"),
        ]);
        let names: Vec<_> = tree.packages().into_iter().map(|package| package.name).collect();
        assert_eq!(names, ["ronde-timer", "xtask"]);
        assert_eq!(tree.crates().count(), 1);
    }
}
