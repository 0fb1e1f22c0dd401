//! Kubeconfig files, read as kubectl reads them.
//!
//! They are kept as values, not as types: a deserializer for each of their parts would cost the image more than all the rest.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::access::{self, Access, text};

/// One or more kubeconfig files as kubectl reads them: of each item the first counts, and a path is one beside the file
/// that names it.
#[derive(Debug)]
pub struct Kubeconfig {
    files: Vec<(PathBuf, Value)>,
}

impl Kubeconfig {
    /// Reads the files. Of several, those that do not exist are passed over, as by kubectl.
    pub fn read(paths: &[PathBuf]) -> Result<Self, String> {
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
            let text = match std::fs::read_to_string(path) {
                Err(error) if paths.len() > 1 && error.kind() == std::io::ErrorKind::NotFound => continue,
                read => read.map_err(|error| wrong(&error))?,
            };
            files.push((path.clone(), serde_saphyr::from_str(&text).map_err(|error| wrong(&error))?));
        }
        if files.is_empty() {
            let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            return Err(format!("none of the kubeconfig files exists: {}", paths.join(", ")));
        }
        Ok(Self { files })
    }

    /// The context that counts when none is named.
    pub fn current(&self) -> Option<String> {
        self.files.iter().find_map(|(_, file)| text(file, "current-context"))
    }

    /// The names of all contexts, in the order of the files.
    pub fn contexts(&self) -> Vec<String> {
        let mut names = Vec::new();
        for item in self.files.iter().flat_map(|(_, file)| items(file, "contexts")) {
            if let Some(name) = text(item, "name").filter(|name| !names.contains(name)) {
                names.push(name);
            }
        }
        names
    }

    fn place(&self) -> String {
        let paths: Vec<_> = self.files.iter().map(|(path, _)| path.display().to_string()).collect();
        paths.join(":")
    }

    pub(super) fn access(&self, context: Option<&str>) -> Result<Access, String> {
        self.resolve(context).map_err(|why| format!("{}: {why}", self.place()))
    }

    fn resolve(&self, context: Option<&str>) -> Result<Access, String> {
        let current = self.current();
        let names = || match self.contexts() {
            names if names.is_empty() => "it has no context at all".to_owned(),
            names => format!("its contexts are: {}", names.join(", ")),
        };
        let name = context.or(current.as_deref());
        let name = name.ok_or_else(|| format!("it has no current-context, give --context; {}", names()))?;
        let (_, context) =
            self.find("contexts", "context", name).map_err(|why| format!("{why}; {}", names()))?;
        let cluster = text(context, "cluster").ok_or(format!("context {name} names no cluster"))?;
        let server = self.find("clusters", "cluster", &cluster)?;
        let user = match text(context, "user") {
            Some(user) => self.find("users", "user", &user)?,
            None => (Path::new(""), &Value::Null),
        };
        access::of_kubeconfig(&cluster, server, user)
    }

    /// An item of one of the three lists, each wrapped in a key of its own, and the folder of its file.
    fn find(&self, list: &str, key: &str, name: &str) -> Result<(&Path, &Value), String> {
        for (path, file) in &self.files {
            let found = items(file, list).find(|item| item.get("name").is_some_and(|is| is == name));
            if let Some(item) = found.and_then(|item| item.get(key)) {
                return Ok((path.parent().unwrap_or(Path::new(".")), item));
            }
        }
        Err(format!("it has no {key} {name}"))
    }
}

/// The items of a list.
fn items<'f>(file: &'f Value, list: &str) -> impl Iterator<Item = &'f Value> {
    file.get(list).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::access::{Pem, Token};

    const TWO: &str = "
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: a, user: b, namespace: x}}
- {name: two, context: {cluster: c, user: d}}
clusters:
- name: a
  cluster: {server: 'https://[::1]:6443/k8s/', certificate-authority: pki/ca.crt, tls-server-name: api}
- {name: c, cluster: {server: 'https://127.0.0.1:8001', certificate-authority: c.crt}}
users:
- {name: b, user: {tokenFile: token, client-certificate-data: YQ==, client-key: b.key}}
- name: d
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws, args: [eks, get-token], env: null}
";

    fn access(text: &str, context: Option<&str>) -> Result<Access, String> {
        let file = serde_saphyr::from_str(text).unwrap();
        Kubeconfig { files: vec![("/home/joe/.kube/config".into(), file)] }.resolve(context)
    }

    #[test]
    fn the_current_context_counts_unless_another_is_named() {
        let one = access(TWO, None).unwrap();
        assert_eq!((one.host.as_str(), one.port, one.prefix.as_str()), ("::1", 6443, "/k8s"));
        assert_eq!(one.server_name, "api");
        assert!(
            matches!(one.authority, Some(Pem::File(file)) if file == Path::new("/home/joe/.kube/pki/ca.crt"))
        );
        assert!(matches!(one.token, Token::File(file) if file == Path::new("/home/joe/.kube/token")));
        assert!(one.client.is_some());
        let two = access(TWO, Some("two")).unwrap();
        assert!(two.tls && matches!(two.token, Token::Exec(_)), "{two:?}");
    }

    #[test]
    fn over_plain_http_there_are_no_credentials() {
        for context in ["one", "two"] {
            let plain = access(&TWO.replace("https://", "http://"), Some(context)).unwrap();
            assert!(!plain.tls && plain.client.is_none(), "{plain:?}");
            assert!(matches!(plain.token, Token::None), "{plain:?}");
        }
    }

    #[test]
    fn what_is_missing_or_cannot_be_done_is_named() {
        for (text, context, why) in [
            (TWO.to_owned(), Some("three"), "no context three; its contexts are: one, two"),
            (TWO.replace("name: a\n", "name: z\n"), None, "no cluster a"),
            (TWO.replace("certificate-authority: pki/ca.crt, ", ""), None, "no certificate-authority-data"),
            (TWO.replace("tls-server-name: api", "insecure-skip-tls-verify: true"), None, "insecure"),
            (TWO.replace("tls-server-name: api", "proxy-url: 'http://a'"), None, "proxy-url"),
            (TWO.replace("current-context: one", "x: y"), None, "--context"),
        ] {
            let error = access(&text, context).unwrap_err();
            assert!(error.contains(why), "expected {why:?}, got {error:?}");
        }
    }

    #[test]
    fn of_several_files_the_first_that_says_something_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        let first = file("a/config", "contexts: [{name: one, context: {cluster: a, user: u}}]");
        let second = file(
            "b/config",
            "{current-context: one, contexts: [{name: one, context: {cluster: x}}, {name: two, context: {cluster: a}}], \
             clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1', certificate-authority: c}}], users: [{name: u, user: {tokenFile: t}}]}",
        );
        let missing = folder.path().join("missing");
        let merged = Kubeconfig::read(&[first, missing.clone(), second.clone()]).unwrap();
        assert_eq!(merged.contexts(), ["one", "two"]);
        assert_eq!(merged.current().as_deref(), Some("one"));
        let access = merged.access(None).unwrap();
        assert!(matches!(access.token, Token::File(file) if file == second.with_file_name("t")));
        let error = Kubeconfig::read(&[missing.clone(), missing]).unwrap_err();
        assert!(error.starts_with("none of the kubeconfig files exists"), "{error}");
    }
}
