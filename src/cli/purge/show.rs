//! The plan of a purge, laid out for people.

use crate::cli::terminal::{Terminal, Tone};
use crate::cluster::inventory::Inventory;
use crate::layout::printable;
use crate::purge::{Plan, Refusal, words};

/// The whole plan.
pub(super) fn plan(plan: &Plan<'_>, inventory: &Inventory, terminal: Terminal) -> String {
    let server = &inventory.server;
    let head = if plan.is_empty() {
        format!("nothing of the VPC CNI is left to remove at {server}")
    } else {
        format!("purge removes the Amazon VPC CNI from {server}, in this order:")
    };
    let mut out = terminal.paint(Tone::Strong, &head) + "\n";
    for (number, step) in plan.steps.iter().enumerate() {
        out.push_str(
            &terminal.paragraph(2, &format!("{}. {}: {}", number + 1, step.item.reference, step.why())),
        );
    }
    for kept in &plan.kept {
        out.push_str(&terminal.paragraph(2, &format!("keeps {}: {}", kept.item.reference, kept.why)));
    }
    if !plan.steps.is_empty() {
        out.push_str(&terminal.paragraph(2, &format!("never touched: {}", words::OFF_LIMITS)));
    }
    for note in &plan.notes {
        out.push_str(&terminal.paragraph(2, &format!("note: {note}")));
    }
    for one in &plan.refusals {
        out.push_str(&refusal(one, terminal));
    }
    out
}

/// One refusal, and what to do instead.
pub(super) fn refusal(refusal: &Refusal, terminal: Terminal) -> String {
    let head = terminal.paint(Tone::Bad, "REFUSED");
    let next: Vec<String> = refusal.next().iter().map(|next| format!("  → {}\n", printable(next))).collect();
    format!("{head} [{}] {}\n{}", refusal.code(), printable(&refusal.sentence()), next.concat())
}
