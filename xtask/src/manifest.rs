//! The little of TOML that the rules look at: sections, keys, and dependencies.
//!
//! This reads manifests as people format them, one entry per line. It is no TOML parser.

/// A `key = value` line and the section it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) line: usize,
    pub(crate) section: &'a str,
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
}

/// A package that a manifest depends on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dependency<'a> {
    pub(crate) line: usize,
    pub(crate) name: &'a str,
    /// Whether only tests, examples and benchmarks see it.
    pub(crate) is_dev: bool,
}

/// The entries of a manifest, in order.
pub(crate) fn entries(manifest: &str) -> Vec<Entry<'_>> {
    let mut section = "";
    let mut entries = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            let end = line.rfind(']').unwrap_or(line.len());
            section = line[..end].trim_matches(['[', ']']).trim();
        } else if let Some((key, value)) = line.split_once('=')
            && !line.starts_with('#')
        {
            let (key, value) = (key.trim(), value.trim());
            entries.push(Entry { line: index + 1, section, key, value });
        }
    }
    entries
}

/// The value of `key` in `section`, as written.
pub(crate) fn value<'a>(manifest: &'a str, section: &str, key: &str) -> Option<&'a str> {
    let mut entries = entries(manifest).into_iter();
    entries.find(|entry| entry.section == section && entry.key == key).map(|entry| entry.value)
}

/// What a manifest depends on, in every section that can say so.
///
/// A dependency that has its own section (`[dependencies.bytes]`) is there once per line of it.
pub(crate) fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    entries(manifest).into_iter().filter_map(dependency).collect()
}

fn dependency(entry: Entry<'_>) -> Option<Dependency<'_>> {
    let Entry { line, section, key, value } = entry;
    if section.starts_with("workspace.") {
        return None;
    }
    let (kind, own_section) = match section.rsplit_once("dependencies.") {
        Some((kind, name)) => (kind, Some(name)),
        None => (section.strip_suffix("dependencies")?, None),
    };
    // `name.workspace = true` and `name = { package = "real-name" }` both occur.
    let written = own_section.unwrap_or_else(|| key.split('.').next().unwrap_or(key));
    let renamed = match own_section {
        Some(_) if key == "package" => Some(value.trim_matches('"')),
        _ => quoted_after(value, "package = \""),
    };
    let is_dev = kind.ends_with("dev-");
    Some(Dependency { line, name: renamed.unwrap_or(written), is_dev })
}

fn quoted_after<'a>(text: &'a str, opening: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(opening)?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(manifest: &str) -> Vec<(&str, bool)> {
        dependencies(manifest).into_iter().map(|found| (found.name, found.is_dev)).collect()
    }

    #[test]
    fn every_way_to_write_a_dependency_is_seen() {
        let manifest = "\
[package]
name = \"ronde-loop\"
[dependencies]
ronde-timer.workspace = true
ronde-reactor = { path = \"../ronde-reactor\" }
other = { package = \"ronde-executor\", path = \"../ronde-executor\" }
# ronde-macros = \"1\"
[target.'cfg(unix)'.dependencies]
rustix = { workspace = true }
[dev-dependencies]
proptest = \"1\"
[dependencies.bytes]
workspace = true
[build-dependencies]
cc = \"1\"
";
        assert_eq!(
            names(manifest),
            [
                ("ronde-timer", false),
                ("ronde-reactor", false),
                ("ronde-executor", false),
                ("rustix", false),
                ("proptest", true),
                ("bytes", false),
                ("cc", false),
            ]
        );
    }

    #[test]
    fn shared_versions_are_not_dependencies() {
        assert_eq!(names("[workspace.dependencies]\nbytes = \"1\"\n"), []);
    }
}
