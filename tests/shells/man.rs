//! The manual pages, made from what `--help` says. `make man` writes them into `dist/man`.

use std::path::Path;

use clap_mangen::Man;

use crate::support::suite::Case;

pub(crate) const CASES: &[Case] =
    &[Case { name: "man::there_is_a_page_for_each_command_with_its_examples", needs: &[], run: pages }];

fn pages() {
    let mut command = cni_steward::cli::command();
    command.build();
    let folder = std::env::var_os("CNI_STEWARD_MAN");
    let mut names = Vec::new();
    let mut waiting = vec![(String::new(), command)];
    while let Some((before, command)) = waiting.pop() {
        let name = if before.is_empty() {
            command.get_name().to_owned()
        } else {
            format!("{before}-{}", command.get_name())
        };
        for child in
            command.get_subcommands().filter(|child| !child.is_hide_set() && child.get_name() != "help")
        {
            waiting.push((name.clone(), child.clone()));
        }
        let mut page = Vec::new();
        let version = env!("CARGO_PKG_VERSION");
        let titled = command.clone().display_name(name.clone()).version(version);
        Man::new(titled).manual("cni-steward").render(&mut page).unwrap();
        let text = String::from_utf8(page).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{name}: {text}");
        if let Some(examples) = command.get_after_help() {
            let first = examples.to_string().lines().nth(1).unwrap().trim().replace('-', "\\-");
            assert!(
                text.contains(first.split(['\'', '<']).next().unwrap()),
                "{name}: expected {first:?} in {text}"
            );
        }
        if let Some(folder) = &folder {
            std::fs::write(Path::new(folder).join(format!("{name}.1")), text).unwrap();
        }
        names.push(name);
    }
    for expected in ["cni-steward", "cni-steward-audit", "cni-steward-status", "cni-steward-export-webhook"] {
        assert!(names.iter().any(|name| name == expected), "expected {expected} among {names:?}");
    }
}
