//! What could not be seen, in words.

use crate::cluster::inventory::Unseen;

/// What was asked for and why there was no answer.
pub fn told(unseen: &Unseen) -> String {
    let Unseen { verb, why, .. } = unseen;
    format!("cannot {verb} {}: {why}", object(unseen, " "))
}

/// The command that tells more.
pub fn next(unseen: &Unseen) -> String {
    if !unseen.forbidden {
        return "run it again, with a longer --request-timeout if there was no answer in time".to_owned();
    }
    format!(
        "kubectl auth can-i {} {}{}    # your account lacks this right",
        unseen.verb,
        object(unseen, "/"),
        unseen.scope()
    )
}

fn object(unseen: &Unseen, between: &str) -> String {
    match &*unseen.name {
        "" => unseen.resource.clone(),
        name => format!("{}{between}{name}", unseen.resource),
    }
}
